"""The outbox of the PostgreSQL store: lanes that several processes claim, each of them one holder at a time.

A lane is claimed by locking its row, past those that others are claiming (`SKIP LOCKED`), and settled in a group of
writes, with the token of the claim. What waits is counted in memory, since metrics wait for no database: exactly where
this process changes it, and by a look now and then where others do.
"""

import asyncio
import itertools
import json
import time
from abc import ABC, abstractmethod
from asyncio import Future
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from bridge.errors import StoreError
from bridge.outbox import Backlog, Batching, Lane, LaneState, ParkedLane, Settlement, StuckLane
from bridge.outlets import Outlets, outlets_of
from bridge.store.hints import Hints
from bridge.store.postgres import lanes, statements
from bridge.store.postgres.connections import Database
from bridge.store.postgres.node import Node
from bridge.store.postgres.works import Resume, Settle, Work

T = TypeVar("T")

_SETTLED_WITHIN = 0.02
"""Seconds for which a delivery that is over may wait to be written: after a crash it is at most delivered twice."""

_MOST_UNHEARD = 100

_COUNT = 1.0  # seconds between two counts of what waits
_SHARE = 20.0  # and at least so many times as long as one takes


class PostgresOutbox(ABC):
    """A part of `PostgresStore`, which has the database."""

    _database: Database
    _node: Node

    def __init__(self, endpoints: Outlets | Sequence[str], batching: Batching | None) -> None:
        self.counters: Counter[str] = Counter(failed_commits=0)
        self._outlets = outlets_of(endpoints)
        self._batching = batching or Batching()
        self._hints = Hints()
        self._waiting: Counter[str] = Counter()
        self._changes = 0
        self._tokens = itertools.count(1)
        self._unheard: list[str] = []
        """Claims whose answer got lost: what they have claimed no one would deliver until the lease runs out."""

    @abstractmethod
    def _write(self, work: Work, committed: Callable[[Any], T], patience: float = 0.0) -> "Future[T]": ...

    async def claim(
        self, endpoint: str, limit: int, *, lease: float, now: float, fresh_first: bool = False
    ) -> list[Lane]:
        if not self._node.alive or not limit:
            return []  # others may count this process as gone, and claim what it has
        token = f"{self._node.id}-{next(self._tokens)}"
        values = {
            "endpoint": endpoint,
            "limit": limit,
            "lease": lease,
            "now": now,
            "token": token,
            "node": self._node.id,
        }
        statement = lanes.CLAIM.format(first="attempts > 0," if fresh_first else "")
        unheard, self._unheard = self._unheard, []
        try:
            async with self._database.reading() as connection, connection.pipeline():
                await connection.execute(statements.BEGIN)
                await connection.execute(lanes.UNHURRIED)
                if unheard:
                    await connection.execute(lanes.GIVE_BACK, (self._node.id, unheard))
                found = await connection.execute(statement, values)
                await connection.execute("COMMIT")
                rows = await found.fetchall()
        except StoreError:
            self._unheard = [*self._unheard, *unheard, token][-_MOST_UNHEARD:]
            raise
        return [
            Lane(
                endpoint=endpoint,
                call_id=call_id,
                header=header,
                cursor=cursor,
                batch_to=batch_to,
                attempts=attempts,
                rejections=rejections,
                first_failure=first_failure,
                skipped=tuple(json.loads(skipped)),
                call_ended=ended,
                token=token,
            )
            for _, call_id, header, cursor, batch_to, attempts, rejections, first_failure, skipped, ended in rows
        ]

    async def settle(self, lane: Lane, settlement: Settlement) -> bool:
        def settled(done: bool) -> bool:
            self.counters["lost_leases"] += not done
            return done

        return await self._write(Settle(lane, settlement), settled, _SETTLED_WITHIN)

    async def resume(self, endpoint: str, call_id: str | None = None, *, after: int | None = None) -> list[str]:
        if call_id is not None:

            def resumed(found: bool) -> list[str]:
                if found:
                    self._hints.give("lanes")
                return [call_id] if found else []

            return await self._write(Resume(call_id, endpoint, after), resumed)
        rows = await self._database.query(lanes.RESUME, {"endpoint": endpoint})
        self._count(Counter({endpoint: sum(was_parked for _, was_parked in rows)}))
        if rows:
            self._hints.give("lanes")
        return [found for found, _ in rows]

    async def parked(self, endpoint: str) -> list[ParkedLane]:
        return [ParkedLane(*row) for row in await self._database.query(lanes.PARKED, (endpoint,))]

    async def disabled(self, endpoint: str) -> str | None:
        rows = await self._database.query(lanes.DISABLED, (endpoint,))
        return rows[0][0] if rows else None

    async def disable(self, endpoint: str, address: str | None) -> None:
        async with self._database.reading() as connection:
            await connection.execute(lanes.DISABLE, (endpoint, address))

    async def delivery(self, endpoint: str, call_id: str) -> LaneState | None:
        rows = await self._database.query(lanes.LANE_STATE, (endpoint, call_id))
        return LaneState(*rows[0]) if rows else None

    async def deliveries(self, call_id: str) -> dict[str, LaneState]:
        rows = await self._database.query(lanes.LANES_OF, (call_id,))
        return {endpoint: LaneState(*state) for endpoint, *state in rows}

    async def backlogs(self) -> list[Backlog]:
        return [Backlog(*row) for row in await self._database.query(lanes.BACKLOGS)]

    async def stuck(self, endpoint: str | None = None, *, limit: int = 200) -> list[StuckLane]:
        rows = await self._database.query(lanes.STUCK, {"endpoint": endpoint, "limit": limit})
        return [StuckLane(*row) for row in rows]

    async def since(self, time: str) -> list[tuple[str, int]]:
        return [(call_id, after) for call_id, after in await self._database.query(lanes.SINCE, {"since": time})]

    async def named_url(self, endpoint: str) -> str | None:
        rows = await self._database.query(lanes.NAMED_URL, (endpoint,))
        return rows[0][0] if rows else None

    def endpoints_waiting(self) -> list[str]:
        return [endpoint for endpoint, count in self._waiting.items() if count > 0 and self._outlets.knows(endpoint)]

    def lanes_waiting(self, endpoint: str) -> int:
        return max(0, self._waiting[endpoint])

    def _count(self, change: Counter[str]) -> None:
        """Lanes that have, or have no longer, something to deliver."""
        self._changes += any(change.values())
        for endpoint, count in change.items():
            self._waiting[endpoint] += count

    async def _look_what_waits(self, sure: bool = True) -> bool:
        """Count it. False: something has changed meanwhile, so that the count may be of before or after that, and is
        not taken where it is to be `sure`. Raises `StoreError`."""
        changes = self._changes
        rows = await self._database.query(lanes.WAITING)
        if changes != self._changes and sure:
            return False
        self._waiting = Counter(dict(rows))
        return True

    async def _keep_counting(self) -> None:
        """Where this process writes without a pause, one count in five is taken as it is."""
        took, unsure = 0.0, 0
        while True:
            await asyncio.sleep(max(_COUNT, _SHARE * took))
            began = time.monotonic()
            try:
                unsure = 0 if await self._look_what_waits(sure=unsure < 4) else unsure + 1
            except StoreError:
                pass  # `trouble` says it
            took = time.monotonic() - began
