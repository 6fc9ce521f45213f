"""A call on one process, controlled at another: what is said in a pause is nowhere, and both processes say the same."""

import asyncio

import aiohttp
import pytest
from websockets.asyncio.client import connect

from bridge.local.receiver import Receiver
from tests.end_to_end.test_control import FROM, SECRET, TO, of_type, said
from tests.end_to_end.test_nodes import TOKEN, settings_of
from tests.fakes import frames, pattern, postgres
from tests.fakes.running import AUDIO, SCRIPT, WEBHOOK_SECRET, deepgram, serving
from tests.fakes.waiting import until

pytestmark = pytest.mark.postgres

BEARER = {"Authorization": f"Bearer {TOKEN}"}


async def ask(port, action, call=frames.CALL):
    """Once more where the other process is too busy to answer in time."""
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=BEARER) as session, asyncio.timeout(60):
        while True:
            async with session.post(f"/calls/{call}/control", json={"action": action}) as response:
                if response.status != 503:
                    return response.status, await response.json()


async def heard(server, samples):
    """Until Deepgram has so much of each channel."""
    await until(lambda: server.connections and len(server.connections[0].audio) >= 2 * samples)


async def controlled(port):
    """The status of each answer to such a request, as the audit log has them at this process, the newest first."""
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=BEARER) as session:
        async with session.get("/audit", params={"action": "control"}) as response:
            statuses = [entry["status"] for entry in (await response.json())["entries"]]
            return [status for status in statuses if status != 503]


async def test_a_pause_that_another_process_is_asked_for_keeps_a_number_out_of_everything(tmp_path):
    postgres.fresh()
    async with deepgram() as server, Receiver(WEBHOOK_SECRET) as receiver:
        here, there = (settings_of(tmp_path / name, server, receiver) for name in ("one", "two"))
        async with serving(here) as (_, port), serving(there) as (_, other):
            async with connect(f"ws://127.0.0.1:{port}/media/twilio", compression=None) as socket:
                await socket.send(frames.start())
                for message in frames.talk(*(track[:FROM] for track in AUDIO)):
                    await socket.send(message)
                await heard(server, FROM - 480)
                paused, stands = await ask(other, "pause")
                for message in frames.talk(*SECRET, first=100 + FROM // 8):
                    await socket.send(message)
                await heard(server, FROM + 3 * 8000 - 480)
                resumed, stands_then = await ask(other, "resume")
                for message in frames.talk(*(track[TO:] for track in AUDIO), first=3100 + FROM // 8):
                    await socket.send(message)
                await socket.send(frames.stop())
                await receiver.until(lambda: of_type(receiver, "call.ended"))
            assert await ask(other, "pause") == (409, {"error": "The call is over."})
            assert (await ask(port, "pause"))[0] == 409
            assert await ask(other, "pause", "CA9") == (404, {"error": "There is no such call."})
            asked = await controlled(port)
            assert asked == await controlled(other) == [404, 409, 409, 200, 200], "one log says what both were asked"
        everything = postgres.execute("SELECT string_agg(event::text, '') FROM bridge.event")[0][0]

    assert (paused, stands["paused"], resumed, stands_then["paused"]) == (200, True, 200, False)
    before = [[word.word for word in words if word.end <= FROM / 8000] for words in SCRIPT.channels]
    after = [[word.word for word in words if word.start >= TO / 8000] for words in SCRIPT.channels]
    assert said(receiver) == [[*one, *two] for one, two in zip(before, after, strict=True)]
    since, to = stands["paused_at"], of_type(receiver, "pause.ended")[0]["at"]
    assert [(gap["track"], gap["from"], gap["to"], gap["why"]) for gap in of_type(receiver, "audio.gap")] == [
        ("inbound", since, to, "paused"),
        ("outbound", since, to, "paused"),
    ]
    assert [data["by"] for data in of_type(receiver, "pause.started", "pause.ended")] == ["api", "api"]
    assert pattern.files_with(tmp_path) == []
    assert not any(pattern.is_in(connection.audio) for connection in server.connections)
    assert not pattern.is_in(everything.encode())
