"""What the carrier really delivered of a call, as the player saw it: streams, and what of them cannot have arrived.

Pure. Times are seconds since the call's first frame was due, the clock that the words are written on; the oracle finds
out where the bridge's own clock puts them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Literal, NamedTuple

from tests.chaos.speech import Word

UNFLUSHED = 0.5
"""Seconds of audio before a kill -9 that need not have reached the disk, of a bridge that keeps up."""

MOMENT = 0.1
"""Seconds by which the player's clock and the bridge's reading of the socket may differ."""

APART = 1.0
"""Seconds for which a track that has a stream of its own may be waited for, before its audio is written."""

SHARED = 0.3
"""Seconds that two streams must have in common for their clocks to be told apart by what they carry."""

RELEASE = 0.3
"""Seconds of audio that a stopping bridge may not have kept before it closed the socket."""


class Span(NamedTuple):
    start: float
    end: float

    def touches(self, start: float, end: float) -> bool:
        """Whether they share more than an edge."""
        return start < self.end and self.start < end


def covered(span: Span, others: Sequence[Span]) -> float:
    """Seconds of a span that the others cover together."""
    seconds, at = 0.0, span.start
    for other in sorted(others):
        begin, end = max(at, other.start), min(span.end, other.end)
        if begin < end:
            seconds, at = seconds + end - begin, end
    return seconds


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
    channels: tuple[int, ...] = (0, 1)
    """Those that it carries."""
    since: float | None = None
    """When it was there, if that is known: it may have sent nothing for a while."""
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
    restarts: list[Span] = field(default_factory=list)
    """From each SIGTERM to the process's end."""
    full: list[Span] = field(default_factory=list)
    """When nothing could be written to the disk."""
    stopped: float | None = None
    """When the bridge got its last SIGTERM."""
    keeps: bool = True
    """SIGTERM leaves calls open for the next process."""
    in_order: bool = True
    """Deepgram sends the finals of a channel in their order."""

    def carry(self, channel: int) -> list[Leg]:
        """The streams that carry a channel, in the order of their beginnings."""
        return sorted((leg for leg in self.legs if channel in leg.channels and not self.refused(leg)), key=_start)

    @property
    def closed(self) -> list[Leg]:
        """The streams that a stopping bridge has closed."""
        return [leg for leg in self.legs if leg.cause == "closed"]

    def streaming(self, leg: Leg) -> bool:
        """Whether another stream was there when one sent its first frame; it may have sent nothing yet."""
        return any(
            (one.start if one.since is None else one.since) - MOMENT <= leg.start < one.end + MOMENT
            for one in self.legs
            if one is not leg and not self.refused(one)
        )

    def refused(self, leg: Leg) -> bool:
        """Whether a stream came to a bridge that was about to stop."""
        return leg.cause == "closed" and any(span.start - MOMENT < leg.start < span.end for span in self.restarts)

    def away(self, channel: int) -> Iterator[Span]:
        """When there was no stream of a channel; the first and the last have no end."""
        end = -inf
        for leg in self.carry(channel):
            if leg.start > end:
                yield Span(end, leg.start)
            end = max(end, leg.end)
        yield Span(end, inf)

    def in_step(self, one: Leg, other: Leg) -> bool:
        """Whether two streams shared a sound, so that the bridge knows how their clocks are apart."""
        begin, end = max(one.start, other.start) + SHARED, min(one.end, other.end) - SHARED
        both = set(one.channels) & set(other.channels)
        return any(
            word.channel in both and min(word.end, end) - max(word.start, begin) > MOMENT
            for word in self.words
            if not any(span.touches(word.start, word.end) for span in one.lost[word.channel])
        )

    def released(self, leg: Leg) -> Span:
        """What the bridge need not have kept of a stream that it closed."""
        since = min((s.start for s in self.restarts if s.start - MOMENT < leg.end < s.end + 1.0), default=leg.end)
        return Span(max(since, leg.end - RELEASE) if self.keeps else since - MOMENT, leg.end + MOMENT)

    def handed_back(self) -> list[Span]:
        """Around each SIGTERM: a word that is said then is heard in two parts, one live and one later."""
        moments = [span.start for span in self.restarts] + ([] if self.stopped is None else [self.stopped])
        return [Span(moment - MOMENT, moment + 2 * MOMENT) for moment in moments if self.keeps]

    def unkept(self) -> list[Span]:
        """What is on no disk: where Deepgram did not hear it either, it is lost, and told."""
        return [Span(span.start - UNFLUSHED - APART, span.end + UNFLUSHED) for span in self.full]

    def _handed_over(self, channel: int) -> Iterator[Span]:
        """Where one stream took another's place by the clock alone."""
        legs = self.carry(channel)
        for one in legs:
            for other in legs:
                if other is not one and other.start < one.end < other.end and not self.in_step(one, other):
                    around = SHARED + one.lag + other.lag
                    yield Span(one.end - around, one.end + around)

    def doubts(self, channel: int) -> list[Span]:
        """Where audio of a channel may be missing from the record."""
        spans = [*self.away(channel), *(kill.unflushed for kill in self.kills), *self._handed_over(channel)]
        spans += [span for leg in self.legs for span in leg.lost[channel]]
        spans += [*map(self.released, self.closed), *self.handed_back(), *self.unkept()]
        if self.stopped is not None:
            spans.append(Span(self.stopped - MOMENT, inf))
        return spans

    def heard_until(self, leg: Leg, moment: float) -> float:
        """Where the last frame before a moment of a stream ends, of either track."""
        silences = leg.lost[0], [Span(0.0, self.late), *leg.lost[1]]
        ends = [
            next((s.start for s in silences[channel] if s.start < moment <= s.end), moment) for channel in leg.channels
        ]
        return max(leg.start, *ends)


def _start(leg: Leg) -> float:
    return leg.start
