"""What goes to an endpoint, in the endpoint's own format: a lane's batch as requests.

A format is all that tells one endpoint from another; lanes, retries and circuit breaker are the same for each. It makes
no decision about an answer and reads no clock: a request is signed when it is sent, with the time it is given.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from bridge.delivery.envelope import batch_id, envelope, interim_id, start_id
from bridge.delivery.signing import Signer
from bridge.events import Event, TranscriptInterim
from bridge.outbox import Lane
from bridge.store.base import StoredEvent


@dataclass(frozen=True, slots=True)
class Request:
    """One POST; a retry has the same body."""

    body: bytes
    headers: Callable[[float], Mapping[str, str]]
    """Those of an attempt, whose time it is given in seconds since 1970."""


class Part(NamedTuple):
    """Some of a lane's batch, and the request that delivers it."""

    lane: Lane
    """The lane with this part for its batch."""
    request: Request


class Format(Protocol):
    """How one endpoint is told of calls."""

    content_type: str

    def known(self, lane: Lane) -> int:
        """After which `seq` it has to be told the call's events; the lane's cursor: it needs but those of the batch."""

    def recall(self, lane: Lane, events: Sequence[StoredEvent]) -> None:
        """Events that have been settled, in order, from after `known` on up to the lane's cursor."""

    def parts(self, lane: Lane, events: Sequence[StoredEvent]) -> list[Part]:
        """The requests for a batch, in order; none if the endpoint is told nothing of these events."""

    def settled(self, lane: Lane, cursor: int) -> None:
        """The batch that `parts` was last asked for is settled up to `cursor`."""

    def interim(self, call_id: str, header: str, event: Event) -> Request | None:
        """The request for an event without a `seq`; None if it cannot be told any more."""


class Envelopes:
    """Our own format: Standard Webhooks, one envelope with all events of a batch. It remembers nothing."""

    content_type = "application/json"

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def known(self, lane: Lane) -> int:
        return lane.cursor

    def recall(self, lane: Lane, events: Sequence[StoredEvent]) -> None:
        """There is nothing to know."""

    def parts(self, lane: Lane, events: Sequence[StoredEvent]) -> list[Part]:
        body = envelope(lane.header, (event.body for event in events), lane.skipped)
        return [Part(lane, self._request(batch_id(lane.call_id, lane.cursor + 1, lane.batch_to), body))]

    def settled(self, lane: Lane, cursor: int) -> None:
        """That changes nothing of what comes."""

    def interim(self, call_id: str, header: str, event: Event) -> Request:
        return self._request(_interim_id(event), envelope(header, [event.to_json()]))

    def _request(self, webhook_id: str, body: bytes) -> Request:
        return Request(body, lambda now: self._signer.headers(webhook_id, body, now))


def _interim_id(event: Event) -> str:
    """The webhook-id of an event without a `seq`."""
    if isinstance(event.data, TranscriptInterim):
        return interim_id(event.call_id, event.data.segment_id, event.data.revision)
    return start_id(event.call_id, event.id)
