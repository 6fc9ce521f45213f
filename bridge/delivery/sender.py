"""Delivering events to an endpoint: claim lanes, post their batches, settle what came of it.

This shell owns the tasks and the clock. What is posted is decided in `format`, what an answer means for a lane in
`lane`, how hard the endpoint may be pressed in `breaker`, what is due and durable in the store; interims are
`interims`' affair. It keeps no event
that the store does not have, so killing it loses nothing: at worst a batch goes out twice, under the same webhook-id.
"""

import asyncio
import hashlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from random import Random
from typing import Any, Protocol

from bridge.delivery.breaker import CircuitBreaker, CircuitBreakerPolicy, State
from bridge.delivery.format import Format
from bridge.delivery.interims import InterimSender
from bridge.delivery.lane import RetryPolicy, Verdict, judge, passed_over
from bridge.delivery.poster import Poster, Timeouts
from bridge.egress import DIRECT, Route
from bridge.errors import StoreError
from bridge.events import Data
from bridge.outbox import Lane, Settlement
from bridge.store.base import EventLog, LiveBus, Outbox, Query, StoredEvent

log = logging.getLogger(__name__)

POLL = 0.25
"""Seconds: a backstop for hints that got lost, and how late a retry may be."""

_PAGE = 200
"""Events that are read at a time of what a format has to be told again."""


class Undelivered(EventLog, Outbox, LiveBus, Protocol):
    """What the sender needs of a store."""


class Sender:
    """`async with Sender(store, url, Envelopes(Signer(secrets))) as sender:` delivers until it is left; `drain` before.

    `endpoint`: the id the store knows this endpoint by. `interims`: which events without a `seq` are sent as well. An
    endpoint that answers 410 gets nothing more, also after a restart, until its URL changes or `resume` is called; its
    lanes wait.
    """

    def __init__(
        self,
        store: Undelivered,
        url: str,
        format_: Format,
        *,
        endpoint: str = "webhook",
        interims: Collection[type[Data]] = (),
        retry: RetryPolicy | None = None,
        pressure: CircuitBreakerPolicy | None = None,
        timeouts: Timeouts | None = None,
        route: Route = DIRECT,
        poll: float = POLL,
        rng: Random | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counters: Counter[str] = Counter()
        self.breaker = CircuitBreaker(pressure)
        self.poster = Poster(url, timeouts, route, format_.content_type)
        self._store = store
        self._format = format_
        self._endpoint = endpoint
        self._interims = interims
        self._retry = retry or RetryPolicy()
        self._pause = poll
        self._rng = rng or Random()
        # Signatures go by the wall clock. Retries outlive the process, so they are told in its terms, but spared its
        # jumps: a clock that is set back by an hour while this runs delays none by an hour.
        self._clock = clock
        self._monotonic = monotonic
        self._epoch = clock() - monotonic()
        # An attempt can take three totals and a body; a holder that has had a lease this long is not sending any more.
        self._patience = (timeouts or Timeouts()).total  # seconds after which a batch of many parts is settled so far
        self._lease = 4 * self._patience
        # Tells this address from the next without keeping it: a URL may carry a token.
        self._address = hashlib.sha256(url.encode()).hexdigest()[:16]
        self._claiming = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._deliveries: set[asyncio.Task[None]] = set()
        self._interim_sender = InterimSender(
            store,
            self.poster,
            format_,
            types=interims,
            allowed=lambda: self.healthy,
            counters=self.counters,
            timeout=(timeouts or Timeouts()).interim,
            clock=clock,
        )
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "Sender":
        gone = await self._store.disabled(self._endpoint)
        if gone == self._address:
            self.breaker.disable()
            log.warning("the webhook has said that it is gone; nothing is sent", extra={"endpoint": self._endpoint})
        elif gone is not None:
            await self._store.disable(self._endpoint, None)
        await self._stack.enter_async_context(self.poster)
        self._stack.push_async_callback(self._interim_sender.close)
        self._spawn(self._tasks, self._follow())
        self._spawn(self._tasks, self._poll())
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = self._tasks | self._deliveries
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._stack.aclose()

    async def drain(self, deadline: float) -> bool:
        """Wait until what can be delivered now has been, `deadline` seconds at most; whether it has.

        Lanes that wait for a retry are not waited for: they are kept, and go on after the next start.
        """
        try:
            async with asyncio.timeout(deadline):
                await self._round()
                while self._deliveries:
                    await asyncio.wait(self._deliveries, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            return False
        return True

    async def resume(self, call_id: str | None = None, *, after: int | None = None) -> int:
        """Take up the endpoint and its dead letters again; the number of lanes. Arguments as of `Store.resume`."""
        await self._store.disable(self._endpoint, None)
        self.breaker.enable()
        resumed = await self._store.resume(self._endpoint, call_id, after=after)
        await self._round()
        return resumed

    @property
    def healthy(self) -> bool:
        """Whether the endpoint is pressed as hard as ever, because it takes what it gets."""
        return self.breaker.state is State.CLOSED

    def _steady(self) -> float:
        """Seconds since 1970 by the wall clock of the start and the time that has passed since."""
        return self._epoch + self._monotonic()

    async def _follow(self) -> None:
        topics = ("lanes", "interims") if self._interims else ("lanes",)
        with self._store.watch(*topics) as hints:
            async for hint in hints:
                if hint.topic == "lanes":
                    await self._round()
                elif hint.call_id is not None:
                    self._interim_sender.offer(hint.call_id)

    async def _poll(self) -> None:
        while True:
            await self._round()
            await asyncio.sleep(self._pause)

    async def _round(self) -> None:
        """Start whatever is due, as far as the endpoint may be pressed. Called whenever something may have changed."""
        async with self._claiming:
            slots = self.breaker.slots(self._monotonic())
            if not slots:
                return
            probing = self.breaker.state is State.OPEN
            try:
                lanes = await self._store.claim(
                    self._endpoint, slots, lease=self._lease, now=self._steady(), fresh_first=probing
                )
            except StoreError as error:
                log.error("the sender cannot claim; it will try again", extra={"error": str(error)})
                return
            for lane in lanes:
                if self.breaker.flies(lane.call_id):
                    # Its lease ran out under it: the loop stood still. The old holder will find its lease lost.
                    self.counters["claimed_in_flight"] += 1
                    continue
                self.breaker.started(lane.call_id)
                self._interim_sender.busy(lane.call_id)
                self._spawn(self._deliveries, self._deliver(lane))

    async def _deliver(self, lane: Lane) -> None:
        verdict = None
        try:
            try:
                verdict = await self._attempt(lane)
            finally:
                # Not after settling: the endpoint is free for others while the disk is busy.
                self.breaker.ended(lane.call_id, verdict, self._monotonic())
            await self._settle(lane, verdict)
        except StoreError as error:
            # The lease runs out, and the batch is tried again under the same webhook-id.
            log.error("a delivery met a failing store", extra={"call_id": lane.call_id, "error": str(error)})
        await self._round()

    async def _attempt(self, lane: Lane) -> Verdict:
        """Post the batch of a lane, and judge: it is settled as far as it was accepted before the first failure."""
        parts = self._format.parts(lane, await self._read(lane))
        verdict = passed_over(lane)
        until = self._monotonic() + self._patience
        for number, (part, request) in enumerate(parts):
            if number and self._monotonic() > until:
                return verdict
            if number:  # the one before it was accepted
                part = replace(part, attempts=0, rejections=0, first_failure=None, skipped=())
            now = self._clock()
            self.counters["posts"] += 1
            outcome = await self.poster.post(request.body, request.headers(now), now)
            verdict = judge(part, outcome, self._steady(), self._rng, self._retry)
            if verdict.action != "delivered":
                return verdict
        return replace(verdict, settlement=Settlement(lane.batch_to, None))

    async def _read(self, lane: Lane) -> Sequence[StoredEvent]:
        """The events of a lane's batch, after those of which the format has to be told again."""
        known = self._format.known(lane)
        while known < lane.cursor:
            page = await self._events(lane, known, min(_PAGE, lane.cursor - known))
            self._format.recall(lane, page)
            known = page[-1].seq
        return await self._events(lane, lane.cursor, lane.batch_to - lane.cursor)

    async def _events(self, lane: Lane, after: int, count: int) -> Sequence[StoredEvent]:
        events = await self._store.read(Query(lane.call_id), after=after, limit=count)
        if len(events) != count:
            raise StoreError(f"the log has {len(events)} of {count} events after {after}")
        return events

    async def _settle(self, lane: Lane, verdict: Verdict) -> None:
        cursor = verdict.settlement.cursor
        self._format.settled(lane, cursor)  # before the lane can be claimed again
        self._report(lane, verdict)
        if verdict.action == "disable":
            await self._store.disable(self._endpoint, self._address)
        if not await self._store.settle(lane, verdict.settlement):
            self.counters["lost_leases"] += 1
            return
        self.counters[verdict.action] += 1
        self.counters["events"] += cursor - lane.cursor - (verdict.action == "skip")
        if cursor == lane.batch_to and verdict.action == "delivered":
            self._interim_sender.idle(lane.call_id, lane.header)
        if lane.call_ended:
            self._interim_sender.ended(lane.call_id)

    def _report(self, lane: Lane, verdict: Verdict) -> None:
        """Log what went wrong, if anything did."""
        detail = {
            "call_id": lane.call_id,
            "endpoint": self._endpoint,
            "reason": verdict.reason,
            "attempts": verdict.settlement.attempts,
        }
        match verdict.action:
            case "park":
                log.error("the webhook did not take a call's events; they are parked", extra=detail)
            case "skip":
                log.error(
                    "the webhook does not accept an event; it is skipped",
                    extra={**detail, "seq": verdict.settlement.cursor},
                )
            case "disable":
                log.error("the webhook says that it is gone; nothing more is sent", extra=detail)
            case "retry" | "split":
                log.warning("a delivery failed and is tried again", extra=detail)

    def _spawn(self, tasks: set[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> None:
        def ended(task: asyncio.Task[None]) -> None:
            tasks.discard(task)
            if not task.cancelled() and (error := task.exception()):
                log.error("a task of the sender failed", exc_info=error)

        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(ended)

    def __repr__(self) -> str:
        counted = " ".join(f"{name}={self.counters[name]}" for name in ("posts", "delivered", "retry", "park"))
        return f"<Sender {self._endpoint} {self.breaker!r} {counted}>"
