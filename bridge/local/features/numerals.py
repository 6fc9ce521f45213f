"""Numbers that are said in English words, in digits: "nine hundred" becomes 900, "nine two eight" 9 2 8.

A lone "one" stays a word, because it mostly stands for a thing; so does a lone ordinal. Digits are not grouped.
Source: https://developers.deepgram.com/docs/numerals
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from bridge.local.features.phrases import Words, bare, mark, merged
from bridge.recognition import Word
from bridge.spans import Span

_NAMES = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen
"""
_RANKS = """
zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth
sixteenth seventeenth eighteenth nineteenth
"""
_TIES = "twenty thirty forty fifty sixty seventy eighty ninety"

_SMALL = _NAMES.split()
_TENS = {word: 10 * value for value, word in enumerate(_TIES.split(), 2)}
_UNITS = {word: value for value, word in enumerate(_SMALL)}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
_ORDINALS = {
    **{word: value for value, word in enumerate(_RANKS.split())},
    **{f"{word[:-1]}ieth": value for word, value in _TENS.items()},
}
_CENTURIES = range(17, 21)
"""What a year begins with, where it is said as two numbers."""
_DIGITS = re.compile(r"\d+(\.\d+)?")
_ORDINAL = re.compile(r"(\d+)(st|nd|rd|th)")


class Number(NamedTuple):
    """A number among words."""

    words: Span
    """Which of them, half-open."""
    text: str
    """In digits; an ordinal with its ending."""

    @property
    def digits(self) -> str:
        """Its digits alone."""
        return "".join(filter(str.isdigit, self.text))


def read_numbers(words: Sequence[Word]) -> list[Number]:
    """Every number, in order. What is written in digits already is one too."""
    said = [bare(word) for word in words]
    # A number does not go on behind a mark: "five, two" are two.
    ends = [mark(word) != "" for word in words]
    found: list[Number] = []
    at = 0
    while at < len(said):
        number = _Reading(said, ends, at).number()
        if number:
            found.append(number)
        at = number.words.end if number else at + 1
    return _with_zeros(_years(found, ends), said)


def write_numerals(words: Words) -> Words:
    """The words with every number in digits."""
    numbers = [number for number in read_numbers(words) if not _is_lone_one(number, words)]
    return substituted(words, [(number.words, number.text) for number in numbers])


def substituted(words: Words, texts: Sequence[tuple[Span, str]]) -> Words:
    """The words with some of them as one each; the spans are of words, in order."""
    written: list[Word] = []
    at = 0
    for span, text in texts:
        written += words[at : span.start]
        written.append(merged(words[span.start : span.end], text))
        at = span.end
    return (*written, *words[at:])


def ordinal(word: str) -> int | None:
    """The day that an ordinal names, said or written."""
    match = _ORDINAL.fullmatch(word)
    return int(match[1]) if match else _ORDINALS.get(word)


def _is_lone_one(number: Number, words: Words) -> bool:
    if bare(words[number.words.start]) != "one" or number.words.length != 1:
        return False
    beside = [*words[max(0, number.words.start - 1) : number.words.start], *words[number.words.end :][:1]]
    return not any(_is_numeral(bare(word)) for word in beside)


def _is_numeral(word: str) -> bool:
    return word in _UNITS or word in _TENS or word == "oh" or _DIGITS.fullmatch(word) is not None


def _years(numbers: list[Number], ends: Sequence[bool]) -> list[Number]:
    """Nineteen, seventy-six is one number."""
    joined: list[Number] = []
    for number in numbers:
        before = joined[-1] if joined else None
        if before and _is_year(before, number) and not ends[before.words.end - 1]:
            joined[-1] = Number(Span(before.words.start, number.words.end), before.text + number.text)
        else:
            joined.append(number)
    return joined


def _is_year(before: Number, number: Number) -> bool:
    follows = before.words.end == number.words.start
    return follows and before.text in map(str, _CENTURIES) and len(number.text) == 2 and number.text.isdigit()


def _with_zeros(numbers: list[Number], said: Sequence[str]) -> list[Number]:
    """An "oh" beside a digit is a zero, and so is one beside that."""
    places = {place for number in numbers if len(number.text) == 1 for place in range(*number.words)}
    grown = True
    while grown:
        zeros = {
            place
            for place, word in enumerate(said)
            if word == "oh" and place not in places and {place - 1, place + 1} & places
        }
        grown = bool(zeros)
        places |= zeros
    found = [Number(Span(place, place + 1), "0") for place in places if said[place] == "oh"]
    return sorted([*numbers, *found])


class _Reading:
    """Reads one number that begins at a word."""

    def __init__(self, said: Sequence[str], ends: Sequence[bool], at: int) -> None:
        self._said, self._ends, self._start, self._at = said, ends, at, at
        self._ended = False

    def number(self) -> Number | None:
        if (word := self._next()) and (_DIGITS.fullmatch(word) or _ORDINAL.fullmatch(word)):
            self._take()
            return self._found(word)
        total = self._scaled()
        if total is None:
            return None
        if (ending := self._ordinal(total)) is not None:
            return self._found(ending)
        return self._found(f"{total}{self._decimals()}")

    def _found(self, text: str) -> Number:
        return Number(Span(self._start, self._at), text)

    def _next(self, ahead: int = 0) -> str:
        """The word there, unless the number has ended before it; empty: none."""
        place = self._at + ahead
        if self._ended or place >= len(self._said) or any(self._ends[self._at : place]):
            return ""
        return self._said[place]

    def _take(self, words: int = 1) -> None:
        self._at += words
        self._ended = self._ends[self._at - 1]

    def _scaled(self) -> int | None:
        """Thousands, millions and so on, each smaller than the one before."""
        total, least = 0, 10**12
        group = self._hundreds()
        if group is None:
            return None
        while (scale := _SCALES.get(self._next())) and scale < least:
            self._take()
            total, least, group = total + group * scale, scale, 0
            if (more := self._after_and(self._hundreds)) is None:
                break
            group = more
        return total + group

    def _hundreds(self) -> int | None:
        if self._next() == "a" and self._next(1) in ("hundred", *_SCALES):
            self._take()
            group: int | None = 1
        else:
            group = self._below_hundred()
        if group and self._next() == "hundred":
            self._take()
            rest = self._after_and(self._below_hundred)
            return group * 100 + (rest or 0)
        return group

    def _after_and(self, read: Callable[[], int | None]) -> int | None:
        """What follows a hundred or a thousand, with an "and" or without."""
        and_ = self._next() == "and"
        follows = self._next(1 if and_ else 0)
        if follows == "zero" or (follows not in _UNITS and follows not in _TENS):
            return None
        if and_:
            self._take()
        return read()

    def _below_hundred(self) -> int | None:
        word = self._next()
        if word in _UNITS:
            self._take()
            return _UNITS[word]
        if word not in _TENS:
            return None
        self._take()
        unit = _UNITS.get(self._next(), 0)
        if 1 <= unit <= 9:
            self._take()
            return _TENS[word] + unit
        return _TENS[word]

    def _ordinal(self, total: int) -> str | None:
        """The ending of a number of which an ordinal is the last word, as in twenty-first."""
        and_ = self._next() == "and" and total % 100 == 0
        last = _ORDINALS.get(self._next(1 if and_ else 0))
        room = 10 if total % 100 in _TENS.values() else 100 if total % 100 == 0 and total else 0
        if last is None or not 0 < last < room:
            return None
        self._take(2 if and_ else 1)
        return f"{total + last}{_ending(total + last)}"

    def _decimals(self) -> str:
        if self._next() != "point" or self._next(1) not in _SMALL[:10]:
            return ""
        self._take()
        digits = ""
        while (word := self._next()) in _SMALL[:10]:
            digits += str(_UNITS[word])
            self._take()
        return f".{digits}"


def _ending(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
