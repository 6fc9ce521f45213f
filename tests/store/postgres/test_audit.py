"""One audit log of all processes, and what waits for it on a disk while the database is away."""

import asyncio
import json
from contextlib import asynccontextmanager

import psycopg
import pytest

from bridge.errors import StoreError
from bridge.store.audit import FOLDER, AuditFiles
from bridge.store.auditing import AuditFilter
from bridge.store.postgres.audit import _WRITE, PostgresAudit, _row
from bridge.store.postgres.connections import Database
from tests.fakes import postgres
from tests.fakes.audit import entry, seconds

pytestmark = pytest.mark.postgres


@pytest.fixture
async def logs(tmp_path):
    """Those of two processes."""
    async with postgres.fresh()(data_dir=tmp_path / "1") as one, postgres.fresh()(data_dir=tmp_path / "2") as two:
        yield one.audit, two.audit


def away(path):
    """Of a process that cannot reach its database."""
    return PostgresAudit(Database(f"postgresql://ann@/x?host={path}"), AuditFiles(path))


def lies_there(path):
    return [file.name for file in (path / FOLDER).iterdir()]


async def test_what_was_asked_of_one_process_is_read_at_another(logs):
    one, two = logs
    await one.write(entry(1))
    await two.write(entry(2))
    assert await seconds(one) == await seconds(two) == ([2, 1], None)


async def test_what_cannot_be_written_there_waits_on_the_disk_and_is_brought_in_once(logs, tmp_path):
    one, two = logs
    await away(tmp_path / "1").write(entry(1))
    await one.write(entry(2))
    assert lies_there(tmp_path / "1") == ["2026-11.jsonl"]
    assert await seconds(two) == ([2], None)

    assert await seconds(one) == ([2, 1], None), "who asks this process gets all that it knows"
    assert await seconds(two) == ([2, 1], None)
    assert lies_there(tmp_path / "1") == []
    assert "number" not in (await two.read(AuditFilter()))[0][1]


class LosesAnswers(Database):
    """What is asked is done, and no one hears of it."""

    @asynccontextmanager
    async def reading(self):
        async with super().reading() as connection:
            yield connection
        raise StoreError("the database cannot be reached")


async def test_an_entry_whose_answer_got_lost_stands_there_once(logs, tmp_path):
    one, two = logs
    database = LosesAnswers(postgres.server().url)
    await PostgresAudit(database, AuditFiles(tmp_path / "1")).write(entry(1))
    await database.close()
    assert lies_there(tmp_path / "1") == ["2026-11.jsonl"]
    assert await seconds(two) == ([1], None)
    assert await seconds(one) == ([1], None)
    assert lies_there(tmp_path / "1") == []


async def test_what_was_written_before_there_was_a_database_is_brought_in_with_the_next_look(logs, tmp_path):
    files = AuditFiles(tmp_path / "1")
    for second, month in ((1, "2026-10"), (2, "2026-11"), (2, "2026-11")):
        await files.write(entry(second, month=month))
    with (tmp_path / "1" / FOLDER / "2026-11.jsonl").open("a") as file:
        file.write('{"time": "2026-11-20T10:0')  # torn by a crash
    one, two = logs
    await one.sweep(0.0, None)

    assert await seconds(two) == ([2, 2, 1], None), "what was done twice stands there twice"
    assert lies_there(tmp_path / "1") == []


async def test_what_was_broken_off_is_brought_in_once(logs, tmp_path):
    one, two = logs
    folder = tmp_path / "1" / FOLDER
    files = AuditFiles(tmp_path / "1")
    await files.write(entry(1))
    await away(tmp_path / "1").write(entry(2))
    whole = (folder / "2026-11.jsonl").read_bytes()
    assert await seconds(one) == ([2, 1], None)
    (folder / "2026-11.aside").write_bytes(whole)  # as if the process had died before it was deleted
    await files.write(entry(3))

    assert await seconds(one) == ([3, 2, 1], None)
    assert lies_there(tmp_path / "1") == []


async def test_a_database_that_is_away_is_said_to_who_reads(tmp_path):
    log = away(tmp_path)
    await log.write(entry())
    with pytest.raises(StoreError):
        await log.read(AuditFilter())
    with pytest.raises(StoreError):
        await log.sweep(0.0, 1.0)
    assert await seconds(AuditFiles(tmp_path)) == ([], None)
    assert lies_there(tmp_path) == ["2026-11.aside"], "it waits"


async def test_a_disk_that_takes_nothing_either_is_said_and_counted(tmp_path):
    (tmp_path / FOLDER).write_text("a file where the folder should be")
    log = away(tmp_path)
    with pytest.raises(StoreError, match="cannot write the audit log"):
        await log.write(entry())
    assert log.counters["not_written"] == 1


async def test_more_than_are_deleted_in_one_go(logs, monkeypatch):
    monkeypatch.setattr("bridge.store.postgres.audit._AT_ONCE", 3)
    one, _ = logs
    await asyncio.gather(*(one.write(entry(second)) for second in range(8)))
    await one.sweep(1_900_000_000.0, 1)
    assert await seconds(one) == ([], None)


async def test_an_entry_is_durable_though_the_database_would_not_wait_for_it():
    """`synchronous_commit=off` would lose it in a crash of the database."""
    rows = json.dumps([_row(entry().kept(), 7)])
    with psycopg.connect(postgres.server().url, options="-c synchronous_commit=off") as connection:
        connection.execute(_WRITE, (rows,))
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
