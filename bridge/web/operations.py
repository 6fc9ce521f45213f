"""Handlers for operators: is the process alive, should it get calls, and what has it done so far.

Metrics are collected at each scrape from the counters that the other modules keep, one metric for each thing that is
counted: only this one imports a metrics library.
"""

from collections.abc import Callable, Iterator, Mapping

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from bridge.audio import SAMPLE_RATE
from bridge.call import CallRegistry
from bridge.deepgram.latency import LatencyMeter
from bridge.store.base import Trouble

Counters = Mapping[str, Mapping[str, int]]
"""The counters of each part of the bridge, by its name in the metrics."""

Gauge = tuple[str, Callable[[], float]]
"""Its description, and a function that returns its value."""


class OperationsHandlers:
    """`/healthz`, `/readyz` and `/metrics`, which may be elsewhere."""

    def __init__(
        self,
        calls: CallRegistry,
        counters: Counters,
        gauges: Mapping[str, Gauge],
        trouble: Callable[[], Trouble | None] = lambda: None,
        latency: LatencyMeter | None = None,
    ) -> None:
        """`trouble`: what is wrong with the store now. `latency`: Deepgram's, in all calls."""
        self._calls = calls
        self._trouble = trouble
        self._registry = CollectorRegistry()
        self._registry.register(_Collector(counters, gauges, latency))
        self.stopping = False
        """True once the server is stopping: `/readyz` then answers 503."""

    def routes(self) -> list[web.RouteDef]:
        """Without authentication: the answers name no call."""
        return [web.get("/healthz", self.health), web.get("/readyz", self.readiness)]

    async def health(self, request: web.Request) -> web.Response:
        """200 whenever the event loop runs."""
        return web.json_response({"status": "ok", "calls": len(self._calls.calls)})

    async def readiness(self, request: web.Request) -> web.Response:
        """200 if another call can be taken and what it says be kept, else 503 with the reason."""
        reason = "stopping" if self.stopping else "full" if self._calls.full else None
        if reason:
            return web.json_response({"status": reason}, status=503)
        trouble = self._trouble()
        if trouble or self._calls.refusal:
            reason = trouble.reason if trouble else self._calls.refusal
            return web.json_response({"status": "store fails", "reason": reason}, status=503)
        return web.json_response({"status": "ready"})

    async def metrics(self, request: web.Request) -> web.Response:
        """All counters, gauges and the histogram in Prometheus' text format."""
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


class _Collector(Collector):
    """Reads the counters, gauges and latencies at each scrape."""

    def __init__(self, counters: Counters, gauges: Mapping[str, Gauge], latency: LatencyMeter | None) -> None:
        self._counters = counters
        self._gauges = gauges
        self._latency = latency

    def collect(self) -> Iterator[Metric]:
        for name, (what, now) in self._gauges.items():
            yield GaugeMetricFamily(f"bridge_{name}", what, value=now())
        for part, counted in self._counters.items():
            for what, count in sorted(counted.items()):
                said = f"{part}, since the start: {what}".replace("_", " ")
                yield CounterMetricFamily(f"bridge_{part}_{what}", said, value=count)
        if self._latency:
            yield _histogram(self._latency)


def _histogram(meter: LatencyMeter) -> Metric:
    buckets = [(str(end), float(count)) for end, count in meter.histogram] + [("+Inf", float(meter.measured))]
    said = "How far Deepgram's interims lagged behind the audio it had been sent, since the start"
    return HistogramMetricFamily(
        "bridge_deepgram_latency_seconds", said, buckets=buckets, sum_value=meter.total / SAMPLE_RATE
    )
