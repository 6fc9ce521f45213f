"""The requests for a lane's batch: its events read, and what the endpoint's format has to know besides.

A shell about `format`: it reads what that asks for. What is written at length, a whole transcript, it has written in a
thread.
"""

import asyncio
from collections.abc import Sequence

from bridge.delivery.format import Format, Part
from bridge.errors import StoreError
from bridge.outbox import Lane
from bridge.store.base import EventLog, Query, StoredEvent

PAGE = 200
"""Events that are read at a time of what a format has to be told again, or is made of besides."""


class Batches:
    """Those of one endpoint."""

    def __init__(self, store: EventLog, format_: Format) -> None:
        self._store = store
        self._format = format_

    async def read(self, lane: Lane) -> Sequence[StoredEvent]:
        """The events of a lane's batch, after those of which the format has to be told again. Raises StoreError."""
        known = self._format.known(lane)
        while known < lane.cursor:
            page = await self._events(lane, known, min(PAGE, lane.cursor - known))
            self._format.recall(lane, page)
            known = page[-1].seq
        return await self._events(lane, lane.cursor, lane.batch_to - lane.cursor)

    async def parts(self, lane: Lane, events: Sequence[StoredEvent]) -> list[Part]:
        """The requests that the events of its batch become, in order. Raises StoreError."""
        types = self._format.needs(events)
        if not types:
            return self._format.parts(lane, events)
        said = await self._before(Query(lane.call_id, types), lane.batch_to)
        return await asyncio.to_thread(self._format.parts, lane, events, said)

    async def _events(self, lane: Lane, after: int, count: int) -> Sequence[StoredEvent]:
        events = await self._store.read(Query(lane.call_id), after=after, limit=count)
        if len(events) != count:
            raise StoreError(f"the log has {len(events)} of {count} events after {after}")
        return events

    async def _before(self, query: Query, until: int) -> list[StoredEvent]:
        """All events of these types up to a `seq`."""
        found: list[StoredEvent] = []
        while page := await self._store.read(query, after=found[-1].seq if found else 0, limit=PAGE):
            found += [event for event in page if event.seq <= until]
            if page[-1].seq >= until:
                break
        return found
