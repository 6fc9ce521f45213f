"""Records that are too old go, with all that belongs to them, and it is written down; so do months of the audit log."""

import contextlib

import pytest

from bridge.call.eraser import Eraser
from bridge.call.expiry import Expiry
from bridge.errors import StoreError
from bridge.events import timestamp
from bridge.store.audit import FOLDER, AuditFiles
from bridge.store.auditing import AuditFilter, Entry
from bridge.store.sqlite import SQLiteStore
from tests.call.test_eraser import ended_call, left, place  # noqa: F401 - a fixture
from tests.fakes import words
from tests.fakes.waiting import until

DAY = 86400.0
ENDED = words.STARTED_AT + 60


class Clock:
    """The wall clock, as the test sets it."""

    days = 0.0

    def __call__(self):
        return ENDED + self.days * DAY


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def expiry(place, tmp_path, clock):  # noqa: F811
    store, _, _, backfill, eraser = place
    audit = AuditFiles(tmp_path)
    return Expiry(store, eraser, backfill, audit, record_days=30, audit_days=365, wall=clock), audit


async def calls(place):  # noqa: F811
    return [row.id for row in await place[0].calls()]


async def test_what_is_too_old_goes_with_its_recording_and_is_written_down(place, expiry, clock, tmp_path):  # noqa: F811
    looking, audit = expiry
    await ended_call(place, "CA1", finished=True)
    clock.days = 29
    await looking.look()
    assert await calls(place) == left(tmp_path) == ["CA1"]

    clock.days = 31
    await looking.look()
    assert await calls(place) == left(tmp_path) == []
    (entry,), _ = await audit.read(AuditFilter())
    assert (entry["via"], entry["action"], entry["call_id"]) == ("bridge", "delete", "CA1")
    assert looking.counters["records_deleted"] == 1


async def test_where_another_process_deletes_records_the_audit_log_is_looked_through(place, tmp_path, clock):  # noqa: F811
    store, _, _, backfill, eraser = place
    audit, given = AuditFiles(tmp_path), {"record_days": 30, "audit_days": 365, "wall": clock}
    await ended_call(place, "CA1", finished=True)
    await audit.write(Entry(timestamp(ENDED), "", "bridge", "", "delete", "CA0", None, 204))
    clock.days = 1000
    await Expiry(store, eraser, backfill, audit, **given, records=False).look()

    assert await calls(place) == ["CA1"]
    assert await audit.read(AuditFilter()) == ([], None)


async def test_more_than_are_asked_for_in_one_go(place, expiry, clock):  # noqa: F811
    for n in range(130):
        await place[0].append(words.conversation(f"CA{n}"))
    clock.days = 31
    await expiry[0].look()
    assert await calls(place) == []


async def test_a_call_that_is_transcribed_at_the_moment_waits(place, expiry, clock):  # noqa: F811
    store, _, _, backfill, _ = place
    await store.append([words.started("CA1"), words.ended("CA1", 2, uncovered=((0.0, 1.0),))])
    audio = place[1].open("CA1")
    audio.append(bytes(16000))
    audio.close()
    await place[1].flush()
    backfill.offer("CA1", patience=1e9)
    clock.days = 31
    await expiry[0].look()
    assert await calls(place) == ["CA1"]

    await backfill.cancel("CA1")
    await expiry[0].look()
    assert await calls(place) == []


class OfSome(Eraser):
    """A disk that has lost the recordings of some."""

    def __init__(self, eraser, broken):
        self._eraser = eraser
        self.broken = broken

    async def erase(self, call_id, *, more=False):
        if call_id in self.broken:
            raise StoreError("cannot delete a recording: Input/output error")
        return await self._eraser.erase(call_id, more=more)


async def test_those_that_cannot_be_deleted_hold_up_no_other(place, tmp_path, clock):  # noqa: F811
    store, _, _, backfill, eraser = place
    for n in range(130):
        await store.append(words.conversation(f"CA{n}"))
    clock.days = 31
    eraser = OfSome(eraser, {"CA0", "CA7"})
    looking = Expiry(store, eraser, backfill, AuditFiles(tmp_path), record_days=30, audit_days=None, wall=clock)
    await looking.look()
    assert sorted(await calls(place)) == ["CA0", "CA7"]
    assert looking.counters == {"records_deleted": 128, "failures": 2}

    eraser.broken.clear()
    await looking.look()
    assert await calls(place) == []


async def test_a_disk_that_fails_each_time_is_not_asked_for_ever(place, tmp_path, clock):  # noqa: F811
    store, _, _, backfill, eraser = place
    names = [f"CA{n}" for n in range(130)]
    for name in names:
        await store.append(words.conversation(name))
    clock.days = 31
    broken = OfSome(eraser, names)
    looking = Expiry(store, broken, backfill, AuditFiles(tmp_path), record_days=30, audit_days=None, wall=clock)
    await looking.look()
    assert looking.counters == {"failures": 100}


async def test_an_audit_log_that_cannot_be_written_stops_no_deletion(place, expiry, clock, tmp_path):  # noqa: F811
    looking, audit = expiry
    for name in ("CA1", "CA2"):
        await place[0].append(words.conversation(name))
    (tmp_path / FOLDER).write_text("a file where the folder should be")
    clock.days = 31
    await looking.look()
    assert await calls(place) == []
    assert (audit.counters["not_written"], looking.counters) == (2, {"records_deleted": 2})


async def test_old_months_of_the_audit_log_go(expiry, clock):
    looking, audit = expiry
    for month in ("2025-12", "2027-01"):
        await audit.write(Entry(f"{month}-01T00:00:00.000Z", "crm", "token", "", "read", "CA1", None, 200))
    clock.days = 1
    await looking.look()
    assert [entry["time"][:7] for entry in (await audit.read(AuditFilter()))[0]] == ["2027-01"]


async def test_it_looks_when_it_begins_and_a_store_that_fails_is_said(place, tmp_path, clock, caplog):  # noqa: F811
    store, _, _, backfill, eraser = place
    await store.append(words.conversation("CA1"))
    clock.days = 31
    async with SQLiteStore(tmp_path / "other") as closed:
        pass
    broken = Expiry(closed, eraser, backfill, AuditFiles(tmp_path), record_days=1, audit_days=None, wall=clock)
    async with broken:
        await until(lambda: broken.counters["failures"] == 1)
    assert "what is too old cannot be deleted" in caplog.text
    with pytest.raises(StoreError):
        await broken.look()

    async with Expiry(
        store, eraser, backfill, AuditFiles(tmp_path), record_days=1, audit_days=None, wall=clock
    ) as working:
        await until(lambda: working.counters["records_deleted"] == 1)


async def test_of_several_processes_one_deletes(place, tmp_path, clock):  # noqa: F811
    store, _, _, backfill, eraser = place
    audit, asked, turn = AuditFiles(tmp_path), [], [False, False, True, True]

    @contextlib.asynccontextmanager
    async def chore(name, every):
        asked.append((name, every))
        yield turn.pop(0)

    await store.append(words.conversation("CA1"))
    await audit.write(Entry("2025-12-01T00:00:00.000Z", "crm", "token", "", "read", "CA1", None, 200))
    clock.days = 31
    looking = Expiry(store, eraser, backfill, audit, record_days=30, audit_days=365, wall=clock, chore=chore)
    await looking.look()
    assert await calls(place) == ["CA1"]
    assert [entry["time"][:4] for entry in (await audit.read(AuditFilter()))[0]] == ["2025"]
    await looking.look()
    assert await calls(place) == []
    assert [entry["via"] for entry in (await audit.read(AuditFilter()))[0]] == ["bridge"], "of this deletion"
    assert asked == [("audit", 600.0), ("records", 600.0)] * 2
