"""Events that wait for the store: how many there may be, of one call and of all, while it cannot take them.

They are in memory only. What is too much is dropped: counted, and told as soon as there is room again.
"""

from dataclasses import dataclass

from bridge.events import TRACKS, AudioGap, CallEnded, CallStarted, Data, Track, TranscriptFinal


@dataclass(slots=True)
class Backlog:
    """Shared by all calls."""

    limit: int = 50_000
    """Events of all calls: some hundred megabytes, and an hour of a hundred calls' talk."""
    share: int = 5_000
    """Of these, one call's."""
    waiting: int = 0

    @property
    def is_high(self) -> bool:
        """Whether the rest is for the calls that go on already."""
        return 2 * self.waiting >= self.limit

    def has_room(self, own: int) -> bool:
        """Whether a call of which `own` events wait may add another."""
        return own < self.share and self.waiting < self.limit


class Dropped:
    """What was dropped of one call since it was told."""

    def __init__(self) -> None:
        self.seconds = 0.0
        """Audio whose words or gaps were dropped, over the whole call, of the track that lacks more."""
        self._missing = dict.fromkeys(TRACKS, 0.0)
        self._told = dict.fromkeys(TRACKS, 0.0)
        self._stretches: dict[Track, tuple[float, float]] = {}

    def add(self, data: Data) -> None:
        """One event; a transcript or a gap of a track takes its stretch of the audio with it."""
        match data:
            case TranscriptFinal(track=track, start=start, end=end):
                missing = end - start
            case AudioGap(track=track, from_=start, to=end, missing=missing):
                pass
            case _:
                return
        first, last = self._stretches.get(track, (start, end))
        self._stretches[track] = (min(first, start), max(last, end))
        self._missing[track] += missing
        self.seconds = max(self._missing.values())

    def tell(self) -> list[AudioGap]:
        """One gap per track for all that was dropped since the last call."""
        stretches, self._stretches = self._stretches, {}
        told = []
        for track, (start, end) in stretches.items():
            missing = min(self._missing[track] - self._told[track], end - start)
            self._told[track] = self._missing[track]
            told.append(AudioGap(track=track, from_=start, to=end, missing=round(missing, 3), why="overflow"))
        return told


def must_be_kept(data: Data) -> bool:
    """A record begins and ends once, whatever waits."""
    return isinstance(data, CallStarted | CallEnded)
