"""The bridge, running in this process or in one of its own, with everything around it on loopback."""

import asyncio
import contextlib
import os
import secrets
import socket
import sys
from pathlib import Path

from aiohttp import web

from bridge import app, config
from bridge.local.deepgram import LocalDeepgram
from bridge.local.script import CodedRecognizers, encode, random_script
from bridge.store.base import Query
from bridge.store.sqlite import SQLiteStore
from bridge.web.server import Site

ROOT = Path(__file__).parent.parent.parent

SCRIPT = random_script(5, 12.0)
AUDIO = encode(SCRIPT, 12.0)
"""What the script sounds like: inbound, outbound."""

WEBHOOK_SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TWILIO_TOKEN = secrets.token_hex(16)


@contextlib.asynccontextmanager
async def deepgram(script=SCRIPT):
    async with LocalDeepgram(CodedRecognizers(script)) as server:
        yield server


def settings(data_dir, deepgram_url, **given):
    """Settings for loopback: streams unsigned unless a test says otherwise, audio as fast as it comes."""
    return config.load(
        {},
        **{
            "host": "127.0.0.1",
            "port": 0,
            "data_dir": data_dir,
            "deepgram_url": deepgram_url,
            "deepgram_api_key": "key",
            "twilio_signature": "off",
            "bridge_replay_speed": 1000.0,
            "bridge_stop_timeout": 5.0,
            "bridge_grace": 0.0,
            **given,
        },
    )


@contextlib.asynccontextmanager
async def bridge(configured, application=None):
    """Serves until left; yields the origin, `http://127.0.0.1:port`."""
    application = application or app.build(configured)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = Site(runner, application[app.CONNECTIONS], configured.host, configured.port)
        await site.start()
        yield site.name
    finally:
        await runner.cleanup()


def free_port():
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.asynccontextmanager
async def serving(environment, *arguments):
    """`bridge serve` in a process of its own; yields (process, port)."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bridge",
        "serve",
        *arguments,
        cwd=ROOT,
        # Its own look at Deepgram would be the first connection there, and tests count these.
        env={**os.environ, "BRIDGE_START_CHECKS": "false", **environment},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process, await port_of(process)
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.communicate(), 30)


async def port_of(process):
    """From the log line that says where it serves."""
    async with asyncio.timeout(30):
        async for line in process.stderr:
            if b'"serving"' in line:
                return int(line.partition(b"127.0.0.1:")[2].partition(b'"')[0])
    raise AssertionError("the bridge did not start")


async def record(data_dir, call_id):
    """The events of a call in the store of a bridge that is not running any more."""
    async with SQLiteStore(data_dir) as store:
        return await store.read(Query(call_id), limit=10_000)
