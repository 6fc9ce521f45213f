"""A tunnel from the internet to a port of this machine: one that is there, or one that is started, and ended again.

    1. a running ngrok or cloudflared that leads to the port: it is used, and left running
    2. a running ngrok that leads elsewhere: it is asked for one more tunnel, which is taken back at the end
    3. ngrok or cloudflared, where it is installed: it is started, and ended at the end

`ingress` reads what they say.
"""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from bridge.cli.ingress import PROGRAMS, Program, Said, cloudflared_url, ngrok_url
from bridge.errors import BridgeError

log = logging.getLogger("bridge.tunnel")

_LOOK = 1.0  # seconds for a program on this machine to say what it has
_ASK = 15.0  # seconds for ngrok to make another tunnel
_START = 45.0  # seconds for a program to have a tunnel
_END = 5.0  # seconds for it to end
_LONGEST_LINE = 1 << 20  # octets


class TunnelError(BridgeError):
    """There is no way from the internet to this machine."""


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A way to this machine."""

    url: str
    """The https origin."""
    made_by: str
    """Who has made it, as a person reads it."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the programs tell what they have, if they run: at the first that is free of these."""

    ngrok: Sequence[str] = tuple(f"http://127.0.0.1:{port}" for port in (4040, 4041, 4042))
    cloudflared: Sequence[str] = tuple(f"http://127.0.0.1:{port}" for port in range(20241, 20246))


@asynccontextmanager
async def exposed(address: str, places: Places | None = None) -> AsyncIterator[Tunnel]:
    """A tunnel to `address`, `127.0.0.1:8080`, until it is left. Raises TunnelError."""
    places = places or Places()
    port = int(address.rpartition(":")[2])
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_LOOK)) as session:
        if found := await _running(session, places, port):
            yield found
            return
        for agent in places.ngrok:
            if await _json(session, f"{agent}/api/tunnels") is not None:
                async with _asked(session, agent, address) as tunnel:
                    yield tunnel
                return
    async with _started(address) as tunnel:
        yield tunnel


async def _running(session: aiohttp.ClientSession, places: Places, port: int) -> Tunnel | None:
    for url in places.ngrok:
        if found := ngrok_url(await _json(session, f"{url}/api/tunnels"), port):
            return Tunnel(found, "the ngrok that runs")
    for url in places.cloudflared:
        quick, config = await _json(session, f"{url}/quicktunnel"), await _json(session, f"{url}/config")
        if found := cloudflared_url(quick, config, port):
            return Tunnel(found, "the cloudflared that runs")
    return None


@asynccontextmanager
async def _asked(session: aiohttp.ClientSession, agent: str, address: str) -> AsyncIterator[Tunnel]:
    """One more tunnel of a running ngrok: a free account may not start a second one. Raises TunnelError."""
    name = f"bridge-{os.getpid()}"
    wanted = {"name": name, "proto": "http", "addr": address}
    patience = aiohttp.ClientTimeout(total=_ASK)
    try:
        async with session.post(f"{agent}/api/tunnels", json=wanted, timeout=patience) as response:
            made = await response.json(content_type=None)
            url = made.get("public_url") if response.status == 201 and isinstance(made, dict) else None
    except (aiohttp.ClientError, TimeoutError, ValueError):
        url = None
    if not str(url).startswith("https://"):
        raise TunnelError(f"the ngrok that runs makes no second tunnel: end it, or start it as `ngrok http {address}`")
    try:
        yield Tunnel(str(url), "the ngrok that runs, for the time")
    finally:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):  # it has ended itself
            async with session.delete(f"{agent}/api/tunnels/{name}"):
                pass


@asynccontextmanager
async def _started(address: str) -> AsyncIterator[Tunnel]:
    """A tunnel of the first program that is installed and makes one. Raises TunnelError, with what each one says."""
    faults = []
    async with contextlib.AsyncExitStack() as stack:
        for program in PROGRAMS:
            if shutil.which(program.name) is None:
                continue
            try:
                url = await stack.enter_async_context(_run(program, address))
            except TunnelError as error:
                faults.append(str(error))
                continue
            yield Tunnel(url, program.name)
            return
    raise TunnelError(
        "; ".join(faults)
        or "neither ngrok nor cloudflared is installed: install one of them, or set PUBLIC_URL to your own https proxy"
    )


@asynccontextmanager
async def _run(program: Program, address: str) -> AsyncIterator[str]:
    """Run it until it is left; the URL of its tunnel. Raises TunnelError."""
    process = await asyncio.create_subprocess_exec(
        *program.command(address),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=_LONGEST_LINE,
        start_new_session=True,  # Ctrl-C is for us: calls go on through the tunnel until they are finished
    )
    watching: asyncio.Task[None] | None = None
    try:
        url = await _url(program, process)
        watching = asyncio.create_task(_watch(program, process))
        yield url
    finally:
        if watching:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        await _end(process)


async def _url(program: Program, process: asyncio.subprocess.Process) -> str:
    """As soon as there is a tunnel. Raises TunnelError with the first thing that it says of why there is none."""
    url, connected = None, False
    fault = remedy = None
    try:
        async with asyncio.timeout(_START):
            async for said in _said(program, process):
                url, connected = said.url or url, said.connected or connected
                fault, remedy = fault or said.fault, said.remedy or remedy
                if url and connected:
                    return url
        why = "it has ended"
    except TimeoutError:
        why = f"it has none after {_START:.0f} s"
    raise TunnelError(f"{program.name} makes no tunnel: {fault or why}{f'; {remedy}' if remedy else ''}")


async def _watch(program: Program, process: asyncio.subprocess.Process) -> None:
    """Read on, so that it is not held up, and say when it ends."""
    async for said in _said(program, process):
        if said.fault:
            log.warning("the tunnel has trouble", extra={"program": program.name, "reason": said.fault})
    log.error(
        "the tunnel has ended: no call gets here any more",
        extra={"program": program.name, "remedy": "start the bridge again"},
    )


async def _said(program: Program, process: asyncio.subprocess.Process) -> AsyncIterator[Said]:
    assert process.stdout
    with contextlib.suppress(ValueError):  # a line without an end
        async for line in process.stdout:
            yield program.read(line.decode(errors="replace").rstrip())


async def _end(process: asyncio.subprocess.Process) -> None:
    """End it, with what it has started, and let go of what it writes to."""
    assert process.stdout
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END):
                await process.wait()
                while await process.stdout.read(_LONGEST_LINE):
                    pass
                return


async def _json(session: aiohttp.ClientSession, url: str) -> Any:
    """What is told there; None: nothing, or no JSON."""
    try:
        async with session.get(url, allow_redirects=False) as response:
            return await response.json(content_type=None) if response.status == 200 else None
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return None
