"""How often something took how long: counts between fixed edges, cheap enough for what every chunk of audio does.

`/metrics` reads the counts at each scrape. A thread may add while another reads: a sum may then lack the newest.
"""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

MOMENTS = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds, for what is promised within 20 ms and should never take half a minute."""

WAITS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 86_400.0, 259_200.0)
"""Seconds, for what is done at once on a good day, and after three days on a bad one."""

TRIES = (1, 2, 3, 4, 5, 7, 10, 13)
"""Attempts."""


class Histogram:
    """Of values that are not negative; the last bucket has no end."""

    __slots__ = ("_counts", "_edges", "total")

    def __init__(self, edges: Sequence[float]) -> None:
        """`edges`: where the buckets end, ascending; a value on an edge is below it."""
        self.total = 0.0
        """Of all values."""
        self._edges = tuple(edges)
        self._counts = array("Q", bytes(8 * (len(edges) + 1)))

    def __repr__(self) -> str:
        return f"<Histogram {self.measured} measured, {self.total:.6g} in all>"

    @property
    def measured(self) -> int:
        """How many there were."""
        return sum(self._counts)

    @property
    def buckets(self) -> list[tuple[str, float]]:
        """How many were at most so much, with the last, of all, under `+Inf`: as Prometheus has them."""
        ends = [*map(str, map(float, self._edges)), "+Inf"]
        return list(zip(ends, map(float, accumulate(self._counts)), strict=True))

    def add(self, value: float) -> None:
        """One more; less than nothing, as a clock that was set tells it, counts as nothing."""
        if value < 0:
            value = 0.0
        self._counts[bisect_left(self._edges, value)] += 1
        self.total += value
