"""A process that stands still for longer than its lease, at the worst moments, and wakes up: it changes nothing more.

No moment is a matter of luck: a lock of the test's, an answer that is withheld, or an object store that takes its time
hold the process where it is to stand, its lease is ended in the database, and another process takes what it had.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest

from bridge.audio import interleave
from bridge.call import CallRegistry
from bridge.call.backfill import Backfill, BackfillPolicy
from bridge.call.call_options import CallOptions
from bridge.call.others import Others
from bridge.call.recovery import Recovery
from bridge.carriers.messages import Digit
from bridge.deepgram import options
from bridge.errors import NotOwner
from bridge.events import CallResumed
from bridge.outbox import Settlement
from bridge.store import Query, Whose
from bridge.store.archive.archive import Archive
from bridge.store.audio import AudioStore, Recordings
from bridge.store.postgres import statements
from bridge.store.postgres.store import PostgresStore
from tests.fakes import calls, postgres, words
from tests.fakes.audio_appender import sound
from tests.fakes.objects import MemoryObjects
from tests.fakes.origins import at
from tests.fakes.relay import Relay
from tests.fakes.running import AUDIO, deepgram
from tests.fakes.stores import Open, claim, seqs
from tests.fakes.waiting import until

pytestmark = pytest.mark.postgres

STEREO = interleave(*AUDIO)

RESUMED = CallResumed(reason="bridge_restarted", stream_id="MZ2", at=2.0)

LEASE = 600.0
"""Seconds; it runs out when the test says so."""


@pytest.fixture
def reopen() -> Open:
    return postgres.fresh()


@pytest.fixture
async def one(reopen: Open) -> AsyncIterator[Any]:
    """The process that stands still."""
    async with reopen(lease=LEASE) as store:
        yield store


@pytest.fixture
async def two(reopen: Open, one: Any) -> AsyncIterator[Any]:
    """The one that goes on."""
    async with reopen(lease=LEASE) as store:
        yield store


@pytest.fixture
def other() -> Iterator[Any]:
    """Someone else's connection, which can keep locks."""
    with closing(psycopg.connect(postgres.server().url)) as connection:
        yield connection


def expire(owner: str) -> None:
    """Its lease is over, and all others have theirs for long."""
    postgres.execute(f"UPDATE bridge.node SET expires_at = now() - interval '1 hour' WHERE id = '{owner}'")
    postgres.execute(f"UPDATE bridge.node SET since = now() - interval '1 day' WHERE id <> '{owner}'")


def waits(owner: str) -> bool:
    """Whether a process waits for a lock."""
    asked = "SELECT 1 FROM pg_stat_activity JOIN pg_locks USING (pid) WHERE NOT granted AND application_name ="
    return bool(postgres.execute(f"{asked} 'bridge {owner}'"))


async def take(store: Any, call_id: str = "CA1") -> Any:
    """Until it is this store's: a process that has died may have to be thrown out first."""
    async with asyncio.timeout(60):
        while (row := await store.take(call_id)) is None:
            await asyncio.sleep(0.01)
    return row


async def texts(store: Any, call_id: str = "CA1") -> list[tuple[int, bool]]:
    """The events of a call, and which of them the new owner has written."""
    return [(event.seq, "new owner" in event.body) for event in await store.read(Query(call_id), limit=1000)]


# --- an append ------------------------------------------------------------------------------------------------------


async def test_before_it_has_the_lock(one: Any, two: Any, other: Any) -> None:
    await one.append([words.started()])
    other.execute("SELECT FROM bridge.call WHERE id = 'CA1' FOR UPDATE")
    late = one.append([words.final(seq=2)])
    await until(lambda: waits(one.owner))
    expire(one.owner)
    other.execute(statements.TAKE, {"call_id": "CA1", "node": two.owner, "lease": LEASE})
    other.commit()
    with pytest.raises(NotOwner):
        await late
    assert await seqs(two) == [1]
    assert await two.whose("CA1") is Whose.OURS


async def test_between_its_lock_and_its_commit(one: Any, two: Any, other: Any) -> None:
    await one.append([words.started()])
    other.execute("LOCK TABLE bridge.event IN SHARE MODE")
    late = one.append([words.final(seq=2)])
    await until(lambda: waits(one.owner))
    assert await two.take("CA1") is None, "it lives"
    expire(one.owner)
    await take(two)
    other.rollback()
    await two.append([words.final(seq=2, text="of the new owner")])
    with pytest.raises(NotOwner):
        await late
    assert await texts(two) == [(1, False), (2, True)]


async def test_after_its_commit_and_before_the_answer(reopen: Open, two: Any) -> None:
    async with Relay(postgres.server().folder) as relay, PostgresStore(relay.url, ["webhook"], lease=LEASE) as zombie:
        await zombie.append([words.started()])
        relay.after = b"COMMIT\0"  # not `READ COMMITTED`
        late = zombie.append([words.final(seq=2)])
        await relay.withheld.wait()
        await until(lambda: postgres.execute("SELECT tip FROM bridge.call") == [(2,)])
        expire(zombie.owner)
        assert (await take(two)).tip == 2
        await two.append([words.final(seq=3, text="of the new owner")])
        queued = zombie.append([words.final(seq=3)])
        relay.cut()
        for refused in (late, queued):
            with pytest.raises(NotOwner):
                await refused
        assert await texts(two) == [(1, False), (2, False), (3, True)], "what it had committed is there, once"


async def test_what_it_still_has_to_say_when_the_call_has_been_ended_by_another(one: Any, two: Any) -> None:
    """An ended call takes what comes later: not from a process that has had it."""
    await one.append([words.started()])
    expire(one.owner)
    await take(two)
    with pytest.raises(NotOwner):
        await one.append([words.final(seq=2)])
    await two.append([words.final(seq=2, text="of the new owner"), words.ended(seq=3)])
    for seq in (3, 4):
        with pytest.raises(NotOwner):
            await one.append([words.final(seq=seq)])
    assert await texts(one) == [(1, False), (2, True), (3, False)]


async def test_the_call_itself_is_heard_no_more_once_another_process_has_it(one: Any, two: Any, tmp_path: Path) -> None:
    async with (
        deepgram() as server,
        AudioStore(tmp_path, limit=2**30) as audio,
        transcribes(one, audio, server) as work,
    ):
        registry = CallRegistry(calls.services(one, server, calls.HandClock()), max_calls=3, audio=audio)
        await registry.recover()
        stream = await registry.open(calls.started())
        await until(lambda: postgres.execute("SELECT 1 FROM bridge.call"))
        async with Others(one, audio, Recordings(tmp_path), work, registry):
            expire(one.owner)
            await take(two)
            await two.append([words.final(seq=2, text="of the new owner")])
            assert registry.of_record("CA1"), "it does not know yet"
            stream.receive(Digit("inbound", "5"))
            await until(lambda: not registry.calls)
        assert (registry.ended["events_not_kept"] > 0, one.counters["lost_calls"]) == (True, 1)
    assert await texts(two) == [(1, False), (2, True)]
    assert await two.whose("CA1") is Whose.OURS


async def test_a_call_that_was_deleted_may_begin_again(one: Any, two: Any) -> None:
    await two.append([words.started()])
    await two.release("CA1")
    await take(one)
    await one.append([words.ended(seq=2)])
    await one.delete("CA1")
    appends = [one.append([event]) for event in words.conversation(finals=2)]  # each before the one before is durable
    await asyncio.gather(*appends)
    assert await seqs(two) == [1, 2, 3, 4]


# --- after the end --------------------------------------------------------------------------------------------------


async def test_one_of_several_processes_adds_to_a_call_after_its_end(one: Any, two: Any, reopen: Open) -> None:
    await one.append(words.conversation(finals=1))
    assert await two.take_ended("CA1") is None, "it is another's"
    assert await one.take_ended("CA1")
    expire(one.owner)
    async with reopen(lease=LEASE) as three:
        expire(one.owner)
        taken = await asyncio.gather(*(store.take_ended("CA1") for store in (two, three) for _ in range(3)))
        assert len({row.owner for row in taken if row}) == 1
        (owner,) = [store for store in (two, three) if await store.whose("CA1") is Whose.OURS]
        await owner.append([words.final(seq=4, text="of the new owner")])
        with pytest.raises(NotOwner):
            await one.append([words.final(seq=5)])
        assert await texts(owner) == [(1, False), (2, False), (3, False), (4, True)]
        await owner.leave_ended("CA1")
        with pytest.raises(NotOwner):
            await owner.append([words.final(seq=5)])


async def test_a_process_that_has_died_is_waited_for_and_no_one_that_has_left(one: Any, two: Any, reopen: Open) -> None:
    await one.append(words.conversation("CA1"))
    async with reopen() as third:
        await third.append(words.conversation("CA2"))
    assert await two.take_ended("CA2", absent=1e6)
    expire(one.owner)  # since an hour
    assert await two.take_ended("CA1", absent=7200.0) is None
    assert await two.whose("CA1") is Whose.NO_ONES
    assert await two.take_ended("CA1", absent=60.0)


async def test_after_the_database_was_away_those_who_come_back_first_wait_for_the_others(one: Any, two: Any) -> None:
    await one.append(words.conversation())
    expire(one.owner)
    postgres.execute(f"UPDATE bridge.node SET since = now() WHERE id = '{two.owner}'")
    assert await two.take_ended("CA1") is None


# --- a delivery -----------------------------------------------------------------------------------------------------


async def test_a_settlement_before_it_has_the_lock(one: Any, two: Any, other: Any) -> None:
    await one.append([words.started(), words.final(seq=2)])
    (lane,) = await claim(one)
    other.execute("SELECT FROM bridge.lane WHERE call_id = 'CA1' FOR UPDATE")
    late = asyncio.ensure_future(one.settle(lane, Settlement(2, None)))
    await until(lambda: waits(one.owner))
    expire(one.owner)
    other.execute(statements.FREE_LANES_OF_THE_DEAD, {"node": two.owner, "lease": LEASE})
    other.commit()
    assert await late is False
    assert one.counters["lost_leases"] == 1
    (again,) = await claim(two)
    assert (again.cursor, again.batch_to) == (0, 2), "it is delivered again, by who has it now"
    assert await two.settle(again, Settlement(1, 2)) is True
    assert await one.settle(lane, Settlement(2, None)) is False
    state = await two.delivery("webhook", "CA1")
    assert state and state.cursor == 1


async def test_a_settlement_between_its_lock_and_its_commit(one: Any, two: Any, other: Any) -> None:
    await one.append([words.started(), words.final(seq=2)])
    (lane,) = await claim(one)
    pid = other.info.backend_pid
    other.execute("LOCK TABLE bridge.lane IN SHARE MODE")
    late = asyncio.ensure_future(one.settle(lane, Settlement(2, None)))
    await until(lambda: waits(one.owner))
    expire(one.owner)
    values = {"node": two.owner, "lease": LEASE}
    freeing = asyncio.create_task(asyncio.to_thread(other.execute, statements.FREE_LANES_OF_THE_DEAD, values))
    await until(lambda: postgres.execute(f"SELECT 1 FROM pg_locks WHERE NOT granted AND pid = {pid}"))
    await two._database.query(statements.FENCE, values)  # as with the other's next heartbeat
    await freeing
    other.commit()
    assert await late is False
    (again,) = await claim(two)
    assert (again.cursor, again.attempts) == (0, 0)


# --- audio and transcription after the call ---------------------------------------------------------------------------


@asynccontextmanager
async def audio_of(store: Any, objects: Any, path: Path, *, keep: bool = False) -> AsyncIterator[tuple[Any, Any]]:
    """The audio of a process."""
    async with Archive(objects, path, owners=store) as archive:
        async with AudioStore(path, limit=2**30, keep=keep, archive=archive) as audio:
            yield audio, archive


async def test_a_recording_on_its_way_to_the_object_store(one: Any, two: Any, tmp_path: Path) -> None:
    slow, objects = MemoryObjects(), MemoryObjects()
    slow.objects = objects.objects
    await one.append([words.started()])
    async with audio_of(one, slow, tmp_path / "one", keep=True) as (audio, archive):
        slow.open.clear()
        file = audio.open("CA1")
        file.append(sound(0, 500))
        await file.finish()
        await until(lambda: slow.writing)
        expire(one.owner)
        await take(two)
        await two.append([words.ended(seq=2)])
        async with audio_of(two, objects, tmp_path / "two", keep=True) as (theirs, their_archive):
            file = theirs.open("CA1")
            file.append(sound(0, 900))
            await file.finish()
            await until(lambda: objects.objects and not their_archive.waiting)
        whole = dict(objects.objects)
        slow.open.set()
        await until(lambda: not archive.waiting)
        assert objects.objects == whole
        heard = await archive.recording("CA1")
        assert await heard.read(0, 900) == sound(0, 900)


async def test_kept_audio_of_which_it_believes_that_no_one_needs_it(one: Any, two: Any, tmp_path: Path) -> None:
    objects = MemoryObjects()
    await one.append([words.started()])
    async with audio_of(one, objects, tmp_path / "one") as (audio, archive):
        file = audio.open("CA1")
        file.append(sound(0, 500))
        file.close()
        await audio.flush()
        await until(lambda: objects.objects and not archive.waiting)
        expire(one.owner)
        await take(two)
        await (await audio.reopen("CA1")).finish()
        await until(lambda: not archive.waiting)
        assert list(objects.objects) == ["CA1/audio/000000000000.ulaw"]
        async with audio_of(two, objects, tmp_path / "two") as (theirs, their_archive):
            file = await theirs.reopen("CA1")
            assert await file.read_on(0, 1000) == (0, sound(0, 500))
            await file.finish()
            await until(lambda: not their_archive.waiting)
    assert objects.objects == {}


async def test_kept_audio_of_a_call_that_has_been_another_processs_meanwhile(
    one: Any, two: Any, tmp_path: Path
) -> None:
    """What stands still and wakes lays what came meanwhile at the end of what it had: that is not where it belongs."""
    objects = MemoryObjects()
    await one.append([words.started()])
    async with audio_of(one, objects, tmp_path / "one") as (audio, _):
        file = audio.open("CA1")
        file.write_note({"resumed": 0})
        file.append(sound(0, 500))
        file.close()
        await audio.flush()
        expire(one.owner)
        await take(two)
        await two.append([words.event("CA1", 2, RESUMED)])
        async with audio_of(two, objects, tmp_path / "two") as (theirs, their_archive):
            later = theirs.open("CA1")
            later.leap(16_000)
            later.write_note({"resumed": 1})
            later.append(sound(0, 900))
            later.close()
            await theirs.brought("CA1")
            assert not their_archive.waiting
        await two.release("CA1")
        postgres.execute("UPDATE bridge.node SET expires_at = now() + interval '1 hour'")
        adopted = await Recovery(one, audio).adopt("CA1")
        assert adopted
        assert adopted.audio
        assert adopted.audio.end == 16_900
        assert await adopted.audio.read_on(16_000, 900) == (16_000, sound(0, 900))


def transcribes(store: Any, audio: Any, server: Any) -> Backfill:
    return Backfill(
        store,
        audio,
        at(server.url),
        BackfillPolicy(first_pause=0.01, longest_pause=0.02),
        CallOptions(options.parse("")),
        wall=time.time,
        random=Random(1),
        owners=store,
    )


async def ended_call(store: Any, audio: Any) -> None:
    """It lacks twelve seconds of one track."""
    file = audio.open("CA1")
    file.append(STEREO)
    await store.append([words.started(), words.ended(seq=2, uncovered=((0.0, 12.0),))])
    file.close()
    await audio.flush()


async def spoken(store: Any) -> list[str]:
    types = [event.type for event in await store.read(Query("CA1"), limit=1000)]
    assert types.count("transcription.backfilled") == 1
    return types


async def test_the_last_step_of_a_backfill(one: Any, two: Any, other: Any, tmp_path: Path) -> None:
    async with deepgram() as server, AudioStore(tmp_path, limit=2**30) as audio:
        await ended_call(one, audio)
        async with transcribes(one, audio, server) as service:
            other.execute("LOCK TABLE bridge.event IN SHARE MODE")
            work = service.offer("CA1")
            await until(lambda: waits(one.owner))  # with what it has heard, and the lock
            expire(one.owner)
            taking = asyncio.create_task(two.take_ended("CA1"))
            await until(lambda: waits(two.owner))
            # As with the other's next heartbeat.
            await two._database.query(statements.FENCE, {"node": two.owner, "lease": LEASE})
            assert await taking
            other.rollback()
            await two.append([words.backfilled("CA1", 3, 0.0, 12.0)])
            assert await work is False
        assert audio.kept() == ["CA1"], "it is not for this process to say that no one needs it"
        assert await spoken(two) == ["call.started", "call.ended", "transcription.backfilled"]


async def test_two_processes_that_find_the_same_audio_transcribe_it_once(one: Any, two: Any, tmp_path: Path) -> None:
    objects = MemoryObjects()
    async with deepgram() as server:
        async with audio_of(one, objects, tmp_path / "one") as (audio, archive):
            await ended_call(one, audio)
            await until(lambda: objects.objects and not archive.waiting)
        expire(one.owner)
        async with (
            audio_of(two, objects, tmp_path / "two") as (theirs, their_archive),
            audio_of(one, objects, tmp_path / "one") as (audio, archive),
            transcribes(two, theirs, server) as service,
            transcribes(one, audio, server) as zombie,
        ):
            await asyncio.gather(service.recover(), zombie.recover())
            await until(lambda: service.counters["done"] and not zombie.waiting)
            await until(lambda: not their_archive.waiting and not archive.waiting)
            assert zombie.counters["done"] == 0
            assert len(server.requests) == 1
            await spoken(two)
            assert audio.kept() == ["CA1"]
            await zombie._leftovers.look()
            assert audio.kept() == [], "what is here of it no one needs any more"
        assert objects.objects == {}


@pytest.mark.parametrize("lacks", [((0.0, 12.0),), ()], ids=["that lacks words", "that lacks nothing"])
async def test_audio_of_an_ended_call_that_was_not_the_last_process_s(one: Any, tmp_path: Path, lacks: Any) -> None:
    """It is no recording of the call, and its words would come at the wrong times."""
    async with deepgram() as server, AudioStore(tmp_path, limit=2**30, keep=True) as audio:
        file = audio.open("CA1")
        file.write_note({"resumed": 0})
        file.append(STEREO)
        ended = words.ended(seq=3, uncovered=lacks)
        await one.append([words.started(), words.event("CA1", 2, RESUMED), ended])
        file.close()
        await audio.flush()
        async with transcribes(one, audio, server) as service:
            await service.recover()
            await until(lambda: not service.waiting)
        assert (audio.kept(), list((tmp_path / "recordings").iterdir()), server.requests) == ([], [], [])


# --- what one does for all ------------------------------------------------------------------------------------------


async def does(store: Any, every: float = 3600.0) -> bool:
    async with store.chore("records", every) as ours:
        return bool(ours)


async def test_a_chore_is_one_processs_at_a_time_and_due_now_and_then(one: Any, two: Any) -> None:
    async with one.chore("records", 3600.0) as ours, two.chore("records", 0.0) as theirs:
        assert (ours, theirs) == (True, False)
        async with two.chore("recordings", 3600.0) as another:
            assert another
    assert [await does(two), await does(one)] == [False, False], "it has been done"
    assert await does(two, every=0.0)
    postgres.execute("UPDATE bridge.chore SET begun_at = now() - interval '1 hour'")
    assert sorted(await asyncio.gather(*(does(store) for store in (one, two)))) == [False, True]


async def test_a_chore_of_a_process_that_has_died_over_it_is_anothers(one: Any, two: Any) -> None:
    async with one.chore("records", 3600.0):
        assert not await does(two)
        expire(one.owner)
        assert not await does(one), "others count it as gone"
        async with two.chore("records", 3600.0) as theirs:
            assert theirs
    assert postgres.execute("SELECT id, node FROM bridge.chore") == [("records", None)]


async def test_a_chore_that_fails_is_done_again_when_it_is_due(one: Any, two: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        async with one.chore("records", 3600.0):
            raise ZeroDivisionError
    assert not await does(two)
    assert await does(two, every=0.0)


async def test_a_deletion_is_told_to_processes_that_have_audio_of_the_call(one: Any, two: Any) -> None:
    await one.append(words.conversation())
    with two.watch("deletions") as hints:
        await until(lambda: one._bus.hears and two._bus.hears)
        await one.delete("CA1")
        async with asyncio.timeout(60):
            assert (await anext(hints)).call_id == "CA1"
    assert await two.whose("CA1") is Whose.UNKNOWN
