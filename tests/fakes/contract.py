"""Holds what a test run answers and tells against the contract: every answer of a documented handler, every event.

Nothing is added to what is tested: aiohttp calls `on_response_prepare` for each answer, and an event is looked at when
it becomes JSON. A fault fails the test in which it was seen.
"""

import json
from functools import cache
from typing import Any

import jsonschema_rs
from aiohttp import web

from bridge.contract.events import name_of
from bridge.contract.operation import Operation, operations
from bridge.contract.schemas import REF, Schema
from bridge.delivery.format import Envelopes, Request
from bridge.events import Event
from bridge.web import contract

FAULTS: list[str] = []
"""What was seen since the last look."""

_UNREAD = {405, 408, 413, 417}
"""Refusals of a request that no handler has seen."""


def faults() -> list[str]:
    """What was seen, and forget it."""
    found, FAULTS[:] = FAULTS[:], []
    return found


@cache
def operations_by_name() -> dict[str, Operation]:
    return {one.name: one for one in contract.operations()}


@cache
def _validator(schema: str) -> Any:
    """Of a schema in JSON; no object may have a field that is not told of."""
    components = {name: closed(each) for name, each in contract.document()["components"]["schemas"].items()}
    return jsonschema_rs.Draft202012Validator({**json.loads(schema), "components": {"schemas": components}})


def closed(schema: Any) -> Any:
    """The schema without room for what is not in it; it is open to readers, who have to pass over what is new."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(value) for name, value in schema.items()}
    named = isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema
    return {**inner, "unevaluatedProperties": False} if named and schema.get("type") == "object" else inner


def wrong(schema: Schema, value: Any) -> str | None:
    """What is wrong with a value, and where, or None."""
    for error in _validator(json.dumps(schema)).iter_errors(value):
        return f"{'.'.join(map(str, error.instance_path)) or 'the whole'}: {error.message[:300]}"
    return None


def named(name: str, value: Any) -> str | None:
    """As `wrong`, for one of the types of the document."""
    return wrong({"$ref": REF + name}, value)


async def look_at_answer(request: web.Request, response: web.StreamResponse) -> None:
    """A signal of aiohttp's, before an answer is sent."""
    match = request.match_info
    said = operations(match.handler) if match.http_exception is None else ()
    FAULTS.extend(
        f"{one.method} {one.path}, {one.name}: {complaint}"
        for one in said
        if (complaint := answered(one, request, response))
    )


def answered(operation: Operation, request: web.Request, response: web.StreamResponse) -> str | None:
    """What of an answer is not in the document."""
    status = response.status
    known = contract.document()["paths"][operation.path][operation.method.lower()]["responses"]
    if str(status) not in known:
        return None if status in _UNREAD else f"{status} is not documented"
    content = known[str(status)].get("content", {})
    body = response.body if isinstance(response, web.Response) else None
    if status in (204, 304, 101) or request.method == "HEAD":
        return None
    if response.content_type not in content:
        return f"{status} with {response.content_type} is not documented"
    if operation.method in ("GET", "POST") and status < 300 and (unknown := _unknown(operation, request)):
        return f"{unknown} is taken, and not documented"
    if response.content_type == "application/json" and isinstance(body, bytes):
        return wrong(content["application/json"]["schema"], json.loads(body))
    return None


def _unknown(operation: Operation, request: web.Request) -> str | None:
    """A parameter of the query that is not documented."""
    known = {parameter.name for parameter in operation.takes if parameter.place == "query"} | {"access"}
    if operation.guard == "twilio" or operation.tag == "page":  # all of Twilio's fields; what the page's scripts read
        return None
    return next((name for name in request.query if name not in known), None)


def look_at_message(event: str, data: Any) -> None:
    """One that a feed has sent."""
    kind = "FeedEvent" if "call_id" in data else "Event"
    if event not in ("end", "reset") and (complaint := named(kind, data)):
        FAULTS.append(f"a feed's {event}: {complaint}")


def look_at_everything() -> None:
    """From now on, in this process."""
    _look_at_answers()
    _look_at_events()
    _look_at_deliveries()


def _look_at_answers() -> None:
    make = web.Application.__init__

    def made(self: web.Application, *given: Any, **named: Any) -> None:
        make(self, *given, **named)
        self.on_response_prepare.append(look_at_answer)

    web.Application.__init__ = made  # type: ignore[method-assign]


def _look_at_events() -> None:
    write = Event.to_json

    def written(self: Event) -> str:
        text = write(self)
        if complaint := named(name_of(type(self.data)), json.loads(text)):
            FAULTS.append(f"{self.type}: {complaint}")
        return text

    Event.to_json = written  # type: ignore[method-assign]


def _look_at_deliveries() -> None:
    request = Envelopes._request

    def requested(self: Envelopes, webhook_id: str, body: bytes) -> Request:
        if complaint := named("Delivery", json.loads(body)):
            FAULTS.append(f"a delivery: {complaint}")
        return request(self, webhook_id, body)

    Envelopes._request = requested  # type: ignore[method-assign]
