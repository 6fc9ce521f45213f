"""A card's number in a live call: paused by HTTP, the bridge killed in the middle, and the number is nowhere."""

import asyncio
import contextlib

import aiohttp
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from bridge.local.receiver import Receiver
from tests.fakes import frames, pattern
from tests.fakes.reading import BEARER, TOKEN
from tests.fakes.running import AUDIO, SCRIPT, WEBHOOK_SECRET, deepgram, serving

FROM, TO = 46_080, 60_000
"""Samples: neither channel says anything then."""
SECRET = (pattern.marked(3 * 8000),) * 2


async def ask(port, action):
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=BEARER) as session:
        async with session.post(f"/calls/{frames.CALL}/control", json={"action": action}) as response:
            return response.status, await response.json()


async def kept(folder, samples):
    """Until so much of the call is on the disk."""
    async with asyncio.timeout(60):
        while sum(path.stat().st_size for path in folder.glob(f"audio/{frames.CALL}/*.ulaw")) < 2 * samples:
            await asyncio.sleep(0.02)


def of_type(receiver, *types):
    return [event["data"] for event in receiver.events(frames.CALL) if event["type"] in types]


async def test_a_number_that_is_said_in_a_pause_stands_nowhere_though_the_bridge_is_killed_in_it(tmp_path):
    async with deepgram() as server, Receiver(WEBHOOK_SECRET) as receiver:
        environment = {
            "HOST": "127.0.0.1",
            "PORT": "0",
            "DATA_DIR": str(tmp_path),
            "DEEPGRAM_URL": server.url,
            "DEEPGRAM_API_KEY": "key",
            "TWILIO_SIGNATURE": "off",
            "WEBHOOK_URL": receiver.url,
            "WEBHOOK_SECRET": WEBHOOK_SECRET,
            "BRIDGE_REPLAY_SPEED": "1000",
            "BRIDGE_GRACE": "20",
            "BRIDGE_RECORDINGS": "true",
            "BRIDGE_READ_TOKENS": TOKEN,
        }
        before = [[word.word for word in words if word.end <= FROM / 8000] for words in SCRIPT.channels]
        async with serving(environment) as (process, port):
            with contextlib.suppress(ConnectionClosed):
                async with connect(f"ws://127.0.0.1:{port}/media/twilio", compression=None) as socket:
                    await socket.send(frames.start())
                    for message in frames.talk(*(track[:FROM] for track in AUDIO)):
                        await socket.send(message)
                    await kept(tmp_path, FROM - 480)
                    status, stands = await ask(port, "pause")
                    assert (status, stands["paused"]) == (200, True)
                    for message in frames.talk(*SECRET, first=100 + FROM // 8):
                        await socket.send(message)
                    await kept(tmp_path, FROM + 8000)
                    await receiver.until(lambda: said(receiver) == before)
                    process.kill()
                    await process.wait()
        async with serving(environment) as (_, port):
            async with connect(f"ws://127.0.0.1:{port}/media/twilio", compression=None) as socket:
                await socket.send(frames.start(stream="MZ2"))
                for message in frames.talk(*SECRET):
                    await socket.send(message)
                await receiver.until(lambda: of_type(receiver, "call.resumed"))
                at = round(of_type(receiver, "call.resumed")[0]["at"] * 8000)
                await kept(tmp_path, at + 3 * 8000 - 480)
                status, heard = await ask(port, "resume")
                assert (status, heard["paused"]) == (200, False)
                for message in frames.talk(*(track[TO:] for track in AUDIO), first=3100):
                    await socket.send(message)
                await socket.send(frames.stop(stream="MZ2"))
                await receiver.until(lambda: of_type(receiver, "call.ended"))

    after = [[word.word for word in words if word.start >= TO / 8000] for words in SCRIPT.channels]
    assert said(receiver) == [[*one, *other] for one, other in zip(before, after, strict=True)]
    gaps = of_type(receiver, "audio.gap")
    since, until = stands["paused_at"], of_type(receiver, "pause.ended")[0]["at"]
    assert [(gap["track"], gap["from"], gap["to"], gap["why"]) for gap in gaps] == [
        ("inbound", since, until, "paused"),
        ("outbound", since, until, "paused"),
    ]
    (ended,) = of_type(receiver, "call.ended")
    assert all(stretch["to"] <= since for stretch in ended["uncovered"])
    assert pattern.files_with(tmp_path) == []
    assert not any(pattern.is_in(connection.audio) for connection in server.connections)


def said(receiver):
    """The words of both channels."""
    finals = of_type(receiver, "transcript.final")
    return [
        [word["word"] for final in finals if final["channel"] == channel for word in final["words"]]
        for channel in range(2)
    ]
