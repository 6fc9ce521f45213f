"""The streams of a call, and which of them each track is heard from.

A track is heard from one stream. Others that carry it too are its rivals: what they have of it is kept, and when the
stream that is heard fails, the track goes on with a rival's frames where its audio ends.
"""

from collections import Counter
from collections.abc import Iterator
from math import inf

from bridge.align.source import Source
from bridge.align.track import Frame, Track


class Sources:
    """Those that are there, in the order in which they came. Positions are samples of the call."""

    def __init__(self, counters: Counter[str], apart: int) -> None:
        """`apart`: samples for which a stream may stall before a rival's place by the clock is better than none."""
        self._there: list[Source] = []
        self._heard_from: dict[Track, Source] = {}
        self._counters = counters
        self._apart = apart

    def __iter__(self) -> Iterator[Source]:
        return iter(self._there)

    def __len__(self) -> int:
        return len(self._there)

    def __contains__(self, source: Source) -> bool:
        return source in self._there

    def add(self, source: Source) -> None:
        """A stream begins."""
        self._there.append(source)

    def remove(self, source: Source, newest: int) -> None:
        """A stream has ended; the tracks that are heard from it go on with a rival's, or end. `newest`: how far the
        clock has got."""
        self._there.remove(source)
        for track, heard_from in list(self._heard_from.items()):
            if heard_from is source:
                self._let_go(track, newest)
        if len(self._there) == 1:
            self._there[0].recent.clear()
            for track in self._heard_from:
                track.shared = False

    def heard_from(self, track: Track) -> Source | None:
        """The stream that a track is heard from."""
        return self._heard_from.get(track)

    def hear(self, track: Track, source: Source) -> Source:
        """The stream that a track is heard from, now that a frame of it comes from `source`."""
        heard_from = self._heard_from.get(track)
        if heard_from is None:
            track.begin_stream(source.sequence, source.why)
            self._heard_from[track] = heard_from = source
        elif heard_from is not source:
            track.shared = True
            track.in_step = False
        return heard_from

    def join(self, track: Track, source: Source) -> None:
        """A stream goes on with a track's audio, which another process has heard so far."""
        self._heard_from[track] = source
        track.join(source.sequence)

    def put_in_step(self, track: Track, source: Source, frame: Frame) -> None:
        """Learn from a frame of a shared track how far the clocks of the streams that carry it are apart."""
        source.keep(track, frame)
        heard_from = self._heard_from[track]
        for other in self._there:
            if other is source or heard_from not in (other, source):
                continue
            distance = other.distance(track, frame)
            if distance is None:
                continue
            if source is heard_from:
                other.learn(distance)
            else:
                source.learn(-distance)

    def stand_in(self, track: Track, newest: int) -> bool:
        """Whether a rival stands in for the stream that a track is heard from, as it may: its place is known, or the
        other one has stalled for so long that a place by the clock is better than none."""
        rival = self._rival(track)
        if rival is None or not (rival.in_step or newest - self._heard_from[track].clock.newest >= self._apart):
            return False
        self._hand_over(track, rival, newest)
        return True

    def may_stall_alone(self, track: Track, source: Source) -> bool:
        """Whether other streams go on while this one, that a track is heard from, is late, and none can stand in."""
        if track.shared:
            return not any(other.in_step and track in other.recent for other in self._there if other is not source)
        return any(other is not source for other in self._heard_from.values())

    def _rival(self, track: Track) -> Source | None:
        """A stream that has audio of this track where the one it is heard from has none."""
        heard_from = self._heard_from.get(track)
        for source in self._there:
            if source is not heard_from and any(_goes_on(frame, track) for frame in source.recent.get(track, ())):
                return source
        return None

    def _let_go(self, track: Track, newest: int) -> None:
        """The stream that a track is heard from has ended."""
        sharer = next((source for source in self._there if track in source.recent), None)
        if rival := self._rival(track) or sharer:
            self._hand_over(track, rival, newest)  # first of all: it may have what was waited for
            return
        track.give_up(inf, newest)
        track.in_step = track.shared = False
        del self._heard_from[track]

    def _hand_over(self, track: Track, source: Source, newest: int) -> None:
        """The track goes on with the frames of another stream, where its audio ends."""
        self._counters["handed_over"] += 1
        if before := self._heard_from.get(track):
            before.in_step = source.in_step
        self._heard_from[track] = source
        track.change_stream(source.sequence)
        for frame in [frame for frame in source.recent[track] if _goes_on(frame, track)]:
            track.receive(frame, newest, repeated=False)


def _goes_on(frame: Frame, track: Track) -> bool:
    """Whether a frame has audio after the end of the track's."""
    return frame.position + len(frame.payload) // 2 >= track.next
