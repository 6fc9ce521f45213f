"""A bridge's record and feed as objects, over a store that the test fills and a line that it cuts."""

import asyncio
import contextlib
import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.client import (
    Bridge,
    CallEnded,
    CallStarted,
    ClientPolicy,
    ReadingError,
    Reset,
    TranscriptFinal,
    TranscriptInterim,
    Unreachable,
)
from bridge.client.received import RecordedCall
from bridge.errors import ConfigError
from bridge.web.http import json_object
from tests.fakes import words
from tests.fakes.reading import TOKEN, doors
from tests.fakes.waiting import until
from tests.fakes.wire import Wire

QUICK = ClientPolicy(pauses=(0.0, 0.01))
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
async def house(tmp_path):
    async with doors(tmp_path) as running:
        yield running


@pytest.fixture
async def wire(house):
    async with Wire(house.origin) as line:
        yield line


@pytest.fixture
async def bridge(wire):
    async with Bridge(wire.origin, TOKEN, QUICK) as reading:
        yield reading


@contextlib.asynccontextmanager
async def answering(**how):
    """A bridge of which the test says what it answers; yields it, and what it was asked."""
    asked = []

    async def answer(request):
        asked.append((request.method, request.path, await json_object(request)))
        return web.json_response(**how)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    server = TestServer(app)
    await server.start_server()
    try:
        async with Bridge(str(server.make_url("")), TOKEN, QUICK) as reading:
            yield reading, asked
    finally:
        await server.close()


async def test_the_calls_of_a_record(house, bridge):
    for number in range(3):
        await house.store.append([words.started(f"CA{number}")])
    await house.store.append([words.final("CA1", text="Where is my order?"), words.ended("CA1")])
    assert [call.id async for call in bridge.calls()] == ["CA2", "CA1", "CA0"]
    assert [call.id async for call in bridge.calls(limit=2)] == ["CA2", "CA1"]
    assert [call.id async for call in bridge.calls(active=False, from_="0001", said="order")] == ["CA1"]
    [ended] = [call async for call in bridge.calls(active=False)]
    assert (ended.from_, ended.active, ended.duration, ended.reason) == ("+15550001", False, 60.0, "stopped")


async def test_one_call_of_the_record(house, bridge):
    await house.store.append(words.conversation(finals=2))
    call = await bridge.call("CA1")
    assert isinstance(call, RecordedCall)
    assert call.figures.words == {"caller": 6, "agent": 0}
    assert (call.flush, call.delivery.state, call.waiting) == ("complete", "pending", 0.0)
    assert call.deliveries["webhook"] == call.delivery


async def test_every_field_that_the_record_has_is_an_attribute(house, bridge):
    await house.store.append(words.conversation(finals=2))
    assert (await bridge.call("CA1")).model_extra == {}
    assert (await bridge.call("CA1")).delivery.model_extra == {}


async def test_the_events_of_a_call(house, bridge, monkeypatch):
    monkeypatch.setattr("bridge.client.reading._PAGE", 2)
    await house.store.append(words.conversation(finals=3))
    assert [event.seq async for event in bridge.events("CA1")] == [1, 2, 3, 4, 5]
    finals = [event async for event in bridge.events("CA1", after=2, types=["transcript.final"])]
    assert [event.data.text for event in finals] == ["words of 3", "words of 4"]
    assert {event.call_id for event in finals} == {"CA1"}


async def test_transcript_and_link(house, wire, bridge):
    await house.store.append(words.conversation(finals=1))
    assert "words of 2" in await bridge.transcript("CA1")
    assert (await bridge.transcript("CA1", "vtt")).startswith("WEBVTT")
    link = await bridge.link("CA1", expires_in=60)
    assert link.url == f"{wire.origin}/?call=CA1#access={link.token}"
    assert dataclasses.asdict(link).keys() == {"url", "token", "expires_at"}


async def test_control_and_deliveries():
    async with answering(data={"call": "CA1", "action": "pause", "paused": True, "paused_at": 3.5}) as (bridge, asked):
        stands = await bridge.control("CA1", "pause")
        await bridge.control("CA1", "configure", keyterms=["Acme"], numerals=True)
    assert (stands.paused, stands.paused_at) == (True, 3.5)
    assert asked == [
        ("POST", "/calls/CA1/control", {"action": "pause"}),
        ("POST", "/calls/CA1/control", {"action": "configure", "keyterms": ["Acme"], "numerals": True}),
    ]
    async with answering(data={"calls": 2}, status=202) as (bridge, asked):
        assert await bridge.deliver() == 2
        await bridge.deliver("CA1", after=0, endpoint="webhook")
    assert asked == [
        ("POST", "/deliveries", None),
        ("POST", "/calls/CA1/deliveries", {"after": 0, "endpoint": "webhook"}),
    ]


async def test_a_call_is_deleted(house, bridge):
    await house.store.append(words.conversation(finals=1))
    await bridge.delete("CA1")
    with pytest.raises(ReadingError, match="there is no such call"):
        await bridge.call("CA1")


async def test_one_call_from_its_first_event_to_its_end(house, wire, bridge):
    await house.store.append([words.started()])
    feed = bridge.follow("CA1")
    first = await anext(feed)
    assert isinstance(first.data, CallStarted)
    await house.store.append([], [words.interim(text="Where is")])
    interim = await anext(feed)
    assert (type(interim.data), interim.seq, interim.data.text) == (TranscriptInterim, None, "Where is")
    wire.cut()
    await house.store.append([words.final(), words.ended()])
    rest = [event async for event in feed]
    assert [(event.seq, type(event.data)) for event in rest] == [(2, TranscriptFinal), (3, CallEnded)]
    assert {event.call_id for event in [first, interim, *rest]} == {"CA1"}


async def test_all_calls_go_on_after_a_restart_of_the_consumer(house, bridge):
    feed = bridge.follow(types=["call.started", "call.ended"])
    opened = asyncio.ensure_future(anext(feed))
    await until(lambda: house.live.followers)
    await house.store.append([words.started("CA1"), words.final("CA1")])
    first = await opened
    await feed.aclose()
    await house.store.append([words.started("CA2")])
    await house.store.append([words.ended("CA1")])
    feed = bridge.follow(after=first.cursor)
    told = [await anext(feed) for _ in range(3)]
    assert {(event.call_id, event.seq) for event in told} == {("CA1", 2), ("CA2", 1), ("CA1", 3)}
    assert len({event.cursor for event in told}) == 3
    await feed.aclose()


async def test_all_calls_begin_with_those_that_go_on(house, bridge):
    await house.store.append([words.started("CA1"), words.final("CA1")])
    feed = bridge.follow()
    first = await anext(feed)
    assert (first.call_id, first.type, first.cursor) == ("CA1", "call.started", "")
    await house.store.append([words.final("CA1", seq=3)])
    assert (await anext(feed)).cursor
    await feed.aclose()


async def test_another_record_begins_again(tmp_path, house, wire, bridge):
    await house.store.append([words.started(), words.final()])
    feed = bridge.follow("CA1")
    assert [(await anext(feed)).seq for _ in range(2)] == [1, 2]
    async with doors(tmp_path / "other") as other:
        await other.store.append([words.started()])
        wire.leads_to(other.origin)
        wire.cut()
        reset, first = await anext(feed), await anext(feed)
        assert (reset.type, type(reset.data), reset.call_id, reset.seq) == ("reset", Reset, "CA1", None)
        assert first.seq == 1
        await feed.aclose()


async def test_a_consumer_that_will_not_wait():
    async with Bridge("http://127.0.0.1:1", TOKEN) as bridge:
        with pytest.raises(Unreachable):
            await anext(bridge.follow(patient=False))


async def test_what_another_version_says_of_the_feed_itself_ends_nothing():
    said = b'event: moved\ndata: {"to": "x"}\n\nevent: end\ndata: {}\n\n'

    async def answer(request):
        return web.Response(body=said, content_type="text/event-stream")

    app = web.Application()
    app.router.add_get("/calls/live", answer)
    async with TestServer(app) as server, Bridge(str(server.make_url("")), TOKEN, QUICK) as bridge:
        [event] = [event async for event in bridge.follow()]

    assert (event.type, event.data.to, event.raw, event.seq) == ("moved", "x", {"to": "x"}, None)


async def test_what_sends_calls_that_are_none():
    async with answering(data={"calls": [{"from": "+1"}], "next": None}) as (bridge, _):
        with pytest.raises(ReadingError, match="the bridge sent a call without an id"):
            [call async for call in bridge.calls()]
    async with answering(data={"events": [{"seq": 1}], "next_after": 1, "ended": True}) as (bridge, _):
        with pytest.raises(ReadingError, match="the bridge sent an event without a type or an id"):
            [event async for event in bridge.events("CA1")]


def test_it_can_be_made_before_anything_runs():
    asyncio.run(Bridge("https://calls.example.com", TOKEN).close())


def test_a_bad_address():
    with pytest.raises(ConfigError, match="url must be"):
        Bridge("calls.example.com", TOKEN)


ALONE = """
import importlib.abc, sys

class Nothing(importlib.abc.MetaPathFinder):
    allowed = {"bridge", "pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection"}

    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if not (top in self.allowed or top in sys.stdlib_module_names or top.startswith("_sysconfigdata")):
            raise ModuleNotFoundError(name)

nothing = Nothing()
sys.meta_path.insert(0, nothing)
from bridge.client import Refused, Seen, SeenFile, TranscriptFinal, Webhook, parse
[event] = Seen().new(parse(b'{"type":"call.events","call":{"id":"CA1"},"events":[{"id":"1","type":"x","data":{}}]}'))
try:
    Webhook("whsec_" + "A" * 32).receive(b"", {})
except Refused as refused:
    print(refused.status, event.type)
try:
    from bridge.client import Bridge
except ImportError as error:
    print(error)
sys.modules.pop("bridge.client.reading", None), sys.modules.pop("bridge.client.asking", None)
nothing.allowed |= {"aiohttp", "aiohappyeyeballs", "aiosignal", "attr", "frozenlist", "idna", "multidict", "propcache"}
nothing.allowed |= {"yarl"}
from bridge.client import Bridge
modules = {name for name in sys.modules if name.startswith("bridge.")}
print("aiohttp.web" in sys.modules, sorted({name.split(".")[1] for name in modules}))
"""


def test_without_what_the_server_needs():
    """The webhook with pydantic alone, `Bridge` with aiohttp's client too; every other package is refused."""
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "401 x",
        "aiohttp",
        "False ['client', 'delivery', 'errors', 'event_stream', 'events', 'failure', 'text', 'writing']",
    ]
