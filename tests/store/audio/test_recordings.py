"""Recordings: what a call has said is there to the sample, silence where nothing was, and old ones go."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import StoreError
from bridge.store.archive.archive import Archive
from bridge.store.archive.base import recording_name
from bridge.store.archive.errands import ErrandPolicy, Errands
from bridge.store.archive.recording import HEADER
from bridge.store.audio import AudioStore, Recording, Recordings
from bridge.store.audio import recordings as module
from tests.fakes.audio_appender import sound
from tests.fakes.objects import MemoryObjects
from tests.fakes.waiting import until

SILENCE = b"\xff\xff"
"""One sample of both channels."""


def write(folder: Path, start: int, samples: int) -> Path:
    """A segment as the audio store writes it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{start:012d}.ulaw"
    path.write_bytes(sound(start, samples))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the finished call CA1 lies."""
    return tmp_path / "recordings" / "CA1"


@pytest.fixture
def unfinished(tmp_path: Path) -> Path:
    return tmp_path / "audio" / "CA1"


@pytest.fixture
def recordings(tmp_path: Path) -> Recordings:
    return Recordings(tmp_path)


async def opened(recordings: Recordings) -> Recording:
    recording = await recordings.open("CA1")
    assert recording
    return recording


# Reading.


async def test_a_finished_call_is_heard_as_it_was(tmp_path: Path, recordings: Recordings) -> None:
    async with AudioStore(tmp_path, limit=2**30, keep=True, segment_seconds=0.1) as store:
        file = store.open("CA1")
        for _ in range(5):
            file.append(sound(file.end, 500))
            await store.flush()
        file.leap(4000)
        file.append(sound(4000, 100))
        await file.finish()
    recording = await opened(recordings)
    assert recording.samples == 4100
    assert repr(recording) == "<Recording CA1 samples 4100 files 4>"
    assert await recording.read(0, 2500) == sound(0, 2500)
    assert await recording.read(2400, 3000) == sound(2400, 100) + SILENCE * 1500 + sound(4000, 100) + SILENCE * 1300


STRETCHES = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 60)), min_size=1, max_size=8)


@settings(max_examples=50)
@given(STRETCHES, st.integers(0, 900), st.integers(0, 900))
def test_any_stretch_is_what_was_written_and_silence(
    stretches: list[tuple[int, int]], start: int, samples: int
) -> None:
    """Each stretch: a hole, and then audio."""

    async def run(path: Path) -> None:
        whole, position = bytearray(SILENCE * 2000), 0
        for hole, length in stretches:
            position += hole
            write(path / "recordings" / "CA1", position, length)
            whole[position * 2 : (position + length) * 2] = sound(position, length)
            position += length
        recording = await opened(Recordings(path))
        assert recording.samples == position
        assert await recording.read(start, samples) == whole[start * 2 : (start + samples) * 2]

    with tempfile.TemporaryDirectory() as path:
        asyncio.run(run(Path(path)))


async def test_audio_that_waits_to_be_transcribed_is_there_too(unfinished: Path, recordings: Recordings) -> None:
    write(unfinished, 100, 300)
    assert await (await opened(recordings)).read(50, 100) == SILENCE * 50 + sound(100, 50)


async def test_the_finished_one_comes_first(unfinished: Path, folder: Path, recordings: Recordings) -> None:
    write(unfinished, 0, 300)
    write(folder, 0, 500)
    assert (await opened(recordings)).samples == 500


async def test_a_recording_that_is_moved_is_read_on(unfinished: Path, folder: Path, recordings: Recordings) -> None:
    write(unfinished, 0, 300)
    recording = await opened(recordings)
    folder.parent.mkdir()
    unfinished.rename(folder)
    assert await recording.read(0, 300) == sound(0, 300)
    assert (await opened(recordings)).version == recording.version


async def test_the_version_tells_one_audio_from_another(folder: Path, recordings: Recordings) -> None:
    path = write(folder, 0, 300)
    versions = {(await opened(recordings)).version}
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    versions.add((await opened(recordings)).version)
    write(folder, 300, 100)
    versions.add((await opened(recordings)).version)
    assert len(versions) == 3


@pytest.mark.parametrize("call_id", ["CA1", "", ".", "..", "../audio", "a/b", "CA1\n", "\0", "x" * 67, "\u0661"])
async def test_what_is_no_recording(tmp_path: Path, folder: Path, recordings: Recordings, call_id: str) -> None:
    folder.mkdir(parents=True)
    (folder / "000000000000.ulaw").write_bytes(b"x")  # half a sample
    write(tmp_path, 0, 1)
    assert await recordings.open(call_id) is None
    assert await recordings.remove(call_id) == (call_id == "CA1")


async def test_nothing_was_ever_kept(recordings: Recordings) -> None:
    assert await recordings.open("CA1") is None
    assert await recordings.remove("CA1") is False
    assert await recordings.sweep(1e9, 0.0, 0) == 0


async def test_a_torn_file_is_silence_from_there(folder: Path, recordings: Recordings) -> None:
    path = write(folder, 0, 300)
    recording = await opened(recordings)
    os.truncate(path, 201)
    assert await recording.read(0, 200) == sound(0, 101)[:201] + b"\xff" * 199


@pytest.mark.parametrize("where", ["recordings", "audio"])
async def test_what_is_there_and_cannot_be_read_is_no_silence(
    tmp_path: Path, recordings: Recordings, where: str
) -> None:
    folder = tmp_path / where / "CA1"
    write(folder, 0, 300)
    path = write(folder, 300, 100)
    recording = await opened(recordings)
    path.unlink()
    path.mkdir()
    assert await recording.read(0, 300) == sound(0, 300)
    with pytest.raises(StoreError, match="cannot read the recording of CA1: Is a directory"):
        await recording.read(0, 301)
    folder.rename(folder.parent / "elsewhere")
    folder.write_text("in the way")
    with pytest.raises(StoreError, match="cannot read the recording of CA1: Not a directory"):
        await recordings.open("CA1")


# Deleting.


async def test_removed_is_gone(
    folder: Path, unfinished: Path, recordings: Recordings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    write(folder, 0, 300)
    write(unfinished.parent / "CA2", 0, 300)
    (folder / "call.json").write_text("{}")
    recording = await opened(recordings)
    assert await recordings.remove("CA1") is True
    assert not folder.exists()
    assert await recordings.remove("CA1") is False
    assert await recordings.remove("CA2") is False, "the audio store's"
    assert await recordings.open("CA2")
    with pytest.raises(StoreError, match="cannot read the recording of CA1: No such file"):
        await recording.read(0, 100)
    assert [(record.message, record.call_id) for record in caplog.records] == [("recording deleted", "CA1")]  # type: ignore[attr-defined]


async def test_what_cannot_be_deleted_is_said(folder: Path, recordings: Recordings) -> None:
    (folder / "somebody's folder").mkdir(parents=True)
    with pytest.raises(StoreError, match="cannot delete the recording of CA1: Is a directory"):
        await recordings.remove("CA1")


NOW = 1_000_000.0


@pytest.fixture
def some(tmp_path: Path) -> Path:
    """CA1, 100 s old, CA2, 200 s, and so on to CA5: 2000 octets each; and what is not ours."""
    for number in range(1, 6):
        folder = tmp_path / "recordings" / f"CA{number}"
        for start, age in ((0, 1000), (500, 100 * number)):
            os.utime(write(folder, start, 500), (0, NOW - age))
        (folder / "call.json").write_text("{}")
    (tmp_path / "recordings" / "not a call").mkdir()
    (tmp_path / "recordings" / "a_file").write_text("mine")
    return tmp_path / "recordings"


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("CA"))


@pytest.mark.parametrize(
    ("max_age", "max_octets", "stay"),
    [
        (None, None, 5),
        (500.0, None, 5),
        (500.0, 9_999, 4),
        (499.0, None, 4),
        (99.0, None, 0),
        (None, 10_000, 5),
        (None, 9_999, 4),
        (None, 2_000, 1),
        (None, 0, 0),
        (399.0, 9_999, 3),
        (399.0, 4_000, 2),
    ],
)
async def test_the_oldest_go_until_what_stays_is_within_the_bounds(
    some: Path,
    recordings: Recordings,
    caplog: pytest.LogCaptureFixture,
    max_age: float | None,
    max_octets: int | None,
    stay: int,
) -> None:
    caplog.set_level("INFO")
    assert await recordings.sweep(NOW, max_age, max_octets) == 5 - stay
    assert left(some) == [f"CA{number}" for number in range(1, stay + 1)]
    assert [(record.call_id, record.reason) for record in caplog.records] == [  # type: ignore[attr-defined]
        (f"CA{number}", "too old" if max_age is not None and 100 * number > max_age else "no room")
        for number in range(5, stay, -1)
    ]
    assert (some / "a_file").exists()
    assert (some / "not a call").exists()


async def test_what_cannot_be_deleted_holds_up_no_other(
    some: Path, recordings: Recordings, caplog: pytest.LogCaptureFixture
) -> None:
    (some / "CA5" / "somebody's folder").mkdir()
    (some / "CA4" / "000000000500.ulaw").unlink()
    (some / "CA4" / "000000000500.ulaw").symlink_to("000000000500.ulaw")  # an endless row of links: cannot be looked at
    assert await recordings.sweep(NOW, 250.0, None) == 1
    assert left(some) == ["CA1", "CA2", "CA4", "CA5"]
    assert [record.message for record in caplog.records] == ["recording cannot be read", "recording cannot be deleted"]


async def test_the_rest_of_a_deletion_that_was_cut_short_goes_too(some: Path, recordings: Recordings) -> None:
    rest = some / "CA6"
    rest.mkdir()
    (rest / "call.json").write_text("{}")
    os.utime(rest, (0, NOW - 600))
    assert await recordings.sweep(NOW, 550.0, None) == 1
    assert not rest.exists()


async def test_two_sweeps_at_once_are_one(some: Path, recordings: Recordings) -> None:
    await asyncio.gather(*(recordings.sweep(NOW, 250.0, None) for _ in range(4)))
    assert left(some) == ["CA1", "CA2"]


async def test_a_sweep_of_many_is_in_order_and_can_be_left(tmp_path: Path, recordings: Recordings) -> None:
    for number in range(1000):
        path = tmp_path / "recordings" / f"CA{number:03d}" / "000000000000.ulaw"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"ab")
        os.utime(path, (0, NOW - number * 7 % 1000))
    sweep = asyncio.ensure_future(recordings.sweep(NOW, None, 0))
    await asyncio.sleep(0)
    sweep.cancel()
    await asyncio.wait([sweep])
    assert len(left(tmp_path / "recordings")) == 1000
    assert await recordings.sweep(NOW, None, 2 * 997) == 3
    gone = {f"CA{number:03d}" for number in range(1000)} - set(left(tmp_path / "recordings"))
    assert gone == {f"CA{number:03d}" for number in range(1000) if number * 7 % 1000 >= 997}


async def test_audio_that_waits_is_no_recording_where_none_are_kept(tmp_path: Path, unfinished: Path) -> None:
    write(unfinished, 0, 300)
    assert await Recordings(tmp_path, unfinished=False).open("CA1") is None


# In the archive.


@pytest.fixture
def objects() -> MemoryObjects:
    return MemoryObjects()


@pytest.fixture
async def archive(tmp_path: Path, objects: MemoryObjects) -> AsyncIterator[Archive]:
    errands = Errands(ErrandPolicy(first_pause=0.005, longest_pause=0.01))
    async with Archive(objects, tmp_path, errands) as archive:
        yield archive


@pytest.fixture
def archived(tmp_path: Path, archive: Archive) -> Recordings:
    return Recordings(tmp_path, archive=archive)


def in_archive(objects: MemoryObjects, call_id: str, ended: float = 0.0) -> None:
    objects.objects[f"{call_id}/{recording_name(ended)}"] = bytes(HEADER) + sound(0, 1000)


async def test_what_is_not_here_is_heard_from_the_archive(objects: MemoryObjects, archived: Recordings) -> None:
    in_archive(objects, "CA1")
    recording = await archived.open("CA1")
    assert recording and await recording.read(900, 200) == sound(900, 100) + SILENCE * 100
    assert await archived.has("CA1")
    assert await archived.open("CA2") is None
    assert not await archived.has("CA2")


async def test_what_is_here_is_heard_from_here_until_it_goes_there(
    folder: Path, objects: MemoryObjects, archived: Recordings, archive: Archive
) -> None:
    objects.open.clear()  # the archive may find it at any time
    write(folder, 0, 1000)
    recording = await archived.open("CA1")
    assert recording and await recording.read(0, 500) == sound(0, 500)
    assert not [each for each in objects.asked if each.startswith("read")]
    objects.open.set()
    archive.let_go("CA1")
    await until(lambda: not folder.exists())
    assert await recording.read(500, 500) == sound(500, 500), "a download goes on"
    assert await recording.read(900, 100) == sound(900, 100)
    objects.objects.clear()
    with pytest.raises(StoreError):
        await recording.read(0, 100)


async def test_whether_there_is_one_is_said_at_once_or_not_at_all(
    objects: MemoryObjects, archived: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_archive(objects, "CA1")
    objects.fails = "the object store cannot be reached, or fails"
    assert not await archived.has("CA1")
    with pytest.raises(StoreError, match="cannot be reached"):
        await archived.open("CA1")
    monkeypatch.setattr(module, "_HASTE", 0.0)
    objects.fails = None
    assert not await archived.has("CA1")


async def test_what_is_removed_is_gone_from_everywhere(
    folder: Path, objects: MemoryObjects, archived: Recordings
) -> None:
    write(folder, 0, 100)
    in_archive(objects, "CA1")
    objects.objects["CA1/audio/000000000000.ulaw"] = b"ab"
    objects.refuses.add("CA1/recording-0.wav")
    with pytest.raises(StoreError, match="does not let these credentials do that"):
        await archived.remove("CA1")
    objects.refuses.clear()
    assert await archived.remove("CA1")
    assert objects.contents == {} and not folder.exists()
    assert not await archived.remove("CA1")


@pytest.mark.parametrize(
    ("max_age", "max_octets", "stay"), [(None, None, 4), (350.0, None, 3), (None, 4_200, 2), (350.0, 2_100, 1)]
)
async def test_the_oldest_go_wherever_they_lie(
    tmp_path: Path,
    objects: MemoryObjects,
    archived: Recordings,
    max_age: float | None,
    max_octets: int | None,
    stay: int,
) -> None:
    """CA1, 100 s old, waits here; CA2 to CA4 are there."""
    objects.open.clear()
    path = write(tmp_path / "recordings" / "CA1", 0, 1000)
    os.utime(path, (0, NOW - 100))
    for number in (3, 2, 4):
        in_archive(objects, f"CA{number}", ended=NOW - 100 * number)
    objects.objects["CA5/audio/000000000000.ulaw"] = b"ab"
    assert await archived.sweep(NOW, max_age, max_octets) == 4 - stay
    left_there = [key for key in objects.contents if key.endswith(".wav")]
    assert left_there == [f"CA{number}/recording-{1_000_000 - 100 * number}.wav" for number in range(2, stay + 1)]
    assert path.exists() and "CA5/audio/000000000000.ulaw" in objects.contents
    await archived.sweep(NOW, max_age, max_octets)
    octets = 1000 * 2 + (stay - 1) * (HEADER + 2000)
    assert await archived.size() == (stay, octets)


async def test_what_cannot_be_deleted_there_is_found_again(
    tmp_path: Path, objects: MemoryObjects, archived: Recordings, caplog: pytest.LogCaptureFixture
) -> None:
    in_archive(objects, "CA1")
    in_archive(objects, "CA2")
    objects.refuses.add("CA1/recording-0.wav")
    assert await archived.sweep(NOW, 10.0, None) == 1
    objects.refuses.clear()
    assert await archived.sweep(NOW, 10.0, None) == 1
    os.utime(write(tmp_path / "recordings" / "CA3", 0, 100), (0, 0))
    objects.fails = "the object store does not answer in time"
    assert await archived.sweep(NOW, 10.0, None) == 1, "what is here goes without it"
    assert [record.message for record in caplog.records] == [
        "recording cannot be deleted",
        "the archive cannot be looked through",
    ]
