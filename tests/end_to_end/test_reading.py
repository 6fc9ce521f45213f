"""A call that is going on, read by those who may: the feed, the record, the recording."""

import asyncio

import aiohttp
import pytest
from websockets.asyncio.client import connect

from bridge.local.wav import parse_wav
from bridge.store.token import own_token
from tests.fakes import frames
from tests.fakes.reading import Stream
from tests.fakes.running import AUDIO, SCRIPT, bridge, deepgram, settings

CALL = f"/calls/{frames.CALL}"


@pytest.fixture
async def origin(tmp_path):
    async with deepgram() as server, bridge(settings(tmp_path, server.url, bridge_recordings=True)) as served:
        yield served


@pytest.fixture
async def session(tmp_path, origin):
    headers = {"Authorization": f"Bearer {own_token(tmp_path)}"}
    async with aiohttp.ClientSession(origin, headers=headers) as somebody:
        yield somebody


async def get(session, path):
    async with session.get(path) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def speak(origin, messages, stop=True, heard=None):
    """`heard`: an event after which what follows the first two messages is said."""
    async with connect(f"{origin.replace('http', 'ws', 1)}/media/twilio", compression=None) as socket:
        for number, message in enumerate(messages):
            if heard and number == 2:
                await heard.wait()
            await socket.send(message)
            await asyncio.sleep(0)
        if stop:
            await socket.send(frames.stop())


async def until_recorded(session):
    async with asyncio.timeout(60):
        while not (call := await get(session, CALL))["audio"]["available"]:
            await asyncio.sleep(0.01)
    return call


async def test_what_is_said_is_read_as_it_is_said(session, origin):
    async with session.get("/calls/live", headers={"Accept": "text/event-stream"}) as response:
        every, listening = Stream(response), asyncio.Event()
        speaking = asyncio.ensure_future(speak(origin, [frames.start(), *frames.talk(*AUDIO)], heard=listening))
        assert (await every.message())["event"] == "call.started"
        async with session.get(f"{CALL}/events", headers={"Accept": "text/event-stream"}) as one:
            listening.set()
            told = await Stream(one).until("end")
        ended = (await every.until("call.ended"))[-1]
        await speaking
    durable = [message["data"] for message in told if "id" in message]
    page = await get(session, f"{CALL}/events?limit=1000")
    assert page["events"] == durable
    assert page["ended"]
    assert ended["data"]["seq"] == durable[-1]["seq"]
    assert {message["event"] for message in told if "id" not in message} >= {"transcript.interim", "end"}


async def test_the_record_of_it(session, origin):
    await speak(origin, [frames.start(), *frames.talk(*AUDIO)])
    call = await until_recorded(session)
    [listed] = (await get(session, "/calls?active=false"))["calls"]
    assert (call["id"], listed["id"], call["flush"]) == (frames.CALL, frames.CALL, "complete")
    assert sum(call["figures"]["words"].values()) == sum(map(len, SCRIPT.channels))
    assert listed["figures"] == call["figures"]
    word = SCRIPT.channels[0][0].text
    assert [found["id"] for found in (await get(session, f"/calls?q={word}"))["calls"]] == [frames.CALL]
    document = await get(session, f"{CALL}/transcript.json")
    spoken = sorted((word.start, word.text) for channel in SCRIPT.channels for word in channel)
    heard = [text for turn in document["turns"] for text in turn["text"].split()]
    assert sorted(heard) == sorted(text for _, text in spoken)


async def test_the_recording_is_what_was_sent_sample_for_sample(session, origin):
    await speak(origin, [frames.start(), *frames.talk(*AUDIO)])
    call = await until_recorded(session)
    async with session.get(f"{CALL}/audio.wav") as response:
        channels = parse_wav(await response.read())
    assert [len(channel) for channel in channels] == [round(call["duration"] * 8000)] * 2
    assert channels == AUDIO


async def test_where_audio_was_lost_the_recording_is_silent(session, origin):
    messages = list(frames.talk(*AUDIO))
    kept = messages[:200] + messages[300:]  # a second of both tracks
    await speak(origin, [frames.start(), *kept])
    call = await until_recorded(session)
    async with session.get(f"{CALL}/audio.wav") as response:
        channels = parse_wav(await response.read())
    hole = slice(16000, 24000)
    for channel, sent in zip(channels, AUDIO, strict=True):
        assert len(channel) == round(call["duration"] * 8000) == len(sent)
        assert channel[: hole.start] == sent[: hole.start]
        assert channel[hole] == b"\xff" * 8000
        assert channel[hole.stop :] == sent[hole.stop :]


async def test_a_deleted_call_is_gone_from_everywhere(tmp_path, session, origin):
    await speak(origin, [frames.start(), *frames.talk(*AUDIO)])
    await until_recorded(session)
    async with session.delete(CALL) as response:
        assert response.status == 204
    async with session.get(CALL) as response:
        assert response.status == 404
    assert not list(tmp_path.rglob(f"*{frames.CALL}*"))
