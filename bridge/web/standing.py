"""How the delivery stands: the JSON of `GET /deliveries`, made of what senders and store say.

Pure; `deliveries` handles the requests.
"""

from typing import Literal

from typing_extensions import TypedDict

from bridge.delivery.attempts import Attempt
from bridge.delivery.breaker import State
from bridge.delivery.sender import Sender
from bridge.events import timestamp
from bridge.outbox import Backlog, StuckLane

EndpointState = Literal["well", "failing", "refusing", "recovering", "gone", "removed"]

_STATES: dict[State, EndpointState] = {State.OPEN: "refusing", State.HALF_OPEN: "recovering", State.DISABLED: "gone"}


class Posted(TypedDict):
    """A POST that is over."""

    at: str
    """Wall clock of its end."""
    took: float
    """Seconds."""
    accepted: bool
    answer: str
    """A status, or what failed."""


class EndpointStands(TypedDict):
    """How an endpoint does."""

    name: str
    """As in the settings; where calls have named it, its pattern's and something of the URL: `tenants@1f0c…`."""
    url: str | None
    """Its scheme and host: the rest may be secret. Null where it is not in the settings any more."""
    state: EndpointState
    """`well`: it takes what it gets; `failing`: its last answer was an error, others may go through; `refusing`: it
    fails, and is asked now and then only; `recovering`: it has answered again, and gets more by and by; `gone`: it has
    said so (410), and gets nothing until a person delivers; `removed`: the settings do not have it, or do not allow its
    URL, any more, and what waits for it is kept.
    """
    events: list[str] | None
    """The types that it is told; null: all."""
    in_flight: int
    """POSTs on their way."""
    waiting: int
    """Calls of which something is to be delivered."""
    parked: int
    """Calls that were given up: dead letters."""
    last: Posted | None
    """The last POST since the bridge was started; null before."""
    accepted_at: str | None
    """When one was last accepted, since the bridge was started."""
    next_try: str | None
    """When something is tried next; null: nothing waits, or nothing will be tried by itself."""


class StuckCall(TypedDict):
    """A call of which an endpoint has not taken everything, and not for want of time."""

    endpoint: str
    call_id: str
    cursor: int
    """The last `seq` that was delivered, or skipped."""
    seq: int
    """The newest event's."""
    attempts: int
    """Failures in a row."""
    since: str | None
    """When the first of them was."""
    reason: str | None
    """Why the last try failed, or why it was given up."""
    parked: bool
    """Whether it was given up."""
    next_try: str | None
    """Null: not by itself."""


def endpoint(name: str, sender: Sender | None, backlog: Backlog | None, now: float) -> EndpointStands:
    """One endpoint; `sender`: None where the settings do not have it. `now`: seconds since 1970."""
    last = sender.attempts.last if sender else None
    return {
        "name": name,
        "url": sender.poster.origin if sender else None,
        "state": _state(sender),
        "events": sorted(sender.types) if sender and sender.types is not None else None,
        "in_flight": sender.breaker.in_flight if sender else 0,
        "waiting": backlog.waiting if backlog else 0,
        "parked": backlog.parked if backlog else 0,
        "last": attempt(last),
        "accepted_at": _time(sender.attempts.accepted_at if sender else None),
        "next_try": _next_try(sender, backlog, now),
    }


def stuck(lane: StuckLane, now: float) -> StuckCall:
    """One call that is stuck."""
    return {
        "endpoint": lane.endpoint,
        "call_id": lane.call_id,
        "cursor": lane.cursor,
        "seq": lane.tip,
        "attempts": lane.attempts,
        "since": _time(lane.first_failure),
        "reason": lane.parked or lane.reason,
        "parked": lane.parked is not None,
        "next_try": None if lane.parked else _time(max(lane.due, now)),
    }


def attempt(last: Attempt | None) -> Posted | None:
    """A POST that is over."""
    if last is None:
        return None
    return {"at": timestamp(last.at), "took": round(last.took, 3), "accepted": last.accepted, "answer": last.answer}


def _state(sender: Sender | None) -> EndpointState:
    if sender is None:
        return "removed"
    last = sender.attempts.last
    failing = last is not None and not last.accepted
    return _STATES.get(sender.breaker.state, "failing" if failing else "well")


def _next_try(sender: Sender | None, backlog: Backlog | None, now: float) -> str | None:
    if sender is None or sender.breaker.state is State.DISABLED or backlog is None or backlog.due is None:
        return None
    return timestamp(max(now, backlog.due, sender.next_try() or 0.0))


def _time(epoch: float | None) -> str | None:
    return timestamp(epoch) if epoch is not None else None
