"""What is asked of the record in PostgreSQL: events, the log of all calls, and which calls there are."""

import asyncio
import json
from typing import Any

from psycopg import AsyncConnection

from bridge.errors import StoreError
from bridge.events import TranscriptFinal
from bridge.store.base import CallFilter, CallRow, FoundCall, LoggedEvent, Query, StoredEvent
from bridge.store.postgres import search, statements
from bridge.store.postgres.connections import Database
from bridge.store.postgres.node import Node
from bridge.store.postgres.order import horizon
from bridge.store.postgres.telling import FarInterims
from bridge.store.recent import Recent

_COMMITS = (0.0, 0.005, 0.01, 0.02, 0.02)
"""Seconds for which those who are about to commit are waited for: a reader who comes from another process has seen all
that was committed when it asked there."""


class PostgresRecord:
    """A part of `PostgresStore`, which has the database."""

    counters: Any
    _database: Database
    _node: Node

    def __init__(self) -> None:
        self._recent = Recent()
        self._far = FarInterims()
        self._look = asyncio.Event()
        """Others have written something, or are about to."""
        self._whole = 0
        """Up to there no event is still to come."""
        self._is_open = False

    async def read(self, query: Query, after: int = 0, limit: int = 200) -> list[StoredEvent]:
        self.counters["reads"] += 1
        tail = self._recent.tail(query.call_id, after) if self._node.alive else None
        if tail is not None:
            self.counters["reads_from_memory"] += 1
            return [event for event in tail if not query.types or event.type in query.types][:limit]
        values: dict[str, Any] = {"call_id": query.call_id, "after": after, "limit": limit}
        if query.types:
            rows = await self._query(statements.READ_TYPES, {**values, "types": list(query.types)})
        else:
            rows = await self._query(statements.READ, values)
        return self._seen([StoredEvent(*row) for row in rows])

    async def log(self, after: int, limit: int = 200) -> list[LoggedEvent]:
        whole = await self.position()
        # In a transaction of its own, so that it sees all that was committed before.
        rows = await self._query(statements.LOG, (after, whole, limit)) if whole > after else []
        self._seen([StoredEvent(*event) for _, *event in rows])
        return [LoggedEvent(position, StoredEvent(*event)) for position, *event in rows]

    async def position(self) -> int:
        self._check_open()
        wanted = None
        for pause in _COMMITS:
            await asyncio.sleep(pause)
            newest, announced = await self._database.ask(_positions)
            self._whole = max(self._whole, horizon(newest, announced))
            wanted = newest if wanted is None else wanted
            if self._whole >= wanted:
                return self._whole
        self._look.set()
        return self._whole

    def _seen(self, events: list[StoredEvent]) -> list[StoredEvent]:
        """A commit can be read before memory hears of it: who has a final must get no interim of it after that."""
        for event in events:
            for interims in (self._recent, self._far):
                if event.type == TranscriptFinal.type and event.call_id in interims:
                    data = json.loads(event.body)["data"]
                    interims.settle(event.call_id, data["track"], data["segment_id"], data["end"])
        return events

    async def calls(
        self,
        *,
        open_only: bool = False,
        call_id: str | None = None,
        before: str | None = None,
        limit: int = 200,
    ) -> list[CallRow]:
        return [CallRow(*row) for row in await self._query(*search.listed(open_only, call_id, before, limit))]

    async def find(self, wanted: CallFilter, *, before: str | None = None, limit: int = 50) -> list[FoundCall]:
        asked = search.search(wanted, before, limit)
        return asked.found(await self._query(asked.statement, asked.values)) if asked else []

    async def expired(self, now: float, days: float | None, *, limit: int) -> list[str]:
        return [row[0] for row in await self._query(*search.expired(now, days, limit))]

    async def _query(self, statement: str, values: Any) -> list[tuple[Any, ...]]:
        self._check_open()
        return await self._database.query(statement, values)

    def _check_open(self) -> None:
        if not self._is_open:
            raise StoreError("the store is not open")


async def _positions(connection: AsyncConnection[Any]) -> tuple[int, list[int]]:
    """The last position, and what was announced when that had been asked for: `order` says why in this order."""
    async with connection.pipeline():
        last = await connection.execute(statements.LAST_POSITION)
        announced = await connection.execute(statements.ANNOUNCED)
        return (await last.fetchone() or (0,))[0], [row[0] for row in await announced.fetchall()]
