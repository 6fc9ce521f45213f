"""Connections to PostgreSQL, and what their errors mean in our words.

Nothing of a library's words goes into a message: they may name the user, the host, or what was written.
"""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict

from bridge.errors import StoreError
from bridge.store.base import Trouble

READERS = 4
"""Connections for questions; a page of history must not keep a live feed waiting."""

CONNECTIONS = READERS + 4
"""Of a process, at most: those, one that writes, one for heartbeats, two for messages."""

STALL = 20.0
"""Seconds after which a database that says nothing counts as away."""

PATIENCE = 5.0
"""Seconds for which a question waits for a database that is away."""

_EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 - what listens there

_LAST_OPENING = 1.0
"""Seconds for which the end waits for a connection that is being opened."""

AWAY = Trouble("the database cannot be reached", passes=True)

_DEFAULTS: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "client_encoding": "UTF8",
}
"""A machine that is cut off finds out in some ten seconds. The URL overrides them."""

_TROUBLES = {
    "08": AWAY,  # connection exceptions
    "25006": Trouble("the database is read-only", passes=True),
    "25P03": AWAY,  # it was idle for too long in a transaction: this process stood still
    "28": Trouble("the database does not let us in", passes=True),
    "3D000": Trouble("there is no database of that name", passes=True),
    "40": Trouble("the database had to break a transaction off", passes=True),  # deadlocks
    "42501": Trouble("the database user lacks a right", passes=True),
    "53100": Trouble("the disk of the database is full", passes=True),
    "53200": Trouble("the database has no memory left", passes=True),
    "53300": Trouble("the database has too many connections", passes=True),
    "57": AWAY,  # it is shut down, starts, or someone has ended the connection
    "58": Trouble("the disk of the database fails", passes=True),
    "XX001": Trouble("the database is damaged", passes=False),
    "XX002": Trouble("the database is damaged", passes=False),
}
"""By the SQLSTATE, or its class."""


# It tells of lost connections itself, in its own words and with all that it knows of them.
logging.getLogger("psycopg").setLevel(logging.CRITICAL + 1)

T = TypeVar("T")


class Lost(StoreError):
    """There was no connection, or it was lost."""


def trouble(error: BaseException) -> Trouble | None:
    """The trouble with the database that an error tells of; None: it tells of a fault in what was asked."""
    if isinstance(error, psycopg.Error) and error.sqlstate:
        return _TROUBLES.get(error.sqlstate) or _TROUBLES.get(error.sqlstate[:2])
    # Without a state it did not come from the database: there is no connection, or it was lost.
    return (
        AWAY if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | TimeoutError | OSError) else None
    )


def words(error: BaseException) -> str:
    """Why it failed, without the words of the library."""
    known = trouble(error)
    state = getattr(error, "sqlstate", None)
    return known.reason if known else f"PostgreSQL refuses it ({state or 'wrong use'})"


def own_origin(reached_at: str | tuple[str, int] | None, connection: AsyncConnection[Any]) -> str | None:
    """Where other processes reach this one, which listens there or everywhere: then at the address of this machine on
    the network by which it reaches the database, or on its loopback where that is here."""
    if reached_at is None or isinstance(reached_at, str):
        return reached_at
    host, port = reached_at
    if host in _EVERYWHERE:
        with socket.socket(fileno=os.dup(connection.fileno())) as end:
            name = end.getsockname()
        host = str(name[0]) if isinstance(name, tuple) else "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


class Database:
    """Where the database is, and connections for questions. Raises `StoreError` for an address that is none."""

    def __init__(self, url: str, node: str = "", readers: int = READERS) -> None:
        """`node`: whose connections they are; others end those of a node that is gone."""
        try:
            name = {"application_name": f"bridge {node}"}
            self._parameters: dict[str, Any] = {**_DEFAULTS, **conninfo_to_dict(url), **name}
        except psycopg.Error:
            raise StoreError(
                "DATABASE_URL cannot be read: it has the form postgresql://user:password@host/name"
            ) from None
        self._idle: list[AsyncConnection[Any]] = []
        self._free = asyncio.Semaphore(readers)
        self._opening: set[asyncio.Task[AsyncConnection[Any]]] = set()
        self._closed = False

    def __repr__(self) -> str:
        return f"<Database {len(self._idle)} idle>"

    async def connect(self) -> AsyncConnection[Any]:
        """A connection of one's own, in which each statement commits itself. Raises as psycopg."""
        # No prepared statements: behind a pooler the next transaction may be another server connection's.
        opening = asyncio.create_task(
            AsyncConnection.connect(autocommit=True, prepare_threshold=None, **self._parameters)
        )
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            # If psycopg were cancelled, the traceback would keep what it has half open for as long as the task is kept.
            opening.add_done_callback(_finish)
            raise

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection[Any]]:
        """A connection for a while. Raises `StoreError`, also for what goes wrong while it is used."""
        if self._closed:
            raise StoreError("the store is closed")
        async with self._free:
            connection: AsyncConnection[Any] | None = None
            try:
                async with asyncio.timeout(STALL):
                    connection = self._idle.pop() if self._idle else await self.connect()
                    yield connection
                if self._closed:
                    await connection.close()
                else:
                    self._idle.append(connection)
            except BaseException as error:
                await let_go(connection)
                if isinstance(error, psycopg.Error | TimeoutError | OSError):
                    await self._forget_idle()
                    kind = Lost if trouble(error) == AWAY else StoreError
                    raise kind(f"cannot read the record: {words(error)}") from None
                raise

    async def ask(self, question: Callable[[AsyncConnection[Any]], Awaitable[T]]) -> T:
        """The answer to what changes nothing: where the database is away it is asked again for some seconds, which a
        restart of it takes. Raises `StoreError`."""
        until = asyncio.get_running_loop().time() + PATIENCE
        pause = 0.0
        while True:
            try:
                async with self.reading() as connection:
                    return await question(connection)
            except Lost:
                if asyncio.get_running_loop().time() + pause > until:
                    raise
            await asyncio.sleep(pause)
            pause = min(0.5, 0.05 + 2 * pause)

    async def query(self, statement: str, values: Any = None) -> list[tuple[Any, ...]]:
        """The rows of a question. Raises `StoreError`."""

        async def rows(connection: AsyncConnection[Any]) -> list[tuple[Any, ...]]:
            found: list[tuple[Any, ...]] = await (await connection.execute(statement, values)).fetchall()
            return found

        return await self.ask(rows)

    async def close(self) -> None:
        """Close what is idle, and what is still being opened; what is in use is closed by its user."""
        self._closed = True
        await self._forget_idle()
        if self._opening:
            await asyncio.wait(self._opening, timeout=_LAST_OPENING)

    async def _forget_idle(self) -> None:
        """If one connection is lost, the others may be, too."""
        idle, self._idle = self._idle, []
        for connection in idle:
            await let_go(connection)


def _finish(opening: "asyncio.Task[AsyncConnection[Any]]") -> None:
    """Close what is not waited for any more."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().pgconn.finish()


async def let_go(connection: AsyncConnection[Any] | None) -> None:
    """Close a connection, whatever state it is in."""
    if connection is not None:
        await connection.close()


async def check(connection: AsyncConnection[Any]) -> None:
    """Raises `StoreError` for a server that cannot have the record."""
    rows = await connection.execute(
        "SELECT current_setting('server_version_num')::int4, current_setting('server_encoding')"
    )
    version, encoding = await rows.fetchone() or (0, "")
    if version < 150_000:
        raise StoreError(f"the database is PostgreSQL {version // 10_000}; the bridge needs 15 or later")
    if encoding != "UTF8":
        raise StoreError(f"the database has the encoding {encoding}; the bridge needs UTF8")
