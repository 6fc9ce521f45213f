"""One connection that writes, and group commit: many pieces of work, one transaction.

Work is queued without waiting and done in the order it was queued. Whatever is queued while a commit is on its way goes
into the next one together. While the database is away everything waits and is tried again, with nothing lost, until it
succeeds or the writer is closed. The queue has a bound, and beyond it work is refused.
"""

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection

from bridge.errors import StoreError
from bridge.store.base import Trouble
from bridge.store.load import Load
from bridge.store.postgres.connections import STALL, Database, let_go, trouble, words
from bridge.store.postgres.works import Work
from bridge.store.trouble import Health

log = logging.getLogger("bridge.store")

T = TypeVar("T")

GROUP = 1000
"""Pieces of work in one commit, at most."""

CAPACITY = 10_000
"""Pieces of work that may wait."""

CLOSE_GRACE = 5.0
"""Seconds that closing gives a commit that fails."""

MIN_BACKOFF, MAX_BACKOFF = 0.05, 2.0
"""Seconds between tries of a commit that fails."""

Commit = Callable[[AsyncConnection[Any], Sequence[Work], bool], Awaitable[list[Any]]]
"""Writes a group: the result of each, or the `BridgeError` that refuses it. True: the try before may have succeeded."""


@dataclass(slots=True)
class _Queued:
    work: Work
    committed: Callable[[Any], Any]
    future: asyncio.Future[Any]
    hurry: float
    """By when it is to be written, on the loop's clock."""


class Writer:
    """`start`, then `submit`; `close` commits what is queued."""

    def __init__(
        self,
        database: Database,
        commit: Commit,
        *,
        load: Load,
        health: Health,
        counters: Counter[str],
        close_grace: float = CLOSE_GRACE,
    ) -> None:
        self.commits = 0
        self.load = load
        self._database = database
        self._commit_group = commit
        self._health = health
        self._counters = counters
        self._close_grace = close_grace
        self._connection: AsyncConnection[Any] | None = None
        self._queue: deque[_Queued] = deque()
        self._came = asyncio.Event()
        self._closed = False
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._told = False
        self._given_up = ""
        """Why nothing more is written."""

    def start(self, connection: AsyncConnection[Any]) -> None:
        """Begin, with a connection that is its own from now on."""
        self._connection = connection
        self._task = asyncio.create_task(self._run(), name="store writer")

    def submit(self, work: Work, committed: Callable[[Any], T], patience: float = 0.0) -> "asyncio.Future[T]":
        """Queue work; the future is done when it is committed. `patience`: seconds for which it may wait for other
        work, to share its commit. `committed` gets its result, in the order of the work and before any caller is
        woken; what it returns is the result of the future.

        Raises `StoreError` when the queue is full or closed.
        """
        self.check_room()
        loop = asyncio.get_running_loop()
        queued = _Queued(work, committed, loop.create_future(), loop.time() + patience)
        self.load.waiting += 1
        self._queue.append(queued)
        self._came.set()
        return queued.future

    def check_room(self) -> None:
        """Raises `StoreError` where `submit` would."""
        if self._closed:
            raise StoreError("the store is closed")
        if self.load.waiting >= self.load.capacity:
            raise StoreError(f"the store's queue is full: {self.load.waiting} writes wait for the database")

    async def close(self) -> None:
        """Commit what is queued, then end. What cannot be committed in a few seconds fails."""
        self._closed = True
        self._came.set()
        if self._task:
            await asyncio.wait({self._task}, timeout=self._close_grace)
            self._closing.set()  # what can be committed still is
            await self._task
        await let_go(self._connection)

    async def _run(self) -> None:
        while group := await self._gather():
            if self._given_up:
                results: list[Any] = [StoreError(self._given_up)] * len(group)
            else:
                results = await self._write(group, again=False)
            self._deliver(group, results)

    async def _gather(self) -> list[_Queued]:
        """The work for the next commit: all that waits, and what comes while none of it is in a hurry. Empty: there is
        no more."""
        loop = asyncio.get_running_loop()
        while not self._closed or self._queue:
            self._came.clear()
            if not self._queue:
                await self._came.wait()
                continue
            left = min(queued.hurry for queued in self._queue) - loop.time()
            if left > 0 and not self._closed and len(self._queue) < GROUP:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._came.wait(), left)
                continue
            return [self._queue.popleft() for _ in range(min(GROUP, len(self._queue)))]
        return []

    async def _write(self, group: list[_Queued], *, again: bool) -> list[Any]:
        """Commit a group, however long it takes; the result of each, or its error."""
        backoff = MIN_BACKOFF
        while True:
            try:
                results = await self._commit(group, again)
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the task
                found = trouble(error)
                if found is None or not found.passes:
                    return await self._refuse(group, error, found, again)
                again = True
                await self._fail(found, len(group))
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), backoff)
                if self._closing.is_set():
                    self._given_up = f"the store was closed before it could write: {found.reason}"
                    return [StoreError(self._given_up)] * len(group)
                backoff = min(2 * backoff, MAX_BACKOFF)
            else:
                self._succeeded()
                return results

    async def _commit(self, group: list[_Queued], again: bool) -> list[Any]:
        began = time.monotonic()
        async with asyncio.timeout(STALL):
            if self._connection is None:
                self._connection = await self._database.connect()
            results = await self._commit_group(self._connection, [queued.work for queued in group], again)
        self.commits += 1
        self.load.commit_seconds.add(time.monotonic() - began)
        return results

    async def _refuse(self, group: list[_Queued], error: Exception, found: Trouble | None, again: bool) -> list[Any]:
        """One piece of work is bad: alone it fails, and in a group the others must not suffer."""
        if found:
            self._health.failed(found)
        await self._drop()
        if len(group) > 1:
            return [result for queued in group for result in await self._write([queued], again=again)]
        if isinstance(error, psycopg.Error):
            log.error("the store refused a write", extra={"reason": words(error)})
            return [StoreError(f"the store refused a write: {words(error)}")]
        log.error("the store refused a write", exc_info=error)
        return [StoreError("the store refused a write: a fault of the bridge's own")]

    async def _fail(self, found: Trouble, waiting: int) -> None:
        self._counters["failed_commits"] += 1
        self._health.failed(found)
        await self._drop()
        if not self._told and found is not None:
            detail = {"reason": found.reason, "waiting": waiting + len(self._queue)}
            log.error("the store cannot write; it goes on trying, and what is given to it waits", extra=detail)
        self._told = True

    def _succeeded(self) -> None:
        self._health.committed()
        if self._told:
            log.warning("the store can write again", extra={"waiting": len(self._queue)})
        self._told = False

    async def _drop(self) -> None:
        """The next try has a connection of its own: what this one is in the middle of is taken back."""
        connection, self._connection = self._connection, None
        await let_go(connection)

    def _deliver(self, group: list[_Queued], results: list[Any]) -> None:
        self.load.waiting -= len(group)
        for queued, result in zip(group, results, strict=True):
            error = result if isinstance(result, BaseException) else None
            if error is None:
                try:
                    result = queued.committed(result)
                except Exception as fault:  # noqa: BLE001 - a bug of one piece's owner, and so it goes to its owner
                    error = fault
            if queued.future.done():
                continue  # the caller has gone; the commit stands all the same
            if error is None:
                queued.future.set_result(result)
            else:
                queued.future.set_exception(error)
