"""Deleting a call takes everything with it, wherever it is kept, and nothing of any other call."""

import asyncio
import time
from random import Random

import pytest

from bridge.audio import interleave
from bridge.call.backfill import Backfill, BackfillPolicy
from bridge.call.call_options import CallOptions
from bridge.call.eraser import Eraser
from bridge.deepgram import options
from bridge.errors import StoreError
from bridge.store.audio import AudioStore, Recordings
from bridge.store.sqlite import SQLiteStore
from tests.fakes import words
from tests.fakes.origins import at
from tests.fakes.running import AUDIO

STEREO = interleave(*AUDIO)


@pytest.fixture
async def place(tmp_path):
    """The stores, a backfill whose Deepgram is away, and the eraser."""
    async with SQLiteStore(tmp_path, ["webhook"]) as store, AudioStore(tmp_path, limit=2**30, keep=True) as audio:
        policy = BackfillPolicy(first_pause=0.01)
        call_options, random = CallOptions(options.parse("")), Random(1)
        async with Backfill(
            store, audio, at("ws://127.0.0.1:1"), policy, call_options, wall=time.time, random=random
        ) as backfill:
            recordings = Recordings(tmp_path)
            yield store, audio, recordings, backfill, Eraser(store, audio, recordings, backfill)


async def ended_call(place, call_id, *, finished):
    store, audio, *_ = place
    await store.append(words.conversation(call_id))
    file = audio.open(call_id)
    file.append(STEREO)
    if finished:
        await file.finish()
    else:
        file.close()
    await audio.flush()


def left(tmp_path):
    return sorted(path.name for folder in ("audio", "recordings") for path in (tmp_path / folder).glob("CA*"))


@pytest.mark.parametrize("finished", [True, False])
async def test_record_and_audio_go(tmp_path, place, finished):
    store, *_, eraser = place
    await ended_call(place, "CA1", finished=finished)
    await ended_call(place, "CA2", finished=finished)
    assert left(tmp_path) == ["CA1", "CA2"]

    assert await eraser.erase("CA1")
    assert left(tmp_path) == ["CA2"]
    assert [row.id for row in await store.calls()] == ["CA2"]
    assert [lane.call_id for lane in await store.claim("webhook", 10, lease=60.0, now=0.0)] == ["CA2"]
    assert not await eraser.erase("CA1")


async def test_what_is_being_transcribed_is_left_alone_and_goes(tmp_path, place):
    store, _, _, backfill, eraser = place
    await ended_call(place, "CA1", finished=False)
    task = backfill.offer("CA1", 3600.0)
    assert await eraser.erase("CA1")
    assert task.done()
    assert left(tmp_path) == []
    assert await store.calls() == []


async def test_a_call_that_goes_on_stays(tmp_path, place):
    store, audio, *_, eraser = place
    await store.append([words.started("CA1")])
    audio.open("CA1").append(STEREO)
    with pytest.raises(StoreError, match="going on"):
        await eraser.erase("CA1")
    await store.append([words.ended("CA1", 2)])
    with pytest.raises(StoreError, match="still being closed"):
        await eraser.erase("CA1")
    await audio.flush()
    assert left(tmp_path) == ["CA1"]
    assert len(await store.calls()) == 1


class Moving:
    """Kept audio of which a call's is on its way to the recordings until someone waits for it."""

    def __init__(self, file):
        self._moving = asyncio.ensure_future(file.finish())

    async def flush(self):
        await self._moving

    def is_open(self, call_id):
        return not self._moving.done()

    def kept(self):
        return []


async def test_audio_that_is_on_its_way_to_the_recordings_is_waited_for(tmp_path, place):
    store, audio, recordings, backfill, _ = place
    await store.append(words.conversation("CA1"))
    file = audio.open("CA1")
    file.append(STEREO)

    assert await Eraser(store, Moving(file), recordings, backfill).erase("CA1")
    assert left(tmp_path) == []


async def test_there_is_no_such_call(place):
    assert await place[-1].erase("../audio") is False
