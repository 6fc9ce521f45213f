"""What a consumer is told, as Python objects: events and calls, of this version of the bridge and of others.

An event that this version knows is the class of `bridge.events`. What another version has added is handed through and
never an error: an unknown event is `Unknown`, a value of another kind is there as it came, and `raw` is the JSON object
with every field.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidatorFunctionWrapHandler, create_model
from pydantic import field_validator as validator_of

from bridge.errors import RemoteProtocolError
from bridge.events import EVENT_TYPES, Data, Figures, Latency, Request

Json = dict[str, Any]


class Unknown(Data):
    """An event that this version does not know; its fields are attributes."""

    model_config = ConfigDict(extra="allow")

    type: ClassVar[str] = "unknown"


class Reset(Data):
    """In a feed: the bridge's record is another one than before, and what follows begins again."""

    type: ClassVar[str] = "reset"
    durable: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a call."""

    call_id: str
    """The record's; empty where a feed of all calls begins again."""
    seq: int | None
    """Counts 1, 2, 3 in the call; None for what is not durable: interims, starts of speech."""
    id: str
    """The same however often it comes."""
    type: str
    """As the bridge names it."""
    time: str
    """When it was made."""
    data: Data
    """What it says: `TranscriptFinal`, `CallEnded` …"""
    raw: Json
    """The event as it came."""
    cursor: str = ""
    """In a feed: what to go on after. Empty elsewhere, and of what a feed of all calls says first of those that go on
    already.
    """


def event(raw: Json, call_id: str, cursor: str = "") -> Event:
    """An event as the webhook, the record and the feed carry it. Raises RemoteProtocolError for what is none."""
    if not isinstance(raw, dict):
        raise RemoteProtocolError("an event that is no object")
    name, event_id, seq = raw.get("type"), raw.get("id"), raw.get("seq")
    if not isinstance(name, str) or not isinstance(event_id, str) or not isinstance(seq, int | None):
        raise RemoteProtocolError("an event without a type or an id")
    return Event(call_id, seq, event_id, name, str(raw.get("time", "")), _data(name, raw.get("data")), raw, cursor)


def _data(name: str, said: object) -> Data:
    if not isinstance(said, dict):
        return Unknown()
    kind = EVENT_TYPES.get(name)
    for model in (kind, _lenient(kind)) if kind else ():
        try:
            return model.model_validate(said)
        except ValidationError:  # noqa: PERF203 - twice at most
            continue
    return Unknown.model_validate(said)


def _as_it_came(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except ValidationError:
        return value


@cache
def _lenient(kind: type[Data]) -> type[Data]:
    """The same class, with room for values that this version does not know."""
    validator: Any = validator_of("*", mode="wrap")(_as_it_came)
    return create_model(kind.__name__, __base__=kind, __validators__={"as_it_came": validator})


class _Told(BaseModel):
    """What the bridge says of a call, whichever version it is."""

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)

    _as_it_came = validator_of("*", mode="wrap")(_as_it_came)


class Call(_Told):
    """The `call` of a delivery: parties, labels, times. `bridge.events.CallStarted` says what the fields mean."""

    id: str
    carrier: str | None = None
    carrier_call_id: str | None = None
    continues: str | None = None
    from_: str | None = Field(None, alias="from")
    to: str | None = None
    direction: str | None = None
    speakers: Mapping[str, str] = {}
    started_at: str | None = None
    parameters: Mapping[str, str] = {}


class Standing(_Told):
    """How the delivery of a call to one endpoint stands, as the top of `bridge/web/record.py` has it."""

    state: str = "none"
    cursor: int | None = None
    attempts: int = 0
    reason: str | None = None


class RecordedCall(Call):
    """A call of the record; the top of `bridge/web/record.py` says what the fields mean. Those after `figures` are
    there of a call alone, and not in a list.
    """

    name: str | None = None
    continued_by: str | None = None
    ended_at: str | None = None
    active: bool = False
    duration: float | None = None
    reason: str | None = None
    seq: int = 0
    missing: float | None = None
    waiting: float | None = None
    backfilled: float | None = None
    last: Mapping[str, str] | None = None
    snippet: str | None = None
    figures: Figures | None = None
    counts: Mapping[str, int] | None = None
    flush: str | None = None
    requests: list[Request] | None = None
    latency: Latency | None = None
    delivery: Standing | None = None
    deliveries: Mapping[str, Standing] = {}
    may: list[str] = []
    audio: Mapping[str, Any] = {}


def call(raw: Json) -> Call:
    """The `call` of a delivery."""
    return Call.model_validate(raw)


def recorded_call(raw: Json) -> RecordedCall:
    """A call of the record. Raises RemoteProtocolError for what is none."""
    try:
        return RecordedCall.model_validate(raw)
    except ValidationError:
        raise RemoteProtocolError("a call without an id") from None
