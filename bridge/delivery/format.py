"""What goes to an endpoint, in the endpoint's own format: a lane's batch as requests.

A format is all that tells one endpoint from another; lanes, retries and circuit breaker are the same for each. It makes
no decision about an answer and reads no clock: a request is signed when it is sent, with the time it is given.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from bridge.delivery.envelope import batch_id, envelope, interim_id, start_id
from bridge.delivery.signing import Signer
from bridge.delivery.whole import with_transcript
from bridge.events import CallEnded, Event, TranscriptFinal, TranscriptInterim
from bridge.outbox import Lane
from bridge.store.base import StoredEvent

REMEMBERED = 10_000
"""Calls of which a format remembers how far they are told, the latest."""


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
    types: frozenset[str] | None
    """Those that the endpoint is told; None: all that there are words for."""

    def known(self, lane: Lane) -> int:
        """After which `seq` it has to be told the call's events; the lane's cursor: it needs but those of the batch."""

    def recall(self, lane: Lane, events: Sequence[StoredEvent]) -> None:
        """Events that have been settled, in order, from after `known` on up to the lane's cursor."""

    def needs(self, events: Sequence[StoredEvent]) -> tuple[str, ...]:
        """The types of the events before these, of the whole call, that the requests are made of as well."""

    def parts(self, lane: Lane, events: Sequence[StoredEvent], said: Sequence[StoredEvent] = ()) -> list[Part]:
        """The requests for a batch, in order; none if the endpoint is told nothing of these events. `said`: the events
        that it `needs`."""

    def settled(self, lane: Lane, cursor: int) -> None:
        """The batch that `parts` was last asked for is settled up to `cursor`."""

    def interim(self, call_id: str, header: str, event: Event) -> Request | None:
        """The request for an event without a `seq`; None if it cannot be told any more."""

    def apart(self) -> "Format":
        """The same format, which remembers nothing yet: for what is posted beside the lanes."""


@dataclass(frozen=True, slots=True)
class _Told:
    """What an endpoint that is told of some events only knows of a call."""

    cursor: int = 0
    """By the events up to this one."""
    last: int = 0
    """The last of them that was for it."""


class Envelopes:
    """Our own format: Standard Webhooks, one envelope with all events of a batch.

    Where an endpoint gets some types only, each envelope says `after` which event it comes: with that its consumer sees
    that nothing is missing, though `seq` has holes. For that it is remembered of each call how far it is told; what is
    not known is read again.
    """

    content_type = "application/json"

    def __init__(
        self,
        signer: Signer,
        *,
        types: Collection[str] | None = None,
        transcript: bool = False,
        remembered: int = REMEMBERED,
    ) -> None:
        """`types`: those that the endpoint gets; None: all. `transcript`: `call.ended` has what was said. `remembered`:
        calls, more than go on and are delivered at a time."""
        self._signer = signer
        self.types = None if types is None else frozenset(types)
        self._transcript = transcript
        self._remembered = remembered
        self._calls: dict[str, _Told] = {}
        self._ahead: dict[str, tuple[int, ...]] = {}  # of each batch that is on its way, the events for the endpoint

    def known(self, lane: Lane) -> int:
        if self.types is None:
            return lane.cursor
        told = self._calls.pop(lane.call_id, _Told())
        if told.cursor > lane.cursor:  # it is to be told once more
            told = _Told()
        self._calls[lane.call_id] = told  # as the newest
        if len(self._calls) > self._remembered:
            del self._calls[next(iter(self._calls))]
        return told.cursor

    def recall(self, lane: Lane, events: Sequence[StoredEvent]) -> None:
        if self.types is None:
            return
        last = max([self._calls[lane.call_id].last, *(event.seq for event in events if self._takes(event))])
        self._calls[lane.call_id] = _Told(events[-1].seq, last)

    def needs(self, events: Sequence[StoredEvent]) -> tuple[str, ...]:
        wanted = self._transcript and any(event.type == CallEnded.type and self._takes(event) for event in events)
        return (TranscriptFinal.type,) if wanted else ()

    def parts(self, lane: Lane, events: Sequence[StoredEvent], said: Sequence[StoredEvent] = ()) -> list[Part]:
        chosen = [event for event in events if self._takes(event)]
        last = None
        if self.types is not None:
            last = self._calls[lane.call_id].last
            self._ahead[lane.call_id] = tuple(event.seq for event in chosen)
        parts: list[Part] = []
        for part, group in self._groups(lane, chosen):
            bodies = [self._body(event, said) for event in group]
            body = envelope(lane.header, bodies, () if parts else lane.skipped, last)
            parts.append(Part(part, self._request(batch_id(lane.call_id, part.cursor + 1, part.batch_to), body)))
            last = None if last is None else group[-1].seq
        return parts

    def settled(self, lane: Lane, cursor: int) -> None:
        if self.types is None:
            return
        told = self._calls.get(lane.call_id, _Told())
        ahead = self._ahead.pop(lane.call_id, ())
        self._calls[lane.call_id] = _Told(cursor, max([told.last, *(seq for seq in ahead if seq <= cursor)]))

    def interim(self, call_id: str, header: str, event: Event) -> Request:
        return self._request(_interim_id(event), envelope(header, [event.to_json()]))

    def apart(self) -> "Envelopes":
        return Envelopes(self._signer, types=self.types, transcript=self._transcript)

    def _takes(self, event: StoredEvent) -> bool:
        return self.types is None or event.type in self.types

    def _groups(self, lane: Lane, chosen: list[StoredEvent]) -> Iterator[tuple[Lane, list[StoredEvent]]]:
        """What goes together, with its share of the lane: an end with its transcript goes alone."""
        ended = next((n for n, event in enumerate(chosen) if event.type == CallEnded.type), 0)
        if not self._transcript or not ended:
            if chosen:
                yield lane, chosen
            return
        until = chosen[ended].seq - 1
        yield replace(lane, batch_to=until), chosen[:ended]
        yield replace(lane, cursor=until), chosen[ended:]

    def _body(self, event: StoredEvent, said: Sequence[StoredEvent]) -> str:
        wanted = self._transcript and event.type == CallEnded.type
        return with_transcript(event.body, [final for final in said if final.seq < event.seq]) if wanted else event.body

    def _request(self, webhook_id: str, body: bytes) -> Request:
        return Request(body, lambda now: self._signer.headers(webhook_id, body, now))


def _interim_id(event: Event) -> str:
    """The webhook-id of an event without a `seq`."""
    if isinstance(event.data, TranscriptInterim):
        return interim_id(event.call_id, event.data.segment_id, event.data.revision)
    return start_id(event.call_id, event.id)
