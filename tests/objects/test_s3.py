"""The archive in a real S3 server: how it goes there and comes back, what a kill leaves, what it takes of memory."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from bridge.doctor.measuring.archive import try_out
from bridge.store.archive.archive import Archive
from bridge.store.archive.base import ArchiveError
from bridge.store.archive.errands import ErrandPolicy, Errands
from bridge.store.archive.objects import open_objects
from bridge.store.audio import AudioStore, Recordings
from tests.fakes.archiver import SAMPLES
from tests.fakes.audio_appender import sound
from tests.fakes.s3 import S3
from tests.fakes.waiting import until

pytestmark = pytest.mark.objects

ROOT = Path(__file__).parent.parent.parent
HOUR = 3600 * 8000


def errands():
    return Errands(ErrandPolicy(first_pause=0.05, longest_pause=0.1))


async def test_a_recording_of_two_hours_goes_there_in_parts_and_is_heard_in_part(tmp_path, bucket):
    """115 MB, with no more than some parts of it in memory."""
    folder = tmp_path / "recordings" / "CA1"
    folder.mkdir(parents=True)
    for start in range(0, 2 * HOUR, 60 * 8000):
        (folder / f"{start:012d}.ulaw").write_bytes(sound(start, 60 * 8000))
    await bucket.put("CA0/warm", iter([bytes(2**20)] * 12))
    before = _reset_peak()
    async with Archive(bucket, tmp_path) as archive:
        await until(lambda: not folder.exists())
        grown = _peak() - before
        recording = await Recordings(tmp_path, archive=archive).open("CA1")
        assert recording.samples == 2 * HOUR
        for start in (0, 12_345_678, 2 * HOUR - 100):
            assert await recording.read(start, 100) == sound(start, 100)
    assert grown < 60_000_000, grown


def _reset_peak():
    """Have the kernel count the peak of memory from now on; octets that are used now."""
    Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak():
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


async def test_what_a_killed_process_had_on_the_disk_is_brought_there_by_the_next(tmp_path, s3, bucket):
    url = f"s3://{s3.make_bucket()}/calls"
    command = (sys.executable, "-m", "tests.fakes.archiver", str(tmp_path), url)
    child = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    said = "0 0"
    async with asyncio.timeout(60):
        while int(said.split()[1]) < 5:
            said = (await child.stdout.readline()).decode()
    child.send_signal(signal.SIGKILL)
    more, _ = await child.communicate()
    calls = 1 + int((more.decode().splitlines() or [said])[-1].split()[0])

    objects = open_objects(url)
    async with Archive(objects, tmp_path, errands()) as archive:
        async with AudioStore(tmp_path, limit=2**30, keep=True, archive=archive) as audio:
            await until(lambda: not archive.waiting)
            found = {each.key: each.octets async for piece in objects.list() for each in piece}
            recordings = Recordings(tmp_path, unfinished=False, archive=archive)
            for number in range(1, calls, 2):
                recording = await recordings.open(f"CA{number}")
                assert await recording.read(0, SAMPLES) == sound(0, SAMPLES), number
            # It may have begun one more than it had the time to say.
            assert {f"CA{number}" for number in range(0, calls, 2)} <= set(audio.kept())
    for number in range(0, calls, 2):
        assert sum(octets for key, octets in found.items() if key.startswith(f"CA{number}/audio/")) == 2 * SAMPLES
    assert not list((tmp_path / "recordings").glob("CA*/*"))


async def test_a_node_goes_on_with_what_another_has_handed_over(tmp_path, bucket):
    async with Archive(bucket, tmp_path / "one") as archive:
        async with AudioStore(tmp_path / "one", limit=2**30, segment_seconds=1, archive=archive) as audio:
            for call_id in ("CA1", "CA12"):
                file = audio.open(call_id)
                file.append(sound(0, 20_000))
                file.write_note({"anchor": 1.5})
        await archive.drain(30.0)
    async with Archive(bucket, tmp_path / "two") as archive:
        async with AudioStore(tmp_path / "two", limit=2**30, archive=archive) as audio:
            assert await audio.elsewhere() == ["CA1", "CA12"]
            file = await audio.reopen("CA1")
            assert (await file.read(0, 20_000), file.note) == (sound(0, 20_000), {"anchor": 1.5})
            await file.finish()
            await until(lambda: not archive.waiting)
        keys = sorted([each.key async for piece in bucket.list() for each in piece])
        assert [key.partition("/")[0] for key in keys] == ["CA12"] * 2
        assert await archive.erase("CA12") and not await archive.erase("CA12")


async def test_a_server_that_is_away_is_tried_again(tmp_path, monkeypatch):
    server = S3()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    async with Archive(open_objects("s3://bucket-of-later"), tmp_path, errands()) as archive:
        async with AudioStore(tmp_path, limit=2**30, archive=archive) as audio:
            file = audio.open("CA1")
            file.append(sound(0, 1000))
            file.close()
            await until(lambda: archive.trouble == "the object store cannot be reached, or fails")
            with server.running():
                await until(lambda: archive.trouble == "there is no such object, or no such bucket")
                server.make_bucket("bucket-of-later")
                await until(lambda: not archive.waiting)
                assert archive.trouble is None and await archive.has("CA1")


async def test_what_the_doctor_tries_works_and_leaves_nothing(bucket):
    assert (await try_out(bucket, "x")).step is None
    assert [each async for piece in bucket.list() for each in piece] == []


async def test_a_bucket_that_is_not_there_is_said(s3, bucket):
    with pytest.raises(ArchiveError, match="no such bucket"):
        await open_objects("s3://there-is-no-such-bucket").put("CA1/x", b"x")
