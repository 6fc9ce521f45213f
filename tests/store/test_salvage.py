"""What can be read of a damaged database, and what stands for the rest."""

import json
import os
import random
import shutil
import sqlite3
import stat
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
import pytest_asyncio

from bridge.errors import StoreError, StoreInUse
from bridge.outbox import Settlement
from bridge.outlets import Outlet, Outlets, named
from bridge.store import CallFilter, Query
from bridge.store.files import Files
from bridge.store.salvage import FOLDER, salvage
from bridge.store.sql import APPLICATION_ID, MIGRATIONS
from bridge.store.sqlite import FILENAME, SQLiteStore
from tests.fakes import words
from tests.fakes.stores import claim

NOW = 1_800_000_000.0
PAGE = 4096
CALLS = 60


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty calls of forty finals each, delivered up to the tenth event; to be copied."""
    folder = tmp_path_factory.mktemp("written")
    async with SQLiteStore(folder, ["webhook"]) as store:
        for n in range(CALLS):
            await store.append(words.conversation(f"CA{n}", finals=40))
    return folder


@pytest.fixture
def path(written: Path, tmp_path: Path) -> Path:
    shutil.copytree(written, tmp_path, dirs_exist_ok=True)
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


def test_one_that_nothing_has_been_written_to_is_whole(tmp_path: Path) -> None:
    (tmp_path / FILENAME).touch()

    assert salvage(tmp_path / FILENAME, (), NOW) is None


def test_where_there_is_none_there_is_nothing_to_repair(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no"):
        salvage(tmp_path / FILENAME, (), NOW)


def test_not_while_a_process_uses_it(path: Path) -> None:
    files = Files(path, 1.0)
    with pytest.raises(StoreInUse):
        salvage(path, (), NOW)
    files.close()
    salvage(path, (), NOW)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_root_repairs_stays_its_owners(path: Path) -> None:
    os.chown(path, 12345, 54321)
    tear(path, range(20, 30))
    done = salvage(path, (), NOW)

    assert done is not None
    for file in (path, done.copy, done.copy / FILENAME):
        assert (file.stat().st_uid, file.stat().st_gid) == (12345, 54321), file


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
    assert done.copy == path.parent / FOLDER / "2027-01-15T080000000Z"
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
        assert store.lanes_waiting("webhook") == CALLS
        assert {lane.cursor for lane in await claim(store, 100)} == {0}


async def test_where_nothing_can_be_read_there_is_a_fresh_record(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(50_000))
    done = salvage(path, ["webhook"], NOW)

    assert done is not None and (done.calls, done.events) == (0, 0)
    async with SQLiteStore(path.parent, ["webhook"]) as store:
        await store.append(words.conversation())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def little(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One call of three finals, delivered up to the second event; to be copied."""
    folder = tmp_path_factory.mktemp("little")
    async with SQLiteStore(folder, ["webhook"]) as store:
        await store.append(words.conversation())
        (lane,) = await claim(store)
        await store.settle(lane, Settlement(2, None, attempts=3, rejections=1, first_failure=7.0, skipped=(2,)))
    return folder


@pytest.fixture
def small(little: Path, tmp_path: Path) -> Path:
    shutil.copytree(little, tmp_path, dirs_exist_ok=True)
    return tmp_path / FILENAME


def spoil(path: Path, *statements: str) -> None:
    """Change rows, and tear a page that no row stands in, so that there is something to repair."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
        (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'call_open'").fetchone()
    tear(path, [page - 1])


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def test_where_the_copy_cannot_be_a_second_name_it_is_a_copy(small: Path) -> None:
    if not Path("/dev/shm").is_dir():
        pytest.skip("there is no second file system at hand")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        if os.stat(elsewhere).st_dev == small.stat().st_dev:
            pytest.skip("that is the same file system")
        (small.parent / FOLDER).symlink_to(elsewhere)
        spoil(small)
        before = small.read_bytes()
        done = salvage(small, (), NOW)

        assert done is not None and (done.copy / FILENAME).read_bytes() == before


def test_where_the_new_one_cannot_be_written_the_old_one_stays(small: Path) -> None:
    small.with_suffix(".new").mkdir()
    spoil(small)
    before = small.read_bytes()
    with pytest.raises(StoreError, match="cannot repair .*bridge.db: "):
        salvage(small, (), NOW)

    assert small.read_bytes() == before


def test_what_is_written_is_for_the_owner_only_and_in_one_file(small: Path) -> None:
    small.with_suffix(".new").write_text("what a repair left that was broken off")
    spoil(small)
    done = salvage(small, (), NOW)

    assert done is not None and (done.calls, done.events, done.lost) == (1, 5, 0)
    assert {file.name for file in small.parent.iterdir()} == {FILENAME, small.with_suffix(".lock").name, FOLDER}
    assert (stat.S_IMODE(small.stat().st_mode), stat.S_IMODE(done.copy.stat().st_mode)) == (0o600, 0o700)


async def test_what_a_killed_process_left_in_the_log_is_saved_and_the_log_goes(tmp_path: Path) -> None:
    left = tmp_path / "left"
    left.mkdir()
    async with SQLiteStore(tmp_path):
        pass
    ((page,),) = rows(tmp_path / FILENAME, "SELECT rootpage FROM sqlite_schema WHERE name = 'lane_pending'")
    async with SQLiteStore(tmp_path) as store:
        await store.append(words.conversation())
        for suffix in ("", "-wal"):
            shutil.copy(tmp_path / f"{FILENAME}{suffix}", left)
    tear(left / FILENAME, [int(str(page)) - 1])
    done = salvage(left / FILENAME, (), NOW)

    assert done is not None and (done.events, done.lost) == (5, 0)
    assert {file.name for file in done.copy.iterdir()} >= {FILENAME, f"{FILENAME}-wal"}
    assert not list(left.glob("*-wal")) and not list(left.glob("*-shm"))


LANES = "SELECT cursor, batch_to, attempts, rejections, first_failure, skipped, parked FROM lane"


def test_a_lane_goes_on_as_it_was(small: Path) -> None:
    spoil(small, "UPDATE lane SET parked = 'rejected', due_at = 9.5")
    salvage(small, ["webhook", "another"], NOW)

    assert rows(small, LANES) == [(2, 5, 3, 1, 7.0, "[2]", "rejected")]
    assert rows(small, "SELECT endpoint, due_at FROM lane") == [("webhook", 9.5)]


@pytest.mark.parametrize(
    "nonsense",
    [
        *(f"{column} = 'x'" for column in ("cursor", "due_at", "attempts", "rejections", "first_failure", "skipped")),
        *(f"{column} = x'00'" for column in ("call_id", "parked", "skipped")),
        "skipped = '{}'",
    ],
)
def test_in_place_of_a_lane_that_is_nonsense_all_is_delivered(small: Path, nonsense: str) -> None:
    spoil(small, f"UPDATE lane SET {nonsense}")  # noqa: S608
    salvage(small, ["webhook"], NOW)

    assert rows(small, LANES) == [(0, 5, 0, 0, None, "[]", None)]


async def test_where_lanes_are_lost_every_webhook_that_has_one_gets_every_call(small: Path) -> None:
    async with SQLiteStore(small.parent, ["webhook"]) as store:
        await store.append(words.conversation("CA2"))
    spoil(small, "UPDATE lane SET cursor = 'x' WHERE call_id = 'CA1'")
    salvage(small, (), NOW)

    assert rows(small, "SELECT endpoint, call_id, cursor FROM lane ORDER BY call_id") == [
        ("webhook", "CA1", 0),
        ("webhook", "CA2", 0),
    ]


def test_where_there_are_no_lanes_all_is_delivered(small: Path) -> None:
    spoil(small, "DROP TABLE lane")
    salvage(small, ["webhook"], NOW)

    assert rows(small, LANES) == [(0, 5, 0, 0, None, "[]", None)]


@pytest.mark.parametrize(
    "nonsense",
    [
        *(f"{column} = 'x'" for column in ("header", "started_at", "ended_at", "tip", "epoch")),
        *(f"header = '{header}'" for header in ("[]", "7", "{}", '{"carrier":"x","speakers":{}}')),
    ],
)
def test_a_call_whose_row_is_nonsense_is_made_of_its_events(small: Path, nonsense: str) -> None:
    columns = "SELECT id, header, started_at, ended_at, ended_seq, tip, epoch FROM call"
    before = rows(small, columns)
    spoil(small, f"UPDATE call SET {nonsense}")  # noqa: S608
    salvage(small, (), NOW)

    assert rows(small, columns) == before


@pytest.mark.parametrize(
    "nonsense",
    [
        *(f"body = {body}" for body in ("'x'", "x'00'", "'[]'", "'7'")),
        *(f"body = json_set(body, '$.{name}', 7)" for name in ("seq", "type", "data")),
        *("type = 'call.ended'", "type = x'00'"),
    ],
)
def test_an_event_that_is_nonsense_is_lost(small: Path, nonsense: str) -> None:
    spoil(small, f"UPDATE event SET {nonsense} WHERE seq = 3")  # noqa: S608
    done = salvage(small, (), NOW)

    assert done is not None and (done.events, done.lost) == (4, 1)
    ((kind, body),) = rows(small, "SELECT type, body FROM event WHERE seq = 3")
    assert kind == "event.lost" and json.loads(str(body))["time"] == "2027-01-15T08:00:00.000Z"
    assert rows(small, "SELECT max(position) > 5, count(*) FROM event") == [(1, 5)]


def test_a_begin_that_is_nonsense_is_made_of_the_row(small: Path) -> None:
    spoil(small, "UPDATE event SET body = json_remove(body, '$.data.carrier') WHERE seq = 1")
    done = salvage(small, (), NOW)

    assert done is not None and done.calls == 1
    assert begin(small)["carrier"] == "twilio"


def test_a_begin_and_a_row_that_are_nonsense_end_no_repair(small: Path) -> None:
    spoil(
        small,
        "UPDATE event SET body = json_set(body, '$.data.speakers', 7) WHERE seq = 1",
        "UPDATE call SET header = '[]'",
    )
    done = salvage(small, (), NOW)

    assert done is not None and done.calls == 0


UNKNOWN = {"stream_id": "", "tracks": [], "media_format": None}


def begin(path: Path) -> dict[str, object]:
    """What the first event says."""
    ((body,),) = rows(path, "SELECT body FROM event WHERE seq = 1")
    said: dict[str, object] = json.loads(str(body))["data"]
    return said


async def test_a_call_is_begun_again_by_its_row(tmp_path: Path) -> None:
    path = tmp_path / FILENAME
    async with SQLiteStore(tmp_path) as store:
        await store.append([words.started("CA1--2", carrier_call_id="CA1", continues="CA1"), words.ended("CA1--2", 2)])
    before = begin(path)
    spoil(path, "DELETE FROM event WHERE seq = 1", "UPDATE call SET started_at = 7.0")
    done = salvage(path, (), NOW)

    assert done is not None and (done.events, done.lost) == (2, 0)
    assert begin(path) == before | UNKNOWN


def test_a_call_is_begun_again_by_a_row_that_says_little(small: Path) -> None:
    spoil(
        small,
        "DELETE FROM event WHERE seq = 1",
        """UPDATE call SET started_at = 7.0, header = '{"id":"CA1","carrier":"telnyx","speakers":{}}'""",
    )
    salvage(small, (), NOW)

    assert begin(small) == UNKNOWN | {
        "carrier": "telnyx",
        "carrier_call_id": "CA1",
        "continues": None,
        "from": None,
        "to": None,
        "direction": None,
        "speakers": {},
        "parameters": {},
        "stream_token": False,
        "started_at": "1970-01-01T00:00:07.000Z",
    }


def test_a_call_of_which_only_the_row_is_there_has_its_begin(small: Path) -> None:
    spoil(small, "DELETE FROM event", "DELETE FROM lane", "UPDATE call SET tip = 0")
    done = salvage(small, (), NOW)

    assert done is not None and (done.calls, done.events, done.lost) == (1, 1, 0)
    assert rows(small, "SELECT seq, type FROM event") == [(1, "call.started")]


def test_events_of_which_neither_the_call_nor_its_begin_is_there_are_no_record(small: Path) -> None:
    spoil(small, "DELETE FROM event WHERE seq = 1", "DELETE FROM call")
    done = salvage(small, ["webhook"], NOW)

    assert done is not None and (done.calls, done.events) == (0, 0)
    assert rows(small, "SELECT * FROM lane") == []


def test_no_number_that_a_webhook_has_had_is_given_twice(small: Path) -> None:
    spoil(small, "DELETE FROM event WHERE seq > 1", "DELETE FROM call", "UPDATE lane SET cursor = 4")
    done = salvage(small, (), NOW)

    assert done is not None and (done.events, done.lost) == (1, 3)
    assert rows(small, "SELECT tip, ended_at FROM call") == [(4, None)]


@pytest.mark.parametrize(("tip", "expected"), [(7, 7), (2**40, 5), (-1, 5)])
def test_a_number_beyond_all_reason_is_not_believed(small: Path, tip: int, expected: int) -> None:
    spoil(small, f"UPDATE call SET tip = {tip}")  # noqa: S608
    done = salvage(small, (), NOW)

    assert done is not None and done.lost == expected - 5
    assert rows(small, "SELECT tip FROM call") == [(expected,)]


def test_owners_are_counted_on_and_a_webhook_that_is_gone_stays_so(small: Path) -> None:
    spoil(
        small,
        "UPDATE call SET epoch = 3",
        "INSERT INTO endpoint VALUES ('webhook', 'address', NULL), (x'00', 'x', NULL)",
    )
    salvage(small, (), NOW)

    assert rows(small, "SELECT epoch, owner FROM call") == [(3, None)]
    assert rows(small, "SELECT id, disabled FROM endpoint") == [("webhook", "address")]


def test_a_database_of_the_first_version_is_repaired_too(tmp_path: Path, small: Path) -> None:
    old = tmp_path / "old.db"
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.executescript(f"{MIGRATIONS[0]} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1")
        connection.execute("ATTACH ? AS new", (str(small),))
        connection.execute("INSERT INTO call SELECT id, header, started_at, ended_at, 6 FROM new.call")
        connection.execute(
            "INSERT INTO event (rowid, call_id, seq, type, body)"
            " SELECT 10 * seq, call_id, seq, type, body FROM new.event"
        )
    spoil(old)
    done = salvage(old, (), NOW)

    assert done is not None and (done.calls, done.events, done.lost) == (1, 5, 1)
    assert rows(old, "SELECT tip, epoch, ended_seq FROM call") == [(6, 1, 5)]
    assert rows(old, "SELECT position, seq FROM event LIMIT 5") == [(10 * seq, seq) for seq in range(1, 6)]


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_is_damaged_it_ends_with_a_record_that_works(path: Path, seed: int) -> None:
    count = path.stat().st_size // PAGE
    tear(path, random.Random(seed).sample(range(1, count), count // (2 + seed)))
    salvage(path, ["webhook"], NOW)
    async with SQLiteStore(path.parent, ["webhook"]) as store:
        for row in await store.calls(limit=1000):
            assert [event.seq for event in await store.read(Query(row.id), limit=1000)] == list(range(1, row.tip + 1))
        await store.append(words.conversation("CAnew"))


OUTLETS = Outlets([Outlet("webhook", is_usual=True), Outlet("tenants", is_pattern=True)])
NAMED = named("tenants", "https://a.example.com/hook?token=1")


@pytest.fixture
async def tenants(tmp_path: Path) -> Path:
    """One call for `webhook`, and one that has named an endpoint of its own."""
    async with SQLiteStore(tmp_path, OUTLETS) as store:
        await store.append(words.conversation("CA1"))
        await store.append(words.conversation("CA2"), named=NAMED)
    return tmp_path / FILENAME


def root(path: Path, table: str) -> int:
    """The page of a table that has one only, counted from 0."""
    return int(rows(path, f"SELECT rootpage FROM sqlite_master WHERE name = '{table}'")[0][0]) - 1  # noqa: S608


def test_what_calls_have_named_stays_where_it_was(tenants: Path) -> None:
    tear(tenants, [root(tenants, "call")])
    done = salvage(tenants, OUTLETS, NOW)

    assert done and done.urls == 0
    assert rows(tenants, "SELECT id, url FROM endpoint") == [(NAMED.endpoint, NAMED.url)]


def test_a_call_that_has_named_its_webhook_goes_to_no_other_though_the_lanes_are_lost(tenants: Path) -> None:
    tear(tenants, [root(tenants, "lane")])
    salvage(tenants, OUTLETS, NOW)

    lanes = rows(tenants, "SELECT call_id, endpoint, cursor FROM lane ORDER BY call_id")
    assert lanes == [("CA1", "webhook", 0), ("CA2", NAMED.endpoint, 0)]


def test_a_webhook_of_which_nothing_says_where_it_is_any_more_is_told(tenants: Path) -> None:
    tear(tenants, [root(tenants, "endpoint")])
    done = salvage(tenants, OUTLETS, NOW)

    assert done and (done.calls, done.urls) == (2, 1)
