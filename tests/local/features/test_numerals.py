"""Numbers in digits, as the service's own pages have them, and every number below ten thousand."""

import pytest

from bridge.local.features.numerals import ordinal, read_numbers, write_numerals
from tests.fakes.saying import EACH, bare, said, text

UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def spell(number, and_=False):
    """A number as it is said."""
    if number < 20:
        return UNITS[number]
    if number < 100:
        return TENS[number // 10 - 2] + (f" {UNITS[number % 10]}" if number % 10 else "")
    for scale, name in ((1_000_000_000, "billion"), (1_000_000, "million"), (1000, "thousand"), (100, "hundred")):
        if number >= scale:
            rest = number % scale
            joint = " and " if and_ and rest < 100 else " "
            return f"{spell(number // scale, and_)} {name}" + (f"{joint}{spell(rest, and_)}" if rest else "")
    raise AssertionError


@pytest.mark.parametrize("and_", [False, True])
def test_every_number_is_read(and_):
    numbers = [*range(2, 1300), *range(1300, 10_000, 37), 12_345, 100_000, 999_999, 1_000_001, 7_654_321, 2_000_000_015]
    for number in numbers:
        assert text(write_numerals(said(spell(number, and_)))) == str(number), spell(number, and_)


@pytest.mark.parametrize(
    ("spoken", "written"),
    [
        # From docs/numerals.
        ("nine hundred", "900"),
        (
            "My account number is nine two eight four seven three seven three nine two three seven",
            "My account number is 9 2 8 4 7 3 7 3 9 2 3 7",
        ),
        ("code is five one y w six and then twenty three", "code is 5 1 y w 6 and then 23"),
        ("I live at five five five main street one zero zero zero five", "I live at 5 5 5 main street 1 0 0 0 5"),
        # Years, decimals, ordinals, zeros.
        ("july nineteen seventy six", "july 1976"),
        ("in twenty twenty six", "in 2026"),
        ("three point one four", "3.14"),
        ("what is the point of five", "what is the point of 5"),
        ("the twenty first of may", "the 21st of may"),
        ("one hundred twelfth", "112th"),
        ("one hundred and third street", "103rd street"),
        ("first of all, the second", "first of all, the second"),
        ("five oh four", "5 0 4"),
        ("oh five oh oh six", "0 5 0 0 6"),
        ("oh no, five", "oh no, 5"),
        ("a hundred and five", "105"),
        ("a thousand", "1000"),
        ("a million reasons", "1000000 reasons"),
        # What is no number, or ends one.
        ("this one is mine", "this one is mine"),
        ("one two one", "1 2 1"),
        ("five, twenty, three.", "5, 20, 3."),
        ("twenty and five", "20 and 5"),
        ("two hundred and some", "200 and some"),
        ("nine hundred zero", "900 0"),
        ("", ""),
        ("thousand islands and hundred days", "thousand islands and hundred days"),
        # In digits already.
        ("742 and 3.5", "742 and 3.5"),
    ],
)
def test_numbers_as_they_are_said(spoken, written):
    assert text(write_numerals(said(spoken))) == written


def test_one_word_in_place_of_several_has_their_time_and_the_last_ones_mark():
    *_, number = write_numerals(said("order nine hundred five.", speaker=1))

    assert (number.word, number.text, number.span, number.speaker) == ("905", "905.", (EACH, 4 * EACH), 1)
    assert number.confidence == pytest.approx(0.9)


def test_bare_words_have_no_marks():
    assert bare(write_numerals(said("Seven four, two."))) == "7 4 2"


def test_numbers_are_told_with_their_words():
    found = read_numbers(said("call five five twenty two now"))

    assert [(tuple(number.words), number.text, number.digits) for number in found] == [
        ((1, 2), "5", "5"),
        ((2, 3), "5", "5"),
        ((3, 5), "22", "22"),
    ]


@pytest.mark.parametrize(
    ("word", "day"), [("first", 1), ("twelfth", 12), ("thirtieth", 30), ("21st", 21), ("one", None)]
)
def test_ordinals(word, day):
    assert ordinal(word) == day
