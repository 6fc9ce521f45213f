"""What words name: each kind by the rules that tell it, and none where there is none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.local.features.entities import LABELS, detect, runs
from bridge.local.features.numerals import write_numerals
from tests.fakes.saying import said

CARD = "four four four four nine nine nine nine three three three three two two two two"


@pytest.mark.parametrize(
    ("spoken", "entities"),
    [
        # The example of docs/redaction.
        (
            f"my credit card number is {CARD} with an expiration date of one twenty three and the cvv code is one one "
            "one my phone number is five five five two one two nine three three three "
            "my date of birth is july twelfth nineteen seventy six",
            [
                ("CREDIT_CARD", "4444999933332222"),
                ("CREDIT_CARD_EXPIRATION", "1 23"),
                ("CVV", "111"),
                ("PHONE_NUMBER", "5552129333"),
                ("DOB", "july twelfth 1976"),
            ],
        ),
        (
            "My social security number is five five five two two one one one one and his is six six six two two one "
            "three three three",
            [("SSN", "555221111"), ("SSN", "666221333")],
        ),
        ("the last four of your social are one two three four", [("CARDINAL", "4"), ("SSN", "1234")]),
        ("Yes, my order number is seven four two, nine one six.", [("ACCOUNT_NUMBER", "742916")]),
        (
            "the account number is nine two eight four seven three seven three nine two",
            [("ACCOUNT_NUMBER", "9284737392")],
        ),
        ("zip code one zero zero zero five", [("LOCATION_ZIP", "10005")]),
        ("one eight zero zero five five five one two one two", [("PHONE_NUMBER", "18005551212")]),
        ("five five five one two one two", [("PHONE_NUMBER", "5551212")]),
        ("the number, 5551212, is his phone", [("PHONE_NUMBER", "5551212")]),
        ("that is forty five dollars and two cents", [("MONEY", "45 dollars"), ("MONEY", "2 cents")]),
        ("ninety percent of it", [("PERCENT", "90 percent")]),
        ("at nine thirty a m or ten o'clock", [("TIME", "9 30 a m"), ("TIME", "10 o'clock")]),
        ("she is twelve years old", [("AGE", "12 years old")]),
        ("for two nights in August.", [("DURATION", "2 nights"), ("DATE", "August")]),
        ("on Monday, May the fourth", [("DATE", "Monday")]),
        ("on may twenty first twenty twenty six", [("DATE", "may 21st 2026")]),
        ("march 5 we may march in may", [("DATE", "march 5"), ("DATE", "may")]),
        ("i have two of them", [("CARDINAL", "2")]),
        ("this one and that one", []),
        ("write to john dot smith at example dot com please", [("EMAIL_ADDRESS", "john.smith@example.com")]),
        ("write to a.b@example.org.", [("EMAIL_ADDRESS", "a.b@example.org")]),
        ("go to www dot example dot co dot uk", [("URL", "www.example.co.uk")]),
        ("the dot com boom at five", [("URL", "the.com"), ("CARDINAL", "5")]),
        ("see www.example.com", [("URL", "www.example.com")]),
        ("Hi, this is Laura Miller. I'm calling about it", [("NAME", "Laura Miller")]),
        ("Good morning, Daniel speaking.", [("NAME", "Daniel")]),
        ("My name is Ann, Monday is fine", [("NAME", "Ann"), ("DATE", "Monday")]),
        ("this is the end and I am sorry", []),
        ("", []),
    ],
)
def test_entities(spoken, entities):
    assert [(entity.label, entity.value) for entity in detect(said(spoken))] == entities


def test_they_name_their_words():
    words = said("My number is five five five, one two one two. Thanks")
    (entity,) = detect(words)

    assert tuple(entity.words) == (3, 10)
    assert entity.raw_value == "five five five one two one two"
    assert entity.confidence == pytest.approx(0.9)


def test_numbers_in_digits_are_found_as_well_as_spoken_ones():
    spoken = said(f"card {CARD}, for twenty dollars")
    written = write_numerals(spoken)

    assert [(each.label, each.value) for each in detect(written)] == [
        (each.label, each.value) for each in detect(spoken)
    ]


def test_numbers_that_follow_one_another_are_a_run_up_to_a_full_stop():
    found = runs(said("five, six. seven twenty two and eight"))

    assert [run.digits for run in found] == ["56", "722", "8"]


def test_a_year_of_many_words_belongs_to_its_date():
    (found,) = detect(said("may fifth one thousand nine hundred and ninety nine"))
    assert (found.label, found.value) == ("DATE", "may fifth 1999")


SPOKEN = "one two oh hundred may july first dot com at a m is my name Ann this . 55 $".split()  # noqa: SIM905


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(SPOKEN), max_size=14))
def test_whatever_is_said_entities_are_in_order_apart_and_within(spoken):
    words = said(" ".join(spoken))
    found = detect(words)

    assert all(entity.label in LABELS and entity.value for entity in found)
    edges = [edge for entity in found for edge in entity.words]
    assert edges == sorted(edges)
    assert all(entity.words.length for entity in found)
    assert not edges or (edges[0] >= 0 and edges[-1] <= len(words))
