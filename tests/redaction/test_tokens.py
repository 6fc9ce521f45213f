from msgspec.structs import replace

from bridge.recognition import Entity, Redaction, Result
from bridge.redaction.tokens import Hidden, token_of_text, tokens, without
from bridge.spans import Span
from tests.fakes.saying import EACH, said


def result(text, words=None, **known):
    words = said(text) if words is None else words
    return Result(0, Span(0, EACH * max(1, len(text.split()))), text, 0.9, words, True, **known)


def test_a_result_is_taken_apart_by_its_sentence():
    assert [(token.text, token.blank, token.bare) for token in tokens(result("My PIN,  1234."))] == [
        ("My", " ", "my"),
        ("PIN,", "  ", "pin"),
        ("1234.", "", "1234"),
    ]


def test_words_that_the_recognizer_gave_no_time_are_looked_at_too():
    whole = said("Call 4111 now")
    found = tokens(result("Call 4111 now", whole[:1] + whole[2:]))

    assert [token.text for token in found] == ["Call", "4111", "now"]
    assert [token.word for token in found] == [0, None, 1]
    assert found[1].span == Span(EACH, 2 * EACH)


def test_a_sentence_without_words_has_shares_of_its_time():
    found = tokens(result("one two", ()))

    assert [token.span for token in found] == [Span(0, EACH), Span(EACH, 2 * EACH)]


def test_words_that_do_not_fit_the_sentence_are_not_believed():
    odd = result("4111 1111", said("something else"))
    left = without(odd, tokens(odd), [Hidden("card", 0, 1)])

    assert left.text == "[card]"
    assert [word.word for word in left.words] == ["[card]"]


def test_one_word_stands_for_what_is_hidden_and_is_as_long():
    given = result("My card is 4111 1111, thanks.")
    left = without(given, tokens(given), [Hidden("card", 3, 4)])

    assert left.text == "My card is [card], thanks."
    assert [(word.word, word.text) for word in left.words][3] == ("[card]", "[card],")
    assert left.words[3].span == Span(3 * EACH, 5 * EACH)
    assert left.redacted == (Redaction("card", Span(3 * EACH, 5 * EACH)),)


def test_entities_keep_their_words_or_lose_what_they_say():
    card = Entity("CREDIT_CARD", "41111111", "4111 1111", 0.9, Span(1, 3))
    name = Entity("NAME", "Ann", "ann", 0.9, Span(4, 5))
    given = replace(result("card 4111 1111 thanks Ann"), entities=(card, name))
    left = without(given, tokens(given), [Hidden("card", 1, 2)])

    assert [(each.value, each.raw_value, each.words) for each in left.entities] == [
        ("[card]", "[card]", Span(1, 2)),
        ("Ann", "ann", Span(3, 4)),
    ]


def test_scripts_without_blanks_stay_without():
    words = (*said("番号は"), *said("4111", EACH), *said("です。", 2 * EACH))
    given = replace(result("番号は4111です。", words))
    left = without(given, tokens(given), [Hidden("digits", 1, 1)])

    assert left.text == "番号は[digits]です。"


def test_a_text_by_itself_has_no_times():
    assert [token.span for token in token_of_text("a b")] == [Span(0, 0)] * 2
