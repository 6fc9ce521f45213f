"""Everything that posts: a sender for each endpoint of the settings, and one for each that calls have named.

The latter are made when there is something for them, also after a restart, and closed when there is nothing more; they
find out together what is due, so that a thousand of them cost no more than what they deliver.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Protocol

from bridge.delivery.sender import POLL, Sender, Undelivered
from bridge.delivery.timing import Timing
from bridge.errors import ConfigError, StoreError
from bridge.outlets import Named, pattern_of

log = logging.getLogger(__name__)

IDLE = 60.0
"""Seconds after which a sender is closed that has nothing to do."""

AGAIN = 5.0
"""Seconds between two looks whether another process was told that an endpoint is there again."""

Make = Callable[[Named], Sender | str]
"""Makes the sender of an endpoint that a call has named; or says why it is not posted to any more."""


class Pending(Undelivered, Protocol):
    """What is needed of a store."""

    def endpoints_waiting(self) -> list[str]:
        """As of `ManagedStore`."""

    def lanes_waiting(self, endpoint: str) -> int:
        """As of `ManagedStore`."""


class Posting:
    """`async with Posting(store, senders, make) as posting:` delivers until it is left; `drain` before."""

    def __init__(
        self,
        store: Pending,
        senders: Mapping[str, Sender],
        make: Make | None = None,
        *,
        counters: Mapping[str, Counter[str]] | None = None,
        timings: Mapping[str, Timing] | None = None,
        poll: float = POLL,
        idle: float = IDLE,
        again: float = AGAIN,
        delivers: bool = True,
    ) -> None:
        """`senders`: by the names of the endpoints. `make`: None where calls may name none. `counters`, `timings`: what
        `make` has those that calls have named share, by the name of the outlet that allowed them. `delivers`: as the
        senders'."""
        self.senders = dict(senders)
        """Of the settings."""
        self.named: dict[str, Sender] = {}
        """Of those that calls have named, as long as they have something to do."""
        self.counters = {name: sender.counters for name, sender in self.senders.items()} | dict(counters or {})
        """By the names in the settings: those that calls have named are counted together."""
        self.timings = {name: sender.attempts.timing for name, sender in self.senders.items()} | dict(timings or {})
        """Likewise."""
        self._store = store
        self._make = make
        self._pause = poll
        self._idle = idle
        self._again = again
        self._delivers = delivers
        self._since: dict[str, float] = {}  # when those that are named had something to do
        self._refused: set[str] = set()
        self._gone: set[str] = set()  # those that have said so: only a person makes a sender for what waits for them
        self._asked: Counter[str] = Counter()  # by how many each is asked for something
        self._stacks: dict[str, AsyncExitStack] = {}
        self._waking = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._stack = AsyncExitStack()

    @property
    def empty(self) -> bool:
        """Whether there is no endpoint, and can be none."""
        return not self.senders and self._make is None

    def __repr__(self) -> str:
        return f"<Posting {list(self.senders.values())} and {len(self.named)} named>"

    async def __aenter__(self) -> "Posting":
        for sender in self.senders.values():
            await self._stack.enter_async_context(sender)
        if self._make:
            self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._poll())]
        if self._delivers:
            self._tasks.append(asyncio.create_task(self._look_again()))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        for ended in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                log.error("a task of the delivery failed", exc_info=ended)
        for endpoint in list(self.named):
            await self._close(endpoint)
        await self._stack.aclose()

    def waiting(self) -> dict[str, int]:
        """Calls of which something waits, by the names in the settings; none where other processes deliver, who know
        whether that is for long."""
        if not self._delivers:
            return {}
        found = {name: self._store.lanes_waiting(name) for name in self.counters}
        for endpoint in self._store.endpoints_waiting():
            if (name := pattern_of(endpoint)) in found:
                found[name] += self._store.lanes_waiting(endpoint)
        return found

    async def drain(self, deadline: float) -> bool:
        """As a sender's, of all at once."""
        senders = [*self.senders.values(), *self.named.values()]
        return all(await asyncio.gather(*(sender.drain(deadline) for sender in senders)))

    async def of_call(self, call_id: str) -> list[str]:
        """The endpoints that get a call or may be asked to, those of the settings first."""
        named = [endpoint for endpoint in await self._store.deliveries(call_id) if pattern_of(endpoint)]
        return [*self.senders, *named]

    async def undelivered(self) -> list[str]:
        """The endpoints of the settings, and those named that something waits for or was given up of."""
        named = [backlog.endpoint for backlog in await self._store.backlogs() if pattern_of(backlog.endpoint)]
        return [*self.senders, *named]

    @asynccontextmanager
    async def sender(self, endpoint: str) -> AsyncIterator[Sender | None]:
        """The sender of an endpoint, while it is asked for something; None: there is none, or no longer."""
        async with self._waking:
            found = self.senders.get(endpoint) or await self._named(endpoint)
            self._asked[endpoint] += 1
        try:
            yield found
        finally:
            self._asked[endpoint] -= 1

    async def _follow(self) -> None:
        with self._store.watch("lanes", "interims", own=True) as hints:
            async for hint in hints:
                if hint.topic == "lanes":
                    await self._wake()
                elif hint.call_id is not None:
                    for sender in self.named.values():
                        sender.offer_interim(hint.call_id)

    async def _poll(self) -> None:
        while True:
            await self._wake()
            await self._close_idle()
            await asyncio.sleep(self._pause)

    async def _look_again(self) -> None:
        """An endpoint that has said that it is gone is there again once a person says so, at any process."""
        while True:
            await asyncio.sleep(self._again)
            with suppress(StoreError):  # the store says what is wrong with it, and it is asked again
                for endpoint in [name for name in self._gone if await self._is_back(name)]:
                    self._gone.discard(endpoint)
                for endpoint, sender in [*self.senders.items(), *self.named.items()]:
                    if sender.gone and await self._is_back(endpoint):
                        sender.breaker.enable()

    async def _is_back(self, endpoint: str) -> bool:
        return await self._store.disabled(endpoint) is None

    async def _wake(self) -> None:
        """Let those deliver that have something to."""
        if not self._delivers:
            return
        async with self._waking:
            waiting = self._store.endpoints_waiting()
            self._gone.intersection_update(waiting)
            for endpoint in waiting:
                if not pattern_of(endpoint) or endpoint in self._gone:
                    continue
                if (sender := await self._named(endpoint)) and not sender.gone:
                    self._since[endpoint] = asyncio.get_running_loop().time()
                    await sender.wake()

    async def _named(self, endpoint: str) -> Sender | None:
        if endpoint in self.named or endpoint in self._refused or not self._make:
            return self.named.get(endpoint)
        try:
            url = await self._store.named_url(endpoint)
            if url is None:
                return None
            made = self._make(Named(endpoint, url))
            if isinstance(made, Sender):
                stack = AsyncExitStack()
                await stack.enter_async_context(made)
                self.named[endpoint], self._stacks[endpoint] = made, stack
                self._gone.discard(endpoint)
                self._since[endpoint] = asyncio.get_running_loop().time()
                return made
        except StoreError as error:
            log.error("a named webhook waits for the store", extra={"endpoint": endpoint, "reason": str(error)})
            return None
        except ConfigError as error:
            made = str(error)
        self._refused.add(endpoint)
        log.error("nothing is posted to a webhook that calls have named", extra={"endpoint": endpoint, "reason": made})
        return None

    async def _close_idle(self) -> None:
        now = asyncio.get_running_loop().time()
        waiting = set(self._store.endpoints_waiting())
        async with self._waking:
            for endpoint, sender in list(self.named.items()):
                busy = (endpoint in waiting or not sender.idle) and not sender.gone
                if busy or self._asked[endpoint]:
                    self._since[endpoint] = now
                elif now - self._since[endpoint] > self._idle:
                    if sender.gone:
                        self._gone.add(endpoint)
                    await self._close(endpoint)

    async def _close(self, endpoint: str) -> None:
        del self.named[endpoint], self._since[endpoint]
        await self._stacks.pop(endpoint).aclose()
