"""The contract with machines, served: the documents, the schemas, and a page to try the API. Without authentication.

    GET /openapi.json           the HTTP API
    GET /asyncapi.json          webhook, feeds and media sockets
    GET /schemas/{name}.json    one type, whole: an event (`TranscriptFinalEvent`), a webhook's body (`Delivery`) …
    GET /schemas/bridge.d.ts    all of them for TypeScript
    GET /api                    the page

`HANDLERS` lists the classes whose handlers are `documented`: a new one is added there, and a test says so.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from typing import Any

from aiohttp import web

from bridge import __version__
from bridge.contract.asyncapi import asyncapi
from bridge.contract.openapi import openapi
from bridge.contract.operation import JSON, Answer, Operation, Parameter, all_operations, documented
from bridge.contract.schemas import Schema, alone
from bridge.web import carriers
from bridge.web.access import Access
from bridge.web.audit import AuditHandlers
from bridge.web.backup import BackupHandlers
from bridge.web.calls import AFTER, CallHandlers
from bridge.web.control import ControlHandlers
from bridge.web.deliveries import DeliveryHandlers
from bridge.web.feed import FeedHandlers
from bridge.web.http import TYPES, refusal
from bridge.web.operations import OperationsHandlers
from bridge.web.static import PageHandlers

_TYPESCRIPT = "bridge.d.ts"
_OBJECT: Schema = {"type": "object"}
_REVALIDATED = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}


class ContractHandlers:
    """The documents; each is made when it is first asked for."""

    def routes(self) -> list[web.RouteDef]:
        """Without authentication: they hold no data."""
        return [
            web.get("/openapi.json", self.openapi),
            web.get("/asyncapi.json", self.asyncapi),
            web.get("/schemas/{file}", self.schema),
        ]

    @documented(
        "GET /openapi.json",
        "getOpenapi",
        tag="contract",
        guard="open",
        answers={200: Answer("OpenAPI 3.1.", {JSON: _OBJECT}), 304: Answer("The client has it.")},
    )
    async def openapi(self, request: web.Request) -> web.Response:
        """The HTTP API."""
        return _answer(request, JSON, written("openapi"))

    @documented(
        "GET /asyncapi.json",
        "getAsyncapi",
        tag="contract",
        guard="open",
        answers={200: Answer("AsyncAPI 3.0.", {JSON: _OBJECT}), 304: Answer("The client has it.")},
    )
    async def asyncapi(self, request: web.Request) -> web.Response:
        """Webhook, feeds and media sockets."""
        return _answer(request, JSON, written("asyncapi"))

    @documented(
        "GET /schemas/{file}",
        "getSchema",
        tag="contract",
        guard="open",
        takes=[
            Parameter(
                "file",
                f"A type of this document with `.json` after it, or `{_TYPESCRIPT}`.",
                {"type": "string"},
                "path",
            )
        ],
        answers={
            200: Answer(
                "JSON Schema, or types of TypeScript.",
                {"application/schema+json": _OBJECT, "text/plain": {"type": "string"}},
            ),
            304: Answer("The client has it."),
        },
        refuses={404: "There is no such type."},
    )
    async def schema(self, request: web.Request) -> web.Response:
        """One type, with all that it is made of."""
        name = request.match_info["file"]
        if name == _TYPESCRIPT:
            return _answer(request, "text/plain", typescript())
        kind = name.removesuffix(".json")
        if kind == name or kind not in document()["components"]["schemas"]:
            return refusal(404, "There is no such type; /openapi.json names them, under components.schemas.")
        return _answer(request, "application/schema+json", written(kind))


HANDLERS = (
    Access,
    AuditHandlers,
    BackupHandlers,
    CallHandlers,
    ContractHandlers,
    ControlHandlers,
    DeliveryHandlers,
    FeedHandlers,
    OperationsHandlers,
    PageHandlers,
)


@cache
def operations() -> tuple[Operation, ...]:
    """All that the API can be asked, with every setting; Twilio's webhooks, for one, are there with `PUBLIC_URL`."""
    return (*all_operations(HANDLERS), *carriers.documents())


@cache
def document() -> Mapping[str, Any]:
    """The HTTP API, as OpenAPI."""
    return openapi(operations(), __version__)


@cache
def events_document() -> Mapping[str, Any]:
    """Webhook, feeds and media sockets, as AsyncAPI."""
    return asyncapi(__version__, [AFTER, TYPES])


def schema(name: str) -> Mapping[str, Any]:
    """One type of the document as JSON Schema. Raises KeyError."""
    return alone(name, document()["components"]["schemas"])


def typescript() -> str:
    """The types for TypeScript, as `scripts/contract --write` has made them of the document."""
    return resources.files("bridge.contract").joinpath(_TYPESCRIPT).read_text(encoding="utf-8")


@cache
def written(name: str) -> str:
    """A document, or a schema, as JSON for people and machines."""
    make: dict[str, Callable[[], Mapping[str, Any]]] = {"openapi": document, "asyncapi": events_document}
    return json.dumps(make[name]() if name in make else schema(name), ensure_ascii=False, indent=1) + "\n"


def _answer(request: web.Request, kind: str, text: str) -> web.Response:
    etag = hashlib.sha256(text.encode()).hexdigest()[:20]
    headers = {**_REVALIDATED, "ETag": f'"{etag}"'}
    if any(known.value in (etag, "*") for known in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    return web.Response(text=text, content_type=kind, charset="utf-8", headers=headers)
