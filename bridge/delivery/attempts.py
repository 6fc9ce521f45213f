"""Posting once to an endpoint: measured, traced, and remembered as the last attempt."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from bridge.delivery.format import Request
from bridge.delivery.lane import Answer, Answered, Outcome, classify, describe
from bridge.delivery.poster import Poster
from bridge.delivery.timing import Timing
from bridge.outbox import Lane
from bridge.traces import NO_TRACES, Traces


@dataclass(frozen=True, slots=True)
class Attempt:
    """A POST that is over."""

    at: float
    """When it ended, seconds since 1970."""
    took: float
    """Seconds."""
    accepted: bool
    answer: str
    """A status or a kind of failure."""


class Attempts:
    """Those of one endpoint."""

    def __init__(
        self,
        poster: Poster,
        counters: Counter[str],
        timing: Timing | None = None,
        *,
        traces: Traces = NO_TRACES,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.timing = timing or Timing()
        self.last: Attempt | None = None
        """The last POST of events that have a `seq`."""
        self.accepted_at: float | None = None
        """When one was last accepted, seconds since 1970."""
        self._poster = poster
        self._counters = counters
        self._traces = traces
        self._clock = clock
        self._monotonic = monotonic

    async def post(self, lane: Lane, request: Request) -> tuple[Outcome, Attempt]:
        """Post the request that events of a lane have become."""
        now, began = self._clock(), self._monotonic()
        self._counters["posts"] += 1
        about: dict[str, str | int] = {
            "bridge.endpoint": lane.endpoint,
            "bridge.seq": lane.cursor + 1,
            "bridge.events": lane.batch_to - lane.cursor,
            "bridge.attempts": lane.attempts,
        }
        span = self._traces.begin("webhook POST", lane.call_id, about, asks=True)
        headers = request.headers(now)
        if span.traceparent:
            headers = {**headers, "traceparent": span.traceparent}
        try:
            outcome = await self._poster.post(request.body, headers, now)
        except BaseException:
            span.end("broken off")
            raise
        accepted, seconds = classify(outcome) is Answer.ACCEPTED, self._monotonic() - began
        self.timing.answer.add(seconds)
        span.note({"http.response.status_code": outcome.status if isinstance(outcome, Answered) else None})
        span.end(None if accepted else describe(outcome))
        self.last = Attempt(self._clock(), seconds, accepted, describe(outcome))
        if accepted:
            self.accepted_at = self.last.at
        return outcome, self.last
