"""Webhook, feeds and media sockets as AsyncAPI 3.0. Pure.

Source: https://www.asyncapi.com/docs/reference/specification/v3.0.0
"""

from collections.abc import Iterable, Mapping
from typing import Any

from bridge.contract.events import DELIVERY, EVENT, NAMED, event_schemas, name_of
from bridge.contract.media import carrier_schemas
from bridge.contract.openapi import SCHEMES
from bridge.contract.operation import Parameter
from bridge.contract.schemas import REF, Schema
from bridge.events import EVENT_TYPES

_HERE = ("https", "wss")
"""The servers that the bridge is; the webhook's is the consumer's."""

_CONTENT = "application/json"

_SIGNED = {
    "webhook-id": "The same on every retry: what has been seen can be dropped.",
    "webhook-timestamp": "Seconds since 1970 of this attempt.",
    "webhook-signature": "`v1,` and the signature, in base64; several with blanks between while secrets are rotated.",
}

_EMPTY: Schema = {"type": "object", "maxProperties": 0}


def asyncapi(version: str, takes: Iterable[Parameter]) -> dict[str, Any]:
    """The document; the version is the bridge's. `takes`: what the query of a feed may have."""
    query = _query(takes)
    carriers = carrier_schemas()
    channels = {"webhook": _webhook(), "call": _call_feed(query), "calls": _all_feed(query)}
    channels |= {name: _media(name, messages) for name, messages in carriers.items()}
    schemas = {**event_schemas(), **{name: schema for each in carriers.values() for name, schema in each.items()}}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "media-stream bridge",
            "version": version,
            "description": "What the bridge sends as it happens, and what carriers send it. The HTTP API is in "
            "`/openapi.json`.",
            "license": {"name": "MIT", "url": "https://opensource.org/license/mit"},
        },
        "defaultContentType": _CONTENT,
        "servers": _servers(),
        "channels": channels,
        "operations": {name: _operation(name, channel) for name, channel in channels.items()},
        "components": {
            "messages": _messages(),
            "schemas": {name: _undiscriminated(schema) for name, schema in sorted(schemas.items())},
            "securitySchemes": {name: _scheme(scheme) for name, scheme in SCHEMES.items()},
        },
    }


def _servers() -> dict[str, Any]:
    variables = {"host": {"default": "localhost:8080", "description": "That of `PUBLIC_URL`."}}
    said = {"https": "The bridge, server-sent events", "wss": "The bridge, WebSockets"}
    here = {name: {"host": "{host}", "protocol": name, "title": said[name], "variables": variables} for name in _HERE}
    consumer = {"default": "app.example.com", "description": "That of `WEBHOOK_URL`."}
    title = "Your server"
    return {
        **here,
        "consumer": {"host": "{host}", "protocol": "https", "title": title, "variables": {"host": consumer}},
    }


def _scheme(scheme: Schema) -> Schema:
    """AsyncAPI calls a key in a header, a query or a cookie otherwise."""
    return {**scheme, "type": "httpApiKey"} if scheme["type"] == "apiKey" else scheme


def _messages() -> dict[str, Any]:
    found = {name_of(data): _message(name_of(data), data.type) for data in EVENT_TYPES.values()}
    found |= {name: _message(name, name) for each in carrier_schemas().values() for name in each}
    found["JambonzAudio"]["contentType"] = "application/octet-stream"
    found[EVENT], found[NAMED] = _message(EVENT, "event"), _message(NAMED, "event with call_id")
    headers = {name: {"type": "string", "description": said} for name, said in _SIGNED.items()}
    signed = {"type": "object", "properties": headers, "required": list(headers)}
    found[DELIVERY] = {**_message(DELIVERY, "call.events"), "headers": signed}
    for name, said in (
        ("end", "After `call.ended`: nothing follows. Server-sent events only; a WebSocket is closed with 1000."),
        ("reset", "The cursor was of another record, and what follows starts again. Server-sent events only."),
    ):
        found[name] = {"name": name, "title": name, "summary": said, "contentType": _CONTENT, "payload": _EMPTY}
    return found


def _message(schema: str, name: str) -> dict[str, Any]:
    return {"name": name, "title": name, "contentType": _CONTENT, "payload": {"$ref": REF + schema}}


def _chosen(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in names}


def _webhook() -> dict[str, Any]:
    return {
        "title": "Webhook",
        "description": "POST to `WEBHOOK_URL`, signed as Standard Webhooks (https://www.standardwebhooks.com). At "
        "least once and in the order of `seq`: an event is posted only after the one before was answered 2xx.",
        "servers": [{"$ref": "#/servers/consumer"}],
        "messages": _chosen([DELIVERY]),
    }


def _call_feed(query: Schema) -> dict[str, Any]:
    events = [name_of(data) for data in EVENT_TYPES.values()]
    id_ = {"id": {"description": "The record's id."}}
    said = (
        "The events of one call, from the first or after a cursor, up to its end. Each server-sent event is named by "
        "its type; those that are durable have an `id`, which `Last-Event-ID` takes."
    )
    return {**_feed("One call", "/calls/{id}/events", said, [*events, "end", "reset"], query), "parameters": id_}


def _all_feed(query: Schema) -> dict[str, Any]:
    said = "The events of all calls, as they come, each with its `call_id`; a cursor is of the log of all calls."
    return _feed("All calls", "/calls/live", said, [NAMED, "reset"], query)


def _feed(title: str, address: str, said: str, messages: Iterable[str], query: Schema) -> dict[str, Any]:
    return {
        "title": title,
        "address": address,
        "description": said,
        "servers": [{"$ref": f"#/servers/{name}"} for name in _HERE],
        "messages": _chosen(messages),
        "bindings": {"ws": {"method": "GET", "query": query, "bindingVersion": "0.1.0"}},
    }


def _query(takes: Iterable[Parameter]) -> Schema:
    properties = {one.name: {**one.schema, "description": one.what} for one in takes if one.place == "query"}
    return {"type": "object", "properties": properties}


def _media(carrier: str, messages: Mapping[str, Schema]) -> dict[str, Any]:
    return {
        "title": f"Media from {carrier}",
        "address": f"/media/{carrier}",
        "description": "A carrier's socket with the audio of a call. The bridge sends nothing over it.",
        "servers": [{"$ref": "#/servers/wss"}],
        "messages": _chosen(messages),
        "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
    }


def _operation(name: str, channel: Mapping[str, Any]) -> dict[str, Any]:
    is_media = name in carrier_schemas()
    guards = {"webhook": (), "call": ("token", "session", "link"), "calls": ("token", "session")}.get(name, (name,))
    return {
        "action": "receive" if is_media else "send",
        "title": channel["title"],
        "channel": {"$ref": f"#/channels/{name}"},
        "messages": [{"$ref": f"#/channels/{name}/messages/{message}"} for message in channel["messages"]],
        **({"security": [{"$ref": f"#/components/securitySchemes/{guard}"} for guard in guards]} if guards else {}),
    }


def _undiscriminated(schema: Any) -> Any:
    """AsyncAPI's discriminator is a name alone, and finds the schema by what the name says: the types of events are
    told apart by their `const`, without one."""
    return {name: value for name, value in schema.items() if name != "discriminator"}
