"""Which stretches of kept audio to ask Deepgram for at once: not too long, and not cut within a word.

Positions are samples of the call. Pure: what is kept where, and what asks for it, is known elsewhere.
"""

from collections.abc import Iterable
from typing import NamedTuple

from bridge.audio import SAMPLE_RATE, SAMPLES_PER_MS, TELEPHONE, AudioFormat
from bridge.call import describe
from bridge.events import TRACKS, Stretch
from bridge.spans import SpanSet

LONGEST = 600 * SAMPLE_RATE
"""Samples in one request: ten minutes, 9.6 MB."""

SHORTEST = 10 * SAMPLE_RATE
"""Samples in one request, where longer ones are refused as too large: if this is, so is everything."""

_QUIET = 200 * SAMPLES_PER_MS  # a pause between words
_SEARCH = 20 * SAMPLE_RATE  # how far before the limit a pause is looked for


class Piece(NamedTuple):
    """Audio that some track lacks, and what of it each track lacks."""

    start: int
    end: int
    lacking: tuple[SpanSet, ...]


def pieces(uncovered: Iterable[Stretch]) -> list[Piece]:
    """What to transcribe, in order: stretches that touch or overlap become one, whatever their tracks."""
    lacking = describe.spans(uncovered)
    found = SpanSet(span for spans in lacking.values() for span in spans)
    return [Piece(*span, tuple(SpanSet(lacking[track].common(*span)) for track in TRACKS)) for span in found]


def half(audio: bytes, format: AudioFormat = TELEPHONE) -> bytes:
    """About half of a piece that was too large, cut as any other; nothing if that would be too little."""
    samples = len(audio) // format.block // 2
    if samples < SHORTEST:
        return b""
    first = audio[: samples * format.block]
    return first[: cut(first, format) * format.block]


def cut(audio: bytes, format: AudioFormat = TELEPHONE) -> int:
    """How many samples of a piece to ask for, where more follows: up to the last pause near its end, or all of it."""
    length = len(audio) // format.block
    for end in range(length, max(length // 2, length - _SEARCH), -_QUIET):
        if not format.is_audible(audio[max(0, end - _QUIET) * format.block : end * format.block]):
            return end - _QUIET // 2
    return length
