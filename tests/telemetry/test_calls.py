"""Calls, traced from end to end: the bridge with a receiver of traces beside it."""

import asyncio
import contextlib
import json

import pytest

pytest.importorskip("opentelemetry.sdk", reason="the extra `otel` is not installed")

from aiohttp import web

from bridge.telemetry.otel import ids
from tests.fakes import frames
from tests.fakes.collector import Collector
from tests.fakes.running import WEBHOOK_SECRET, bridge, deepgram, settings
from tests.fakes.talk import play
from tests.fakes.waiting import until


@contextlib.asynccontextmanager
async def webhook():
    """Yields its URL, and (traceparent, event types, what was said) of each POST."""
    posts = []

    async def receive(request):
        body = await request.json()
        said = [event["data"]["text"] for event in body["events"] if event["type"] == "transcript.final"]
        posts.append((request.headers.get("traceparent"), [event["type"] for event in body["events"]], said))
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/", receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/?token=a-secret", posts
    finally:
        await runner.cleanup()


def told(span):
    """A span's attributes."""
    values = {pair.key: pair.value for pair in span.attributes}
    return {name: getattr(value, value.WhichOneof("value")) for name, value in values.items()}


async def test_a_call_is_a_trace_that_goes_on_at_the_webhook(tmp_path, monkeypatch):
    async with Collector() as collector, deepgram() as server, webhook() as (url, posts):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        configured = {"webhook_url": url, "webhook_secret": WEBHOOK_SECRET, "webhook_interim": True}
        async with bridge(settings(tmp_path, server.url, **configured)) as origin:
            await play(origin, parameters={"bridge.from": "+15550101"})
            await until(lambda: any("call.ended" in types for _, types, _ in posts))

    trace_id, call_id = (part.to_bytes(size) for part, size in zip(ids(frames.CALL), (16, 8), strict=True))
    assert {span.trace_id for span in collector.spans} == {trace_id}
    named = {
        name: [span for span in collector.spans if span.name == name]
        for name in {each.name for each in collector.spans}
    }
    assert named.keys() == {"call", "stream", "deepgram socket", "webhook POST"}
    (call,), (stream,), (socket,) = named["call"], named["stream"], named["deepgram socket"]
    assert (call.span_id, call.parent_span_id) == (call_id, b"")
    assert {span.parent_span_id for span in collector.spans if span is not call} == {call_id}
    assert told(call)["bridge.reason"] == told(stream)["bridge.reason"] == "stopped"
    assert told(socket)["bridge.close_code"] == 1000
    assert call.start_time_unix_nano <= stream.start_time_unix_nano + 1_000_000_000
    assert all(span.start_time_unix_nano <= span.end_time_unix_nano for span in collector.spans)

    durable = [parent for parent, types, _ in posts if "transcript.interim" not in types]
    spans = {f"00-{trace_id.hex()}-{span.span_id.hex()}-01" for span in named["webhook POST"]}
    assert set(durable) == spans
    assert {parent for parent, types, _ in posts if types == ["transcript.interim"]} <= {
        f"00-{trace_id.hex()}-{call_id.hex()}-01"
    }
    told_of_it = json.dumps([told(span) for span in collector.spans])
    texts = [text for _, _, said in posts for text in said]
    assert len(texts) > 3
    assert not [text for text in (*texts, "a-secret", "+15550101") if text in told_of_it]


async def test_the_next_process_ends_the_trace_that_the_last_one_began(tmp_path, monkeypatch):
    async with Collector() as collector, deepgram() as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
        async with bridge(settings(tmp_path, server.url, bridge_grace=60.0)) as origin:
            await play(origin, stop=False)
        assert "call" not in [span.name for span in collector.spans]
        first = {span.name for span in collector.spans}
        async with asyncio.timeout(60):
            async with bridge(settings(tmp_path, server.url, bridge_grace=0.0)):
                while "call" not in [span.name for span in collector.spans]:
                    await asyncio.sleep(0.05)

    (call,) = (span for span in collector.spans if span.name == "call")
    assert first == {"stream", "deepgram socket"}
    assert {span.trace_id for span in collector.spans} == {call.trace_id} == {ids(frames.CALL)[0].to_bytes(16)}
    assert {span.parent_span_id for span in collector.spans if span is not call} == {call.span_id}
    assert call.start_time_unix_nano <= min(span.start_time_unix_nano for span in collector.spans) + 1_000_000_000
