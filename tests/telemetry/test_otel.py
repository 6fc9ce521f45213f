"""A call as a trace: into memory, and to a receiver on loopback."""

import asyncio
import json
import logging
import re
import threading

import pytest

pytest.importorskip("opentelemetry.sdk", reason="the extra `otel` is not installed")

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from bridge.telemetry import open_traces
from bridge.telemetry.otel import OtelTraces, ids
from tests.fakes.collector import Collector
from tests.fakes.waiting import until

TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-(0[01])")


@pytest.fixture
def memory():
    return InMemorySpanExporter()


async def test_a_call_is_one_trace_whose_spans_are_children_of_the_calls_own(memory):
    async with OtelTraces(memory) as traces:
        stream = traces.begin("stream", "CA1", {"bridge.tracks": "inbound outbound", "bridge.unknown": None})
        post = traces.begin("webhook POST", "CA1", {}, asks=True)
        post.end("status 503")
        stream.end()
        stream.end("twice")
        traces.call("CA1", 1_800_000_000.25, {"bridge.reason": "stopped"})
    spans = {span.name: span for span in memory.get_finished_spans()}
    call = spans["call"]

    assert (call.context.trace_id, call.context.span_id, call.parent) == (*ids("CA1"), None)
    assert call.start_time == 1_800_000_000_250_000_000
    assert {span.context.trace_id for span in spans.values()} == {call.context.trace_id}
    assert {spans[name].parent.span_id for name in ("stream", "webhook POST")} == {call.context.span_id}
    assert spans["webhook POST"].status.status_code is StatusCode.ERROR
    assert spans["webhook POST"].status.description == "status 503"
    assert spans["stream"].status.status_code is StatusCode.UNSET
    assert dict(spans["stream"].attributes) == {"bridge.call.id": "CA1", "bridge.tracks": "inbound outbound"}
    assert +traces.counters == {"ended": 3, "exported": 3}


async def test_another_process_goes_on_in_the_same_trace(memory):
    other = InMemorySpanExporter()
    async with OtelTraces(memory) as killed, OtelTraces(other) as next_one:
        killed.begin("stream", "CA1", {}).end()
        next_one.begin("stream", "CA1", {}).end()
        next_one.begin("stream", "CA2", {}).end()
    one, two, strangers = (*memory.get_finished_spans(), *other.get_finished_spans())

    assert one.context.trace_id == two.context.trace_id != strangers.context.trace_id
    assert one.context.span_id != two.context.span_id
    assert one.parent.span_id == two.parent.span_id


async def test_the_traceparent_is_the_spans_own(memory):
    async with OtelTraces(memory) as traces:
        post = traces.begin("webhook POST", "CA1", {}, asks=True)
        told, calls = TRACEPARENT.fullmatch(post.traceparent), TRACEPARENT.fullmatch(traces.parent("CA1"))
        post.end()
    (span,) = memory.get_finished_spans()

    assert (int(told[1], 16), int(told[2], 16), told[3]) == (span.context.trace_id, span.context.span_id, "01")
    assert (int(calls[1], 16), int(calls[2], 16)) == ids("CA1")


async def test_what_is_not_sampled_is_not_sent_and_says_so_to_peers(memory, monkeypatch):
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    async with OtelTraces(memory) as traces:
        flags = {}
        for call_id in (f"CA{number}" for number in range(40)):
            span = traces.begin("stream", call_id, {})
            flags[call_id] = TRACEPARENT.fullmatch(span.traceparent)[3]
            assert traces.parent(call_id)[-2:] == flags[call_id]
            span.note({"bridge.reason": "stopped"})
            span.end()
            traces.call(call_id, 0.0, {})
    sent = [(span.name, span.attributes["bridge.call.id"]) for span in memory.get_finished_spans()]
    sampled = [call_id for call_id, flag in flags.items() if flag == "01"]

    assert 5 < len(sampled) < 35
    assert sorted(sent) == sorted((name, call_id) for call_id in sampled for name in ("call", "stream"))


async def test_a_receiver_gets_the_spans_by_otlp(monkeypatch):
    async with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_SERVICE_NAME", "bridge-of-the-north")
        async with open_traces({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}) as traces:
            traces.begin("stream", "CA1", {"bridge.stream": 1}).end()

    (span,) = collector.spans
    assert (span.name, int.from_bytes(span.trace_id)) == ("stream", ids("CA1")[0])
    assert collector.services == {"bridge-of-the-north"}


async def test_without_a_name_the_service_is_the_bridge(monkeypatch):
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    memory = InMemorySpanExporter()
    async with OtelTraces(memory) as traces:
        traces.begin("stream", "CA1", {}).end()

    assert memory.get_finished_spans()[0].resource.attributes["service.name"] == "media-stream-bridge"


async def test_a_receiver_that_refuses_is_told_once_in_words_of_ours(monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    async with Collector() as collector:
        collector.status = 400
        async with OtelTraces(OTLPSpanExporter(f"{collector.url}/v1/traces?token=a-secret")) as traces:
            for _ in range(3):
                traces.begin("stream", "CA1", {}).end()
                await asyncio.to_thread(traces.flush)
            collector.status = 200
            traces.begin("stream", "CA1", {}).end()
            await asyncio.to_thread(traces.flush)

    foreign = [record for record in caplog.records if not record.name.startswith(("bridge", "asyncio", "aiohttp"))]
    assert [record.getMessage() for record in caplog.records if record.name == "bridge.traces"] == [
        "traces are not taken",
        "traces are taken again",
    ]
    assert foreign == []
    assert "a-secret" not in json.dumps([record.__dict__ for record in caplog.records], default=str)
    assert traces.counters == {"ended": 4, "exported": 1, "failed": 3}


async def test_a_receiver_that_is_away_holds_up_no_stop(caplog):
    async with OtelTraces(OTLPSpanExporter("http://127.0.0.1:1/v1/traces"), patience=0.1) as traces:
        traces.begin("stream", "CA1", {}).end()

    await until(lambda: "traces are not taken" in [record.getMessage() for record in caplog.records])
    assert traces.counters["ended"] == 1
    assert traces.counters["exported"] == 0


async def test_a_receiver_that_has_failed_before_is_hardly_waited_for_at_a_stop(memory, monkeypatch):
    released, shut = threading.Event(), []
    monkeypatch.setattr(memory, "export", lambda spans: SpanExportResult.FAILURE)
    monkeypatch.setattr(memory, "shutdown", lambda: (shut.append(True), released.set()))
    async with asyncio.timeout(60), OtelTraces(memory, patience=3600) as traces:
        traces.begin("stream", "CA1", {}).end()
        await asyncio.to_thread(traces.flush)
        monkeypatch.setattr(memory, "export", lambda spans: released.wait() and SpanExportResult.FAILURE)
        traces.begin("stream", "CA1", {}).end()

    assert shut
