"""Two processes with one record in PostgreSQL: each reads what the other writes, and goes on when the other dies."""

import asyncio
import contextlib

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from bridge.local.receiver import Receiver
from tests.fakes import frames, postgres
from tests.fakes.running import AUDIO, SCRIPT, WEBHOOK_SECRET, deepgram, serving

pytestmark = pytest.mark.postgres

TOKEN = "t" * 32
HALF = round(5.76 * 8000)  # to a pause in both tracks


def settings_of(data_dir, server, receiver):
    return {
        "HOST": "127.0.0.1",
        "PORT": "0",
        "DATA_DIR": str(data_dir),
        "DATABASE_URL": postgres.server().url,
        "DEEPGRAM_URL": server.url,
        "DEEPGRAM_API_KEY": "key",
        "TWILIO_SIGNATURE": "off",
        "WEBHOOK_URL": receiver.url,
        "WEBHOOK_SECRET": WEBHOOK_SECRET,
        "BRIDGE_READ_TOKENS": TOKEN,
        "BRIDGE_REPLAY_SPEED": "1000",
        "BRIDGE_GRACE": "30",
    }


async def feed(port, call_id, types):
    """What the feed of a call says, until it ends."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "text/event-stream"}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as session:
        async with session.get(f"/calls/{call_id}/events") as response:
            async for line in response.content:
                if line.startswith(b"event: "):
                    types.append(line.split()[1].decode())


def owner():
    rows = postgres.execute("SELECT owner FROM bridge.call WHERE ended_at IS NULL")
    return rows[0][0] if rows else None


async def test_a_call_whose_process_is_killed_goes_on_at_the_other(tmp_path):
    postgres.fresh()
    async with deepgram() as server, Receiver(WEBHOOK_SECRET) as receiver:
        one, two = (settings_of(tmp_path / name, server, receiver) for name in ("one", "two"))
        async with serving(one) as (first, port), serving(two) as (_, other):
            read: list[str] = []
            with contextlib.suppress(ConnectionClosed):
                async with connect(f"ws://127.0.0.1:{port}/media/twilio", compression=None) as socket:
                    await socket.send(frames.start())
                    for message in frames.talk(*(track[:HALF] for track in AUDIO)):
                        await socket.send(message)
                    async with asyncio.timeout(120):
                        while not owner():
                            await asyncio.sleep(0.05)
                        following = asyncio.create_task(feed(other, frames.CALL, read))
                        while not {"transcript.final", "transcript.interim"} & set(read):
                            await asyncio.sleep(0.05)
                    dead = owner()
                    first.kill()
                    await first.wait()
            async with asyncio.timeout(120):
                while owner() == dead:
                    await asyncio.sleep(0.2)
            async with connect(f"ws://127.0.0.1:{other}/media/twilio", compression=None) as socket:
                await socket.send(frames.start(stream="MZ2"))
                for message in frames.talk(*(track[HALF:] for track in AUDIO)):
                    await socket.send(message)
                await socket.send(frames.stop(stream="MZ2"))
                await receiver.until(lambda: ended(receiver), 30)
            async with asyncio.timeout(120):
                await following
    types = [event["type"] for event in receiver.events(frames.CALL)]
    later = [word.word for word in SCRIPT.channels[0] if word.start > 5.76]
    heard = [
        word["word"]
        for event in receiver.events(frames.CALL)
        if event["type"] == "transcript.final" and event["data"]["channel"] == 0
        for word in event["data"]["words"]
    ]

    assert (types.count("call.started"), types.count("call.resumed"), types.count("call.ended")) == (1, 1, 1)
    assert heard[-len(later) :] == later
    assert [event["seq"] for event in receiver.events(frames.CALL)] == list(range(1, len(types) + 1))
    assert receiver.order.violations == []
    assert [kind for kind in read if kind in types] == types, "who reads elsewhere misses and repeats nothing"


async def test_a_hole_is_told_also_if_the_process_that_resumed_the_call_dies_before_it_has(tmp_path):
    postgres.fresh()
    async with deepgram() as server, Receiver(WEBHOOK_SECRET) as receiver:
        one, two, three = (settings_of(tmp_path / name, server, receiver) for name in ("one", "two", "three"))
        async with serving(one) as (first, port), serving(two) as (second, other), serving(three) as (_, last):
            await killed_while(first, port, frames.talk(*(track[:HALF] for track in AUDIO)), "transcript.final")
            # Of the track that does not go on no gap can be told yet.
            only = (line for line in frames.talk(AUDIO[0][HALF:], b""))
            await killed_while(second, other, only, "call.resumed", stream="MZ2")
            async with connect(f"ws://127.0.0.1:{last}/media/twilio", compression=None) as socket:
                await socket.send(frames.start(stream="MZ3"))
                for message in frames.talk(*(track[HALF:] for track in AUDIO)):
                    await socket.send(message)
                await socket.send(frames.stop(stream="MZ3"))
                await receiver.until(lambda: ended(receiver), 60)
    events = receiver.events(frames.CALL)
    resumed = [event["data"] for event in events if event["type"] == "call.resumed"]
    told = [event["data"] for event in events if event["type"] == "audio.gap" and event["data"]["track"] == "outbound"]
    (hole,) = [stretch for stretch in resumed[0]["unheard"] if stretch["track"] == "outbound"]

    assert [back["reason"] for back in resumed] == ["bridge_restarted"] * 2
    assert (hole["from"], hole["to"]) == (told[0]["from"], told[0]["to"]) and hole["to"] == resumed[0]["at"]
    assert told[-1]["to"] >= resumed[1]["at"]
    assert receiver.order.violations == []


async def killed_while(process, port, messages, told, stream=frames.STREAM):
    """A process hears a call, is killed once an event of this type is in the log, and has lost the call then."""
    with contextlib.suppress(ConnectionClosed):
        async with connect(f"ws://127.0.0.1:{port}/media/twilio", compression=None) as socket:
            await socket.send(frames.start(stream=stream))
            for message in messages:
                await socket.send(message)
            async with asyncio.timeout(60):
                while not postgres.execute(f"SELECT 1 FROM bridge.event WHERE body::json->>'type' = '{told}'"):
                    await asyncio.sleep(0.02)
            dead = owner()
            process.kill()
            await process.wait()
    async with asyncio.timeout(120):
        while owner() == dead:
            await asyncio.sleep(0.1)


def ended(receiver):
    return any(event["type"] == "call.ended" for event in receiver.events(frames.CALL))
