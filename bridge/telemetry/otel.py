"""A call as a trace of OpenTelemetry's: its spans are sent by OTLP over HTTP, from a thread of the SDK's own.

The ids of a call's trace and of its own span follow from its record's id, so that a process that goes on with a call
after `kill -9` goes on in the same trace, and who knows the call finds the trace. The call's span is made at its
end, which comes once; spans that a crash has cut short are missing.

A receiver that is down costs the spans that do not fit into the SDK's queue, and nothing else. What the SDK and its
HTTP client have to say about it stays out of our log, since it quotes addresses: a line of ours tells it once.
"""

import asyncio
import hashlib
import logging
import threading
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from bridge import __version__
from bridge.traces import Attributes, Span

log = logging.getLogger("bridge.traces")

_SERVICE = "media-stream-bridge"
_PATIENCE = 2.0  # seconds for the last spans when the process stops
_FAILING_PATIENCE = 0.1  # seconds, if the receiver has not taken those before
_REMEMBERED = 4096  # calls whose ids need not be made again
_FOREIGN_LOGS = ("opentelemetry", "urllib3", "requests")


class OtelTraces:
    """`async with` sends until it is left. Used on one event loop."""

    def __init__(self, exporter: SpanExporter, patience: float = _PATIENCE) -> None:
        """`exporter`: where spans go, in batches, from another thread. `patience`: seconds for the last of them."""
        self._patience = patience
        self.counters: Counter[str] = Counter(ended=0, exported=0, failed=0)
        for name in _FOREIGN_LOGS:
            _silence(name)
        self._exporter = _Counted(exporter, self.counters)
        self._ids = _Ids()
        resource = Resource.create({"service.version": __version__})
        if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
            resource = resource.merge(Resource({SERVICE_NAME: _SERVICE}))
        # Not at the interpreter's exit, which would wait for a receiver that is down.
        self._provider = TracerProvider(resource=resource, id_generator=self._ids, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("bridge", __version__)
        self._root = lru_cache(_REMEMBERED)(self._make_root)

    @classmethod
    def of_environment(cls) -> "OtelTraces":
        """With the SDK's own exporter, which reads `OTEL_EXPORTER_OTLP_…`."""
        return cls(OTLPSpanExporter())

    async def __aenter__(self) -> "OtelTraces":
        return self

    async def __aexit__(self, *_: object) -> None:
        """Send what there is; a receiver that does not take it is not waited for."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def shut() -> None:
            self._provider.shutdown()
            if not loop.is_closed():
                loop.call_soon_threadsafe(done.set)

        threading.Thread(target=shut, name="traces-last", daemon=True).start()
        patience = min(self._patience, _FAILING_PATIENCE) if self._exporter.failing else self._patience
        try:
            async with asyncio.timeout(patience):
                await done.wait()
        except TimeoutError:
            self._exporter.shutdown()  # it ends the pauses between the SDK's tries

    def __repr__(self) -> str:
        return f"<OtelTraces {dict(self.counters)}>"

    def flush(self) -> None:
        """Send what there is now, and wait for it, in a thread that may."""
        self._provider.force_flush()

    def begin(self, name: str, call_id: str, attributes: Attributes, *, asks: bool = False) -> Span:
        """As `Traces.begin`."""
        kind = SpanKind.CLIENT if asks else SpanKind.INTERNAL
        parent = trace.set_span_in_context(NonRecordingSpan(self._root(call_id)), Context())
        known = _known({"bridge.call.id": call_id, **attributes})
        return _OtelSpan(self._tracer.start_span(name, parent, kind, known), self.counters)

    def call(self, call_id: str, start: float, attributes: Attributes, fault: str | None = None) -> None:
        """As `Traces.call`."""
        root = self._root(call_id)
        self._ids.next = root.trace_id, root.span_id
        try:
            began, known = round(start * 1e6) * 1000, _known({"bridge.call.id": call_id, **attributes})
            span = self._tracer.start_span("call", Context(), SpanKind.SERVER, known, start_time=began)
        finally:
            self._ids.next = None
        _OtelSpan(span, self.counters).end(fault)

    def parent(self, call_id: str) -> str | None:
        """As `Traces.parent`."""
        return _traceparent(self._root(call_id))

    def _make_root(self, call_id: str) -> SpanContext:
        """The call's own span; whether it is sampled follows from its id, in every process."""
        trace_id, span_id = ids(call_id)
        sampling = self._provider.sampler.should_sample(Context(), trace_id, "call", SpanKind.SERVER)
        sampled = sampling.decision is Decision.RECORD_AND_SAMPLE
        flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
        return SpanContext(trace_id, span_id, is_remote=True, trace_flags=flags)


def ids(call_id: str) -> tuple[int, int]:
    """Of a call's trace, and of its own span in it."""
    made = hashlib.sha256(b"media-stream-bridge call\n" + call_id.encode()).digest()
    return int.from_bytes(made[:16]) or 1, int.from_bytes(made[16:24]) or 1


class _OtelSpan:
    """A span that is ended once."""

    __slots__ = ("_counters", "_span")

    def __init__(self, span: trace.Span, counters: Counter[str]) -> None:
        self._span = span
        self._counters = counters

    @property
    def traceparent(self) -> str | None:
        return _traceparent(self._span.get_span_context())

    def note(self, attributes: Attributes) -> None:
        if self._span.is_recording():
            self._span.set_attributes(_known(attributes))

    def end(self, fault: str | None = None) -> None:
        if not self._span.is_recording():
            return  # it is over, or not sampled
        if fault:
            self._span.set_status(Status(StatusCode.ERROR, fault))
        self._span.end()
        self._counters["ended"] += 1


class _Ids(RandomIdGenerator):
    """By chance, but for the span of a call."""

    next: tuple[int, int] | None = None
    """Trace and span, of the span that is about to begin."""

    def generate_trace_id(self) -> int:
        return self.next[0] if self.next else super().generate_trace_id()

    def generate_span_id(self) -> int:
        return self.next[1] if self.next else super().generate_span_id()


class _Counted(SpanExporter):
    """Counts what is sent, and tells a trouble once. Called in the SDK's thread."""

    def __init__(self, exporter: SpanExporter, counters: Counter[str]) -> None:
        self._exporter = exporter
        self._counters = counters
        self.failing = False
        """The last were not taken."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._exporter.export(spans)
        except Exception:  # noqa: BLE001 - whatever it is, it says nothing about a call
            result = SpanExportResult.FAILURE
        failed = result is not SpanExportResult.SUCCESS
        self._counters["failed" if failed else "exported"] += len(spans)
        if failed and not self.failing:
            log.warning(
                "traces are not taken", extra={"remedy": "look at OTEL_EXPORTER_OTLP_ENDPOINT and its receiver"}
            )
        elif self.failing and not failed:
            log.info("traces are taken again")
        self.failing = failed
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _known(attributes: Attributes) -> dict[str, str | int | float | bool]:
    return {name: value for name, value in attributes.items() if value is not None}


def _traceparent(context: SpanContext) -> str:
    """Source: https://www.w3.org/TR/trace-context/#traceparent-header."""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & TraceFlags.SAMPLED:02x}"


def _silence(name: str) -> None:
    logger = logging.getLogger(name)
    logger.propagate = False
    logger.setLevel(logging.CRITICAL + 1)
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
