"""Everything wired together: the one place that constructs what must be closed, and closes it in the right order.

Opened as store, sender, calls; closed the other way round, so that on SIGTERM the last words of every call reach the
store, then the webhook, and only then is the record shut.
"""

import asyncio
import logging
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from random import Random

from aiohttp import web

from bridge.align import AlignPolicy
from bridge.call import CallPolicy, CallRegistry, ContinuityPolicy, Services
from bridge.call.backfill import Backfill, BackfillPolicy
from bridge.call.call_options import CallOptions
from bridge.call.eraser import Eraser
from bridge.clock import SystemClock
from bridge.config import Settings
from bridge.deepgram.breaker import CircuitBreaker
from bridge.deepgram.exchange import SessionPolicy
from bridge.deepgram.options import parse
from bridge.delivery.sender import Sender
from bridge.delivery.signing import Signer
from bridge.errors import ConfigError, StoreError
from bridge.live import Live
from bridge.store.audio import AudioStore, Recordings
from bridge.store.audio.retention import Retention
from bridge.store.base import ManagedStore
from bridge.store.opening import open_store
from bridge.store.token import own_token
from bridge.web import carriers
from bridge.web.access import Access
from bridge.web.calls import CallHandlers
from bridge.web.deliveries import DeliveryHandlers
from bridge.web.feed import FeedHandlers
from bridge.web.operations import Gauge, OperationsHandlers
from bridge.web.static import PageHandlers
from twiml import web as twiml_web
from twiml.issued import IssuedTokens

log = logging.getLogger("bridge.app")

ENDPOINT = "webhook"
"""The lanes' name for `WEBHOOK_URL`; a new URL takes the same lanes over."""

_LARGEST_BODY = 64 * 1024  # octets of a request
_SHARE_OF_CALLS = 0.75  # of the time to stop, for the last words; the rest is for delivering them

REQUESTS = "backfill"
"""Folder in `DATA_DIR` through which `bridge backfill` asks a running server."""


REGISTRY = web.AppKey("registry", CallRegistry)


def build(settings: Settings) -> web.Application:
    """The application, checked but not started. Raises ConfigError for settings that cannot work."""
    app = web.Application(client_max_size=_LARGEST_BODY)
    token_secret, issued = carriers.token_secret(settings), IssuedTokens()
    store = _store(settings)
    recordings = Recordings(settings.data_dir, unfinished=settings.bridge_recordings)
    sender = _sender(settings, store)
    audio, live, breaker = audio_store(settings), Live(store), CircuitBreaker()
    options = call_options(settings)
    policy, requests = backfill_policy(settings), settings.data_dir / REQUESTS
    backfill = Backfill(store, audio, breaker, policy, options, wall=time.time, random=Random(), requests=requests)
    clock = SystemClock()
    services = Services(
        call_policy(settings), store, breaker, options, clock, Random(), carriers.reforks(settings, token_secret)
    )
    registry = CallRegistry(
        services,
        max_calls=settings.bridge_max_calls,
        audio=audio if settings.bridge_audio_limit else None,
        on_uncovered=backfill.offer,
        had_token=issued.issued,
    )
    media = carriers.media_handlers(registry, settings, token_secret)
    stop = _Stop(settings.bridge_stop_timeout)
    operations = _operations(registry, breaker, store, audio, backfill, sender, live)

    async def keep_open(_: web.Application) -> AsyncIterator[None]:
        async with store, audio, _retention(settings, recordings), AsyncExitStack() as stack:
            if sender:
                await stack.enter_async_context(sender)
                stack.push_async_callback(lambda: sender.drain(stop.left()))
            await stack.enter_async_context(backfill)
            recovery = asyncio.create_task(_recover(registry, backfill))
            yield
            recovery.cancel()
            await asyncio.gather(recovery, return_exceptions=True)

    async def end_calls(_: web.Application) -> None:
        operations.stopping = True
        stop.begin()
        finish = registry.end_all if settings.bridge_stop == "end" else registry.leave_all
        await finish(stop.left() * _SHARE_OF_CALLS)
        await live.finish()  # after the calls: those who follow one see its end
        await media.close()

    app[REGISTRY] = registry
    app.cleanup_ctx.append(keep_open)
    app.on_shutdown.append(end_calls)
    app.add_routes([*media.routes(), *operations.routes(), *PageHandlers().routes()])
    readers = Access(read_tokens(settings), settings.public_url, time.time)
    eraser = Eraser(store, audio, recordings, backfill)
    calls = CallHandlers(store, readers, endpoint=ENDPOINT, delete=eraser.erase, recordings=recordings, wall=time.time)
    feed = FeedHandlers(live, store, readers, calls.events, Random())
    app.add_routes([*readers.routes(), *feed.routes(), *calls.routes()])
    app.add_routes(DeliveryHandlers(sender.resume if sender else None, store, readers).routes())
    if settings.public_url and settings.answers_twilio:
        voice = replace(carriers.voice_settings(settings, token_secret), on_token=issued.note)
        app.add_routes(twiml_web.routes(voice, carriers.stream_status(registry)))
    return app


async def _recover(registry: CallRegistry, backfill: Backfill) -> None:
    """Take up what another process has left; meanwhile streams are let in."""
    try:
        await registry.recover()
        await backfill.recover()
    except StoreError as error:
        log.error("not all was recovered", extra={"reason": str(error)})


async def serve(settings: Settings, started: Callable[[str], None] = lambda url: None) -> int:
    """Serve until SIGTERM or SIGINT, then finish what can be finished. `started` is told the local URL.

    Returns how many events could not be kept.
    """
    # The store's thread takes the interpreter back several times in a commit, each time waiting so long at the most.
    sys.setswitchinterval(0.0005)
    application = build(settings)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=5.0)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await runner.setup()
        site = web.TCPSite(runner, settings.host, settings.port)
        try:
            await site.start()
        except OSError as error:
            raise ConfigError(f"cannot listen at {settings.host}:{settings.port}: {error.strerror}") from error
        url = _local_url(runner)
        log.info("serving", extra={"url": url, "public_url": settings.public_url})
        started(url)
        await stop.wait()
        log.info("stopping")
    finally:
        await runner.cleanup()
    return application[REGISTRY].unkept


async def backfill(settings: Settings, call_id: str, patience: float) -> bool:
    """Transcribe what one call lacks from its kept audio, without a server; whether all of it is done.

    What comes of it is delivered when a server runs again. Raises StoreError where one is running, or there is nothing.
    """
    store = _store(settings)
    async with store, audio_store(settings) as audio:
        if call_id not in audio.kept():
            raise StoreError(f"no audio is kept of {call_id}")
        policy = replace(backfill_policy(settings), timeout=0.0)  # how long is for `patience` to say
        async with Backfill(
            store, audio, CircuitBreaker(), policy, call_options(settings), wall=time.time, random=Random()
        ) as service:
            return await service.offer(call_id, patience)


def _store(settings: Settings) -> ManagedStore:
    return open_store(settings.data_dir, [ENDPOINT] if settings.webhook_url else [])


def audio_store(settings: Settings) -> AudioStore:
    """Where the audio of calls is while somebody needs it, and whether it stays after that."""
    limit = settings.bridge_audio_limit * 1_000_000
    return AudioStore(settings.data_dir, limit=limit, keep=settings.bridge_recordings)


def read_tokens(settings: Settings) -> tuple[str, ...]:
    """Who may read; the record's own token where none is set. Raises StoreError where that cannot be kept."""
    return settings.read_tokens or (own_token(settings.data_dir),)


def login_link(settings: Settings, url: str) -> str:
    """Opens the page at this address and logs in; what stands behind the `#` is told to no server."""
    return f"{settings.public_url or url}/#token={read_tokens(settings)[0]}"


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
        continuity=ContinuityPolicy(grace=settings.bridge_grace),
    )


def call_options(settings: Settings) -> CallOptions:
    """What calls are transcribed with, and what each may ask for."""
    return CallOptions(parse(settings.deepgram_options), settings.overrides)


def backfill_policy(settings: Settings) -> BackfillPolicy:
    """How kept audio is transcribed after the call."""
    return BackfillPolicy(
        origin=settings.deepgram_url,
        key=settings.deepgram_api_key.get_secret_value() if settings.deepgram_api_key else "",
        timeout=settings.bridge_backfill_timeout,
        keep=settings.bridge_backfill_days * 86400,
    )


class _Stop:
    """One deadline for everything that is still done after SIGTERM."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends: float | None = None

    def begin(self) -> None:
        """Now."""
        self._ends = asyncio.get_running_loop().time() + self._seconds

    def left(self) -> float:
        """Seconds."""
        return self._seconds if self._ends is None else max(0.0, self._ends - asyncio.get_running_loop().time())


def _operations(
    registry: CallRegistry,
    breaker: CircuitBreaker,
    store: ManagedStore,
    audio: AudioStore,
    backfill: Backfill,
    sender: Sender | None,
    live: Live,
) -> OperationsHandlers:
    counters = {
        "calls": registry.counters,
        "ended_calls": registry.ended,
        "store": store.counters,
        "audio": audio.counters,
        "backfill": backfill.counters,
    }
    gauges: dict[str, Gauge] = {
        "calls": ("Calls going on", lambda: len(registry.calls)),
        "calls_interrupted": ("Calls that wait for Deepgram", lambda: registry.interrupted),
        "deepgram_refuses": (
            "1: Deepgram is down or refuses, and is spared",
            lambda: not breaker.is_open,
        ),
        "calls_to_backfill": ("Calls that have ended and whose kept audio is transcribed", lambda: backfill.waiting),
        "readers": ("Access of live feeds", lambda: live.followers),
    }
    if sender:
        counters["delivery"] = sender.counters
        gauges |= {
            "calls_to_deliver": ("Calls of which something waits for the webhook", lambda: store.lanes_waiting),
            "webhook_refuses": ("1: the webhook is down or gone, and is spared", lambda: not sender.healthy),
        }
    return OperationsHandlers(registry, counters, gauges)


def _retention(settings: Settings, recordings: Recordings) -> Retention:
    max_age = settings.bridge_recording_days * 86400 or None
    return Retention(recordings, max_age, settings.bridge_recording_limit * 1_000_000 or None, time.time)


def _sender(settings: Settings, store: ManagedStore) -> Sender | None:
    if not settings.webhook_url or not settings.webhook_secret:
        return None
    signer = Signer(settings.webhook_secret.get_secret_value())
    return Sender(store, settings.webhook_url, signer, endpoint=ENDPOINT, interims=settings.webhook_interim)


def _local_url(runner: web.AppRunner) -> str:
    host, port = runner.addresses[0][:2]
    return f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"
