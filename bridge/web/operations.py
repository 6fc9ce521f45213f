"""The door for operators: is it alive, should it get calls, and what has it done so far.

The metrics are collected when they are asked for, from what the rooms count themselves: no other room knows a metric
library.
"""

from collections.abc import Callable, Iterator, Mapping

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from bridge.call import CallRegistry

Counters = Mapping[str, Mapping[str, int]]
"""Room to its counters."""

Gauge = tuple[str, Callable[[], float]]
"""What it is, and how it is now."""


class OperationsHandlers:
    """`/healthz`, `/readyz` and `/metrics`."""

    def __init__(self, calls: CallRegistry, counters: Counters, gauges: Mapping[str, Gauge]) -> None:
        self._calls = calls
        self._registry = CollectorRegistry()
        self._registry.register(_Rooms(counters, gauges))
        self.stopping = False
        """Set it when the server begins to stop: it then asks for no more calls."""

    def routes(self) -> list[web.RouteDef]:
        """Without authentication: they name no call."""
        return [
            web.get("/healthz", self.health),
            web.get("/readyz", self.readiness),
            web.get("/metrics", self.metrics),
        ]

    async def health(self, request: web.Request) -> web.Response:
        """Alive: the event loop answers."""
        return web.json_response({"status": "ok", "calls": len(self._calls.calls)})

    async def readiness(self, request: web.Request) -> web.Response:
        """Fit to get another call; 503 with the reason where not."""
        reason = "stopping" if self.stopping else "full" if self._calls.full else None
        if reason:
            return web.json_response({"status": reason}, status=503)
        return web.json_response({"status": "ready"})

    async def metrics(self, request: web.Request) -> web.Response:
        """Prometheus' text format."""
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


class _Rooms(Collector):
    """Asks the rooms at the moment of the scrape."""

    def __init__(self, counters: Counters, gauges: Mapping[str, Gauge]) -> None:
        self._counters = counters
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        for name, (what, now) in self._gauges.items():
            yield GaugeMetricFamily(f"bridge_{name}", what, value=now())
        for room, counted in self._counters.items():
            family = CounterMetricFamily(f"bridge_{room}", f"What {room} has counted", labels=["what"])
            for what, count in sorted(counted.items()):
                family.add_metric([what], count)
            yield family
