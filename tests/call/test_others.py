"""What this process has of a call goes when another process deletes it, or takes it over."""

from bridge.call import CallRegistry
from bridge.call.others import Others
from bridge.errors import StoreError
from tests.call.test_eraser import ended_call, left, place  # noqa: F401 - a fixture
from tests.fakes import calls, words
from tests.fakes.waiting import tasks_of, until


class Nowhere:
    """A Deepgram that no call of these tests gets to."""

    url = "ws://127.0.0.1:1"


def following(store, audio, recordings, backfill, registry=None):
    return Others(store, audio, recordings, backfill, registry or registry_of(store))


def registry_of(store):
    return CallRegistry(calls.services(store, Nowhere, calls.HandClock(), flush=0.05), max_calls=3)


def told(caplog, message):
    """Of which calls that was logged."""
    return [record.call_id for record in caplog.records if record.message == message]


async def test_audio_and_recording_of_a_deleted_call_go_and_of_no_other(place, tmp_path, caplog):  # noqa: F811
    store, audio, recordings, backfill, _ = place
    caplog.set_level("INFO")
    for call_id in ("CA1", "CA2", "CA3", "CA4"):
        await ended_call(place, call_id, finished=call_id in ("CA1", "CA3"))
    async with following(store, audio, recordings, backfill):
        for call_id in ("CA1", "CA2"):
            store._hints.give("deletions", call_id)  # as of another process
        await until(lambda: len(told(caplog, "audio of a deleted call is gone")) == 2)
    assert left(tmp_path) == ["CA3", "CA4"]
    assert sorted(told(caplog, "audio of a deleted call is gone")) == ["CA1", "CA2"]
    assert not tasks_of("Others")


async def test_what_is_being_transcribed_is_left_alone(place, tmp_path):  # noqa: F811
    store, audio, recordings, backfill, _ = place
    await ended_call(place, "CA1", finished=False)
    work = backfill.offer("CA1", 3600.0)
    async with following(store, audio, recordings, backfill):
        store._hints.give("deletions", "CA1")
        await until(lambda: not left(tmp_path))
    assert work.done()


async def test_a_call_that_goes_on_here_is_left_alone(place, tmp_path):  # noqa: F811
    """Another process has ended it meanwhile."""
    store, audio, recordings, backfill, _ = place
    audio.open("CA1").append(bytes(100))
    await ended_call(place, "CA2", finished=True)
    async with following(store, audio, recordings, backfill):
        for call_id in ("CA1", "CA2"):
            store._hints.give("deletions", call_id)
        await until(lambda: left(tmp_path) == ["CA1"])
    assert audio.is_open("CA1")


class Broken:
    """Recordings of which one cannot be deleted."""

    def __init__(self):
        self.dropped = []

    async def drop(self, call_id):
        if call_id == "CA1":
            raise StoreError("cannot delete the recording of CA1: Input/output error")
        self.dropped.append(call_id)
        return True


async def test_what_cannot_be_deleted_is_told_and_holds_up_no_other(place, caplog):  # noqa: F811
    store, audio, _, backfill, _ = place
    recordings = Broken()
    async with following(store, audio, recordings, backfill):
        for call_id in ("CA1", "CA2"):
            store._hints.give("deletions", call_id)
        await until(lambda: recordings.dropped == ["CA2"])
    (said,) = [record for record in caplog.records if record.message == "audio of a deleted call stays"]
    assert (said.call_id, said.reason) == ("CA1", "cannot delete the recording of CA1: Input/output error")


async def test_ones_own_deletion_is_over_by_then(place, tmp_path, caplog):  # noqa: F811
    store, audio, recordings, backfill, eraser = place
    await ended_call(place, "CA1", finished=False)
    await store.append(words.conversation("CA2"))
    async with following(store, audio, recordings, backfill):
        assert await eraser.erase("CA1")
        assert await eraser.erase("CA2")
    assert (left(tmp_path), caplog.records) == ([], [])


async def test_a_call_that_another_process_has_taken_is_heard_no_more(place, caplog):  # noqa: F811
    store, audio, recordings, backfill, _ = place
    registry = registry_of(store)
    await registry.recover()
    await registry.open(calls.started("CA1"))
    await registry.open(calls.started("CA2"))
    async with following(store, audio, recordings, backfill, registry):
        for call_id in ("CA1", "CA1", "CA9"):
            store._hints.give("losses", call_id)
        await until(lambda: list(registry.calls) == ["CA2"])
    assert told(caplog, "call goes on at another process") == ["CA1"]
    await registry.end_all(5.0)
