"""How far what a recognizer says lags behind the audio it has been sent, measured as Deepgram measures it.

The latency of an interim is the audio sent so far less the end of the audio that it covers, both on the socket's own
clock; of two channels, each interim is measured against its own. Finals are not measured: they may end early, and would
say that nothing had been heard since. Audio that is sent again after a reconnect, faster than it was spoken, lags like
any other. Fixed memory; an interim costs a search among some hundred numbers.

Source: https://developers.deepgram.com/docs/measuring-streaming-latency
"""

from array import array
from bisect import bisect_left
from itertools import accumulate

from bridge.audio import SAMPLE_RATE

_STEPS = ((0.01, 0.5), (0.025, 1.0), (0.05, 3.0), (0.1, 5.0), (0.25, 10.0), (5.0, 60.0))
"""Seconds from one edge to the next, up to which latency: a twentieth of it or finer, but for the very short ones."""

EDGES: tuple[int, ...] = tuple(
    round(SAMPLE_RATE * step * number)
    for (_, begin), (step, end) in zip(((0.0, 0.0), *_STEPS), _STEPS, strict=False)
    for number in range(round(begin / step) + 1, round(end / step) + 1)
)
"""Where the buckets end, in samples; the last bucket has no end."""

BUCKETS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Those of the histogram, in seconds; each is an edge."""

_PLACES = tuple(EDGES.index(round(SAMPLE_RATE * end)) for end in BUCKETS)


class LatencyMeter:
    """What was measured, of one call or of several."""

    __slots__ = ("_counts", "_whole", "longest", "measured", "total")

    def __init__(self, whole: "LatencyMeter | None" = None) -> None:
        """`whole`: measures all that this one does, and more."""
        self.measured = 0
        """Interims."""
        self.total = 0
        """Samples, of all of them."""
        self.longest = 0
        """Samples."""
        self._counts = array("Q", bytes(8 * (len(EDGES) + 1)))
        self._whole = whole

    def __repr__(self) -> str:
        return f"<LatencyMeter {self.measured} measured, longest {self.longest}>"

    def add(self, sent: int, covered: int) -> None:
        """An interim: how many samples had been sent, and where those end that it covers."""
        late = max(0, sent - covered)
        bucket = bisect_left(EDGES, late)
        self._count(late, bucket)
        if self._whole:
            self._whole._count(late, bucket)

    def within(self, share: float) -> int:
        """Samples within which this share of the interims came, 0 to 1; to the next edge. 0 if none was measured."""
        reached = accumulate(self._counts)
        bucket = next(place for place, count in enumerate(reached) if count >= share * self.measured)
        return min(self.longest, EDGES[bucket]) if bucket < len(EDGES) else self.longest

    @property
    def histogram(self) -> list[tuple[float, int]]:
        """How many came within so many seconds, of all `BUCKETS`."""
        reached = list(accumulate(self._counts))
        return [(end, reached[place]) for end, place in zip(BUCKETS, _PLACES, strict=True)]

    def _count(self, late: int, bucket: int) -> None:
        self.measured += 1
        self.total += late
        self._counts[bucket] += 1
        if late > self.longest:
            self.longest = late
