"""Kept audio: what was flushed is there, wherever it lies; what is not there is said; and no call ever waits."""

import asyncio
import os
import resource
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import LocalProtocolError, StoreError
from bridge.spans import Span
from bridge.store.audio import AudioFile, AudioStore
from bridge.store.audio.writer import SHARE
from tests.fakes.audio_appender import sound
from tests.fakes.descriptors import held_open
from tests.fakes.waiting import until

ROOT = Path(__file__).parent.parent.parent
SECOND = 8000
NEVER = 3600.0
LIMIT = 2**30


def opened(path: Path, **options: object) -> AudioStore:
    """Flushes when it is told to; a segment is full after a tenth of a second."""
    return AudioStore(path, **{"limit": LIMIT, "segment_seconds": 0.1, "flush_interval": NEVER, **options})  # type: ignore[arg-type]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[AudioStore]:
    async with opened(tmp_path) as store:
        yield store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the call CA1 lies."""
    return tmp_path / "audio" / "CA1"


async def speak(store: AudioStore, file: AudioFile, samples: int) -> None:
    """Append and flush."""
    file.append(sound(file.end, samples))
    await store.flush()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# What was appended is there.


async def test_segments_are_named_by_position_and_for_the_owner_only(store: AudioStore, folder: Path) -> None:
    file = store.open("CA1")
    file.write_note({"anchor": 1.5})
    for _ in range(3):
        await speak(store, file, 800)
    assert names(folder) == ["000000000000.ulaw", "000000000800.ulaw", "000000001600.ulaw", "call.json"]
    assert (folder / "000000000800.ulaw").read_bytes() == sound(800, 800)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "000000000000.ulaw").stat().st_mode) == 0o600
    for _ in range(4):
        await speak(store, file, 400)
    assert names(folder)[3:] == ["000000002400.ulaw", "000000003200.ulaw", "call.json"], "a full one is followed"


async def test_only_who_reads_what_is_buffered_has_it_written(store: AudioStore) -> None:
    file = store.open("CA1")
    await speak(store, file, 1000)
    assert await file.read(500, 1000) == sound(500, 500)
    file.append(sound(1000, 500))
    assert await file.read(500, 500) == sound(500, 500)
    assert store.counters["jobs"] == 1
    assert await file.read(500, 501) == sound(500, 501)
    assert store.counters["jobs"] == 2


@pytest.mark.parametrize("how", ["close", "finish", "remove"])
async def test_no_file_is_held_open_longer_than_it_grows(keeping: AudioStore, folder: Path, how: str) -> None:
    file = keeping.open("CA1")
    for _ in range(3):
        await speak(keeping, file, 800)
    assert held_open(folder) == ["000000001600.ulaw"]
    if leaving := getattr(file, how)():
        await leaving
    await keeping.flush()
    assert held_open(folder.parent.parent) == []


async def test_what_is_still_buffered_is_read_too(store: AudioStore) -> None:
    file = store.open("CA1")
    await speak(store, file, 1000)
    file.append(sound(1000, 500))
    assert await file.read(900, 300) == sound(900, 300)
    assert await file.read(1400, 10_000) == sound(1400, 100), "to the end and no further"
    assert await file.read(1500, 10) == b""
    assert file.next_kept(1400) == 1400


async def test_a_flush_comes_by_itself(tmp_path: Path) -> None:
    async with opened(tmp_path, flush_interval=0.01) as store:
        file = store.open("CA1")
        for samples in (800, 1600):
            file.append(sound(file.end, 800))
            await until(lambda: store.used == samples * 2)  # noqa: B023 - awaited before the next turn
    assert store.counters["written_samples"] == 1600


async def test_all_calls_are_written_as_one_job(store: AudioStore) -> None:
    files = [store.open(f"CA{n}") for n in range(100)]
    for _ in range(12):
        for file in files:
            file.append(sound(file.end, 160))
    await store.flush()
    assert store.counters["jobs"] == 1
    assert store.used == 100 * 12 * 160 * 2
    assert {await file.read(0, 10_000) for file in files} == {sound(0, 12 * 160)}


async def test_leaving_writes_what_is_buffered(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        store.open("CA1").append(sound(0, 100))
    async with opened(tmp_path) as store:
        file = await store.reopen("CA1")
        assert await file.read(0, 1000) == sound(0, 100)


async def test_nothing_comes_after_leaving(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(tmp_path, flush_interval=0.001) as store:
        store.open("CA1").append(sound(0, 100))
    jobs = store.counters["jobs"]
    await asyncio.sleep(0.005)
    assert (store.counters["jobs"], caplog.records) == (jobs, [])


STEPS = st.one_of(
    st.tuples(st.just("append"), st.integers(1, 300), st.just(0)),
    st.tuples(st.just("read"), st.integers(0, 3000), st.integers(0, 900)),
    st.tuples(st.just("settle"), st.integers(0, 3000), st.just(0)),
    st.tuples(st.sampled_from(["flush", "restart"]), st.just(0), st.just(0)),
)


@settings(max_examples=50, deadline=None)
@given(steps=st.lists(STEPS, max_size=40))
def test_any_stretch_reads_as_it_was_appended(steps: list[tuple[str, int, int]]) -> None:
    async def run(path: Path) -> None:
        async with opened(path, segment_seconds=0.05) as store:
            file, settled = store.open("CA1"), 0
            for step, one, two in steps:
                if step == "append":
                    file.append(sound(file.end, one))
                elif step == "settle":
                    file.settle(one)
                    settled = max(settled, one)
                elif step == "flush":
                    await store.flush()
                elif step == "restart" and file.end:
                    end = file.end
                    file.close()
                    file = await store.reopen("CA1")
                    assert file.end == end
                else:
                    start = max(one, settled)
                    assert await file.read(start, two) == sound(start, max(0, min(two, file.end - start)))
            await store.flush()
            assert file.start <= settled
            assert list(file.lost) == []
            assert store.used == (file.end - file.start) * 2
            assert await file.read(file.start, file.end) == sound(file.start, file.end - file.start)

    with tempfile.TemporaryDirectory() as path:
        asyncio.run(run(Path(path)))


# What is settled goes.


async def test_settled_segments_go_but_for_the_newest(store: AudioStore, folder: Path) -> None:
    file = store.open("CA1")
    for _ in range(3):
        await speak(store, file, 800)
    file.settle(1599)
    await store.flush()
    assert names(folder) == ["000000000800.dropped", "000000000800.ulaw", "000000001600.ulaw"]
    assert (file.start, store.used) == (800, 3200)
    assert await file.read(0, 900) == b""
    assert file.next_kept(0) == 800

    file.settle(2400)
    file.settle(100)  # never goes back
    await store.flush()
    assert names(folder) == ["000000001600.dropped", "000000001600.ulaw"], "it tells where the call stands"
    assert store.counters["dropped_segments"] == 2
    await speak(store, file, 10)
    assert await file.read(1600, 1000) == sound(1600, 810)


async def test_a_recording_keeps_everything(tmp_path: Path) -> None:
    async with opened(tmp_path, keep=True) as store:
        file = store.open("CA1")
        for _ in range(3):
            await speak(store, file, 800)
        for position, room in ((799, 4800), (800, 3200), (2400, 1600)):
            file.settle(position)
            await store.flush()
            assert store.used == room, "what is settled is for the recording only"
        assert store.counters["dropped_segments"] == 0
        assert await file.read(0, 2400) == sound(0, 2400)


async def test_a_file_that_is_gone_already_is_no_trouble(store: AudioStore, folder: Path) -> None:
    file = store.open("CA1")
    for _ in range(3):
        await speak(store, file, 800)
    (folder / "000000000000.ulaw").unlink()
    file.settle(1600)
    await store.flush()
    assert names(folder) == ["000000001600.dropped", "000000001600.ulaw"]
    assert (store.used, store.counters["disk_errors"]) == (1600, 0)


@pytest.mark.parametrize(("settled", "lost"), [(0, [(0, 800), (1600, 2400)]), (1600, [(1600, 2400)])])
async def test_what_was_lost_is_told_from_what_was_settled(tmp_path: Path, settled: int, lost: list[Span]) -> None:
    async with opened(tmp_path) as store:
        file = store.open("CA1")
        file.leap(800)
        await speak(store, file, 800)
        file.leap(2400)
        await speak(store, file, 800)
        file.settle(settled)
        await store.flush()
        file.close()
        await store.flush()
    async with opened(tmp_path) as store:
        file = await store.reopen("CA1")
        assert (file.settled, list(file.lost)) == (settled, lost)


async def test_removed_is_gone_and_its_id_is_free(store: AudioStore, folder: Path) -> None:
    file = store.open("CA1")
    file.write_note({})
    await speak(store, file, 2000)
    file.append(sound(2000, 10))
    await file.remove()
    assert not folder.exists()
    assert (store.used, store.kept()) == (0, [])
    assert await file.read(0, 10) == b""

    file = store.open("CA1")
    await speak(store, file, 50)
    assert await file.read(0, 100) == sound(0, 50)


async def test_removal_outlives_whoever_waits_for_it(store: AudioStore, folder: Path) -> None:
    file = store.open("CA1")
    await speak(store, file, 100)
    with held_up(folder.parent / "CA2") as release:
        store.open("CA2").append(sound(0, 1))
        flush = asyncio.ensure_future(store.flush())
        removal = asyncio.ensure_future(file.remove())
        await asyncio.sleep(0)
        removal.cancel()
        release()
        await flush
    await store.flush()
    assert not folder.exists()


# After a crash.


async def test_what_a_killed_process_had_flushed_is_there(tmp_path: Path) -> None:
    calls = 5
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.fakes.audio_appender",
        str(tmp_path),
        str(calls),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout
    said = [await asyncio.wait_for(child.stdout.readline(), 30) for _ in range(100)]
    child.kill()
    said += (await child.stdout.read()).splitlines(keepends=True)
    await child.wait()
    flushed = [int(end) for end in [line for line in said if line.endswith(b"\n")][-1].split()]
    async with opened(tmp_path) as store:
        assert store.kept() == [f"CA{n}" for n in range(calls)]
        for number, end in enumerate(flushed):
            file = await store.reopen(f"CA{number}")
            assert file.end >= end >= 100 * 480
            assert await file.read(0, file.end) == sound(0, file.end)
            assert file.note == {"call": file.call_id}
            assert list(file.lost) == []


async def test_a_torn_sample_is_cut_off_and_the_call_goes_on(tmp_path: Path, folder: Path) -> None:
    async with opened(tmp_path) as store:
        await speak(store, store.open("CA1"), 100)
    with (folder / "000000000000.ulaw").open("ab") as segment:
        segment.write(b"x")
    async with opened(tmp_path) as store:
        file = await store.reopen("CA1")
        assert file.end == 100
        await speak(store, file, 100)
        assert await file.read(0, 1000) == sound(0, 200)
        file.close()
        file = await store.reopen("CA1")
        assert await file.read(0, 1000) == sound(0, 200)


async def test_less_than_a_sample_is_nothing(tmp_path: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "000000000000.ulaw").write_bytes(b"x")
    async with opened(tmp_path) as store:
        file = await store.reopen("CA1")
        assert (file.end, list(file.lost), file.note) == (0, [], None)
        await speak(store, file, 100)
        assert await file.read(0, 1000) == sound(0, 100)


async def test_a_hole_between_segments_is_lost(tmp_path: Path, folder: Path) -> None:
    async with opened(tmp_path) as store:
        file = store.open("CA1")
        for _ in range(4):
            await speak(store, file, 800)
    (folder / "000000000800.ulaw").unlink()
    (folder / "000000001600.ulaw").unlink()
    async with opened(tmp_path) as store:
        file = await store.reopen("CA1")
        assert list(file.lost) == [Span(800, 2400)]
        assert await file.read(700, 5000) == sound(700, 100)
        assert await file.read(800, 5000) == b""
        assert file.next_kept(800) == 2400
        assert await file.read(2400, 5000) == sound(2400, 800)


async def test_what_is_not_ours_is_left_alone(tmp_path: Path, folder: Path) -> None:
    async with opened(tmp_path) as store:
        await speak(store, store.open("CA1"), 800)
    (folder / "notes.txt").write_text("mine")
    (folder / "000000009999.ulaw").mkdir()
    (tmp_path / "audio" / "a file").write_text("mine")
    (tmp_path / "audio" / "not a call").mkdir()
    async with opened(tmp_path) as store:
        assert store.kept() == ["CA1"]
        assert (await store.reopen("CA1")).end == 800


# The note.


async def test_the_newest_note_is_found_again(tmp_path: Path, folder: Path) -> None:
    async with opened(tmp_path) as store:
        file = store.open("CA1")
        assert file.note is None
        file.write_note({"anchor": 1.5})
        await store.flush()
        file.write_note({"anchor": 2.5})
        file.write_note({"anchor": 3.5})
        assert file.note == {"anchor": 3.5}
    assert names(folder) == ["call.json"]
    async with opened(tmp_path) as store:
        file = await store.reopen("CA1")
        assert (file.note, file.end) == ({"anchor": 3.5}, 0)


async def test_a_note_is_written_once(store: AudioStore, folder: Path) -> None:
    file = store.open("CA1")
    file.write_note({"anchor": 1.5})
    await store.flush()
    (folder / "call.json").unlink()
    await speak(store, file, 10)
    assert names(folder) == ["000000000000.ulaw"]


@pytest.mark.parametrize("rubbish", [b"", b'{"anchor": ', b"[1]", b"\xff\xfe"])
async def test_a_note_that_cannot_be_read_is_none(tmp_path: Path, folder: Path, rubbish: bytes) -> None:
    folder.mkdir(parents=True)
    (folder / "call.json").write_bytes(rubbish)
    async with opened(tmp_path) as store:
        assert (await store.reopen("CA1")).note is None


async def test_a_note_is_tried_again_but_never_over_a_newer_one(store: AudioStore, folder: Path) -> None:
    file = store.open("CA1")
    folder.write_text("in the way")
    file.write_note({"anchor": 1})
    await store.flush()
    folder.unlink()
    await speak(store, file, 10)
    assert (folder / "call.json").read_text() == '{"anchor": 1}'


# A disk that does not do what it should.


@contextmanager
def small_files(octets: int) -> Iterator[None]:
    """No file of this process grows beyond that: the write that would ends half way, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_write_that_ends_in_the_middle_of_a_sample(store: AudioStore) -> None:
    file = store.open("CA1")
    with small_files(1001):
        await speak(store, file, 800)
    assert list(file.lost) == [Span(500, 800)]
    await speak(store, file, 100)
    assert await file.read(0, 800) == sound(0, 500)
    assert file.next_kept(500) == 800
    assert await file.read(800, 800) == sound(800, 100)
    assert store.used == 1200
    assert store.counters["disk_errors"] == 1
    assert (store.counters["lost_samples"], store.counters["written_samples"]) == (300, 600)


async def test_a_full_disk_is_lost_audio_until_there_is_room(store: AudioStore, folder: Path) -> None:
    folder.mkdir()
    (folder / "000000000000.ulaw").symlink_to("/dev/full")
    file = store.open("CA1")
    await speak(store, file, 800)
    await speak(store, file, 800)
    assert list(file.lost) == [Span(0, 800)]
    assert names(folder) == ["000000000800.ulaw"]
    assert file.next_kept(0) == 800
    assert await file.read(800, 800) == sound(800, 800)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB, for those who may mount one."""
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(path)], capture_output=True)
    if mounted.returncode:
        pytest.skip("may not mount a file system")
    yield path
    subprocess.run(["umount", str(path)], check=True)


async def test_a_full_file_system(small_disk: Path) -> None:
    async with opened(small_disk, segment_seconds=1) as store:
        file = store.open("CA1")
        for _ in range(20):
            await speak(store, file, 4000)
        assert [span.end for span in file.lost] == [80_000]
        written = next(iter(file.lost)).start
        assert 24_000 <= written <= 32_768
        assert await file.read(0, 80_000) == sound(0, written)

        file.settle(80_000)
        await speak(store, file, 4000)
        assert await file.read(80_000, 8000) == sound(80_000, 4000)
        assert list(file.lost) == [Span(written, 80_000)]


async def test_a_trouble_is_logged_once_and_its_end_too(
    store: AudioStore, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    folder.write_text("in the way of CA1")
    files = [store.open(f"CA{n}") for n in (1, 2, 3)]
    for _ in range(3):
        for file in files:
            file.append(sound(file.end, 100))
        await store.flush()
    assert [list(file.lost) for file in files] == [[Span(0, 300)], [], []], "the others have no part in it"
    folder.unlink()
    for file in files:
        file.settle(10)
    await store.flush()
    assert len(caplog.records) == 1, "settling has not shown that writing works"
    await speak(store, files[0], 100)
    assert [(record.message, record.call_id, record.reason) for record in caplog.records] == [  # type: ignore[attr-defined]
        ("audio cannot be kept", "CA1", "File exists"),
        ("audio is kept again", "CA1", "File exists"),
    ]
    assert store.counters["disk_errors"] == 3


async def test_audio_that_cannot_be_read_any_more_is_lost(
    store: AudioStore, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = store.open("CA1")
    for _ in range(3):
        await speak(store, file, 800)
    os.truncate(folder / "000000000000.ulaw", 1001)
    (folder / "000000000800.ulaw").unlink()
    assert await file.read(100, 2000) == sound(100, 400)
    assert list(file.lost) == [Span(500, 800)]
    assert await file.read(file.next_kept(500), 2000) == b""
    assert list(file.lost) == [Span(500, 1600)]
    assert await file.read(file.next_kept(500), 2000) == sound(1600, 800)
    assert store.counters["unreadable_samples"] == 1100
    assert [record.message for record in caplog.records] == [
        "kept audio is shorter than it was",
        "kept audio cannot be read",
    ]


async def test_a_file_that_cannot_be_read_costs_no_more_than_itself(store: AudioStore, folder: Path) -> None:
    file = store.open("CA1")
    for _ in range(5):
        await speak(store, file, 800)
    for name in ("000000000800.ulaw", "000000001600.ulaw"):
        (folder / name).unlink()
    assert await file.read_on(0, 4000) == (0, await file.read(0, 800))
    start, audio = await file.read_on(900, 4000)
    assert (start, audio) == (2400, await file.read(2400, 1600))
    assert len(audio) == 3200
    assert list(file.lost) == [Span(800, 2400)]
    assert await file.read_on(4000, 100) == (4000, b"")


async def test_a_place_where_nothing_can_be_kept_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "audio").write_text("")
    with pytest.raises(StoreError, match="cannot open .*audio: File exists"):
        async with opened(tmp_path):
            pass
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("store-audio")]


async def test_a_place_is_made_for_the_owner_only(tmp_path: Path) -> None:
    data_dir = tmp_path / "var" / "data"
    async with opened(data_dir, keep=True):
        assert [stat.S_IMODE((data_dir / name).stat().st_mode) for name in ("audio", "recordings")] == [0o700] * 2


async def test_what_cannot_be_deleted_stays_known(
    store: AudioStore, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for call_id in ("CA1", "CA2"):
        file = store.open(call_id)
        await speak(store, file, 800)
        (folder.parent / call_id / "somebody's folder").mkdir()
        await file.remove()
    assert [(record.message, record.call_id) for record in caplog.records] == [  # type: ignore[attr-defined]
        ("audio cannot be kept", "CA1"),
        ("audio cannot be kept", "CA2"),
    ]
    assert names(folder) == ["somebody's folder"]


# Bounds.


async def test_beyond_the_limit_new_audio_of_any_call_is_lost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(tmp_path, limit=3200) as store:
        one, two = store.open("CA1"), store.open("CA2")
        await speak(store, one, 800)
        await speak(store, one, 800)
        await speak(store, two, 800)
        await speak(store, one, 800)
        assert (list(one.lost), list(two.lost)) == ([Span(1600, 2400)], [Span(0, 800)])
        assert store.counters["over_limit"] == 2
        assert [record.reason for record in caplog.records] == ["the bound for kept audio is reached"]  # type: ignore[attr-defined]

        one.settle(2400)
        await speak(store, two, 800)
        assert await two.read(800, 800) == sound(800, 800), "what was settled has made room"
        assert (store.used, list(two.lost)) == (3200, [Span(0, 800)])


async def test_the_limit_counts_what_an_earlier_process_left(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await speak(store, store.open("CA1"), 800)
    async with opened(tmp_path, limit=2000) as store:
        assert store.used == 1600
        two = store.open("CA2")
        await speak(store, two, 800)
        assert list(two.lost) == [Span(0, 800)]
        await (await store.reopen("CA1")).remove()
        await speak(store, two, 800)
        assert store.used == 1600


async def test_no_call_waits_for_a_disk_that_hangs(tmp_path: Path) -> None:
    async with opened(tmp_path, flush_interval=0.001) as store:
        file, other = store.open("CA1"), store.open("CA2")
        with held_up(tmp_path / "audio" / "CA1") as release:
            for turn in range(1, 11):
                file.append(sound(file.end, 100))
                other.append(sound(other.end, 100))
                file.settle(turn)
                file.write_note({"turn": turn})
                waiting = store.waiting
                await until(lambda: store.waiting > waiting)  # noqa: B023 - awaited before the next turn
            assert store.waiting == 10 * 2 * 200
            assert store.used == 0
            release()
            await store.flush()
            assert (store.waiting, store.used) == (0, 10 * 2 * 200)
        assert await other.read(0, 2000) == sound(0, 1000)


async def test_only_so_much_of_all_calls_waits_for_a_disk_that_hangs(tmp_path: Path) -> None:
    async with opened(tmp_path, flush_interval=0.001, backlog=1600, segment_seconds=1) as store:
        files = [store.open(f"CA{n}") for n in range(1, 7)]
        with held_up(tmp_path / "audio" / "CA1") as release:
            for count, file in enumerate(files, 1):
                file.append(sound(0, 200))
                await until(lambda: store.waiting + store.counters["lost_samples"] * 2 == count * 400)  # noqa: B023
            assert store.waiting == 1600
            assert [bool(list(file.lost)) for file in files] == [False] * 4 + [True] * 2
            release()
            await until(lambda: not store.waiting)


async def test_only_so_much_of_one_call_waits_for_a_disk_that_hangs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(tmp_path, flush_interval=0.001, backlog=1000 * SHARE, segment_seconds=1) as store:
        file = store.open("CA1")
        with held_up(tmp_path / "audio" / "CA1") as release:
            for turn in range(1, 11):
                file.append(sound(file.end, 200))
                file.write_note({"turn": turn})
                await until(lambda: store.waiting + store.counters["lost_samples"] * 2 == turn * 400)  # noqa: B023
            assert store.waiting == 800
            assert list(file.lost) == [Span(400, 2000)]
            jobs = store.counters["jobs"]
            release()
            await until(lambda: not store.waiting)
        await speak(store, file, 100)
        assert await file.read(2000, 1000) == sound(2000, 100)
        assert store.counters["too_slow"] == 8
        assert jobs <= 10
        assert file.start == 0
        assert [(record.message, record.reason) for record in caplog.records] == [  # type: ignore[attr-defined]
            ("audio cannot be kept", "too much audio waits for the disk")
        ]
    async with opened(tmp_path) as store:
        assert (await store.reopen("CA1")).note == {"turn": 10}, "only audio is too much"


async def test_too_much_of_one_call_takes_nothing_from_another(tmp_path: Path) -> None:
    async with opened(tmp_path, backlog=1000) as store:
        one, other = store.open("CA1"), store.open("CA2")
        one.append(sound(0, 501))
        other.append(sound(0, 100))
        await store.flush()
        assert (list(one.lost), list(other.lost), store.used) == ([Span(0, 501)], [], 200)
        assert await other.read(0, 1000) == sound(0, 100)


@contextmanager
def held_up(folder: Path) -> Iterator[Callable[[], None]]:
    """The thread hangs where it begins the first segment of this call: opening a pipe waits for a reader."""
    folder.mkdir(parents=True)
    pipe = folder / "000000000000.ulaw"
    os.mkfifo(pipe)
    readers: list[int] = []

    def release() -> None:
        readers.append(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))

    try:
        yield release
    finally:
        if not readers:
            release()
        os.close(readers[0])


# What only a bug of ours would do.


@pytest.mark.parametrize("call_id", ["", "..", "a/b", "CA1\n", "x" * 81, "\u0661"])
async def test_a_call_id_is_the_name_of_a_folder(store: AudioStore, call_id: str) -> None:
    with pytest.raises(LocalProtocolError, match="no call id"):
        store.open(call_id)
    with pytest.raises(StoreError, match="no audio of"):
        await store.reopen(call_id)


async def test_a_call_is_opened_once(store: AudioStore) -> None:
    file = store.open("CA1")
    with pytest.raises(LocalProtocolError, match="audio of CA1 already"):
        store.open("CA1")
    with pytest.raises(StoreError, match="no audio of CA1"):
        await store.reopen("CA1")
    file.close()
    with pytest.raises(LocalProtocolError, match="audio of CA1 already"):
        store.open("CA1")


async def test_what_is_closed_takes_nothing_more(store: AudioStore) -> None:
    file = store.open("CA1")
    file.append(sound(0, 100))
    file.close()
    file.close()
    for misuse in (
        lambda: file.append(b"ab"),
        lambda: file.leap(500),
        lambda: file.settle(5),
        lambda: file.write_note({}),
    ):
        with pytest.raises(LocalProtocolError):
            misuse()
    with pytest.raises(LocalProtocolError):
        await file.remove()
    assert await file.read(0, 1000) == sound(0, 100)


async def test_half_a_sample_is_refused(store: AudioStore) -> None:
    file = store.open("CA1")
    with pytest.raises(LocalProtocolError, match="cannot take 3 octets"):
        file.append(b"abc")
    assert file.end == 0


async def test_a_store_that_is_not_open(tmp_path: Path) -> None:
    store = opened(tmp_path)
    assert (store.used, store.waiting, store.kept()) == (0, 0, [])
    with pytest.raises(StoreError, match="not open"):
        store.open("CA1")
    async with store:
        file = store.open("CA1")
    with pytest.raises(StoreError, match="closed"):
        await file.read(0, 1)


async def test_the_face(store: AudioStore) -> None:
    file = store.open("CA1")
    assert repr(file) == "<AudioFile CA1 0..0 settled 0 lost 0 go on>"
    await speak(store, file, 1000)
    file.settle(10)
    assert repr(file) == "<AudioFile CA1 0..1000 settled 10 lost 0 go on>"
    assert repr(store) == f"<AudioStore open 1 kept 0 used 2000 of {LIMIT} waiting 0 lost 0>"


async def test_a_leap_leaves_a_hole_that_is_known(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        file = store.open("CA1")
        file.append(sound(0, 500))
        file.leap(500)
        assert store.counters["jobs"] == 0, "that is no leap"
        file.leap(2000)
        file.append(sound(2000, 300))
        assert (file.end, list(file.lost)) == (2300, [Span(500, 2000)])
        assert await file.read(0, 5000) == sound(0, 500)
        assert file.next_kept(500) == 2000
        assert await file.read(2000, 5000) == sound(2000, 300)
        file.leap(100)
        assert file.end == 2300, "nothing goes back"
    async with opened(tmp_path) as store:
        again = await store.reopen("CA1")
        assert (again.end, list(again.lost)) == (2300, [Span(500, 2000)])


async def test_what_nobody_waits_for_goes(store: AudioStore, folder: Path) -> None:
    file = store.open("CA1")
    await speak(store, file, 500)
    await file.finish()
    assert (store.kept(), store.used, folder.exists()) == ([], 0, False)


# Where audio is kept for good.


@pytest.fixture
async def keeping(tmp_path: Path) -> AsyncIterator[AudioStore]:
    async with opened(tmp_path, keep=True) as store:
        yield store


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Where the call CA1 goes."""
    return tmp_path / "recordings" / "CA1"


async def test_a_finished_call_goes_to_the_recordings_with_everything(
    keeping: AudioStore, folder: Path, recording: Path
) -> None:
    file = keeping.open("CA1")
    file.write_note({"anchor": 1.5})
    for _ in range(3):
        await speak(keeping, file, 800)
    file.settle(2400)
    file.append(sound(2400, 100))  # not flushed yet
    await file.finish()
    assert names(recording) == [
        *(f"{start:012d}.ulaw" for start in (0, 800, 1600, 2400)),
        "call.json",
    ]
    assert stat.S_IMODE(recording.parent.stat().st_mode) == 0o700
    assert not folder.exists()
    assert (keeping.kept(), keeping.used) == ([], 0)
    assert await file.read(0, 5000) == sound(0, 2500), "who had it open can still read it"


async def test_what_only_the_recording_needs_takes_no_room(tmp_path: Path, recording: Path) -> None:
    async with opened(tmp_path, keep=True, limit=4000) as store:
        file = store.open("CA1")
        for _ in range(20):
            await speak(store, file, 800)
            file.settle(file.end)
        await store.flush()
        assert (list(file.lost), store.used) == ([], 1600)
        assert await file.read(0, 16000) == sound(0, 16000)
        await file.finish()
        assert store.used == 0
        assert len(names(recording)) == 20
        gone = store.open("CA2")
        for _ in range(3):
            await speak(store, gone, 800)
            gone.settle(gone.end)
        await gone.remove()
        assert (store.used, (tmp_path / "audio" / "CA2").exists()) == (0, False)
        assert (await gone.read(0, 100), list(gone.lost)) == (b"", [])


async def test_the_recordings_take_none_of_the_room_for_other_calls(tmp_path: Path) -> None:
    async with opened(tmp_path, keep=True, limit=2000) as store:
        for number in range(5):
            file = store.open(f"CA{number}")
            await speak(store, file, 800)
            await file.finish()
            assert list(file.lost) == []
    async with opened(tmp_path, keep=True, limit=2000) as store:
        assert (store.kept(), store.used) == ([], 0), "nor does anybody look at them at the start"


async def test_a_call_without_audio_leaves_no_recording(keeping: AudioStore, folder: Path, recording: Path) -> None:
    await keeping.open("CA2").finish()
    file = keeping.open("CA1")
    file.write_note({"anchor": 1.5})
    await file.finish()
    assert not folder.exists()
    assert names(recording.parent) == []
    assert keeping.counters["not_moved"] == 0


async def test_a_call_that_a_killed_process_left_is_moved_when_it_is_finished(
    tmp_path: Path, folder: Path, recording: Path
) -> None:
    async with opened(tmp_path, keep=True) as store:
        await speak(store, store.open("CA1"), 1000)
    assert folder.exists()
    async with opened(tmp_path, keep=True) as store:
        assert store.kept() == ["CA1"]
        await (await store.reopen("CA1")).finish()
        assert (store.kept(), store.used) == ([], 0)
    assert names(recording) == ["000000000000.ulaw"]


async def test_what_somebody_took_away_or_left_behind_is_in_nobodys_way(tmp_path: Path, recording: Path) -> None:
    (tmp_path / "audio" / ".probe").mkdir(parents=True)
    async with opened(tmp_path, keep=True) as store:
        (tmp_path / "audio").rmdir()
        file = store.open("CA1")
        await speak(store, file, 800)
        recording.parent.rmdir()
        await file.finish()
    assert names(recording) == ["000000000000.ulaw"]
    assert stat.S_IMODE(recording.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("in_the_way", ["a recording", "a file"])
async def test_what_cannot_be_moved_stays_complete_and_is_tried_again(
    tmp_path: Path, folder: Path, recording: Path, caplog: pytest.LogCaptureFixture, in_the_way: str
) -> None:
    older = recording / "000000000000.ulaw"
    if in_the_way == "a file":
        older = recording
    older.parent.mkdir(parents=True)
    older.write_bytes(b"older")
    async with opened(tmp_path, keep=True) as store:
        file = store.open("CA1")
        await speak(store, file, 800)
        await file.finish()
        assert (store.kept(), store.used) == (["CA1"], 1600)
        assert [(record.message, record.call_id) for record in caplog.records] == [("audio cannot be kept", "CA1")]  # type: ignore[attr-defined]
        assert caplog.records[0].reason.startswith("not moved to the recordings: ")  # type: ignore[attr-defined]
        assert store.counters["not_moved"] == 1
        assert older.read_bytes() == b"older"
        assert await file.read(0, 5000) == sound(0, 800)

        older.unlink()
        await (await store.reopen("CA1")).finish()
        assert (store.kept(), store.used) == ([], 0)
    assert (recording / "000000000000.ulaw").read_bytes() == sound(0, 800)


async def test_an_id_is_not_free_before_its_call_is_moved(keeping: AudioStore, tmp_path: Path, recording: Path) -> None:
    file = keeping.open("CA1")
    await speak(keeping, file, 100)
    with held_up(tmp_path / "audio" / "CA2") as release:
        keeping.open("CA2").append(sound(0, 1))
        flush = asyncio.ensure_future(keeping.flush())
        finishing = asyncio.ensure_future(file.finish())
        await asyncio.sleep(0)
        with pytest.raises(LocalProtocolError, match="audio of CA1 already"):
            keeping.open("CA1")
        assert keeping.kept() == []
        finishing.cancel()
        release()
        await flush
    await keeping.flush()
    assert recording.exists(), "it outlives whoever waits for it"
    keeping.open("CA1")


async def test_a_finished_call_takes_nothing_more(keeping: AudioStore) -> None:
    file = keeping.open("CA1")
    await file.finish()
    file.close()
    with pytest.raises(LocalProtocolError, match="not open"):
        await file.finish()
    with pytest.raises(LocalProtocolError):
        file.append(b"ab")


async def test_a_place_that_takes_no_recordings_is_said_at_the_start(tmp_path: Path) -> None:
    if not Path("/dev/shm").is_dir():
        pytest.skip("there is no second file system at hand")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        if os.stat(elsewhere).st_dev == tmp_path.stat().st_dev:
            pytest.skip("that is the same file system")
        (tmp_path / "recordings").symlink_to(elsewhere)
        with pytest.raises(StoreError, match="cannot open .*recordings: Invalid cross-device link"):
            async with opened(tmp_path, keep=True):
                pass
        async with opened(tmp_path):
            pass


async def leave_some(audio):
    file = audio.open("CA1")
    file.append(b"\x10\x20" * 100)
    file.close()
    await audio.flush()


async def test_who_reopens_second_is_told_so(tmp_path):
    async with AudioStore(tmp_path, limit=2**20) as audio:
        await leave_some(audio)
        first, second = await asyncio.gather(audio.reopen("CA1"), audio.reopen("CA1"), return_exceptions=True)
        assert isinstance(first, AudioFile) and isinstance(second, StoreError)


async def test_what_is_being_reopened_is_open(tmp_path):
    async with AudioStore(tmp_path, limit=2**20) as audio:
        await leave_some(audio)
        reopening = asyncio.create_task(audio.reopen("CA1"))
        await asyncio.sleep(0)
        assert audio.is_open("CA1") and audio.kept() == []
        reopening.cancel()
        await asyncio.wait([reopening])
        assert reopening.cancelled()
        assert not audio.is_open("CA1") and audio.kept() == ["CA1"]


async def test_what_cannot_be_read_is_not_reopened_and_stays_kept(store: AudioStore, folder: Path) -> None:
    file = store.open("CA1")
    await speak(store, file, 800)
    file.close()
    link = folder / "000000000800.ulaw"
    link.symlink_to(link.name)  # an endless row of links: cannot be looked at
    with pytest.raises(StoreError, match="cannot read the audio of CA1: Too many levels"):
        await store.reopen("CA1")
    assert (store.is_open("CA1"), store.kept()) == (False, ["CA1"])
    link.unlink()
    assert (await store.reopen("CA1")).end == 800


# What is on the disk.


async def test_it_is_known_how_far_everything_is_written(store: AudioStore) -> None:
    file = store.open("CA1")
    file.leap(800)
    assert file.written == 800
    await speak(store, file, 400)
    file.append(sound(1200, 400))
    assert (file.written, file.end) == (1200, 1600)
    await store.flush()
    assert file.written == 1600
    file.close()
    await store.flush()
    assert (await store.reopen("CA1")).written == 1600


async def test_what_is_lost_ends_what_is_known_to_be_written(tmp_path: Path) -> None:
    async with opened(tmp_path, limit=2 * 1000) as store:
        file = store.open("CA1")
        await speak(store, file, 800)
        await speak(store, file, 800)
        assert file.lost.total == 800
        file.settle(800)
        await speak(store, file, 200)
        assert (file.lost.total, file.written) == (800, 800)


async def test_a_note_that_cannot_wait_is_written_at_once(store: AudioStore, folder: Path) -> None:
    file = store.open("CA1")  # nothing is flushed by itself here
    file.append(sound(0, 800))
    file.write_note({"anchor": 1.0}, at_once=True)
    await until(lambda: (folder / "call.json").exists())
    assert file.note == {"anchor": 1.0}


async def test_a_recording_is_silent_where_it_was_muted_and_is_moved_only_then(
    keeping: AudioStore, recording: Path, folder: Path
) -> None:
    file = keeping.open("CA1")
    for _ in range(3):
        await speak(keeping, file, 800)
    said = b"".join(path.read_bytes() for path in sorted(folder.glob("*.ulaw")))
    await file.finish([(1, Span(700, 1700)), (0, Span(2300, 9000))])
    heard = b"".join(path.read_bytes() for path in sorted(recording.glob("*.ulaw")))

    assert len(list(recording.glob("*.ulaw"))) == 3
    assert (heard[1::2][700:1700], heard[::2][2300:]) == (b"\xff" * 1000, b"\xff" * 100)
    assert heard[::2][:2300] == said[::2][:2300]
    assert heard[1::2][:700] + heard[1::2][1700:] == said[1::2][:700] + said[1::2][1700:]


async def test_what_cannot_be_muted_is_no_recording(
    keeping: AudioStore, recording: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = keeping.open("CA1")
    await speak(keeping, file, 800)
    (folder / "000000000000.ulaw").unlink()
    (folder / "000000000000.ulaw").mkdir()
    await file.finish([(0, Span(0, 100))])

    assert not recording.exists()
    assert keeping.kept() == ["CA1"]
    assert "not moved to the recordings" in caplog.text or "audio cannot be kept" in caplog.text
