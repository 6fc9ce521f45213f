"""Which stretches of kept audio to ask Deepgram for at once: not too long, and not cut within a word.

Positions are samples of the call. Pure: what is kept where, and who asks, is known elsewhere.
"""

from collections.abc import Iterable
from typing import NamedTuple

from bridge.audio import CHANNELS, SAMPLE_RATE, SAMPLES_PER_MS, is_audible
from bridge.events import TRACKS, Stretch

LONGEST = 600 * SAMPLE_RATE
"""Samples in one request: ten minutes, 9.6 MB."""

_NOTHING = 2**53  # floor of a track that lacks nothing: all its words are behind it

_QUIET = 200 * SAMPLES_PER_MS  # a pause between words
_SEARCH = 20 * SAMPLE_RATE  # how far before the limit a pause is looked for


class Span(NamedTuple):
    """Audio that some track lacks, and where each track's own part of it begins."""

    start: int
    end: int
    floors: tuple[int, ...]


def spans(uncovered: Iterable[Stretch]) -> list[Span]:
    """What to transcribe, in order: stretches that touch or overlap become one, whatever their tracks."""
    found: list[Span] = []
    for stretch in sorted(uncovered, key=lambda stretch: stretch.from_):
        start, end = round(stretch.from_ * SAMPLE_RATE), round(stretch.to * SAMPLE_RATE)
        channel = TRACKS.index(stretch.track)
        if found and start <= found[-1].end:
            last = found.pop()
            floors = list(last.floors)
            floors[channel] = min(floors[channel], start)
            found.append(Span(last.start, max(last.end, end), tuple(floors)))
        else:
            floors = [_NOTHING] * CHANNELS
            floors[channel] = start
            found.append(Span(start, end, tuple(floors)))
    return found


def cut(audio: bytes) -> int:
    """How many samples of a piece to ask for, where more follows: up to the last pause near its end, or all of it."""
    samples = len(audio) // CHANNELS
    for end in range(samples, max(0, samples - _SEARCH), -_QUIET):
        if not is_audible(audio[max(0, end - _QUIET) * CHANNELS : end * CHANNELS]):
            return end - _QUIET // 2
    return samples
