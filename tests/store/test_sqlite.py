"""What is SQLite's own: durability under `kill -9`, group commit, memory that spares the disk, a disk that fails."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from itertools import groupby
from pathlib import Path

import pytest

from bridge.errors import StoreError
from bridge.events import Event
from bridge.outbox import Settlement
from bridge.store import CallFilter, Query, Trouble
from bridge.store.sqlite import FILENAME, SQLiteStore
from tests.fakes import words
from tests.fakes.waiting import until

ROOT = Path(__file__).parents[2]


def killed(data_dir: Path, acknowledgements: int) -> dict[str, int]:
    """Run a process that appends, kill it in the middle, return the newest acknowledged `seq` of each call."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.appender", str(data_dir), "5"], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as child:
        assert child.stdout is not None
        ledger = [child.stdout.readline() for _ in range(acknowledgements)]
        child.send_signal(signal.SIGKILL)
        ledger += child.stdout.readlines()
    whole = [line.split() for line in ledger if line.endswith("\n")]
    return {
        call_id: max(int(seq) for _, seq in lines) for call_id, lines in groupby(sorted(whole), lambda line: line[0])
    }


async def test_nothing_acknowledged_is_lost_to_kill_9(tmp_path: Path) -> None:
    for acknowledgements in (150, 400):
        ledger = killed(tmp_path, acknowledgements)
        assert len(ledger) == 5
        async with SQLiteStore(tmp_path, ["webhook"]) as store:
            lanes = {lane.call_id: lane for lane in await store.claim("webhook", 10, lease=60, now=0)}
            for call_id, acknowledged in ledger.items():
                (call,) = await store.calls(call_id=call_id)
                seqs = [event.seq for event in await store.read(Query(call_id), limit=100_000)]
                assert seqs == list(range(1, call.tip + 1)), "dense"
                assert call.tip >= acknowledged
                assert (lanes[call_id].cursor, lanes[call_id].batch_to) == (0, 1), "the range was durable, too"


async def test_a_database_that_cannot_be_loaded_is_let_go_of(tmp_path: Path) -> None:
    async with SQLiteStore(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / FILENAME)) as connection:
        connection.execute("DROP TABLE call")
    for _ in range(2):  # a lock that is still held would be what the second is told of
        with pytest.raises(StoreError, match=r"cannot open .*: SQLite refuses it \(SQLITE_ERROR\)"):
            async with SQLiteStore(tmp_path):
                pass


async def test_many_appends_share_a_commit(tmp_path: Path) -> None:
    async with SQLiteStore(tmp_path) as store:
        await store.append([words.started()])
        await asyncio.gather(*(store.append([words.final(seq=seq)]) for seq in range(2, 502)))
        assert store.counters["events"] == 501
        assert store.commits < 100


async def test_a_live_calls_followers_need_no_disk(tmp_path: Path) -> None:
    async with SQLiteStore(tmp_path, ["webhook"]) as store:
        for event in words.conversation(finals=50)[:-1]:
            await store.append([event])
            assert [kept.seq for kept in await store.read(Query("CA1"), after=(event.seq or 0) - 1)] == [event.seq]
        assert store.counters["reads_from_memory"] == store.counters["reads"] == 51
        assert len(await store.read(Query("CA1"))) == 51
        assert store.counters["reads_from_memory"] == 51


async def test_a_stale_interim_is_counted(tmp_path: Path) -> None:
    async with SQLiteStore(tmp_path) as store:
        await store.append([words.started()])
        await store.append([], [words.interim(revision=2), words.interim(revision=1), words.interim("CA9")])
        assert [event.data.revision for event in await store.interims("CA1")] == [2]  # type: ignore[attr-defined]
        assert store.counters["stale_interims"] == 2


async def test_what_is_appended_is_counted(tmp_path: Path) -> None:
    async with SQLiteStore(tmp_path) as store:
        for _ in range(2):
            await store.append(words.conversation())
        counted = [store.counters[name] for name in ("appends", "events", "duplicates")]
        assert (counted, store.commits) == ([2, 5, 5], 2)


async def test_a_lease_that_was_lost_is_counted(tmp_path: Path) -> None:
    async with SQLiteStore(tmp_path, ["webhook"]) as store:
        await store.append([words.started()])
        (lane,) = await store.claim("webhook", 5, lease=60, now=0)
        assert await store.settle(lane, Settlement(1, None)) is True
        assert await store.settle(lane, Settlement(1, None)) is False
        assert store.counters["lost_leases"] == 1


async def test_a_settlement_for_which_there_was_no_room_may_be_given_again(tmp_path: Path) -> None:
    async with SQLiteStore(tmp_path, ["webhook"], capacity=1, busy_timeout=0.01) as store:
        await store.append([words.started()])
        (lane,) = await store.claim("webhook", 5, lease=60, now=0)
        other = sqlite3.connect(tmp_path / FILENAME, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        waiting = store.append([words.final(seq=2)])
        with pytest.raises(StoreError, match="full"):
            await store.settle(lane, Settlement(1, None))
        other.close()
        await waiting
        assert await store.settle(lane, Settlement(1, None)) is True


async def test_a_store_that_is_not_open(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path)
    assert (store.commits, store.load.waiting, store.lanes_waiting("webhook"), await store.position()) == (0, 0, 0, 0)
    with pytest.raises(StoreError, match="not open"):
        await store.append([words.started()])
    with pytest.raises(StoreError, match="not open"):
        await store.calls()


async def test_a_locked_database_delays_and_loses_nothing(tmp_path: Path) -> None:
    async with SQLiteStore(tmp_path, busy_timeout=0.01) as store:
        await store.append([words.started()])
        other = sqlite3.connect(tmp_path / FILENAME, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        waiting = [store.append([words.final(seq=seq)]) for seq in range(2, 20)]
        await until(lambda: store.counters["failed_commits"])
        assert not any(done.done() for done in waiting)
        other.close()
        await asyncio.gather(*waiting)
        assert len(await store.read(Query("CA1"))) == 19
        assert store.load.waiting == 0


async def test_a_full_disk_delays_and_loses_nothing(tmp_path: Path) -> None:
    async with SQLiteStore(tmp_path) as store:
        await store.append([words.started()])
        await limit_pages(store, 1)
        waiting = store.append([words.final(seq=2, text="x" * 100_000)])
        await until(lambda: store.counters["failed_commits"])
        assert not waiting.done()
        assert store.trouble == Trouble("the disk is full", passes=True)
        await limit_pages(store, 1_000_000)
        await waiting
        assert store.trouble is None
        assert len(await store.read(Query("CA1"))) == 2


async def limit_pages(store: SQLiteStore, pages: int) -> None:
    """A disk of so many pages, as the writing connection sees it."""
    assert store._files is not None
    store._files.writing.execute(f"PRAGMA max_page_count = {pages}")


class Unserializable(Event):
    """What asks for room before it serializes never meets this one's fault."""

    def to_json(self) -> str:
        raise AssertionError("serialized without room")


async def test_a_full_queue_refuses_and_a_hole_cannot_follow(tmp_path: Path) -> None:
    async with SQLiteStore(tmp_path, capacity=3, busy_timeout=0.01) as store:
        await store.append([words.started()])
        other = sqlite3.connect(tmp_path / FILENAME, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        waiting = [store.append([words.final(seq=seq)]) for seq in (2, 3, 4)]
        with pytest.raises(StoreError, match="full"):
            store.append([words.final(seq=5)])
        with pytest.raises(StoreError, match="full"):
            store.append([Unserializable("CA1", 5, "CA1-5", "x", words.final().data)])
        other.close()
        await asyncio.gather(*waiting)
        with pytest.raises(StoreError, match="hole"):
            await store.append([words.final(seq=6)])
        await store.append([words.final(seq=seq) for seq in (4, 5, 6)])
        assert len(await store.read(Query("CA1"))) == 6


async def test_closing_on_a_disk_that_fails_ends_and_says_what_is_lost(tmp_path: Path) -> None:
    other = None
    async with SQLiteStore(tmp_path, busy_timeout=0.01, close_grace=0.1) as store:
        await store.append([words.started()])
        other = sqlite3.connect(tmp_path / FILENAME, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        waiting = store.append([words.final(seq=2)])
    other.close()
    with pytest.raises(StoreError, match="closed before"):
        await waiting


async def test_a_database_torn_inside_is_refused_and_given_back(tmp_path: Path) -> None:
    async with SQLiteStore(tmp_path, ["webhook"]) as store:
        await asyncio.gather(*(store.append([words.started(f"CA{n}")]) for n in range(300)))
    path = tmp_path / FILENAME
    whole = path.read_bytes()
    path.write_bytes(whole[:65536] + b"\xff" * (len(whole) - 65536))
    for _ in range(2):
        with pytest.raises(StoreError, match="is damaged: run `bridge repair`"):
            async with SQLiteStore(tmp_path, ["webhook"]):
                pass


async def test_damage_that_a_reader_meets_is_a_trouble_that_stays(tmp_path: Path) -> None:
    async with SQLiteStore(tmp_path) as store:
        for n in range(300):
            await store.append([words.started(f"CA{n}"), words.ended(f"CA{n}", 2)])
    path = tmp_path / FILENAME
    whole = path.read_bytes()
    async with SQLiteStore(tmp_path) as store:
        path.write_bytes(whole[:65536] + b"\xff" * (len(whole) - 65536))
        assert store.trouble is None
        with pytest.raises(StoreError, match="is damaged: run `bridge repair`"):
            for n in range(300):
                await store.read(Query(f"CA{n}"))
        assert store.trouble == Trouble("the database is damaged", passes=False)


async def test_one_bad_write_harms_no_other(tmp_path: Path) -> None:
    async with SQLiteStore(tmp_path) as store:
        await store.append([words.started()])
        bad = store._write(lambda connection: connection.execute("no SQL at all"), lambda cursor: None)
        good = store.append([words.final(seq=2)])
        with pytest.raises(StoreError, match="refused"):
            await bad
        await good
        assert len(await store.read(Query("CA1"))) == 2


async def test_memory_follows_the_backlog_not_the_history(tmp_path: Path) -> None:
    async with SQLiteStore(tmp_path, ["webhook"]) as store:
        for n in range(10):
            await store.append(words.conversation(f"CA{n}"))
            (lane,) = await store.claim("webhook", 5, lease=60, now=0)
            await store.settle(lane, Settlement(lane.batch_to, None))
        assert repr(store) == "<SQLiteStore calls=0 lanes=0 waiting=0 events=50>"


async def test_what_was_said_in_a_deleted_call_is_not_left_on_the_disk(tmp_path: Path) -> None:
    """Neither the sentence, nor its word in the index, nor what of both was in the write-ahead log."""

    def left() -> list[Path]:
        return [file for file in tmp_path.iterdir() if b"xylophon" in file.read_bytes()]

    async with SQLiteStore(tmp_path) as store:
        for number in range(60):
            said = "the secret word is xylophone" if number == 30 else f"so it goes {number}"
            await store.append([words.started(f"CA{number}"), words.final(f"CA{number}", 2, text=said)])
            await store.append([words.ended(f"CA{number}", 3)])
        assert left()
        await store.delete("CA30")
        await until(lambda: not left())
        assert len(await store.find(CallFilter(text="goes"), limit=100)) == 59
        assert await store.find(CallFilter(text="xylophone")) == []
