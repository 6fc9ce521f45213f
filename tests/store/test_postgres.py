"""What is PostgreSQL's own: an order without holes, owners and zombies, a database that goes away, migrations."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest

from bridge.call import CallRefused, CallRegistry
from bridge.errors import NotOwner, StoreError, StoreInUse
from bridge.outbox import Settlement
from bridge.store import CallFilter, Hint, Query
from bridge.store.opening import open_store
from bridge.store.postgres import schema, statements
from bridge.store.postgres.connections import AWAY, Database, trouble
from bridge.store.postgres.store import PostgresStore
from bridge.store.sqlite import SQLiteStore
from tests.fakes import calls, postgres, words
from tests.fakes.stores import Open, claim, found, seqs
from tests.fakes.waiting import until

ROOT = Path(__file__).parents[2]

needs_server = pytest.mark.postgres


@pytest.fixture
def reopen() -> Open:
    return postgres.fresh()


@pytest.fixture
async def store(reopen: Open) -> AsyncIterator[Any]:
    async with reopen() as store:
        yield store


@pytest.fixture
def other() -> Iterator[Any]:
    """A connection of someone else."""
    with closing(psycopg.connect(postgres.server().url)) as connection:
        yield connection


# --- no server ------------------------------------------------------------------------------------------------------


def test_an_address_that_is_none_is_said_without_it() -> None:
    with pytest.raises(StoreError, match="has the form postgresql://") as caught:
        Database("postgresql://ann:sesame@host/name?nonsense=1")
    assert "sesame" not in str(caught.value)


async def test_a_server_that_is_not_there_is_said_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot open the database: the database cannot be reached") as caught:
        async with PostgresStore(f"postgresql://ann:sesame@/x?host={tmp_path}"):
            pass
    assert "sesame" not in repr(caught.value)


async def test_a_store_that_is_not_open() -> None:
    store = PostgresStore("postgresql://ann@localhost/x")
    assert (store.commits, store.load.waiting, store.lanes_waiting("webhook")) == (0, 0, 0)
    with pytest.raises(StoreError, match="not open"):
        store.append([words.started()])
    with pytest.raises(StoreError, match="not open"):
        await store.calls()
    assert repr(store).startswith("<PostgresStore ")


async def test_audio_lies_in_a_folder_that_one_process_has(tmp_path: Path) -> None:
    async with SQLiteStore(tmp_path):
        with pytest.raises(StoreInUse, match="give each its own DATA_DIR"):
            async with open_store(tmp_path, database_url=f"postgresql://ann@/x?host={tmp_path}"):
                pass
    for _ in range(2):  # a lock that is still held would be what the second is told of
        with pytest.raises(StoreError, match="cannot be reached"):
            async with open_store(tmp_path, database_url=f"postgresql://ann@/x?host={tmp_path}"):
                pass
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot use"):
        async with open_store(tmp_path / "file", database_url=f"postgresql://ann@/x?host={tmp_path}"):
            pass


def test_what_an_error_means() -> None:
    assert trouble(psycopg.OperationalError()) == AWAY
    assert trouble(psycopg.errors.AdminShutdown()) == AWAY
    assert trouble(psycopg.errors.lookup("25P03")()) == AWAY
    assert trouble(psycopg.errors.DiskFull()) not in (AWAY, None)
    assert trouble(psycopg.errors.UndefinedTable()) is None
    assert trouble(ValueError()) is None


# --- order ----------------------------------------------------------------------------------------------------------


@needs_server
async def test_what_commits_late_is_not_stepped_over(store: PostgresStore, other: Any) -> None:
    other.execute(statements.ANNOUNCE)
    other.execute(
        "INSERT INTO bridge.event (call_id, seq, type, time, body) VALUES ('late', 1, 'call.started', '', '{}')"
    )
    with store.watch("events") as hints:
        await store.append([words.started("CA1")])
        assert await anext(hints) == Hint("events", "CA1")
        assert (await store.position(), await store.log(0)) == (0, [])
        assert await seqs(store, "CA1") == [1], "the call's own reader need not wait"
        other.commit()
        log = await store.log(0)
        assert [(entry.position, entry.event.call_id) for entry in log] == [(1, "late"), (2, "CA1")]
        assert await anext(hints) in (Hint("events", "late"), Hint("events", "CA1")), "it is looked for again"
    assert await store.position() == 2


@needs_server
async def test_what_is_taken_back_holds_up_no_one_for_long(store: PostgresStore, other: Any) -> None:
    other.execute(statements.ANNOUNCE)
    other.execute("SELECT nextval('bridge.event_position')")
    await store.append([words.started("CA1")])
    other.rollback()
    assert [entry.position for entry in await store.log(0)] == [2]


@needs_server
async def test_many_processes_append_and_a_reader_misses_and_repeats_nothing(reopen: Open) -> None:
    async with reopen() as one, reopen() as two, reopen() as three:
        read: list[tuple[str, int]] = []

        async def follow() -> None:
            cursor = 0
            for store in cycle((one, two, three)):  # as a reader who comes back elsewhere each time
                assert await store.position() >= cursor, "else it would begin again"
                log = await store.log(cursor)
                read.extend((entry.event.call_id, entry.event.seq) for entry in log)
                cursor = log[-1].position if log else cursor
                if len(read) == 3 * 4 * 50:
                    break

        async def talk(store: Any, call_id: str) -> None:
            for event in words.conversation(call_id, finals=48):
                await store.append([event])

        talks = [talk(store, f"CA{n}-{i}") for n, store in enumerate((one, two, three)) for i in range(4)]
        async with asyncio.timeout(30):
            await asyncio.gather(follow(), *talks)
        assert len(set(read)) == len(read)
        for call_id in {call_id for call_id, _ in read}:
            assert [seq for call, seq in read if call == call_id] == list(range(1, 51))


# --- owners ---------------------------------------------------------------------------------------------------------


@needs_server
async def test_the_calls_of_a_process_that_lives_are_its_own(reopen: Open) -> None:
    async with reopen() as one, reopen() as two:
        await one.append([words.started("CA1")])
        assert await two.abandoned() == []
        assert await two.take("CA1") is None
        with pytest.raises(NotOwner):
            await two.append([words.final("CA1", 2)])
        assert await two.release("CA1") is False


def expire(owner: str, since: str = "1 hour") -> None:
    postgres.execute(f"UPDATE bridge.node SET expires_at = now() - interval '1 s' WHERE id = '{owner}'")
    postgres.execute(f"UPDATE bridge.node SET since = now() - interval '{since}' WHERE id <> '{owner}'")


@needs_server
async def test_a_zombie_writes_nothing(reopen: Open) -> None:
    async with reopen(lease=60) as one, reopen(lease=60) as two:
        await one.append([words.started("CA1"), words.final("CA1", 2)])
        (lane,) = await claim(one)
        expire(one.owner)
        assert [row.id for row in await two.abandoned()] == ["CA1"]
        row = await two.take("CA1")
        assert row and (row.owner, row.epoch) == (two.owner, 2)
        await two.append([words.final("CA1", 3, text="of the new owner")])

        with pytest.raises(NotOwner):
            await one.append([words.final("CA1", 3, text="of the zombie")])
        with pytest.raises(NotOwner):
            await one.append([words.ended("CA1", 3)])
        assert await one.release("CA1") is False
        assert one.counters["lost_calls"] == 1
        assert [event.seq for event in await one.read(Query("CA1"), after=2)] == [3], "its memory is not believed"
        assert "of the new owner" in (await one.read(Query("CA1"), after=2))[0].body
        assert await one.take("CA1") is None
        assert await claim(one) == [], "and it claims nothing"
        await two.append([words.ended("CA1", 4)])
        assert await seqs(two) == [1, 2, 3, 4]
        assert await one.settle(lane, Settlement(2, None)), "what it has delivered it may say: no one else had the lane"


@needs_server
async def test_an_append_of_an_earlier_epoch_is_refused_after_the_call_was_taken_back(reopen: Open) -> None:
    async with reopen(lease=60) as one, reopen(lease=60) as two:
        await one.append([words.started("CA1")])
        late = one.owner, dict(one._epochs)
        assert await one.release("CA1")
        assert await two.take("CA1")
        assert await two.release("CA1")
        row = await one.take("CA1")
        assert row and row.epoch == 3
        await one.append([words.final("CA1", 2)])
        one._epochs.update(late[1])  # as what was queued before had it
        with pytest.raises(NotOwner):
            await one.append([words.final("CA1", 3)])


@needs_server
async def test_a_transaction_that_a_dead_process_has_left_open_is_ended_to_take_its_call(
    reopen: Open,
) -> None:
    async with reopen(lease=60) as one, reopen(lease=60) as two:
        await one.append([words.started("CA1")])
        with psycopg.connect(postgres.server().url, application_name=f"bridge {one.owner}") as stopped:
            stopped.execute(statements.LOCK_CALLS, (["CA1"],))  # between its locks and its commit
            assert await two.take("CA1") is None, "it is alive"
            expire(one.owner)
            row = await two.take("CA1")
            assert row and row.epoch == 2
            with pytest.raises(psycopg.OperationalError):
                stopped.execute("UPDATE bridge.call SET tip = 9")


@needs_server
async def test_one_of_several_processes_takes_a_call(reopen: Open) -> None:
    async with reopen() as one:
        for number in range(20):
            await one.append([words.started(f"CA{number}")])
    async with reopen() as two, reopen() as three, reopen() as four:
        taken = await asyncio.gather(*(store.take(f"CA{n}") for n in range(20) for store in (two, three, four)))
        got = [row.id for row in taken if row]
        left = [row.id for row in await two.abandoned()]
        assert len(got) == len(set(got))
        assert sorted(got + left) == sorted(f"CA{n}" for n in range(20))
        assert {row.epoch for row in taken if row} == {2}


@needs_server
async def test_after_the_database_was_away_those_who_come_back_first_wait_for_the_others(reopen: Open) -> None:
    async with reopen(lease=60) as one, reopen(lease=60) as two:
        await one.append([words.started("CA1")])
        expire(one.owner, since="1 s")
        assert await two.abandoned() == []
        assert await two.take("CA1") is None
        expire(one.owner)
        assert [row.id for row in await two.abandoned()] == ["CA1"]


@needs_server
async def test_what_begins_before_the_first_heartbeat_after_an_outage_is_not_taken_away(
    reopen: Open, caplog: pytest.LogCaptureFixture
) -> None:
    async with reopen(lease=60) as one, reopen(lease=60) as two:
        expire(one.owner)
        one._node.lease.until = 0.0
        await one.append([words.started("CA1")])
        assert await two.abandoned() == []
        assert one._node.alive
    assert any("lease of this process has run out" in record.message for record in caplog.records)


@needs_server
async def test_a_process_that_cannot_renew_its_lease_claims_nothing_and_goes_on_later(reopen: Open) -> None:
    async with reopen(lease=0.6) as store:
        await store.append([words.started("CA1")])
        postgres.execute("ALTER TABLE bridge.node RENAME TO gone")
        try:
            await until(lambda: not store._node.alive)
            assert await claim(store) == []
            assert store.trouble
        finally:
            postgres.execute("ALTER TABLE bridge.gone RENAME TO node")
        await until(lambda: store._node.alive)
        assert [lane.call_id for lane in await claim(store)] == ["CA1"]
        await store.append([words.final("CA1", 2)])
        assert await seqs(store) == [1, 2], "no one has taken it meanwhile"


@contextmanager
def appender(calls: int) -> Iterator[subprocess.Popen[str]]:
    """A process that appends for ever, and says what was acknowledged."""
    command = [sys.executable, "-m", "tests.fakes.appender", postgres.server().url, str(calls)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        try:
            yield child
        finally:
            child.kill()


def acknowledged(lines: list[str]) -> dict[str, int]:
    told: dict[str, int] = {}
    for line in lines:
        if line.endswith("\n"):
            call_id, seq = line.split()
            told[call_id] = max(told.get(call_id, 0), int(seq))
    return told


def lines(child: subprocess.Popen[str], count: int) -> list[str]:
    assert child.stdout
    return [child.stdout.readline() for _ in range(count)]


@needs_server
async def test_nothing_acknowledged_is_lost_to_kill_9_and_the_lanes_of_the_dead_are_freed(reopen: Open) -> None:
    async with reopen() as store:
        with appender(5) as child:
            told = await asyncio.to_thread(lines, child, 150)
            child.send_signal(signal.SIGKILL)
            assert child.stdout
            ledger = acknowledged(told + await asyncio.to_thread(child.stdout.readlines))
            assert len(ledger) == 5
            owner = (await store.calls(limit=1))[0].owner
            assert owner
            expire(owner)
            assert len(await store.abandoned()) == 5
            for call_id, newest in ledger.items():
                row = await store.take(call_id)
                assert row and row.tip >= newest
                assert [event.seq for event in await store.read(Query(call_id), limit=10_000)] == list(
                    range(1, row.tip + 1)
                )


@needs_server
async def test_a_process_that_is_stopped_at_the_worst_moment_wakes_up_as_a_zombie(reopen: Open) -> None:
    """Stopped at random, mostly in the middle of a transaction; taken over; and woken."""
    async with reopen(lease=60) as store:
        with appender(3) as child:
            for round_ in range(3):
                await asyncio.to_thread(lines, child, 40)
                os.kill(child.pid, signal.SIGSTOP)
                owner = (await store.calls(call_id=f"CA{round_}"))[0].owner
                assert owner
                expire(owner)
                row = None
                async with asyncio.timeout(60):
                    while row is None:
                        row = await store.take(f"CA{round_}")
                        if row is None:
                            await asyncio.sleep(0.1)
                await store.append([words.final(f"CA{round_}", row.tip + 1, text="of the new owner")])
                os.kill(child.pid, signal.SIGCONT)
                tip = row.tip + 1
                await asyncio.to_thread(lines, child, 20)  # its other calls go on
                assert [call.tip for call in await store.calls(call_id=f"CA{round_}")] == [tip]
                (newest,) = await store.read(Query(f"CA{round_}"), after=tip - 1)
                assert "of the new owner" in newest.body


# --- the others -----------------------------------------------------------------------------------------------------


@needs_server
async def test_a_reader_on_another_process_hears_of_events_interims_and_deletions(reopen: Open) -> None:
    async with reopen() as one, reopen() as two, asyncio.timeout(60):
        with two.watch("events", "interims", "deletions") as hints, two.watch("interims", own=True) as own:
            await one.append([words.started("CA1")])
            assert await anext(hints) == Hint("events", "CA1")
            await until(lambda: one._bus._followers.want("CA1", asyncio.get_running_loop().time()))
            interim = words.interim(segment_id="a", revision=1)
            await one.append([], [interim])
            while await anext(hints) != Hint("interims", "CA1"):
                pass
            assert await two.interims("CA1") == [interim]
            final = words.final("CA1", 2, segment_id="a")
            await one.append([final])
            assert [event.seq for event in await two.read(Query("CA1"), after=1)] == [2]
            assert await two.interims("CA1") == [], "whoever has the final gets no interim after it"
            await one.append([words.ended("CA1", 3)])
            await one.delete("CA1")
            while await anext(hints) != Hint("deletions", "CA1"):
                pass
            two._hints.give("interims", "CA2")
            assert await anext(own) == Hint("interims", "CA2"), "who delivers is told of no interim of others"


@needs_server
async def test_without_notifications_the_poll_tells(reopen: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.store.postgres.bus.CHANNEL", "elsewhere")  # as behind a pooler: LISTEN hears nothing
    async with reopen() as one, reopen() as two, asyncio.timeout(60):
        assert not two._bus.hears
        with two.watch("events") as hints:
            await one.append([words.started("CA1")])
            assert await anext(hints) == Hint("events", "CA1")


@needs_server
async def test_behind_a_pooler_everything_works_and_the_poll_tells(reopen: Open, tmp_path: Path) -> None:
    with postgres.pooler() as url:
        async with PostgresStore(url, ["webhook"]) as one, PostgresStore(url) as two, asyncio.timeout(30):
            with two.watch("events") as hints:
                await asyncio.gather(*(one.append(words.conversation(f"CA{n}", finals=5)) for n in range(20)))
                assert (await anext(hints)).topic == "events"
            assert not two._bus.hears
            for lane in await claim(one, 20):
                assert await one.settle(lane, Settlement(lane.batch_to, None))
            assert len(await two.log(0)) == 20 * 7
            assert await found(two, text="words", limit=3) == ["CA19", "CA18", "CA17"]
        # Nothing is left at the server of a process that has gone.
        assert postgres.execute("SELECT count(*) FROM bridge.node") == [(0,)]


@needs_server
async def test_two_processes_never_hold_the_same_lane(reopen: Open) -> None:
    async with reopen() as one, reopen() as two:
        for number in range(60):
            await one.append([words.started(f"CA{number}")])
        rounds = await asyncio.gather(*(claim(store, 7) for _ in range(12) for store in (one, two)))
        claimed = [lane.call_id for lanes in rounds for lane in lanes]
        assert len(claimed) == len(set(claimed)) == 60
        assert await two._look_what_waits()
        assert (one.lanes_waiting("webhook"), two.lanes_waiting("webhook")) == (60, 60)
        for lanes in rounds:
            for lane in lanes:
                assert await two.settle(lane, Settlement(1, None)), "whoever has the token may say how it went"


@needs_server
async def test_what_was_claimed_without_an_answer_is_claimed_again(store: PostgresStore) -> None:
    await store.append([words.started("CA1")])
    (lost,) = await claim(store)
    store._unheard.append(lost.token)  # as if the connection had broken over the answer
    (lane,) = await claim(store)
    assert lane.token != lost.token
    assert await store.settle(lost, Settlement(1, None)) is False
    assert await store.settle(lane, Settlement(1, None)) is True


@needs_server
async def test_no_wake_up_is_lost_between_an_append_and_a_settlement(reopen: Open) -> None:
    """One process appends, the other settles, at the same time: afterwards nothing is there that no lane knows of."""
    async with reopen() as one, reopen() as two:
        await one.append([words.started("CA1")])
        for seq in range(2, 120):
            lanes = await claim(two, now=1e12)
            settled = [two.settle(lane, Settlement(lane.batch_to, None)) for lane in lanes]
            await asyncio.gather(one.append([words.final("CA1", seq)]), *settled)
        while lanes := await claim(two, now=1e12):
            await two.settle(lanes[0], Settlement(lanes[0].batch_to, None))
        state = await two.delivery("webhook", "CA1")
        assert state and state.cursor == state.tip == 119


@needs_server
async def test_many_appends_share_a_commit(store: PostgresStore) -> None:
    await store.append([words.started()])
    await asyncio.gather(*(store.append([words.final(seq=seq)]) for seq in range(2, 502)))
    assert store.counters["events"] == 501
    assert store.commits < 50
    assert store.counters["reads"] == 0
    assert await store.read(Query("CA1"), after=500)
    assert store.counters["reads_from_memory"] == 1


@needs_server
async def test_a_text_of_any_kind_is_kept(store: PostgresStore) -> None:
    odd = "nul \0, quote ' \" \\ , \u2028 \U0001f600"
    await store.append([words.started(), words.final(seq=2, text=odd)])
    assert await found(store, text="quote") == ["CA1"]
    (call,) = await store.find(CallFilter(text="nul"))
    assert call.snippet == odd


# --- a database that goes away --------------------------------------------------------------------------------------


class Nowhere:
    """A Deepgram that no call of these tests gets to."""

    url = "ws://127.0.0.1:1"


@needs_server
async def test_what_is_appended_while_the_database_is_away_waits_and_is_committed(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.store.postgres.connections.PATIENCE", 0.0)
    with TemporaryDirectory(prefix="bridge-pg-") as folder:
        server = await asyncio.to_thread(lambda: postgres.Server(Path(folder)).start())
        try:
            async with PostgresStore(server.url, ["webhook"], capacity=20) as store, asyncio.timeout(60):
                registry = CallRegistry(calls.services(store, Nowhere, calls.HandClock()), max_calls=3)
                await registry.recover()
                await store.append([words.started()])
                assert (registry.refusal, registry.room) == (None, 3)
                await asyncio.to_thread(server.stop)
                waiting = [store.append([words.final(seq=seq)]) for seq in range(2, 22)]
                with pytest.raises(StoreError, match="full"):
                    store.append([words.final(seq=22)])
                await until(lambda: store.counters["failed_commits"] > 2)
                assert store.trouble == replace(AWAY, answers=False)
                assert not any(done.done() for done in waiting)
                with pytest.raises(StoreError, match="cannot read the record"):
                    await store.calls()
                with pytest.raises(CallRefused, match="the record cannot be read"):
                    await registry.open(calls.started("CA2"))
                assert (registry.refusal, registry.room) == (AWAY.reason, 0), "no further call waits to be told so"
                monkeypatch.undo()
                asked = asyncio.create_task(store.calls())
                await asyncio.to_thread(server.start)
                await asyncio.gather(*waiting)
                assert [call.id for call in await asked] == ["CA1"], "a question waits for a restart"
                assert (store.trouble, registry.refusal) == (None, None)
                assert await seqs(store) == list(range(1, 22))
                assert store.load.waiting == 0
                await until(lambda: store._node.alive)
                assert len(await claim(store)) == 1
        finally:
            await asyncio.to_thread(server.stop)
    said = [record.message for record in caplog.records if record.name == "bridge.store"]
    assert sum("cannot write" in message for message in said) == 1
    assert "the store can write again" in said
    assert not any("bridge-pg-" in str(vars(record)) for record in caplog.records if record.name == "bridge.store")


@needs_server
async def test_closing_while_the_database_is_away_ends_and_says_what_is_lost() -> None:
    with TemporaryDirectory(prefix="bridge-pg-") as folder:
        server = await asyncio.to_thread(lambda: postgres.Server(Path(folder)).start())
        async with PostgresStore(server.url, close_grace=0.1) as store:
            await store.append([words.started()])
            await asyncio.to_thread(server.stop)
            waiting = store.append([words.final(seq=2)])
            await until(lambda: store.trouble)
    with pytest.raises(StoreError, match="closed before"):
        await waiting


@needs_server
async def test_a_connection_that_is_ended_at_any_moment_loses_and_doubles_nothing(store: PostgresStore) -> None:
    async def end_connections() -> None:
        for _ in range(15):
            await asyncio.sleep(0.03)
            await asyncio.to_thread(
                postgres.execute,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'bridge %'",
            )

    shown: list[int] = []
    ending = asyncio.create_task(end_connections())
    with store.watch("events", call_id="CA1") as hints:
        seq = 0
        while not ending.done():
            seq += 1
            await store.append([words.started() if seq == 1 else words.final(seq=seq)])
            assert await anext(hints) == Hint("events", "CA1")
            shown += [event.seq for event in await store.read(Query("CA1"), after=seq - 1)]
    await ending
    assert shown == list(range(1, seq + 1)), "each was shown after its commit"
    assert [event.seq for event in await store.read(Query("CA1"), limit=100_000)] == shown


@needs_server
async def test_one_bad_write_harms_no_other(store: PostgresStore) -> None:
    await store.append([words.started()])
    postgres.execute("ALTER TABLE bridge.event ADD CONSTRAINT odd CHECK (call_id <> 'odd')")
    try:
        bad, good = store.append([words.started("odd")]), store.append([words.final(seq=2)])
        with pytest.raises(StoreError, match=r"refused a write: PostgreSQL refuses it \(23514\)"):
            await bad
        await good
        assert await seqs(store) == [1, 2]
    finally:
        postgres.execute("ALTER TABLE bridge.event DROP CONSTRAINT odd")


async def test_a_copy_is_another_programs_work() -> None:
    with pytest.raises(StoreError, match="pg_dump"):
        await PostgresStore("postgresql://ann@localhost/x").copy(Path("x"))


# --- migrations -----------------------------------------------------------------------------------------------------


@needs_server
async def test_several_processes_that_start_at_once_make_the_tables_once(reopen: Open) -> None:
    postgres.execute("DROP SCHEMA IF EXISTS bridge CASCADE")
    stores = [reopen() for _ in range(4)]
    await asyncio.gather(*(store.__aenter__() for store in stores))
    await asyncio.gather(*(store.append([words.started(f"CA{n}")]) for n, store in enumerate(stores)))
    assert len(await stores[0].calls()) == 4
    await asyncio.gather(*(store.__aexit__(None, None, None) for store in stores))
    assert postgres.execute("SELECT * FROM bridge.version") == [(len(schema.MIGRATIONS), 1)]


@needs_server
async def test_an_older_program_goes_on_with_newer_tables_unless_they_say_that_it_cannot(reopen: Open) -> None:
    async with reopen():
        pass
    try:
        postgres.execute("UPDATE bridge.version SET version = 99")
        async with reopen() as store:
            await store.append([words.started()])
        postgres.execute("UPDATE bridge.version SET oldest = 99")
        with pytest.raises(StoreError, match="newer versions"):
            async with reopen():
                pass
    finally:
        postgres.execute(f"UPDATE bridge.version SET version = {len(schema.MIGRATIONS)}, oldest = 1")


def of_the_page(block: int) -> list[str]:
    """The statements of a block of SQL in the page."""
    blocks = re.findall("```sql\n(.*?)```", (ROOT / "bridge/docs/postgres.md").read_text(), re.DOTALL)
    return [statement for statement in blocks[block].split(";") if statement.strip()]


@needs_server
async def test_a_database_that_is_made_as_the_page_says(reopen: Open) -> None:
    for statement in of_the_page(0):
        postgres.execute(statement)
    try:
        url = postgres.server().url.replace("bridge@/postgres", "calls@/calls")
        async with PostgresStore(url) as store:
            await store.append(words.conversation())
            assert await found(store, text="words") == ["CA1"]
    finally:
        postgres.execute("DROP DATABASE calls")
        postgres.execute("DROP ROLE calls")


@needs_server
async def test_a_user_who_may_only_read_and_write_will_do_where_there_are_tables(reopen: Open) -> None:
    async with reopen():
        pass
    postgres.execute("CREATE ROLE plain LOGIN")
    try:
        with pytest.raises(StoreError, match="lacks a right"):
            async with PostgresStore(postgres.server().url.replace("bridge@", "plain@")):
                pass
        for statement in of_the_page(1):
            postgres.execute(statement)
        async with PostgresStore(postgres.server().url.replace("bridge@", "plain@")) as store:
            await store.append(words.conversation())
            assert len(await store.log(0)) == 5
    finally:
        postgres.execute("DROP OWNED BY plain; DROP ROLE plain")
