"""What words name: card and telephone numbers, money, dates, addresses of mail, people. By rules, for English.

A recognizer of Deepgram's size knows sixty kinds; these are the ones that telephone calls have and rules can tell.
Sources: https://developers.deepgram.com/docs/detect-entities and https://developers.deepgram.com/docs/supported-entity-types
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bridge.local.features.numerals import Number, ordinal, read_numbers, write_numerals
from bridge.local.features.phrases import MARKS, Words, bare, confidence, mark
from bridge.recognition import Entity, Word
from bridge.spans import Span
from bridge.writing import joined


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LABELS = _words(
    "ACCOUNT_NUMBER AGE CARDINAL CREDIT_CARD CREDIT_CARD_EXPIRATION CVV DATE DOB DURATION EMAIL_ADDRESS LOCATION_ZIP "
    "MONEY NAME PERCENT PHONE_NUMBER SSN TIME URL"
)
"""The kinds that are recognized."""

_BEFORE = 6  # words before a number that may say what it is

_YEAR = 8  # words that a year takes, at the most
_MONTHS = _words("january february march april may june july august september october november december")
_DAYS = _words("monday tuesday wednesday thursday friday saturday sunday")
_MONEY = _words("dollar dollars cent cents euro euros pound pounds")
_TIMES = _words("second seconds minute minutes hour hours day days night nights week weeks month months year years")
_TOP = _words("com org net edu gov io co uk de info dev")
_INTRODUCED = (("my", "name", "is"), ("this", "is"), ("i", "am"), ("i'm",), ("name's",))

_SAID_BEFORE = (
    ("CVV", r"cvv|cvc|cvv code|cv code|security code", (3, 4)),
    ("CREDIT_CARD_EXPIRATION", r"expir\w*|valid until", (2, 3, 4, 5, 6)),
    ("SSN", r"social security|social|ssn", (4, 9)),
    ("DOB", r"birth|birthday|born", (4, 6, 8)),
    ("LOCATION_ZIP", r"zip|postal", (5, 9)),
    ("ACCOUNT_NUMBER", r"(account|member|policy|customer|order|reference|confirmation|tracking) (number|id|code)",
     tuple(range(3, 20))),
    ("PHONE_NUMBER", r"phone|call me|telephone|cell|mobile", (7, 10, 11, 12)),
)  # fmt: skip
"""What a number is after these words, if it has so many digits. The nearest word decides."""
_BY_LENGTH = {**dict.fromkeys(range(13, 20), "CREDIT_CARD"), 9: "SSN", 7: "PHONE_NUMBER", 10: "PHONE_NUMBER"}


class Run(NamedTuple):
    """Numbers that follow one another: a telephone number is ten of them."""

    numbers: tuple[Number, ...]

    @property
    def words(self) -> Span:
        """Which words, half-open."""
        return Span(self.numbers[0].words.start, self.numbers[-1].words.end)

    @property
    def digits(self) -> str:
        return "".join(number.digits for number in self.numbers)


def detect(words: Words) -> tuple[Entity, ...]:
    """The entities among words, in order, none over another."""
    said = [bare(word) for word in words]
    found: list[Entity] = []
    taken: set[int] = set()
    for label, span in _candidates(words, said):
        places = range(*span)
        if not taken.intersection(places):
            taken.update(places)
            found.append(_entity(label, words[span.start : span.end], span))
    return tuple(sorted(found, key=lambda entity: entity.words))


def runs(words: Sequence[Word]) -> list[Run]:
    """The numbers among words, with those that follow one another together."""
    found: list[Run] = []
    for number in read_numbers(words):
        if found and found[-1].words.end == number.words.start and "." not in mark(words[number.words.start - 1]):
            found[-1] = Run((*found[-1].numbers, number))
        else:
            found.append(Run((number,)))
    return found


def _candidates(words: Words, said: list[str]) -> Iterator[tuple[str, Span]]:
    """Each kind with its words; what comes first is believed where two are over the same word."""
    yield from _addresses(said)
    yield from _dates(words, said)
    numbers = runs(words)
    for run in numbers:
        yield from _measured(run, said)
    for run in numbers:
        if label := _named(run, said):
            yield label, run.words
    yield from _names(words, said)


def _addresses(said: list[str]) -> Iterator[tuple[str, Span]]:
    """`john at example dot com`, `www dot example dot com`, and either as it is written."""
    for place, word in enumerate(said):
        if re.fullmatch(r"[\w.+-]+@[\w-]+(\.[\w-]+)+", word):
            yield "EMAIL_ADDRESS", Span(place, place + 1)
        elif word == "at" and place and (end := _host(said, place + 1)):
            start = place - 1
            while start >= 2 and said[start - 1] == "dot":
                start -= 2
            yield "EMAIL_ADDRESS", Span(start, end)
    for place, word in enumerate(said):
        if re.fullmatch(r"(https?://|www\.)\S+|[\w-]+\.(com|org|net)", word):
            yield "URL", Span(place, place + 1)
        elif end := _host(said, place):
            yield "URL", Span(place, end)


def _host(said: list[str], at: int) -> int | None:
    """Where a name such as `example dot com` ends that begins there."""
    end = at + 1
    while end + 1 < len(said) and said[end] == "dot":
        end += 2
    return end if end > at + 1 and said[end - 1] in _TOP else None


def _dates(words: Words, said: list[str]) -> Iterator[tuple[str, Span]]:
    for place, word in enumerate(said):
        if word in _MONTHS and (word not in ("may", "march") or _is_meant(said, place)):
            end = place + 1 + _is_day(said, place + 1)
            following = read_numbers(words[end : end + _YEAR])
            if following and following[0].words.start == 0 and len(following[0].digits) == 4:
                end += following[0].words.end
            yield _date(said, place), Span(place, end)
        elif word in _DAYS or word in ("today", "tomorrow", "yesterday"):
            yield "DATE", Span(place, place + 1)


def _is_meant(said: list[str], place: int) -> bool:
    """Whether a word that may be something else is a month there."""
    return _is_day(said, place + 1) > 0 or (
        place > 0 and said[place - 1] in ("in", "of", "this", "last", "next", "for")
    )


def _is_day(said: list[str], place: int) -> int:
    """How many words a day of the month takes that is said there; 0: none is."""
    for length in (2, 1):
        part = said[place : place + length]
        if len(part) < length:
            continue
        if length == 1 and (day := ordinal(part[0])) is not None:
            return int(1 <= day <= 31)
        numbers = read_numbers([_plain(word) for word in part])
        if len(numbers) == 1 and numbers[0].words == (0, length) and 1 <= int(numbers[0].digits) <= 31:
            return length
    return 0


def _plain(text: str) -> Word:
    return Word(text, text, Span(0, 0), 1.0)


def _date(said: list[str], place: int) -> str:
    return "DOB" if re.search(r"\b(birth|birthday|born)\b", " ".join(said[max(0, place - _BEFORE) : place])) else "DATE"


def _measured(run: Run, said: list[str]) -> Iterator[tuple[str, Span]]:
    """A number with what it counts behind it."""
    last = run.numbers[-1]
    following = said[last.words.end : last.words.end + 2]
    unit = following[0] if following else ""
    if unit in _MONEY:
        yield "MONEY", Span(last.words.start, last.words.end + 1)
    elif following == ["years", "old"]:
        yield "AGE", Span(last.words.start, last.words.end + 2)
    elif unit in ("percent", "%"):
        yield "PERCENT", Span(last.words.start, last.words.end + 1)
    elif unit in ("o'clock", "am", "pm", "a.m", "p.m") or following in (["a", "m"], ["p", "m"]):
        yield "TIME", Span(run.words.start, last.words.end + (2 if following in (["a", "m"], ["p", "m"]) else 1))
    elif unit in _TIMES:
        yield "DURATION", Span(last.words.start, last.words.end + 1)


def _named(run: Run, said: list[str]) -> str | None:
    """What a number is, by the words before it and by its length."""
    count = len(run.digits)
    before = " ".join(said[max(0, run.words.start - _BEFORE) : run.words.start])
    if count >= 13:
        return _BY_LENGTH.get(count, "CARDINAL")
    nearest = -1
    label = None
    for kind, pattern, counts in _SAID_BEFORE:
        places = [match.end() for match in re.finditer(rf"\b({pattern})\b", before)]
        if places and count in counts and places[-1] > nearest:
            nearest, label = places[-1], kind
    if label:
        return label
    if [said[place] for place in range(*run.words)] == ["one"]:
        return None
    if count == 11 and run.digits[0] == "1":
        return "PHONE_NUMBER"
    return _BY_LENGTH.get(count, "CARDINAL")


def _names(words: Words, said: list[str]) -> Iterator[tuple[str, Span]]:
    """Who says who they are: `this is Laura Miller`, `Daniel speaking`."""
    for place in range(len(said)):
        for opening in _INTRODUCED:
            if tuple(said[place : place + len(opening)]) == opening:
                start = place + len(opening)
                if end := _capitals(words, said, start):
                    yield "NAME", Span(start, end)
        if said[place] == "speaking" and place and _is_capital(words[place - 1], said[place - 1]):
            yield "NAME", Span(place - 1, place)


def _capitals(words: Words, said: list[str], start: int) -> int | None:
    """Where up to three words with capitals end that begin there; a mark ends them too."""
    end = start
    while end < min(start + 3, len(words)) and _is_capital(words[end], said[end]):
        end += 1
        if mark(words[end - 1]):
            break
    return end if end > start else None


def _is_capital(word: Word, said: str) -> bool:
    return word.text[:1].isupper() and said.isalpha() and said != "i" and said not in _MONTHS | _DAYS


def _entity(label: str, words: Words, span: Span) -> Entity:
    raw = joined(bare(word) for word in words)
    return Entity(label, _value(label, words), raw, confidence(words), span)


def _value(label: str, words: Words) -> str:
    """As it is written."""
    if label in ("EMAIL_ADDRESS", "URL"):
        return "".join({"dot": ".", "at": "@"}.get(bare(word), bare(word)) for word in words)
    written = [word.text.rstrip(MARKS) for word in write_numerals(words)]
    together = label in ("CREDIT_CARD", "SSN", "PHONE_NUMBER", "CVV", "LOCATION_ZIP", "ACCOUNT_NUMBER")
    return "".join(written) if together else joined(written)
