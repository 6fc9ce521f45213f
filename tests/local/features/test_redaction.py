"""What nobody is to read: which words go, what stands for them, and what is still told of them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.local.features.entities import detect
from bridge.local.features.redaction import GROUPS, is_known, redacted
from tests.fakes.saying import bare, said, text

CARD = "four four four four nine nine nine nine three three three three two two two two"
ORDER = "Yes, my order number is seven four two, nine one six."


def redact(spoken, *options, counted=None):
    words = said(spoken)
    return redacted(words, detect(words), options, counted or {})


@pytest.mark.parametrize(
    ("spoken", "options", "written"),
    [
        # From docs/redaction.
        (
            "My social security number is five five five two two one one one one and his is six six six two two one "
            "three three three",
            ["ssn"],
            "My social security number is [SSN_1] and his is [SSN_2]",
        ),
        (
            f"my credit card number is {CARD} with an expiration date of one twenty three and the cvv code is one one "
            "one my phone number is five five five two one two nine three three three my date of birth is july twelfth "
            "nineteen seventy six",
            ["pci", "pii"],
            "my credit card number is [CREDIT_CARD_1] with an expiration date of [CREDIT_CARD_EXPIRATION_1] and the "
            "cvv code is [CVV_1] my phone number is [PHONE_NUMBER_1] my date of birth is [DOB_1]",
        ),
        (f"card {CARD}.", ["pci"], "card [CREDIT_CARD_1]."),
        (ORDER, ["pci"], ORDER),
        (ORDER, ["numbers"], "Yes, my order number is [ACCOUNT_NUMBER_1]."),
        (ORDER, ["true"], "Yes, my order number is [ACCOUNT_NUMBER_1]."),
        (ORDER, ["account_number"], "Yes, my order number is [ACCOUNT_NUMBER_1]."),
        ("five six seven and two", ["numbers"], "[NUMBER_1] and two"),
        ("nine hundred of them, twenty", ["numbers"], "[NUMBER_1] of them, twenty"),
        ("five six seven and two", ["aggressive_numbers"], "[NUMBER_1] and [NUMBER_2]"),
        ("on Monday, july fifth twenty twenty six", ["numbers"], "on Monday, [DATE_1]"),
        ("on Monday", ["date"], "on [DATE_1]"),
        ("this is Laura Miller, hello", ["pii"], "this is [NAME_1], hello"),
        ("this is Laura Miller, hello", ["numbers"], "this is Laura Miller, hello"),
        ("john at example dot com", ["email_address"], "[EMAIL_ADDRESS_1]"),
        ("five five five", ["phi"], "five five five"),
        ("five five five", [], "five five five"),
    ],
)
def test_what_is_taken_out(spoken, options, written):
    assert text(redact(spoken, *options)[0]) == written


def test_they_are_counted_on():
    words, _, counted = redact("five six seven", "numbers", counted={"NUMBER": 4, "SSN": 1})

    assert bare(words) == "[NUMBER_5]"
    assert counted == {"NUMBER": 5, "SSN": 1}


def test_one_word_stands_for_all_in_their_time():
    words, _, _ = redact(ORDER, "numbers")

    assert (words[-1].word, words[-1].text) == ("[ACCOUNT_NUMBER_1]", "[ACCOUNT_NUMBER_1].")
    assert words[-1].span == (said(ORDER)[5].span.start, said(ORDER)[-1].span.end)


def test_entities_that_are_left_name_their_words_and_those_taken_out_do_not_tell():
    words, entities, _ = redact(f"this is Ann, card {CARD}, for two nights", "pci")

    assert [(entity.label, entity.value, entity.raw_value, tuple(entity.words)) for entity in entities] == [
        ("NAME", "Ann", "ann", (2, 3)),
        ("CREDIT_CARD", "[CREDIT_CARD_1]", "[CREDIT_CARD_1]", (4, 5)),
        ("DURATION", "2 nights", "two nights", (6, 8)),
    ]
    assert [words[entity.words.start].word for entity in entities] == ["ann", "[CREDIT_CARD_1]", "two"]


def test_what_is_known():
    assert all(map(is_known, (*GROUPS, "true", "phone_number", "email_address")))
    assert not any(map(is_known, ("phi", "drug", "nonsense", "")))


NUMBERS = ["five", "six", "twenty", "hundred", "oh", "42", "july", "first", "and", "dollars", "card"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(NUMBERS), max_size=20))
def test_no_number_is_left_where_all_are_to_go(spoken):
    words, entities, _ = redact(" ".join(spoken), "aggressive_numbers")
    left = bare(words).split()

    assert not {"five", "six", "twenty", "42"} & set(left)
    assert all(entity.words.end <= len(words) for entity in entities)
    assert not any(word in entity.value.split() for entity in entities for word in ("5", "6", "20", "42"))
