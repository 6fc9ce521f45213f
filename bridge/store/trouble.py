"""What an error of SQLite means, in our words: is it the disk, another process, or the database itself?"""

import sqlite3
import time
from collections.abc import Callable, Mapping

from bridge.store.base import Trouble

_LOCKED = Trouble("another process has locked the database", passes=True)

READ_ONLY = Trouble("the disk is read-only", passes=True)

FAILS = Trouble("the disk fails", passes=True)

_DAMAGED = Trouble("the database is damaged", passes=False)

_TROUBLES: Mapping[int, Trouble] = {
    sqlite3.SQLITE_FULL: Trouble("the disk is full", passes=True),
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_IOERR: FAILS,
    sqlite3.SQLITE_CANTOPEN: Trouble("the disk gives no access to a file", passes=True),
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_PROTOCOL: _LOCKED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}


def trouble(error: Exception) -> Trouble | None:
    """The trouble with the store that an error tells of; None: it tells of a fault in what was asked."""
    # Extended codes carry the primary one in their low octet.
    code = getattr(error, "sqlite_errorcode", None) if isinstance(error, sqlite3.Error) else None
    return None if code is None else _TROUBLES.get(code & 0xFF)


def words(error: sqlite3.Error) -> str:
    """Why it failed, without the words of the library."""
    known = trouble(error)
    return known.reason if known else f"SQLite refuses it ({getattr(error, 'sqlite_errorname', None) or 'wrong use'})"


class Health:
    """How the store is. What passes is over with the next commit; damage stays, until a person has mended it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` tells seconds, and never goes back."""
        self.trouble: Trouble | None = None
        self._clock = clock
        self._since = 0.0

    def __repr__(self) -> str:
        return f"<Health {self.trouble.reason if self.trouble else 'well'}>"

    def failed(self, trouble: Trouble) -> None:
        """Something could not be done."""
        if self.trouble is None:
            self._since = self._clock()
        if self.trouble is None or self.trouble.passes:
            self.trouble = trouble

    def committed(self) -> None:
        """Something could."""
        if self.trouble and self.trouble.passes:
            self.trouble = None

    def lasts(self, seconds: float) -> bool:
        """Whether there has been some trouble for so long."""
        return self.trouble is not None and self._clock() >= self._since + seconds
