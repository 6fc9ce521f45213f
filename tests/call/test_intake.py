"""What other processes hand over is taken into the store, once."""

import asyncio
import json
import os
from dataclasses import replace

import pytest

from bridge.call import handover
from bridge.call.intake import Intake
from bridge.events import Redacted
from bridge.store.audio import Recordings
from bridge.store.base import Query
from bridge.store.sqlite import SQLiteStore
from tests.call.test_handover import ID, names, whole
from tests.fakes.words import STARTED_AT


@pytest.fixture
async def store(tmp_path):
    async with SQLiteStore(tmp_path, ["webhook"]) as store:
        yield store


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "imports"


def intake(store, tmp_path):
    return Intake(store, tmp_path, wall=lambda: STARTED_AT)


@pytest.mark.parametrize("deliver", [True, False])
async def test_a_record_is_taken_in_with_its_audio(store, tmp_path, folder, deliver):
    handover.hand_over(folder, whole(), handover.Terms(deliver))
    (folder / f"{ID}.ulaw").write_bytes(b"\xff" * 2000)
    await intake(store, tmp_path).look()

    assert [event.seq for event in await store.read(Query(ID))] == [1, 2, 3]
    assert (await store.delivery("webhook", ID) is not None) == deliver
    assert (await Recordings(tmp_path).open(ID)).samples == 1000
    assert names(folder) == []


@pytest.mark.parametrize("mute", [True, False])
async def test_a_recording_that_is_taken_in_is_silent_where_words_were_taken_out(store, tmp_path, folder, mute):
    told = whole()
    final = told[1].data.model_copy(update={"redacted": [Redacted(kind="card", start=1.0, end=2.0)]})
    handover.hand_over(folder, [told[0], replace(told[1], data=final), told[2]], handover.Terms())
    (folder / f"{ID}.ulaw").write_bytes(b"\x10" * 2 * 24_000)
    await Intake(store, tmp_path, wall=lambda: STARTED_AT, mute=mute).look()
    recording = await Recordings(tmp_path).open(ID)
    audio = await recording.read(0, recording.samples)

    assert set(audio[1::2]) == {0x10}
    assert (set(audio[2 * 6400 : 2 * 17_600 : 2]) == {0xFF}) == mute
    assert set(audio[: 2 * 6400]) == set(audio[2 * 17_600 :]) == {0x10}


async def test_a_record_that_is_there_already_changes_nothing(store, tmp_path, folder):
    await store.append(whole())
    handover.hand_over(folder, whole(), handover.Terms())
    await intake(store, tmp_path).look()

    assert len(await store.read(Query(ID))) == 3
    assert names(folder) == []


async def test_what_is_no_record_goes_aside_and_the_next_is_taken(store, tmp_path, folder):
    handover.put(folder / "a.jsonl", "{}\n")
    handover.put(folder / "a.ask", "{")
    handover.put(folder / "b.part", "{}\n")
    handover.hand_over(folder, whole(), handover.Terms())
    await intake(store, tmp_path).look()

    assert len(await store.read(Query(ID))) == 3
    assert names(folder) == ["a.refused", "b.refused"]


async def test_what_can_be_no_file_of_ours_costs_nothing_but_itself(store, tmp_path, folder, caplog):
    handover.hand_over(folder, whole(), handover.Terms())
    (folder / "a.jsonl").mkdir()
    os.mkfifo(folder / "b.jsonl")
    (folder / "c.part").symlink_to("c.part")
    (folder / "d.known").mkdir()
    handover.ask(folder, "d", [ID])
    for name, asked in (("e", "5"), ("f", '["\\ud800"]'), ("g", "[" * 100_000), ("h", "[null]")):
        handover.put(folder / f"{name}.ask", asked)
    work = intake(store, tmp_path)
    for _ in range(2):
        await work.look()

    assert len(await store.read(Query(ID))) == 3
    refused = ["e.refused", "f.refused", "g.refused", "h.refused"]
    assert [path.name for path in sorted(folder.iterdir()) if path.is_file()] == ["d.ask", *refused]
    said = [(log.call_id, log.reason) for log in caplog.records if log.message == "not taken in"]
    assert said == [("d", "Is a directory")], "once"


async def test_what_a_writer_has_left_is_completed_and_taken_in(store, tmp_path, folder):
    lines = ["{}", *(event.to_json() for event in whole()[:2])]
    handover.put(folder / f"{ID}.part", "\n".join(lines) + '\n{"seq":')
    await intake(store, tmp_path).look()

    assert [event.type for event in await store.read(Query(ID))] == ["call.started", "transcript.final", "call.ended"]
    assert names(folder) == []


async def test_a_store_that_cannot_keep_it_leaves_it_there(tmp_path, folder):
    handover.hand_over(folder, whole(), handover.Terms())
    async with SQLiteStore(tmp_path) as store:
        pass
    await intake(store, tmp_path).look()
    assert names(folder) == [f"{ID}.jsonl"]


async def test_it_looks_until_it_is_left_and_says_what_the_record_has(store, tmp_path, folder):
    await store.append(whole())
    async with intake(store, tmp_path):
        handover.ask(folder, "q", ["other", ID])
        async with asyncio.timeout(60):
            while not (folder / "q.known").exists():
                await asyncio.sleep(0.01)
    assert json.loads((folder / "q.known").read_text()) == [ID]
    assert handover.answered(folder, "q") == {ID}
