"""What SQLite's errors mean, in our words."""

import sqlite3

import pytest

from bridge.store.base import Trouble
from bridge.store.trouble import Health, trouble, words

FULL = Trouble("the disk is full", passes=True)
DAMAGED = Trouble("the database is damaged", passes=False)


def error(code: int, name: str = "X") -> sqlite3.Error:
    made = sqlite3.OperationalError("the library's own words")
    made.sqlite_errorcode, made.sqlite_errorname = code, name
    return made


@pytest.mark.parametrize(
    ("code", "reason", "passes"),
    [
        (sqlite3.SQLITE_FULL, "the disk is full", True),
        (sqlite3.SQLITE_IOERR | 3 << 8, "the disk fails", True),
        (sqlite3.SQLITE_READONLY, "the disk is read-only", True),
        (sqlite3.SQLITE_CANTOPEN, "the disk gives no access to a file", True),
        (sqlite3.SQLITE_BUSY, "another process has locked the database", True),
        (sqlite3.SQLITE_LOCKED, "another process has locked the database", True),
        (sqlite3.SQLITE_PROTOCOL, "another process has locked the database", True),
        (sqlite3.SQLITE_CORRUPT | 1 << 8, "the database is damaged", False),
        (sqlite3.SQLITE_NOTADB, "the database is damaged", False),
    ],
)
def test_trouble_is_told_in_our_words(code: int, reason: str, passes: bool) -> None:
    assert trouble(error(code)) == Trouble(reason, passes)
    assert words(error(code)) == reason


def test_what_was_asked_wrongly_is_no_trouble() -> None:
    assert trouble(error(sqlite3.SQLITE_ERROR)) is None
    assert trouble(ZeroDivisionError()) is None
    assert words(error(sqlite3.SQLITE_ERROR, "SQLITE_ERROR")) == "SQLite refuses it (SQLITE_ERROR)"
    assert words(sqlite3.ProgrammingError("closed")) == "SQLite refuses it (wrong use)"


def test_what_passes_is_over_with_a_commit() -> None:
    health = Health()
    health.failed(FULL)
    assert health.trouble == FULL and repr(health) == "<Health the disk is full>"
    health.committed()
    assert health.trouble is None and repr(health) == "<Health well>"


def test_damage_stays_whatever_else_fails_or_works() -> None:
    health = Health()
    health.failed(FULL)
    health.failed(DAMAGED)
    health.failed(FULL)
    health.committed()

    assert health.trouble == DAMAGED


def test_how_long_there_is_trouble() -> None:
    now = 100.0
    health = Health(lambda: now)
    assert not health.lasts(0.0)
    health.failed(FULL)
    now = 104.0
    health.failed(FULL)
    assert health.lasts(4.0) and not health.lasts(4.1)
    health.committed()
    health.failed(FULL)
    assert health.lasts(0.0) and not health.lasts(0.1)
