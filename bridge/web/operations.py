"""Handlers for operators: is the process alive, should it get calls, and what has it done so far.

Metrics are collected at each scrape from the counters that the other modules keep, one metric for each thing that is
counted: only this one imports a metrics library.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NotRequired

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from typing_extensions import TypedDict

from bridge.audio import SAMPLE_RATE
from bridge.call import CallRegistry
from bridge.contract.operation import JSON, Answer, documented, text
from bridge.deepgram.latency import LatencyMeter
from bridge.deepgram.origins import Origins
from bridge.store.base import Trouble
from bridge.web.counted import described

Counters = Mapping[str, Mapping[str, int]]
"""The counters of each part of the bridge, by its name in the metrics."""

Gauge = tuple[str, Callable[[], float]]
"""Its description, and a function that returns its value."""


class Health(TypedDict):
    """The process is alive."""

    status: Literal["ok"]
    calls: int
    """That go on."""


class OriginWarning(TypedDict):
    """An origin of Deepgram's that refuses."""

    origin: str
    status: int | None
    """The HTTP status of its refusal."""
    reason: str


class Readiness(TypedDict):
    """Whether another call can be taken, and what it says be kept."""

    status: Literal["ready", "stopping", "standing by", "full", "store fails", "deepgram refuses"]
    """`standing by`: another process has the record and all calls, and will hand them over."""
    reason: NotRequired[str]
    """With `store fails`."""
    warnings: NotRequired[list[OriginWarning]]
    """Where Deepgram refuses every call until a person mends it."""
    archive: NotRequired[str]
    """Why audio cannot be brought to the object store of `BRIDGE_AUDIO_URL`, and is on this disk only."""


_STRICT = text("strict", "`true`: 503 too where every origin of Deepgram refuses.")


@dataclass(frozen=True, slots=True)
class ByOrigin:
    """A metric that has a value for each origin of Deepgram."""

    name: str
    what: str
    """Its description."""
    now: Callable[[], Mapping[str, float]]
    """Returns the values, by the names of the origins."""
    counts: bool = False
    """It is a counter, not a gauge."""


class OperationsHandlers:
    """`/healthz`, `/readyz` and `/metrics`, which may be elsewhere."""

    def __init__(
        self,
        calls: CallRegistry,
        counters: Counters,
        gauges: Mapping[str, Gauge],
        trouble: Callable[[], Trouble | None] = lambda: None,
        latency: LatencyMeter | None = None,
        by_origin: Sequence[ByOrigin] = (),
        origins: Origins | None = None,
        measures: Sequence[Collector] = (),
        archive: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`trouble`: what is wrong with the store now, `archive`: with the object store. `latency`: Deepgram's, in all
        calls. `measures`: what else is told, beside what every process tells of itself: memory, CPU, open files, start.
        """
        self._calls = calls
        self._origins = origins
        self._trouble = trouble
        self._archive = archive
        self._registry = CollectorRegistry()
        for collector in (_Collector(counters, gauges, latency, by_origin), *measures):
            self._registry.register(collector)
        ProcessCollector(registry=self._registry)
        self.stopping: Callable[[], bool] = lambda: False
        """Whether the server is stopping: `/readyz` then answers 503."""
        self.standing_by: Callable[[], bool] = lambda: False
        """Whether another process still has all calls: likewise."""

    def routes(self) -> list[web.RouteDef]:
        """Without authentication: the answers name no call."""
        return [web.get("/healthz", self.health), web.get("/readyz", self.readiness)]

    @documented("GET /healthz", "getHealth", tag="operations", guard="open", answers={200: Health})
    async def health(self, request: web.Request) -> web.Response:
        """200 whenever the event loop runs."""
        health: Health = {"status": "ok", "calls": len(self._calls.calls)}
        return web.json_response(health)

    @documented(
        "GET /readyz",
        "getReadiness",
        tag="operations",
        guard="open",
        takes=[_STRICT],
        answers={200: Readiness, 503: Answer("It cannot.", {JSON: Readiness})},
    )
    async def readiness(self, request: web.Request) -> web.Response:
        """200 if another call can be taken and what it says be kept, else 503 with the reason.

        Where Deepgram refuses the account or the options, a call's audio is kept until that is mended, and all
        processes fare alike: that is a warning, and 503 only for `?strict=true`, with which a roll-out asks.
        """
        readiness = self._readiness(request.query.get(_STRICT.name) == "true")
        if reason := self._archive():
            readiness["archive"] = reason
        return web.json_response(readiness, status=200 if readiness["status"] == "ready" else 503)

    def _readiness(self, strict: bool) -> Readiness:
        if self.standing_by():
            return {"status": "standing by"}
        if (stopping := self.stopping()) or self._calls.full:
            return {"status": "stopping" if stopping else "full"}
        trouble = self._trouble()
        if reason := trouble.reason if trouble else self._calls.refusal:
            return {"status": "store fails", "reason": reason}
        if not (warnings := self._warnings()):
            return {"status": "ready"}
        refused = strict and self._origins and len(warnings) == len(self._origins)
        return {"status": "deepgram refuses" if refused else "ready", "warnings": warnings}

    def _warnings(self) -> list[OriginWarning]:
        """Which of Deepgram's origins refuse every call until a person mends it."""
        standing = self._origins.standing if self._origins else {}
        return [
            {"origin": name, "status": refusal.status, "reason": refusal.in_short} for name, refusal in standing.items()
        ]

    @documented(
        "GET /metrics",
        "getMetrics",
        tag="operations",
        guard="setting",
        what="With `BRIDGE_METRICS=token` for readers with a token only; with a port it is there, not here.",
        answers={200: Answer("Prometheus' text format.", {"text/plain": {"type": "string"}})},
    )
    async def metrics(self, request: web.Request) -> web.Response:
        """All counters, gauges and histograms in Prometheus' text format."""
        # Many endpoints have thousands of lines: calls go on between one metric and the next.
        pieces = []
        for metric in self._registry.collect():
            pieces.append(generate_latest(_Alone(metric)))
            await asyncio.sleep(0)
        return web.Response(body=b"".join(pieces), headers={"Content-Type": CONTENT_TYPE_LATEST})


class _Alone(Collector):
    """One metric, as it was when it was read."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        yield self._metric


class _Collector(Collector):
    """Reads the counters, gauges and latencies at each scrape."""

    def __init__(
        self,
        counters: Counters,
        gauges: Mapping[str, Gauge],
        latency: LatencyMeter | None,
        by_origin: Sequence[ByOrigin],
    ) -> None:
        self._counters = counters
        self._gauges = gauges
        self._latency = latency
        self._by_origin = by_origin

    def collect(self) -> Iterator[Metric]:
        for name, (what, now) in self._gauges.items():
            yield GaugeMetricFamily(f"bridge_{name}", what, value=now())
        for each in self._by_origin:
            family = CounterMetricFamily if each.counts else GaugeMetricFamily
            metric = family(f"bridge_{each.name}", each.what, labels=["origin"])
            for origin, value in each.now().items():
                metric.add_metric([origin], value)
            yield metric
        for part, counted in self._counters.items():
            for what, count in sorted(counted.items()):
                yield CounterMetricFamily(f"bridge_{part}_{what}", described(part, what), value=count)
        if self._latency:
            yield _histogram(self._latency)


def _histogram(meter: LatencyMeter) -> Metric:
    buckets = [(str(end), float(count)) for end, count in meter.histogram] + [("+Inf", float(meter.measured))]
    said = "How far Deepgram's interims lagged behind the audio it had been sent, since the start"
    return HistogramMetricFamily(
        "bridge_deepgram_latency_seconds", said, buckets=buckets, sum_value=meter.total / SAMPLE_RATE
    )
