"""A call's hand in the log: numbers its durable events densely, and hands them to the store in order.

Nothing here waits for a commit, and nothing is dropped when the store cannot take it: what has a number goes first, as
soon as there is room. One call has one writer at a time; a process that goes on with another's call
opens it at the log's tip.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable

from bridge.call import describe
from bridge.errors import StoreError
from bridge.events import (
    AudioGap,
    Data,
    Event,
    Transcript,
    TranscriptFinal,
    TranscriptionInterrupted,
    UtteranceCompleted,
    timestamp,
)
from bridge.store.base import EventLog

log = logging.getLogger("bridge.call")

PAUSE = 0.2
"""Seconds between tries at a store whose queue is full."""


class EventWriter:
    """Add data, then commit; `written` waits until all of it is durable."""

    def __init__(
        self, call_id: str, store: EventLog, wall: Callable[[], float], seq: int = 0, *, pause: float = PAUSE
    ) -> None:
        """`wall` tells seconds since 1970. `seq`: the newest that the log has. `pause`: seconds between tries at a
        store whose queue is full.
        """
        self._pause = pause
        self.call_id = call_id
        self.seq = seq
        self.counters: Counter[str] = Counter()
        """What the events said: finals, words, utterances, gaps, interruptions."""
        self.unkept = 0
        """Events that the store has refused for good: they are in no log."""
        self._store = store
        self._wall = wall
        self._unnumbered = 0
        self._handed_over = 0  # events that the store has and has not confirmed
        self._pending: list[Event] = []
        self._interims: list[Event] = []
        self._appends: set[asyncio.Task[None]] = set()
        self._again: asyncio.TimerHandle | None = None
        """The next try at a store that was full."""

    def __repr__(self) -> str:
        return f"<EventWriter {self.call_id} seq {self.seq} pending {len(self._pending)}>"

    @property
    def waiting(self) -> int:
        """Events that are numbered and not durable."""
        return len(self._pending) + self._handed_over

    def add(self, data: Data) -> None:
        """Number what is durable; set aside the rest."""
        if data.durable:
            self.seq += 1
            self._pending.append(describe.event(self.call_id, self.seq, self._wall(), data))
            self._count(data)
            return
        if isinstance(data, Transcript):
            event_id = f"{data.segment_id}-r{data.revision}"
        else:
            self._unnumbered += 1
            event_id = f"{self.call_id}-s{self.seq}-{self._unnumbered}"
        self._interims.append(Event(self.call_id, None, event_id, timestamp(self._wall()), data))

    def commit(self) -> None:
        """Hand over what was added, all of it or nothing, without waiting; the store keeps the order."""
        if not self._pending and not self._interims:
            return
        refused_before = self._again is not None
        self._stop_trying()
        events, self._pending = self._pending, []
        interims, self._interims = self._interims, []
        try:
            durable = self._store.append(events, interims)
        except StoreError as error:
            # Numbered already, so they must go first next time; interims are not worth it.
            self._pending = events
            if events:
                self._again = asyncio.get_running_loop().call_later(self._pause, self.commit)
            if not refused_before:
                log.error("events wait for the store", extra={"call_id": self.call_id, "reason": str(error)})
            return
        if events:
            self._handed_over += len(events)
            task = asyncio.ensure_future(self._confirm(durable, events))
            self._appends.add(task)
            task.add_done_callback(self._appends.discard)

    async def written(self) -> None:
        """Until everything that was added is durable, or has been logged as not kept."""
        try:
            while self._appends or self._pending:
                if self._appends:
                    await asyncio.wait(self._appends)
                else:
                    await asyncio.sleep(self._pause)
                self.commit()
        finally:
            self._stop_trying()  # a caller that no longer waits leaves no timer that writes

    def _stop_trying(self) -> None:
        if self._again:
            self._again.cancel()
            self._again = None

    async def _confirm(self, durable: Awaitable[None], events: list[Event]) -> None:
        try:
            await durable
        except StoreError as error:
            self.unkept += len(events)
            detail = {"call_id": self.call_id, "seq": events[-1].seq, "events": len(events), "reason": str(error)}
            log.error("events not kept", extra=detail)
        self._handed_over -= len(events)

    def _count(self, data: Data) -> None:
        match data:
            case TranscriptFinal():
                self.counters["finals"] += 1
                self.counters["words"] += len(data.words)
            case UtteranceCompleted():
                self.counters["utterances"] += 1
            case AudioGap():
                self.counters["gaps"] += 1
            case TranscriptionInterrupted():
                self.counters["interruptions"] += 1
            case _:
                pass
