"""What processes tell each other: LISTEN on a connection of its own, and NOTIFY after the commit, many hints at once.

NOTIFY never stands in the transaction that writes: who notifies holds a lock of the whole server until its commit
is on the disk, and would have all processes wait for each other. A hint that is lost costs a poll.
"""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import AsyncConnection

from bridge.events import Event, slot
from bridge.store.postgres import telling
from bridge.store.postgres.connections import Database, let_go, words
from bridge.store.postgres.telling import MOST, Followers, Message

log = logging.getLogger("bridge.store")

CHANNEL = "bridge"

_ANNOUNCE = 3.0  # seconds between two words of what this process follows
_PACE = 0.01  # seconds between two messages: what comes meanwhile goes together
_AGAIN = 1.0  # seconds between two tries to listen or to tell

_NOTIFY = f"SELECT pg_notify('{CHANNEL}', payload) FROM json_array_elements_text(%s::json) AS payload"


class Bus:
    """`start`, then tell; what others tell comes to `on_message`. It never raises, and loses hints before it waits."""

    def __init__(
        self,
        database: Database,
        node: str,
        on_message: Callable[[Message], object],
        *,
        on_gap: Callable[[], object],
        follows: Callable[[], Collection[str]],
        counters: Counter[str],
    ) -> None:
        """`on_gap`: hints may have been lost. `follows`: the calls whose interims are wanted here. `counters` have
        those that were too long for a message."""
        self._counters = counters
        self._database = database
        self._node = node
        self._on_message = on_message
        self._on_gap = on_gap
        self._follows = follows
        self._followers = Followers()
        self._events: dict[str, None] = {}
        self._deletions: dict[str, None] = {}
        self._wakes: dict[str, None] = {}
        self._interims: dict[tuple[str, str | None], Event] = {}
        self._handing = False
        self._announced = float("-inf")
        self._heard = float("-inf")
        self._something = asyncio.Event()
        self._told = asyncio.Event()
        """There is nothing that is not told."""
        self._told.set()
        self._tasks: list[asyncio.Task[None]] = []
        self._failing = False

    @property
    def hears(self) -> bool:
        """Whether messages arrive, its own among them: behind a pooler they may not."""
        return asyncio.get_running_loop().time() - self._heard < 3 * _ANNOUNCE

    def start(self) -> None:
        """Listen, and tell."""
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._speak())]

    async def close(self) -> None:
        """Tell what there is to tell, for a second at most, then be silent."""
        if self._tasks and not self._failing:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), _AGAIN)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def tell_events(self, call_id: str) -> None:
        """A call has new events, and they are durable."""
        self._events[call_id] = None
        self._told.clear()
        self._something.set()

    def tell_deletion(self, call_id: str) -> None:
        """A call is gone."""
        self._deletions[call_id] = None
        self._told.clear()
        self._something.set()

    def wake(self, node: str) -> None:
        """There is a request for another process, or an answer to its own."""
        self._wakes[node] = None
        self._something.set()

    def tell_handing(self) -> None:
        """A call is heard by two processes, or one has let go of it."""
        self._handing = True
        self._told.clear()
        self._something.set()

    def tell_interim(self, event: Event) -> None:
        """The newest of its slot, to those who follow the call."""
        if self._followers.want(event.call_id, asyncio.get_running_loop().time()) and len(self._interims) < MOST:
            self._interims[event.call_id, slot(event.data)] = event
            self._something.set()

    def follow(self) -> None:
        """What is followed here has changed."""
        self._announced = float("-inf")
        self._something.set()

    async def _listen(self) -> None:
        while True:
            connection: AsyncConnection[Any] | None = None
            try:
                connection = await self._database.connect()
                if await _is_pooled(connection):
                    log.info("behind a pooler no messages arrive: what is new is looked for twice a second")
                    return
                await connection.execute(f"LISTEN {CHANNEL}")
                self._on_gap()
                self.follow()
                async for notification in connection.notifies():
                    self._take(notification.payload)
            except (psycopg.Error, OSError, TimeoutError) as error:
                log.info("messages of other processes are polled for", extra={"reason": words(error)})
            finally:
                await let_go(connection)
            await asyncio.sleep(_AGAIN)

    def _take(self, payload: str) -> None:
        message = telling.read(payload)
        if message is None:
            return
        now = asyncio.get_running_loop().time()
        if message.node == self._node:
            self._heard = now
            return
        if message.follows is not None:
            self._followers.say(message.node, message.follows, now)
        self._on_message(message)

    async def _speak(self) -> None:
        loop = asyncio.get_running_loop()
        connection: AsyncConnection[Any] | None = None
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(self._announced + _ANNOUNCE):
                        await self._something.wait()
                self._something.clear()
                due = loop.time() >= self._announced + _ANNOUNCE
                payloads = self._payloads(due)
                try:
                    connection = connection or await self._database.connect()
                    if payloads:
                        await connection.execute(_NOTIFY, (json.dumps(payloads),))
                    self._failing = False
                    pause = _PACE
                except (psycopg.Error, OSError, TimeoutError):
                    self._failing = True
                    await let_go(connection)
                    connection, pause = None, _AGAIN
                self._announced = loop.time() if due else self._announced
                if not self._events and not self._deletions and not self._handing:
                    self._told.set()
                await asyncio.sleep(pause)
        finally:
            await let_go(connection)

    def _payloads(self, announce: bool) -> list[str]:
        events, self._events = self._events, {}
        deletions, self._deletions = self._deletions, {}
        wakes, self._wakes = self._wakes, {}
        interims, self._interims = self._interims, {}
        payloads = telling.hints(self._node, events, deletions, wakes)
        if self._handing:
            self._handing = False
            payloads.append(telling.handing(self._node))
        for event in interims.values():
            payload = telling.interim(self._node, event)
            if payload:
                payloads.append(payload)
            else:
                self._counters["untold_interims"] += 1
        if announce:
            payloads += telling.follows(self._node, self._follows())
        return payloads


async def _is_pooled(connection: AsyncConnection[Any]) -> bool:
    """Whether the server's process is another one than was promised: then the next transaction may be yet another's,
    and LISTEN would stay with one that no one hears."""
    row = await (await connection.execute("SELECT pg_backend_pid()")).fetchone()
    return row is not None and row[0] != connection.info.backend_pid
