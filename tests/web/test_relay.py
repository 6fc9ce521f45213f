"""Streams that are relayed, and those that come from another process: a node between a carrier and a fake of the other
node, and that other node, with a call of its own."""

import asyncio
import base64
import contextlib
import json
from collections import Counter
from dataclasses import dataclass, field

import pytest
from aiohttp import WSCloseCode, WSMsgType, web
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from bridge.call import CallRegistry
from bridge.call.beginnings import KeptElsewhere
from bridge.call.relay import RelayPolicy, Said, State
from bridge.carriers.twilio import TWILIO
from bridge.clock import SystemClock
from bridge.egress import Egress
from bridge.store.relaying import Keeper
from bridge.store.sqlite import SQLiteStore
from bridge.web import mark
from bridge.web.arriving import MediaPolicy, Mount
from bridge.web.frames import Frames, MediaSocket, Together
from bridge.web.media import MediaHandlers
from bridge.web.relay import Relays
from bridge.web.twilio import TwilioAccess
from tests.fakes import certificates, frames
from tests.fakes.calls import services, started
from tests.fakes.running import AUDIO, TWILIO_TOKEN, deepgram, free_port
from tests.fakes.waiting import until
from twiml import signature

KEY = "k" * 64
PATH = "/media/twilio"
PUBLIC_URL = "https://bridge.example"


@dataclass
class Other:
    """The node that has the call: notes what it is told, and does as it is bid."""

    heard: list[bytes | tuple[str, int]] = field(default_factory=list)
    requests: list[web.Request] = field(default_factory=list)
    refuses: bool = False
    redirect: str | None = None
    answers: bool = True
    """Pings."""
    socket: web.WebSocketResponse | None = None
    url: str = ""

    async def handle(self, request):
        self.requests.append(request)
        if self.redirect:
            raise web.HTTPFound(self.redirect)
        if self.refuses:
            raise web.HTTPConflict
        self.socket = socket = web.WebSocketResponse(protocols=("audio.example",), autoping=False)
        await socket.prepare(request)
        while True:
            frame = await socket.receive()
            if frame.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                self.heard.append(frame.data if frame.type is WSMsgType.BINARY else frame.data.encode())
            elif frame.type is WSMsgType.PING:
                if self.answers:
                    await socket.pong(frame.data)
            else:
                self.heard.append(("closed", frame.data if frame.type is WSMsgType.CLOSE else 0))
                return socket


@contextlib.asynccontextmanager
async def serving(*routes, ssl=None):
    """Serves, as a bridge does; yields the origin."""
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", free_port(), ssl_context=ssl)
        await site.start()
        yield site.name
    finally:
        await runner.cleanup()


@pytest.fixture
async def other():
    one = Other()
    async with serving(web.get("/{rest:.*}", one.handle)) as one.url:
        yield one


@dataclass
class Node:
    """The node between: it relays whatever comes, once a first frame has."""

    relays: Relays
    url: str = ""
    to: str = ""
    relay: object = None

    async def handle(self, request):
        socket = MediaSocket(Together(0.0), autoping=False, timeout=1.0, protocols=("audio.example",))
        await socket.prepare(request)
        reading = Frames(socket, Counter(), keeps=True)
        await reading.receive()
        kept = KeptElsewhere(Keeper("other", self.to, KEY), started("CA1"), 0.0)
        self.relay = await self.relays.relay(socket, request, kept, (reading.kept, []))
        return socket


@contextlib.asynccontextmanager
async def node(other, pause=0.02, patience=60.0, tls=None):
    counters = Counter()
    policy = RelayPolicy(pause=pause, patience=patience)
    one = Node(Relays(None, Egress({}, tls), counters, policy), to=other.url)
    async with serving(web.get("/{rest:.*}", one.handle)) as one.url:
        yield one


def carrier(one, **given):
    return connect(one.url.replace("http", "ws", 1) + PATH + "/secret?x=%2F", compression=None, **given)


async def test_what_a_carrier_sends_reaches_the_other_process_as_it_is(other):
    headers = {"X-Twilio-Signature": "signed", "Authorization": "Basic eDp5"}
    async with node(other) as one:
        async with carrier(one, additional_headers=headers, subprotocols=["audio.example"]) as socket:
            await socket.send("start é")
            await socket.send(b"\x00\xff")
            await socket.send("media")
            await until(lambda: len(other.heard) == 4)
            await other.socket.send_str("answer é")
            await other.socket.send_bytes(b"\x01")
            assert [await socket.recv(), await socket.recv()] == ["answer é", b"\x01"]
        await until(lambda: one.relay)

    (request,) = other.requests
    assert other.heard[1:] == ["start é".encode(), b"\x00\xff", b"media", ("closed", 1000)]
    assert json.loads(other.heard[0])["waited"] is None or json.loads(other.heard[0])["waited"] >= 0.0
    assert request.raw_path == PATH + "/secret?x=%2F"
    assert [request.headers[name] for name in headers] == list(headers.values())
    assert mark.verify(KEY, request.headers[mark.HEADER], request.path) == "CA1"
    assert request.headers["Sec-WebSocket-Protocol"] == "audio.example"
    assert one.relay.state is State.OVER


async def test_a_carrier_whose_socket_breaks_has_not_closed_it(other):
    async with node(other) as one:
        socket = await carrier(one)
        await socket.send("start")
        await until(lambda: len(other.heard) == 2)
        socket.transport.abort()
        await until(lambda: one.relay)
    assert other.heard[-1] == ("closed", mark.BROKEN)


async def test_the_other_process_closes_a_stream_for_good(other):
    async with node(other) as one, carrier(one) as socket:
        await socket.send("start")
        await until(lambda: len(other.heard) == 2)
        await other.socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"too many streams")
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert (socket.close_code, socket.close_reason) == (1013, "too many streams")
        await until(lambda: one.relay)
    assert one.relay.state is State.OVER


async def test_what_the_other_process_has_read_does_not_come_back_with_a_stream(other):
    async with node(other) as one, carrier(one) as socket:
        await socket.send("start")
        for text in ("one", "two"):
            await socket.send(text)
        await until(lambda: len(other.heard) == 4)
        await asyncio.sleep(0.1)  # in which they are asked for at least once
        other.answers = False
        await socket.send("three")
        await until(lambda: len(other.heard) == 5)
        other.socket._req.transport.abort()
        await until(lambda: one.relay)

    assert (one.relay.state, one.relay.failed) == (State.BACK, True)
    assert [said.data for said in one.relay.left()] == [b"start", b"three"]


async def test_a_process_that_answers_no_more_loses_the_stream(other):
    other.answers = False
    async with node(other, patience=0.2) as one, carrier(one) as socket:
        await socket.send("start")
        await socket.send(b"\x07")
        await until(lambda: one.relay)
    assert one.relay.reason == "it does not answer"
    assert one.relay.left()[1][:2] == Said(b"\x07", True, 0.0)[:2]


@pytest.mark.parametrize("fault", ["refuses", "unreachable", "redirect"])
async def test_a_process_that_does_not_take_a_stream_costs_nothing_of_it(other, fault):
    beside = Other()
    async with serving(web.get("/{rest:.*}", beside.handle)) as elsewhere:
        match fault:
            case "refuses":
                other.refuses = True
            case "unreachable":
                other.url = f"http://127.0.0.1:{free_port()}"
            case "redirect":
                other.redirect = elsewhere
        async with node(other) as one, carrier(one) as socket:
            await socket.send("start")
            await until(lambda: one.relay)
    assert (one.relay.state, one.relay.failed) == (State.BACK, True)
    assert [said.data for said in one.relay.left()] == [b"start"]
    assert beside.requests == []


async def test_over_tls_the_certificate_of_the_other_process_is_checked():
    other = Other()
    async with serving(web.get("/{rest:.*}", other.handle), ssl=certificates.serving()) as url:
        other.url = url
        async with node(other, tls=certificates.trusting()) as one, carrier(one) as socket:
            await socket.send("start")
            await until(lambda: len(other.heard) == 2)
        async with node(other) as one, carrier(one) as socket:
            await socket.send("start")
            await until(lambda: one.relay)
        assert one.relay.failed


# The process that has the call.


@pytest.fixture
async def server():
    async with deepgram() as local:
        yield local


@pytest.fixture
async def keeper(tmp_path, server):
    """A node with room for one call, which goes on there by its inbound stream; (its registry, its URL)."""
    access = TwilioAccess(PUBLIC_URL, lambda: 0.0, (TWILIO_TOKEN,))
    async with SQLiteStore(tmp_path) as store:
        registry = CallRegistry(services(store, server, SystemClock(), grace=30.0), max_calls=1)
        await registry.recover()
        media = MediaHandlers(registry, [Mount(TWILIO, access.authenticate)], MediaPolicy(), key=KEY)
        async with serving(*media.routes()) as origin:
            url = origin.replace("http", "ws", 1) + PATH
            async with connect(url, compression=None, additional_headers=SIGNED) as socket:
                await socket.send(frames.start(tracks=["inbound"]))
                await until(lambda: registry.calls)
                yield registry, url, socket
            await registry.end_all(10.0)


SIGNED = {signature.SIGNATURE_HEADER: signature.sign_url(TWILIO_TOKEN, f"{PUBLIC_URL.replace('http', 'ws', 1)}{PATH}")}
MARKED = {mark.HEADER: mark.sign(KEY, frames.CALL, PATH)}


def relayed(url, **headers):
    return connect(url, compression=None, additional_headers={**SIGNED, **MARKED, **headers})


def track(name, seconds):
    """Messages of one track."""
    for message in frames.talk(*(audio[: round(seconds * 8000)] for audio in AUDIO)):
        if f'"track": "{name}"' in message:
            yield message


async def test_a_relayed_stream_is_of_the_call_where_there_is_no_room_for_another(keeper, server):
    registry, url, socket = keeper
    with pytest.raises(InvalidStatus) as refused:
        await connect(url, additional_headers=SIGNED)
    assert refused.value.response.status_code == 503
    async with relayed(url) as other:
        await other.send(mark.preface(None).decode())
        await other.send(frames.start(stream="MZ2", tracks=["outbound"]))
        for here, there in zip(track("inbound", 3.0), track("outbound", 3.0), strict=True):
            for one, message in ((socket, here), (other, there)):
                await one.send(message)
                await (await one.ping())  # answered once it is read: neither is ahead of the other
        (call,) = registry.calls.values()
        await until(lambda: call.counts["streams"] == 2 and len(call.streams) == 2)
        await until(lambda: len(server.connections[0].audio) >= 2 * 8000 * 2.5)
    heard = bytes(server.connections[0].audio)
    for channel in range(2):
        pieces = [AUDIO[channel][at : at + 80] for at in range(0, 16000, 80)]
        assert [piece for piece in pieces if piece not in heard[channel::2]] == []


async def test_the_first_frame_of_a_relayed_stream_is_as_old_as_the_other_process_says(keeper):
    registry, url, socket = keeper
    (call,) = registry.calls.values()

    def elapsed():
        return call.continuity.elapsed(call._clock.now())

    for message in track("inbound", 1.0):
        await socket.send(message)
    await until(lambda: elapsed() >= 8000)
    async with relayed(url) as other:
        before = elapsed()
        await other.send(mark.preface(0.5).decode())
        await other.send(frames.start(stream="MZ2", tracks=["outbound"]))
        await until(lambda: len(call.streams) == 2)
        after = elapsed()
        await until(lambda: elapsed() > after + 1600)  # it is still on its way
        await other.send(next(track("outbound", 1.0)))
        await until(lambda: call.streams[2].source)
        place = call.streams[2].source.clock.start_position
    # The loop counts whole milliseconds.
    assert before - 80 <= place + 0.5 * 8000 + 160 <= after + 80


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({mark.HEADER: mark.sign("x" * 64, frames.CALL, PATH)}, 403),
        ({mark.HEADER: frames.CALL}, 403),
        ({mark.HEADER: mark.sign(KEY, "CA9", PATH)}, 409),
        ({signature.SIGNATURE_HEADER: base64.b64encode(b"x" * 20).decode()}, 403),
    ],
    ids=["forged", "unsigned", "another call", "not the carrier's"],
)
async def test_what_is_no_relayed_stream_of_a_call_here_is_not_let_in(keeper, changed, status):
    _, url, _ = keeper
    with pytest.raises(InvalidStatus) as refused:
        await relayed(url, **changed)
    assert refused.value.response.status_code == status


@pytest.mark.parametrize(
    "messages", [["rubbish"], [mark.preface(None).decode(), frames.start("CA9")]], ids=["no preface", "another call"]
)
async def test_a_relayed_stream_that_is_not_what_it_was_marked_as_is_refused(keeper, messages):
    registry, url, _ = keeper
    async with relayed(url) as other:
        for message in messages:
            await other.send(message)
        with pytest.raises(ConnectionClosed):
            await other.recv()
        assert other.close_code == 1008
    assert list(registry.calls) == [frames.CALL]


async def test_a_relayed_stream_goes_back_when_the_call_is_let_go_of(keeper):
    registry, url, _ = keeper
    async with relayed(url) as other:
        await other.send(mark.preface(None).decode())
        await other.send(frames.start(stream="MZ2", tracks=["outbound"]))
        (call,) = registry.calls.values()
        await until(lambda: len(call.streams) == 2)
        call.end("bridge_restarted")
        await other.send(next(track("outbound", 1.0)))
        with pytest.raises(ConnectionClosed):
            await other.recv()
        assert other.close_code == 1001


async def test_a_process_that_stops_takes_no_relayed_stream(keeper):
    registry, url, _ = keeper
    registry.taking = False
    with pytest.raises(InvalidStatus) as refused:
        await relayed(url)
    assert refused.value.response.status_code == 409
