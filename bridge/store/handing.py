"""How a live call goes from one process to another, as those see it that have it go: protocols."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from bridge.store.kept import Left


class Succession(Protocol):
    """How a process that stops has another one hear its calls, before it lets go of them: over a socket, where that one
    waits for its `DATA_DIR`, or in the store that they share."""

    on_hears: Callable[[str], bool]
    """Is told, by the carrier's id, of each call of this process that another one hears; whether it lets go of it."""

    @property
    def has_successor(self) -> bool:
        """Whether there is another process that goes on with what this one leaves."""

    async def let_listen(self) -> bool:
        """Have another process hear what calls of this one send from now on. Whether one does."""


class HandOvers(Succession, Protocol):
    """The same between open stores of one record, and the other side of it: a process that hears a call of one that
    stops, or that has lost all streams of it, waits for it, and finds there what that has left."""

    async def others(self) -> int:
        """How many open stores there are beside this one whose processes take calls. Raises `StoreError`."""

    async def take_none(self) -> None:
        """This process takes no calls: others are not to wait for it to hear one. Raises `StoreError`."""

    async def wait_left(self, call_id: str, wait_heard: Callable[[str], Awaitable[object]]) -> bool:
        """While another process has an open call, by the carrier's id: until it has let go of it, or is gone, or the
        call has ended, or that process does not stop and has a stream of it, and so keeps it. Whether there was one.
        `wait_heard` is done once this process hears the call; no other store may take it from then on. Raises
        `StoreError`."""

    async def leave(self, record_id: str, left: Left) -> bool:
        """Leave something to the store that takes a call; to be called before `Ownership.release`. False: the call is
        not this store's. Raises `StoreError`."""

    async def left(self, record_id: str, epoch: int) -> Left | None:
        """What the owner before has left of a call that this store has just taken, with this epoch; given once. Raises
        `StoreError`."""
