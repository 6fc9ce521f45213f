"""What is counted and measured, under the names that `/metrics` has for it."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack

from aiohttp import web

from bridge.call import CallRegistry, Services
from bridge.call.backfill import Backfill
from bridge.call.expiry import Expiry
from bridge.config import Settings
from bridge.deepgram.origins import Origins
from bridge.delivery.sender import Sender
from bridge.live import Live
from bridge.outbox import TWILIO, WEBHOOK
from bridge.store.archive.archive import Archive
from bridge.store.audio import AudioStore
from bridge.store.base import ManagedStore
from bridge.web.access import Access
from bridge.web.audit import AuditHandlers
from bridge.web.counted import count_from_zero
from bridge.web.http import refuse_in_json
from bridge.web.measures import Measures
from bridge.web.operations import ByOrigin, Gauge, OperationsHandlers
from bridge.web.refusals import Refusals
from bridge.web.server import Connections, listen, read_in_time

log = logging.getLogger("bridge.app")

_PREFIXES = {WEBHOOK: "", TWILIO: "twilio_"}
"""What the metrics of the delivery to an endpoint begin with."""


def metered(
    registry: CallRegistry,
    services: Services,
    store: ManagedStore,
    audio: AudioStore,
    backfill: Backfill,
    posting: Mapping[str, Sender],
    live: Live,
    connections: Connections,
    refusals: Refusals,
    access: Access,
    audit: AuditHandlers,
    expiry: Expiry,
    archive: Archive | None,
    measures: Measures,
) -> OperationsHandlers:
    """What is asked of a process by those who run it, with all that it counts and measures."""
    counters: dict[str, Counter[str]] = {
        "calls": registry.counters,
        "ended_calls": registry.ended,
        "store": store.counters,
        "audio": audio.counters,
        "backfill": backfill.counters,
        "connections": connections.counters,
        "requests": refusals.counters,
        "readers": access.counters,
        "audit": audit.counters,
        "expiry": expiry.counters,
    }
    if archive:
        counters["archive"] = archive.counters
    gauges: dict[str, Gauge] = _of_calls(registry, services, store) | {
        "calls_to_backfill": ("Calls that have ended and whose kept audio is transcribed", lambda: backfill.waiting),
        "tasks": ("Tasks of the event loop", lambda: len(asyncio.all_tasks())),
        "readers": ("Readers of live feeds", lambda: live.followers),
        "connections": ("Open connections of carriers and readers", lambda: len(connections.open)),
        "connections_waiting": (
            "Those of them that wait for a request, its body, or `start`",
            lambda: len(connections.idle),
        ),
    }
    for name, sender in posting.items():
        if name not in _PREFIXES:
            continue  # `measures` have it, with a label
        counters[f"{_PREFIXES[name]}delivery"] = sender.counters
        gauges |= delivery_gauges(name, sender, store)
    count_from_zero(counters)
    return OperationsHandlers(
        registry,
        counters,
        gauges,
        lambda: store.trouble,
        services.latency,
        by_origin(services.origins),
        services.origins,
        [measures],
        lambda: archive.trouble if archive else None,
    )


def _of_calls(registry: CallRegistry, services: Services, store: ManagedStore) -> dict[str, Gauge]:
    return {
        "calls": ("Calls going on", lambda: len(registry.calls)),
        "calls_interrupted": ("Calls that wait for Deepgram", lambda: registry.interrupted),
        "deepgram_refuses": (
            "1: Deepgram is down or refuses, and the circuit breakers of all its origins are open",
            lambda: not services.origins.is_closed,
        ),
        "store_fails": ("1: the store cannot keep anything now", lambda: store.trouble is not None),
        "events_waiting": ("Events of calls that are not durable yet", lambda: registry.backlog.waiting),
    }


def delivery_gauges(name: str, sender: Sender, store: ManagedStore) -> dict[str, Gauge]:
    """How the delivery to an endpoint stands."""
    whom = "the webhook" if name == WEBHOOK else "the endpoint of Twilio's format"
    return {
        f"{_PREFIXES[name]}calls_to_deliver": (
            f"Calls of which something waits for {whom}",
            lambda: store.lanes_waiting(name),
        ),
        "webhook_refuses" if name == WEBHOOK else "twilio_delivery_refuses": (
            f"1: {whom} is down or gone, and its circuit breaker is open",
            lambda: not sender.healthy,
        ),
    }


def by_origin(origins: Origins) -> list[ByOrigin]:
    """How each of Deepgram's origins does."""
    return [
        ByOrigin("deepgram_origin_in_use", "1: where a call that begins now is sent", lambda: origins.in_use),
        ByOrigin("deepgram_origin_sockets", "Sockets of calls that are open there", lambda: origins.sockets),
        ByOrigin(
            "deepgram_origin_failures",
            "Handshakes and probes that failed there, sockets that were lost",
            lambda: origins.failures,
            counts=True,
        ),
        ByOrigin(
            "deepgram_origin_returns",
            "Sockets of calls that have gone back there from one that is less preferred",
            lambda: origins.returns,
            counts=True,
        ),
    ]


def metered_routes(settings: Settings, handlers: OperationsHandlers, access: Access) -> list[web.RouteDef]:
    """The operators' routes; the metrics are not among them if they have a port of their own."""
    match settings.bridge_metrics:
        case "open":
            return [*handlers.routes(), web.get("/metrics", handlers.metrics)]
        case "token":
            return [*handlers.routes(), web.get("/metrics", access.only(handlers.metrics))]
        case _:
            return handlers.routes()


async def listen_apart(
    stack: AsyncExitStack,
    settings: Settings,
    handlers: OperationsHandlers,
    relayed: Sequence[web.RouteDef],
    connections: Connections,
    may_share: Callable[[], Awaitable[bool]],
) -> None:
    """Serve all that operators ask, at a port of its own if there is one, until the stack is left. Raises ConfigError.
    `relayed`: what other processes ask there, too. `may_share`: as `listen` has it."""
    if settings.metrics_address is None:
        return
    apart = web.Application(middlewares=[refuse_in_json, read_in_time])
    apart.add_routes([*handlers.routes(), web.get("/metrics", handlers.metrics), *relayed])
    site = await listen(stack, apart, connections, *settings.metrics_address, may_share, setting="BRIDGE_METRICS")
    log.info("serving metrics", extra={"url": f"{site.name}/metrics"})
