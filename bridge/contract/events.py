"""The schemas of events, and of what carries them: the webhook's body, the pages and the feeds.

An event is `seq`, `id`, `type`, `time` and `data`; each type has a schema of its own, called as its data are, with
`Event` after it. What is not durable has no `seq`.
"""

from collections.abc import Iterable
from typing import Any

from bridge.contract import docstrings
from bridge.contract.schemas import REF, Schema, components, reference
from bridge.events import EVENT_TYPES, Data
from bridge.outbox import CallHeader

EVENT, DURABLE, NAMED, DELIVERY = "Event", "DurableEvent", "FeedEvent", "Delivery"
"""The names of: any event; one with a `seq`; one that names its call, as in the feed of all calls; a webhook's body."""

_SEQ = {
    "type": "integer",
    "minimum": 1,
    "description": "Counts the durable events of the record, from 1 without a hole.",
}
_CALL_ID = {"type": "string", "description": "The record's id; in the feed of all calls only."}


def name_of(data: type[Data]) -> str:
    """The name of the schema of an event that says this."""
    return f"{data.__name__}Event"


def event_schemas() -> dict[str, Schema]:
    """By name: data, events, and what carries events."""
    kinds = list(EVENT_TYPES.values())
    durable = [data for data in kinds if data.durable]
    return {
        **components([*kinds, CallHeader]),
        **{name_of(data): _event(data) for data in kinds},
        EVENT: _any("Any event.", kinds),
        DURABLE: _any("An event of the record.", durable),
        NAMED: _named(kinds),
        DELIVERY: _delivery(),
    }


def _event(data: type[Data]) -> Schema:
    properties: dict[str, Any] = {
        **({"seq": _SEQ} if data.durable else {}),
        "id": {"type": "string", "description": "The event's own, the same each time it is sent."},
        "type": {"const": data.type, "type": "string"},
        "time": {"type": "string", "format": "date-time", "description": "When it was made."},
        "data": reference(data.__name__),
    }
    required = list(properties)
    said = docstrings.text(data.__doc__ or "")
    return {
        "type": "object",
        "description": said,
        "properties": {"call_id": _CALL_ID, **properties},
        "required": required,
    }


def _any(said: str, kinds: Iterable[type[Data]]) -> Schema:
    names = {data.type: name_of(data) for data in kinds}
    return {
        "description": said,
        "oneOf": [reference(name) for name in names.values()],
        "discriminator": {"propertyName": "type", "mapping": {type_: REF + name for type_, name in names.items()}},
    }


def _named(kinds: Iterable[type[Data]]) -> Schema:
    return {
        "description": "An event in the feed of all calls, with the record it belongs to.",
        "properties": {"call_id": _CALL_ID},
        "required": ["call_id"],
        "oneOf": [reference(name_of(data)) for data in kinds],
    }


def _delivery() -> Schema:
    properties = {
        "type": {"const": "call.events", "type": "string"},
        "call": reference(CallHeader.__name__),
        "skipped": {
            "type": "array",
            "items": {"type": "integer"},
            "description": "The `seq` of events that were given up since the last delivery; else it is left out.",
        },
        "after": {
            "type": "integer",
            "description": "To an endpoint that gets some types of events only: the `seq` of the event before these "
            "that was for it, 0 for the first; else it is left out.",
        },
        "events": {"type": "array", "minItems": 1, "items": reference(EVENT)},
    }
    said = "The body of a POST to the webhook: one or more events of one call, in order."
    required = [name for name in properties if name not in ("skipped", "after")]
    return {"type": "object", "description": said, "properties": properties, "required": required}
