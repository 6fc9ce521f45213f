"""The outbox of the SQLite store: the rows of its lanes, and which of them are due, in memory.

What is due and who holds a lease is `lanes`' business; each method here is a question to the database, or a write whose
row goes there once it is committed.
"""

import sqlite3
from abc import ABC, abstractmethod
from asyncio import Future
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from bridge.outbox import Backlog, Batching, Lane, LaneState, ParkedLane, Settlement, StuckLane
from bridge.outlets import Outlets, outlets_of
from bridge.store import sql, sql_outbox, writes
from bridge.store.hints import Hints
from bridge.store.lanes import LaneRow, Lanes
from bridge.store.recent import Recent

_SETTLED_WITHIN, _SETTLED_SOON = 0.25, 0.02
"""Seconds for which a delivery that is over may wait for a commit of others, and where more of its call waits behind
it. What else the call will have to deliver comes with a commit, and after a crash it is at most delivered twice."""

R = TypeVar("R")
T = TypeVar("T")


class SQLiteOutbox(ABC):
    """A part of `SQLiteStore`, which has the database."""

    def __init__(self, endpoints: Outlets | Sequence[str], batching: Batching | None) -> None:
        self.counters: Counter[str] = Counter(failed_commits=0)
        self._outlets = outlets_of(endpoints)
        self._batching = batching or Batching()
        self._hints = Hints()
        self._recent = Recent()
        self._lanes = Lanes()

    @abstractmethod
    def _write(
        self, do: Callable[[sqlite3.Connection], R], committed: Callable[[R], T], patience: float = 0.0
    ) -> Future[T]: ...

    @abstractmethod
    async def _query(
        self, statement: str, values: tuple[object, ...] | Mapping[str, object]
    ) -> list[tuple[Any, ...]]: ...

    async def claim(
        self, endpoint: str, limit: int, *, lease: float, now: float, fresh_first: bool = False
    ) -> list[Lane]:
        return [
            Lane(
                endpoint=row.endpoint,
                call_id=row.call_id,
                header=row.header,
                cursor=row.cursor,
                batch_to=row.batch_to,
                attempts=row.attempts,
                rejections=row.rejections,
                first_failure=row.first_failure,
                skipped=row.skipped,
                call_ended=row.call_id not in self._recent,
                token=token,
            )
            for row, token in self._lanes.claim(endpoint, limit, lease, now, fresh_first)
        ]

    async def settle(self, lane: Lane, settlement: Settlement) -> bool:
        if not self._lanes.settling(lane):
            self.counters["lost_leases"] += 1
            return False
        do = partial(writes.settle, lane=lane, to=settlement, batching=self._batching)
        all_told = settlement.cursor == self._recent.newest(lane.call_id)
        patience = _SETTLED_WITHIN if all_told else _SETTLED_SOON
        try:
            await self._write(do, lambda row: self._put_lanes([row] if row else []), patience)
        except BaseException:
            self._lanes.not_settled(lane)
            raise
        return True

    async def resume(self, endpoint: str, call_id: str | None = None, *, after: int | None = None) -> list[str]:
        rewound = call_id is not None and after is not None

        def resumed(rows: list[LaneRow]) -> list[str]:
            # Without a new cursor, the holder of a lane in flight may finish.
            self._put_lanes([row for row in rows if rewound or not self._lanes.leased(row.key)])
            return [row.call_id for row in rows]

        written = self._write(
            partial(
                writes.resume,
                endpoint=endpoint,
                call_id=call_id,
                after=after,
                batching=self._batching,
                outlets=self._outlets,
            ),
            resumed,
        )
        if call_id is not None and rewound:
            # From here on its holder's settlement would come after the new cursor and undo it.
            self._lanes.revoke((endpoint, call_id))
        return await written

    async def parked(self, endpoint: str) -> list[ParkedLane]:
        return [ParkedLane(*row) for row in await self._query(sql.PARKED, (endpoint,))]

    async def disabled(self, endpoint: str) -> str | None:
        rows = await self._query(sql.DISABLED, (endpoint,))
        return rows[0][0] if rows else None

    async def disable(self, endpoint: str, address: str | None) -> None:
        await self._write(
            lambda connection: connection.execute(sql.DISABLE, (endpoint, address)).rowcount,
            lambda rows: None,
        )

    async def delivery(self, endpoint: str, call_id: str) -> LaneState | None:
        rows = await self._query(sql.LANE_STATE, (endpoint, call_id))
        return LaneState(*rows[0]) if rows else None

    async def deliveries(self, call_id: str) -> dict[str, LaneState]:
        return {endpoint: LaneState(*state) for endpoint, *state in await self._query(sql_outbox.LANES_OF, (call_id,))}

    async def backlogs(self) -> list[Backlog]:
        return [Backlog(*row) for row in await self._query(sql_outbox.BACKLOGS, ())]

    async def stuck(self, endpoint: str | None = None, *, limit: int = 200) -> list[StuckLane]:
        rows = await self._query(sql_outbox.STUCK, {"endpoint": endpoint, "limit": limit})
        return [StuckLane(*row) for row in rows]

    async def since(self, time: str) -> list[tuple[str, int]]:
        return [(call_id, after) for call_id, after in await self._query(sql_outbox.SINCE, {"since": time})]

    async def named_url(self, endpoint: str) -> str | None:
        rows = await self._query(sql_outbox.NAMED_URL, (endpoint,))
        return rows[0][0] if rows else None

    def endpoints_waiting(self) -> list[str]:
        return self._lanes.endpoints()

    def lanes_waiting(self, endpoint: str) -> int:
        return self._lanes.waiting(endpoint)

    def _put_lanes(self, rows: list[LaneRow]) -> None:
        for row in rows:
            self._lanes.put(row)
        if any(row.pending for row in rows):
            self._hints.give("lanes")
