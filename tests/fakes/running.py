"""The bridge, running in this process on a free port, with everything around it on loopback."""

import contextlib
import secrets

from aiohttp import web

from bridge import app, config
from bridge.local.deepgram import LocalDeepgram
from bridge.local.script import CodedRecognizers, encode, random_script
from bridge.store.base import Query
from bridge.store.sqlite import SQLiteStore

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
async def bridge(configured):
    """Serves until left; yields the origin, `http://127.0.0.1:port`."""
    runner = web.AppRunner(app.build(configured), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, configured.host, configured.port).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


async def record(data_dir, call_id):
    """The events of a call in the store of a bridge that is not running any more."""
    async with SQLiteStore(data_dir) as store:
        return await store.read(Query(call_id), limit=10_000)
