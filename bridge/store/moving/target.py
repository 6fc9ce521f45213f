"""The database that a record is copied into: who copies, what is there already, what is written.

While a record is copied the tables are closed (`schema.COPYING`): no process opens them, and half a record is neither
read nor delivered. A call is written in one transaction, and so it is there whole or not at all.
"""

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection

from bridge.errors import StoreError
from bridge.store.moving import statements
from bridge.store.moving.rows import CALL, LANE, WORDS, Piece, Row, comparable
from bridge.store.postgres import statements as store_statements
from bridge.store.postgres.connections import Database, check, let_go, words
from bridge.store.postgres.schema import COPYING, locked_version, migrate

_DUE = LANE.index("due_at")
_SHOWN = 3  # calls that a sentence names
_PAGE = 1000
_NO_RIGHT = "42501"  # SQLSTATE

Pieces = Callable[[list[Row]], AsyncIterator[Piece]]

_TWICE = "another record is being copied into the database: finish that first, where it lies, with `bridge migrate`"


class Target:
    """A copy of the record `source` into the database of a connection. Raises `StoreError`, and as psycopg."""

    def __init__(self, connection: AsyncConnection[Any], source: str) -> None:
        self._connection = connection
        self._source = source
        self.shift = 0
        """By how much the positions of what is copied are later here; 0: they stay as they are."""
        self.resumes = False
        """A copy that was begun before goes on."""

    def __repr__(self) -> str:
        return f"<Target shift={self.shift} resumes={self.resumes}>"

    async def begin(self) -> bool:
        """Close the tables, and make them where there are none. False: the copy was finished before.

        Raises `StoreError` where another copy is not finished, or a process has the record there open.
        """
        await check(self._connection)
        if await self._goes_on():
            return True
        await migrate(self._connection)
        async with self._connection.transaction():
            version, oldest = await locked_version(self._connection)
            if oldest == COPYING or not version:
                raise StoreError(_TWICE)
            await self._connection.execute(statements.MAKE)
            if await self._rows(statements.IS_DONE, (self._source,)):
                return False
            ((self.shift,),) = await self._rows(store_statements.LAST_POSITION)
            await self._connection.execute(statements.BEGIN, (self._source, self.shift, oldest))
            await self._connection.execute(statements.CLOSE, (COPYING,))
        # Who opens it looks at the version after having said that it is there; so one of the two sees the other.
        ((nodes,),) = await self._rows(statements.NODES)
        if nodes:
            await self.give_up()
            raise StoreError(f"{_counted(nodes)} the record at DATABASE_URL open: stop that first, then migrate")
        return True

    async def _goes_on(self) -> bool:
        async with self._connection.transaction():
            _, oldest = await locked_version(self._connection)
            if oldest != COPYING:
                return False
            found = await self._rows(statements.UNDER_WAY)
        if not found or found[0][0] != self._source:
            raise StoreError(_TWICE)
        self.shift, self.resumes = found[0][1], True
        return True

    async def give_up(self) -> None:
        """As if this copy had never been begun, where nothing is written yet; one that goes on stays."""
        if not self.resumes:
            async with self._connection.transaction():
                await self._connection.execute(statements.OPEN, (self._source,))
                await self._connection.execute(statements.GIVE_UP, (self._source,))

    async def finish(self) -> None:
        """All of it is there: let processes open it, from the disk on. May be repeated."""
        async with self._connection.transaction():
            await self._connection.execute(store_statements.SETTINGS)
            await locked_version(self._connection)
            await self._connection.execute(statements.OPEN, (self._source,))
            await self._connection.execute(statements.DONE, (self._source,))

    async def is_known(self) -> bool:
        """Whether this record was, or is being, copied into this database."""
        ((is_there,),) = await self._rows(statements.IS_THERE)
        return is_there and bool(await self._rows(statements.IS_KNOWN, (self._source,)))

    async def refuse(self, ids: list[str]) -> None:
        """Raises `StoreError` if calls of these ids are the database's own."""
        values = {"ids": ids, "shift": self.shift, "limit": _SHOWN}
        found = [call_id for (call_id,) in await self._rows(statements.OWN, values)]
        if found:
            named = ", ".join(found) + (" and others" if len(found) == _SHOWN else "")
            raise StoreError(f"both records have a call of the same id ({named}): delete it in one, then migrate")

    async def reserve(self, position: int) -> None:
        """No event gets one of the positions of what is copied, of which this is the last one as it was."""
        await self._rows(statements.SET_POSITION, {"to": position + self.shift if position else 0})

    async def put(self, calls: list[Row], lanes: Mapping[str, list[Row]], pieces: Pieces) -> int:
        """Write those of these calls that are not there as they are here; how many these are. `pieces`: the events of
        the calls that it is given."""
        ids = [call[0] for call in calls]
        async with self._connection.transaction():
            await self._connection.execute(statements.UNHURRIED)
            there, there_lanes = await self.calls(ids), await self.lanes(ids)

            def is_same(call: Row) -> bool:
                known = there.get(call[0])
                said = [lane[: len(LANE)] for lane in lanes[call[0]]]
                return bool(known and known == comparable(call, self.shift) and there_lanes[call[0]] == said)

            fresh = [call for call in calls if not is_same(call)]
            # Copied before, and changed since: a process has gone on with the record meanwhile.
            await self._forget([call[0] for call in fresh if call[0] in there])
            await self._copy(statements.COPY_CALLS, (call[: len(CALL)] for call in fresh))
            async for piece in pieces(fresh):
                await self._copy(statements.COPY_EVENTS, piece.events)
                await self._copy(statements.COPY_SPEECH, piece.speech)
            placed = ((*lane, lane[_DUE]) for call in fresh for lane in lanes[call[0]])
            await self._copy(statements.COPY_LANES, placed)
        return len(fresh)

    async def put_endpoints(self, rows: list[Row]) -> None:
        """Write what is known of endpoints, but for those of which the database knows something itself."""
        new = json.dumps([dict(zip(("id", "disabled", "url"), row, strict=True)) for row in rows])
        await self._connection.execute(statements.PUT_ENDPOINTS, {"rows": new, "shift": self.shift})

    async def copied(self) -> AsyncIterator[list[str]]:
        """The ids of the calls that were copied, some at a time."""
        after = ""
        while page := await self._rows(statements.COPIED, {"after": after, "shift": self.shift, "limit": _PAGE}):
            yield [call_id for (call_id,) in page]
            after = page[-1][0]

    async def drop(self, ids: list[str]) -> None:
        """Forget calls that were copied."""
        async with self._connection.transaction():
            await self._forget(ids)

    async def order(self) -> None:
        """Number the calls of both records in the order in which they began, and further calls after them."""
        async with self._connection.transaction():
            if self.shift:
                await self._connection.execute(statements.NUMBER)
            await self._connection.execute(statements.SET_NUMBER)
        await self._connection.execute(statements.ANALYZE)

    async def calls(self, ids: list[str]) -> dict[str, Row]:
        """Those of these calls that are there, to be compared."""
        return {row[0]: comparable(row, self.shift) for row in await self._rows(statements.CALLS, (ids,))}

    async def lanes(self, ids: list[str]) -> dict[str, list[Row]]:
        """Of these calls, by the call's id."""
        found: dict[str, list[Row]] = {call_id: [] for call_id in ids}
        for lane in await self._rows(statements.LANES, (ids,)):
            found[lane[0]].append(lane)
        return found

    async def events(self, ids: list[str]) -> AsyncIterator[Row]:
        """Of these calls, with the hash of each body in its place."""
        async with self._connection.cursor() as cursor:
            async for row in cursor.stream(statements.EVENTS, (ids,)):
                yield row

    async def same_speech(self, rows: list[Row]) -> Counter[str]:
        """How many of these rows are there just so, by call."""
        said = json.dumps([dict(zip(WORDS, row, strict=True)) for row in rows])
        return Counter(dict(await self._rows(statements.SAME_SPEECH, (said,))))

    async def speech(self, ids: list[str]) -> Counter[str]:
        """How many rows of words there are, by call."""
        return Counter(dict(await self._rows(statements.SPEECH, (ids,))))

    async def endpoints(self, ids: list[str]) -> list[Row]:
        """What is known of these."""
        return await self._rows(statements.ENDPOINTS, (ids,))

    async def totals(self) -> tuple[int, int]:
        """How many calls and events were copied, counted over all that there is."""
        ((calls, events),) = await self._rows(statements.TOTALS, (self.shift,))
        return calls, events

    async def _forget(self, ids: list[str]) -> None:
        for statement in store_statements.FORGET if ids else ():
            await self._connection.execute(statement, (ids,))

    async def _copy(self, statement: str, rows: Iterable[Row]) -> None:
        async with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                await copy.write_row(row)

    async def _rows(self, statement: str, values: Any = None) -> list[Row]:
        return await (await self._connection.execute(statement, values)).fetchall()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[AsyncConnection[Any]]:
    """A connection to the database. Raises `StoreError` for what goes wrong with it meanwhile, too."""
    connection: AsyncConnection[Any] | None = None
    try:
        connection = await Database(url, "migrate").connect()
        yield connection
    except (psycopg.Error, TimeoutError) as error:
        again = "give the command again: it goes on where it was"
        if getattr(error, "sqlstate", None) == _NO_RIGHT:
            again = "it needs the user who owns the tables, or may make them"
        raise StoreError(f"the copy has stopped: {words(error)}; {again}") from None
    finally:
        await let_go(connection)


def _counted(nodes: int) -> str:
    return "a process has" if nodes == 1 else f"{nodes} processes have"
