"""The caller against a loopback server that only listens, and some that misbehave."""

import asyncio
import contextlib
import json
import time
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

from bridge.errors import ConfigError
from bridge.local.caller import Summary, Tape, Target, frame, play, play_many
from bridge.local.stream import CallerFaults, CallerOptions, messages
from bridge.local.wav import Recording
from tests.fakes import certificates, http
from tests.fakes.waiting import TICK
from twiml.signature import sign_url

RECORDING = Recording(bytes(range(200)) * 80, bytes(range(200, 0, -1)) * 80)
"""Two seconds."""

FAST = 0.0
Greeting = Callable[[web.Request, web.WebSocketResponse], Awaitable[None]]


class Heard:
    """What the server heard on one socket."""

    def __init__(self, request: web.Request) -> None:
        self.headers = request.headers.copy()
        self.messages: list[str] = []
        self.arrivals: list[float] = []
        self.close_code: int | None = None

    @property
    def parsed(self) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.messages]

    def audio(self, track: str) -> bytes:
        media = [message["media"] for message in self.parsed if message["event"] == "media"]
        return b"".join(b64decode(part["payload"]) for part in media if part["track"] == track)


@contextlib.asynccontextmanager
async def server(greet: Greeting | None = None) -> AsyncIterator[tuple[str, list[Heard]]]:
    """Yields its URL and what it hears; `greet` runs before it listens."""
    sockets: list[Heard] = []

    async def handle(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        heard = Heard(request)
        sockets.append(heard)
        if greet is not None:
            await greet(request, socket)
        async for message in socket:
            assert message.type is WSMsgType.TEXT
            heard.messages.append(message.data)
            heard.arrivals.append(time.monotonic())
        heard.close_code = socket.close_code
        return socket

    app = web.Application()
    app.router.add_get("/media/twilio", handle)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"ws://127.0.0.1:{runner.addresses[0][1]}/media/twilio", sockets
    finally:
        await runner.cleanup()


async def test_a_call_is_played_to_its_end() -> None:
    options = CallerOptions(parameters={"from": "+15550100"})
    async with server() as (url, sockets):
        summary = await play(Target(url, FAST), RECORDING, options)

    assert sockets[0].messages == [text for _, text in messages(RECORDING, options)]
    assert sockets[0].audio("inbound") == RECORDING.inbound
    assert sockets[0].audio("outbound") == RECORDING.outbound
    assert sockets[0].close_code == 1000
    assert summary == Summary(options.call_id, messages=203, seconds=summary.seconds, close_code=1000, close_reason="")


async def test_the_upgrade_is_signed_when_there_is_a_token() -> None:
    async with server() as (url, sockets):
        await play(Target(url, FAST), RECORDING)
        await play(Target(url, FAST, auth_token="token"), RECORDING)
        await play(Target(url, FAST, auth_token="token", signed_url="wss://bridge.example/media/twilio"), RECORDING)

    assert [heard.headers.get("x-twilio-signature") for heard in sockets] == [
        None,
        sign_url("token", url),
        sign_url("token", "wss://bridge.example/media/twilio"),
    ]


async def test_nothing_is_sent_before_it_is_due() -> None:
    """Two seconds, at ten times the speed."""
    async with server() as (url, sockets):
        begun = time.monotonic()
        summary = await play(Target(url, speed=10.0), RECORDING)

    due = [begun + moment / 10 for moment, _ in messages(RECORDING)]
    assert len(sockets[0].arrivals) == len(due)
    assert all(arrival >= moment - TICK for arrival, moment in zip(sockets[0].arrivals, due, strict=True))
    assert 0.2 - TICK <= summary.seconds < 2.0
    assert 0.0 < summary.behind < 1.8
    assert summary.error is None


async def test_a_broken_socket_says_no_stop_and_no_goodbye() -> None:
    async with server() as (url, sockets):
        summary = await play(Target(url, FAST), RECORDING, faults=CallerFaults(drop_after=1.0))
        while sockets[0].close_code is None:
            await asyncio.sleep(0.01)

    assert sockets[0].parsed[-1]["event"] == "media"
    assert sockets[0].close_code == 1006
    assert summary.messages == 102
    assert summary.close_code == 1006
    assert summary.error is None


async def test_whatever_the_server_says_is_counted_against_it() -> None:
    async def chat(_: web.Request, socket: web.WebSocketResponse) -> None:
        await socket.send_str('{"event":"mark"}')
        await socket.send_bytes(b"\0")

    async with server(chat) as (url, _):
        summary = await play(Target(url, FAST), RECORDING)

    assert summary.unexpected == 2
    assert summary.error is None


async def test_a_server_that_hangs_up_ends_the_call() -> None:
    async def hang_up(_: web.Request, socket: web.WebSocketResponse) -> None:
        await socket.close(code=1013, message=b"full")

    async with server(hang_up) as (url, _):
        summary = await play(Target(url, speed=2.0), RECORDING)

    assert (summary.close_code, summary.close_reason) == (1013, "full")
    assert summary.error == "the server ended the call before it was over"
    assert summary.messages < 203


async def test_a_server_that_breaks_the_socket_ends_the_call() -> None:
    async def break_off(request: web.Request, _: web.WebSocketResponse) -> None:
        assert request.transport is not None
        request.transport.abort()

    async with server(break_off) as (url, _):
        summary = await play(Target(url, speed=2.0), RECORDING)

    assert summary.close_code == 1006
    assert summary.error == "the server ended the call before it was over"


async def test_a_server_that_reads_slowly_holds_the_caller_up() -> None:
    """As fast as possible is as fast as the server reads: nothing piles up on this side."""
    go = asyncio.Event()

    async def wait(*_: object) -> None:
        await go.wait()

    minutes = Recording(b"\x80" * 8000 * 600)
    async with server(wait) as (url, sockets):
        call = asyncio.create_task(play(Target(url, FAST), minutes))
        done, _ = await asyncio.wait([call], timeout=0.3)
        assert not done
        go.set()
        summary = await call

    assert summary.error is None
    assert len(sockets[0].messages) == summary.messages == 30_003


async def test_a_refusal_is_told_with_its_words() -> None:
    async with server() as (url, _):
        summary = await play(Target(url + "/nowhere", FAST), RECORDING)

    assert summary.error == "the server refused the call with 404: 404: Not Found"
    assert summary.close_code is None
    assert summary.messages == 0


async def test_a_page_is_no_media_socket_and_not_shown() -> None:
    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<html>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/", page)
    async with TestServer(app) as there:
        summary = await play(Target(f"ws://127.0.0.1:{there.port}/", FAST), RECORDING)

    assert summary.error == (
        "no connection: what answers there is no media socket; a bridge has one for Twilio at /media/twilio"
    )


async def test_a_private_authority_is_told_how_to_be_trusted() -> None:
    async def nobody(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with http.server(nobody, certificates.serving()) as url:
        summary = await play(Target(url.replace("http", "ws", 1), FAST), RECORDING)

    assert summary.error == (
        "no connection: tls (unknown issuer): if its authority is your own, name that in SSL_CERT_FILE"
    )


async def test_nobody_there() -> None:
    async with server() as (url, _):
        pass
    summary = await play(Target(url, FAST), RECORDING)

    assert summary.error is not None
    assert summary.error.startswith("no connection: ")


async def test_an_address_that_is_none() -> None:
    summary = await play(Target("http://127.0.0.1/media", FAST), RECORDING)

    assert summary.error is not None
    assert "http://127.0.0.1/media" in summary.error


async def test_a_call_that_is_cancelled_closes_its_socket() -> None:
    async with server() as (url, sockets):
        call = asyncio.create_task(play(Target(url), RECORDING))
        while not sockets or not sockets[0].messages:
            await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        while sockets[0].close_code is None:
            await asyncio.sleep(0.01)

    assert len(sockets[0].messages) < 203


async def test_many_calls_play_one_tape_under_ids_of_their_own() -> None:
    options = CallerOptions(parameters={"load": "yes"})
    tape = Tape(RECORDING, options, CallerFaults(lost={5}))
    async with server() as (url, sockets):
        summaries = await play_many(Target(url, speed=20.0), tape, 5, stagger=0.01)

    starts = [heard.parsed[1]["start"] for heard in sockets]
    assert {start["callSid"] for start in starts} == {summary.call_id for summary in summaries}
    assert len({start["streamSid"] for start in starts} | {options.stream_id}) == 6
    for heard, start in zip(sockets, starts, strict=True):
        assert {message["streamSid"] for message in heard.parsed[1:]} == {start["streamSid"]}
        assert start["customParameters"] == {"load": "yes"}
        assert heard.parsed[-1]["stop"]["callSid"] == start["callSid"]
        assert heard.audio("inbound") == RECORDING.inbound
    assert all(summary.error is None and summary.messages == 202 for summary in summaries)


def test_a_tape_takes_ids_of_its_own_length_only() -> None:
    tape = Tape(Recording(b""), CallerOptions(call_id="CA1"))

    with pytest.raises(ConfigError, match="ids of one length"):
        next(tape.frames(CallerOptions(call_id="CA12")))


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
async def test_a_frame_of_any_length_is_understood(size: int) -> None:
    """Against the same library's server side, without a socket."""
    from websockets.frames import Frame
    from websockets.streams import StreamReader

    reader = StreamReader()
    reader.feed_data(frame("é" * (size // 2) + "x" * (size % 2)))
    parser = Frame.parse(reader.read_exact, mask=True)
    with pytest.raises(StopIteration) as parsed:
        next(parser)

    assert len(bytes(parsed.value.value.data)) == size
    assert parsed.value.value.fin
