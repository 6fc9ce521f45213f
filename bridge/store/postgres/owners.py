"""Who goes on with a call, or adds to it after its end: by its owner and epoch in the row of the call, and the
heartbeats of its owner. What one process does for all has a row of its own."""

import asyncio
from abc import ABC, abstractmethod
from asyncio import Future
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from bridge.errors import StoreError
from bridge.store.base import CallRow, Whose
from bridge.store.postgres import statements
from bridge.store.postgres.bus import Bus
from bridge.store.postgres.connections import Database
from bridge.store.postgres.telling import FarInterims
from bridge.store.postgres.works import Release, Work
from bridge.store.recent import Recent

T = TypeVar("T")

_LOCKED = 0.2  # seconds until another transaction is over, or that of a process that is gone was taken back

_REMEMBERED = 10_000  # calls that this process has had

_TRIES = 3  # to take a call, whose answer may get lost


class PostgresOwnership(ABC):
    """A part of `PostgresStore`, which has the database."""

    _bus: Bus
    _database: Database
    _recent: Recent
    _far: FarInterims

    def __init__(self, owner: str, lease: float) -> None:
        self.owner = owner
        self.lease: float | None = lease
        self._epochs: dict[str, int] = {}
        """Of the calls that this process goes on with."""
        self._had: dict[str, int] = {}
        """Of those that it has had, has ended, or adds to after their end: what another has taken since is refused."""

    @abstractmethod
    def _write(self, work: Work, committed: Callable[[Any], T], patience: float = 0.0) -> "Future[T]": ...

    @abstractmethod
    def _check_open(self) -> None: ...

    async def abandoned(self, *, before: str | None = None, limit: int = 200) -> list[CallRow]:
        self._check_open()
        values = {"before": before, "limit": limit, "node": self.owner, "lease": self.lease}
        return [CallRow(*row) for row in await self._database.query(statements.ABANDONED, values)]

    async def take(self, call_id: str) -> CallRow | None:
        self._check_open()
        for attempt in range(_TRIES):
            last = attempt == _TRIES - 1
            try:
                taken, again = await self._take(call_id)
            except StoreError:
                if last:
                    raise
                again, taken = 1.0, None
            if taken or not again or last:
                return taken
            await asyncio.sleep(again)
        return None

    async def _take(self, call_id: str) -> tuple[CallRow | None, float]:
        """The call, or after how many seconds to try again; 0: it is not to be had."""
        values = {"call_id": call_id, "node": self.owner, "lease": self.lease}
        async with self._database.reading() as connection, connection.pipeline() as pipeline:
            await connection.execute(statements.BEGIN)
            await connection.execute(statements.SETTINGS)
            locked = await connection.execute(statements.LOCK_TO_TAKE, (call_id,))
            await pipeline.sync()
            row = await locked.fetchone()
            asked = await connection.execute(statements.TAKE if row else statements.FENCE, values)
            known = await connection.execute(statements.KNOWN, values)
            await connection.execute("COMMIT")
            found = await asked.fetchone()
            is_known = await known.fetchone() is not None
        if row is None:
            return None, _LOCKED if found or is_known else 0.0
        if found is None and row[5] == self.owner and row[3] is None and call_id not in self._epochs:
            found = row  # the answer to the try before got lost
        if found is None:
            return None, 0.0
        call = CallRow(*found)
        self._far.end(call_id)
        self._recent.begin(call_id)
        self._epochs[call_id] = call.epoch
        return call, 0.0

    async def release(self, call_id: str) -> bool:
        def released(done: bool) -> bool:
            if done:
                self._leave(call_id)
                self._bus.tell_handing()
            return done

        return await self._write(Release(call_id), released)

    async def take_ended(self, call_id: str, absent: float = 0.0) -> CallRow | None:
        self._check_open()
        values = {"call_id": call_id, "node": self.owner, "lease": self.lease, "absent": absent}
        rows = await self._database.query(statements.TAKE_ENDED, values)  # once more is only one epoch more
        if not rows:
            return None
        row = CallRow(*rows[0])
        self._remember(call_id, row.epoch)
        return row

    async def leave_ended(self, call_id: str) -> None:
        async with self._database.reading() as connection:
            await connection.execute(statements.LEAVE_ENDED, (call_id, self.owner))

    async def whose(self, call_id: str) -> Whose:
        self._check_open()
        rows = await self._database.query(statements.WHOSE, (call_id,))
        if not rows:
            return Whose.UNKNOWN
        owner, alive = rows[0]
        return Whose.OURS if owner == self.owner else Whose.OTHERS if alive else Whose.NO_ONES

    @asynccontextmanager
    async def chore(self, name: str, every: float) -> AsyncIterator[bool]:
        self._check_open()
        values = {"chore": name, "node": self.owner, "every": every}
        ours = bool(await self._database.query(statements.BEGIN_CHORE, values))
        try:
            yield ours
        finally:
            if ours:
                await self._end_chore(name)

    async def _end_chore(self, name: str) -> None:
        """Where that is not to be told, it is this process's until the next time, or until the lease runs out."""
        with suppress(StoreError):
            async with self._database.reading() as connection:
                await connection.execute(statements.END_CHORE, (name, self.owner))

    def _leave(self, call_id: str) -> None:
        if epoch := self._epochs.pop(call_id, None):
            self._remember(call_id, epoch)
        self._recent.end(call_id)
        self._far.end(call_id)

    def _epoch(self, call_id: str, *, begins: bool) -> int | None:
        """Under which this process has, or has had, a call. None: it has not, or it `begins`, or is there already: what
        follows on its beginning is under the first epoch."""
        if not begins:
            return self._epochs.get(call_id) or self._had.get(call_id)
        if call_id not in self._epochs:
            self._remember(call_id, 1)
        return None

    def _remember(self, call_id: str, epoch: int) -> None:
        self._had.pop(call_id, None)
        self._had[call_id] = epoch  # the newest last
        while len(self._had) > _REMEMBERED:
            del self._had[next(iter(self._had))]
