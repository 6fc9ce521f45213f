"""What a moment of one socket's audio means in the call.

Deepgram counts the audio it was sent on this socket, from 0. That begins somewhere in the call, and where kept audio
turns out to be gone, what was sent goes on behind the hole: from there on every time means a later moment.
"""

from bisect import bisect_left, bisect_right

from bridge.audio import SAMPLE_RATE


class Timeline:
    """Positions are samples of the call; times that come in are seconds of the socket's audio."""

    def __init__(self, position: int) -> None:
        self.sent = 0
        """Samples sent on this socket."""
        self._begins = [0.0]  # seconds of the socket at which a stretch begins
        self._shifts = [position]  # what to add to a position within it

    def advance(self, samples: int) -> None:
        """So much audio has gone out."""
        self.sent += samples

    def skip_to(self, position: int) -> None:
        """What goes out next is from `position` on."""
        begin, shift = self.sent / SAMPLE_RATE, position - self.sent
        if begin == self._begins[-1]:
            self._shifts[-1] = shift
        else:
            self._begins.append(begin)
            self._shifts.append(shift)

    def start(self, seconds: float) -> float:
        """Seconds of the call at which something begins."""
        return seconds + self._shifts[bisect_right(self._begins, seconds) - 1] / SAMPLE_RATE

    def end(self, seconds: float) -> float:
        """Seconds of the call at which something ends: at the seam of two stretches, in the earlier one."""
        return seconds + self._shifts[max(0, bisect_left(self._begins, seconds) - 1)] / SAMPLE_RATE
