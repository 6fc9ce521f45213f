"""Frames off a real socket, waited for and taken; what a turn is, is tested with `Turn`."""

import asyncio
from collections import Counter
from random import Random

import aiohttp
import pytest
from aiohttp import WSMessage, WSMsgType, web
from aiohttp._websocket.reader import WebSocketDataQueue
from aiohttp.http import WebSocketReader
from websockets.frames import Frame, Opcode

from bridge.call.relay import Said
from bridge.web.frames import WAKE, Frames, MediaSocket, Together
from tests.fakes.waiting import until
from tests.fakes.websocket import upgrade


@pytest.fixture
def heard():
    """What came, in order: (how, data), where `how` is whether it was taken, or waited for."""
    return []


@pytest.fixture
def ordinary(heard):
    """Takes text that does not begin with `!`, up to the first frame that does, or is none."""

    def take(read, octets):
        for place, frame in enumerate(read):
            if frame.type is not WSMsgType.TEXT or frame.data.startswith(b"!"):
                return read[place:]
            heard.append(("taken", frame.data))
        return []

    return take


@pytest.fixture
async def client(heard, ordinary, aiohttp_client):
    """A server that takes what is ordinary of what comes to `/taken`, and waits for all that comes to `/`."""
    return await aiohttp_client(serving({"/": None, "/taken": ordinary}, heard))


PROTOCOLS = web.AppKey("protocols", list)
"""Those of the sockets that were opened."""


def serving(paths, heard):
    async def read(request):
        socket = MediaSocket(Together(0.0), autoping=False)
        await socket.prepare(request)
        request.app[PROTOCOLS].append(request.protocol)
        frames = Frames(socket, Counter())
        try:
            while (frame := await frames.receive(paths[request.path])) is None or frame.type in (
                WSMsgType.TEXT,
                WSMsgType.BINARY,
            ):
                heard.append(("waited for", frame and frame.data))
        except ZeroDivisionError:
            heard.append(("fault", None))
        return socket

    app = web.Application()
    app[PROTOCOLS] = []
    for path in paths:
        app.router.add_get(path, read)
    return app


def data(heard):
    return [data for _, data in heard]


async def test_pings_are_answered_and_are_no_part_of_a_stream(client, heard):
    async with client.ws_connect("/", autoping=False) as socket:
        await socket.send_str("one")
        await socket.ping(b"there?")
        await socket.pong()
        await socket.send_bytes(b"two")
        answer = await socket.receive()
        assert (answer.type, answer.data) == (aiohttp.WSMsgType.PONG, b"there?")
        await socket.close()

    assert data(heard) == [b"one", b"two"]


async def test_more_frames_than_a_turn_has_all_come(client, heard):
    async with client.ws_connect("/") as socket:
        for _ in range(300):
            await socket.send_bytes(b"x" * 1000)
        await socket.close()

    assert len(heard) == 300


async def test_what_is_ordinary_is_taken_and_what_is_odd_is_waited_for(client, heard):
    async with client.ws_connect("/taken") as socket:
        for text in ("one", "two", "!odd", "three"):
            await socket.send_str(text)
        await socket.ping(b"there?")
        await socket.send_str("four")
        await socket.close()

    assert data(heard) == [b"one", b"two", b"!odd", b"three", b"four"]
    assert ("waited for", b"!odd") in heard
    assert ("taken", b"one") in heard


async def opened(client):
    """A socket without a library before it, and the server's protocol for it."""
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(upgrade("/taken"))
    await reader.readuntil(b"\r\n\r\n")
    await until(lambda: client.app[PROTOCOLS])
    await asyncio.sleep(0)
    return reader, writer, client.app[PROTOCOLS][0]


async def read(client, *pieces, chance=None):
    """Hand the server each piece as one read, and wait until it has closed. `chance`: at times others have their turn
    between two of them."""
    reader, writer, protocol = await opened(client)
    for piece in pieces:
        protocol.data_received(piece)
        while chance and chance.random() < 0.5:
            await asyncio.sleep(0)
    await reader.read()
    writer.close()


def frame(text, opcode=Opcode.TEXT, fin=True):
    return Frame(opcode, text.encode() if isinstance(text, str) else text, fin).serialize(mask=True)


CLOSE = frame(b"\x03\xe8", Opcode.CLOSE)


@pytest.mark.parametrize("seed", range(8))
async def test_however_the_octets_are_cut_every_frame_comes_once_and_in_order(client, heard, seed):
    chance = Random(seed)
    texts = [f"{'!' * (chance.random() < 0.1)}{number} {'x' * chance.choice((0, 120, 400))}" for number in range(200)]
    octets = b"".join(
        frame(text[:7], fin=False) + frame(text[7:], Opcode.CONT) if chance.random() < 0.1 else frame(text)
        for text in texts
    )
    cuts = sorted(chance.sample(range(len(octets)), 60))
    pieces = [octets[start:end] for start, end in zip([0, *cuts], [*cuts, len(octets)], strict=True)]
    await read(client, *pieces, CLOSE, chance=chance)

    assert data(heard) == [text.encode() for text in texts]
    assert {how for how, _ in heard} == {"taken", "waited for"}


async def test_what_came_before_a_violation_in_the_same_read_counts(client, heard):
    reserved = b"\xf1" + frame("bad")[1:]
    await read(client, frame("one") + frame("!odd") + frame("two") + reserved)

    assert data(heard) == [b"one", b"!odd", b"two"]


async def test_what_came_just_before_the_socket_broke_counts(client, heard):
    _, writer, protocol = await opened(client)
    protocol.data_received(frame("one") + frame("two"))
    writer.transport.abort()
    protocol.transport.abort()
    await until(lambda: len(heard) == 2)

    assert data(heard) == [b"one", b"two"]


async def test_the_task_wakes_when_it_is_asked_for(heard, aiohttp_client):
    def take(read, octets):
        heard.extend(("taken", frame.data) for frame in read[:1])
        return [WAKE, *read[1:]]

    await read(await aiohttp_client(serving({"/taken": take}, heard)), frame("one") + frame("two"), CLOSE)

    assert heard == [
        ("taken", b"one"),
        ("waited for", None),
        ("waited for", b"two"),
    ]


async def test_a_fault_of_what_takes_is_raised_where_frames_are_waited_for(heard, aiohttp_client):
    await read(await aiohttp_client(serving({"/taken": lambda read, octets: 1 // 0}, heard)), frame("one"), CLOSE)

    assert heard == [("fault", None)]


def test_what_a_library_must_have_for_this():
    """aiohttp 3.14: the queue can be made a class of, and the parser tells it of frames one by one."""
    assert {"feed_data", "set_exception", "read"} <= set(dir(WebSocketDataQueue))
    queue = type("Queue", (WebSocketDataQueue,), {"feed_data": lambda self, frame, size: seen.append((frame, size))})
    seen: list[tuple[WSMessage, int]] = []
    reader = WebSocketReader(queue(None, 100, loop=None), 1000, compress=False, decode_text=False)
    reader.feed_data(frame("one") + frame(b"", Opcode.PING))

    assert [(each.type, each.data, size) for each, size in seen] == [
        (WSMsgType.TEXT, b"one", 3),
        (WSMsgType.PING, b"", 0),
    ]


async def test_what_was_read_before_comes_first_and_is_kept_until_it_is_this_processs_own(aiohttp_client):
    kept, came = [], []
    before = [Said(b"one", False, 1.5), Said(b"\x02", True, 2.5)]

    async def read(request):
        socket = MediaSocket(Together(0.0), autoping=False)
        await socket.prepare(request)
        frames = Frames(socket, Counter(), before, keeps=True)
        for _ in range(3):
            frame = await frames.receive()
            came.append((frame.type, frame.data, frames.came))
        kept.append([list(frames.kept), list(frames.again)])
        frames.keep_none()
        await frames.receive()
        kept.append(frames.kept)
        return socket

    app = web.Application()
    app.router.add_get("/", read)
    client = await aiohttp_client(app)
    async with client.ws_connect("/") as socket:
        await socket.send_str("three")
        await socket.send_str("four")
        await socket.receive()

    assert came[:2] == [(WSMsgType.TEXT, b"one", 1.5), (WSMsgType.BINARY, b"\x02", 2.5)]
    assert came[2][:2] == (WSMsgType.TEXT, b"three")
    assert kept == [[[*before, Said(b"three", False, came[2][2])], []], []]
