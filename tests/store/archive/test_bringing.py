"""What the object store has of a call comes here whole, or not at all."""

import asyncio
from pathlib import Path

import pytest

from bridge.store.archive.base import ArchiveError
from bridge.store.archive.bringing import bring, has_recording, listed
from tests.fakes.objects import MemoryObjects


async def test_of_a_calls_objects_those_are_listed_that_are_kept_audio() -> None:
    objects = MemoryObjects()
    for name in ("audio/000000000000.ulaw", "audio/call.json", "audio/other", "recording-5.wav"):
        objects.objects[f"CA1/{name}"] = b"abc"
    assert await listed(objects, "CA1") == {"000000000000.ulaw": 3, "call.json": 3}
    assert await listed(objects, "CA2") == {}


@pytest.mark.parametrize(("octets", "there"), [(99, True), (100, True), (101, False)])
async def test_a_recording_counts_that_has_no_less(octets: int, there: bool) -> None:
    objects = MemoryObjects()
    objects.objects = {"CA1/recording-5.wav": bytes(100), "CA1/audio/000000000000.ulaw": bytes(500)}
    assert await has_recording(objects, "CA1", octets) is there
    assert not await has_recording(objects, "CA2", octets)


async def test_many_files_come(tmp_path: Path) -> None:
    objects, names = MemoryObjects(), [f"{start:012d}.ulaw" for start in range(20)]
    for name in names:
        objects.objects[f"CA1/audio/{name}"] = name.encode()
    await bring(objects, "CA1", await listed(objects, "CA1"), tmp_path / "CA1", asyncio.to_thread)
    assert sorted((path.name, path.read_bytes()) for path in (tmp_path / "CA1").iterdir()) == [
        (name, name.encode()) for name in names
    ]


async def test_where_one_is_not_as_it_was_nothing_is_left_here(tmp_path: Path) -> None:
    objects = MemoryObjects()
    objects.objects["CA1/audio/000000000000.ulaw"] = b"abc"
    with pytest.raises(ArchiveError, match="is not as it was"):
        await bring(objects, "CA1", {"000000000000.ulaw": 4}, tmp_path / "CA1", asyncio.to_thread)
    assert list(tmp_path.iterdir()) == []


async def test_a_disk_that_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ArchiveError, match="cannot be brought here"):
        await bring(MemoryObjects(), "CA1", {}, tmp_path / "file" / "CA1", asyncio.to_thread)
