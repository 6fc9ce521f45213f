"""Old recordings go by themselves, at the start and later."""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bridge.errors import StoreError
from bridge.store.archive.archive import Archive
from bridge.store.audio import Recordings
from bridge.store.audio.retention import Retention
from tests.fakes.objects import MemoryObjects
from tests.fakes.waiting import tasks_of, until


def record(folder: Path, call_id: str) -> Path:
    path = folder / "recordings" / call_id
    path.mkdir(parents=True)
    (path / f"{0:012d}.ulaw").write_bytes(bytes(1000))
    return path


async def test_what_is_too_old_goes_at_the_start(tmp_path: Path) -> None:
    path = record(tmp_path, "CA1")
    ended = next(path.iterdir()).stat().st_mtime
    async with Retention(Recordings(tmp_path), 100.0, None, lambda: ended + 101.0):
        await until(lambda: not path.exists())
    assert not tasks_of("Retention")


async def test_it_looks_once_and_then_has_time(tmp_path: Path) -> None:
    path, recordings, looks = record(tmp_path, "CA1"), Recordings(tmp_path), []

    def wall() -> float:
        looks.append(path.exists())
        return path.stat().st_mtime if path.exists() else 0.0

    async with Retention(recordings, None, 0, wall):
        await until(lambda: not path.exists())
        for _ in range(3):
            await recordings.sweep(0.0, None, 0)
        assert looks == [True]


async def test_what_may_stay_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    kept, too_much = record(tmp_path, "CA2"), record(tmp_path, "CA1")
    newer = next(kept.iterdir())
    older = next(too_much.iterdir()).stat().st_mtime
    os.utime(newer, (older + 10, older + 10))
    async with Retention(Recordings(tmp_path), None, 1000, lambda: older):
        await until(lambda: caplog.records)
    assert not too_much.exists()
    assert kept.exists()
    assert [record.__dict__["call_id"] for record in caplog.records] == ["CA1"]


async def test_one_of_several_processes_looks_at_the_archive_and_each_at_its_own_disk(tmp_path: Path) -> None:
    turn = [False, True]

    @asynccontextmanager
    async def chore(name: str, every: float) -> AsyncIterator[bool]:
        assert (name, every) == ("recordings", 3600.0)
        yield turn.pop(0)

    objects = MemoryObjects()
    for call_id, ended in (("CA1", 5), ("CA2", 9)):
        objects.objects[f"{call_id}/recording-{ended}.wav"] = bytes(1000)
    here = record(tmp_path, "CA3")
    async with Archive(objects, tmp_path / "elsewhere") as archive:
        recordings = Recordings(tmp_path, archive=archive)
        retention = Retention(recordings, None, 1000, lambda: 0.0, chore)
        await retention.look()
        assert here.exists() and not any(asked.startswith("list") for asked in objects.asked)
        assert await recordings.size() == (1, 1000), "of those in the archive the one tells that has looked"
        await retention.look()
    assert (list(objects.contents), here.exists()) == ([], True), "the oldest go, wherever they are"


async def test_where_no_one_says_who_looks_it_is_told_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    @asynccontextmanager
    async def chore(name: str, every: float) -> AsyncIterator[bool]:
        raise StoreError("cannot read the record: the database cannot be reached")
        yield

    async with Retention(Recordings(tmp_path), None, 1000, lambda: 0.0, chore):
        await until(lambda: caplog.records)
    assert caplog.records[0].__dict__["reason"].startswith("cannot read the record")
