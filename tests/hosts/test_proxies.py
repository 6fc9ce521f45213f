"""A bridge behind nginx and behind Caddy, both with the files of `scripts/deploy`: calls, feeds and the page."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.event_stream import Parser
from bridge.local import sample
from bridge.local.deepgram import LocalDeepgram
from bridge.local.script import TimedRecognizers, load_script
from scripts.benchmark.target import free_port
from tests.fakes.running import ROOT, TWILIO_TOKEN, serving
from tests.fakes.waiting import until
from tests.hosts import proxies
from tests.hosts.proxies import Proxy

pytestmark = pytest.mark.hosts

READER = "a-token-for-readers-behind-a-proxy"
BEARER = {"Authorization": f"Bearer {READER}"}
LONGEST = 60.0
"""Seconds that a call may take, its command's start included."""
SPEED = 8.0
"""Times real time: the sample call then takes seven seconds."""


@dataclass
class Site:
    """A bridge, the proxy in front of it, and a client."""

    proxy: Proxy
    client: aiohttp.ClientSession
    environment: dict[str, str]
    process: asyncio.subprocess.Process
    """The bridge's."""

    @property
    def media(self) -> str:
        """The media socket's URL."""
        return f"wss://localhost:{self.proxy.port}/media/twilio"

    async def call(self, *arguments: str) -> tuple[int, str]:
        """`bridge call` from outside; its status, and what it says."""
        return await self.command("call", *arguments, "--speed", str(SPEED))

    async def command(self, *arguments: str) -> tuple[int, str]:
        """Any command, which trusts the proxy and has the readers' token."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bridge", *arguments),
            cwd=ROOT,
            env={**os.environ, "SSL_CERT_FILE": str(self.proxy.authority), "BRIDGE_READ_TOKENS": READER},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            said, _ = await asyncio.wait_for(process.communicate(), LONGEST)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode is not None
        return process.returncode, said.decode()


@pytest.fixture(params=["nginx", "caddy"])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    """Behind each."""
    async with behind(request.param, tmp_path) as site:
        yield site


@contextlib.asynccontextmanager
async def behind(name: str, tmp_path: Path) -> AsyncIterator[Site]:
    """A bridge behind this proxy; signatures are checked, over the public URL."""
    proxies.program(name)
    port, bridge_port = free_port(), free_port()
    folder = tmp_path / "proxy"
    folder.mkdir()
    async with LocalDeepgram(TimedRecognizers(load_script(sample.SCRIPT))) as deepgram:
        environment = {
            "HOST": "127.0.0.1",
            "PORT": str(bridge_port),
            "PUBLIC_URL": f"https://localhost:{port}",
            "DATA_DIR": str(tmp_path / "data"),
            "DEEPGRAM_URL": deepgram.url,
            "DEEPGRAM_API_KEY": "key",
            "TWILIO_AUTH_TOKEN": TWILIO_TOKEN,
            "BRIDGE_READ_TOKENS": READER,
            "BRIDGE_REPLAY_SPEED": "1000",
            "BRIDGE_STOP_TIMEOUT": "5",
        }
        async with (
            getattr(proxies, name)(folder, port, bridge_port) as proxy,
            serving(environment) as (process, _),
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=proxy.tls)) as client,
        ):
            yield Site(proxy, client, environment, process)


@dataclass
class Feed:
    """What a feed has brought so far."""

    types: list[str] = field(default_factory=list)
    is_open: bool = False


async def read_event_stream(site: Site, feed: Feed) -> None:
    headers = {**BEARER, "Accept": "text/event-stream"}
    async with site.client.get(f"{site.proxy.origin}/calls/live", headers=headers, timeout=None) as response:
        assert response.status == 200
        feed.is_open, parser = True, Parser()
        async for data in response.content.iter_any():
            for event in parser.receive(data):
                feed.types.append(event.event)


async def read_socket(site: Site, feed: Feed) -> None:
    async with site.client.ws_connect(f"{site.proxy.origin}/calls/live", headers=BEARER) as socket:
        feed.is_open = True
        async for message in socket:
            feed.types.append(json.loads(message.data)["type"])


@contextlib.asynccontextmanager
async def reading(site: Site) -> AsyncIterator[list[Feed]]:
    """Both kinds of feed, from before the call."""
    feeds = [Feed(), Feed()]
    tasks = [
        asyncio.create_task(read(site, feed))
        for read, feed in zip((read_event_stream, read_socket), feeds, strict=True)
    ]
    try:
        await until(lambda: all(feed.is_open for feed in feeds) or any(task.done() for task in tasks))
        yield feeds
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results), results


async def the_call(site: Site) -> dict[str, Any]:
    async with site.client.get(f"{site.proxy.origin}/calls", headers=BEARER) as response:
        assert response.status == 200
        (call,) = (await response.json())["calls"]
    return dict(call)


async def test_a_call_is_heard_and_read_live_through_the_proxy(site: Site) -> None:
    async with reading(site) as feeds:
        voice = f"{site.proxy.origin}/twiml/voice"
        calling = asyncio.create_task(site.call("--voice", voice, "--token", TWILIO_TOKEN))
        await until(lambda: all("transcript.final" in feed.types for feed in feeds) or calling.done(), LONGEST)
        assert not calling.done(), f"a feed had no words before the call was over: {feeds}"
        status, said = await calling
        assert status == 0, said
        await until(lambda: all("call.ended" in feed.types for feed in feeds))

    call = await the_call(site)
    assert call["ended_at"] and call["missing"] == 0
    async with site.client.get(f"{site.proxy.origin}/calls/{call['id']}/transcript.txt", headers=BEARER) as response:
        assert len((await response.text()).split()) > 20


async def test_several_calls_at_once_are_complete(site: Site) -> None:
    many = ("--calls", "5", "--seconds", "3", "--ramp", "0.5", "--token", TWILIO_TOKEN)
    status, said = await site.command("load", "--to", site.media, *many)
    assert status == 0, said
    assert "started 5   finished 5   complete 5" in said


async def test_requests_without_twilios_signature_are_refused(site: Site) -> None:
    for arguments in (("--to", site.media), ("--to", site.media, "--token", "of-another-account")):
        status, said = await site.call(*arguments)
        assert status == 2 and "403" in said
    async with site.client.post(f"{site.proxy.origin}/twiml/voice", data={"CallSid": "CA1"}) as response:
        assert response.status == 403


async def test_the_page_is_served_and_logs_in_by_its_public_name(site: Site) -> None:
    origin = site.proxy.origin
    async with site.client.get(f"{origin}/") as response:
        assert response.status == 200 and response.content_type == "text/html"
    async with site.client.get(f"{origin}/healthz") as response:
        assert response.status == 200 and (await response.json())["status"] == "ok"
    async with site.client.post(f"{origin}/login", json={"token": READER}, headers={"Origin": origin}) as response:
        assert response.status == 200
        assert "secure" in response.headers["Set-Cookie"].lower()
    async with site.client.get(f"{origin}/calls", headers={"Sec-Fetch-Site": "same-origin"}) as response:
        assert response.status == 200


async def test_nginx_logs_no_token_of_a_link(tmp_path: Path) -> None:
    async with behind("nginx", tmp_path) as site:
        async with site.client.get(f"{site.proxy.origin}/calls/CA1?access=1.secret") as response:
            assert response.status == 401
        log = site.proxy.log
        assert log is not None
        await until(lambda: "/calls/CA1" in log.read_text())
        assert "secret" not in log.read_text()


async def test_caddy_holds_requests_while_the_bridge_restarts(tmp_path: Path) -> None:
    async with behind("caddy", tmp_path) as site:
        site.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(site.process.wait(), 30) == 0
        asked = asyncio.create_task(site.client.get(f"{site.proxy.origin}/healthz").__aenter__())
        async with serving(site.environment):
            response = await asyncio.wait_for(asked, 30)
            assert response.status == 200
            response.release()


async def test_a_request_goes_to_a_node_that_can_take_a_call(tmp_path: Path) -> None:
    """Behind the Caddyfile for several nodes: one that is not ready gets nothing, one that has died costs nothing."""
    ready = {"one": True, "two": True}
    async with contextlib.AsyncExitStack() as stack:
        nodes = {name: await stack.enter_async_context(_node(name, ready)) for name in ready}
        proxy = await stack.enter_async_context(
            proxies.caddy(tmp_path, free_port(), *(node.port or 0 for node in nodes.values()))
        )
        client = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=proxy.tls)))

        async def who() -> str:
            async with client.get(f"{proxy.origin}/who") as response:
                assert response.status == 200
                return await response.text()

        async def only(name: str) -> None:
            async with asyncio.timeout(LONGEST):
                while {await who() for _ in range(6)} != {name}:
                    await asyncio.sleep(0.05)

        ready["one"] = False
        await only("two")
        ready.update(one=True, two=False)
        await only("one")
        ready["two"] = True
        await nodes["one"].close()
        assert {await who() for _ in range(6)} == {"two"}


@contextlib.asynccontextmanager
async def _node(name: str, ready: dict[str, bool]) -> AsyncIterator[TestServer]:
    """What stands in a node's place: it says its name, and whether it is ready."""

    async def say(request: web.Request) -> web.Response:
        return web.Response(text=name)

    async def readiness(request: web.Request) -> web.Response:
        return web.Response(status=200 if ready[name] else 503)

    app = web.Application()
    app.add_routes([web.get("/who", say), web.get("/readyz", readiness)])
    async with TestServer(app, host="127.0.0.1") as server:
        yield server
