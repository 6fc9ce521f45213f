"""Who reads the feed of all calls as a consumer does, with `bridge.client`, now at one node, now at another.

It goes on at the next node after the cursor of the last event that it has, whatever has become of the node before.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing, suppress

from bridge.client import Bridge, ReadingError
from tests.chaos.nodes.oracle import Entry

_STAYS = 3.0  # seconds at a node
_AWAY = 0.2  # seconds until the next node is tried, where one does not answer


class Follower:
    """`run` until it is cancelled. `address`: where a node is."""

    def __init__(self, address: Callable[[int], str], nodes: int, token: str) -> None:
        self.read: list[Entry] = []
        """The durable events, in the order in which they came."""
        self.moves = 0
        self.resets = 0
        self._address = address
        self._nodes = nodes
        self._token = token
        self._cursor = ""
        self._connected = asyncio.Event()

    async def connected(self) -> None:
        """Until the feed is there: what comes from then on is read."""
        await self._connected.wait()

    async def run(self) -> None:
        """From node to node."""
        while True:
            async with Bridge(self._address(self.moves % self._nodes), self._token) as bridge:
                with suppress(TimeoutError, ReadingError):
                    async with asyncio.timeout(None) as stay:
                        await self._follow(bridge, stay)
            self.moves += 1
            await asyncio.sleep(_AWAY)

    async def _follow(self, bridge: Bridge, stay: asyncio.Timeout) -> None:
        """Before the first event there is no place to go on from, and so nowhere else to go."""
        leaves = asyncio.get_running_loop().time() + _STAYS
        if self._cursor:
            stay.reschedule(leaves)
        feed = bridge.follow(after=self._cursor, told=lambda _: self._connected.set(), patient=False)
        async with aclosing(feed):
            async for event in feed:
                self.resets += event.type == "reset"
                if event.seq is None or not event.cursor:
                    continue
                self.read.append((event.call_id, event.seq, event.id))
                self._cursor = event.cursor
                if stay.when() is None:
                    stay.reschedule(leaves)
