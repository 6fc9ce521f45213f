"""The store of one machine: SQLite in `DATA_DIR`.

One writing connection in a thread of its own with group commit (`writer`), WAL and `synchronous=FULL`: what `append`
has acknowledged survives `kill -9` and a power cut. Readers have connections and threads of their own; what the
followers of a live call ask for is answered from memory (`recent`), and so is `claim` (`lanes`). One process at a
time: a lock file says who. This is not the store of several machines; the same protocol will stand on PostgreSQL.
"""

import asyncio
import json
import secrets
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from bridge.errors import StoreError
from bridge.events import Event, TranscriptFinal
from bridge.outbox import Batching, Lane, LaneState, ParkedLane, Settlement
from bridge.store import search, sql, writes
from bridge.store.base import CallFilter, CallRow, FoundCall, LoggedEvent, Query, StoredEvent, Topic, Trouble
from bridge.store.files import READERS, Files, failure
from bridge.store.hints import Hints, Watch
from bridge.store.lanes import LaneRow, Lanes
from bridge.store.recent import Recent
from bridge.store.trouble import Health
from bridge.store.writer import CAPACITY, CLOSE_GRACE, Writer

FILENAME = "bridge.db"

_SETTLED_WITHIN = 0.02
"""Seconds for which a delivery that is over may wait to be written: after a crash it is at most delivered twice."""

R = TypeVar("R")
T = TypeVar("T")


class SQLiteStore:
    """`async with SQLiteStore(data_dir, ["webhook"]) as store:` opens it, or says in a `StoreError` why it cannot.

    `endpoints`: the ids of those that are to get every event of the calls that begin from now on. `owner`: this store's
    id among the owners of calls, never used before; by default one by chance.
    """

    def __init__(
        self,
        data_dir: str | Path,
        endpoints: Sequence[str] = (),
        *,
        owner: str | None = None,
        batching: Batching | None = None,
        capacity: int = CAPACITY,
        busy_timeout: float = 10.0,
        close_grace: float = CLOSE_GRACE,
    ) -> None:
        self.counters: Counter[str] = Counter(failed_commits=0)
        self.owner = owner or secrets.token_hex(8)
        self._path = Path(data_dir) / FILENAME
        self._endpoints = tuple(endpoints)
        self._batching = batching or Batching()
        self._capacity = capacity
        self._busy_timeout = busy_timeout
        self._close_grace = close_grace
        self._health = Health()
        self._hints = Hints()
        self._recent = Recent()
        self._lanes = Lanes()
        self._tidy = writes.Tidy()
        self._position = 0  # the last event of the log of which memory knows, too
        self._readers = ThreadPoolExecutor(READERS, "store-reader")
        self._files: Files | None = None
        self._writer: Writer | None = None

    async def __aenter__(self) -> "SQLiteStore":
        self._files = await asyncio.to_thread(Files, self._path, self._busy_timeout, self._health)
        try:
            open_calls, pending, self._position = await asyncio.to_thread(self._load, self._files)
        except sqlite3.Error as error:
            await asyncio.to_thread(self._files.close)
            raise failure("open", self._path, error) from None
        for (call_id,) in open_calls:
            self._recent.begin(call_id)
        for row in pending:
            self._lanes.put(row)
        self._writer = Writer(
            self._files.writing,
            capacity=self._capacity,
            close_grace=self._close_grace,
            tidy=self._tidy,
            health=self._health,
            diagnose=self._files.trouble,
            counters=self.counters,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._writer is not None:
            await self._writer.close()
        self._hints.close()
        # Access finish first: a connection closed under a query would take the process with it.
        await asyncio.to_thread(self._readers.shutdown)
        if self._files is not None:
            await asyncio.to_thread(self._files.close)

    def append(
        self, events: Sequence[Event], interims: Sequence[Event] = (), *, deliver: bool = True
    ) -> asyncio.Future[None]:
        for interim in interims:
            if not self._recent.put_interim(interim):
                self.counters["stale_interims"] += 1
                continue
            self._hints.give("interims", interim.call_id)
        if not events:
            return _done()
        self._running.check_room()  # before anything is serialized
        new = writes.Append.of(events)
        self.counters["appends"] += 1
        finals = [event for event in events if isinstance(event.data, TranscriptFinal)]
        endpoints = self._endpoints if deliver else ()
        append = partial(writes.append, new=new, owner=self.owner, endpoints=endpoints, batching=self._batching)
        return self._write(append, partial(self._appended, new, finals))

    def _appended(self, new: writes.Append, finals: list[Event], done: writes.Appended) -> None:
        """What has just become durable is shown."""
        self.counters["duplicates"] += len(new.events) - len(done.events)
        if not done.events:
            return
        self.counters["events"] += len(done.events)
        self._position = done.position
        if new.header is not None:
            self._recent.begin(new.call_id)
        self._recent.keep(done.events, finals)
        if new.ended_at is not None:
            self._recent.end(new.call_id)
        self._hints.give("events", new.call_id)
        self._put_lanes(done.lanes)

    async def read(self, query: Query, after: int = 0, limit: int = 200) -> list[StoredEvent]:
        self.counters["reads"] += 1
        tail = self._recent.tail(query.call_id, after)
        if tail is not None:
            self.counters["reads_from_memory"] += 1
            return [event for event in tail if not query.types or event.type in query.types][:limit]
        if query.types:
            types = json.dumps(query.types)
            rows = await self._query(sql.READ_TYPES, (query.call_id, after, types, limit))
        else:
            rows = await self._query(sql.READ, (query.call_id, after, limit))
        return [StoredEvent(*row) for row in rows]

    async def log(self, after: int, limit: int = 200) -> list[LoggedEvent]:
        # A commit is on the disk before memory has it, and a final would be read here while its interim is still there.
        rows = await self._query(sql.LOG, (after, self._position, limit))
        return [LoggedEvent(position, StoredEvent(*event)) for position, *event in rows]

    async def position(self) -> int:
        return self._position

    async def calls(
        self,
        *,
        open_only: bool = False,
        call_id: str | None = None,
        before: str | None = None,
        limit: int = 200,
    ) -> list[CallRow]:
        conditions = [
            condition
            for wanted, condition in (
                (open_only, sql.CALLS_OPEN),
                (call_id is not None, sql.CALLS_BY_ID),
                (before is not None, sql.CALLS_BEFORE),
            )
            if wanted
        ]
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        values = {"call_id": call_id, "before": before, "limit": limit}
        return [CallRow(*row) for row in await self._query(sql.CALLS.format(where=where), values)]

    async def find(self, wanted: CallFilter, *, before: str | None = None, limit: int = 50) -> list[FoundCall]:
        return await self._read(partial(search.find, wanted=wanted, before=before, limit=limit))

    async def abandoned(self, *, before: str | None = None, limit: int = 200) -> list[CallRow]:
        where = f"WHERE {sql.CALLS_ABANDONED}" + (f" AND {sql.CALLS_BEFORE}" if before is not None else "")
        values = {"owner": self.owner, "before": before, "limit": limit}
        return [CallRow(*row) for row in await self._query(sql.CALLS.format(where=where), values)]

    async def take(self, call_id: str) -> CallRow | None:
        return await self._write(partial(writes.take, call_id=call_id, owner=self.owner), _as_it_is)

    async def release(self, call_id: str) -> bool:
        return await self._write(partial(writes.release, call_id=call_id, owner=self.owner), _as_it_is)

    async def delivery(self, endpoint: str, call_id: str) -> LaneState | None:
        rows = await self._query(sql.LANE_STATE, (endpoint, call_id))
        return LaneState(*rows[0]) if rows else None

    async def delete(self, call_id: str) -> bool:
        def deleted(done: bool) -> bool:
            self._lanes.forget(call_id)
            self._hints.give("deletions", call_id)
            self._hints.give("events", call_id)
            return done

        return await self._write(partial(self._tidy.delete, call_id=call_id), deleted)

    async def interims(self, call_id: str) -> list[Event]:
        return self._recent.interims(call_id)

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
        try:
            await self._write(do, lambda row: self._put_lanes([row] if row else []), _SETTLED_WITHIN)
        except BaseException:
            self._lanes.not_settled(lane)
            raise
        return True

    async def resume(self, endpoint: str, call_id: str | None = None, *, after: int | None = None) -> int:
        rewound = call_id is not None and after is not None

        def resumed(rows: list[LaneRow]) -> int:
            # Without a new cursor, the holder of a lane in flight may finish.
            self._put_lanes([row for row in rows if rewound or not self._lanes.leased(row.key)])
            return len(rows)

        written = self._write(
            partial(writes.resume, endpoint=endpoint, call_id=call_id, after=after, batching=self._batching),
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

    async def copy(self, to: Path) -> None:
        await self._query(sql.COPY, (str(to),))

    def watch(self, *topics: Topic, call_id: str | None = None) -> Watch:
        return self._hints.watch(topics, call_id)

    def __repr__(self) -> str:
        return (
            f"<SQLiteStore calls={len(self._recent)} lanes={len(self._lanes)} waiting={self.waiting} "
            f"events={self.counters['events']}>"
        )

    @property
    def commits(self) -> int:
        """Commits so far; `counters["events"]` by this is the gain of group commit."""
        return self._writer.commits if self._writer else 0

    @property
    def trouble(self) -> Trouble | None:
        return self._health.trouble

    def lanes_waiting(self, endpoint: str) -> int:
        return self._lanes.waiting(endpoint)

    @property
    def waiting(self) -> int:
        """Writes that are not committed yet."""
        return self._writer.waiting if self._writer else 0

    def _load(self, files: Files) -> tuple[list[tuple[str]], list[LaneRow], int]:
        """What memory has to know: the calls that had not ended, and what was not delivered."""
        lanes = [
            writes.lane_row(values)
            for endpoint in self._endpoints
            for values in files.writing.execute(sql.PENDING_LANES, (endpoint,))
        ]
        position = files.writing.execute(sql.POSITION).fetchone()[0]
        return files.writing.execute(sql.OPEN_CALLS).fetchall(), lanes, position

    def _put_lanes(self, rows: list[LaneRow]) -> None:
        for row in rows:
            self._lanes.put(row)
        if any(row.pending for row in rows):
            self._hints.give("lanes")

    @property
    def _running(self) -> Writer:
        if self._writer is None:
            raise StoreError("the store is not open")
        return self._writer

    def _write(
        self, do: Callable[[sqlite3.Connection], R], committed: Callable[[R], T], patience: float = 0.0
    ) -> asyncio.Future[T]:
        return self._running.submit(do, committed, patience)

    async def _query(self, statement: str, values: tuple[object, ...] | Mapping[str, object]) -> list[tuple[Any, ...]]:
        return await self._read(lambda connection: connection.execute(statement, values).fetchall())

    async def _read(self, query: Callable[[sqlite3.Connection], R]) -> R:
        if self._files is None:
            raise StoreError("the store is not open")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, self._files.read, query)
        except RuntimeError as error:
            raise StoreError("the store is closed") from error


def _as_it_is(result: R) -> R:
    return result


def _done() -> asyncio.Future[None]:
    (future := asyncio.get_running_loop().create_future()).set_result(None)
    return future
