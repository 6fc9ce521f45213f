"""Interims, starts of speech, and what becomes of turns, at an endpoint: at most once each, only while a call's lane is
idle, and counting for nothing.

Beside the sender and deliberately no part of its duty: an interim is never retried and never waited for, the newest
replaces what was not sent, and how it was answered changes nothing. One that is on its way when its final is posted
can arrive after it; `revision` and `final` tell a consumer.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field

from bridge.delivery.format import Format
from bridge.delivery.lane import Answer, classify
from bridge.delivery.poster import Poster
from bridge.events import Data, Event, TranscriptInterim, slot
from bridge.store.base import LiveBus

IN_FLIGHT = 16
"""The most interims on their way at a time, one of a call."""


@dataclass(slots=True)
class _InterimPosting:
    header: str
    idle: bool = True
    sending: bool = False
    shown: dict[str, int | str] = field(default_factory=dict)
    """What was sent last: of a segment its revision, of another slot the event."""


class InterimSender:
    """The interims of all calls to one endpoint.

    `types`: which events without a `seq` are sent. `allowed`: whether the endpoint is well enough for extras.
    `timeout`: seconds for a POST.
    """

    def __init__(
        self,
        store: LiveBus,
        poster: Poster,
        format_: Format,
        *,
        types: Collection[type[Data]],
        allowed: Callable[[], bool],
        counters: Counter[str],
        timeout: float,
        clock: Callable[[], float] = time.time,
        parent: Callable[[str], str | None] = lambda call_id: None,
    ) -> None:
        """`parent`: the `traceparent` of a call, if it is traced; an interim has no span of its own."""
        self._store = store
        self._poster = poster
        self._format = format_
        self._types = frozenset(types)
        self._allowed = allowed
        self._counters = counters
        self._timeout = timeout
        self._clock = clock
        self._parent = parent
        self._calls: dict[str, _InterimPosting] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def in_flight(self) -> int:
        """How many are on their way."""
        return len(self._tasks)

    @property
    def calls(self) -> int:
        """How many there are of which interims may be sent."""
        return len(self._calls)

    def idle(self, call_id: str, header: str) -> None:
        """Everything of this call has been delivered."""
        self._calls.setdefault(call_id, _InterimPosting(header)).idle = True

    def busy(self, call_id: str) -> None:
        """This call's lane has something to deliver."""
        if call := self._calls.get(call_id):
            call.idle = False

    def ended(self, call_id: str) -> None:
        """This call is over: forget it, so that no further interim of it is sent."""
        self._calls.pop(call_id, None)

    def offer(self, call_id: str) -> None:
        """There may be a new interim of this call; if the endpoint does not get it, or not yet, it is none of ours."""
        call = self._calls.get(call_id)
        if call is None:
            return
        if not call.idle or len(self._tasks) >= IN_FLIGHT or not self._allowed():
            self._counters["interims_dropped"] += 1
        elif not call.sending:
            call.sending = True
            task = asyncio.create_task(self._send(call_id, call))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Drop what is on its way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _send(self, call_id: str, call: _InterimPosting) -> None:
        """One after the other, always the newest, for as long as there is something new and the lane is idle."""
        try:
            while call.idle and (interim := await self._next(call_id, call)):
                await self._post(call_id, call, interim)
        finally:
            call.sending = False

    async def _post(self, call_id: str, call: _InterimPosting, interim: Event) -> None:
        what, newest = _told(interim)
        call.shown[what] = newest
        request = self._format.interim(call_id, call.header, interim)
        if request is None:
            self._counters["interims_dropped"] += 1
            return
        now = self._clock()
        self._counters["interims"] += 1
        headers, parent = request.headers(now), self._parent(call_id)
        if parent:
            headers = {**headers, "traceparent": parent}
        outcome = None
        with suppress(TimeoutError):
            async with asyncio.timeout(self._timeout):
                outcome = await self._poster.post(request.body, headers, now)
        if outcome is None or classify(outcome) is not Answer.ACCEPTED:
            self._counters["interims_failed"] += 1

    async def _next(self, call_id: str, call: _InterimPosting) -> Event | None:
        """An interim that has not been sent; what the store still has is the newest and has no final."""
        interims = [event for event in await self._store.interims(call_id) if type(event.data) in self._types]
        told = [_told(event) for event in interims]
        call.shown = {what: call.shown[what] for what, _ in told if what in call.shown}
        for event, (what, newest) in zip(interims, told, strict=True):
            if call.shown.get(what) != newest:
                return event
        return None


def _told(event: Event) -> tuple[str, int | str]:
    """What it tells of, and which of all that was told of that it is."""
    data = event.data
    if isinstance(data, TranscriptInterim):
        return data.segment_id, data.revision
    return f"{slot(data)} {data.type}", event.id
