"""A server that waits for its `DATA_DIR` while another process has it: it listens meanwhile, and keeps what it hears.

Where the other process knows no successors, or has one, it is waited for a little, as a command such as `bridge import`
lets the folder go soon.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from bridge.call import CallRegistry
from bridge.errors import StoreInUse
from bridge.store.base import ManagedStore
from bridge.store.succession import Holder, Successor, stand_by

log = logging.getLogger("bridge.app")

_PATIENCE, _PAUSE = 5.0, 0.05  # seconds for which the store is waited for, and between two tries
_LET_GO = 30.0  # seconds for which it may stay closed after the other process has said that it has let go


class Standby:
    """Opens the store, as soon as it can be."""

    def __init__(self, data_dir: Path, registry: CallRegistry) -> None:
        self.begun = asyncio.Event()
        """To be set once all is open; set, too, once this process is the successor of the one that has the store."""
        self.listening = asyncio.Event()
        """To be set once this process listens."""
        self._data_dir = data_dir
        self._registry = registry
        self.is_open = False
        """The store is this process's."""
        self._stood_by = False
        self._successor: Successor | None = None

    def __repr__(self) -> str:
        return f"<Standby {'waiting' if self._successor else 'not waiting'} for {self._data_dir}>"

    @property
    def is_waiting(self) -> bool:
        """Whether another process still has all calls."""
        return self._successor is not None and not self._successor.let_listen.is_set()

    async def may_listen(self) -> bool:
        """Until this process may listen where the other one does; False: it has not waited for one."""
        if self._successor:
            await self._successor.let_listen.wait()
        return self._stood_by

    async def open(self, stack: AsyncExitStack, store: ManagedStore, holder: Holder) -> None:
        """Open the store, and be the one that others ask. Raises StoreError."""
        ends = time.monotonic() + _PATIENCE
        while True:
            try:
                await stack.enter_async_context(store)
                break
            except StoreInUse:
                if successor := await stand_by(self._data_dir):
                    await self._wait(successor)
                    ends = time.monotonic() + _LET_GO
                elif time.monotonic() > ends:
                    raise
            await asyncio.sleep(_PAUSE)
        self.is_open = True
        await holder.open()

    async def _wait(self, successor: Successor) -> None:
        log.info("waiting for the process that has the record", extra={"path": str(self._data_dir)})
        self._successor, self._stood_by = successor, True
        self._registry.on_early = successor.hears
        telling = asyncio.create_task(self._tell(successor))
        self.begun.set()
        try:
            await successor.wait_gone()
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
            self._registry.on_early = self._registry.openings.hear
            self._successor = None
            successor.close()
        log.info("the process that had the record has let go")

    async def _tell(self, successor: Successor) -> None:
        await successor.let_listen.wait()
        await self.listening.wait()
        successor.listening()


async def first(*work: Coroutine[Any, Any, Any]) -> Any:
    """The result of what is done first; the others are not waited for."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(task for task in tasks if task in done).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
