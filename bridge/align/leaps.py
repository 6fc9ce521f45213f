"""How far the timestamps of a call may run ahead of its audio: by some seconds, and by no more than time has passed.

A carrier that sends none while it is quiet, or loses some, leaps as far as that took. Timestamps that leap farther ask
for silence that was never waited for: hours of it, from a handful of messages.
"""

from math import inf

from bridge.audio import SAMPLE_RATE


class Leaps:
    """All streams of a call together. Positions are samples; before time is told every leap is believed."""

    def __init__(self, slack: int) -> None:
        """`slack`: samples that may be leapt at once: a frame may come later than it was sent."""
        self._left: float = inf
        self._slack = slack
        self._at: float  # when time was told last

    def pass_time(self, now: float) -> None:
        """Time has come to `now`, in seconds."""
        if self._left == inf:
            self._left, self._at = self._slack, now
        self._left += max(0.0, now - self._at) * SAMPLE_RATE
        self._at = max(self._at, now)

    def farthest(self, end: int) -> float:
        """The farthest position of a frame that comes now, where the audio ends at `end`."""
        return end + max(0.0, self._left)

    def take(self, samples: int) -> None:
        """A timestamp that was believed has leapt so far."""
        self._left -= max(0, samples)
