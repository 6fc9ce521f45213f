"""The silence we had to invent, told as a few records: a stretch of random loss is one record a second, not fifty.

Pure bookkeeping: whether something is a gap, and why, is the track's business.
"""

from dataclasses import dataclass

from bridge.audio import SAMPLE_RATE
from bridge.events import Cause, Track
from bridge.spans import Span

CAUSES: tuple[Cause, ...] = ("not_sent", "late", "lost")
"""Why audio is missing, the gravest last: the carrier sent none, it came too late, it got lost on the way."""

MERGE = SAMPLE_RATE
"""Samples. Gaps closer than this become one record, and a record that has grown this long is closed."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Silence in the output that stands for audio of a started track, in samples of the call."""

    track: Track
    span: Span
    missing: int
    """Samples of silence in it; fewer than it is long where several gaps lie close."""
    why: Cause
    """The gravest of `CAUSES` among the gaps of this record, or what `Aligner.open_stream` was given."""


class Gaps:
    """The gaps of one track, merged. Positions are samples of the call."""

    def __init__(self, track: Track, told: list[Gap]) -> None:
        """`told` receives the finished records."""
        self._track = track
        self._told = told
        self._start = self._end = self._missing = 0
        self._why: Cause = "not_sent"

    def add(self, start: int, end: int, why: Cause) -> None:
        """Note a gap; it begins where or after the last one ended."""
        if self._missing and start - self._end < MERGE and why in CAUSES and self._why in CAUSES:
            self._end = end
            self._missing += end - start
            self._why = max(self._why, why, key=CAUSES.index)
        else:
            self.tell()
            self._start, self._end, self._missing, self._why = start, end, end - start, why
        if self._end - self._start >= MERGE:
            self.tell()

    def reached(self, position: int) -> None:
        """The output has got to `position`: tell what has been whole for long enough."""
        if self._missing and position - self._end >= MERGE:
            self.tell()

    def tell(self) -> None:
        """Tell what there is, finished or not."""
        if self._missing:
            self._told.append(Gap(self._track, Span(self._start, self._end), self._missing, self._why))
            self._missing = 0
