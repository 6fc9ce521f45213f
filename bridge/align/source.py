"""One stream as a source of a call's tracks: its clock, its numbers, and the newest frames of tracks that it shares.

Two streams may carry the same track at the same time, as when a fork came twice. The track is heard from one of them,
its source; the other is a rival, whose newest frames are kept. When the source fails, they go on where its audio ends,
without a gap.

Where a rival's frames belong is first known by the moment at which they came, which may be some frames off. But both
streams carry the same audio, so a frame that both have tells it exactly.
"""

from collections import deque

from bridge.align.clock import Clock
from bridge.align.sequence import Sequence
from bridge.align.track import Frame, Track
from bridge.audio import SAMPLES_PER_MS, SILENCE
from bridge.events import Cause

KEPT = 64
"""Frames of a shared track that are kept: more than a second."""

FARTHEST = 300 * SAMPLES_PER_MS
"""Samples by which the moments at which two streams came may mislead; beyond it, what is alike is another sound."""

AGREED = 2
"""Frames in a row that must tell the same distance: one alone may be a sound that repeats."""

WOBBLE = 4 * SAMPLES_PER_MS
"""Samples by which timestamps of the same audio may differ without a reason; a track allows for them."""

_SHORTEST = 80  # octets of a frame that is compared


class Source:
    """One stream of a call."""

    __slots__ = ("_agreed", "_distance", "clock", "in_step", "recent", "sequence", "why")

    def __init__(self, clock: Clock, why: Cause) -> None:
        """`why`: the cause of the silence before its first frame, where there was audio before."""
        self.clock = clock
        self.why = why
        self.sequence = Sequence()
        self.recent: dict[Track, deque[Frame]] = {}
        """The newest frames of each track that other streams carry too."""
        self.in_step = False
        """Frames that it shares with another stream have told where its own belong."""
        self._distance = 0
        self._agreed = 0

    def keep(self, track: Track, frame: Frame) -> None:
        """Remember a frame of a shared track."""
        self.recent.setdefault(track, deque(maxlen=KEPT)).append(frame)

    def distance(self, track: Track, frame: Frame) -> int | None:
        """By how many samples the clock of another stream is ahead of this one, by a `frame` that both have."""
        if len(frame.payload) < _SHORTEST or not frame.payload.strip(SILENCE):
            return None
        alike = [frame.position - own.position for own in self.recent.get(track, ()) if own.payload == frame.payload]
        nearest = min(alike, key=abs, default=None)  # a sound may repeat
        return None if nearest is None or abs(nearest) > FARTHEST else nearest

    def learn(self, distance: int) -> None:
        """Take what one frame tells of how far this clock lags behind the call's; it is put right when two agree."""
        alike = abs(distance - self._distance) < WOBBLE
        self._agreed = self._agreed + 1 if alike else 1
        self._distance = distance
        if self._agreed < AGREED:
            return
        self.in_step = True
        if abs(distance) >= WOBBLE:
            self._move(distance)

    def _move(self, distance: int) -> None:
        self.clock.shift += distance
        self.clock.newest += distance
        for track, frames in self.recent.items():
            moved = (frame._replace(position=frame.position + distance) for frame in frames)
            self.recent[track] = deque(moved, KEPT)
        self._distance = self._agreed = 0
