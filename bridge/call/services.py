"""What every call works with: the same for all of them."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from bridge.call.backlog import Backlog
from bridge.call.call_options import CallOptions
from bridge.call.policy import CallPolicy
from bridge.carriers.messages import Started
from bridge.clock import Clock
from bridge.deepgram.breaker import CircuitBreaker
from bridge.deepgram.latency import LatencyMeter
from bridge.events import Track
from bridge.store.base import Store

log = logging.getLogger("bridge.call")

Refork = Callable[[Started, Sequence[Track]], Awaitable[str | None]]
"""Asks a carrier to send a call's audio here once more, from the stream it had and the tracks that are lacking: None if
it will, or why it will not."""


@dataclass(frozen=True, slots=True)
class Services:
    """Made once, by the application."""

    policy: CallPolicy
    store: Store
    breaker: CircuitBreaker
    options: CallOptions
    clock: Clock
    random: Random
    reforks: Mapping[str, Refork] = field(default_factory=dict)
    """By carrier: those that can be asked for a stream."""
    backlog: Backlog = field(default_factory=Backlog)
    """What waits for the store."""
    latency: LatencyMeter = field(default_factory=LatencyMeter)
    """Of all calls."""

    async def ask_for_stream(self, call_id: str, started: Started, tracks: Sequence[Track]) -> bool:
        """Whether the carrier sends the tracks of a call that has lost them; False: it may later."""
        refork = self.reforks.get(started.carrier)
        if refork is None:
            return True  # nothing comes of asking again
        if reason := await refork(started, tracks):
            log.warning("no new stream", extra={"call_id": call_id, "reason": reason})
            return False
        log.info("asked for a new stream", extra={"call_id": call_id, "tracks": list(tracks)})
        return True
