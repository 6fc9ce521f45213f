"""The HTTP API as OpenAPI 3.1: https://spec.openapis.org/oas/v3.1.1. Pure; the operations are said at the handlers."""

from collections.abc import Iterable, Iterator, Mapping
from types import UnionType
from typing import Any, get_args

from bridge.contract.events import DELIVERY, event_schemas
from bridge.contract.operation import JSON, Answer, Guard, Operation, Parameter, Refusal
from bridge.contract.schemas import Schema, components, reference, references

SCHEMES: Mapping[str, Schema] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "One of `BRIDGE_READ_TOKENS`, or of the file of tokens, which may have fewer rights.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "bridge_session",
        "description": "What `POST /login` sets; for the bridge's own page, whose `Origin` it needs to write.",
    },
    "link": {
        "type": "apiKey",
        "in": "query",
        "name": "access",
        "description": "The `token` of a link: reads one call until it expires.",
    },
    "twilio": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Twilio-Signature",
        "description": "Twilio's signature over our public URL and the form.",
    },
    "telnyx": {
        "type": "apiKey",
        "in": "header",
        "name": "x-telnyx-streaming-auth-token",
        "description": "One of `BRIDGE_TELNYX_SECRET`; also as a bearer token, after the path, or as `?token=`.",
    },
    "jambonz": {"type": "http", "scheme": "basic", "description": "One of `BRIDGE_JAMBONZ_AUTH`."},
}

_GUARDS: Mapping[Guard, tuple[str, ...]] = {
    "open": (),
    "setting": ("", "token", "session"),
    "reader": ("token", "session"),
    "link": ("token", "session", "link"),
    "twilio": ("twilio",),
    "telnyx": ("telnyx",),
    "jambonz": ("jambonz",),
}

TAGS: Mapping[str, str] = {
    "record": "What the bridge knows of calls.",
    "live": "Calls as they go on.",
    "delivery": "How events get to endpoints.",
    "access": "Tokens, sessions and links.",
    "operations": "For those who run the bridge.",
    "carriers": "What carriers ask; clients have no need of it.",
    "contract": "What machines can rely on.",
    "page": "For people, in a browser.",
}


def openapi(operations: Iterable[Operation], version: str) -> dict[str, Any]:
    """The document; the version is the bridge's."""
    operations = sorted(operations, key=lambda one: (list(TAGS).index(one.tag), one.path))
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "media-stream bridge",
            "version": version,
            "summary": "Calls in, live transcripts at a webhook out",
            "description": "Fields, events and paths may be added at any time; a client passes over what it does not "
            "know. None is removed or changed within a major version.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": what} for name, what in TAGS.items()],
        "paths": paths,
        "webhooks": {"events": _webhook()},
        "components": {"schemas": dict(sorted(_schemas(operations).items())), "securitySchemes": dict(SCHEMES)},
    }


def _schemas(operations: Iterable[Operation]) -> dict[str, Schema]:
    bodies = [body for one in operations for body in _bodies(one)]
    kinds = [Refusal, *dict.fromkeys(body for body in bodies if isinstance(body, type))]
    found = event_schemas()
    for name, schema in components(kinds).items():
        if found.setdefault(name, schema) != schema:
            raise ValueError(f"two types of the contract are called {name}")
    if missing := {name for schema in [*found.values(), *bodies] for name in references(schema)} - found.keys():
        raise ValueError(f"there is no schema of {min(missing)}")
    return found


def _bodies(operation: Operation) -> Iterator["type | Schema"]:
    if operation.body is not None:
        yield from _choices(operation.body)
    for answer in operation.answers.values():
        yield from answer.bodies.values()


def _operation(one: Operation) -> dict[str, Any]:
    made: dict[str, Any] = {"operationId": one.name, "tags": [one.tag], "summary": one.summary}
    if one.what:
        made["description"] = one.what
    made["security"] = [{name: []} if name else {} for name in _GUARDS[one.guard]]
    if one.takes:
        made["parameters"] = [_parameter(each) for each in one.takes]
    if one.body is not None:
        made["requestBody"] = {"required": one.body_required, "content": {one.body_type: {"schema": _schema(one.body)}}}
    responses = {status: _response(answer) for status, answer in one.answers.items()}
    for status, what in one.refuses.items():
        headers = {"WWW-Authenticate": "How to get access."} if status == 401 else {}
        responses[status] = _response(Answer(what, {JSON: reference(Refusal.__name__)}, headers))
    made["responses"] = {str(status): responses[status] for status in sorted(responses)}
    return made


def _parameter(parameter: Parameter) -> dict[str, Any]:
    made = {"name": parameter.name, "in": parameter.place, "description": parameter.what, "schema": parameter.schema}
    return {**made, "required": True} if parameter.place == "path" else made


def _response(answer: Answer) -> dict[str, Any]:
    made: dict[str, Any] = {"description": answer.what}
    if answer.headers:
        made["headers"] = {
            name: {"description": what, "schema": {"type": "string"}} for name, what in answer.headers.items()
        }
    if answer.bodies:
        made["content"] = {kind: {"schema": _schema(body)} for kind, body in answer.bodies.items()}
    return made


def _choices(body: "type | UnionType | Schema") -> "tuple[type | Schema, ...]":
    return get_args(body) if isinstance(body, UnionType) else (body,)


def _schema(body: "type | UnionType | Schema") -> Schema:
    if isinstance(body, UnionType):
        return {"anyOf": [_schema(each) for each in _choices(body)]}
    return reference(body.__name__) if isinstance(body, type) else body


def _webhook() -> dict[str, Any]:
    headers = ("webhook-id", "webhook-timestamp", "webhook-signature")
    return {
        "post": {
            "summary": "Events of a call",
            "description": "To `WEBHOOK_URL`, signed as Standard Webhooks. Answer 2xx within 15 seconds.",
            "operationId": "receiveEvents",
            "tags": ["delivery"],
            "parameters": [
                {"name": name, "in": "header", "required": True, "schema": {"type": "string"}} for name in headers
            ],
            "requestBody": {"required": True, "content": {JSON: {"schema": reference(DELIVERY)}}},
            "responses": {"2XX": {"description": "The events are taken; they are not posted again."}},
        }
    }
