"""A record on its way into PostgreSQL: whole there, or not there; broken off and begun again; compared."""

import asyncio
import dataclasses
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import StoreDamaged, StoreError, StoreInUse
from bridge.outbox import Settlement
from bridge.outlets import Outlet, Outlets, named
from bridge.store import CallFilter, ManagedStore, Query
from bridge.store.moving import rows, source
from bridge.store.moving.moving import MOST_SHOWN, Moved, move
from bridge.store.moving.source import Source, moved
from bridge.store.postgres.store import PostgresStore
from bridge.store.sqlite import FILENAME, SQLiteStore
from tests.fakes import postgres, words
from tests.fakes.stores import claim, found, seqs

ROOT = Path(__file__).parents[2]

needs_server = pytest.mark.postgres

OUTLETS = Outlets([Outlet("webhook"), Outlet("crm"), Outlet("tenants", is_pattern=True)])
NAMED = named("tenants", "https://a.example.com/hook?token=1")

_numbers = count()


def silent(doing: str, done: int, total: int) -> None:
    """Tell no one."""


async def keep(data_dir: Path, finals: int = 3) -> None:
    """A record with all that there is: calls that have ended and one that goes on, what waits, is tried again, was
    given up and was skipped, an endpoint that is gone and one that a call has named, and a call that was deleted."""
    async with SQLiteStore(data_dir, OUTLETS) as store:
        await store.append([words.started("CA0"), words.final("CA0", 2)])  # its owner is gone, then
        for call_id in ("CA1", "CA2", "CA3"):
            await store.append(words.conversation(call_id, finals=finals), deliver=call_id != "CA3")
        gone = words.conversation("gone", finals=finals)
        await store.append(gone)
        await store.append(words.conversation("CA5"), named=NAMED)
        await store.append([words.started("CA6", continues="CA1", to="+1\x00555", record_days=30.0)])
        await store.append([words.final("CA6", 2, text="Grüße, 你好 and a refund"), words.ended("CA6", 3)])
        await store.append([words.backfilled("CA6", 4, 1.0, 2.0)])
        for lane in await claim(store, endpoint="webhook"):
            if lane.call_id == "CA1":
                again = Settlement(0, lane.batch_to, due=2_000_000_000.5, attempts=3, first_failure=1.25, reason="503")
                await store.settle(lane, again)
            elif lane.call_id == "CA2":
                await store.settle(lane, Settlement(2, lane.batch_to, rejections=2, skipped=(2,), parked="410"))
            elif lane.call_id == "gone":
                await store.settle(lane, Settlement(lane.batch_to, None))
        await store.disable("crm", "https://crm.example.com/")
        await store.delete("gone")


async def shown(store: ManagedStore) -> list[Any]:
    """All that a store answers, but for what is each store's own."""
    calls = await store.calls()
    ids = [call.id for call in calls]
    stuck = await store.stuck()
    return [
        calls,
        [await store.find(CallFilter(id=call_id)) for call_id in ids],
        [await store.read(Query(call_id)) for call_id in ids],
        await store.log(0),
        await store.position(),
        [sorted((await store.deliveries(call_id)).items()) for call_id in ids],
        sorted(stuck, key=lambda lane: (lane.call_id, lane.endpoint)),
        await store.backlogs(),
        [await store.disabled(endpoint) for endpoint in ("webhook", "crm")],
        await store.named_url(NAMED.endpoint),
        await found(store, text="refund"),
        await found(store, text="好"),
        sorted(await store.expired(3e9, 1.0, limit=10)),
        await store.since("2027-01-15T08:00:02"),
        [call.id for call in await store.abandoned()],
    ]


async def shown_here(data_dir: Path) -> list[Any]:
    async with SQLiteStore(data_dir, OUTLETS) as store:
        return await shown(store)


@pytest.fixture
def url() -> Iterator[str]:
    """A database of its own."""
    name = f"moved{next(_numbers)}"
    postgres.execute(f"CREATE DATABASE {name}")
    yield postgres.server().url.replace("/postgres?", f"/{name}?")
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


def there(url: str) -> PostgresStore:
    return PostgresStore(url, OUTLETS)


# --- no server ------------------------------------------------------------------------------------------------------


def test_the_words_of_finals_are_those_of_the_index() -> None:
    body = words.final("CA1", 2, text="Two taxis!").to_json()

    assert rows.event("CA1", 2, 7, "transcript.final", body) == (
        ("CA1", 2, 7, "transcript.final", json.loads(body)["time"], body),
        ("CA1", 2, "'two':1 'taxi':2"),
    )
    assert rows.event("CA1", 2, 7, "transcript.final", words.final("CA1", 2, text="…").to_json())[1] is None
    assert rows.event("CA1", 1, 6, "call.started", words.started("CA1").to_json())[1] is None


@pytest.mark.parametrize("body", ["", "{}", '{"time": 1, "data": {}}', '{"time": "", "data": []}'])
def test_a_body_that_is_none_is_said_with_its_place(body: str) -> None:
    with pytest.raises(StoreDamaged, match="event 3 of call CA1 cannot be read: run `bridge repair`"):
        rows.event("CA1", 3, 1, "call.ended", body)


def test_what_postgresql_cannot_have_is_left_out() -> None:
    assert rows.plain(("a\0b", 1, None, 2.5, "c")) == ("a b", 1, None, 2.5, "c")


@pytest.mark.parametrize("changed", range(len(rows.CALL)))
def test_a_call_has_another_hash_when_anything_of_it_is_another(changed: int) -> None:
    call = tuple(range(len(rows.CALL)))
    other = (*call[:changed], "other", *call[changed + 1 :])

    assert bytes(rows.Fingerprint(call, [])) == bytes(rows.Fingerprint(call, []))
    assert bytes(rows.Fingerprint(call, [])) != bytes(rows.Fingerprint(other, []))
    assert bytes(rows.Fingerprint(call, [])) != bytes(rows.Fingerprint(call, [("a lane",)]))


def test_what_came_of_it_is_the_same_only_if_all_of_it_is() -> None:
    assert Moved().is_same
    assert not Moved(hash_here="1").is_same
    done = Moved()
    for number in range(MOST_SHOWN + 5):
        done.differs(f"call {number} is not there")
    assert (done.is_same, done.different, len(done.shown)) == (False, MOST_SHOWN + 5, MOST_SHOWN)
    more = Moved()
    more.there["events"] = 1
    assert not more.is_same


async def test_a_record_is_read_in_pieces_that_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await keep(tmp_path, finals=9)
    monkeypatch.setattr(source, "EVENTS", 4)
    monkeypatch.setattr(source, "_PAGE", 3)
    record = Source(tmp_path)
    try:
        calls = record.calls(0, 0)
        pieces = list(record.pieces(calls, 100))
        endpoints = [row for page in record.endpoints() for row in page]
        assert [len(page) for page in record.endpoints()] == [2]
    finally:
        record.close()

    assert max(len(piece.events) for piece in pieces) <= 4 + 3
    events = [row for piece in pieces for row in piece.events]
    assert [row[:2] for row in events] == [(call[0], seq) for call in calls for seq in range(1, call[11] + 1)]
    assert (record.count, record.position) == (6, max(row[2] for row in events) - 100)
    assert endpoints == [("crm", "https://crm.example.com/", None), (NAMED.endpoint, None, NAMED.url)]


async def test_pieces_are_bounded_in_octets_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await keep(tmp_path)
    monkeypatch.setattr(source, "OCTETS", 1)
    record = Source(tmp_path)
    try:
        pieces = list(record.pieces(record.calls(0, 0), 0))
    finally:
        record.close()
    assert len(pieces) == 6


async def test_a_record_keeps_the_id_under_which_it_is_copied(tmp_path: Path) -> None:
    async with SQLiteStore(tmp_path):
        with pytest.raises(StoreInUse):
            Source(tmp_path)
    ids = set()
    for _ in range(2):
        record = Source(tmp_path)
        ids.add(record.id)
        assert (repr(record), moved(tmp_path)) == ("<Source 0 calls>", None)
        record.close()
    async with SQLiteStore(tmp_path):
        pass  # a copy that is not finished keeps no one from going on with it
    record = Source(tmp_path)
    record.leave()
    record.close()
    assert ids == {record.id, moved(tmp_path)}

    with pytest.raises(StoreError, match=r"was copied into PostgreSQL, .* set DATABASE_URL; .* delete .*bridge\.moved"):
        async with SQLiteStore(tmp_path):
            pass
    (tmp_path / FILENAME).with_suffix(".moved").unlink()
    async with SQLiteStore(tmp_path):
        pass


async def test_where_there_is_no_record_or_no_database_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no "):
        await move(tmp_path, "postgresql://ann@/x", silent)
    await keep(tmp_path)
    with pytest.raises(StoreError, match="the database cannot be reached; give the command again") as caught:
        await move(tmp_path, f"postgresql://ann:sesame@/x?host={tmp_path}", silent)
    assert "sesame" not in str(caught.value)
    async with SQLiteStore(tmp_path) as store:
        assert len(await store.calls()) == 6


# --- into an empty database -----------------------------------------------------------------------------------------


@needs_server
async def test_everything_is_there_and_goes_on(tmp_path: Path, url: str) -> None:
    await keep(tmp_path)
    before = await shown_here(tmp_path)
    told: list[tuple[str, int, int]] = []
    done = await move(tmp_path, url, lambda *said: told.append(said))

    assert done.is_same and (done.before, done.copied, done.shift, done.different) == (False, 6, 0, 0)
    assert done.here == {"calls": 6, "events": 26, "texts": 14, "lanes": 11, "endpoints": 2}
    assert told == [("copied", 6, 6), ("compared", 6, 6)]
    async with there(url) as store:
        after = await shown(store)
        assert after[1:] == before[1:]
        assert [dataclasses.replace(call, header="") for call in after[0]] == [
            dataclasses.replace(call, header="") for call in before[0]
        ]
        assert [lane.call_id for lane in await claim(store)] == ["CA0", "CA5", "CA6"]
        assert [lane.call_id for lane in await claim(store, endpoint=NAMED.endpoint)] == ["CA5"]
        assert [lane.call_id for lane in await claim(store, now=2_000_000_001.0)][3:] == ["CA1"]
        call = await store.take("CA0")
        assert call and call.epoch == 2
        await store.append([words.ended("CA0", 3)])
        await store.append(words.conversation("CA7"))
        assert [entry.position for entry in await store.log(before[4])] == [
            before[4] + more for more in range(1, 1 + 1 + 5)
        ]
        assert (await found(store))[:2] == ["CA7", "CA6"]


@needs_server
async def test_an_empty_record_is_moved_too(tmp_path: Path, url: str) -> None:
    async with SQLiteStore(tmp_path):
        pass
    assert (await move(tmp_path, url, silent)).is_same
    async with there(url) as store:
        assert (await store.calls(), await store.position()) == ([], 0)
        await store.append([words.started()])
        assert await store.position() == 1


@needs_server
async def test_once_moved_it_is_not_moved_again(tmp_path: Path, url: str) -> None:
    await keep(tmp_path)
    await move(tmp_path, url, silent)
    async with there(url) as store:
        assert await store.delete("CA1")

    assert (await move(tmp_path, url, silent)).before
    async with there(url) as store:
        assert "CA1" not in await found(store)
    with pytest.raises(StoreError, match="was copied into PostgreSQL"):
        async with SQLiteStore(tmp_path):
            pass
    with pytest.raises(StoreError, match="moved into another database; to copy it once more, delete "):
        await move(tmp_path, postgres.server().url, silent)
    (tmp_path / FILENAME).with_suffix(".moved").rename((tmp_path / FILENAME).with_suffix(".copy"))
    with pytest.raises(StoreError, match="this record was copied before"):
        await move(tmp_path, url, silent)


# --- broken off -----------------------------------------------------------------------------------------------------


class BrokenOffError(Exception):
    """Of this test."""


def broken_off(after: int) -> Callable[[str, int, int], None]:
    """Breaks it off when it tells something for this time."""
    times = count(1)

    def tell(*_: object) -> None:
        if next(times) == after:
            raise BrokenOffError

    return tell


@needs_server
@pytest.mark.parametrize("after", range(1, 7))
async def test_wherever_it_is_broken_off_it_goes_on(
    after: int, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "CALLS", 2)
    await keep(tmp_path)
    before = await shown_here(tmp_path)
    with pytest.raises(BrokenOffError):
        await move(tmp_path, url, broken_off(after))

    with pytest.raises(StoreError, match="a record is being copied into the database: see that `bridge migrate` ends"):
        async with there(url):
            pass
    done = await move(tmp_path, url, silent)
    assert done.is_same and done.copied == max(0, 6 - 2 * after), "the calls of which it was told are there"
    async with there(url) as store:
        assert (await shown(store))[1:] == before[1:]


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from bridge.store.moving import moving, source, target
source.CALLS = 2
doing, data_dir, url = sys.argv[1:]
def tell(done, *_):
    if done == doing:
        os.kill(os.getpid(), signal.SIGKILL)
if doing == "within":
    read, times = source.event, iter(range(9))
    source.event = lambda *given: read(*given) if next(times, None) is not None else tell("within")
    source.EVENTS = 2
if doing == "left":
    target.Target.finish = lambda self: tell("left")
asyncio.run(moving.move(Path(data_dir), url, tell))
"""


@needs_server
@pytest.mark.parametrize("doing", ["within", "copied", "left"])
async def test_killed_it_goes_on(doing: str, tmp_path: Path, url: str) -> None:
    await keep(tmp_path)
    before = await shown_here(tmp_path)
    command = [sys.executable, "-c", KILLED, doing, str(tmp_path), url]
    killed = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL

    with pytest.raises(StoreError, match="is being copied"):
        async with there(url):
            pass
    done = await move(tmp_path, url, silent)
    assert done.is_same and done.before == (doing == "left")
    assert done.copied == {"within": 4, "copied": 4, "left": 0}[doing], "a call is there whole, or not at all"
    async with there(url) as store:
        assert (await shown(store))[1:] == before[1:]


@needs_server
async def test_a_lost_connection_is_said_and_it_goes_on(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "CALLS", 2)
    await keep(tmp_path)

    def lose(doing: str, done: int, total: int) -> None:
        if (doing, done) == ("copied", 4):
            end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'bridge migrate'"
            postgres.execute(end)

    with pytest.raises(StoreError, match="the copy has stopped: .*; give the command again: it goes on where it was"):
        await move(tmp_path, url, lose)
    done = await move(tmp_path, url, silent)
    assert done.is_same and done.copied == 2


@needs_server
async def test_what_a_process_has_done_meanwhile_is_copied_as_it_is_now(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "CALLS", 4)
    await keep(tmp_path)
    with pytest.raises(BrokenOffError):
        await move(tmp_path, url, broken_off(1))
    async with SQLiteStore(tmp_path, OUTLETS) as store:
        assert await store.take("CA0")
        await store.append([words.ended("CA0", 3)])
        await store.delete("CA1")
        await store.delete("CA3")
        await store.append(words.conversation("CA3"), deliver=False)  # the same again, later
        while lanes := await claim(store):
            for lane in lanes:
                await store.settle(lane, Settlement(lane.batch_to, None))
        await store.disable("crm", None)
    before = await shown_here(tmp_path)

    done = await move(tmp_path, url, silent)
    assert done.is_same and done.here["calls"] == 5
    async with there(url) as store:
        assert (await shown(store))[1:] == before[1:]
        assert await claim(store) == [], "nothing is delivered twice"


# --- into a database with calls -------------------------------------------------------------------------------------


@needs_server
async def test_two_records_become_one(tmp_path: Path, url: str) -> None:
    await keep(tmp_path)
    async with there(url) as store:
        await store.append(words.conversation("own"), named=NAMED)
        await store.append([words.started("late")])
        await store.disable("crm", "https://new.example.com/")
        own = await store.log(0)
        waits = [lane.call_id for lane in await claim(store)]
    before = await shown_here(tmp_path)
    done = await move(tmp_path, url, silent)

    assert done.is_same and (done.copied, done.shift) == (6, len(own))
    async with there(url) as store:
        log = await store.log(0)
        assert log[: len(own)] == own
        assert [
            dataclasses.replace(entry, position=entry.position - done.shift) for entry in log[len(own) :]
        ] == before[3]
        assert sorted(await found(store)) == ["CA0", "CA1", "CA2", "CA3", "CA5", "CA6", "late", "own"]
        assert await store.disabled("crm") == "https://new.example.com/"
        assert sorted(lane.call_id for lane in await claim(store)) == sorted([*waits, "CA0", "CA5", "CA6"])
        await store.append([words.started("new")])
        assert (await found(store))[0] == "new"
        assert await store.position() == done.shift + before[4] + 1


@needs_server
async def test_calls_are_listed_in_the_order_in_which_they_began(tmp_path: Path, url: str) -> None:
    async with SQLiteStore(tmp_path) as here:
        for hour in (1, 3):
            await here.append([_at(f"here{hour}", hour)])
    async with there(url) as store:
        for hour in (0, 2, 4):
            await store.append([_at(f"there{hour}", hour)])
    assert (await move(tmp_path, url, silent)).is_same
    async with there(url) as store:
        assert await found(store) == ["there4", "here3", "there2", "here1", "there0"]


def _at(call_id: str, hour: int) -> Any:
    event = words.started(call_id)
    data = event.data.model_copy(update={"started_at": f"2026-11-20T0{hour}:00:00.000Z"})
    return dataclasses.replace(event, data=data)


@needs_server
async def test_a_call_that_both_have_is_refused_before_anything_is_written(tmp_path: Path, url: str) -> None:
    await keep(tmp_path)
    async with there(url) as store:
        await store.append([words.started("CA1")])
        before = await shown(store)
    with pytest.raises(StoreError, match=r"both records have a call of the same id \(CA1\): delete it in one"):
        await move(tmp_path, url, silent)
    async with there(url) as store:
        assert (await shown(store))[2:-1] == before[2:-1]
        await store.release("CA1")
    async with SQLiteStore(tmp_path, OUTLETS) as here:
        await here.delete("CA1")
    assert (await move(tmp_path, url, silent)).is_same


@needs_server
async def test_who_may_not_make_tables_is_told_so(tmp_path: Path, url: str) -> None:
    await keep(tmp_path)
    async with there(url):
        pass
    user = f"plain{next(_numbers)}"
    postgres.execute(f"CREATE ROLE {user} LOGIN")
    postgres.execute(f"GRANT USAGE ON SCHEMA bridge TO {user}; GRANT ALL ON ALL TABLES IN SCHEMA bridge TO {user}", url)
    with pytest.raises(StoreError, match="lacks a right; it needs the user who owns the tables"):
        await move(tmp_path, url.replace("bridge@", f"{user}@"), silent)
    async with there(url):
        pass
    postgres.execute(f"DROP OWNED BY {user}; DROP ROLE {user}", url)


@needs_server
async def test_not_while_processes_have_it(tmp_path: Path, url: str) -> None:
    await keep(tmp_path)
    async with there(url):
        with pytest.raises(StoreError, match="a process has the record at DATABASE_URL open: stop that first"):
            await move(tmp_path, url, silent)
        async with there(url):
            with pytest.raises(StoreError, match="2 processes have"):
                await move(tmp_path, url, silent)
    async with PostgresStore(url, lease=600.0):
        postgres.execute("UPDATE bridge.node SET expires_at = now() - interval '1 minute'", url)
        with pytest.raises(StoreError, match="a process has"):  # it stood still, and may wake up
            await move(tmp_path, url, silent)
    async with SQLiteStore(tmp_path):
        with pytest.raises(StoreInUse):
            await move(tmp_path, url, silent)
    done = await move(tmp_path, url, silent)
    assert done.is_same and done.shift == 0


@needs_server
async def test_one_record_after_the_other(tmp_path: Path, url: str) -> None:
    await keep(tmp_path / "one")
    async with SQLiteStore(tmp_path / "two") as here:
        await here.append(words.conversation("other"))
    with pytest.raises(BrokenOffError):
        await move(tmp_path / "one", url, broken_off(2))
    with pytest.raises(StoreError, match="another record is being copied into the database: finish that first"):
        await move(tmp_path / "two", url, silent)
    assert (await move(tmp_path / "one", url, silent)).is_same
    assert (await move(tmp_path / "two", url, silent)).is_same
    async with there(url) as store:
        assert len(await found(store)) == 7
        assert await seqs(store, "other") == [1, 2, 3, 4, 5]


# --- compared -------------------------------------------------------------------------------------------------------

SPOILED = {
    "event": "UPDATE bridge.event SET body = replace(body, 'words', 'sword') WHERE call_id = 'CA1' AND seq = 2",
    "position": "UPDATE bridge.event SET position = position + 100 WHERE call_id = 'CA1' AND seq = 2",
    "call": "UPDATE bridge.call SET epoch = 7 WHERE id = 'CA1'",
    "lane": "UPDATE bridge.lane SET cursor = 1 WHERE call_id = 'CA1'",
    "lost": "DELETE FROM bridge.event WHERE call_id = 'CA1' AND seq = 2",
    "gone": "DELETE FROM bridge.call WHERE id = 'CA1'",
    "text": "UPDATE bridge.speech SET words = 'other:1' WHERE call_id = 'CA1' AND seq = 2",
    "text too many": "INSERT INTO bridge.speech VALUES ('CA1', 1, 'other:1')",
    "endpoint": "UPDATE bridge.endpoint SET disabled = NULL WHERE id = 'crm'",
}


@needs_server
@pytest.mark.parametrize("what", SPOILED)
async def test_what_is_not_the_same_is_told_and_copied_again(what: str, tmp_path: Path, url: str) -> None:
    await keep(tmp_path)

    async def spoil() -> Moved:
        from bridge.store.moving.target import Target

        class Spoiled(Target):
            async def order(self) -> None:
                await super().order()
                postgres.execute(SPOILED[what], url)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("bridge.store.moving.moving.Target", Spoiled)
            return await move(tmp_path, url, silent)

    done = await spoil()
    assert not done.is_same and done.different == len(done.shown) == 1
    assert ("endpoint crm" if what == "endpoint" else "call CA1") in done.shown[0]
    with pytest.raises(StoreError, match="is being copied"):
        async with there(url):
            pass
    async with SQLiteStore(tmp_path):
        pass  # the one here is as it was
    assert (await move(tmp_path, url, silent)).is_same


@needs_server
async def test_an_event_that_no_one_has_copied_is_noticed(tmp_path: Path, url: str) -> None:
    await keep(tmp_path)
    with pytest.raises(BrokenOffError):
        await move(tmp_path, url, broken_off(2))
    postgres.execute(
        "INSERT INTO bridge.event (call_id, seq, type, time, body) VALUES ('x', 9, 'call.ended', '', '{}')", url
    )
    done = await move(tmp_path, url, silent)
    assert not done.is_same and done.there["events"] == done.here["events"] + 1
