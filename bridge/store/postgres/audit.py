"""The audit log of all processes: rows that are added, read, and deleted when they are too old.

What cannot be written there, for the database is away, waits in this process's own files, as does what these had before
there was a database; it is brought in with the next look. So an answer waits for no database, and no entry is lost.
"""

import asyncio
import hashlib
import json
import logging
import re
import secrets
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bridge.errors import StoreError
from bridge.events import timestamp
from bridge.store.audit import AuditFiles
from bridge.store.auditing import AuditFilter, Entry, loaded
from bridge.store.postgres.connections import Database
from bridge.store.postgres.works import plain

log = logging.getLogger("bridge.audit")

_AT_ONCE = 1_000  # rows

_NUMBER = "number"
"""Stands in a line of a file beside the entry's own fields: under it the row may be there already."""

# `synchronous_commit=off` is not followed, as where events are written.
_WRITE = """
    INSERT INTO bridge.audit (call_id, number, time, who, action, body)
    SELECT call_id, number, time, who, action, body
    FROM json_to_recordset(%s::json) AS new (call_id text, number int8, time text, who text, action text, body text)
    WHERE set_config('synchronous_commit', CASE current_setting('synchronous_commit')
        WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true) IS NOT NULL
    ON CONFLICT (call_id, number) DO NOTHING"""

_READ = """
    SELECT time, number, body FROM bridge.audit WHERE {where} ORDER BY time DESC, number DESC LIMIT %(limit)s"""

_CONDITIONS = {
    "who": "who = %(who)s",
    "action": "action = %(action)s",
    "call_id": "call_id = %(call_id)s",
    "since": "time >= %(since)s",
    "until": "time < %(until)s",
}
"""By the field of an `AuditFilter`."""

_BEFORE = "(time, number) < (%(time)s, %(number)s)"

_DELETE = """
    DELETE FROM bridge.audit WHERE (call_id, number) IN (
        SELECT call_id, number FROM bridge.audit WHERE time < %s ORDER BY time LIMIT %s)
    RETURNING number"""


class PostgresAudit:
    """An `AuditLog`."""

    def __init__(self, database: Database, files: AuditFiles) -> None:
        self.counters: Counter[str] = files.counters
        self._database = database
        self._files = files
        self._bringing = asyncio.Lock()

    async def write(self, entry: Entry) -> None:
        kept, number = entry.kept(), secrets.randbits(63)
        try:
            await self._insert([_row(kept, number)])
        except StoreError as error:
            log.warning("an entry waits for the database", extra={"call_id": entry.call_id, "reason": str(error)})
            await self._files.append({**kept, _NUMBER: number})

    async def read(
        self, wanted: AuditFilter, before: str | None = None, limit: int = 100
    ) -> tuple[list[dict[str, Any]], str | None]:
        values: dict[str, Any] = {name: plain(getattr(wanted, name)) for name in _CONDITIONS}
        where = [condition for name, condition in _CONDITIONS.items() if values[name] is not None]
        if before is not None:
            where.append(_BEFORE)
            values["time"], values["number"] = _place(before)
        statement = _READ.format(where=" AND ".join(where) or "true")
        await self._bring_in()
        rows = await self._database.query(statement, {**values, "limit": limit + 1})
        further = "{}.{}".format(rows[limit - 1][0].replace(".", ","), rows[limit - 1][1]) if rows[limit:] else None
        return [json.loads(body) for _, _, body in rows[:limit]], further

    async def sweep(self, now: float, days: float | None) -> None:
        await self._bring_in()
        oldest = None if days is None else timestamp(now - days * 86400)
        while oldest and len(await self._database.query(_DELETE, (oldest, _AT_ONCE))) == _AT_ONCE:
            pass

    async def _bring_in(self) -> None:
        """Bring in what waits in this process's files. Raises StoreError; then it is tried again."""
        async with self._bringing:
            try:
                while aside := await self._files.set_aside():
                    for path in aside:
                        rows = await asyncio.to_thread(_rows, path)
                        for begin in range(0, len(rows), _AT_ONCE):
                            await self._insert(rows[begin : begin + _AT_ONCE])
                        await asyncio.to_thread(path.unlink, missing_ok=True)
            except OSError as error:
                raise StoreError(f"cannot read the audit log: {error.strerror}") from error

    async def _insert(self, rows: list[dict[str, Any]]) -> None:
        """Once, however often it is asked for."""
        async with self._database.reading() as connection:
            await connection.execute(_WRITE, (json.dumps(rows),))


def _rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file. A line without a number has one by its place, the same each time."""

    def found() -> Iterator[dict[str, Any]]:
        for place, line in enumerate(path.read_bytes().splitlines()):
            kept = loaded(line)
            if kept is not None and "time" in kept:
                octets = hashlib.sha256(b"%s %d %s" % (path.stem.encode(), place, line)).digest()
                yield _row(kept, kept.pop(_NUMBER, int.from_bytes(octets[:8]) >> 1))

    return list(found())


def _row(kept: dict[str, Any], number: int) -> dict[str, Any]:
    columns = {name: plain(str(kept.get(name, ""))) for name in ("call_id", "time", "who", "action")}
    return {**columns, "number": number, "body": json.dumps(kept)}


def _place(before: str) -> tuple[str, int]:
    time, _, number = before.partition(".")
    if not re.fullmatch(r"[0-9]{1,19}", number, re.ASCII) or int(number) >= 2**63:
        raise ValueError("not a place in the log")
    return plain(time.replace(",", ".")) or "", int(number)
