"""What the carrier really delivered of a call, as the player saw it: streams, and what of them cannot have arrived.

Pure. Times are seconds since the call's first frame was due, the clock that the words are written on; the oracle finds
out where the bridge's own clock puts them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Literal, NamedTuple

from tests.chaos.speech import Word

UNFLUSHED = 0.5
"""Seconds of audio before a kill -9 that need not have reached the disk, of a bridge that keeps up."""

MOMENT = 0.1
"""Seconds by which the player's clock and the bridge's reading of the socket may differ."""


class Span(NamedTuple):
    start: float
    end: float

    def touches(self, start: float, end: float) -> bool:
        """Whether they share more than an edge."""
        return start < self.end and self.start < end


class Kill(NamedTuple):
    at: float
    lag: float = 0.0
    """How long the bridge took to answer then, in seconds: so far it was behind with the audio, too."""

    @property
    def unflushed(self) -> Span:
        """What need not have reached the disk."""
        return Span(self.at - UNFLUSHED - self.lag, self.at + MOMENT)


@dataclass(slots=True)
class Leg:
    """One stream, from its first frame to its last."""

    stream_id: str
    start: float
    """Where the earliest frame that was sent begins."""
    end: float
    """Where the last frame that was sent ends."""
    cause: Literal["stopped", "cut", "killed", "closed"] = "killed"
    """`cut` by the carrier, `closed` by the bridge."""
    lag: float = 0.0
    """How late its first frame may have been written, and read, in seconds."""
    lost: tuple[list[Span], list[Span]] = field(default_factory=lambda: ([], []))
    """Frames within it that were never sent, by channel, in order."""


@dataclass(slots=True)
class Spoken:
    """A call that has been played."""

    call_id: str
    words: tuple[Word, ...]
    late: float = 0.0
    """When outbound began."""
    legs: list[Leg] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    stopped: float | None = None
    """When the bridge got SIGTERM."""

    def away(self) -> Iterator[Span]:
        """When there was no stream; the first and the last have no end."""
        end = -inf
        for leg in self.legs:
            yield Span(end, leg.start)
            end = leg.end
        yield Span(end, inf)

    def doubts(self, channel: int) -> list[Span]:
        """Where audio of a channel may be missing from the record."""
        spans = [*self.away(), *(kill.unflushed for kill in self.kills)]
        spans += [span for leg in self.legs for span in leg.lost[channel]]
        if self.stopped is not None:
            spans.append(Span(self.stopped - MOMENT, inf))
        return spans

    def heard_until(self, leg: Leg, moment: float) -> float:
        """Where the last frame before a moment of a stream ends, of either track."""
        silences = leg.lost[0], [Span(0.0, self.late), *leg.lost[1]]
        ends = [next((s.start for s in spans if s.start < moment <= s.end), moment) for spans in silences]
        return max(leg.start, *ends)
