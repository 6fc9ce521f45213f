"""Wires the application: opens what must be closed, in the right order, and gives every handler its routes.

The order is store, sender, calls; closing goes the other way, so that on SIGTERM the last words of every call reach the
store, then the webhook, before the store is closed. What is opened is constructed in `parts`.
"""

import asyncio
import logging
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from random import Random

from aiohttp import web

from bridge import process
from bridge.call import CallRegistry
from bridge.call.backfill import Backfill
from bridge.call.intake import Intake
from bridge.config import Settings
from bridge.deepgram.origins import Origins
from bridge.doctor.starting import StartChecks
from bridge.errors import ConfigError, StoreError
from bridge.outbox import WEBHOOK
from bridge.parts import Parts, construct, read_tokens
from bridge.policies import (
    archive,
    audio_store,
    backfill_policy,
    call_options,
    deepgram_origins,
    event_store,
    own_egress,
    retention,
)
from bridge.stop import Stop
from bridge.store.archive.archive import Archive
from bridge.web import carriers
from bridge.web.backup import BackupHandlers
from bridge.web.calls import CallHandlers
from bridge.web.contract import ContractHandlers
from bridge.web.control import ControlHandlers
from bridge.web.deliveries import DeliveryHandlers
from bridge.web.elsewhere import here
from bridge.web.feed import FeedHandlers
from bridge.web.http import refuse_in_json
from bridge.web.metering import listen_apart, metered_routes
from bridge.web.operations import OperationsHandlers
from bridge.web.server import Connections, listen, raise_file_limit, read_in_time
from bridge.web.static import PageHandlers

log = logging.getLogger("bridge.app")

_LARGEST_BODY = 64 * 1024  # octets of a request

REGISTRY = web.AppKey("registry", CallRegistry)

CONNECTIONS = web.AppKey("connections", Connections)

ORIGINS = web.AppKey("origins", Origins)

RELAYED = web.AppKey("relayed", list[web.RouteDef])
"""For the same port: the streams that other processes relay to this one, where several share the other port."""

OPERATIONS = web.AppKey("operations", OperationsHandlers)
"""For a port of their own."""

Stopping = Callable[[], Awaitable[None]]

STOPPING = web.AppKey("stopping", Stop)
"""What the server does when it is asked to stop."""


def build(settings: Settings) -> web.Application:
    """The application, checked but not started. Raises ConfigError for settings that cannot work."""
    parts = construct(settings)
    middlewares = [refuse_in_json, parts.refusals.middleware, read_in_time]
    app = web.Application(client_max_size=_LARGEST_BODY, middlewares=middlewares)
    media = carriers.media_handlers(
        parts.registry,
        settings,
        parts.token_secret,
        parts.services.delay,
        keepers=parts.store.keepers,
        egress=own_egress(),
    )
    operations, stopping = parts.operations(media), Stop(settings, parts.registry, parts.services, parts.live, media)
    operations.stopping = lambda: stopping.begun
    operations.standing_by = lambda: stopping.standby.is_waiting
    app[REGISTRY], app[CONNECTIONS], app[STOPPING] = parts.registry, parts.connections, stopping
    app[OPERATIONS], app[ORIGINS] = operations, parts.origins
    app[RELAYED] = media.relayed_routes() if "media" in settings.roles else []
    app.cleanup_ctx.append(lambda _: _keep_open(parts, stopping))
    app.on_shutdown.append(lambda _: stopping.finish_calls())
    app.on_response_prepare.append(parts.audit.note)
    app.add_routes([*here(settings.roles, [*media.routes(), *_routes(parts)])])
    app.add_routes(metered_routes(settings, operations, parts.access))
    return app


def _routes(parts: Parts) -> Iterator[web.RouteDef]:
    """Those of readers, and of Twilio's webhooks."""
    settings, store, access, posting = parts.settings, parts.store, parts.access, parts.posting
    endpoints = [WEBHOOK, *(name for name in posting.senders if name != WEBHOOK)]
    calls = CallHandlers(
        store, access, endpoints=endpoints, delete=parts.eraser.erase, recordings=parts.recordings, wall=time.time
    )
    yield from PageHandlers().routes()
    yield from ContractHandlers().routes()
    yield from FeedHandlers(parts.live, store, access, calls.events, Random()).routes()
    yield from [*access.routes(), *parts.audit.routes()]
    yield from calls.routes()
    yield from ControlHandlers(parts.controlling, access).routes()
    yield from DeliveryHandlers(posting, store, access, time.time).routes()
    yield from BackupHandlers(store.copy, settings.data_dir, access).routes()
    yield from carriers.webhook_routes(settings, parts.token_secret, parts.controlling.note_stream, parts.issued.note)


async def _keep_open(parts: Parts, stopping: Stop) -> AsyncIterator[None]:
    """Open what must be closed; what needs the store only once no other process has it."""
    standby, closing = stopping.standby, asyncio.Event()
    holding = asyncio.create_task(_hold(parts, stopping, closing))
    begun = asyncio.create_task(standby.begun.wait())
    await asyncio.wait({holding, begun}, return_when=asyncio.FIRST_COMPLETED)
    begun.cancel()
    if holding.done():
        holding.result()
    holding.add_done_callback(lambda _: stopping.failed.set())
    yield
    closing.set()
    if not standby.is_open:
        holding.cancel()
    with suppress(asyncio.CancelledError):
        await holding


async def _hold(parts: Parts, stopping: Stop, closing: asyncio.Event) -> None:
    """Have everything open until `closing`, in the order in which one needs the other."""
    settings, store, standby = parts.settings, parts.store, stopping.standby
    async with parts.traces, AsyncExitStack() as stack:
        stack.push_async_callback(stopping.holder.close)  # the last, so that the next process finds the store closed
        await standby.open(stack, store, stopping.holder)
        await stack.enter_async_context(_archiving(parts.archive, stopping.left))
        await stack.enter_async_context(parts.audio)
        await stack.enter_async_context(retention(settings, parts.recordings, store))
        await stack.enter_async_context(parts.loop_delay)
        await stack.enter_async_context(parts.usage)
        await stack.enter_async_context(parts.posting)
        stack.push_async_callback(lambda: parts.posting.drain(stopping.left()))
        if settings.transcribes:
            await stack.enter_async_context(parts.prober())
            await stack.enter_async_context(parts.backfill)
        await stack.enter_async_context(parts.expiry)
        await stack.enter_async_context(parts.others)
        await stack.enter_async_context(
            Intake(store, settings.data_dir, wall=time.time, mute=settings.bridge_redact_audio)
        )
        calls = parts.registry if "media" in settings.roles else None
        if calls is None and store.hand_overs:
            await store.hand_overs.take_none()
        recovery = asyncio.create_task(_recover(calls, parts.backfill if settings.transcribes else None, store.lease))
        standby.begun.set()
        await closing.wait()
        recovery.cancel()
        await asyncio.gather(recovery, return_exceptions=True)


async def _recover(registry: CallRegistry | None, backfill: Backfill | None, lease: float | None) -> None:
    """Take up the calls and backfills that another process has left; streams are accepted meanwhile.

    `registry`, `backfill`: None where they are other processes' affair. `lease`: seconds after which one that says
    nothing has left its calls; None: there is no other.
    """
    try:
        if registry:
            await registry.recover()
        if backfill:
            await backfill.recover()
    except StoreError as error:
        log.error("not all was recovered", extra={"reason": str(error)})
    while registry and lease is not None:
        await asyncio.sleep(lease / 4)
        with suppress(StoreError):  # the store says what is wrong with it, and it is tried again
            await registry.recover()


async def serve(
    settings: Settings,
    started: Callable[[str], None] = lambda url: None,
    stopping: Stopping | None = None,
    shared: bool = False,
) -> int:
    """Serve until SIGTERM or SIGINT, then finish what can be finished. `started` is called with the local URL,
    `stopping` before the first call is turned away. `shared`: other processes listen at the port, too. Returns how many
    events could not be kept.
    """
    process.share_interpreter()
    raise_file_limit(settings.bridge_max_calls)
    application = build(settings)
    stop = application[STOPPING]
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.ask)
    async with AsyncExitStack() as stack:
        where, connections = (settings.host, settings.port), application[CONNECTIONS]
        try:
            site = await listen(stack, application, connections, *where, stop.may_listen, shared)
        except ConfigError:
            if stop.asked:
                return 0  # while it waited for another process
            raise
        stop.standby.listening.set()
        apart = application[OPERATIONS], application[RELAYED]
        await listen_apart(stack, settings, *apart, connections, stop.may_listen)
        log.info("serving", extra={"url": site.name, "public_url": settings.public_url})
        await stack.enter_async_context(StartChecks(settings, application[ORIGINS]))
        process.spare_collector()
        started(site.name)
        await stop.wait_asked()
        log.info("stopping")
        if stopping:
            await stopping()
        await stop.give(site.stop)
        await stop.finish_calls()
    return application[REGISTRY].unkept


async def backfill(settings: Settings, call_id: str, patience: float) -> bool:
    """Transcribe what one call lacks from its kept audio, without a server. Returns whether all of it is done.

    The finals are delivered when a server runs again. `patience`: seconds for which to retry. Raises StoreError if a
    server is running, or no audio is kept.
    """
    store = event_store(settings)
    there = archive(settings, store)
    async with store, _archiving(there, lambda: patience), audio_store(settings, there) as audio:
        if not await audio.has(call_id):
            raise StoreError(f"no audio is kept of {call_id}")
        policy = replace(backfill_policy(settings), timeout=0.0)  # `patience` bounds it instead
        origins = deepgram_origins(settings, own_egress())
        async with Backfill(
            store, audio, origins, policy, call_options(settings), wall=time.time, random=Random(), owners=store
        ) as service:
            return await service.offer(call_id, patience)


@asynccontextmanager
async def _archiving(archive: Archive | None, left: Callable[[], float]) -> AsyncIterator[None]:
    """The archive, if there is one, open around the audio that it is told of; at the end it has the seconds `left`."""
    if archive is None:
        yield
        return
    async with archive:
        yield
        await archive.drain(left())


def login_link(settings: Settings, url: str) -> str:
    """A link that opens the page at this address and logs in; a browser sends no server what follows the `#`."""
    return f"{settings.public_url or url}/#token={read_tokens(settings)[0]}"
