"""What a store remembers of the calls that are going on: their newest events and interims. Memory only.

A reader that follows a live call, the webhook's sender above all, finds the event it was told of here, with no way to
the disk and back. The events are durable before they come here; losing this memory loses nothing but the interims,
which are state and not events.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from bridge.events import Event, SpeechStarted, TranscriptFinal, TranscriptInterim, slot
from bridge.store.base import StoredEvent

TAIL = 8
"""Events kept per call: a sender or a feed that keeps up needs the newest one or two."""


@dataclass(slots=True)
class _RecentCall:
    tail: deque[StoredEvent] = field(default_factory=lambda: deque(maxlen=TAIL))
    interims: dict[str, Event] = field(default_factory=dict)
    """By what they tell the state of: a track, or the turn on it."""


class Recent:
    """The calls that have begun and not ended."""

    def __init__(self) -> None:
        self._calls: dict[str, _RecentCall] = {}

    def __contains__(self, call_id: str) -> bool:
        return call_id in self._calls

    def __len__(self) -> int:
        return len(self._calls)

    def begin(self, call_id: str) -> None:
        """Remember a call up to its `end`; one that is known stays as it is."""
        self._calls.setdefault(call_id, _RecentCall())

    def end(self, call_id: str) -> None:
        """Forget a call, its interims too: a reader finds it on the disk."""
        self._calls.pop(call_id, None)

    def keep(self, stored: Iterable[StoredEvent], finals: Iterable[Event]) -> None:
        """Events that have just become durable, in order; the finals among them take their interims away."""
        for event in stored:
            call = self._calls.get(event.call_id)
            if call and (not call.tail or call.tail[-1].seq < event.seq):
                call.tail.append(event)
        for final in finals:
            data = final.data
            assert isinstance(data, TranscriptFinal)
            self.settle(final.call_id, data.track, data.segment_id, data.end)

    def settle(self, call_id: str, track: str, segment_id: str, end: float) -> None:
        """The final of a segment of a call is durable, which ends at `end`: its interim is over."""
        if call := self._calls.get(call_id):
            settle(call.interims, track, segment_id, end)

    def tail(self, call_id: str, after: int) -> list[StoredEvent] | None:
        """The events after a `seq`; None if that reaches further back than this memory."""
        call = self._calls.get(call_id)
        if call is None or not call.tail or call.tail[0].seq > after + 1:
            return None
        return [event for event in call.tail if event.seq > after]

    def newest(self, call_id: str) -> int | None:
        """The `seq` of the last event of a call that goes on, if it has been here."""
        call = self._calls.get(call_id)
        return call.tail[-1].seq if call and call.tail else None

    def put_interim(self, event: Event) -> bool:
        """Keep the newest of its slot; False: it says less than what is there, or its call is not going on."""
        call = self._calls.get(event.call_id)
        data, place = event.data, slot(event.data)
        if call is None or place is None:
            return False
        newest = call.interims.get(place)
        if newest is not None and isinstance(newest.data, TranscriptInterim):
            if isinstance(data, SpeechStarted):
                return False
            assert isinstance(data, TranscriptInterim)
            if data.segment_id == newest.data.segment_id and data.revision <= newest.data.revision:
                return False
        call.interims[place] = event
        return True

    def interims(self, call_id: str) -> list[Event]:
        """As `Store.interims`: the newest of every slot."""
        call = self._calls.get(call_id)
        return list(call.interims.values()) if call else []


def settle(interims: dict[str, Event], track: str, segment_id: str, end: float) -> None:
    """Take out of the interims of a call, by slot, what the final of a segment ends."""
    interims.pop(f"turn {track}", None)  # the turn is over
    newest = interims.get(track)
    if newest is None:
        return
    said = isinstance(newest.data, TranscriptInterim) and newest.data.segment_id == segment_id
    begun = isinstance(newest.data, SpeechStarted) and newest.data.at <= end
    if said or begun:
        del interims[track]
