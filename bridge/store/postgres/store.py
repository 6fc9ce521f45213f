"""The store of any number of processes: PostgreSQL.

What `append` has acknowledged is committed there, and no other process can have written between: each call has one
owner, and a commit that finds another is refused. What the followers of a call on this process ask for is answered from
memory (`recent`); what other processes do is learnt from their hints, and from a look now and then behind these.
"""

import asyncio
import os
import secrets
from asyncio import Future
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection

from bridge.errors import NotOwner, StoreError
from bridge.events import CallStarted, Event, TranscriptFinal
from bridge.outbox import Batching
from bridge.outlets import Named, Outlets
from bridge.store.audit import AuditFiles
from bridge.store.base import Topic, Trouble
from bridge.store.files import lock
from bridge.store.hints import Watch
from bridge.store.load import Load
from bridge.store.postgres import connections, group, statements
from bridge.store.postgres.audit import PostgresAudit
from bridge.store.postgres.bus import Bus
from bridge.store.postgres.connections import AWAY, Database, check, let_go, own_origin, words
from bridge.store.postgres.hand_overs import PostgresHandOvers
from bridge.store.postgres.keepers import PostgresKeepers
from bridge.store.postgres.node import LEASE, Node
from bridge.store.postgres.outbox import PostgresOutbox
from bridge.store.postgres.owners import PostgresOwnership
from bridge.store.postgres.passing import PostgresPassing
from bridge.store.postgres.plan import Plan
from bridge.store.postgres.record import PostgresRecord
from bridge.store.postgres.schema import check_version, migrate
from bridge.store.postgres.telling import ALL, Message
from bridge.store.postgres.works import Append, Appended, Delete, Work
from bridge.store.postgres.writer import CAPACITY, CLOSE_GRACE, Writer
from bridge.store.trouble import Health

T = TypeVar("T")

POLL, SHORT_POLL = 5.0, 0.5
"""Seconds between two looks at what other processes have written: where their hints arrive, and where not."""

_BEHIND = 0.05  # seconds until a look at what others were about to commit

_MANY = 5_000  # events after which no one asks whose they are


class PostgresStore(PostgresOutbox, PostgresRecord, PostgresOwnership):
    """`async with PostgresStore(url, ["webhook"]) as store:` opens it, or says in a `StoreError` why it cannot.

    `endpoints`: those that are to get the events of the calls that begin from now on; a name alone is one that gets
    every call. `owner`: this store's id among the owners of calls, never used before; by default one by chance.
    `lease`: seconds without a heartbeat after which others may take its calls. `data_dir`: a folder that is locked
    meanwhile, for audio lies there. `reached_at`: this process's origin for the others, or where it listens.
    """

    def __init__(
        self,
        url: str,
        endpoints: Outlets | Sequence[str] = (),
        *,
        owner: str | None = None,
        batching: Batching | None = None,
        capacity: int = CAPACITY,
        close_grace: float = CLOSE_GRACE,
        lease: float = LEASE,
        data_dir: Path | None = None,
        reached_at: str | tuple[str, int] | None = None,
    ) -> None:
        PostgresOutbox.__init__(self, endpoints, batching)
        PostgresRecord.__init__(self)
        PostgresOwnership.__init__(self, owner or secrets.token_hex(8), lease)
        self.load = Load(capacity)
        self._data_dir = data_dir
        self._reached_at = reached_at
        self._lock: int | None = None
        self._health = Health()
        self._database = Database(url, self.owner)
        self.audit = PostgresAudit(self._database, AuditFiles(data_dir or Path()))
        self._node = Node(self._database, self.owner, lease, health=self._health, on_lost=self._forget_calls)
        self._bus = Bus(
            self._database,
            self.owner,
            self._told,
            on_gap=lambda: self._look.set(),
            follows=self._followed,
            counters=self.counters,
        )
        self.passing = PostgresPassing(
            self._database,
            self.owner,
            wake=self._bus.wake,
            hears=lambda: self._bus.hears,
            counters=self.counters,
        )
        self.hand_overs = PostgresHandOvers(self._database, self.owner, lease, tell=self._bus.tell_handing)
        self.keepers = PostgresKeepers(self._database, self.owner, self._node.key)
        self._writer = Writer(
            self._database,
            self._commit,
            load=self.load,
            health=self._health,
            counters=self.counters,
            close_grace=close_grace,
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "PostgresStore":
        connection: AsyncConnection[Any] | None = None
        self._lock = await asyncio.to_thread(_locked, self._data_dir) if self._data_dir else None
        try:
            connection = await self._database.connect()
            await check(connection)
            await migrate(connection)
            self._node.url = own_origin(self._reached_at, connection)
            await self._node.start()
            await check_version(connection)  # who copies a record into it looks for nodes after having said so
            self._is_open = True
            await self._look_what_waits()
            seen = await self.position()
        except (psycopg.Error, OSError, TimeoutError) as error:
            await self._give_up(connection)
            raise StoreError(f"cannot open the database: {words(error)}") from None
        except BaseException:
            await self._give_up(connection)
            raise
        self._writer.start(connection)
        self._bus.start()
        self.passing.start()
        self.hand_overs.start()
        self._tasks = [asyncio.create_task(self._keep_counting()), asyncio.create_task(self._keep_looking(seen))]
        return self

    async def _give_up(self, connection: AsyncConnection[Any] | None) -> None:
        if self._node.alive:
            await self._node.leave()
        await let_go(connection)
        await self._database.close()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
        self._lock = None

    async def __aexit__(self, *_: object) -> None:
        await self._writer.close()
        await self.passing.close()
        await self.hand_overs.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._node.leave()
        await self._bus.close()
        self._hints.close()
        await self._database.close()
        self._unlock()

    def append(
        self,
        events: Sequence[Event],
        interims: Sequence[Event] = (),
        *,
        deliver: bool = True,
        named: Named | None = None,
    ) -> "Future[None]":
        for interim in interims:
            if not self._recent.put_interim(interim):
                self.counters["stale_interims"] += 1
                continue
            self._bus.tell_interim(interim)
            self._hints.give("interims", interim.call_id)
        if not events:
            (done := asyncio.get_running_loop().create_future()).set_result(None)
            return done
        self._check_open()
        self._writer.check_room()  # before anything is serialized
        begun, call_id = events[0].data, events[0].call_id
        begins = deliver and isinstance(begun, CallStarted)
        called = begun.to if isinstance(begun, CallStarted) else None
        epoch = self._epoch(call_id, begins=isinstance(begun, CallStarted))
        endpoints = self._outlets.of(called, named=named is not None) if begins else ()
        new = Append.of(events, epoch, endpoints, named if begins else None)
        self.counters["appends"] += 1
        finals = [event for event in events if isinstance(event.data, TranscriptFinal)]
        written = self._write(new, partial(self._appended, new, finals))
        written.add_done_callback(partial(self._refused, new))
        return written

    def _appended(self, new: Append, finals: list[Event], done: Appended) -> None:
        """What has just become durable is shown."""
        self.counters["duplicates"] += len(new.events) - len(done.events)
        if not done.events:
            return
        self.counters["events"] += len(done.events)
        if new.begun is not None:
            self._epochs.setdefault(new.call_id, 1)
            self._recent.begin(new.call_id)
        self._recent.keep(done.events, finals)
        if new.ended_at is not None:
            self._leave(new.call_id)
        self._bus.tell_events(new.call_id)
        self._hints.give("events", new.call_id)
        if done.woken:
            self._hints.give("lanes")

    def _refused(self, new: Append, written: "Future[None]") -> None:
        """Another process has the call: what memory has of it is not the newest any more."""
        lost = not written.cancelled() and isinstance(written.exception(), NotOwner)
        if lost and new.epoch is not None and self._epoch(new.call_id, begins=False) == new.epoch:
            if new.call_id in self._epochs:
                self._lose(new.call_id)
            self._hints.give("losses", new.call_id)

    def _lose(self, call_id: str) -> None:
        self.counters["lost_calls"] += 1
        self._leave(call_id)

    def _forget_calls(self) -> None:
        """The lease has run out: others may have taken any call. A commit says which; until then nothing is read from
        memory."""
        for call_id in self._epochs:
            self._recent.end(call_id)

    async def delete(self, call_id: str, *, more: bool = False) -> bool:
        def deleted(done: bool) -> bool:
            self._bus.tell_deletion(call_id)
            self._hints.give("deletions", call_id)
            self._hints.give("events", call_id)
            return done

        return await self._write(Delete(call_id), deleted)

    async def interims(self, call_id: str) -> list[Event]:
        if call_id in self._epochs:
            return self._recent.interims(call_id)
        return self._far.of(call_id, asyncio.get_running_loop().time())

    async def copy(self, to: Path) -> None:
        raise StoreError("the record is in PostgreSQL: pg_dump makes a copy of it")

    def watch(self, *topics: Topic, call_id: str | None = None, own: bool = False) -> Watch:
        watch = self._hints.watch(topics, call_id, own)
        if "interims" in topics and not own:
            self._bus.follow()
        return watch

    def __repr__(self) -> str:
        return (
            f"<PostgresStore {self.owner} calls={len(self._epochs)} waiting={self.load.waiting} "
            f"events={self.counters['events']}>"
        )

    @property
    def commits(self) -> int:
        """Commits so far; `counters["events"]` by this is the gain of group commit."""
        return self._writer.commits

    @property
    def trouble(self) -> Trouble | None:
        found = self._health.trouble
        if found == AWAY and self._health.lasts(connections.PATIENCE):
            return replace(AWAY, answers=False)  # who asks now would wait as long, and be told no more
        return found

    def _write(self, work: Work, committed: Callable[[Any], T], patience: float = 0.0) -> "Future[T]":
        self._check_open()
        return self._writer.submit(work, committed, patience)

    async def _commit(self, connection: AsyncConnection[Any], works: Sequence[Work], again: bool) -> list[Any]:
        if not self._node.alive:
            await self._node.renew(connection)  # or others would take what begins now
        plan = Plan(works, self.owner, self._batching, self._outlets)
        results = await group.commit(connection, plan, self.owner, self._batching.max_events, again=again)
        self._count(plan.waiting())
        return results

    def _told(self, message: Message) -> None:
        """What another process says."""
        for call_id in message.events:
            if call_id in self._epochs:
                self._lose(call_id)  # it has the call now
            self._hints.give("events", call_id)
        for call_id in message.deletions:
            self._hints.give("deletions", call_id)
            self._hints.give("events", call_id)
        if self.owner in message.wakes:
            self.passing.look()
        if message.handing:
            self.hand_overs.look()
        interim = message.interim
        now = asyncio.get_running_loop().time()
        if interim and interim.call_id not in self._epochs and self._far.put(interim, now):
            self._hints.give("interims", interim.call_id, far=True)

    def _followed(self) -> list[str]:
        watched = set(self._hints.watched("interims"))
        return [ALL] if None in watched else [call_id for call_id in watched if call_id]

    async def _keep_looking(self, seen: int) -> None:
        """Give hints of what other processes have written, in case theirs were lost. Nothing is asked twice."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL if self._bus.hears else SHORT_POLL):
                    await self._look.wait()
            self._look.clear()
            try:
                whole = await self.position()
                if whole - seen > _MANY:
                    self._hints.give_all("events")
                    seen = whole
                rows = await self._query(statements.CALLS_SINCE, (seen, whole)) if whole > seen else []
            except StoreError:
                await asyncio.sleep(SHORT_POLL)
                continue
            for (call_id,) in rows:
                self._hints.give("events", call_id)
            seen = max(seen, whole)
            await asyncio.sleep(_BEHIND)


def _locked(data_dir: Path) -> int:
    """The lock on a folder, by the file that the SQLite store has there. Raises `StoreInUse`, and `StoreError`."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot use {data_dir}: {error.strerror}") from error
    return lock(data_dir / "bridge")
