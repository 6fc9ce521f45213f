"""Asking a bridge over its API: every way to be told no, and feeds that are cut."""

import asyncio
import json
import random
from dataclasses import replace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge import config
from bridge.cli.client import BridgeAddress, BridgeClient, ClientPolicy, ReadingError, Unreachable, find_bridge
from bridge.errors import ConfigError
from bridge.store.token import FILENAME
from tests.fakes import words
from tests.fakes.reading import TOKEN, doors
from tests.fakes.waiting import until
from tests.fakes.wire import Wire

EVENTS = "/calls/CA1/events"
QUICK = ClientPolicy(pauses=(0.0, 0.01), page=3)


@pytest.fixture
async def house(tmp_path):
    async with doors(tmp_path) as running:
        yield running


@pytest.fixture
async def wire(house):
    async with Wire(house.origin) as line:
        yield line


@pytest.fixture
async def client(wire):
    async with BridgeClient(BridgeAddress(wire.origin, TOKEN), QUICK) as asking:
        yield asking


@pytest.fixture
async def answering():
    """A server that says the same to everybody: `answering(**how)` makes it, and a client."""
    opened = []

    async def make(headers=None, **how):
        async def answer(request):
            asked.append(request)
            return web.Response(headers=headers, **how)

        asked = []
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        server = TestServer(app)
        await server.start_server()
        asking = BridgeClient(BridgeAddress(str(server.make_url("")).rstrip("/"), TOKEN), ClientPolicy(message=100))
        opened.extend((asking._session, server))
        return asking, asked

    yield make
    for one in opened:
        await one.close()


def settings(**given):
    return config.load({}, **given)


def test_the_bridge_of_this_machine_by_default(tmp_path):
    (tmp_path / FILENAME).write_text("kept-token\n")
    assert find_bridge(settings(data_dir=tmp_path, port=9000), None) == BridgeAddress(
        "http://127.0.0.1:9000", "kept-token"
    )


def test_the_first_of_the_tokens(tmp_path):
    (tmp_path / FILENAME).write_text("kept-token\n")
    tokens = settings(data_dir=tmp_path, bridge_read_tokens="first-of-the-tokens second-of-the-tokens")
    assert find_bridge(tokens, "https://calls.example.com/") == BridgeAddress(
        "https://calls.example.com", "first-of-the-tokens"
    )


def test_no_token_is_made(tmp_path):
    with pytest.raises(ConfigError, match=r"no token: set BRIDGE_READ_TOKENS, or run this where .*\(DATA_DIR, now .*"):
        find_bridge(settings(data_dir=tmp_path / "data"), None)
    assert not (tmp_path / "data").exists()


def test_any_port_is_no_address(tmp_path):
    with pytest.raises(ConfigError, match="--url"):
        find_bridge(settings(port=0, data_dir=tmp_path), None)


@pytest.mark.parametrize(
    "url",
    [
        "calls.example.com",
        "ftp://x",
        "https://",
        "http://a:99999",
        "http://me:sesame@x",
        "http://x?a=b",
        "http://[",
        "",
    ],
)
def test_a_bad_address_is_said_and_not_repeated(tmp_path, url):
    with pytest.raises(ConfigError, match=r"--url must be the bridge's address") as told:
        find_bridge(settings(data_dir=tmp_path, bridge_read_tokens=TOKEN), url)
    assert "sesame" not in str(told.value)


def test_a_token_is_not_shown():
    assert TOKEN not in repr(BridgeAddress("http://x", TOKEN))


async def test_pages_are_followed_up_to_the_limit(house, client):
    for number in range(8):
        await house.store.append([words.started(f"CA{number}")])
    assert [call["id"] async for call in client.calls({}, 7)] == [f"CA{7 - number}" for number in range(7)]
    assert len([call async for call in client.calls({}, 100)]) == 8


async def test_a_page_that_is_too_long_is_cut(answering):
    client, _ = await answering(text=json.dumps({"calls": [{}, {}, {}], "next": "x"}), content_type="application/json")
    assert len([call async for call in client.calls({}, 2)]) == 2


async def test_what_the_bridge_refuses_is_said_in_its_words(client):
    with pytest.raises(ReadingError, match=r"^since must be a time such as 2026-11-20T10:00:00Z$"):
        [call async for call in client.calls({"since": "x"}, 1)]
    with pytest.raises(ReadingError, match="^there is no such call$"):
        await client.call("CA9")


async def test_a_token_that_is_not_theirs(house):
    async with BridgeClient(BridgeAddress(house.origin, "another-token")) as client:
        with pytest.raises(ReadingError, match="does not take this token") as told:
            await client.call("CA1")
    assert "another-token" not in str(told.value)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"status": 404, "text": "<html>"}, "is no bridge"),
        ({"status": 200, "text": "<html>"}, "is no bridge"),
        ({"status": 200, "text": "[]"}, "is no bridge"),
        ({"status": 200, "text": "{}"}, "is no bridge"),
        ({"status": 301, "headers": {"Location": "/elsewhere"}}, "is no bridge"),
        ({"status": 503}, r"cannot answer now \(503\)"),
        ({"status": 400, "text": '{"error": "\\u001b[31mNo.\\n"}'}, r"^\[31mNo.$"),
    ],
)
async def test_another_answer(answering, how, told):
    client, asked = await answering(**how)
    with pytest.raises(ReadingError, match=told):
        [call async for call in client.calls({}, 1)]
    assert len(asked) == 1


async def test_a_server_that_quotes_our_token_is_not_repeated(answering):
    asking, _ = await answering(status=400, text=json.dumps({"error": f"what is {TOKEN}?"}))

    with pytest.raises(ReadingError, match="what is …") as caught:
        await asking.call("CA1")
    assert TOKEN not in str(caught.value)


async def test_what_is_no_feed(answering):
    client, _ = await answering(text="{}", content_type="application/json")
    with pytest.raises(ReadingError, match="is no bridge"):
        [message async for message in client.follow(EVENTS, print)]


async def test_nobody_there_is_said_at_once():
    async with BridgeClient(BridgeAddress("http://127.0.0.1:1", TOKEN)) as client:
        with pytest.raises(Unreachable, match="no bridge answers at http://127.0.0.1:1"):
            await client.call("CA1")
        with pytest.raises(Unreachable):
            [message async for message in client.follow(EVENTS, print)]


async def test_a_call_that_has_ended(house, client):
    await house.store.append(words.conversation(finals=2))
    seqs = [json.loads(message.data)["seq"] async for message in client.follow(EVENTS, print)]
    assert seqs == [1, 2, 3, 4]


async def test_cut_at_random_nothing_is_missed_or_repeated(house, wire, client):
    chance, told, count = random.Random(3), [], 400
    await house.store.append([words.started()])
    came, reading = await following(client, told.append, path=EVENTS)
    first = await came.get()
    for seq in range(2, count):
        await house.store.append([words.final(seq=seq)])
        if chance.random() < 0.1:
            wire.cut()
        await asyncio.sleep(0.001)
    await house.store.append([words.ended(seq=count)])
    await asyncio.wait_for(reading, 10)
    messages = [first, *(came.get_nowait() for _ in range(came.qsize()))]
    assert [json.loads(message.data)["seq"] for message in messages] == list(range(1, count + 1))
    assert wire.connections > 10
    assert len(told) > 20
    assert set(told[::2]) == {"the connection is lost; reconnecting …"}
    assert all(line.startswith("back after") and line.endswith("; nothing was missed") for line in told[1::2])


async def following(client, tell, **how):
    """Messages as they come, in a queue."""
    came = asyncio.Queue()

    async def read():
        async for message in client.follow(**how, tell=tell):
            came.put_nowait(message)

    return came, asyncio.ensure_future(read())


async def test_lost_and_back_is_told_once_however_often_it_is_tried(house, wire, client):
    told = asyncio.Queue()
    await house.store.append([words.started()])
    came, reading = await following(client, told.put_nowait, path=EVENTS)
    await came.get()
    wire.down = True
    wire.cut()
    assert await told.get() == "the connection is lost; reconnecting …"
    await house.store.append([words.final(seq=2)])
    await until(lambda: wire.turned_away > 3)
    wire.down = False
    assert (await told.get()).endswith("; nothing was missed")
    assert json.loads((await came.get()).data)["seq"] == 2
    assert told.empty()
    reading.cancel()


async def test_there_is_a_place_to_resume_at_before_anything_happens(house, wire, client):
    told = asyncio.Queue()
    await house.store.append([words.started()])
    came, reading = await following(client, told.put_nowait, path="/calls/live", whole=False)
    await came.get()
    wire.cut()
    await told.get()
    assert (await told.get()).endswith("; nothing was missed")
    await house.store.append([words.final(seq=2)])
    assert json.loads((await came.get()).data)["seq"] == 2
    reading.cancel()


async def test_another_record_is_no_coming_back(tmp_path, house, wire, client):
    told = asyncio.Queue()
    await house.store.append([words.started(), words.final(seq=2)])
    came, reading = await following(client, told.put_nowait, path=EVENTS)
    assert [(await came.get()).event for _ in range(2)] == ["call.started", "transcript.final"]
    async with doors(tmp_path / "other") as other:
        await other.store.append([words.started()])
        wire.leads_to(other.origin)
        wire.cut()
        await told.get()
        assert (await told.get()).endswith("; what happened meanwhile may be missing")
        assert [(await came.get()).event for _ in range(2)] == ["reset", "call.started"]
        reading.cancel()
        wire.cut()


async def test_a_call_that_is_deleted_meanwhile(house, wire, client):
    await house.store.append([words.started()])
    came, reading = await following(client, lambda text: None, path=EVENTS)
    await came.get()
    wire.down = True
    wire.cut()
    await house.store.append([words.ended(seq=2)])
    await house.store.delete("CA1")
    wire.down = False
    with pytest.raises(ReadingError, match="there is no such call"):
        await reading


async def test_a_line_that_is_silent_is_dead(house, client):
    await house.store.append([words.started()])
    told = asyncio.Queue()
    async with BridgeClient(BridgeAddress(house.origin, TOKEN), replace(QUICK, silence=0.3)) as impatient:
        _, reading = await following(impatient, told.put_nowait, path=EVENTS)
        assert await told.get() == "the connection is lost; reconnecting …"
        assert (await told.get()).endswith("nothing was missed")
        reading.cancel()


async def test_who_has_everything_already(answering):
    client, _ = await answering(status=204)
    assert [message async for message in client.follow(EVENTS, print)] == []


async def test_a_message_without_an_end(answering):
    client, _ = await answering(body=b"data: " + b"x" * 200, content_type="text/event-stream")
    with pytest.raises(ReadingError, match="an event of more than 100 octets"):
        [message async for message in client.follow(EVENTS, print)]
