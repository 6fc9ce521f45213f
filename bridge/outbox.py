"""The outbox's words: what the store keeps of a delivery, and what a delivery asks of the store.

A lane is one call's way to one endpoint, with a cursor. The store keeps lanes and chooses their batches; delivery posts
them and settles what came of it. Values and two pure functions only, below both, so that neither imports the other.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from typing_extensions import TypedDict

from bridge.errors import LocalProtocolError
from bridge.events import CallStarted, Direction, Event

WEBHOOK, TWILIO = "webhook", "twilio"
"""The endpoints' names in the lanes, which stay when an endpoint's URL changes; metrics and API use them too."""


@dataclass(frozen=True, slots=True)
class Batching:
    """How much goes into one POST."""

    max_events: int = 50
    max_octets: int = 64_000
    """Of the events, in octets of UTF-8; an event larger than this goes alone."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One call's way to one endpoint, leased to the holder of `token`.

    The batch to try is the events after `cursor` up to `batch_to`. Its range is durable before the lane can be
    claimed, so a retry, even one after a crash, repeats the same range under the same webhook-id.
    """

    endpoint: str
    call_id: str
    header: str
    """JSON of the `call` object of the envelope."""
    cursor: int
    """The last `seq` that is settled."""
    batch_to: int
    """The last `seq` of the batch; always above `cursor` in a claimed lane."""
    attempts: int
    """Failures in a row: the step of the retry schedule."""
    rejections: int
    """How often the one event of this batch was answered that it is unacceptable."""
    first_failure: float | None
    """Seconds since 1970 of the first failure of this row of failures."""
    skipped: tuple[int, ...]
    """Events parked one by one, which the next delivery names."""
    call_ended: bool
    token: str


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a lane looks like after a try."""

    cursor: int
    batch_to: int | None
    """The batch to try next; None: whatever has piled up after `cursor`, as much as fits."""
    due: float = 0.0
    """Not before this moment, seconds since 1970; 0: at once."""
    attempts: int = 0
    rejections: int = 0
    first_failure: float | None = None
    skipped: tuple[int, ...] = ()
    parked: str | None = None
    """Why this lane is given up (a dead letter): it waits, complete and in order, for `resume`."""
    reason: str | None = None
    """Why this try failed: a word of ours or a status, nothing that the endpoint wrote."""


@dataclass(frozen=True, slots=True)
class ParkedLane:
    """A dead letter: what lies after `cursor` was not delivered."""

    call_id: str
    cursor: int
    reason: str


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is not delivered to one endpoint."""

    endpoint: str
    waiting: int
    """Calls of which something waits."""
    parked: int
    """Calls that were given up."""
    due: float | None
    """The next try of those that wait, seconds since 1970; 0: at once. None: none waits."""


@dataclass(frozen=True, slots=True)
class StuckLane:
    """A lane whose last try failed, or that was given up."""

    endpoint: str
    call_id: str
    cursor: int
    tip: int
    attempts: int
    due: float
    """The next try, seconds since 1970."""
    first_failure: float | None
    parked: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class LaneState:
    """How far the delivery of a call has got."""

    cursor: int
    """The last `seq` that is settled."""
    tip: int
    """The newest."""
    attempts: int
    """Failures in a row."""
    parked: str | None
    """Why it was given up."""
    reason: str | None = None
    """Why the last try failed."""


Parties = TypedDict("Parties", {"from": str | None, "to": str | None})
"""Who calls, and who is called: a number, or what else the carrier calls by. None where it is not known."""


class CallHeader(Parties):
    """The call that events belong to, as its first event tells it."""

    id: str
    """The record's."""
    carrier: str
    """As `call.started` has it; so are the others."""
    carrier_call_id: str
    """The carrier's own id of the call."""
    continues: str | None
    """The record before this one, where the carrier came back to a call whose record had ended."""
    direction: Direction | None
    """None where it is not known."""
    speakers: dict[str, str]
    """Track to label."""
    started_at: str
    """Wall clock of call time 0."""
    parameters: dict[str, str]
    """The stream's own, as they were sent."""


def batch_end(cursor: int, events: Iterable[tuple[int, int]], batching: Batching) -> int:
    """The last `seq` of the next batch; the cursor if there is nothing.

    `events`: (`seq`, octets) of what lies after the cursor, in order.
    """
    end, octets = cursor, 0
    for count, (seq, size) in enumerate(events, 1):
        octets += size + 1
        if count > batching.max_events or (octets > batching.max_octets and count > 1):
            break
        end = seq
    return end


def call_header(event: Event) -> str:
    """JSON of the envelope's `call` object, made of the call's first event."""
    started = event.data
    if not isinstance(started, CallStarted):
        raise LocalProtocolError(f"a call begins with {CallStarted.type}, not with {started.type}")
    header: CallHeader = {
        "id": event.call_id,
        "carrier": started.carrier,
        "carrier_call_id": started.carrier_call_id,
        "continues": started.continues,
        "from": started.from_,
        "to": started.to,
        "direction": started.direction,
        "speakers": started.speakers,
        "started_at": started.started_at,
        "parameters": started.parameters,
    }
    return json.dumps(header, ensure_ascii=False, separators=(",", ":"))
