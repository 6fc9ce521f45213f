"""Asking a bridge over its API: every way to be told no, and feeds that are cut."""

import asyncio
import json
import random
from dataclasses import replace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.client.asking import (
    Asking,
    BridgeAddress,
    ClientPolicy,
    Connected,
    Lost,
    checked,
)
from bridge.errors import ConfigError, ReadingError, Unreachable
from bridge.store.auditing import Entry
from tests.fakes import certificates, http, words
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
    async with Asking(BridgeAddress(wire.origin, TOKEN), QUICK) as asking:
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
        asking = Asking(BridgeAddress(str(server.make_url("")).rstrip("/"), TOKEN), ClientPolicy(message=100))
        opened.extend((asking._session, server))
        return asking, asked

    yield make
    for one in opened:
        await one.close()


def test_a_token_is_not_shown():
    assert TOKEN not in repr(BridgeAddress("http://x", TOKEN))


async def test_pages_are_followed_up_to_the_limit(house, client):
    for number in range(8):
        await house.store.append([words.started(f"CA{number}")])
    assert [call["id"] async for call in client.calls({}, 7)] == [f"CA{7 - number}" for number in range(7)]
    assert len([call async for call in client.calls({}, 100)]) == 8


async def test_the_audit_log_is_read_over_its_pages(house, client):
    for seconds in range(5):
        await house.log.write(Entry(f"2026-11-20T10:00:0{seconds}.000Z", "crm", "token", "", "read", "CA1", None, 200))
    assert [entry["time"][17:19] async for entry in client.audit({"who": "crm"}, 4)] == ["04", "03", "02", "01"]


async def test_a_page_that_is_too_long_is_cut(answering):
    client, _ = await answering(text=json.dumps({"calls": [{}, {}, {}], "next": "x"}), content_type="application/json")
    assert len([call async for call in client.calls({}, 2)]) == 2


async def test_what_the_bridge_refuses_is_said_in_its_words(client):
    with pytest.raises(ReadingError, match=r"^since must be a time such as 2026-11-20T10:00:00Z$"):
        [call async for call in client.calls({"since": "x"}, 1)]
    with pytest.raises(ReadingError, match="^there is no such call$"):
        await client.call("CA9")


async def test_a_certificate_that_is_not_trusted():
    async def nobody(reader, writer):
        await reader.read()

    async with http.server(nobody, certificates.serving()) as url:
        async with Asking(BridgeAddress(url, "a-token")) as client:
            with pytest.raises(ReadingError, match=r"is not trusted here: tls \(unknown issuer\): .*SSL_CERT_FILE"):
                await client.call("CA1")


async def test_a_token_that_is_not_theirs(house):
    async with Asking(BridgeAddress(house.origin, "another-token")) as client:
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
    async with Asking(BridgeAddress("http://127.0.0.1:1", TOKEN)) as client:
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
    await asyncio.wait_for(reading, 60)
    messages = [first, *(came.get_nowait() for _ in range(came.qsize()))]
    assert [json.loads(message.data)["seq"] for message in messages] == list(range(1, count + 1))
    assert wire.connections > 10
    assert len(told) > 20
    assert told[0] == Connected(None, True)
    assert set(told[1::2]) == {Lost()}
    assert all(what.after is not None and what.complete for what in told[2::2])


async def following(client, told, path, **how):
    """Messages as they come, in a queue."""
    came = asyncio.Queue()

    async def read():
        async for message in client.follow(path, told, **how):
            came.put_nowait(message)

    return came, asyncio.ensure_future(read())


async def test_lost_and_back_is_told_once_however_often_it_is_tried(house, wire, client):
    told = asyncio.Queue()
    await house.store.append([words.started()])
    came, reading = await following(client, told.put_nowait, path=EVENTS)
    await came.get()
    assert await told.get() == Connected(None, True)
    wire.down = True
    wire.cut()
    assert await told.get() == Lost()
    await house.store.append([words.final(seq=2)])
    await until(lambda: wire.turned_away > 3)
    wire.down = False
    assert (await told.get()).complete
    assert json.loads((await came.get()).data)["seq"] == 2
    assert told.empty()
    reading.cancel()


async def test_there_is_a_place_to_resume_at_before_anything_happens(house, wire, client):
    told = asyncio.Queue()
    await house.store.append([words.started()])
    came, reading = await following(client, told.put_nowait, path="/calls/live", whole=False)
    await came.get()
    assert await told.get() == Connected(None, False)
    wire.cut()
    assert await told.get() == Lost()
    assert (await told.get()).complete
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
        assert await told.get() == Connected(None, True)
        assert await told.get() == Lost()
        assert not (await told.get()).complete
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
    async with Asking(BridgeAddress(house.origin, TOKEN), replace(QUICK, silence=0.3)) as impatient:
        _, reading = await following(impatient, told.put_nowait, path=EVENTS)
        assert await told.get() == Connected(None, True)
        assert await told.get() == Lost()
        assert (await told.get()).complete
        reading.cancel()


async def test_who_has_everything_already(answering):
    client, _ = await answering(status=204)
    assert [message async for message in client.follow(EVENTS, print)] == []


async def test_a_message_without_an_end(answering):
    client, _ = await answering(body=b"data: " + b"x" * 200, content_type="text/event-stream")
    with pytest.raises(ReadingError, match="an event of more than 100 octets"):
        [message async for message in client.follow(EVENTS, print)]


async def test_a_bridge_that_is_not_there_yet_is_waited_for(house, wire, client):
    told = asyncio.Queue()
    wire.down = True
    came, reading = await following(client, told.put_nowait, EVENTS, patient=True)
    assert await told.get() == Lost()
    await until(lambda: wire.turned_away > 2)
    await house.store.append([words.started()])
    wire.down = False
    assert json.loads((await came.get()).data)["seq"] == 1
    assert await told.get() == Connected(None, True)
    reading.cancel()


async def test_a_feed_is_gone_on_with_after_an_id(house, client):
    await house.store.append(words.conversation(finals=4))
    seqs = [json.loads(message.data)["seq"] async for message in client.follow(EVENTS, print, last_id="3")]
    assert seqs == [4, 5, 6]


async def test_events_page_by_page(house, client):
    await house.store.append(words.conversation(finals=4))
    events, after, ended = await client.events("CA1", {"limit": "4"})
    assert ([event["seq"] for event in events], after, ended) == ([1, 2, 3, 4], 4, False)
    events, after, ended = await client.events("CA1", {"limit": "4", "after": "4"})
    assert ([event["seq"] for event in events], after, ended) == ([5, 6], 6, True)


@pytest.mark.parametrize("call", ["", ".", "..", "CA1/../CA2", "CA1?x=1", "ü"])
async def test_an_id_that_would_lead_elsewhere(client, call):
    with pytest.raises(ReadingError, match="a call's id is letters"):
        await client.call(call)


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
def test_a_bad_address_is_said_and_not_repeated(url):
    with pytest.raises(ConfigError, match=r"^url must be the bridge's address") as told:
        checked(url, "url")
    assert "sesame" not in str(told.value)
