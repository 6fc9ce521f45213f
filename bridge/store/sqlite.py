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
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from bridge.errors import StoreError
from bridge.events import CallStarted, Event, TranscriptFinal
from bridge.outbox import Batching
from bridge.outlets import Named, Outlets
from bridge.store import search, sql, writes
from bridge.store.audit import AuditFiles
from bridge.store.base import CallFilter, CallRow, FoundCall, LoggedEvent, Query, StoredEvent, Topic, Trouble, Whose
from bridge.store.files import READERS, Files, failure
from bridge.store.hints import Watch
from bridge.store.lanes import LaneRow
from bridge.store.load import Load
from bridge.store.sqlite_outbox import SQLiteOutbox
from bridge.store.trouble import Health
from bridge.store.writer import CAPACITY, CLOSE_GRACE, Writer

FILENAME = "bridge.db"

R = TypeVar("R")
T = TypeVar("T")


class SQLiteStore(SQLiteOutbox):
    """`async with SQLiteStore(data_dir, ["webhook"]) as store:` opens it, or says in a `StoreError` why it cannot.

    `endpoints`: those that are to get the events of the calls that begin from now on; a name alone is one that gets
    every call. `owner`: this store's id among the owners of calls, never used before; by default one by chance.
    """

    def __init__(
        self,
        data_dir: str | Path,
        endpoints: Outlets | Sequence[str] = (),
        *,
        owner: str | None = None,
        batching: Batching | None = None,
        capacity: int = CAPACITY,
        busy_timeout: float = 10.0,
        close_grace: float = CLOSE_GRACE,
    ) -> None:
        super().__init__(endpoints, batching)
        self.load = Load(capacity)
        self.owner = owner or secrets.token_hex(8)
        self.lease = None
        self.audit = AuditFiles(Path(data_dir))
        self.passing = self.keepers = None
        self.hand_overs = None
        self._path = Path(data_dir) / FILENAME
        self._busy_timeout = busy_timeout
        self._close_grace = close_grace
        self._health = Health()
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
            load=self.load,
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
        self,
        events: Sequence[Event],
        interims: Sequence[Event] = (),
        *,
        deliver: bool = True,
        named: Named | None = None,
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
        begun = events[0].data
        begins = deliver and isinstance(begun, CallStarted)
        called = begun.to if isinstance(begun, CallStarted) else None
        endpoints = self._outlets.of(called, named=named is not None) if begins else ()
        append = partial(
            writes.append,
            new=new,
            owner=self.owner,
            endpoints=endpoints,
            batching=self._batching,
            named=named if begins else None,
        )
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
        wanted = partial(search.listed, open_only=open_only, call_id=call_id, before=before, limit=limit)
        return await self._read(wanted)

    async def find(self, wanted: CallFilter, *, before: str | None = None, limit: int = 50) -> list[FoundCall]:
        return await self._read(partial(search.find, wanted=wanted, before=before, limit=limit))

    async def expired(self, now: float, days: float | None, *, limit: int) -> list[str]:
        return await self._read(partial(search.expired, now=now, days=days, limit=limit))

    async def abandoned(self, *, before: str | None = None, limit: int = 200) -> list[CallRow]:
        where = f"WHERE {sql.CALLS_ABANDONED}" + (f" AND {sql.CALLS_BEFORE}" if before is not None else "")
        values = {"owner": self.owner, "before": before, "limit": limit}
        return [CallRow(*row) for row in await self._query(sql.CALLS.format(where=where), values)]

    async def take(self, call_id: str) -> CallRow | None:
        return await self._write(partial(writes.take, call_id=call_id, owner=self.owner), _as_it_is)

    async def release(self, call_id: str) -> bool:
        return await self._write(partial(writes.release, call_id=call_id, owner=self.owner), _as_it_is)

    async def take_ended(self, call_id: str, absent: float = 0.0) -> CallRow | None:
        rows = await self.calls(call_id=call_id)  # there is no other process
        return rows[0] if rows and rows[0].ended_at is not None else None

    async def leave_ended(self, call_id: str) -> None:
        """Nothing to do: there is no other process."""

    async def whose(self, call_id: str) -> Whose:
        rows = await self.calls(call_id=call_id)
        return Whose.UNKNOWN if not rows else Whose.OURS if rows[0].owner == self.owner else Whose.NO_ONES

    @asynccontextmanager
    async def chore(self, name: str, every: float) -> AsyncIterator[bool]:
        yield True

    async def delete(self, call_id: str, *, more: bool = False) -> bool:
        def deleted(done: bool) -> bool:
            self._lanes.forget(call_id)
            self._hints.give("deletions", call_id)
            self._hints.give("events", call_id)
            return done

        return await self._write(partial(self._tidy.delete, call_id=call_id, more=more), deleted)

    async def interims(self, call_id: str) -> list[Event]:
        return self._recent.interims(call_id)

    async def copy(self, to: Path) -> None:
        await self._query(sql.COPY, (str(to),))

    def watch(self, *topics: Topic, call_id: str | None = None, own: bool = False) -> Watch:
        return self._hints.watch(topics, call_id, own)

    def __repr__(self) -> str:
        return (
            f"<SQLiteStore calls={len(self._recent)} lanes={len(self._lanes)} waiting={self.load.waiting} "
            f"events={self.counters['events']}>"
        )

    @property
    def commits(self) -> int:
        """Commits so far; `counters["events"]` by this is the gain of group commit."""
        return self._writer.commits if self._writer else 0

    @property
    def trouble(self) -> Trouble | None:
        return self._health.trouble

    def _load(self, files: Files) -> tuple[list[tuple[str]], list[LaneRow], int]:
        """What memory has to know: the calls that had not ended, and what was not delivered."""
        lanes = list(writes.pending(files.writing, self._outlets))
        position = files.writing.execute(sql.POSITION).fetchone()[0]
        return files.writing.execute(sql.OPEN_CALLS).fetchall(), lanes, position

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
