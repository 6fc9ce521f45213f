"""The recording that a URL names, from a loopback server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from bridge.egress import Egress
from bridge.local.deepgram.fetching import fetch, guard_for
from bridge.local.deepgram.request import Refusal
from tests.fakes.waiting import TICK

BODY = bytes(range(256)) * 100


async def answer(request: web.Request) -> web.StreamResponse:
    match request.path:
        case "/audio":
            return web.Response(body=BODY)
        case "/moved":
            raise web.HTTPFound("/audio")
        case "/round":
            raise web.HTTPFound("/round")
        case "/broken":
            raise web.HTTPServiceUnavailable
        case "/slow":
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(b"a little")
            while request.transport and not request.transport.is_closing():
                await asyncio.sleep(TICK)
            return response
        case "/cut":
            response = web.StreamResponse(headers={"Content-Length": "1000"})
            await response.prepare(request)
            await response.write(b"a little")
            assert request.transport
            request.transport.abort()
            return response
    raise web.HTTPNotFound


@asynccontextmanager
async def media() -> AsyncIterator[str]:
    """A server of recordings, and its address."""
    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.mark.parametrize("path", ["/audio", "/moved"])
async def test_what_is_there(path):
    async with media() as url:
        assert await fetch(url + path, len(BODY)) == BODY


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/nothing", "The remote server hosting the media returned a client error: 404 Not Found"),
        ("/broken", "The remote server hosting the media returned a server error: 503 Service Unavailable"),
        ("/round", "The remote server hosting the media returned too many redirects."),
        ("/cut", "The remote server hosting the media failed to return valid data."),
        ("/slow", "The remote server hosting the media failed to return valid data."),
    ],
)
async def test_what_goes_wrong_is_told_in_deepgrams_words(path, said):
    async with media() as url:
        assert await fetch(url + path, len(BODY), seconds=0.2) == Refusal(400, "REMOTE_CONTENT_ERROR", said)


async def test_more_than_is_taken():
    async with media() as url:
        refusal = await fetch(f"{url}/audio", len(BODY) - 1)
    assert isinstance(refusal, Refusal)
    assert refusal.status == 413


async def test_a_server_that_does_not_answer(unused_tcp_port):
    refusal = await fetch(f"http://127.0.0.1:{unused_tcp_port}/a.wav", 10)
    assert isinstance(refusal, Refusal)
    assert refusal.message.endswith("failed to return valid data.")


@pytest.mark.parametrize("url", ["", "a.wav", "file:///etc/passwd", "http://", "http://[", "ftp://host/a.wav"])
async def test_what_is_no_address(url):
    assert await fetch(url, 10) == Refusal(400, "REMOTE_CONTENT_ERROR", "Could not parse URL as a URI.")


async def test_a_proxy_that_cannot_be_used_is_no_way():
    egress = Egress({"HTTP_PROXY": "socks5://nowhere"})
    refusal = await fetch("http://example.com/a.wav", 10, route=egress.route)
    assert isinstance(refusal, Refusal)


@pytest.mark.parametrize("client", ["203.0.113.7", "10.0.0.7", "", None])
async def test_a_stranger_reaches_nothing_of_this_machine(client: str | None) -> None:
    reached: list[str] = []

    async def moved(request: web.Request) -> web.Response:
        reached.append(request.path)
        raise web.HTTPFound("http://169.254.169.254/")

    app = web.Application()
    app.router.add_get("/{path}", moved)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    try:
        for host in ("127.0.0.1", "localhost", "127.1", "0x7f000001", "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0"):
            assert isinstance(await fetch(f"http://{host}:{port}/x", 10, guard=guard_for(client)), Refusal)
        assert reached == []
        assert isinstance(await fetch(f"http://127.0.0.1:{port}/x", 10, guard=guard_for("127.0.0.1")), Refusal)
        assert reached == ["/x"], "who is on this machine reaches it, and no one a metadata service"
    finally:
        await runner.cleanup()
