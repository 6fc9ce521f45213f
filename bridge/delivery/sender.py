"""Delivering events to an endpoint: claim lanes, post their batches, settle what came of it.

This shell owns the tasks and the clock. What is posted is decided in `format`, what an answer means for a lane in
`lane`, how hard the endpoint may be pressed in `breaker`, what is due and durable in the store; interims are
`interims`' affair. It keeps no event that the store does not have, so killing it loses nothing: at worst a batch goes
out twice, under the same webhook-id.
"""

import asyncio
import hashlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from random import Random
from typing import Any, Protocol

from bridge.delivery.attempts import Attempt, Attempts
from bridge.delivery.batches import Batches
from bridge.delivery.breaker import CircuitBreaker, CircuitBreakerPolicy, State
from bridge.delivery.format import Format
from bridge.delivery.interims import InterimSender
from bridge.delivery.lane import RetryPolicy, Verdict, judge, passed_over
from bridge.delivery.poster import Poster, Timeouts
from bridge.delivery.timing import Timing
from bridge.egress import DIRECT, Route
from bridge.errors import StoreError
from bridge.events import Data
from bridge.guard import Guard
from bridge.outbox import Lane, Settlement
from bridge.store.base import EventLog, LiveBus
from bridge.store.outbox import Outbox
from bridge.traces import NO_TRACES, Traces

log = logging.getLogger(__name__)

POLL = 0.25
"""Seconds: a backstop for hints that got lost, and how late a retry may be."""


class Undelivered(EventLog, Outbox, LiveBus, Protocol):
    """What the sender needs of a store."""


class Sender:
    """`async with Sender(store, url, Envelopes(Signer(secrets))) as sender:` delivers until it is left; `drain` before.

    `endpoint`: the id the store knows this endpoint by. `interims`: which events without a `seq` are sent as well.
    `guard`: where the URL may lead. `follows`: it looks for what is due itself; False: its owner calls `wake`.
    `delivers`: False: other processes do, and this one only asks for more, and posts what is asked for by itself. An
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
        guard: Guard | None = None,
        follows: bool = True,
        delivers: bool = True,
        counters: Counter[str] | None = None,
        timing: Timing | None = None,
        poll: float = POLL,
        rng: Random | None = None,
        traces: Traces = NO_TRACES,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counters: Counter[str] = Counter() if counters is None else counters
        self.breaker = CircuitBreaker(pressure)
        timeouts = timeouts or Timeouts()
        self.poster = Poster(url, timeouts, route, format_.content_type, guard)
        self.attempts = Attempts(self.poster, self.counters, timing, traces=traces, clock=clock, monotonic=monotonic)
        self._follows, self._delivers = follows and delivers, delivers
        self._batches = Batches(store, format_)
        self._store, self._format = store, format_
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
        self._patience = timeouts.total  # seconds after which a batch of many parts is settled so far
        self._lease = 4 * self._patience
        # Tells this address from the next without keeping it: a URL may carry a token.
        self._address = hashlib.sha256(url.encode()).hexdigest()[:16]
        self._claiming = asyncio.Lock()
        self._tasks, self._deliveries = set[asyncio.Task[None]](), set[asyncio.Task[None]]()
        self._interim_sender = InterimSender(
            store,
            self.poster,
            format_,
            types=interims,
            allowed=lambda: self.healthy,
            counters=self.counters,
            timeout=timeouts.interim,
            clock=clock,
            parent=traces.parent,
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
        if self._follows:
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

    async def resume(self, call_id: str | None = None, *, after: int | None = None) -> list[str]:
        """Take up the endpoint and its dead letters again; the calls of these. Arguments as of `Store.resume`."""
        await self._store.disable(self._endpoint, None)
        self.breaker.enable()
        resumed = await self._store.resume(self._endpoint, call_id, after=after)
        await self._round()
        return resumed

    async def wake(self) -> None:
        """Something may be due."""
        await self._round()

    def offer_interim(self, call_id: str) -> None:
        """There may be a new interim of this call."""
        if self._interims:
            self._interim_sender.offer(call_id)

    async def post_again(self, call_id: str, header: str, seq: int) -> Attempt | None:
        """Post one event once more, at once and beside its lane: whatever the answer, nothing else changes.

        `header`: JSON of the envelope's `call` object. None: the endpoint is told nothing of this event. Raises
        StoreError.
        """
        lane = Lane(self._endpoint, call_id, header, seq - 1, seq, 0, 0, None, (), True, "")
        attempt = None
        batches = Batches(self._store, self._format.apart())
        for part, request in await batches.parts(lane, await batches.read(lane)):
            attempt = (await self.attempts.post(part, request))[1]
        return attempt

    @property
    def types(self) -> frozenset[str] | None:
        """The types of events that the endpoint is told; None: all that its format has words for."""
        return self._format.types

    @property
    def idle(self) -> bool:
        """Whether it does nothing, waits for nothing, and remembers nothing bad of the endpoint."""
        return self.healthy and not self._deliveries and not self._interim_sender.calls

    @property
    def gone(self) -> bool:
        """Whether the endpoint has said that it is gone, and nothing is on its way there any more."""
        return self.breaker.state is State.DISABLED and not self._deliveries

    def next_try(self) -> float | None:
        """When the endpoint as a whole may be asked again, seconds since 1970; None: at once, or never."""
        wait = self.breaker.wait(self._monotonic())
        return self._clock() + wait if wait else None

    @property
    def healthy(self) -> bool:
        """Whether the endpoint is pressed as hard as ever, because it takes what it gets."""
        return self.breaker.state is State.CLOSED

    @property
    def interims_in_flight(self) -> int:
        """Interims that are on their way."""
        return self._interim_sender.in_flight

    def _steady(self) -> float:
        """Seconds since 1970 by the wall clock of the start and the time that has passed since."""
        return self._epoch + self._monotonic()

    async def _follow(self) -> None:
        topics = ("lanes", "interims") if self._interims else ("lanes",)
        with self._store.watch(*topics, own=True) as hints:
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
            if not slots or not self._delivers:
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
        events = await self._batches.read(lane)
        parts = await self._batches.parts(lane, events)
        told = [event for event in events if self.types is None or event.type in self.types]
        self.attempts.timing.post(lane, told, self._clock())
        verdict = passed_over(lane)
        until = self._monotonic() + self._patience
        for number, (part, request) in enumerate(parts):
            if number and self._monotonic() > until:
                return verdict
            if number:  # the one before it was accepted
                part = replace(part, attempts=0, rejections=0, first_failure=None, skipped=())
            outcome, _ = await self.attempts.post(part, request)
            verdict = judge(part, outcome, self._steady(), self._rng, self._retry)
            if verdict.action != "delivered":
                return verdict
        if not parts:
            return verdict
        self.attempts.timing.accept(lane, told, self._clock())
        return replace(verdict, settlement=Settlement(lane.batch_to, None))

    async def _settle(self, lane: Lane, verdict: Verdict) -> None:
        cursor = verdict.settlement.cursor
        self._format.settled(lane, cursor)  # before the lane can be claimed again
        self._report(lane, verdict)
        if verdict.action == "disable":
            await self._store.disable(self._endpoint, self._address)
        if cursor == lane.batch_to and verdict.action == "delivered":
            self._interim_sender.idle(lane.call_id, lane.header)  # no interim waits for the disk
        if not await self._store.settle(lane, verdict.settlement):
            self.counters["lost_leases"] += 1
            self._interim_sender.busy(lane.call_id)
            return
        self.counters[verdict.action] += 1
        self.counters["events"] += cursor - lane.cursor - (verdict.action == "skip")
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
                detail["remedy"] = "once it takes them: bridge deliver"
                log.error("the webhook did not take a call's events; they are parked", extra=detail)
            case "skip":
                log.error(
                    "the webhook does not accept an event; it is skipped",
                    extra={**detail, "seq": verdict.settlement.cursor},
                )
            case "disable":
                detail["remedy"] = "once it is there again: bridge deliver; for another one set its URL"
                log.error("the webhook says that it is gone; nothing more is sent", extra=detail)
            case "retry" | "split":
                if detail["attempts"] == 1:  # once is enough
                    detail["remedy"] = "bridge webhook test says what is wrong there"
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
