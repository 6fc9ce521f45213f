"""What every call works with: the same for all of them."""

import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from bridge.call import describe
from bridge.call.backlog import Backlog
from bridge.call.call_options import CallOptions
from bridge.call.observed import Missing, Observed
from bridge.call.policy import CallPolicy
from bridge.call.projection import Projection
from bridge.call.record import Record
from bridge.call.stream import Stream
from bridge.carriers.messages import Started
from bridge.clock import Clock
from bridge.deepgram.delay import DelayMeter
from bridge.deepgram.latency import LatencyMeter
from bridge.deepgram.origins import Origins
from bridge.events import CallStarted, Track
from bridge.outlets import Named, pattern_of
from bridge.redaction.rules import KINDS
from bridge.store.base import Query, Store
from bridge.traces import NO_TRACES, Traces

log = logging.getLogger("bridge.call")

Refork = Callable[[Started, Sequence[Track]], Awaitable[str | None]]
"""Asks a carrier to send a call's audio here once more, from the stream it had and the tracks that are lacking: None if
it will, or why it will not."""

Stop = Callable[[Started, str], Awaitable[str | None]]
"""Asks a carrier to stop a stream of a call, by its id: None if it does, or why it does not."""


@dataclass(frozen=True, slots=True)
class Services:
    """Made once, by the application."""

    policy: CallPolicy
    store: Store
    origins: Origins
    """Of Deepgram."""
    options: CallOptions
    clock: Clock
    random: Random
    reforks: Mapping[str, Refork] = field(default_factory=dict)
    """By carrier: those that can be asked for a stream."""
    stops: Mapping[str, Stop] = field(default_factory=dict)
    """By carrier: those that can be asked to stop one."""
    backlog: Backlog = field(default_factory=Backlog)
    """What waits for the store."""
    latency: LatencyMeter = field(default_factory=LatencyMeter)
    """Of all calls."""
    delay: DelayMeter = field(default_factory=DelayMeter)
    """Likewise, of their audio on the way to Deepgram."""
    missing: Missing = field(default_factory=Counter)
    """Likewise."""
    traces: Traces = NO_TRACES
    find_named: Callable[[str], Named | str] = lambda url: "calls may name none"
    """The endpoint of a URL that a call names, or why it must not."""

    def open_record(self, call_id: str, started: Started, language: str | None, past: Projection | None) -> Record:
        """The record of a call whose first stream has `started`; the arguments are those of `Record`."""
        labels = self.policy.labels
        return Record(
            call_id,
            past.speakers if past else describe.speakers(started.direction, labels, started.speakers),
            language,
            self.store,
            self.clock,
            past,
            self.backlog,
            self.options.rules(call_id, past.redact if past else started.redact),
            self.observed(started.carrier),
        )

    def observed(self, carrier: str) -> Observed:
        """What is seen of a call of this carrier."""
        return Observed(carrier, self.missing, self.traces)

    def traced(self, stream: Stream, call_id: str, carrier: str) -> Stream:
        """The stream, in its call's trace."""
        tracks = " ".join(stream.tracks)
        about = {"bridge.carrier": carrier, "bridge.stream": str(stream.number), "bridge.tracks": tracks}
        stream.span = self.traces.begin("stream", call_id, about)
        return stream

    async def as_before(self, started: Started, before: str | None) -> Started:
        """The first stream of a record, with what the record `before` it was to have: a stream that another process has
        asked the carrier for, or that a new answer of ours began, is still of the same call. It goes to the same
        webhook and stays as long, unless it says otherwise; what was taken out there is taken out here, whatever it
        says. Raises StoreError.
        """
        if before is None:
            return started
        first = await self.store.read(Query(before, (CallStarted.type,)), limit=1)
        said = json.loads(first[0].body)["data"] if first else {}
        redact = dict.fromkeys([*started.redact, *(kind for kind in said.get("redact") or () if kind in KINDS)])
        days = said.get("record_days") if started.record_days is None else started.record_days
        webhook = await self._named_before(before) if started.webhook is None else started.webhook
        return replace(started, redact=tuple(redact), record_days=days, webhook=webhook)

    async def _named_before(self, record: str) -> str | None:
        """The URL that a call named for this record."""
        endpoints = filter(pattern_of, await self.store.deliveries(record))
        urls = [await self.store.named_url(endpoint) for endpoint in endpoints]
        return next(filter(None, urls), None)

    def named(self, call_id: str, started: Started, counters: Counter[str]) -> Named | None:
        """The endpoint that a call names for itself; where that is not allowed it goes where all calls go."""
        if started.webhook is None:
            return None
        found = self.find_named(started.webhook)
        if isinstance(found, Named):
            return found
        counters["webhooks_refused"] += 1
        log.warning("a call names a webhook that is not allowed", extra={"call_id": call_id, "reason": found})
        return None

    async def stop_stream(self, started: Started, stream_id: str) -> None:
        """Have the carrier stop a stream of a call; where it does not, the socket is closed from here."""
        stop = self.stops.get(started.carrier)
        if stop and (reason := await stop(started, stream_id)):
            log.warning("a stream is not stopped", extra={"call_id": started.call_id, "reason": reason})

    async def ask_for_stream(
        self, call_id: str, started: Started, tracks: Sequence[Track], *, has_call: bool = True
    ) -> bool:
        """Whether the carrier sends the tracks of a call that has lost them; False: it may later. `has_call`: this
        process has it, and asks again if they do not come."""
        refork = self.reforks.get(started.carrier)
        if refork is None:
            return True  # nothing comes of asking again
        if reason := await refork(replace(started, asked=has_call), tracks):
            log.warning("no new stream", extra={"call_id": call_id, "reason": reason})
            return False
        log.info("asked for a new stream", extra={"call_id": call_id, "tracks": list(tracks)})
        return True
