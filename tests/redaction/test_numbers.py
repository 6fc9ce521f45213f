import pytest

from bridge.redaction.numbers import bare, runs, written

ENGLISH = frozenset(("en",))


def digits(text, languages=ENGLISH):
    return [run.digits for run in runs([bare(word) for word in text.split()], languages)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("4111 1111-1111, 1111.", ["4111111111111111"]),
        ("four one one one", ["4111"]),
        ("double four triple one", ["44111"]),
        ("forty-one eleven", ["4111"]),
        ("oh two oh seven", ["0207"]),
        ("four uh one and then one, dash, one", ["4111"]),
        ("nine hundred one two", ["90" + "1" + "2"]),
        ("four hundred and twelve", ["412"]),
        ("it is one of them", ["1"]),
        ("oh no", []),
        ("555.123.4567", ["5551234567"]),
        ("(555) 123-4567", ["5551234567"]),
        ("٤١١١", ["4111"]),
        ("４１１１", ["4111"]),
        ("4,111,111,111,111,111", ["4111111111111111"]),
        ("a1 4111 b", ["4111"]),
        ("[4111] <1111> 1111|", ["411111111111"]),
        ("\u200f4111\u200f \u202b1111\u202c \u20681111\u2069", ["411111111111"]),
        ("4\ufe0f\u20e31\ufe0f\u20e31\ufe0f\u20e31\ufe0f\u20e3", ["4111"]),
        ("tel:+4915112345678", ["4915112345678"]),
        ("tel:555-1234", ["5551234"]),
        ("电话是138-1234-5678吧", ["13812345678"]),
        ("今天是2024年3月5日 和2024-03-05的", []),
        ("abc1234567 o1234567", []),
    ],
)
def test_digits_are_read_however_they_are_said(text, found):
    assert digits(text) == found


@pytest.mark.parametrize(
    "text",
    ["$1,500", "1,500", "12:30", "3.5", "12/05/2024", "12-05-2024", "2024-05-12", "3.11.4", "two thousand", "1st"],
)
def test_amounts_times_and_dates_are_no_strings_of_digits(text):
    assert digits(text) == []


def test_what_a_number_counts_is_seen_behind_it():
    (run,) = runs(["4111", "dollars"], ENGLISH)

    assert run.measured


@pytest.mark.parametrize(
    ("text", "is_year"),
    [
        ("1984", True),
        ("nineteen eighty-four", True),
        ("one nine eight four", False),
        ("1999 and 2003", True),
        ("2150", False),
    ],
)
def test_years_are_told_apart(text, is_year):
    (run,) = runs([bare(word) for word in text.split()], ENGLISH)

    assert run.is_year == is_year


def test_other_languages_are_read_by_their_tables():
    assert digits("vier eins eins eins", frozenset(("de",))) == ["4111"]
    assert digits("vier eins", ENGLISH) == []
    assert digits("quatre vingt dix sept", frozenset(("fr",))) == ["97"]


def test_one_word_is_a_string_of_digits_when_it_is_long_whatever_stands_in_it():
    assert written("4111/1111/1111/1111") == "4111111111111111"
    assert written("4111/1111") is None
