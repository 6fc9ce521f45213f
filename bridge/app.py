"""Wires the application: constructs everything that must be closed, and closes it in the right order.

The order is store, sender, calls; closing goes the other way, so that on SIGTERM the last words of every call reach the
store, then the webhook, before the store is closed.
"""

import asyncio
import logging
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from random import Random

from aiohttp import web

from bridge import process
from bridge.audio import TELEPHONE
from bridge.call import CallRegistry, Services
from bridge.call.backfill import Backfill
from bridge.call.eraser import Eraser
from bridge.call.intake import Intake
from bridge.clock import SystemClock
from bridge.config import Settings
from bridge.deepgram.mono import dialect_of
from bridge.deepgram.options import Options
from bridge.deepgram.origins import Origins
from bridge.deepgram.prober import Prober
from bridge.delivery.sender import Sender
from bridge.errors import StoreError, StoreInUse
from bridge.live import Live
from bridge.outbox import WEBHOOK
from bridge.policies import (
    audio_store,
    backfill_policy,
    call_options,
    call_policy,
    deepgram_origins,
    event_store,
    own_egress,
    retention,
    senders,
)
from bridge.store.audio import Recordings
from bridge.store.base import ManagedStore
from bridge.store.sessions import EndedSessions
from bridge.store.token import own_token
from bridge.web import carriers
from bridge.web.access import Access, Handler
from bridge.web.backup import BackupHandlers
from bridge.web.calls import CallHandlers
from bridge.web.control import ControlHandlers
from bridge.web.deliveries import DeliveryHandlers
from bridge.web.feed import FeedHandlers
from bridge.web.metering import metered, metered_routes
from bridge.web.server import Connections, file_limit, listen, raise_file_limit, read_in_time
from bridge.web.static import PageHandlers
from twiml.issued import IssuedTokens

log = logging.getLogger("bridge.app")

_LARGEST_BODY = 64 * 1024  # octets of a request
_SHARE_OF_LAST_WORDS = 0.75  # of the time to stop; the rest is for delivering them

_STORE_PATIENCE, _STORE_PAUSE = 5.0, 0.05  # seconds for which the store is waited for, and between two tries

REQUESTS = "backfill"
"""Folder in `DATA_DIR` through which `bridge backfill` asks a running server."""


REGISTRY = web.AppKey("registry", CallRegistry)

CONNECTIONS = web.AppKey("connections", Connections)

METRICS: web.AppKey[Handler] = web.AppKey("metrics")
"""Its handler, for a port of its own."""

FINISH_CALLS: web.AppKey[Callable[[], Awaitable[None]]] = web.AppKey("finish_calls")
"""Leaves or ends every call. The server calls it while it still reads its sockets: from the moment at which aiohttp
shuts down it drops what carriers send, also on sockets that are open."""


def build(settings: Settings) -> web.Application:
    """The application, checked but not started. Raises ConfigError for settings that cannot work."""
    refusals, egress = carriers.refusals(settings), own_egress()
    connections = Connections(settings.bridge_idle_connections, file_limit())
    app = web.Application(client_max_size=_LARGEST_BODY, middlewares=[refusals.middleware, read_in_time])
    token_secret, issued = carriers.token_secret(settings), IssuedTokens()
    store = event_store(settings)
    recordings = Recordings(settings.data_dir, unfinished=settings.bridge_recordings)
    posting = senders(settings, store, egress)
    audio, live, origins = audio_store(settings), Live(store), deepgram_origins(settings, egress)
    options = call_options(settings)
    policy, requests = backfill_policy(settings), settings.data_dir / REQUESTS
    backfill = Backfill(store, audio, origins, policy, options, wall=time.time, random=Random(), requests=requests)
    reforks = carriers.reforks(settings, token_secret, egress)
    services = Services(call_policy(settings), store, origins, options, SystemClock(), Random(), reforks)
    registry = CallRegistry(
        services,
        max_calls=settings.bridge_max_calls,
        audio=audio if settings.bridge_audio_limit else None,
        on_uncovered=backfill.offer,
        had_token=issued.issued,
    )
    media = carriers.media_handlers(registry, settings, token_secret)
    stop, access = _StopDeadline(settings.bridge_stop_timeout), _access(settings)
    operations = metered(registry, services, store, audio, backfill, posting, live, connections, refusals, access)

    async def keep_open(_: web.Application) -> AsyncIterator[None]:
        async with _opened(store), audio, retention(settings, recordings), AsyncExitStack() as stack:
            await _start_posting(stack, list(posting.values()), stop)
            await stack.enter_async_context(_prober(origins, options.options))
            await stack.enter_async_context(backfill)
            await stack.enter_async_context(Intake(store, settings.data_dir, wall=time.time))
            recovery = asyncio.create_task(_recover(registry, backfill))
            yield
            recovery.cancel()
            await asyncio.gather(recovery, return_exceptions=True)

    async def finish_calls() -> None:
        if operations.stopping:
            return
        operations.stopping = True
        stop.begin()
        finish = registry.end_all if settings.bridge_stop == "end" else registry.leave_all
        await finish(stop.left() * _SHARE_OF_LAST_WORDS, close_streams=media.close)
        await live.finish()  # after the calls, so that their followers get the end

    app[REGISTRY], app[FINISH_CALLS], app[CONNECTIONS] = registry, finish_calls, connections
    app[METRICS] = operations.metrics
    app.cleanup_ctx.append(keep_open)
    app.on_shutdown.append(lambda _: finish_calls())
    app.add_routes([*media.routes(), *metered_routes(settings, operations, access), *PageHandlers().routes()])
    eraser = Eraser(store, audio, recordings, backfill)
    shown = [WEBHOOK, *(name for name in posting if name != WEBHOOK)]
    calls = CallHandlers(store, access, endpoints=shown, delete=eraser.erase, recordings=recordings, wall=time.time)
    app.add_routes(FeedHandlers(live, store, access, calls.events, Random()).routes())
    app.add_routes([*access.routes(), *calls.routes(), *ControlHandlers(registry, store, access).routes()])
    app.add_routes(DeliveryHandlers({name: sender.resume for name, sender in posting.items()}, store, access).routes())
    app.add_routes(BackupHandlers(store.copy, settings.data_dir, access).routes())
    app.add_routes(carriers.webhook_routes(settings, token_secret, registry, issued.note))
    return app


def _prober(origins: Origins, options: Options) -> Prober:
    """Asks for what a call without options of its own does."""
    return Prober(origins, options.target(), dialect=partial(dialect_of, options, TELEPHONE.mono))


async def _start_posting(stack: AsyncExitStack, posting: Sequence[Sender], stop: "_StopDeadline") -> None:
    """Deliver until `stack` is left, and then what can be delivered before the deadline, to all endpoints at once."""
    for sender in posting:
        await stack.enter_async_context(sender)

    async def drain() -> None:
        await asyncio.gather(*(sender.drain(stop.left()) for sender in posting))

    stack.push_async_callback(drain)


async def _recover(registry: CallRegistry, backfill: Backfill) -> None:
    """Take up the calls and backfills that another process has left; streams are accepted meanwhile."""
    try:
        await registry.recover()
        await backfill.recover()
    except StoreError as error:
        log.error("not all was recovered", extra={"reason": str(error)})


async def serve(settings: Settings, started: Callable[[str], None] = lambda url: None) -> int:
    """Serve until SIGTERM or SIGINT, then finish what can be finished. `started` is called with the local URL.

    Returns how many events could not be kept.
    """
    process.share_interpreter()
    raise_file_limit(settings.bridge_max_calls)
    application = build(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        site = await listen(stack, application, application[CONNECTIONS], settings.host, settings.port)
        if settings.metrics_address:
            metrics = web.Application(middlewares=[read_in_time])
            metrics.add_routes([web.get("/metrics", application[METRICS])])
            apart = await listen(stack, metrics, application[CONNECTIONS], *settings.metrics_address)
            log.info("serving metrics", extra={"url": f"{apart.name}/metrics"})
        log.info("serving", extra={"url": site.name, "public_url": settings.public_url})
        process.spare_collector()
        started(site.name)
        await stop.wait()
        log.info("stopping")
        await site.stop()
        await application[FINISH_CALLS]()
    return application[REGISTRY].unkept


async def backfill(settings: Settings, call_id: str, patience: float) -> bool:
    """Transcribe what one call lacks from its kept audio, without a server. Returns whether all of it is done.

    The finals are delivered when a server runs again. `patience`: seconds for which to retry. Raises StoreError if a
    server is running, or no audio is kept.
    """
    store = event_store(settings)
    async with store, audio_store(settings) as audio:
        if call_id not in audio.kept():
            raise StoreError(f"no audio is kept of {call_id}")
        policy = replace(backfill_policy(settings), timeout=0.0)  # `patience` bounds it instead
        origins = deepgram_origins(settings, own_egress())
        async with Backfill(
            store, audio, origins, policy, call_options(settings), wall=time.time, random=Random()
        ) as service:
            return await service.offer(call_id, patience)


def read_tokens(settings: Settings) -> tuple[str, ...]:
    """The tokens that give access; the record's own if none is set. Raises StoreError if that cannot be kept."""
    return settings.read_tokens or (own_token(settings.data_dir),)


@asynccontextmanager
async def _opened(store: ManagedStore) -> AsyncIterator[None]:
    """Open the store, as soon as a command such as `bridge import` lets it go. Raises StoreError."""
    ends = time.monotonic() + _STORE_PATIENCE
    async with AsyncExitStack() as stack:
        while True:
            try:
                await stack.enter_async_context(store)
                break
            except StoreInUse:
                if time.monotonic() > ends:
                    raise
            await asyncio.sleep(_STORE_PAUSE)
        yield


def _access(settings: Settings) -> Access:
    ended = EndedSessions(settings.data_dir, time.time())
    return Access(read_tokens(settings), settings.public_url, time.time, ended)


def login_link(settings: Settings, url: str) -> str:
    """A link that opens the page at this address and logs in; a browser sends no server what follows the `#`."""
    return f"{settings.public_url or url}/#token={read_tokens(settings)[0]}"


class _StopDeadline:
    """One deadline for everything that is done after SIGTERM."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends: float | None = None

    def begin(self) -> None:
        """Start the time at the present moment."""
        self._ends = asyncio.get_running_loop().time() + self._seconds

    def left(self) -> float:
        """Seconds until the deadline; all of them before `begin`."""
        return self._seconds if self._ends is None else max(0.0, self._ends - asyncio.get_running_loop().time())
