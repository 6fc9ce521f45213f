from bridge.redaction.cues import LASTING, Cue, dates, kind_of, last_cue, nearest
from bridge.redaction.tokens import token_of_text


def test_the_nearest_word_says_what_a_number_is():
    words = ["my", "card", "and", "then", "my", "phone", "number", "is", "1"]

    assert nearest(words, len(words) - 1, None, 0) == "phone"
    assert nearest(words, 2, None, 0) == "card"


def test_a_word_of_before_counts_for_a_while():
    assert nearest(["4111"], 0, Cue("card", 0), LASTING - 1) == "card"
    assert nearest(["4111"], 0, Cue("card", 0), LASTING) is None
    assert nearest(["4111"], 0, None, 0) is None


def test_the_last_one_is_remembered():
    assert last_cue(token_of_text("Your card, or your phone?"), None).kind == "phone"
    assert last_cue(token_of_text("Hello."), Cue("card", 5)) == Cue("card", 5)
    assert kind_of("e-mail") == "email"


def test_dates_as_cards_have_them_are_found():
    assert [tuple(each) for each in dates(["until", "04/27", "or", "january", "twenty", "twenty", "eight"])] == [
        (1, 1, False),
        (3, 6, True),
    ]
    assert list(dates(["in", "may", "we", "met"])) == []
