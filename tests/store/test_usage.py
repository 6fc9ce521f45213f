"""What the disk holds."""

import shutil

from bridge.outbox import Settlement
from bridge.outlets import Outlet, Outlets, named
from bridge.store.audio import AudioStore, Recordings
from bridge.store.opening import DATABASE
from bridge.store.sqlite import SQLiteStore
from bridge.store.usage import Usage
from tests.fakes import words
from tests.fakes.stores import claim
from tests.fakes.waiting import until


async def keep_recording(data_dir, call_id, samples):
    async with AudioStore(data_dir, limit=2**30, keep=True) as audio:
        file = audio.open(call_id)
        file.append(bytes(2 * samples))
        file.settle(samples)
        await file.finish()


async def test_files_recordings_and_dead_letters_are_counted(tmp_path):
    await keep_recording(tmp_path, "CA1", 8000)
    await keep_recording(tmp_path, "CA2", 4000)
    async with SQLiteStore(tmp_path, ["webhook"]) as store:
        await store.append([words.started("CA1")])
        (lane,) = await claim(store)
        await store.settle(lane, Settlement(lane.cursor, lane.batch_to, parked="given up"))
        async with Usage(tmp_path, DATABASE, store, ["webhook"], Recordings(tmp_path)) as usage:
            await until(lambda: usage.recordings is not None)

            assert usage.dead_letters == {"webhook": 1}
            assert (usage.recordings, usage.recorded) == (2, 24_000)
            assert usage.database >= sum(path.stat().st_size for path in tmp_path.glob("bridge.db"))
            assert 0 < usage.free <= usage.disk


async def test_dead_letters_of_urls_that_calls_have_named_count_for_the_outlet_that_allowed_them(tmp_path):
    outlets = Outlets([Outlet("crm"), Outlet("tenants", is_pattern=True)])
    async with SQLiteStore(tmp_path, outlets) as store:
        for place in range(2):
            url = f"https://hooks.example.com/{place}"
            await store.append([words.started(f"CA{place}")], named=named("tenants", url))
            (lane,) = await claim(store, endpoint=named("tenants", url).endpoint)
            await store.settle(lane, Settlement(lane.cursor, lane.batch_to, parked="given up"))
        async with Usage(tmp_path, DATABASE, store, ["crm", "tenants"], Recordings(tmp_path)) as usage:
            await until(lambda: usage.recordings is not None)

            assert usage.dead_letters == {"crm": 0, "tenants": 2}


async def test_a_folder_that_is_gone_makes_the_figures_unknown_and_is_told_once(tmp_path, caplog):
    folder = tmp_path / "data"
    folder.mkdir()
    async with SQLiteStore(tmp_path, ["webhook"]) as store:
        async with Usage(folder, DATABASE, store, ["webhook"], Recordings(folder), pause=0.005) as usage:
            await until(lambda: usage.free is not None)
            shutil.rmtree(folder)
            await until(lambda: usage.free is None)
            folder.mkdir()
            await until(lambda: usage.free is not None)

    told = [record for record in caplog.records if record.name == "bridge.store.usage"]
    assert [record.getMessage() for record in told] == ["what the disk holds cannot be seen"]
