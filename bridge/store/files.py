"""The files of the SQLite store: the lock that says whose they are, the schema, the connections.

Opening decides whether the database is ours, whole and not from the future; it knows nothing of events or lanes.
Everything here blocks and runs in threads.
"""

import fcntl
import os
import queue
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from bridge.errors import StoreDamaged, StoreError, StoreInUse
from bridge.store import index, sql
from bridge.store.base import Trouble
from bridge.store.trouble import FAILS, READ_ONLY, Health, trouble, words

T = TypeVar("T")

CHECK = 0.2
"""Seconds for which a database is looked through when it is opened: enough for a hundred megabytes or so."""

MOVED = ".moved"
"""The suffix of a file that says that the record was copied elsewhere, and is not gone on with here."""

READERS = 2
"""Reading connections: a page of history must not keep a live feed waiting."""


class Files:
    """An open database; one process at a time has it. Raises `StoreError` with one sentence that says why not."""

    def __init__(self, path: Path, busy_timeout: float, health: Health | None = None) -> None:
        """`health` is told of damage that a reader finds."""
        self._path = path
        self._health = health or Health()
        self._busy_timeout = busy_timeout
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Transcripts of calls: for the owner only. SQLite gives its other files the mode of this one.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise StoreError(f"cannot open {path}: {error.strerror}") from error
        self._lock = lock(path)
        try:
            if (moved := path.with_suffix(MOVED)).exists():
                there = "was copied into PostgreSQL, and is gone on with there: set DATABASE_URL"
                raise StoreError(f"{path} {there}; to have this one again as it was then, delete {moved}")
            self._open()
        except BaseException:
            os.close(self._lock)
            raise

    def _open(self) -> None:
        self.writing = self._connect("rwc")
        try:
            check(self.writing, CHECK)
            prepare(self.writing, self._path)
            self._readers: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
            for _ in range(READERS):
                self._readers.put(self._connect("ro"))
        except sqlite3.DatabaseError as error:
            self.writing.close()
            raise failure("open", self._path, error) from None
        except BaseException:
            self.writing.close()
            raise

    def _connect(self, mode: str) -> sqlite3.Connection:
        # The index of the write-ahead log stands on the heap (`unix-excl`), not in a mapped file: to touch a page of
        # such a file, even to read, would end the process by SIGBUS on a disk that fails or has turned read-only.
        # Each connection has one user at a time, but not always the same thread.
        return sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode={mode}&vfs=unix-excl",
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
            found = self.trouble(error)
            if found and not found.passes:
                self._health.failed(found)
            raise failure("read", self._path, error) from None
        finally:
            self._readers.put(connection)

    def trouble(self, error: Exception) -> Trouble | None:
        """As `trouble.trouble`; for SQLite a file that takes nothing any more is like any other failure of the disk."""
        found = trouble(error)
        return READ_ONLY if found == FAILS and not os.access(self._path, os.W_OK) else found

    def close(self) -> None:
        # The writer is the last to go: then SQLite folds the write-ahead log into the database.
        for _ in range(READERS):
            self._readers.get().close()
        self.writing.close()
        os.close(self._lock)


def failure(doing: str, path: Path, error: sqlite3.Error) -> StoreError:
    """Why it cannot be done, and what to do where it is damage."""
    found = trouble(error)
    if found and not found.passes:
        return StoreDamaged(f"{path} is damaged: run `bridge repair`, which keeps a copy and saves what can be read")
    return StoreError(f"cannot {doing} {path}: {words(error)}")


def check(connection: sqlite3.Connection, seconds: float) -> None:
    """Look for damage, for so long. Raises `sqlite3.DatabaseError` as SQLite does where it meets some."""
    # Not by a progress handler: SQLite before 3.41 goes through a whole table, of gigabytes, without asking it.
    over = threading.Event()

    def stop() -> None:
        over.set()
        connection.interrupt()

    timer = threading.Timer(seconds, stop)
    timer.start()
    try:
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return  # it is large; damage is seen where it is met
    finally:
        timer.cancel()
        timer.join()
    if found != "ok" and not over.is_set():  # pages that were not come to look as if they were lost
        damage = sqlite3.DatabaseError(found)
        damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise damage


def lock(path: Path) -> int:
    """The lock on the database, as a file that is closed to let it go. Raises `StoreInUse`."""
    try:
        held = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreError(f"cannot open {path}: {error.strerror}") from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(held)
        raise StoreInUse(f"another process uses {path}: stop it first, or give each its own DATA_DIR") from error
    return held


def prepare(connection: sqlite3.Connection, path: Path) -> None:
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
    # Commits wait while the log is copied into the database, for some tenths of a second whatever its length: seldom.
    connection.execute("PRAGMA wal_autocheckpoint = 8000")
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
