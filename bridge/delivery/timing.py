"""How long deliveries to one endpoint take: what is measured of each POST, as `/metrics` tells it. Time is given.

An event's own `time` says when it was made: of a final that is when Deepgram's message was read, and of any event a
moment before its commit, which is measured by itself. It outlives the process, so a lag of days is told too.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from bridge.events import TranscriptFinal
from bridge.histogram import MOMENTS, TRIES, WAITS, Histogram
from bridge.outbox import Lane
from bridge.store.base import StoredEvent

_TIME = '"time":"'
_DIGITS = len("2026-11-20T10:00:12.345Z")


class Timing:
    """Of one endpoint, since the start."""

    def __init__(self) -> None:
        self.answer = Histogram(MOMENTS)
        """Seconds from a POST to the head of its answer, or to its failure."""
        self.result = Histogram(MOMENTS)
        """Seconds from Deepgram's final to its first POST."""
        self.lag = Histogram(WAITS)
        """Seconds from an event to the 2xx that it was answered with."""
        self.attempts = Histogram(TRIES)
        """Tries that an accepted batch took; while a call goes on they are counted up to the schedule's last step."""

    def __repr__(self) -> str:
        return f"<Timing {self.answer!r}>"

    def post(self, lane: Lane, events: Sequence[StoredEvent], now: float) -> None:
        """A batch goes out; `now`: seconds since 1970."""
        if not lane.attempts and not lane.rejections:
            for made in _made(event for event in events if event.type == TranscriptFinal.type):
                self.result.add(now - made)

    def accept(self, lane: Lane, events: Iterable[StoredEvent], now: float) -> None:
        """A batch was answered 2xx."""
        self.attempts.add(lane.attempts + 1)
        for made in _made(events):
            self.lag.add(now - made)


def _made(events: Iterable[StoredEvent]) -> Iterable[float]:
    """When each was made, in seconds since 1970; one that does not say is left out."""
    for event in events:
        start = event.body.find(_TIME) + len(_TIME)
        try:
            yield datetime.fromisoformat(event.body[start : start + _DIGITS]).timestamp()
        except ValueError:
            continue  # what a damaged database has left
