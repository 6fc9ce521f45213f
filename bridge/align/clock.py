"""The carrier's clock: which place in the call a timestamp means, and which timestamps to believe.

A stream's clock starts where it likes, so its earliest frame fixes it; as the first frame to come need not be the
earliest, the first few are kept until the clock has moved. Later on a timestamp far from the newest is kept aside
until two more agree with it: alone it is garbage, together they are a long gap or a new clock.
"""

from collections import Counter
from math import inf
from typing import NamedTuple

from bridge.align.policy import AlignPolicy
from bridge.align.track import Track
from bridge.audio import SAMPLES_PER_MS

STRAYS = 3
"""So many timestamps in a row that agree with each other are believed."""

MAX_OPENING = 256
"""Frames to keep at most before the clock is fixed."""


class Stamped(NamedTuple):
    """A frame as it came."""

    track: Track
    stamp: int
    """Its timestamp, in samples of the stream's clock."""
    sequence: int | None
    payload: bytes


class Clock:
    """The clock of one stream whose earliest frame belongs at `start`."""

    def __init__(self, start: int, policy: AlignPolicy, counters: Counter[str], shift: int | None = None) -> None:
        """`shift`: where that is known already."""
        self.running = shift is not None
        """Whether the earliest frame is known."""
        self.shift = shift or 0
        """What to add to a stamp to get samples of the call, once the clock runs."""
        self.newest = start
        """The newest timestamp, in samples of the call."""
        self.start_position = start
        """Where the earliest frame belongs, in samples of the call."""
        self._counters = counters
        self._hold = policy.hold_ms * SAMPLES_PER_MS
        self._idle = policy.idle_ms * SAMPLES_PER_MS
        self._stray = policy.stray_ms * SAMPLES_PER_MS
        self._reset = policy.reset_ms * SAMPLES_PER_MS
        self._opening: list[Stamped] = []
        self.strays: list[Stamped] = []
        """Frames whose timestamps are not believed yet."""
        self._least: int | None = None
        """Before this the call has gone on without the stream; None: frames have come since."""

    def receive(self, frame: Stamped, received: int, farthest: float = inf) -> list[Stamped]:
        """Take a frame; returns those whose place is known now, in order. `received` is where the call's audio ends,
        `farthest` the last position that can be believed.
        """
        if not self.running:
            self._opening.append(frame)
            return self.start(received, farthest) if self._opening_is_over() else []
        position = frame.stamp + self.shift
        held_back = self._least is not None and position < self._least - self._hold
        if held_back or abs(position - self.newest) > self._stray or position > farthest:
            return self._receive_stray(frame, received, farthest)
        self._least = None
        self.drop_strays()
        return [frame]

    def advance(self, position: int) -> None:
        """The call goes on without the stream up to `position`: what it sends of the time before comes too late for
        its place."""
        self.newest = max(self.newest, position)
        self._least = position

    def start(self, received: int, farthest: float = inf) -> list[Stamped]:
        """Fix the clock by the frames that came so far, if any, and return them in order."""
        frames = sorted(self._opening, key=lambda frame: (frame.stamp, frame.sequence or 0))
        if not frames:
            return []
        self._opening.clear()
        self.shift = self.start_position - frames[0].stamp
        self.running = True
        # One of them may be garbage and look like the start, or be far from it.
        return [known for frame in frames for known in self.receive(frame, received, farthest)]

    def _opening_is_over(self) -> bool:
        stamps = [frame.stamp for frame in self._opening]
        return max(stamps) - min(stamps) >= self._hold or len(stamps) >= MAX_OPENING

    def drop_strays(self) -> None:
        """Nothing came that agrees with them."""
        if self.strays:
            self._counters["stray"] += len(self.strays)
            self.strays.clear()

    def _receive_stray(self, frame: Stamped, received: int, farthest: float) -> list[Stamped]:
        if self.strays and abs(frame.stamp - self.strays[-1].stamp) > self._idle:
            self.drop_strays()
        self.strays.append(frame)
        if len(self.strays) < STRAYS:
            return []
        believed = self.strays.copy()
        self.strays.clear()
        leap = believed[0].stamp + self.shift - self.newest
        if not 0 < leap <= self._reset or max(frame.stamp for frame in believed) + self.shift > farthest:
            self._set(believed, received)
        self._least = None
        # On the new clock, too, some of them may be farther apart than there was time for.
        known = [frame for frame in believed if frame.stamp + self.shift <= farthest]
        if len(known) < len(believed):
            self._counters["stray"] += len(believed) - len(known)
        return known

    def _set(self, believed: list[Stamped], received: int) -> None:
        """The carrier set its clock again: the audio goes on where it was, without a gap and without a loss."""
        self._counters["resets"] += 1
        first: dict[Track, int] = {}
        for frame in believed:
            if self.newest - frame.track.heard <= self._idle:
                frame.track.give_up(inf, self.newest)
                first.setdefault(frame.track, frame.stamp)
        # What is first of a track that was speaking just now continues it. The two may disagree by a frame: no
        # audio may land where there is some already, so the later place counts.
        places = [track.next - stamp for track, stamp in first.items()]
        self.shift = max(places) if places else received - min(frame.stamp for frame in believed)
