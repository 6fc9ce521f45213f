"""Deepgram's words and numbers, read field by field: one odd field costs itself, never its neighbours.

Shared by the live messages and by the answers of the pre-recorded API. Seconds come in; samples go out.
Source: https://developers.deepgram.com/reference/speech-to-text/listen-streaming
"""

from dataclasses import dataclass
from itertools import pairwise
from math import isfinite

from bridge.audio import samples
from bridge.recognition import Word
from bridge.spans import Span

LARGEST = 1e9
"""Seconds; no call is that long."""

ASTRAY = 1.0
"""Seconds by which a word may lie outside of its result; more is an odd time."""


@dataclass(slots=True)
class Oddities:
    """What could not be read of one message."""

    words: int = 0
    """Words with a field that could not be used."""
    fields: int = 0
    """Fields beside the words that could not be used."""


def number(value: object) -> float | None:
    """A finite number within reason; None for anything else. Python's JSON knows NaN and Infinity."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if isfinite(found) and abs(found) <= LARGEST else None


def moment(value: object) -> float | None:
    """Seconds from the start of the audio; None for what is no moment of it. -1 has been seen on the live service."""
    found = number(value)
    return found if found is not None and found >= 0 else None


def share(value: object) -> float | None:
    """A confidence, 0 to 1."""
    found = number(value)
    return None if found is None else min(1.0, max(0.0, found))


def clean(value: object) -> str:
    """A string that can be written: half a surrogate pair, which JSON may spell out, cannot. Empty for no string."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def channel(value: object) -> int | None:
    """`[channel, of how many]`: the channel, from 0."""
    index = value[0] if isinstance(value, list) and value else None
    return int(index) if isinstance(index, int) and not isinstance(index, bool) and index >= 0 else None


def languages(value: object, odd: Oddities) -> tuple[str, ...]:
    """Tags, the most frequent first; comes with `language=multi` only."""
    if value is None:
        return ()
    tags = value if isinstance(value, list) else [value]
    found = tuple(tag for tag in map(clean, tags) if tag)
    odd.fields += len(found) < len(tags)
    return found


def read_words(value: object, within: tuple[float, float] | None, confidence: float, odd: Oddities) -> tuple[Word, ...]:
    """The words of a result.

    A word without text of any kind is left out; the result's own text has it still. A time that cannot be right takes
    its place between its neighbours. `within`: the result's seconds, where it tells them. `confidence`: the result's,
    for words that lack their own.
    """
    if not isinstance(value, list):
        odd.words += value is not None
        return ()
    read = [word for raw in value if (word := _Draft.read(raw, within, confidence, odd))]
    if not read:
        return ()
    times = _filled([time for word in read for time in (word.start, word.end)], within)
    found = []
    for word, start, end in zip(read, times[::2], times[1::2], strict=True):
        span = Span(samples(start), samples(max(start, end)))
        found.append(Word(word.bare, word.text, span, word.confidence, word.speaker, word.language))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A word whose times may still be missing."""

    bare: str
    text: str
    start: float | None
    end: float | None
    confidence: float
    speaker: int | None
    language: str | None

    @classmethod
    def read(cls, raw: object, within: tuple[float, float] | None, confidence: float, odd: Oddities) -> "_Draft | None":
        """None where there is no text."""
        fields = raw if isinstance(raw, dict) else {}
        bare, written = _text(fields.get("word")), _text(fields.get("punctuated_word"))
        start, end = _time(fields.get("start"), within), _time(fields.get("end"), within)
        if start is not None and end is not None and end < start:
            end = None  # of the two the start is right more often: -1 has been seen in `end`
        own = share(fields.get("confidence"))
        speaker = number(fields.get("speaker"))
        language = fields.get("language")
        well = (
            clean(fields.get("word")) != ""
            and None not in (start, end)
            and (own is not None or "confidence" not in fields)
            and (speaker is not None or fields.get("speaker") is None)
            and (language is None or isinstance(language, str))
        )
        odd.words += not well
        if not (bare or written):
            return None
        return cls(
            bare or written,
            written or bare,
            start,
            end,
            own if own is not None else (confidence if fields.get("confidence") is not None else 0.0),
            int(speaker) if speaker is not None and speaker >= 0 else None,
            clean(language) or None,
        )


def _text(value: object) -> str:
    """A word may be a number, where numerals are written by a careless server."""
    return clean(value) if isinstance(value, str) or number(value) is None else str(value)


def _time(value: object, within: tuple[float, float] | None) -> float | None:
    found = moment(value)
    if found is None or (within and not within[0] - ASTRAY <= found <= within[1] + ASTRAY):
        return None
    return found


def _filled(times: list[float | None], within: tuple[float, float] | None) -> list[float]:
    """Times that are missing, spread evenly between those before and after; the result's edges stand at both ends."""
    known = [time for time in times if time is not None]
    first, last = within or (min(known, default=0.0), max(known, default=0.0))
    points: list[tuple[int, float]] = [(-1, first)]
    points += [(index, time) for index, time in enumerate(times) if time is not None]
    points.append((len(times), last))
    filled = [0.0 if time is None else time for time in times]
    for (left, start), (right, end) in pairwise(points):
        for index in range(left + 1, right):
            filled[index] = start + (max(start, end) - start) * (index - left) / (right - left)
    return filled
