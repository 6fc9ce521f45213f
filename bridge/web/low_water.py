"""How much of a stream must have come before it is read: what the next chunk of audio still lacks of it.

The kernel counts the octets that come, and wakes the process when there are as many as its low-water mark says. So the
process is woken once a chunk, by the frame that completes it, and not by every frame; no audio waits for it. A machine:
it says what the mark is to be, and `wakeups` sets it.

A mark that is half a frame low is reached by the right frame, as the lengths of frames differ by a digit or two. Some
senders hold a frame back until the one before is acknowledged (Nagle's algorithm), which the kernel delays while it is
not read. So the mark is tried first: where the frames that complete chunks come late by it, there is none. That may
have been this process, which was busy: it is tried again later, and less and less often.
"""

from collections.abc import Sequence

from bridge.audio import SAMPLE_RATE
from bridge.carriers.messages import Media

_KNOWN = 24  # reads after which it is known how late they come without a mark
_TRIED = 24  # reads with a mark after which it is known how late they come with it
_REST = 1000  # reads without a mark after a try that has failed, ten seconds of a call; then more and more
_LONGER = 4  # times as many after the next
_LATER = 0.003  # seconds of delay by which the mark gives itself away
_LATE = 0.03  # seconds that a chunk may be late before what there is of it is read
_NEAR = 32  # octets by which a mark may be off: setting it costs a system call
_NEWER = 1 / 8  # how much a read counts in the length of a frame


class LowWater:
    """Of one socket."""

    __slots__ = (
        "_delay",
        "_frame",
        "_lacking",
        "_left",
        "_reads",
        "_rest",
        "_resting",
        "_tracks",
        "_without",
        "mark",
        "patience",
    )

    def __init__(self) -> None:
        self.mark = 1
        """Octets; 1: read what comes."""
        self.patience = 0.0
        """Seconds after a read when less than the mark is to be read, too."""
        self._lacking = 0  # frames, when the mark was set
        self._frame = 0.0  # octets of one, on the wire
        self._tracks: set[str] = set()
        self._reads = 0  # without a mark
        self._without: dict[str, float] = {}  # by track, how late its frames are without a mark, on average
        self._delay = 0.0  # seconds by which those that complete chunks are later with it, added up
        self._left = _TRIED
        self._rest = _REST  # after the next try that fails
        self._resting = 0  # reads that are left of a rest

    def __repr__(self) -> str:
        return f"<LowWater {'off' if self._resting else self.mark}>"

    def read(self, octets: int, frames: Sequence[Media], lacking: int, now: float) -> None:
        """A read of so many octets has brought these frames, and nothing else. `lacking`: frames that complete the next
        chunk of audio; 0: something else is waited for.
        """
        length = octets / len(frames)
        trying = self._resting or self._left
        if lacking == self._lacking and self.mark > 1 and not trying and abs(length - self._frame) < 1:
            return  # nothing has changed, as nearly always
        self._frame = length if not self._frame else self._frame + (length - self._frame) * _NEWER
        if self._resting:
            self._resting -= 1
        elif self._left:
            self._judge(frames, now)
        self._lacking = lacking
        if lacking < 2 or self._resting or self._reads < _KNOWN:
            self.mark = 1
            return
        mark = round((lacking - 0.5) * self._frame)
        if abs(mark - self.mark) > _NEAR:
            self.mark = mark
        each = len(frames[-1].payload) / SAMPLE_RATE
        self.patience = -(-lacking // len(self._tracks)) * each + _LATE

    def give_up(self) -> None:
        """What there is, is to be read."""
        self.mark = 1

    def _judge(self, frames: Sequence[Media], now: float) -> None:
        """Whether the mark delays what it is to wake for: the frame that completes a chunk, on its stream's clock."""
        self._tracks.update(frame.track for frame in frames)
        if self.mark == 1:
            track, delay = frames[-1].track, now - frames[-1].at / 1000
            self._reads += 1
            before = self._without.get(track, delay)
            self._without[track] = before + (delay - before) / self._reads
            return
        self._left -= 1
        if len(frames) < self._lacking:
            self._delay += _LATE  # it did not come in time at all
        else:
            completing = frames[self._lacking - 1]
            delay = now - completing.at / 1000
            self._delay += delay - self._without.get(completing.track, delay)
        if not self._left and self._delay > _LATER * _TRIED:
            self._give_way()

    def _give_way(self) -> None:
        """Do without for a while, then learn and try again."""
        self._resting, self._rest = self._rest, self._rest * _LONGER
        self._reads, self._left, self._delay = 0, _TRIED, 0.0
        self._without.clear()
