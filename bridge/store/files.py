"""The files of the SQLite store: the lock that says whose they are, the schema, the connections.

Opening decides whether the database is ours, whole and not from the future; it knows nothing of events or lanes.
Everything here blocks and runs in threads.
"""

import fcntl
import os
import queue
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from bridge.errors import StoreError, StoreInUse
from bridge.store import index, sql

T = TypeVar("T")

READERS = 2
"""Reading connections: a page of history must not keep a live feed waiting."""


class Files:
    """An open database; one process at a time has it. Raises `StoreError` with one sentence that says why not."""

    def __init__(self, path: Path, busy_timeout: float) -> None:
        self._path = path
        self._busy_timeout = busy_timeout
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Transcripts of calls: for the owner only. SQLite gives its other files the mode of this one.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreError(f"cannot open {path}: {error.strerror}") from error
        try:
            self._open()
        except BaseException:
            os.close(self._lock)
            raise

    def _open(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreInUse(f"another process uses {self._path}: give each its own DATA_DIR") from error
        self.writing = self._connect("rwc")
        try:
            _prepare(self.writing, self._path)
            self._readers: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
            for _ in range(READERS):
                self._readers.put(self._connect("ro"))
        except sqlite3.DatabaseError as error:
            self.writing.close()
            raise StoreError(f"cannot open {self._path}: {error}") from error
        except BaseException:
            self.writing.close()
            raise

    def _connect(self, mode: str) -> sqlite3.Connection:
        # Each connection has one user at a time, but not always the same thread.
        return sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=self._busy_timeout,
            isolation_level=None,
            check_same_thread=False,
        )

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run a query on a reading connection, waiting for a free one."""
        connection = self._readers.get()
        try:
            return query(connection)
        except sqlite3.Error as error:
            raise StoreError(f"cannot read {self._path}: {error}") from error
        finally:
            self._readers.put(connection)

    def close(self) -> None:
        # The writer is the last to go: then SQLite folds the write-ahead log into the database.
        for _ in range(READERS):
            self._readers.get().close()
        self.writing.close()
        os.close(self._lock)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Check whose database this is, and bring it to the newest schema."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    foreign = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] > 0
    if foreign and application != sql.APPLICATION_ID:
        raise StoreError(f"{path} is a database of another program")
    if version > len(sql.MIGRATIONS):
        raise StoreError(f"{path} was written by a newer version of the bridge")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    # What is deleted is overwritten, in the pages that merging the index sets free, too.
    connection.execute("PRAGMA secure_delete = ON")
    index.add_function(connection)
    for number, migration in enumerate(sql.MIGRATIONS[version:], version + 1):
        with closing(connection.cursor()) as cursor:
            cursor.executescript(
                f"BEGIN IMMEDIATE; {migration}"
                f"PRAGMA application_id = {sql.APPLICATION_ID}; PRAGMA user_version = {number}; COMMIT;"
            )
