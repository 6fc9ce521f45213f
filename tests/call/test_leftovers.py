"""Kept audio that no one works on, where several processes share a record: each call's is one process's affair."""

import contextlib
import json

import pytest

from bridge.audio import SAMPLE_RATE
from bridge.call import leftovers
from bridge.call.leftovers import Leftovers
from bridge.errors import StoreError
from bridge.events import CallResumed
from bridge.store.archive.archive import Archive
from bridge.store.audio import AudioStore
from bridge.store.base import Query, Whose
from bridge.store.sqlite import SQLiteStore
from tests.fakes import words
from tests.fakes.objects import MemoryObjects
from tests.fakes.waiting import until

SECOND = bytes(2 * SAMPLE_RATE)
DAY = 86_400.0


class Owners:
    """Other processes: those that `have` calls, and those that have died with calls, so many seconds ago."""

    lease = 10.0

    def __init__(self):
        self.have, self.died = set(), {}
        self.taken, self.left = [], []
        self.turn = True
        """Whether this process looks into the object store."""
        self.chores = []

    async def take_ended(self, call_id, absent=0.0):
        if call_id in self.have or self.died.get(call_id, absent) < absent:
            return None
        self.taken.append(call_id)
        return call_id

    async def leave_ended(self, call_id):
        self.left.append(call_id)

    async def whose(self, call_id):
        return Whose.OTHERS if call_id in self.have else Whose.NO_ONES

    @contextlib.asynccontextmanager
    async def chore(self, name, every):
        self.chores.append((name, every))
        yield self.turn


@pytest.fixture
def owners():
    return Owners()


@pytest.fixture
async def place(tmp_path):
    """A record, the audio on this disk, and the objects that others have brought."""
    objects = MemoryObjects()
    async with SQLiteStore(tmp_path) as store, Archive(objects, tmp_path) as archive:
        async with AudioStore(tmp_path, limit=2**30, archive=archive) as audio:
            yield store, audio, objects
        await archive.drain(10.0)


def look_with(place, owners, now=0.0):
    """What is offered for transcription, what is finished, and who decides it."""
    store, audio, _ = place
    offered, finished = [], []

    async def finish(call_id):
        finished.append(call_id)
        await (await audio.reopen(call_id)).finish()

    looking = Leftovers(
        store,
        audio,
        owners,
        offered.append,
        finish,
        keep=7 * DAY,
        wall=lambda: words.STARTED_AT + 60 + now,
    )
    return looking, offered, finished


async def ended(place, call_id, *, lacks=True, given_up=False, here=True):
    store, audio, objects = place
    events = [words.started(call_id), words.ended(call_id, 2, uncovered=((0.0, 1.0),) if lacks else ())]
    await store.append([*events, words.gap(call_id, 3, 0.0, 1.0)] if given_up else events)
    if here:
        file = audio.open(call_id)
        file.append(SECOND)
        file.close()
        await audio.flush()
    else:
        objects.objects[f"{call_id}/audio/000000000000.ulaw"] = SECOND


async def test_what_another_process_has_is_not_touched_until_nothing_of_it_is_needed(place, owners, caplog):
    await ended(place, "CA1")
    await ended(place, "CA2", lacks=False)
    owners.have = {"CA1", "CA2"}
    looking, offered, finished = look_with(place, owners)
    await looking.look(first=True)
    assert (offered, finished, place[1].kept()) == ([], [], ["CA1"])
    assert [record.call_id for record in caplog.records] == ["CA2"], "its audio here is of no use to anyone"

    await place[0].append([words.backfilled("CA1", 3, 0.0, 1.0)])  # as the other process does
    await looking.look()
    assert (offered, finished, place[1].kept()) == ([], [], [])


async def test_of_a_call_that_goes_on_elsewhere_the_audio_here_stays(place, owners):
    store, audio, _ = place
    await store.append([words.started("CA1")])
    audio.open("CA1").close()
    owners.have = {"CA1"}
    looking, *said = look_with(place, owners)
    await looking.look(first=True)
    assert (said, audio.kept(), owners.taken) == ([[], []], ["CA1"], [])


async def test_it_is_taken_before_anything_is_done(place, owners):
    await ended(place, "CA1")
    await ended(place, "CA2", lacks=False)
    await ended(place, "CA3", given_up=True)
    looking, offered, finished = look_with(place, owners)
    await looking.look(first=True)
    assert (offered, finished, owners.taken) == (["CA1"], ["CA2"], ["CA1", "CA2"])

    looking, offered, finished = look_with(place, owners, now=8 * DAY)
    await looking.look()
    assert (offered, finished) == (["CA1"], ["CA3"]), "what was given up goes when it is too old"


async def test_a_process_that_has_died_may_come_back_with_more_than_is_in_the_object_store(place, owners):
    await ended(place, "CA1", here=False)
    await ended(place, "CA2")
    owners.died = dict.fromkeys(("CA1", "CA2"), leftovers.ABSENT - 1)
    looking, offered, _ = look_with(place, owners)
    await looking.look(first=True)
    assert offered == ["CA2"], "it is this one, which has begun again with its disk"
    assert looking.pause == 3 * owners.lease

    owners.died.clear()
    await looking.look()
    assert offered == ["CA2", "CA2", "CA1"]
    assert looking.pause == leftovers.SHARED


RESUMED = CallResumed(reason="bridge_restarted", stream_id="MZ2", at=0.5)


async def ended_by_another(place, call_id, tmp_path, *, here=True, resumed=0):
    """A call that a second process has ended; `resumed`: as the note of what is left of its audio says."""
    store, audio, objects = place
    end = words.ended(call_id, 3, uncovered=((0.0, 1.0),))
    await store.append([words.started(call_id), words.event(call_id, 2, RESUMED), end])
    async with Archive(objects, tmp_path / "other") as archive:
        async with AudioStore(tmp_path / "other", limit=2**30, archive=archive) as other:
            kept = audio if here else other
            file = kept.open(call_id)
            file.append(SECOND)
            file.write_note({"resumed": resumed})
            file.close()
            await kept.flush()
            await until(lambda: len(objects.objects) == 2)


async def gaps(place, call_id):
    found = await place[0].read(Query(call_id, ("audio.gap",)))
    return [(gap["track"], gap["from"], gap["to"], gap["why"]) for gap in (json.loads(e.body)["data"] for e in found)]


@pytest.mark.parametrize("here", [True, False])
async def test_what_only_an_earlier_process_has_left_is_told_as_a_gap_once_and_goes(
    place, owners, tmp_path, caplog, here
):
    await ended_by_another(place, "CA1", tmp_path, here=here)
    looking, offered, finished = look_with(place, owners)
    owners.died = {"CA1": leftovers.ABSENT - 1}
    await looking.look(first=True)
    assert (await gaps(place, "CA1"), owners.taken, place[1].kept()) == ([], [], ["CA1"] * here)

    owners.died.clear()
    for _ in range(3):
        await looking.look()
    assert await gaps(place, "CA1") == [("inbound", 0.0, 1.0, "not_transcribed")]
    assert (offered, finished, place[1].kept(), owners.left) == ([], [], [], ["CA1"])
    await until(lambda: not place[2].contents)
    lost = [record for record in caplog.records if record.message == "kept audio is lost"]
    assert [record.call_id for record in lost] == ["CA1"]


async def test_what_the_last_process_has_left_is_transcribed_wherever_it_is(place, owners, tmp_path):
    await ended_by_another(place, "CA1", tmp_path, here=False, resumed=1)
    looking, offered, _ = look_with(place, owners)
    await looking.look()
    assert (offered, await gaps(place, "CA1")) == (["CA1"], [])


async def test_what_is_being_transcribed_is_not_lost(place, owners, tmp_path):
    await ended_by_another(place, "CA1", tmp_path, resumed=1)
    looking, offered, _ = look_with(place, owners)
    looking._failed = {"CA1"}  # in the look before
    file = await place[1].reopen("CA1")
    await looking.look()
    file.close()
    assert (offered, await gaps(place, "CA1")) == (["CA1"], [])


async def test_where_the_object_store_does_not_say_what_it_has_nothing_is_lost_yet(place, owners, tmp_path):
    await ended_by_another(place, "CA1", tmp_path)
    place[2].fails = "the object store does not answer in time"
    looking, offered, _ = look_with(place, owners)
    await looking.look()
    assert (offered, await gaps(place, "CA1")) == ([], [])

    place[2].fails = None
    await looking.look()
    assert len(await gaps(place, "CA1")) == 1


async def test_one_process_at_a_time_looks_into_the_object_store(place, owners):
    await ended(place, "CA1", here=False)
    owners.turn = False
    looking, offered, _ = look_with(place, owners)
    await looking.look(first=True)
    await looking.look()
    assert (offered, place[2].asked) == ([], [])
    assert owners.chores == [("kept audio", 0.0), ("kept audio", leftovers.SHARED)]

    owners.turn = True
    await looking.look()
    assert offered == ["CA1"]


async def test_alone_it_asks_no_one(place):
    await ended(place, "CA1")
    await ended(place, "CA2", here=False)
    looking, offered, _ = look_with(place, None)
    await looking.look(first=True)
    assert (offered, looking.pause) == (["CA1", "CA2"], leftovers.ALONE)


async def test_audio_of_no_record_goes_at_the_start_and_only_if_it_is_here(place, owners):
    _, audio, objects = place
    objects.objects["CA1/audio/000000000000.ulaw"] = SECOND
    for call_id in ("CA2", "CA3"):
        audio.open(call_id).close()
    looking, _, finished = look_with(place, owners)
    await looking.look()
    assert finished == [], "its call may be about to begin"
    await looking.look(first=True)
    assert (finished, audio.kept(), list(objects.contents)) == (["CA2", "CA3"], [], ["CA1/audio/000000000000.ulaw"])


async def test_what_fails_costs_no_other_call_and_is_told(place, owners, caplog):
    for call_id in ("CA1", "CA2"):
        await ended(place, call_id)
    place[2].fails = "the object store does not answer in time"
    take = owners.take_ended

    async def fails_of_one(call_id, absent=0.0):
        if call_id == "CA1":
            raise StoreError("cannot read the record: the database cannot be reached")
        return await take(call_id, absent)

    owners.take_ended = fails_of_one
    looking, offered, _ = look_with(place, owners)
    await looking.look()
    assert offered == ["CA2"]
    told = [record.message for record in caplog.records if record.name == "bridge.backfill"]
    assert told == ["kept audio cannot go", "cannot look for audio elsewhere"]
