"""This process among the others: a row with a lease, which heartbeats renew.

A process that cannot renew it stops claiming deliveries, and after a while the others take its calls. What it still
appends is refused in the same transaction, by the owner and the epoch of each call: no clock of ours decides that.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import AsyncConnection

from bridge.store.postgres import statements
from bridge.store.postgres.connections import AWAY, Database, let_go, trouble, words
from bridge.store.postgres.lease import Lease
from bridge.store.trouble import Health

log = logging.getLogger("bridge.store")

LEASE = 10.0
"""Seconds without a heartbeat after which the calls of a process may be taken."""

# One that goes on while the machine sleeps, where there is one: a lease does not wait for who wakes up.
CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

_AGAIN = 1.0  # seconds between two heartbeats while none arrives: new calls wait for one

_TIDYING = (
    statements.FENCE,
    statements.FREE_LANES_OF_THE_DEAD,
    statements.FORGET_NODES,
    statements.FORGET_HAND_OVERS,
    statements.FORGET_BEGINNINGS,
)
"""After each heartbeat."""

_SKEW = 2.0  # seconds that the clocks may differ by without a word


class Node:
    """`start`, and `leave` at the end; in between it beats."""

    def __init__(
        self,
        database: Database,
        id: str,
        lease: float = LEASE,
        *,
        health: Health | None = None,
        on_lost: Callable[[], object] = lambda: None,
        monotonic: Callable[[], float] = lambda: time.clock_gettime(CLOCK),
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`health` is told how it goes; `on_lost`, when the lease has run out."""
        self.id = id
        self.url: str | None = None
        """Where others reach it; to be set before `start`."""
        self.key = secrets.token_hex(32)
        """Those who share the record mark with it what they relay here; no one else knows it."""
        self.lease = Lease(lease)
        self._database = database
        self._health = health or Health()
        self._on_lost = on_lost
        self._monotonic = monotonic
        self._wall = wall
        self._connection: AsyncConnection[Any] | None = None
        self._task: asyncio.Task[None] | None = None
        self._failed = False

    def __repr__(self) -> str:
        return f"<Node {self.id} {self.lease!r}>"

    @property
    def alive(self) -> bool:
        """Whether the others count it as alive, for all that it knows."""
        return self.lease.holds(self._monotonic())

    async def start(self) -> None:
        """Raises as psycopg."""
        skew = await self._beat() - self._wall()
        if abs(skew) > _SKEW:
            remedy = "have both set by NTP: retries and leases of deliveries go by this machine's"
            log.warning(
                "the clocks of this machine and of the database differ",
                extra={"seconds": round(skew, 1), "remedy": remedy},
            )
        self._task = asyncio.create_task(self._run(), name="store node")

    async def renew(self, connection: AsyncConnection[Any]) -> None:
        """Count as alive again at once, not only with the next heartbeat. Raises as psycopg."""
        self._look()
        await self._renew(connection)

    async def leave(self) -> None:
        """Its calls may be taken at once."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        try:
            async with asyncio.timeout(self.lease.pause):
                connection = await self._connected()
                await connection.execute(statements.LEAVE, (self.id,))
                await connection.execute(statements.FREE_LANES, (self.id,))
        except (psycopg.Error, OSError, TimeoutError) as error:
            log.warning("the lease of this process runs out by itself", extra={"reason": words(error)})
        finally:
            await self._drop()
            self.lease.until = 0.0

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(min(_AGAIN, self.lease.pause) if self._failed else self.lease.pause)
            try:
                await self._beat()
                if self._failed:
                    log.warning("heartbeats reach the database again")
                self._failed = False
                self._health.committed()
            except (psycopg.Error, OSError, TimeoutError) as error:
                await self._drop()
                self._health.failed(trouble(error) or AWAY)
                if not self._failed:
                    log.warning("a heartbeat did not reach the database", extra={"reason": words(error)})
                self._failed = True
            self._look()

    def _look(self) -> None:
        if self.lease.is_lost(self._monotonic()):
            log.error("the lease of this process has run out: others may take its calls")
            self._on_lost()

    async def _beat(self) -> float:
        """Renew the lease; the database's clock. Raises as psycopg."""
        async with asyncio.timeout(max(self.lease.pause, 1.0)):
            connection = await self._connected()
            now = await self._renew(connection)
            for statement in _TIDYING:
                await connection.execute(statement, self._values)
        return self._wall() if now is None else now

    async def _renew(self, connection: AsyncConnection[Any]) -> float | None:
        asked = self._monotonic()
        row = await (await connection.execute(statements.BEAT, self._values)).fetchone()
        self.lease.renewed(asked)
        return float(row[0]) if row else None

    @property
    def _values(self) -> dict[str, Any]:
        return {"node": self.id, "lease": self.lease.seconds, "url": self.url, "key": self.key}

    async def _connected(self) -> AsyncConnection[Any]:
        self._connection = self._connection or await self._database.connect()
        return self._connection

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        await let_go(connection)
