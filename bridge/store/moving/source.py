"""The SQLite record that is copied, read in pieces so that memory stays as it is, however long the record is.

Beside it stands the id by which the database knows it while it is copied (`bridge.copy`); when all of it is there that
file becomes `bridge.moved`, and no process goes on with the record here. Everything here blocks.
"""

import json
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from bridge.errors import StoreError
from bridge.store import sql as store_sql
from bridge.store.files import MOVED, Files
from bridge.store.moving import sql
from bridge.store.moving.rows import Piece, Row, event, plain
from bridge.store.sqlite import FILENAME

COPY = ".copy"
"""The suffix of the file with the id."""

CALLS = 200
"""Calls that are copied in one transaction, at most."""

EVENTS, OCTETS = 2000, 4_000_000
"""Where a piece ends: events, and octets of them."""

_PAGE = 500  # events that are read at once
_PATIENCE = 10.0  # seconds for which another connection's lock on the file is waited for

_ROW_ORDER = 1e-6  # of lanes that are due at once: those of later rows come later


class Source:
    """The record in a folder, which no other process has meanwhile. Raises `StoreError`, also as `StoreInUse` and
    `StoreDamaged`."""

    def __init__(self, data_dir: Path) -> None:
        path = data_dir / FILENAME
        if not path.exists():
            raise StoreError(f"there is no {path}")
        self._files = Files(path, _PATIENCE)
        try:
            self.id = _id(path)
            ((self.count, self.newest),) = self._query(sql.COUNT)
            ((self.position,),) = self._query(store_sql.POSITION)
        except BaseException:
            self.close()
            raise
        self._path = path

    def __repr__(self) -> str:
        return f"<Source {self.count} calls>"

    def close(self) -> None:
        """Let others have the record."""
        self._files.close()

    def calls(self, after: int, shift: int) -> list[Row]:
        """The next calls after one of this number, each with the position of its newest event as it will be: `shift`
        later."""
        rows = self._query(sql.CALLS, (after, CALLS))
        return [(*plain(call), (position or 0) + shift) for *call, position in rows]

    def lanes(self, calls: Iterable[Row]) -> dict[str, list[Row]]:
        """Of these calls, by the call's id; each with one value more, for the order of those that are due at once."""
        found: dict[str, list[Row]] = {call[0]: [] for call in calls}
        for *lane, place in self._query(sql.LANES, (json.dumps(list(found)),)):
            found[lane[0]].append((*plain(lane), place * _ROW_ORDER))
        return found

    def pieces(self, calls: Iterable[Row], shift: int) -> Iterator[Piece]:
        """The events of these calls, call by call and in order, with their positions as they will be."""
        events: list[Row] = []
        speech: list[Row] = []
        octets = 0
        for call_id, *_ in calls:
            after: int | None = 0
            while after is not None:
                page = self._query(sql.EVENTS, (call_id, after, _PAGE))
                for _, seq, position, kind, body in page:
                    row, words = event(call_id, seq, position + shift, kind, body)
                    events.append(row)
                    speech += [words] if words else []
                    octets += len(body)
                after = page[-1][1] if len(page) == _PAGE else None
                if len(events) >= EVENTS or octets >= OCTETS:
                    yield Piece(events, speech)
                    events, speech, octets = [], [], 0
        if events:
            yield Piece(events, speech)

    def endpoints(self) -> Iterator[list[Row]]:
        """All, some at a time: id, whether it is disabled, URL."""
        after = ""
        while page := self._query(sql.ENDPOINTS, (after, _PAGE)):
            yield [plain(row) for row in page]
            after = page[-1][0]

    def absent(self, call_ids: list[str]) -> list[str]:
        """Those of these that are no calls here."""
        present = {call_id for (call_id,) in self._query(sql.PRESENT, (json.dumps(call_ids),))}
        return [call_id for call_id in call_ids if call_id not in present]

    def leave(self) -> None:
        """All of it is elsewhere now: no process goes on with it here."""
        try:
            self._path.with_suffix(COPY).replace(self._path.with_suffix(MOVED))
        except OSError as error:
            raise StoreError(f"cannot write beside {self._path}: {error.strerror}") from error

    def _query(self, statement: str, values: tuple[Any, ...] = ()) -> list[Row]:
        return self._files.read(lambda connection: connection.execute(statement, values).fetchall())


def moved(data_dir: Path) -> str | None:
    """The id under which the record of a folder was moved; None: it was not."""
    try:
        return (data_dir / FILENAME).with_suffix(MOVED).read_text().strip()
    except OSError:
        return None


def _id(path: Path) -> str:
    """As it was when a copy was begun before; else a new one."""
    there, fresh = path.with_suffix(COPY), path.with_suffix(f"{COPY}.{os.getpid()}")
    try:
        with suppress(FileNotFoundError):
            return there.read_text().strip()
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_hex(8) + "\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(there)
        return there.read_text().strip()
    except OSError as error:
        raise StoreError(f"cannot write beside {path}: {error.strerror}") from error
