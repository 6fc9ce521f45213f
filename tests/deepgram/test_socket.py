"""A socket to the local Deepgram: what it takes, what it hears, and how it ends."""

import asyncio
import json

import pytest
from websockets.asyncio.server import serve

from bridge.deepgram import options
from bridge.deepgram.messages import CLOSE_STREAM
from bridge.deepgram.socket import Socket
from bridge.egress import DIRECT
from bridge.local.deepgram import Faults
from tests.fakes import running
from tests.fakes.waiting import until


@pytest.fixture
async def deepgram():
    async with running.deepgram() as server:
        yield server


def socket(server):
    return Socket(f"{server.url}/v1/listen?{options.parse('').query()}", "key", DIRECT)


async def test_what_is_sent_is_answered_and_its_end_is_known(deepgram):
    heard = []
    one = socket(deepgram)
    assert one.close_code is None
    assert await one.open() is None
    one.send(b"\xff" * 9600)
    one.send(CLOSE_STREAM)
    async with asyncio.timeout(60):
        await one.read(lambda _, text: heard.append(json.loads(text)))

    assert one.request_id
    assert heard[-1]["type"] == "Metadata"
    assert heard[-1]["duration"] == pytest.approx(0.6)
    assert (one.close_code, one.close_reason) == (1000, "")
    assert one.blocked_for(asyncio.get_running_loop().time()) == 0.0


async def test_without_a_key_no_header_offers_one(deepgram):
    one = Socket(f"{deepgram.url}/v1/listen?{options.parse('').query()}", "", DIRECT)

    assert (await one.open()).status == 401
    assert "Authorization" not in deepgram.connections[0].headers


async def test_a_refusal_has_status_reason_and_request(deepgram):
    deepgram.faults = Faults(refuse=401)
    refusal = await socket(deepgram).open()

    assert refusal.status == 401
    assert "INVALID_AUTH" in refusal.reason
    assert refusal.request_id


async def test_what_nobody_takes_is_a_refusal_without_a_status(deepgram):
    url = deepgram.url
    await deepgram.stop()
    refusal = await Socket(f"{url}/v1/listen", "key", DIRECT).open()
    await deepgram.start()

    assert (refusal.status, refusal.request_id) == (None, None)
    assert refusal.reason == "connect (ECONNREFUSED)"


async def test_closing_what_never_opened_is_no_error(deepgram):
    one = socket(deepgram)
    one.send(b"\xff")
    one.abort()
    await one.close()

    assert one.close_reason == ""


@pytest.fixture
async def deaf():
    """A server that reads nothing before `told` is set, and then puts what it hears into a queue."""
    told, heard = asyncio.Event(), asyncio.Queue()

    async def read(connection):
        connection.transport.pause_reading()
        await told.wait()
        connection.transport.resume_reading()
        async for message in connection:
            await heard.put(message)

    async with serve(read, "127.0.0.1", 0, compression=None, max_size=None, ping_interval=None) as server:
        host, port = server.sockets[0].getsockname()[:2]
        yield f"ws://{host}:{port}/v1/listen", told, heard


async def test_what_the_peer_does_not_take_waits_in_its_order(deaf):
    url, told, heard = deaf
    one, now = Socket(url, "key", DIRECT), asyncio.get_running_loop().time
    await one.open()
    reading = asyncio.ensure_future(one.read(lambda _, text: None))
    sent = [number.to_bytes(4, "big") * 16384 for number in range(200)]
    for chunk in sent[:199]:
        one.send(chunk)
        await asyncio.sleep(0)
    assert one.blocked_for(now() + 1.0) >= 1.0
    one.send('{"type":"KeepAlive"}')
    one.send(sent[199])
    told.set()
    assert [await heard.get() for _ in range(201)] == [*sent[:199], '{"type":"KeepAlive"}', sent[199]]
    await until(lambda: one.blocked_for(now() + 1.0) == 0.0)
    one.send(b"and on")
    assert await heard.get() == b"and on"
    await one.close()
    await reading


async def test_what_is_sent_after_the_peer_is_gone_is_no_error(deepgram):
    one = socket(deepgram)
    await one.open()
    reading = asyncio.ensure_future(one.read(lambda _, text: None))
    one.send(CLOSE_STREAM)
    await reading
    one.send(b"\xff" * 960)

    assert one.close_code == 1000


@pytest.fixture
async def talking():
    """A server that says what it is told, as soon as the socket is open: text, octets, or a list of fragments."""

    async def speak(connection):
        for message in said:
            await connection.send(message)
        await connection.close()

    said = []
    async with serve(speak, "127.0.0.1", 0, compression=None) as server:
        host, port = server.sockets[0].getsockname()[:2]
        yield f"ws://{host}:{port}/v1/listen", said


@pytest.mark.parametrize(
    "messages",
    [
        ["one", "two", "three"],
        ["one", ["tw", "o"], "three", "four"],
        [["o", "ne"], "two"],
        ["one", b"two", "three", ["fo", "ur"], "five"],
    ],
)
@pytest.mark.parametrize("late", [False, True])
async def test_all_that_is_said_is_heard_in_its_order(talking, messages, late):
    url, said = talking
    said.extend(messages)
    one, heard = Socket(url, "key", DIRECT), []
    await one.open()
    if late:  # all of it is here before anyone reads
        await until(lambda: one.close_code is not None)
    await one.read(lambda _, text: heard.append(text.decode() if isinstance(text, bytes) else text))

    whole = ["".join(each) if isinstance(each, list) else each for each in messages]
    assert heard == [each.decode() if isinstance(each, bytes) else each for each in whole]
    assert one.close_code == 1000


async def test_what_hearing_raises_is_raised_and_nothing_more_is_heard(talking):
    """websockets 15 to 17: a connection's `process_event` gets each frame as it is read."""

    def hear(_, text):
        heard.append(text)
        if text == b"two":
            raise ZeroDivisionError

    url, said = talking
    said.extend(["one", "two", "three"])
    one, heard = Socket(url, "key", DIRECT), []
    await one.open()
    with pytest.raises(ZeroDivisionError):
        await one.read(hear)
    assert heard == [b"one", b"two"]
