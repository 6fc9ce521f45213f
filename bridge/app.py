"""Everything wired together: the one place that constructs what must be closed, and closes it in the right order.

Opened as store, sender, calls; closed the other way round, so that on SIGTERM the last words of every call reach the
store, then the webhook, and only then is the record shut.
"""

import asyncio
import hashlib
import logging
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from random import Random

from aiohttp import web

from bridge.align import AlignPolicy
from bridge.call import CallPolicy, Switchboard
from bridge.config import Settings
from bridge.deepgram import options
from bridge.deepgram.exchange import SessionPolicy
from bridge.delivery.sender import Sender
from bridge.delivery.signing import Signer
from bridge.store.sqlite import SQLiteStore
from bridge.web.media import TWILIO_PATH, MediaDoor, MediaPolicy
from bridge.web.operations import OperationsDoor
from twiml import web as twiml_web
from twiml.web import StreamStatus, VoiceSettings

log = logging.getLogger("bridge.app")

ENDPOINT = "webhook"
"""The lanes' name for `WEBHOOK_URL`; a new URL takes the same lanes over."""


def build(settings: Settings) -> web.Application:
    """The application, checked but not started. Raises ConfigError for settings that cannot work."""
    app = web.Application(client_max_size=64 * 1024)
    store = SQLiteStore(settings.data_dir, [ENDPOINT] if settings.webhook_url else [])
    sender = _sender(settings, store)
    switchboard = Switchboard(
        store,
        call_policy(settings),
        options=options.parse(settings.deepgram_options),
        overrides=settings.overrides,
        max_calls=settings.bridge_max_calls,
        wall=time.time,
        random=Random(),
    )
    token_secret = _token_secret(settings)
    media = MediaDoor(switchboard, _media_policy(settings, token_secret), time.time)
    counters = {"calls": lambda: switchboard.counters, "store": lambda: store.counters}
    if sender:
        counters["delivery"] = lambda: sender.counters
    operations = OperationsDoor(switchboard, counters)

    async def keep_store(_: web.Application) -> AsyncIterator[None]:
        async with store:
            await switchboard.recover()
            yield

    async def keep_sending(_: web.Application) -> AsyncIterator[None]:
        if sender is None:
            yield
            return
        async with sender:
            yield
            await sender.drain(settings.bridge_stop_timeout / 2)

    async def end_calls(_: web.Application) -> None:
        operations.stopping = True
        try:
            async with asyncio.timeout(settings.bridge_stop_timeout):
                await switchboard.close("server_stopping")
        except TimeoutError:
            log.warning("calls cut off", extra={"calls": len(switchboard.calls)})
        await media.close()

    app.cleanup_ctx.append(keep_store)
    app.cleanup_ctx.append(keep_sending)
    app.on_shutdown.append(end_calls)
    app.add_routes(media.routes())
    app.add_routes(operations.routes())
    if settings.public_url:
        app.add_routes(twiml_web.routes(voice_settings(settings, token_secret), _stream_status(switchboard)))
    return app


async def serve(settings: Settings, started: Callable[[str], None] = lambda url: None) -> None:
    """Serve until SIGTERM or SIGINT, then finish what can be finished. `started` is told the local URL."""
    # The store's thread takes the interpreter back several times in a commit, each time waiting so long at the most.
    sys.setswitchinterval(0.0005)
    runner = web.AppRunner(build(settings), access_log=None, shutdown_timeout=5.0)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await runner.setup()
        site = web.TCPSite(runner, settings.host, settings.port)
        await site.start()
        url = _local_url(runner)
        log.info("serving", extra={"url": url, "public_url": settings.public_url})
        started(url)
        await stop.wait()
        log.info("stopping")
    finally:
        await runner.cleanup()


def call_policy(settings: Settings) -> CallPolicy:
    """What all calls have in common."""
    labels = {"inbound": settings.bridge_label_inbound, "outbound": settings.bridge_label_outbound}
    return CallPolicy(
        deepgram_url=settings.deepgram_url,
        deepgram_key=settings.deepgram_api_key.get_secret_value() if settings.deepgram_api_key else "",
        align=AlignPolicy(chunk_ms=settings.bridge_chunk_ms, hold_ms=settings.bridge_hold_ms),
        session=SessionPolicy(
            window=settings.bridge_replay_window,
            speed=settings.bridge_replay_speed,
            flush=settings.bridge_flush_timeout,
        ),
        labels={track: label for track, label in labels.items() if label},
        public_url=settings.public_url,
    )


def voice_settings(settings: Settings, token_secret: bytes | None) -> VoiceSettings:
    """How calls are answered; without a secret the streams get no token, as in a TwiML Bin."""
    labels = {"inbound": settings.bridge_label_inbound, "outbound": settings.bridge_label_outbound}
    return VoiceSettings(
        public_url=settings.public_url or "",
        auth_tokens=settings.twilio_auth_tokens,
        signature=settings.signature_mode,
        token_secret=token_secret,
        dial=settings.bridge_dial,
        caller_id=settings.bridge_caller_id,
        say=settings.bridge_say,
        pause=settings.bridge_pause,
        speakers={track: label for track, label in labels.items() if label},
        stream_path=TWILIO_PATH,
    )


def _sender(settings: Settings, store: SQLiteStore) -> Sender | None:
    if not settings.webhook_url or not settings.webhook_secret:
        return None
    signer = Signer(settings.webhook_secret.get_secret_value())
    return Sender(store, settings.webhook_url, signer, endpoint=ENDPOINT, interims=settings.webhook_interim)


def _media_policy(settings: Settings, token_secret: bytes) -> MediaPolicy:
    return MediaPolicy(
        public_url=settings.public_url,
        auth_tokens=settings.twilio_auth_tokens,
        signature_mode=settings.signature_mode,
        token_secret=token_secret,
        require_token=settings.bridge_require_token,
        start_timeout=settings.bridge_start_timeout,
        idle_timeout=settings.bridge_idle_timeout,
    )


def _token_secret(settings: Settings) -> bytes:
    """From the auth token, so that all processes agree and a restart does not turn streams away; else by chance."""
    if settings.twilio_auth_tokens:
        return hashlib.sha256(b"stream tokens\n" + settings.twilio_auth_tokens[0].encode()).digest()
    return secrets.token_bytes(32)


def _stream_status(switchboard: Switchboard) -> twiml_web.OnStreamStatus:
    async def receive(status: StreamStatus) -> None:
        if status.error is not None:
            await switchboard.fail_stream(status.call_id, status.stream_id, status.error)

    return receive


def _local_url(runner: web.AppRunner) -> str:
    host, port = runner.addresses[0][:2]
    return f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"
