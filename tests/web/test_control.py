"""The control of a call by HTTP: what is answered. What it does is tested with the call's own control."""

import json

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.call import CallRegistry, ContinuityPolicy
from bridge.call.controlling import Controlling
from bridge.local.deepgram import Faults
from bridge.rights import unlimited
from bridge.store.base import Query
from bridge.store.passing import NotPassed
from bridge.store.sqlite import SQLiteStore
from bridge.web.access import Access
from bridge.web.control import ControlHandlers
from tests.fakes.calls import NOW, HandClock, feed, services, started
from tests.fakes.reading import BEARER, TOKEN
from tests.fakes.running import deepgram
from tests.fakes.waiting import until

PATH = "/calls/CA1/control"


@pytest.fixture
async def server():
    async with deepgram() as local:
        yield local


@pytest.fixture
async def store(tmp_path):
    async with SQLiteStore(tmp_path) as opened:
        yield opened


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
async def registry(store, server, clock):
    calls = CallRegistry(services(store, server, clock, ContinuityPolicy(grace=10.0), flush=1.0), max_calls=3)
    await calls.recover()
    yield calls
    await calls.end_all(0.5)


@pytest.fixture
async def stream(registry):
    stream = await registry.open(started())
    feed(stream, 1.0)
    return stream


@pytest.fixture
async def origin(registry, store):
    app = web.Application()
    access = Access(unlimited((TOKEN,)), None, lambda: NOW)
    app.add_routes([*access.routes(), *ControlHandlers(Controlling(registry, store), access).routes()])
    async with TestServer(app) as running:
        yield str(running.make_url("")).rstrip("/")


@pytest.fixture
async def session(origin):
    async with aiohttp.ClientSession(origin, headers=BEARER) as somebody:
        yield somebody


async def ask(session, path=PATH, headers=None, **body):
    async with session.post(path, json=body, headers=headers) as response:
        assert response.headers["Cache-Control"] == "no-store"
        return response.status, await response.json()


async def told(store, *kinds):
    return [json.loads(event.body)["data"] for event in await store.read(Query("CA1", kinds))]


async def test_pause_and_resume_say_how_the_call_stands_and_do_so_again(session, stream, store, clock):
    paused = {"call": "CA1", "action": "pause", "paused": True, "paused_at": 1.0}
    heard = {"call": "CA1", "action": "resume", "paused": False, "paused_at": None}

    assert [await ask(session, action="pause") for _ in range(2)] == [(200, paused)] * 2
    assert [data["by"] for data in await told(store, "pause.started")] == ["api"]
    clock.time += 2.0
    assert [await ask(session, action="resume") for _ in range(2)] == [(200, heard)] * 2
    assert len(await told(store, "pause.started", "pause.ended", "audio.gap")) == 4


async def test_a_reader_of_the_page_is_named_as_one(origin, stream, store):
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(origin, cookie_jar=jar) as page:
        async with page.post("/login", json={"token": TOKEN}) as response:
            assert response.status == 200
        assert (await ask(page, action="pause", headers={"Origin": "https://elsewhere.example"}))[0] == 403
        assert await told(store, "pause.started") == []
        assert (await ask(page, action="pause", headers={"Origin": origin}))[0] == 200
    assert [data["by"] for data in await told(store, "pause.started")] == ["page"]


async def test_without_access_nothing_is_done(origin, stream, store):
    async with aiohttp.ClientSession(origin) as stranger:
        assert (await ask(stranger, action="stop"))[0] == 401
    assert await told(store, "call.ended") == []


async def test_options_are_changed_and_what_cannot_be_is_said(session, stream, server, store):
    await until(lambda: server.connections and server.connections[0].audio)
    status, body = await ask(session, action="configure", keyterms=["Acme"], numerals=True)
    assert (status, body["action"]) == (200, "configure")
    (data,) = await told(store, "transcription.configured")
    assert (data["keyterms"], data["numerals"], data["by"]) == (["Acme"], True, "api")

    assert await ask(session, action="configure", keyterms=[" "]) == (400, {"error": "a keyterm is empty."})


async def test_finalize_and_stop(session, stream, store, registry):
    assert (await ask(session, action="finalize"))[0] == 200
    assert (await ask(session, action="stop"))[0] == 200
    await until(lambda: not registry.calls)

    assert (await told(store, "call.ended"))[0]["reason"] == "stop_requested"
    assert await ask(session, action="pause") == (409, {"error": "The call is over."})


async def test_a_call_that_there_is_not_cannot_be_asked(session):
    assert await ask(session, action="pause") == (404, {"error": "There is no such call."})


async def test_a_call_that_goes_on_elsewhere_cannot_be_asked_here(session, stream, registry):
    await registry.calls.pop("CA1").control.written()
    status, body = await ask(session, action="pause")

    assert (status, body["error"][:42]) == (409, "The call does not go on here at this momen")


async def test_a_process_that_does_not_answer_is_no_fault_of_the_request(registry, store, stream):
    class Silent:
        def answer_by(self, answerer):
            pass

        async def ask(self, call_id, text):
            return NotPassed.LATE

    await registry.calls.pop("CA1").control.written()
    app = web.Application()
    access = Access(unlimited((TOKEN,)), None, lambda: NOW)
    app.add_routes([*access.routes(), *ControlHandlers(Controlling(registry, store, Silent()), access).routes()])
    async with TestServer(app) as running, aiohttp.ClientSession(running.make_url(""), headers=BEARER) as session:
        status, body = await ask(session, action="pause")

    assert (status, body["error"].partition(".")[0]) == (503, "The process that has the call does not answer")


async def test_while_deepgram_is_away_nothing_is_changed(session, stream, server, registry):
    await until(lambda: server.connections and server.connections[0].session)
    server.faults = Faults(refuse=429)
    server.connections[0].drop()
    await until(lambda: registry.interrupted)

    status, body = await ask(session, action="configure", numerals=True)
    assert (status, body) == (409, {"error": "Deepgram does not hear the call at this moment."})


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "action must be one of pause, resume, finalize, stop, configure, in a body of application/json."),
        ({"action": ["pause"]}, "action must be one of"),
        ({"action": "pause", "numerals": True}, "pause takes no numerals."),
        ({"action": "pause", "\n": 1}, "a field is unknown."),
        ({"action": "configure"}, "configure takes keyterms, numerals, or both."),
        ({"action": "configure", "keyterms": "Acme"}, "keyterms must be a list of texts; an empty one takes all away."),
        ({"action": "configure", "keyterms": [7]}, "keyterms must be a list of texts"),
        ({"action": "configure", "numerals": 1}, "numerals must be true or false."),
    ],
)
async def test_what_cannot_be_understood_is_said(session, stream, body, sentence):
    status, answer = await ask(session, **body)

    assert status == 400
    assert answer["error"].startswith(sentence)


async def test_a_form_of_another_site_is_not_read(session, stream):
    async with session.post(PATH, data=b'{"action": "pause"}', headers={"Content-Type": "text/plain"}) as response:
        assert response.status == 400
