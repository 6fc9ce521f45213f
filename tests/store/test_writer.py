"""The writer alone: order, groups, who is told what, and that nothing ends its thread."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bridge.errors import StoreError
from bridge.store import Trouble
from bridge.store.writer import GROUP, Writer
from tests.fakes.waiting import until


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path / "test.db", isolation_level=None, check_same_thread=False, timeout=0.01)
    connection.execute("CREATE TABLE number (n INTEGER UNIQUE)")
    yield connection
    connection.close()


@pytest.fixture
async def writer(connection: sqlite3.Connection) -> AsyncIterator[Writer]:
    writer = Writer(connection)
    yield writer
    await writer.close()


def insert(n: int) -> Callable[[sqlite3.Connection], int]:
    def do(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO number VALUES (?)", (n,))
        return n

    return do


def numbers(connection: sqlite3.Connection) -> list[int]:
    return [row[0] for row in connection.execute("SELECT n FROM number ORDER BY rowid")]


async def test_results_come_back_in_the_order_of_the_work(writer: Writer, connection: sqlite3.Connection) -> None:
    seen: list[int] = []
    futures = [writer.submit(insert(n), lambda n: seen.append(n) or n * 10) for n in range(2 * GROUP + 50)]  # type: ignore[func-returns-value]
    assert await asyncio.gather(*futures) == [n * 10 for n in range(2 * GROUP + 50)]
    assert seen == numbers(connection) == list(range(2 * GROUP + 50))
    assert writer.commits >= 3, "a group has a bound"
    assert writer.waiting == 0


async def test_whoever_does_not_wait_any_more_changes_nothing(writer: Writer, connection: sqlite3.Connection) -> None:
    seen: list[int] = []
    gone = writer.submit(insert(1), seen.append)
    gone.cancel()
    await writer.submit(insert(2), seen.append)
    assert seen == numbers(connection) == [1, 2]


async def test_whoever_has_gone_takes_nothing_from_those_beside_them(writer: Writer) -> None:
    gate = threading.Event()
    first = writer.submit(lambda connection: gate.wait(5), bool)  # holds the thread until the group is complete
    gone, other = writer.submit(insert(1), int), writer.submit(insert(2), int)
    gone.cancel()
    gate.set()
    assert (await first, await other) == (True, 2)


async def test_a_refusal_is_its_own(writer: Writer, connection: sqlite3.Connection) -> None:
    def refuse(connection: sqlite3.Connection) -> int:
        raise StoreError("not this one")

    futures = [writer.submit(insert(1), int), writer.submit(refuse, int), writer.submit(insert(2), int)]
    results = await asyncio.gather(*futures, return_exceptions=True)
    assert [str(result) for result in results] == ["1", "not this one", "2"]
    assert numbers(connection) == [1, 2]


@pytest.mark.parametrize(
    "bug", [lambda connection: connection.execute("INSERT INTO number VALUES (7)"), lambda c: 1 / 0]
)
async def test_a_write_that_breaks_its_group_fails_alone(
    writer: Writer, connection: sqlite3.Connection, bug: Callable[[sqlite3.Connection], object]
) -> None:
    await writer.submit(insert(7), int)
    gate = threading.Event()
    first = writer.submit(lambda connection: gate.wait(5), bool)  # holds the thread until the group is complete
    futures = [writer.submit(insert(1), int), writer.submit(bug, lambda result: 0), writer.submit(insert(2), int)]
    gate.set()
    assert await first
    results = await asyncio.gather(*futures, return_exceptions=True)
    assert results[0] == 1 and results[2] == 2
    assert isinstance(results[1], StoreError)
    assert numbers(connection) == [7, 1, 2]


async def test_damage_refuses_what_meets_it_and_no_other_and_stays(
    connection: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    def damaged(connection: sqlite3.Connection) -> None:
        error = sqlite3.DatabaseError("secret")
        error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_CORRUPT, "SQLITE_CORRUPT"
        raise error

    writer = Writer(connection)
    gate = threading.Event()
    first = writer.submit(lambda connection: gate.wait(5), bool)
    bad, good = writer.submit(damaged, int), writer.submit(insert(1), int)
    gate.set()
    assert await first and await good == 1
    with pytest.raises(StoreError, match="the database is damaged"):
        await bad
    await writer.submit(insert(2), int)
    await writer.close()

    assert writer.health.trouble == Trouble("the database is damaged", passes=False)
    assert numbers(connection) == [1, 2]
    assert "secret" not in caplog.text and "Traceback" not in caplog.text


async def test_a_bug_of_whoever_is_told_goes_to_them(writer: Writer) -> None:
    with pytest.raises(ZeroDivisionError):
        await writer.submit(insert(1), lambda n: n / 0)
    assert await writer.submit(insert(2), int) == 2


async def test_a_locked_database_is_tried_until_it_is_free(
    writer: Writer, connection: sqlite3.Connection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = sqlite3.connect(tmp_path / "test.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    done = writer.submit(insert(1), int)
    await until(lambda: writer.counters["failed_commits"] >= 2)
    assert writer.health.trouble == Trouble("another process has locked the database", passes=True)
    other.close()
    assert await done == 1
    assert numbers(connection) == [1]
    assert [record.message for record in caplog.records][0] == "the store cannot write, and tries again"
    assert caplog.records[0].reason == "another process has locked the database"  # type: ignore[attr-defined]
    assert writer.health.trouble is None


async def test_each_wait_for_a_locked_database_is_twice_the_last(
    writer: Writer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = sqlite3.connect(tmp_path / "test.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    done = writer.submit(insert(1), int)
    await until(lambda: len(caplog.records) >= 3)
    other.close()
    await done
    assert [record.__dict__["delay"] for record in caplog.records[:3]] == [0.05, 0.1, 0.2]
    assert [record.__dict__["waiting"] for record in caplog.records[:3]] == [1, 1, 1]


async def test_what_was_refused_before_a_rollback_may_be_taken_after_it(
    writer: Writer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reader = sqlite3.connect(tmp_path / "test.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM number").fetchall()  # whoever commits must wait for this one
    runs: list[int] = []

    def do(connection: sqlite3.Connection) -> int:
        runs.append(len(runs))
        if len(runs) == 1:
            raise StoreError("not now")
        return insert(1)(connection)

    gate = threading.Event()
    first = writer.submit(lambda connection: gate.wait(5), bool)  # holds the thread until the group is complete
    futures = [writer.submit(do, int), writer.submit(insert(2), int)]
    gate.set()
    await until(lambda: caplog.records)
    reader.close()
    assert await asyncio.gather(first, *futures) == [True, 1, 2]


async def test_a_trouble_is_over_though_somebody_was_refused(writer: Writer) -> None:
    troubles = [sqlite3.OperationalError()]
    troubles[0].sqlite_errorcode = sqlite3.SQLITE_FULL

    def do(connection: sqlite3.Connection) -> int:
        if troubles:
            raise troubles.pop()
        return insert(1)(connection)

    def refuse(connection: sqlite3.Connection) -> int:
        raise StoreError("not this one")

    gate = threading.Event()
    first = writer.submit(lambda connection: gate.wait(5), bool)  # holds the thread until the group is complete
    refused, done = writer.submit(refuse, int), writer.submit(do, int)
    gate.set()
    assert (await first, await done) == (True, 1)
    with pytest.raises(StoreError, match="not this one"):
        await refused
    assert (writer.counters["failed_commits"], writer.health.trouble) == (1, None)


async def test_the_queue_has_a_bound(connection: sqlite3.Connection) -> None:
    writer = Writer(connection, capacity=2)
    gate = threading.Event()
    first = writer.submit(lambda connection: gate.wait(5), bool)
    second = writer.submit(insert(1), int)
    with pytest.raises(StoreError, match="full: 2 writes wait"):
        writer.submit(insert(2), int)
    gate.set()
    await asyncio.gather(first, second)
    await writer.submit(insert(3), int)
    await writer.close()
    assert numbers(connection) == [1, 3]


async def test_closing_writes_what_is_queued(connection: sqlite3.Connection) -> None:
    writer = Writer(connection)
    futures = [writer.submit(insert(n), int) for n in range(100)]
    await writer.close()
    assert numbers(connection) == list(range(100))
    assert await asyncio.gather(*futures) == list(range(100))
    with pytest.raises(StoreError, match="closed"):
        writer.submit(insert(1), int)


# --- tidying ----------------------------------------------------------------------------------------------------------


async def test_tidying_goes_on_while_nothing_waits_until_there_is_no_more(connection: sqlite3.Connection) -> None:
    left = [3]

    def tidy(connection: sqlite3.Connection) -> bool:
        left[0] -= 1
        return left[0] > 0

    writer = Writer(connection, tidy=tidy)
    await writer.submit(insert(1), int)
    await until(lambda: left[0] == 0)
    await writer.submit(insert(2), int)
    await writer.close()
    assert left[0] == -1, "and it is looked again after the next commit"
    assert numbers(connection) == [1, 2]


async def test_work_does_not_wait_for_all_of_the_tidying(connection: sqlite3.Connection) -> None:
    tidied = []
    writer = Writer(connection, tidy=lambda connection: tidied.append(None) or len(tidied) < 10**9)  # type: ignore[func-returns-value]
    for n in range(20):
        assert await writer.submit(insert(n), int) == n
    await writer.close()
    assert tidied


async def test_tidying_that_fails_harms_nobody(
    connection: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    def tidy(connection: sqlite3.Connection) -> bool:
        connection.execute("BEGIN")
        connection.execute("INSERT INTO nowhere VALUES (1)")
        return True

    writer = Writer(connection, tidy=tidy)
    for n in range(3):
        assert await writer.submit(insert(n), int) == n
    await writer.close()
    assert numbers(connection) == [0, 1, 2]
    assert caplog.records[0].__dict__["reason"] == "SQLite refuses it (SQLITE_ERROR)"


# --- patience ---------------------------------------------------------------------------------------------------------


async def test_work_with_patience_shares_the_commit_of_what_comes_next(connection: sqlite3.Connection) -> None:
    writer = Writer(connection)
    patient = writer.submit(insert(1), int, patience=3600.0)
    also_patient = writer.submit(insert(2), int, patience=3600.0)
    await writer.submit(insert(3), int)

    assert patient.done()
    assert also_patient.done()
    assert writer.commits == 1
    await writer.close()


async def test_work_with_patience_is_committed_alone_after_it(connection: sqlite3.Connection) -> None:
    writer = Writer(connection)
    await writer.submit(insert(1), int, patience=0.01)

    assert writer.commits == 1
    await writer.close()


async def test_closing_does_not_wait_for_patience(connection: sqlite3.Connection) -> None:
    writer = Writer(connection)
    patient = writer.submit(insert(1), int, patience=3600.0)
    await writer.close()

    assert await patient == 1
