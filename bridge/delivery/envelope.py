"""The body of a delivery: one envelope with the events of one call, whether one or many.

Pure, and joins JSON that is already written: nothing is parsed again. What goes into an envelope, and when, is
decided in `lane`. `opened` is the other side's.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from bridge.errors import RemoteProtocolError

Json = dict[str, Any]


def envelope(header: str, bodies: Iterable[str], skipped: Sequence[int] = (), after: int | None = None) -> bytes:
    """The body of a POST. `skipped`: the `seq` of events that were given up since the last delivery. `after`: that of
    the last event before these that was for this endpoint, where not all are; 0: there was none.
    """
    gap = f'"skipped":{json.dumps(list(skipped), separators=(",", ":"))},' if skipped else ""
    chain = f'"after":{after},' if after is not None else ""
    return f'{{"type":"call.events","call":{header},{gap}{chain}"events":[{",".join(bodies)}]}}'.encode()


class Opened(NamedTuple):
    """What an envelope holds; `skipped` and `after` as `envelope` takes them."""

    call: Json
    events: list[Json]
    skipped: tuple[int, ...]
    after: int | None


def opened(body: bytes) -> Opened:
    """What a body holds. Raises RemoteProtocolError for what is no envelope.

    What an event says is not looked at, only that it has an id, a type and, if it is durable, its number.
    """
    try:
        told = json.loads(body)
        call, events, after = told["call"], told["events"], told.get("after")
        known = told["type"] == "call.events" and isinstance(call["id"], str) and isinstance(events, list)
        if known and all(map(_is_event, events)):
            return Opened(call, events, tuple(map(int, told.get("skipped", ()))), None if after is None else int(after))
    # Not JSON or not text, a field that is not there, one of another kind, too many open brackets, infinity.
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError):
        pass
    raise RemoteProtocolError("a delivery that is no envelope of events")


def _is_event(event: Json) -> bool:
    known = isinstance(event["id"], str) and isinstance(event["type"], str)
    return known and isinstance(event.get("seq", 0), int)


def batch_id(call_id: str, first: int, last: int) -> str:
    """The webhook-id of a batch: the same range, the same id, for ever."""
    return f"evt_{call_id}_{first}_{last}"


def interim_id(call_id: str, segment_id: str, revision: int) -> str:
    """The webhook-id of an interim; a revision is sent at most once."""
    return f"int_{call_id}_{segment_id}_{revision}"


def start_id(call_id: str, event_id: str) -> str:
    """The webhook-id of a start of speech."""
    return f"int_{call_id}_{event_id}"
