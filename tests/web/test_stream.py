"""One stream over a real socket, whose octets are cut into reads as chance has it."""

import asyncio
import json
from random import Random

import pytest
from websockets.frames import Frame, Opcode

from tests.fakes import frames
from tests.fakes.running import AUDIO, bridge, deepgram, record, settings
from tests.fakes.websocket import upgrade


@pytest.fixture
async def server():
    async with deepgram() as local:
        yield local


async def send(origin, octets, cuts, chance):
    """The octets of a stream, cut in these places; at some of them what was sent is given the time to be read."""
    host, port = origin.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(upgrade("/media/twilio"))
    await reader.readuntil(b"\r\n\r\n")
    for start, end in zip([0, *cuts], [*cuts, len(octets)], strict=True):
        writer.write(octets[start:end])
        await writer.drain()
        if chance.random() < 0.5:
            await asyncio.sleep(0.001)
    await reader.read()
    writer.close()


def framed(message):
    return Frame(Opcode.TEXT, message.encode()).serialize(mask=True)


KEY = '{"event": "dtmf", "dtmf": {"track": "inbound_track", "digit": "5"}}'
MARK = '{"event": "mark", "mark": {"name": "x"}}'
UNREADABLE = ('{"event": "media", "media": {}}', "no JSON", "x" * 70_000)


def spoiled(chance):
    """Both tracks, and between their frames keys, marks and what cannot be read."""
    for message in frames.talk(*AUDIO):
        yield message
        if chance.random() < 0.02:
            yield chance.choice((KEY, MARK, *UNREADABLE))


@pytest.mark.parametrize("cuts", [0, 40, 1200])
async def test_however_the_octets_are_cut_the_call_is_the_same(tmp_path, server, cuts):
    chance = Random(7)
    messages = [frames.connected(), frames.start(), *spoiled(Random(1)), frames.stop()]
    octets = b"".join(map(framed, messages)) + Frame(Opcode.CLOSE, b"\x03\xe8").serialize(mask=True)
    async with bridge(settings(tmp_path, server.url)) as origin:
        await send(origin, octets, sorted(chance.sample(range(len(octets)), cuts)), chance)
    heard = bytes(server.connections[0].audio)
    stored = await record(tmp_path, frames.CALL)
    (ended,) = [json.loads(event.body)["data"] for event in stored if event.type == "call.ended"]

    assert (heard[0::2], heard[1::2]) == AUDIO
    assert ended["reason"] == "stopped"
    assert ended["counts"]["bad_messages"] == sum(message in UNREADABLE for message in messages)
    assert [event.type for event in stored].count("dtmf.received") == messages.count(KEY)
