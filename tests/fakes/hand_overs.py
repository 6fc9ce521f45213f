"""How live calls go from one process to another, in memory: what PostgreSQL's rows say, said by the test."""

import asyncio
from collections.abc import Awaitable, Callable

from bridge.store.kept import Left


class MemoryHandOvers:
    """Of one store, which is given it as its `hand_overs`."""

    def __init__(self, others: int = 1) -> None:
        self.on_hears: Callable[[str], bool] = lambda call_id: False
        self.has_successor = False
        self.takes = True
        self.had: dict[str, asyncio.Event] = {}
        """Calls of another process, with an event that is set once it has let go of them."""
        self.heard: list[str] = []
        self.leaves: dict[str, Left] = {}
        """By record."""
        self._others = others

    async def others(self) -> int:
        return self._others

    async def take_none(self) -> None:
        self.takes = False

    async def let_listen(self) -> bool:
        self.has_successor = self._others > 0
        return self.has_successor

    async def wait_left(self, call_id: str, wait_heard: Callable[[str], Awaitable[object]]) -> bool:
        if (gone := self.had.get(call_id)) is None:
            return False
        await wait_heard(call_id)
        self.heard.append(call_id)
        await gone.wait()
        return True

    async def leave(self, record_id: str, left: Left) -> bool:
        self.leaves[record_id] = left
        return True

    async def left(self, record_id: str, epoch: int) -> Left | None:
        return self.leaves.pop(record_id, None)
