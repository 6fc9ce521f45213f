"""Frames off a real socket; what a turn is, is tested with `Turn`."""

from collections import Counter

import aiohttp
import pytest
from aiohttp import WSMsgType, web

from bridge.web.frames import Frames


@pytest.fixture
def heard():
    return []


@pytest.fixture
async def client(heard, aiohttp_client):
    async def read(request):
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        frames = Frames(socket, Counter())
        while (frame := await frames.receive()).type in (WSMsgType.TEXT, WSMsgType.BINARY):
            heard.append(frame.data)
        return socket

    app = web.Application()
    app.router.add_get("/", read)
    return await aiohttp_client(app)


async def test_pings_are_answered_and_are_no_part_of_a_stream(client, heard):
    async with client.ws_connect("/", autoping=False) as socket:
        await socket.send_str("one")
        await socket.ping(b"there?")
        await socket.pong()
        await socket.send_bytes(b"two")
        answer = await socket.receive()
        assert (answer.type, answer.data) == (aiohttp.WSMsgType.PONG, b"there?")
        await socket.close()

    assert heard == ["one", b"two"]


async def test_more_frames_than_a_turn_has_all_come(client, heard):
    async with client.ws_connect("/") as socket:
        for _ in range(300):
            await socket.send_bytes(b"x" * 1000)
        await socket.close()

    assert len(heard) == 300
