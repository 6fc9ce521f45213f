"""An OTLP/HTTP receiver of traces, on loopback; it needs the extra `otel`."""

from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Collector:
    """`async with Collector() as collector:` keeps the spans that come to `collector.url`."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.services: set[str] = set()
        self.status = 200
        """What it answers; what it refuses it does not keep."""

    async def __aenter__(self) -> "Collector":
        app = web.Application()
        app.router.add_post("/v1/traces", self._receive)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        if self.status == 200:
            message = ExportTraceServiceRequest.FromString(await request.read())
            for each in message.resource_spans:
                named = {pair.key: pair.value.string_value for pair in each.resource.attributes}
                self.services.add(named["service.name"])
                self.spans += [span for scope in each.scope_spans for span in scope.spans]
        return web.Response(status=self.status, text="a-secret of the receiver's")
