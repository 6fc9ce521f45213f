"""What is found, and how well: the figures of `bridge/docs/privacy.md` are those of the sentences beside this test."""

from pathlib import Path

import pytest

from bridge.recognition import Result
from bridge.redaction.cues import Cue
from bridge.redaction.finding import Carry, Context, find
from bridge.redaction.redactor import Redactor
from bridge.redaction.rules import Pattern, Rules
from bridge.redaction.tokens import tokens
from bridge.spans import Span
from tests.fakes.redaction import exchanges, heard, measured

PAGE = Path(__file__).parent.parent.parent / "bridge" / "docs" / "privacy.md"
ALL = ("card", "phone", "email", "digits")
CARD = "4111 1111 1111 1111"


def found(text, *kinds, context=Context(frozenset(("en",))), patterns=(), **how):
    words = tokens(heard(text))
    said = find(words, Rules(frozenset(kinds or ALL), patterns), context, **how)
    return [(each.kind, " ".join(word.text for word in words[each.first : each.last + 1])) for each in said.hidden]


def begun(text, *kinds, context=Context(frozenset(("en",)))):
    words = tokens(heard(text))
    at = find(words, Rules(frozenset(kinds or ALL)), context).begun
    return None if at is None else words[at].text


FIGURES = [(("card",), 0.98, 0.98), (("phone",), 0.97, 0.97), (("email",), 0.93, 0.97), (ALL, 0.98, 0.98)]


@pytest.mark.parametrize(("kinds", "recall", "precision"), FIGURES, ids=lambda value: str(value))
def test_it_is_as_good_as_is_told(kinds, recall, precision):
    figures = measured(*kinds)
    found, secrets = sum(figures.found.values()), sum(figures.secrets.values())
    right = f"{figures.meant} of {figures.taken} ({figures.precision:.1%})"
    row = f"| `{','.join(kinds)}` | {found} of {secrets} ({found / secrets:.1%}) | {right} |"

    assert figures.recall(*figures.secrets) >= recall
    assert figures.precision >= precision
    assert row in PAGE.read_text()


def test_there_are_enough_sentences():
    said = list(exchanges())

    assert len(said) >= 500
    assert f"{len(said)} made-up sentences" in PAGE.read_text()
    assert sum(not secrets for _, _, secrets in said) >= 130


def test_no_interim_shows_digits_that_grow():
    """Each sentence word by word, as interims bring it; of what stands between digits, an "uh" may be seen."""
    seen = set()
    for language, results, secrets in exchanges():
        hidden = {
            word: secret.kind
            for secret in secrets
            for word in secret.words
            if secret.kind in ("card", "cvc", "phone", "digits")
        }
        redactor = Redactor(Rules(frozenset(ALL)), language)
        for result in results:
            for count in range(1, len(result.words) + 1):
                words = result.words[:count]
                text = " ".join(word.text for word in words)
                interim = Result(result.channel, Span(words[0].span.start, words[-1].span.end), text, 0.9, words, False)
                for shown in redactor.receive(interim, 0.0):
                    seen |= {word.word for word in shown.words if word.span in hidden}
            redactor.receive(result, 0.0)

    said = {"double", "triple", "uh", "and", "then", "dash", "plus", "oh", "a", "the", "there's", "gap"}
    assert {word for word in seen if not word.startswith("[")} <= said


@pytest.mark.parametrize(
    "text",
    ["in 2019 we moved", "at 4:30 in room 12", "1,500 dollars and 20 cents", "4111 dollars", "two or three of them"],
)
def test_other_numbers_are_left(text):
    assert found(text) == []


def test_a_card_needs_its_checksum_or_a_word():
    wrong = CARD[:-1] + "2"

    assert found(f"order number {wrong}", "card") == []
    assert found(f"my card is {wrong}", "card") == [("card", wrong)]
    assert found(wrong, "card", context=Context(cue=Cue("card", 0))) == [("card", wrong)]
    assert found(f"that is {CARD}", "card") == [("card", CARD)]


def test_what_follows_a_card_is_its_date_and_its_code():
    assert found(f"{CARD} expiry 12/27 and 123", "card") == [("card", CARD), ("expiry", "12/27"), ("cvc", "123")]
    assert found(f"{CARD} 12 27 123", "card") == [("card", CARD), ("expiry", "12 27"), ("cvc", "123")]
    assert found("the code is 123", "card") == []
    assert found("the CVC is 123", "card") == [("cvc", "123")]


def test_digits_go_on_with_those_before():
    before = Carry(("4111", "1111", "1111"), None, -8000)

    assert found("1111", "card", context=Context(carry=before)) == [("card", "1111")]
    assert found("1112", "card", context=Context(carry=before)) == []
    assert found("7", "digits", context=Context(carry=Carry(("4111",), "digits", -8000))) == [("digits", "7")]


def test_digits_near_what_others_took_out_are_more_of_it():
    near = Context(taken_out=(("card", Span(-16_000, -8000)),))

    assert found("1111 please", "card", context=near) == [("card", "1111")]
    assert found("12 dollars", "card", context=near) == []


@pytest.mark.parametrize(
    ("text", "kinds", "first"),
    [
        ("my card is 4111", ("card",), "4111"),
        ("it was in 1999", ("card",), None),
        ("it was in 1999", ("digits",), "1999"),
        ("call 555", ("phone",), "555"),
        (f"my card is {CARD}", ("card",), None),
        ("it's anna dot smith", ("email",), "anna"),
        ("4111 is it", ("card",), None),
    ],
)
def test_what_may_go_on_is_told(text, kinds, first):
    assert begun(text, *kinds) == first


def test_at_a_cut_half_a_number_is_taken_out():
    assert found("number 4111 1111", "card", cut=True) == [("card", "4111 1111")]
    assert found("number 4111 1111", "card") == []


def test_own_patterns_are_found_over_several_words():
    pattern = Pattern("policy", lambda text: [(text.index("PN"), text.index("PN") + 5)])

    assert found("policy PN 12 please", "card", patterns=(pattern,)) == [("policy", "PN 12")]
