"""What can be read of a damaged database, and what stands for the rest."""

import json
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.errors import StoreError, StoreInUse
from bridge.outbox import Settlement
from bridge.store import CallFilter, Query
from bridge.store.files import Files
from bridge.store.salvage import FOLDER, read_rows, salvage
from bridge.store.sqlite import FILENAME, SQLiteStore
from tests.fakes import words
from tests.fakes.stores import claim

NOW = 1_800_000_000.0
PAGE = 4096
CALLS = 60


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """Sixty calls of forty finals each, delivered up to the tenth event."""
    async with SQLiteStore(tmp_path, ["webhook"]) as store:
        for n in range(CALLS):
            await store.append(words.conversation(f"CA{n}", finals=40))
    return tmp_path / FILENAME


def tear(path: Path, pages: range | list[int]) -> None:
    """Overwrite pages with nonsense."""
    chance = random.Random(7)
    with path.open("r+b") as file:
        for page in pages:
            file.seek(page * PAGE)
            file.write(chance.randbytes(PAGE))


EVENT, CALL, LANE = b"transcript.final{", b'{"id":"CA', b"webhookCA"
"""What stands in every leaf of a table."""

LEAF = 13


def pages_of(path: Path, mark: bytes) -> list[int]:
    """The leaves of a table."""
    octets = path.read_bytes()
    pages = [octets[start : start + PAGE] for start in range(0, len(octets), PAGE)]
    return [number for number, page in enumerate(pages) if number and page[0] == LEAF and mark in page]


def test_a_whole_database_is_left_alone(path: Path) -> None:
    before = path.read_bytes()

    assert salvage(path, (), NOW) is None
    assert path.read_bytes() == before
    assert not (path.parent / FOLDER).exists()


def test_where_there_is_none_there_is_nothing_to_repair(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no"):
        salvage(tmp_path / FILENAME, (), NOW)


def test_not_while_a_process_uses_it(path: Path) -> None:
    files = Files(path, 1.0)
    with pytest.raises(StoreInUse):
        salvage(path, (), NOW)
    files.close()
    salvage(path, (), NOW)


def test_the_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / FILENAME)
    connection.executescript("PRAGMA application_id = 7; CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(StoreError, match="another program"):
        salvage(tmp_path / FILENAME, (), NOW)


def test_the_damaged_one_is_set_aside_as_it_was(path: Path) -> None:
    tear(path, range(20, 30))
    before = path.read_bytes()
    done = salvage(path, (), NOW)

    assert done is not None
    assert (done.copy / FILENAME).read_bytes() == before
    assert salvage(path, (), NOW) is None, "and what stands there now is whole"


@pytest.mark.parametrize("every", [3, 7, 50])
async def test_every_event_that_can_be_read_is_there_and_every_other_has_its_place(path: Path, every: int) -> None:
    leaves = pages_of(path, EVENT)
    tear(path, leaves[1::every])
    done = salvage(path, (), NOW)

    assert done is not None and done.calls == CALLS
    assert done.events + done.lost == CALLS * 42
    assert done.lost <= 12 * len(leaves[1::every])
    async with SQLiteStore(path.parent, ["webhook"]) as store:
        lost = 0
        for n in range(CALLS):
            events = [json.loads(event.body) for event in await store.read(Query(f"CA{n}"), limit=1000)]
            assert [event["seq"] for event in events] == list(range(1, 43))
            assert events[0]["type"] == "call.started"
            lost += [event["type"] for event in events].count("event.lost")
        found = await store.find(CallFilter(text="words"), limit=200)
        assert len(found) == CALLS
        assert lost == done.lost


async def test_a_call_whose_end_is_lost_is_open_again(path: Path) -> None:
    tear(path, pages_of(path, EVENT)[-1:])
    salvage(path, (), NOW)
    async with SQLiteStore(path.parent, ["webhook"]) as store:
        (open_call,) = await store.abandoned()
        assert open_call.id == f"CA{CALLS - 1}"
        assert (await store.take(open_call.id)) is not None
        await store.append([words.ended(open_call.id, open_call.tip + 1)])
        assert not await store.abandoned()


async def test_calls_are_made_of_their_events_where_their_rows_are_lost(path: Path) -> None:
    tear(path, pages_of(path, CALL))
    done = salvage(path, ["webhook"], NOW)

    assert done is not None and (done.calls, done.lost) == (CALLS, 0)
    async with SQLiteStore(path.parent, ["webhook"]) as store:
        rows = await store.calls()
        assert len(rows) == CALLS
        assert all(row.ended_at and json.loads(row.header)["from"] == "+15550001" for row in rows)


async def test_what_was_delivered_is_not_delivered_again(tmp_path: Path) -> None:
    async with SQLiteStore(tmp_path, ["webhook"]) as store:
        await store.append(words.conversation("CA1", finals=40))
        (lane,) = await claim(store)
        await store.settle(lane, Settlement(30, None))
    path = tmp_path / FILENAME
    tear(path, pages_of(path, EVENT)[:2])
    salvage(path, ["webhook"], NOW)
    async with SQLiteStore(tmp_path, ["webhook"]) as store:
        (lane,) = await claim(store)
        assert lane.cursor == 30 and lane.batch_to > 30


async def test_where_it_is_not_known_what_was_delivered_all_of_it_is(path: Path) -> None:
    tear(path, pages_of(path, LANE))
    salvage(path, ["webhook"], NOW)
    async with SQLiteStore(path.parent, ["webhook"]) as store:
        assert store.lanes_waiting == CALLS
        assert {lane.cursor for lane in await claim(store, 100)} == {0}


async def test_where_nothing_can_be_read_there_is_a_fresh_record(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(50_000))
    done = salvage(path, ["webhook"], NOW)

    assert done is not None and (done.calls, done.events) == (0, 0)
    async with SQLiteStore(path.parent, ["webhook"]) as store:
        await store.append(words.conversation())


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_is_damaged_it_ends_with_a_record_that_works(path: Path, seed: int) -> None:
    count = path.stat().st_size // PAGE
    tear(path, random.Random(seed).sample(range(1, count), count // (2 + seed)))
    salvage(path, ["webhook"], NOW)
    async with SQLiteStore(path.parent, ["webhook"]) as store:
        for row in await store.calls(limit=1000):
            assert [event.seq for event in await store.read(Query(row.id), limit=1000)] == list(range(1, row.tip + 1))
        await store.append(words.conversation("CAnew"))


@pytest.fixture
def numbers() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE number (n)")
    connection.executemany("INSERT INTO number (rowid, n) VALUES (?, ?)", [(10 * n, f"{n}") for n in range(1, 100)])
    yield connection
    connection.close()


def test_a_row_that_is_no_text_is_stepped_over_alone(numbers: sqlite3.Connection) -> None:
    numbers.execute("UPDATE number SET n = CAST(x'ff' AS TEXT) WHERE rowid IN (500, 510, 990)")
    damages: list[None] = []
    read = [int(n) for (n,) in read_rows(numbers, "number", ("n",), lambda: damages.append(None))]

    assert read == [n for n in range(1, 100) if n not in (50, 51, 99)]
    assert damages
