"""One thread that owns the writing connection, and group commit: many pieces of work, one flush to the disk.

Work is queued by the event loop without waiting and done in the order it was queued. Whatever is queued while a
commit is on its way goes into the next one together, so the rate grows with the load and not with the disk. A commit
that fails because of the disk is tried again, with nothing lost, until it succeeds or the writer is closed; one that
meets damage is refused, and no other with it. The queue has a bound, and beyond it work is refused. What the work is,
is no business of this module.
"""

import asyncio
import logging
import queue
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any, TypeVar

from bridge.errors import BridgeError, StoreError
from bridge.store.base import Trouble
from bridge.store.load import Load
from bridge.store.trouble import Health, trouble, words

log = logging.getLogger(__name__)

R = TypeVar("R")
T = TypeVar("T")

GROUP = 1000
"""Pieces of work in one commit, at most."""

CAPACITY = 10_000
"""Pieces of work that may wait: half a minute of a busy machine."""

MIN_BACKOFF, MAX_BACKOFF = 0.05, 5.0
"""Seconds between tries of a commit that fails."""

CLOSE_GRACE = 5.0
"""Seconds that closing gives a commit that fails."""


@dataclass(slots=True)
class _Work:
    do: Callable[[sqlite3.Connection], Any]
    committed: Callable[[Any], Any]
    future: asyncio.Future[Any]
    patience: float
    result: Any = None
    error: BaseException | None = None


class Writer:
    """Runs work on `connection` in a thread of its own; made and used on one event loop."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        capacity: int = CAPACITY,
        close_grace: float = CLOSE_GRACE,
        tidy: Callable[[sqlite3.Connection], bool] = lambda connection: False,
        health: Health | None = None,
        diagnose: Callable[[Exception], Trouble | None] = trouble,
        counters: Counter[str] | None = None,
        load: Load | None = None,
    ) -> None:
        """`tidy`: some milliseconds of work that is done while nothing waits; True: there is more of it. `health` is
        told how it goes, as `diagnose` says of an error; `counters` have the commits that failed, and `load` the
        others; it has the capacity, too.
        """
        self.commits = 0
        self.counters = Counter() if counters is None else counters
        self.load = load or Load(capacity)
        self.health = health or Health()
        self._diagnose = diagnose
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._close_grace = close_grace
        self._tidy = tidy
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._closed = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Pieces of work that are not committed."""
        return self.load.waiting

    def submit(
        self, do: Callable[[sqlite3.Connection], R], committed: Callable[[R], T], patience: float = 0.0
    ) -> asyncio.Future[T]:
        """Queue work; the future is done when it is committed.

        `patience`: seconds for which it may wait for other work, to share its commit.

        `do` runs in the writer's thread inside a transaction shared with other work, and runs again if that is rolled
        back. It raises a `BridgeError` before it has written anything to refuse itself alone. `committed` gets its
        result on the event loop, in the order of the work and before the waiting callers are woken, whether or not
        a caller still waits; what it returns is the result of the future.

        Raises `StoreError` when the queue is full or closed.
        """
        self.check_room()
        work = _Work(do, committed, self._loop.create_future(), patience)
        self.load.waiting += 1
        self._queue.put(work)
        return work.future

    def check_room(self) -> None:
        """Raises `StoreError` where `submit` would."""
        if self._closed:
            raise StoreError("the store is closed")
        if self.load.waiting >= self.load.capacity:
            raise StoreError(f"the store's queue is full: {self.load.waiting} writes wait for the disk")

    async def close(self) -> None:
        """Commit what is queued, then end the thread. What cannot be committed in a few seconds fails."""
        self._closed = True
        self._queue.put(None)
        ended = asyncio.get_running_loop().run_in_executor(None, self._thread.join)
        done, _ = await asyncio.wait({ended}, timeout=self._close_grace)
        self._closing.set()
        if not done:
            await ended

    def _run(self) -> None:
        open_ = True
        while open_:
            group, open_ = self._gather()
            if group:
                self._write(group)
                self._loop.call_soon_threadsafe(self._deliver, group)
                self._tidy_up()

    def _gather(self) -> tuple[list[_Work], bool]:
        """The work for the next commit: all that waits, and what comes while none of it is in a hurry. False: there is
        no more after it."""
        group: list[_Work] = []
        work = self._queue.get()
        until = inf
        while work is not None:
            group.append(work)
            until = min(until, time.monotonic() + work.patience)
            if len(group) == GROUP:
                break
            try:
                work = self._queue.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
        return group, work is not None

    def _tidy_up(self) -> None:
        try:
            while self._queue.empty() and self._tidy(self._connection):
                pass
        except sqlite3.Error as error:
            self._rollback()  # it is tried again after the next commit
            log.warning("the store cannot tidy up", extra={"reason": words(error)})

    def _write(self, group: list[_Work]) -> None:
        """Commit a group, however long it takes; afterwards each piece has its result or its error."""
        backoff = MIN_BACKOFF
        while True:
            try:
                self._commit(group)
                return
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the thread
                self._rollback()
                found = self._diagnose(error)
                if found:
                    self._loop.call_soon_threadsafe(self._fail, found)
                if not found or not found.passes:
                    self._refuse(group, error)
                    return
                log.error(
                    "the store cannot write, and tries again",
                    extra={
                        "reason": found.reason,
                        "waiting": self._queue.qsize() + len(group),
                        "delay": backoff,
                    },
                )
                if self._closing.wait(backoff):
                    for work in group:
                        work.error = StoreError(f"the store was closed before it could write: {found.reason}")
                    return
                backoff = min(2 * backoff, MAX_BACKOFF)

    def _refuse(self, group: list[_Work], error: Exception) -> None:
        """One piece of work is bad: alone it fails, and in a group the others must not suffer."""
        if len(group) == 1:
            if isinstance(error, sqlite3.Error):
                log.error("the store refused a write", extra={"reason": words(error)})
                group[0].error = StoreError(f"the store refused a write: {words(error)}")
            else:
                log.error("the store refused a write", exc_info=error)
                group[0].error = StoreError("the store refused a write: a fault of the bridge's own")
            return
        for work in group:
            self._write([work])

    def _commit(self, group: list[_Work]) -> None:
        began = time.monotonic()
        self._connection.execute("BEGIN IMMEDIATE")
        for work in group:
            work.error = None
            try:
                work.result = work.do(self._connection)
            except BridgeError as error:
                work.error = error
        self._connection.execute("COMMIT")
        self.commits += 1
        self.load.commit_seconds.add(time.monotonic() - began)

    def _rollback(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            log.error("the store could not roll back", extra={"reason": words(error)})

    def _fail(self, found: Trouble) -> None:
        self.counters["failed_commits"] += 1
        self.health.failed(found)

    def _deliver(self, group: list[_Work]) -> None:
        self.load.waiting -= len(group)
        if any(work.error is None for work in group):
            self.health.committed()
        for work in group:
            try:
                result = work.committed(work.result) if work.error is None else None
            except Exception as error:  # noqa: BLE001 - a bug of one piece's owner, and so it goes to its owner
                work.error = error
            if work.future.done():
                continue  # the caller has gone; the commit stands all the same
            if work.error is None:
                work.future.set_result(result)
            else:
                work.future.set_exception(work.error)
