"""A call's hand in the log: numbers its durable events densely, and hands them to the store in order.

Nothing here waits for a commit, and nothing that has a number is dropped when the store cannot take it: it goes first,
as soon as there is room. The store has only a few appends of one call at a time, so that no call fills the queue of
all; what comes meanwhile goes together in the next. One call has one writer at a time; a process that goes on with
another's call opens it at the log's tip.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable

from bridge.call import describe
from bridge.call.backlog import Backlog, Dropped, must_be_kept
from bridge.errors import NotOwner, StoreError
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
from bridge.outlets import Named
from bridge.store.base import EventLog

log = logging.getLogger("bridge.call")

PAUSE = 0.2
"""Seconds between tries at a store whose queue is full."""

IN_FLIGHT = 4
"""Appends of one call that the store has at a time, at most."""

LARGEST = 200
"""Events in one append: they are serialized in one go."""


class EventWriter:
    """Add data, then commit; `written` waits until all of it is durable."""

    def __init__(
        self,
        call_id: str,
        store: EventLog,
        wall: Callable[[], float],
        seq: int = 0,
        *,
        backlog: Backlog | None = None,
        on_gap: Callable[[AudioGap], None] = lambda gap: None,
        pause: float = PAUSE,
    ) -> None:
        """`wall` tells seconds since 1970. `seq`: the newest that the log has. `backlog`: what waits of all calls.
        `on_gap` is told of audio that is missing. `pause`: seconds between tries at a store whose queue is full.
        """
        self._on_gap = on_gap
        self._pause = pause
        self.call_id = call_id
        self.seq = seq
        self.durable = seq
        """The newest that is durable, with all before it."""
        self.counters: Counter[str] = Counter()
        """What the events said: finals, words, utterances, gaps, interruptions; and what they could not say."""
        self.named: Named | None = None
        """The endpoint that the call has named for itself."""
        self.unkept = 0
        """Events that the store has refused for good: they are in no log."""
        self._lost = False
        """Another process has had the call: what follows is not given to the store, which might take it from a process
        that has the call again, under numbers that others have."""
        self.dropped = Dropped()
        """What there was no room for."""
        self._backlog = backlog or Backlog()
        self._store = store
        self._wall = wall
        self._unnumbered = 0
        self._handed_over = 0  # events that the store has and has not confirmed
        self._pending: list[Event] = []
        self._interims: list[Event] = []
        self._appends: set[asyncio.Task[None]] = set()
        self._again: asyncio.TimerHandle | None = None
        """The next try at a store that was full; until then it is spared."""
        self._refused = False

    def __repr__(self) -> str:
        return f"<EventWriter {self.call_id} seq {self.seq} pending {len(self._pending)}>"

    @property
    def waiting(self) -> int:
        """Events that are numbered and not durable."""
        return len(self._pending) + self._handed_over

    def add(self, data: Data) -> None:
        """Number what is durable; set aside the rest."""
        if data.durable:
            if must_be_kept(data) or self._backlog.has_room(self.waiting):
                for gap in self.dropped.tell():
                    self._number(gap)
                self._number(data)
            else:
                self._drop(data)
            return
        if isinstance(data, Transcript):
            event_id = f"{data.segment_id}-r{data.revision}"
        else:
            self._unnumbered += 1
            event_id = f"{self.call_id}-s{self.seq}-{self._unnumbered}"
        self._interims.append(Event(self.call_id, None, event_id, timestamp(self._wall()), data))

    def lose(self) -> None:
        """Another process has, or has had, the call: hand over nothing any more."""
        self._lost = True
        self.unkept += len(self._pending)
        self._backlog.waiting -= len(self._pending)
        self._pending.clear()

    def commit(self) -> None:
        """Hand over what was added, in order and without waiting, as far as the store takes it now."""
        interims, self._interims = self._interims, []
        if self._lost:
            self.lose()
            return
        while self._again is None and self._pending and len(self._appends) < IN_FLIGHT:
            events = self._pending[:LARGEST]
            if not self._append(events, interims):
                return  # interims are not worth another try
            del self._pending[: len(events)]
            interims = []
        if interims:
            self._append([], interims)

    def _append(self, events: list[Event], interims: list[Event]) -> bool:
        """Whether the store has taken them."""
        try:
            if self.named:
                durable = self._store.append(events, interims, named=self.named)
            else:
                durable = self._store.append(events, interims)
        except StoreError as error:
            if events:
                self._again = asyncio.get_running_loop().call_later(self._pause, self._try_again)
                if not self._refused:
                    log.error("events wait for the store", extra={"call_id": self.call_id, "reason": str(error)})
                self._refused = True
            return False
        if events:
            self._refused = False
            self._handed_over += len(events)
            task = asyncio.ensure_future(self._confirm(durable, events))
            self._appends.add(task)
            task.add_done_callback(self._go_on)
        return True

    def _go_on(self, append: asyncio.Task[None]) -> None:
        self._appends.discard(append)
        if not append.cancelled():
            self.commit()

    def _try_again(self) -> None:
        self._again = None
        self.commit()

    async def written(self) -> None:
        """Until everything that was added is durable, or has been logged as not kept."""
        try:
            while self._appends or self._pending:
                self.commit()
                if self._appends:
                    await asyncio.wait(self._appends)
                elif self._pending:
                    await asyncio.sleep(self._pause)
        finally:
            self._stop_trying()  # a caller that no longer waits leaves no timer that writes

    def _stop_trying(self) -> None:
        if self._again:
            self._again.cancel()
            self._again = None

    async def _confirm(self, durable: Awaitable[None], events: list[Event]) -> None:
        try:
            await durable
            if not self.unkept:
                self.durable = events[-1].seq or 0
        except StoreError as error:
            if not self.unkept:  # once: those that follow are refused, too
                detail = {"call_id": self.call_id, "seq": events[0].seq, "reason": str(error)}
                log.error("events not kept", extra=detail)
            self.unkept += len(events)
            if isinstance(error, NotOwner):
                self.lose()
        self._handed_over -= len(events)
        self._backlog.waiting -= len(events)

    def _number(self, data: Data) -> None:
        self.seq += 1
        self._pending.append(describe.event(self.call_id, self.seq, self._wall(), data))
        self._backlog.waiting += 1
        self._count(data)

    def _drop(self, data: Data) -> None:
        if not self.counters["events_dropped"]:
            log.error("no room for events that wait for the store", extra={"call_id": self.call_id})
        self.counters["events_dropped"] += 1
        self.dropped.add(data)

    def _count(self, data: Data) -> None:
        match data:
            case TranscriptFinal():
                self.counters["finals"] += 1
                self.counters["words"] += len(data.words)
            case UtteranceCompleted():
                self.counters["utterances"] += 1
            case AudioGap():
                self.counters["gaps"] += 1
                self._on_gap(data)
            case TranscriptionInterrupted():
                self.counters["interruptions"] += 1
            case _:
                pass
