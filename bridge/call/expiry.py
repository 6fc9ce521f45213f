"""Deleting records, and entries of the audit log, when they are too old: a look now and then.

A record goes with all that belongs to it, as if a reader had deleted it, and the audit log says so. One whose audio is
being transcribed waits until that is over; what is still to be delivered is waited for by the store. Where several
processes share a record, and so an audit log, one at a time looks at each of them.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext

from bridge.call.backfill import Backfill
from bridge.call.eraser import Eraser
from bridge.errors import StoreError
from bridge.events import timestamp
from bridge.store.auditing import AuditLog, Entry
from bridge.store.base import CallIndex

log = logging.getLogger("bridge.expiry")

_PAUSE = 600.0  # seconds between two looks
_AT_ONCE = 100  # records that are asked for in one go
_MOST_FAILURES = 100  # of one look: then it is the disk, and not the record


class Expiry:
    """`async with Expiry(…):` looks at once, and then every ten minutes."""

    def __init__(
        self,
        store: CallIndex,
        eraser: Eraser,
        backfill: Backfill,
        audit: AuditLog,
        *,
        record_days: float | None,
        audit_days: float | None,
        wall: Callable[[], float],
        chore: Callable[[str, float], AbstractAsyncContextManager[bool]] = lambda name, every: nullcontext(True),
        records: bool = True,
    ) -> None:
        """`record_days`: for which a record stays after its call, where the call does not say. `audit_days`: for which
        an entry of the audit log stays. None: for ever. `wall` tells seconds since 1970. `chore`: whether this process
        looks at the record, or at the audit log, now. `records`: False: others delete them, and here only the audit
        log is looked through.
        """
        self.counters: Counter[str] = Counter()
        self._store = store
        self._eraser = eraser
        self._backfill = backfill
        self._audit = audit
        self._record_days = record_days
        self._audit_days = audit_days
        self._wall = wall
        self._chore = chore
        self._records = records

    async def __aenter__(self) -> "Expiry":
        self._task = asyncio.create_task(self._run(), name="expiry")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def look(self) -> None:
        """Delete what is too old now. One that cannot be deleted holds up no other. Raises StoreError."""
        now = self._wall()
        async with self._chore("audit", _PAUSE) as ours:
            await self._audit.sweep(now, self._audit_days if ours else None)
        if not self._records:
            return
        async with self._chore("records", _PAUSE) as ours:
            if ours:
                await self._delete(now)

    async def _delete(self, now: float) -> None:
        passed_over: set[str] = set()
        failures = 0
        while failures < _MOST_FAILURES:
            limit = _AT_ONCE + len(passed_over)
            expired = await self._store.expired(now, self._record_days, limit=limit)
            if not (due := [call_id for call_id in expired if call_id not in passed_over]):
                break
            idle = [call_id for call_id in due if not self._backfill.has(call_id)]
            passed_over.update(due)
            for left, call_id in zip(reversed(range(len(idle))), idle, strict=True):
                if await self._erase(call_id, more=left > 0):
                    passed_over.discard(call_id)
                else:
                    failures += 1

    async def _erase(self, call_id: str, *, more: bool) -> bool:
        """Whether it is gone now; then rest as long as that took, since calls that go on write to the same disk."""
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            deleted = await self._eraser.erase(call_id, more=more)
        except StoreError as error:
            self._fail(error, call_id)
            return False
        if deleted:
            self.counters["records_deleted"] += 1
            await self._note(call_id)
        await asyncio.sleep(clock() - began)
        return True

    async def _note(self, call_id: str) -> None:
        entry = Entry(timestamp(self._wall()), "", "bridge", "", "delete", call_id, None, 204)
        try:
            await self._audit.write(entry)
        except StoreError as error:
            log.error("an entry of the audit log is lost", extra={"call_id": call_id, "reason": str(error)})

    def _fail(self, error: StoreError, call_id: str | None = None) -> None:
        self.counters["failures"] += 1
        log.error("what is too old cannot be deleted", extra={"call_id": call_id, "reason": str(error)})

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except StoreError as error:
                self._fail(error)
            await asyncio.sleep(_PAUSE)
