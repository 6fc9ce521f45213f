"""Audio that must outlive the disk is in the object store, or still on the disk: at every moment, whatever fails."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from bridge.errors import StoreError
from bridge.spans import Span
from bridge.store.archive import archive as module
from bridge.store.archive.archive import Archive
from bridge.store.archive.base import ArchiveError
from bridge.store.archive.errands import ErrandPolicy, Errands
from bridge.store.archive.recording import HEADER
from bridge.store.audio import AudioStore
from bridge.store.audio import segments as segments_module
from bridge.store.audio import store as store_module
from bridge.store.base import Whose
from tests.fakes.audio_appender import sound
from tests.fakes.objects import MemoryObjects
from tests.fakes.waiting import until

SECOND = 8000


@pytest.fixture
def objects():
    return MemoryObjects()


@contextlib.asynccontextmanager
async def opened(path: Path, objects: MemoryObjects, *, keep=False, drain=True, owners=None):
    """The two stores of a process, as the application has them; without `drain` it dies."""
    errands = Errands(ErrandPolicy(at_once=2, first_pause=0.005, longest_pause=0.01))
    async with Archive(objects, path, errands, owners=owners) as archive:
        async with AudioStore(path, limit=2**30, keep=keep, segment_seconds=0.1, archive=archive) as audio:
            yield audio, archive
        if drain:
            await archive.drain(5.0)


async def idle(archive: Archive) -> None:
    await until(lambda: not archive.waiting)


def speak(file, samples):
    file.append(sound(file.end, samples))


def recording(objects: MemoryObjects) -> str:
    """The key of the first call's; none yet: empty."""
    return next((key for key in objects.contents if key.startswith("CA1/recording-")), "")


def local(path: Path) -> list[str]:
    return sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())


# What goes there, and when.


async def test_a_call_that_lacks_nothing_asks_the_store_for_nothing(tmp_path, objects):
    async with opened(tmp_path, objects) as (audio, archive):
        file = audio.open("CA1")
        speak(file, 3000)
        await audio.flush()
        file.settle(3000)
        await file.finish()
        await idle(archive)
    assert (objects.asked, local(tmp_path)) == ([], [])


async def test_a_finished_recording_goes_there_and_leaves_the_disk(tmp_path, objects):
    async with opened(tmp_path, objects, keep=True) as (audio, archive):
        file = audio.open("CA1")
        speak(file, 900)
        file.leap(1000)
        speak(file, 500)
        await file.finish()
        await idle(archive)
        heard = await archive.recording("CA1")
        assert await heard.read(800, 300) == sound(800, 100) + b"\xff\xff" * 100 + sound(1000, 100)
        assert await archive.recording("CA2") is None
        assert archive.counters["objects"] == 1
    key = recording(objects)
    assert (list(objects.contents), local(tmp_path)) == ([key], [])
    assert objects.asked[:2] == [f"put {key}", f"look {key}"]


async def test_what_is_to_be_silent_in_it_is_silent_there(tmp_path, objects):
    async with opened(tmp_path, objects, keep=True) as (audio, archive):
        file = audio.open("CA1")
        speak(file, 500)
        await file.finish([(1, Span(100, 200))])
        await idle(archive)
        heard = await (await archive.recording("CA1")).read(0, 500)
    whole = sound(0, 500)
    assert heard[::2] == whole[::2]
    assert heard[1::2] == whole[1:200:2] + b"\xff" * 100 + whole[401::2]


async def test_what_has_still_to_be_transcribed_goes_there_at_the_end_and_away_when_it_is(tmp_path, objects):
    async with opened(tmp_path, objects) as (audio, archive):
        file = audio.open("CA1")
        speak(file, 1000)
        file.write_note({"anchor": 12.5})
        file.close()
        await audio.flush()
        await idle(archive)
        assert objects.contents == {
            "CA1/audio/000000000000.ulaw": sound(0, 1000),
            "CA1/audio/call.json": b'{"anchor": 12.5}',
        }
        assert local(tmp_path) == ["audio/CA1/000000000000.ulaw", "audio/CA1/call.json"], "it is transcribed from here"
        await (await audio.reopen("CA1")).finish()
        await idle(archive)
    assert (objects.contents, local(tmp_path)) == ({}, [])
    assert archive.counters["removed"] == 2


async def test_what_becomes_a_recording_at_last_is_kept_audio_until_then(tmp_path, objects):
    async with opened(tmp_path, objects, keep=True) as (audio, archive):
        file = audio.open("CA1")
        speak(file, 1000)
        file.close()
        await audio.flush()
        await idle(archive)
        assert list(objects.contents) == ["CA1/audio/000000000000.ulaw"]
        objects.asked.clear()
        await (await audio.reopen("CA1")).finish()
        await idle(archive)
    key = recording(objects)
    assert list(objects.contents) == [key]
    assert objects.asked == [f"put {key}", f"look {key}", "remove CA1/audio/000000000000.ulaw"]


async def test_in_an_outage_audio_goes_there_while_the_call_goes_on(tmp_path, objects, monkeypatch):
    monkeypatch.setattr(store_module, "PATIENCE", 1.0)
    monkeypatch.setattr(module, "GROWING", 0.0)
    monkeypatch.setattr(segments_module, "SHORT", 400)
    async with opened(tmp_path, objects) as (audio, archive):
        file = audio.open("CA1")
        file.write_note({"anchor": 12.5})
        for _ in range(10):
            speak(file, 800)
            await audio.flush()
        await idle(archive)
        assert objects.contents == {}, "it may still be transcribed in time"
        for _ in range(3):
            speak(file, 400)
            await audio.flush()
        await idle(archive)
        names = [f"CA1/audio/{start:012d}.ulaw" for start in (*range(0, 8000, 800), 8000, 8400)]
        assert list(objects.contents) == [*names, "CA1/audio/call.json"], "all but the file that grows"
        assert file.is_late
        file.settle(9200)
        await audio.flush()
        await file.finish()
        await idle(archive)
    assert objects.contents == {}


async def test_what_is_settled_is_not_brought_there(tmp_path, objects, monkeypatch):
    monkeypatch.setattr(store_module, "PATIENCE", 0.5)
    monkeypatch.setattr(module, "GROWING", 0.0)
    async with opened(tmp_path, objects, keep=True) as (audio, archive):
        file = audio.open("CA1")
        for _ in range(10):
            speak(file, 800)
            file.settle(file.end - 800)
            await audio.flush()
        for _ in range(8):
            speak(file, 800)
            await audio.flush()
        await idle(archive)
        assert list(objects.contents) == [f"CA1/audio/{start:012d}.ulaw" for start in range(7200, 13_600, 800)]


async def test_a_recording_that_another_has_put_there_goes_too(tmp_path, objects, monkeypatch):
    monkeypatch.setattr(module, "_LOOK", 0.01)
    async with opened(tmp_path, objects) as (_, archive):
        folder = tmp_path / "recordings" / "CA1"
        folder.mkdir(parents=True)
        (folder / "000000000000.ulaw").write_bytes(sound(0, 100))
        await until(lambda: recording(objects))
        await idle(archive)
    assert local(tmp_path) == []


# What fails.


async def test_while_the_store_fails_everything_stays_here_and_goes_there_after(tmp_path, objects, caplog):
    caplog.set_level("INFO")
    objects.fails = "the object store does not know these credentials"
    async with opened(tmp_path, objects, keep=True) as (audio, archive):
        for call_id in ("CA1", "CA2", "CA3"):
            file = audio.open(call_id)
            speak(file, 100)
            await file.finish()
        await until(lambda: archive.counters["failures"] > 3)
        assert archive.trouble == objects.fails
        assert len(local(tmp_path)) == archive.waiting == 3
        objects.fails = None
        await idle(archive)
        assert archive.trouble is None
    assert len(objects.contents) == 3 and local(tmp_path) == []
    told = [(record.levelname, record.message) for record in caplog.records if "store" in record.message]
    assert told[0] == ("ERROR", "the object store fails"), "once, however often"
    assert told.count(told[0]) == 1 and ("INFO", "the object store works again") in told


async def test_a_call_that_needs_nothing_of_a_store_that_fails_says_nothing_about_it(tmp_path, objects):
    objects.fails = "the object store cannot be reached, or fails"
    async with opened(tmp_path, objects, keep=True) as (audio, archive):
        file = audio.open("CA1")
        speak(file, 100)
        await file.finish()
        await until(lambda: archive.trouble)
        await audio.open("CA2").finish()
        await until(lambda: archive.waiting == 1)
        assert archive.trouble == objects.fails


async def test_what_was_not_written_as_it_is_here_stays_here(tmp_path, objects):
    look = objects.look

    async def shorter(key):
        found = await look(key)
        return found and found._replace(octets=found.octets - 1)

    objects.look = shorter
    async with opened(tmp_path, objects, keep=True) as (audio, archive):
        file = audio.open("CA1")
        speak(file, 100)
        await file.finish()
        await until(lambda: archive.counters["failures"] > 1)
        assert archive.trouble == "an object is not there as it was written"
        assert local(tmp_path) == ["recordings/CA1/000000000000.ulaw"]


@pytest.mark.parametrize("keep", [True, False])
async def test_a_process_that_dies_leaves_the_rest_to_the_next(tmp_path, objects, keep):
    objects.fails = "the object store cannot be reached, or fails"
    async with opened(tmp_path, objects, keep=keep, drain=False) as (audio, _):
        for call_id in ("CA1", "CA2"):
            file = audio.open(call_id)
            speak(file, 100)
            file.close()
    objects.fails = None
    objects.objects["CA1/audio/000000000000.ulaw"] = sound(0, 100)
    objects.asked.clear()
    async with opened(tmp_path, objects, keep=keep) as (_, archive):
        await idle(archive)
    assert list(objects.contents) == ["CA1/audio/000000000000.ulaw", "CA2/audio/000000000000.ulaw"]
    assert sorted(objects.asked) == ["list CA1", "list CA2", "put CA2/audio/000000000000.ulaw"], "what is there stays"


async def test_what_another_process_has_put_there_is_not_deleted_for_not_being_here(tmp_path, objects):
    async with opened(tmp_path, objects) as (audio, _):
        file = audio.open("CA1")
        speak(file, 100)
        file.close()
    objects.objects["CA1/audio/000000000100.ulaw"] = sound(100, 50)
    async with opened(tmp_path, objects) as (_, archive):
        await idle(archive)
    assert len(objects.contents) == 2


async def test_a_file_that_is_deleted_on_its_way_is_no_trouble(tmp_path, objects, caplog):
    async with opened(tmp_path, objects, keep=True) as (audio, archive):
        objects.open.clear()
        file = audio.open("CA1")
        speak(file, 100)
        await file.finish()
        await until(lambda: objects.writing)
        for path in (tmp_path / "recordings" / "CA1", *(tmp_path / "recordings" / "CA1").iterdir()):
            path.unlink() if path.is_file() else None
        (tmp_path / "recordings" / "CA1").rmdir()
        objects.open.set()
        await idle(archive)
        assert archive.trouble is None
    assert objects.contents == {}


async def test_a_process_that_stops_waits_for_what_it_has_left_and_not_for_a_store_that_fails(
    tmp_path, objects, caplog
):
    async with opened(tmp_path, objects) as (audio, _):
        speak(audio.open("CA1"), 100)
    assert list(objects.contents) == ["CA1/audio/000000000000.ulaw"]

    objects.fails = "the object store cannot be reached, or fails"
    async with opened(tmp_path, objects) as (audio, _):
        speak(audio.open("CA2"), 100)
    assert caplog.records[-1].message == "audio stays on this disk only"


async def test_one_that_stops_has_so_many_seconds(tmp_path, objects):
    async with Archive(objects, tmp_path) as archive:
        objects.open.clear()
        (tmp_path / "audio" / "CA1").mkdir(parents=True)
        (tmp_path / "audio" / "CA1" / "000000000000.ulaw").write_bytes(sound(0, 100))
        archive.keep("CA1")
        await until(lambda: objects.writing)
        await archive.drain(0.01)
        assert repr(archive) == "<Archive <Errands 1 waiting, 1 running> {}>"
    assert objects.contents == {}


async def test_what_another_node_is_to_go_on_with_is_waited_for_and_not_where_the_store_fails(tmp_path, objects):
    async with opened(tmp_path, objects) as (audio, _):
        file = audio.open("CA1")
        speak(file, 100)
        file.close()
        await audio.brought("CA1")
        assert list(objects.contents) == ["CA1/audio/000000000000.ulaw"]

        objects.fails = "the object store cannot be reached, or fails"
        file = audio.open("CA2")
        speak(file, 100)
        file.close()
        await audio.brought("CA2")
    assert list(objects.contents) == ["CA1/audio/000000000000.ulaw"]


# What comes back.


async def test_a_node_that_has_no_audio_goes_on_with_what_another_has_handed_over(tmp_path, objects):
    async with opened(tmp_path / "one", objects) as (audio, _):
        file = audio.open("CA1")
        for _ in range(3):
            speak(file, 800)
            await audio.flush()
        file.settle(800)
        file.write_note({"anchor": 12.5})
        file.close()
    async with opened(tmp_path / "two", objects) as (audio, archive):
        assert audio.kept() == [] and await audio.elsewhere() == ["CA1"]
        assert await audio.has("CA1") and not await audio.has("CA2")
        file = await audio.reopen("CA1")
        assert (file.start, file.settled, file.end, file.note) == (800, 800, 2400, {"anchor": 12.5})
        assert audio.used == 3200
        assert await file.read_on(0, 5000) == (800, sound(800, 1600))
        assert await audio.elsewhere() == []
        speak(file, 100)
        await file.finish()
        await idle(archive)
        with pytest.raises(StoreError, match="there is no audio of CA1 to go on with"):
            await audio.reopen("CA1")
    assert (objects.contents, local(tmp_path / "two")) == ({}, [])
    assert archive.counters["restored"] == 1


async def test_what_the_dead_node_alone_had_is_lacking(tmp_path, objects):
    for start in (0, 1600):
        objects.objects[f"CA1/audio/{start:012d}.ulaw"] = sound(start, 800)
    async with opened(tmp_path, objects) as (audio, _):
        file = await audio.reopen("CA1")
        assert list(file.lost) == [(800, 1600)]
        assert await file.read_on(800, 100) == (1600, sound(1600, 100))


async def test_a_restoration_that_fails_leaves_nothing_here(tmp_path, objects):
    objects.objects["CA1/audio/000000000000.ulaw"] = sound(0, 800)
    fetch = objects.fetch

    async def short(key, to):
        await fetch(key, to)
        to.write_bytes(b"ab")

    objects.fetch = short
    async with opened(tmp_path, objects) as (audio, _):
        with pytest.raises(ArchiveError, match="the audio of CA1 is not as it was"):
            await audio.reopen("CA1")
        assert (local(tmp_path), audio.kept(), audio.is_open("CA1")) == ([], [], False)
        objects.fetch = fetch
        await audio.reopen("CA1")


async def test_a_call_that_goes_on_without_what_cannot_be_seen_leaves_nothing_behind(tmp_path, objects):
    objects.objects["CA1/audio/000000000000.ulaw"] = sound(0, 800)
    async with opened(tmp_path, objects) as (audio, archive):
        objects.fails = "the object store does not answer in time"
        with pytest.raises(StoreError):
            await audio.has("CA1")
        with pytest.raises(StoreError):
            await audio.elsewhere()
        objects.fails = None
        file = audio.open("CA1")
        speak(file, 100)
        await file.finish()
        await idle(archive)
    assert objects.contents == {}


async def test_an_answer_that_a_call_waits_for_does_not_wait_long(tmp_path, objects, monkeypatch):
    monkeypatch.setattr(module, "_HASTE", 0.01)

    async def hang(call_id=None):
        await asyncio.Event().wait()
        yield []

    objects.list = hang
    async with opened(tmp_path, objects) as (audio, _):
        with pytest.raises(ArchiveError, match="does not answer in time"):
            await audio.has("CA1")


# What is deleted.


async def test_everything_of_a_call_is_erased_and_nothing_of_another(tmp_path, objects):
    for key in ("CA1/recording-5.wav", "CA1/audio/000000000000.ulaw", "CA12/recording-5.wav"):
        objects.objects[key] = b"x"
    async with opened(tmp_path, objects) as (_, archive):
        assert await archive.erase("CA1")
        assert not await archive.erase("CA1")
    assert list(objects.contents) == ["CA12/recording-5.wav"]


async def test_what_is_on_its_way_does_not_come_back_after_it_is_erased(tmp_path, objects):
    async with opened(tmp_path, objects, keep=True) as (audio, archive):
        objects.open.clear()
        file = audio.open("CA1")
        speak(file, 100)
        await file.finish()
        await until(lambda: objects.writing)
        erasing = asyncio.ensure_future(archive.erase("CA1"))
        await asyncio.sleep(0)
        objects.open.set()
        assert await erasing
    assert objects.contents == {}


async def test_what_does_not_arrive_in_time_cannot_be_erased_yet(tmp_path, objects, monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE", 0.01)
    async with opened(tmp_path, objects, keep=True) as (audio, archive):
        objects.open.clear()
        file = audio.open("CA1")
        speak(file, 100)
        await file.finish()
        await until(lambda: objects.writing)
        with pytest.raises(ArchiveError, match="still on its way"):
            await archive.erase("CA1")
        objects.open.set()


async def test_a_deletion_that_fails_is_tried_again(tmp_path, objects):
    async with opened(tmp_path, objects) as (audio, archive):
        file = audio.open("CA1")
        speak(file, 100)
        file.close()
        await audio.flush()
        await idle(archive)
        objects.refuses.add("CA1/audio/000000000000.ulaw")
        await (await audio.reopen("CA1")).finish()
        await until(lambda: archive.counters["failures"] > 2)
        assert archive.trouble and objects.contents
        with pytest.raises(ArchiveError):
            await archive.erase("CA1")
        objects.refuses.clear()
        assert await archive.erase("CA1")
    assert objects.contents == {}


async def test_of_recordings_of_one_call_the_newest_is_heard(tmp_path, objects):
    for ended in (5, 11, 9):
        objects.objects[f"CA1/recording-{ended}.wav"] = bytes(HEADER + 2 * ended)
    async with opened(tmp_path, objects) as (_, archive):
        assert (await archive.recording("CA1")).samples == 11
        found = [each async for piece in archive.recordings() for each in piece]
        assert [(each.call_id, each.ended) for each in found] == [("CA1", 5.0), ("CA1", 11.0), ("CA1", 9.0)]
        await archive.remove("CA1/recording-11.wav")
        assert (await archive.recording("CA1")).samples == 9


# Where several processes share a record.


class Owners:
    """Whose calls are, as the test says; OURS unless it does."""

    owner = "this process"

    def __init__(self, **said):
        self.said, self.fails = said, False
        self.asked = []

    async def whose(self, call_id):
        self.asked.append(call_id)
        if self.fails:
            raise StoreError("the record cannot be read")
        return self.said.get(call_id, Whose.OURS)


async def test_what_a_process_before_this_one_has_left_is_brought_there(tmp_path, objects):
    no_ones = Owners(CA1=Whose.NO_ONES, CA2=Whose.NO_ONES)
    async with opened(tmp_path, objects, keep=True, owners=no_ones) as (audio, archive):
        for call_id in ("CA1", "CA2"):
            speak(audio.open(call_id), 100)
        await audio._open["CA1"].finish()
        audio._open["CA2"].close()
        await audio.flush()
        await idle(archive)
    assert list(objects.contents) == [recording(objects), "CA2/audio/000000000000.ulaw"]
    assert local(tmp_path) == ["audio/CA2/000000000000.ulaw"]


async def test_of_a_call_that_another_process_has_nothing_is_brought_there_and_nothing_deleted(
    tmp_path, objects, caplog
):
    objects.objects["CA2/audio/000000000000.ulaw"] = objects.objects["CA1/recording-5.wav"] = b"theirs"
    others = Owners(CA1=Whose.OTHERS, CA2=Whose.OTHERS, CA3=Whose.OTHERS)
    async with opened(tmp_path, objects, keep=True, owners=others) as (audio, archive):
        for call_id in ("CA1", "CA2", "CA3"):
            speak(audio.open(call_id), 100)
        await audio.flush()
        await audio._open["CA1"].finish()
        await audio._open["CA2"].remove()
        audio._open["CA3"].close()
        await audio.flush()
        await idle(archive)
    assert set(objects.contents.values()) == {b"theirs"} and len(objects.contents) == 2
    assert local(tmp_path) == ["audio/CA3/000000000000.ulaw"]
    assert [record.call_id for record in caplog.records] == ["CA1"]


@pytest.mark.parametrize("whose", [Whose.OTHERS, Whose.UNKNOWN])
async def test_a_process_that_stood_still_while_it_wrote_a_recording_takes_it_back(tmp_path, objects, whose):
    """The call was taken by another process, or deleted by one, in the meantime."""
    owners = Owners()
    async with opened(tmp_path, objects, keep=True, owners=owners) as (audio, archive):
        objects.open.clear()
        file = audio.open("CA1")
        speak(file, 100)
        await file.finish()
        await until(lambda: objects.writing)
        owners.said["CA1"] = whose
        if whose is Whose.OTHERS:
            objects.objects["CA1/recording-5.wav"] = b"theirs"
        objects.open.set()
        await idle(archive)
    assert list(objects.contents) == (["CA1/recording-5.wav"] if whose is Whose.OTHERS else [])
    assert local(tmp_path) == []


@pytest.mark.parametrize(("whose", "left"), [(Whose.OTHERS, 1), (Whose.UNKNOWN, 0)])
async def test_kept_audio_that_was_on_its_way_stays_for_the_next_owner_and_not_of_a_call_that_is_deleted(
    tmp_path, objects, whose, left
):
    owners = Owners()
    async with opened(tmp_path, objects, owners=owners) as (audio, archive):
        objects.open.clear()
        file = audio.open("CA1")
        speak(file, 100)
        file.close()
        await until(lambda: objects.writing)
        owners.said["CA1"] = whose
        objects.open.set()
        await idle(archive)
    assert len(objects.contents) == left


@pytest.mark.parametrize(("longer", "stays"), [(0, "theirs"), (-1, "ours")])
async def test_of_two_recordings_of_a_call_the_longer_one_stays(tmp_path, objects, longer, stays):
    """One of them is of a process that has died before it said that it was done."""
    objects.objects["CA1/recording-5.wav"] = bytes(HEADER + 200 + longer)
    async with opened(tmp_path, objects, keep=True, owners=Owners()) as (audio, archive):
        file = audio.open("CA1")
        speak(file, 100)
        await file.finish()
        await idle(archive)
        heard = await archive.recording("CA1")
        assert await heard.read(0, 100) == (bytes(200) if stays == "theirs" else sound(0, 100))
    assert local(tmp_path) == []


async def test_recordings_of_calls_that_are_in_no_record_are_left_alone(tmp_path, objects, monkeypatch):
    monkeypatch.setattr(module, "_LOOK", 0.001)
    folder = tmp_path / "recordings" / "CA1"
    folder.mkdir(parents=True)
    (folder / "000000000000.ulaw").write_bytes(sound(0, 100))
    owners = Owners(CA1=Whose.UNKNOWN)
    async with opened(tmp_path, objects, keep=True, owners=owners) as (audio, archive):
        await until(lambda: owners.asked and not archive.waiting)
        file = audio.open("CA2")
        speak(file, 100)
        await file.finish()
        await until(lambda: objects.contents and not archive.waiting)
    assert local(tmp_path) == ["recordings/CA1/000000000000.ulaw"]
    assert owners.asked.count("CA1") == 1
    assert [key for key in objects.contents if key.startswith("CA1")] == []


async def test_while_the_record_does_not_say_whose_a_call_is_its_audio_stays_here(tmp_path, objects, caplog):
    owners = Owners()
    owners.fails = True
    async with opened(tmp_path, objects, keep=True, owners=owners) as (audio, archive):
        file = audio.open("CA1")
        speak(file, 100)
        await file.finish()
        await until(lambda: archive.counters["failures"] > 1)
        assert (archive.trouble, objects.asked) == (None, []), "the object store is well"
        owners.fails = False
        await idle(archive)
    assert recording(objects)
    assert [record.reason for record in caplog.records] == ["the record cannot be read"]
