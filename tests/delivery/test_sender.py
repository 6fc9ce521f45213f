"""The sender between a real store and a real receiver on loopback, with all delays a hundredth of the real ones."""

import asyncio
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bridge.delivery.breaker import CircuitBreakerPolicy, State
from bridge.delivery.format import Envelopes
from bridge.delivery.lane import RetryPolicy
from bridge.delivery.poster import Timeouts
from bridge.delivery.sender import Sender
from bridge.delivery.signing import Signer, format_secret
from bridge.events import Data, Event, TranscriptInterim
from bridge.local.receiver import Fault, Receiver
from bridge.store.sqlite import FILENAME, SQLiteStore
from tests.fakes import words
from tests.fakes.http import read_request, server
from tests.fakes.waiting import tasks_of, until

OLD, NEW = format_secret(b"o" * 32), format_secret(b"n" * 32)
RETRY = RetryPolicy(live=(0.01, 0.02, 0.05), after_call=(0.05,), jitter=0.2)
PRESSURE = CircuitBreakerPolicy(first_probe=0.05, max_probe=0.2)
POLL = 0.005
"""Retries are a hundredth of the real ones, and so is the grain of the sender's clock."""
NEVER = 3600.0
"""Instead of that, where nothing may have to wait for the next poll."""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    async with SQLiteStore(tmp_path, ["webhook"]) as store:
        yield store


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver(NEW) as receiver:
        yield receiver
    assert receiver.order.violations == []
    assert receiver.counters["unverified"] == 0


def make(store: Any, receiver: Receiver, **options: Any) -> Sender:
    options = {"retry": RETRY, "pressure": PRESSURE, "rng": Random(1), "poll": POLL, **options}
    return Sender(store, receiver.url, Envelopes(Signer(f"{OLD} {NEW}")), **options)


async def append_all(store: SQLiteStore, events: Sequence[Event]) -> None:
    for event in events:
        await store.append([event])


def complete(receiver: Receiver, call_id: str = "CA1", count: int = 5) -> Callable[[], bool]:
    return lambda: receiver.seqs(call_id) == list(range(1, count + 1))


# --- the good day ---------------------------------------------------------------------------------------------------


async def test_a_call_arrives_whole_in_order_and_signed(
    store: SQLiteStore, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    events = words.conversation(finals=20)
    async with make(store, receiver) as sender:
        await append_all(store, events)
        await receiver.until(complete(receiver, count=22))
        assert await sender.drain(5)
    assert receiver.counters["duplicate"] == 0
    assert receiver.calls["CA1"].call["speakers"] == {"inbound": "caller", "outbound": "agent"}
    assert receiver.events("CA1")[1]["data"]["text"] == "words of 2"
    assert sender.counters["events"] == 22
    assert sender.counters["posts"] == sender.counters["delivered"] == len(receiver.deliveries)
    assert await store.claim("webhook", 10, lease=1, now=1e12) == []
    assert caplog.records == []


@pytest.mark.parametrize("secret", [OLD, NEW])
async def test_either_secret_verifies(store: SQLiteStore, secret: str) -> None:
    async with Receiver(secret) as receiver, make(store, receiver):
        await store.append(words.conversation())
        await receiver.until(complete(receiver))
        assert receiver.counters["unverified"] == 0


async def test_on_an_idle_lane_every_event_goes_alone_and_no_disk_is_read(
    store: SQLiteStore, receiver: Receiver
) -> None:
    async with make(store, receiver):
        for event in words.conversation(finals=10)[:-1]:
            await store.append([event])
            await receiver.until(complete(receiver, count=event.seq or 0))
    assert [delivery.seqs for delivery in receiver.deliveries] == [(seq,) for seq in range(1, 12)]
    assert store.counters["reads_from_memory"] == store.counters["reads"] == 11


async def test_many_calls_at_once(store: SQLiteStore, receiver: Receiver) -> None:
    async with make(store, receiver) as sender:
        await asyncio.gather(*(append_all(store, words.conversation(f"CA{n}", 5)) for n in range(30)))
        await receiver.until(lambda: receiver.counters["new"] == 30 * 7)
        assert await sender.drain(5)
    assert receiver.counters["duplicate"] == 0


async def test_what_was_there_before_the_sender_is_delivered(store: SQLiteStore, receiver: Receiver) -> None:
    await store.append(words.conversation(finals=200))
    async with make(store, receiver):
        await receiver.until(complete(receiver, count=202))
    assert [len(delivery.seqs) for delivery in receiver.deliveries] == [50, 50, 50, 50, 2]


@pytest.mark.parametrize("interims", [[], [TranscriptInterim]])
async def test_what_is_appended_goes_out_at_once(
    store: SQLiteStore, receiver: Receiver, interims: list[type[Data]]
) -> None:
    async with make(store, receiver, poll=NEVER, interims=interims):
        await append_all(store, words.conversation())
        await receiver.until(complete(receiver))


async def test_a_slot_that_becomes_free_is_taken_at_once(store: SQLiteStore, receiver: Receiver) -> None:
    for n in range(5):
        await store.append([words.started(f"CA{n}")])
    async with make(store, receiver, poll=NEVER, pressure=CircuitBreakerPolicy(in_flight=1)):
        await receiver.until(lambda: receiver.counters["new"] == 5)


# --- slow, failing, cutting -----------------------------------------------------------------------------------------


async def test_a_slow_receiver_gets_everything_in_batches(store: SQLiteStore, receiver: Receiver) -> None:
    first, *others = words.conversation(finals=60)
    answering = asyncio.Event()
    receiver.faults = [Fault(held=answering, times=1)]
    async with make(store, receiver):
        await store.append([first])
        await receiver.until(lambda: receiver.deliveries)
        await append_all(store, others)
        answering.set()
        await receiver.until(complete(receiver, count=62))
    assert [len(delivery.seqs) for delivery in receiver.deliveries] == [1, 50, 11]
    assert receiver.counters["duplicate"] == 0


async def test_one_lane_that_fails_does_not_delay_the_other(store: SQLiteStore, receiver: Receiver) -> None:
    receiver.faults = [Fault(status=500, call_id="CA1")]
    async with make(store, receiver) as sender:
        await append_all(store, words.conversation("CA1"))
        await receiver.until(lambda: len(receiver.deliveries) > 8)
        await append_all(store, words.conversation("CA2"))
        await receiver.until(complete(receiver, "CA2"))
        assert receiver.events("CA1") == []
        assert sender.breaker.opened == 0
        receiver.faults = []
        await receiver.until(complete(receiver, "CA1"))
    tried = {delivery.webhook_id for delivery in receiver.deliveries if delivery.status == 500}
    assert tried == {"evt_CA1_1_1"}, "the same id on every retry"


async def test_a_duplicate_after_a_cut_connection_is_the_same_delivery(store: SQLiteStore, receiver: Receiver) -> None:
    receiver.faults = [Fault(reset=True, times=2)]
    async with make(store, receiver):
        await store.append(words.conversation())
        await receiver.until(lambda: len(receiver.deliveries) == 3)
        await receiver.until(complete(receiver))
    assert {delivery.webhook_id for delivery in receiver.deliveries} == {"evt_CA1_1_5"}
    assert receiver.counters["duplicate"] == 10


async def test_a_receiver_that_is_down_gets_everything_when_it_is_up(store: SQLiteStore, receiver: Receiver) -> None:
    async with make(store, receiver) as sender:
        await append_all(store, words.conversation()[:2])
        await receiver.until(complete(receiver, count=2))
        await receiver.go_down()
        await append_all(store, words.conversation()[2:])
        await until(lambda: sender.counters["retry"] > 3)
        await receiver.come_up()
        await receiver.until(complete(receiver))


async def test_each_try_is_measured_and_the_one_that_is_accepted_says_how_many_there_were(
    store: SQLiteStore, receiver: Receiver
) -> None:
    receiver.faults = [Fault(status=503, times=2)]
    async with make(store, receiver) as sender:
        await store.append(words.conversation())
        await until(lambda: sender.counters["events"] == 5)
        timing = sender.attempts.timing

    assert timing.answer.measured == 3
    assert (timing.attempts.measured, timing.attempts.total) == (1, 3)
    assert timing.lag.measured == 5
    assert timing.result.measured == 3  # finals, at their first POST


async def test_a_timeout_is_a_failure(store: SQLiteStore, receiver: Receiver) -> None:
    receiver.faults = [Fault(delay=5.0, times=1)]
    async with make(store, receiver, timeouts=Timeouts(total=0.2)) as sender:
        await store.append(words.conversation())
        await until(lambda: sender.counters["retry"] == 1)
        await receiver.until(complete(receiver))


async def test_a_retry_after_a_crash_repeats_range_and_id(tmp_path: Path, receiver: Receiver) -> None:
    receiver.faults = [Fault(delay=5.0)]
    async with SQLiteStore(tmp_path, ["webhook"]) as store, make(store, receiver):
        await store.append(words.conversation()[:2])
        await receiver.until(lambda: len(receiver.deliveries) == 1)
        await store.append(words.conversation()[2:4])
        # Left without draining: as far as the lane knows, the process has died.
    receiver.faults = []
    async with SQLiteStore(tmp_path, ["webhook"]) as store:
        await store.take("CA1")
        await store.append(words.conversation()[4:])
        async with make(store, receiver):
            await receiver.until(complete(receiver))
    assert [delivery.webhook_id for delivery in receiver.deliveries] == ["evt_CA1_1_2", "evt_CA1_1_2", "evt_CA1_3_5"]


# --- what statuses mean ---------------------------------------------------------------------------------------------


async def test_retry_after_pauses_the_whole_endpoint(store: SQLiteStore, receiver: Receiver) -> None:
    now = time.time()  # signatures are checked against it; it moves when the test says so
    receiver.faults = [Fault(status=429, retry_after="30", times=1)]
    async with make(store, receiver, clock=lambda: now, monotonic=lambda: now) as sender:
        await store.append(words.conversation("CA1"))
        await until(lambda: sender.counters["retry"] == 1)
        await store.append(words.conversation("CA2"))
        now += 29.0
        assert await sender.drain(1)
        assert len(receiver.deliveries) == 1
        now += 1.0
        await receiver.until(lambda: receiver.counters["new"] == 10)


@pytest.mark.parametrize("jump", [-240.0, 240.0])
async def test_a_wall_clock_that_jumps_neither_delays_a_retry_nor_hastens_it(
    store: SQLiteStore, receiver: Receiver, jump: float
) -> None:
    wall, passed = time.time(), 0.0  # signatures are checked against it: no jump beyond their five minutes
    receiver.faults = [Fault(status=500, times=1)]
    pressure = CircuitBreakerPolicy(failures=100)
    retry = RetryPolicy(live=(30,), jitter=0.0)
    async with make(
        store, receiver, retry=retry, pressure=pressure, clock=lambda: wall + passed, monotonic=lambda: passed
    ) as sender:
        await store.append(words.conversation())
        await until(lambda: sender.counters["retry"] == 1)
        wall += jump
        passed += 29.9
        assert await sender.drain(1)
        assert len(receiver.deliveries) == 1
        passed += 0.1
        await receiver.until(complete(receiver))


async def test_a_retry_is_due_by_the_wall_clock_in_the_next_process(tmp_path: Path, receiver: Receiver) -> None:
    wall = time.time()  # signatures are checked against it
    receiver.faults = [Fault(status=500, times=1)]

    def at(seconds: float, store: SQLiteStore, passed: float) -> Sender:
        retry = RetryPolicy(live=(30.0,), jitter=0.0)
        return make(store, receiver, retry=retry, clock=lambda: wall + seconds, monotonic=lambda: passed)

    async with SQLiteStore(tmp_path, ["webhook"]) as store, at(0.0, store, passed=1000.0) as sender:
        await store.append(words.conversation())
        await until(lambda: sender.counters["retry"] == 1)
    async with SQLiteStore(tmp_path, ["webhook"]) as store:
        async with at(29.9, store, passed=5.0) as sender:
            assert await sender.drain(1)
            assert len(receiver.deliveries) == 1
        async with at(30.1, store, passed=5.0):
            await receiver.until(complete(receiver))


async def test_a_redirect_is_a_failure_and_not_followed(
    store: SQLiteStore, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    async with Receiver(NEW) as elsewhere, make(store, receiver):
        receiver.faults = [Fault(status=302, location=elsewhere.url + "?token=secret", times=2)]
        await store.append(words.conversation())
        await receiver.until(complete(receiver))
        assert len(elsewhere.deliveries) == 0
    reasons = [record.reason for record in caplog.records]  # type: ignore[attr-defined]
    assert reasons == ["status 302, to 127.0.0.1"] * 2


async def test_a_batch_that_is_too_large_is_halved_and_one_event_skipped(
    store: SQLiteStore, receiver: Receiver
) -> None:
    receiver.faults = [Fault(status=413, seq=4)]
    async with make(store, receiver):
        await store.append(words.conversation(finals=6))
        await receiver.until(lambda: receiver.seqs("CA1") == [1, 2, 3, 5, 6, 7, 8])
    assert [delivery.skipped for delivery in receiver.deliveries if delivery.skipped] == [(4,)]


async def test_an_event_refused_five_times_is_skipped_in_sight(
    store: SQLiteStore, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.faults = [Fault(status=422, seq=3)]
    async with make(store, receiver) as sender:
        await append_all(store, words.conversation())
        await receiver.until(lambda: receiver.seqs("CA1") == [1, 2, 4, 5])
        assert await sender.drain(5)
    alone = [delivery for delivery in receiver.deliveries if delivery.seqs == (3,)]
    assert len(alone) == 5
    assert [delivery.skipped for delivery in receiver.deliveries if delivery.skipped] == [(3,)]
    assert [record.seq for record in caplog.records if hasattr(record, "seq")] == [3]
    assert "words of" not in caplog.text


async def test_gone_stops_everything_until_the_url_changes(tmp_path: Path, receiver: Receiver) -> None:
    receiver.faults = [Fault(status=410, times=1)]
    async with SQLiteStore(tmp_path, ["webhook"]) as store:
        async with make(store, receiver) as sender:
            await append_all(store, words.conversation("CA1"))
            await until(lambda: sender.counters["disable"])
            await append_all(store, words.conversation("CA2"))
            assert await sender.drain(1)
        async with make(store, receiver) as sender:
            assert sender.breaker.state is State.DISABLED
            assert await sender.drain(1)
        assert len(receiver.deliveries) == 1
        async with Receiver(NEW) as moved, make(store, moved):
            assert await store.disabled("webhook") is None
            await moved.until(lambda: moved.counters["new"] == 10)
            assert moved.order.violations == []


async def test_a_sender_that_is_left_closes_its_connections(store: SQLiteStore) -> None:
    opened = closed = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened, closed
        opened += 1
        try:
            while await read_request(reader):
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        finally:
            closed += 1

    async with server(script) as url:
        async with Sender(store, url, Envelopes(Signer(NEW))) as sender:
            await store.append([words.started()])
            await until(lambda: sender.counters["delivered"])
        await until(lambda: opened == closed == 1)


async def test_gone_ends_with_resume(store: SQLiteStore, receiver: Receiver) -> None:
    receiver.faults = [Fault(status=410, times=1)]
    async with make(store, receiver) as sender:
        await append_all(store, words.conversation())
        await until(lambda: sender.counters["disable"])
        assert await sender.resume() == ["CA1"]
        await receiver.until(complete(receiver))
    assert await store.disabled("webhook") is None


async def test_one_that_does_not_deliver_asks_and_posts_what_is_asked_for(
    store: SQLiteStore, receiver: Receiver
) -> None:
    async with make(store, receiver):
        await store.append(words.conversation())
        await receiver.until(complete(receiver))
    before, (row,) = len(receiver.deliveries), await store.calls()
    async with make(store, receiver, delivers=False) as sender:
        assert tasks_of("Sender") == []
        attempt = await sender.post_again("CA1", row.header, 2)
        assert attempt and attempt.accepted
        assert await sender.resume(after=0) == ["CA1"]
        assert await sender.drain(5)
        assert len(receiver.deliveries) == before + 1
    assert store.lanes_waiting("webhook") == 1


async def test_resume_lets_every_call_go_on(store: SQLiteStore, receiver: Receiver) -> None:
    receiver.faults = [Fault(status=410, times=1)]
    async with make(store, receiver, poll=NEVER) as sender:
        await store.append(words.conversation("CA1"))
        await until(lambda: sender.counters["disable"])
        assert await sender.resume("CA2") == []
        await receiver.until(complete(receiver, "CA1"))


async def test_a_parked_lane_is_taken_up_by_resume_complete_and_in_order(
    store: SQLiteStore, receiver: Receiver
) -> None:
    receiver.faults = [Fault(status=404)]
    async with make(store, receiver, retry=RetryPolicy(live=(0.01,), after_call=(0.01,), give_up_after=0.1)) as sender:
        await append_all(store, words.conversation())
        await until(lambda: sender.counters["park"])
        (parked,) = await store.parked("webhook")
        assert parked.reason.endswith("the last: status 404")
        receiver.faults = []
        assert await sender.resume("CA1") == ["CA1"]
        await receiver.until(complete(receiver))
    assert await store.parked("webhook") == []


async def test_replay_says_it_all_again_under_new_ids(store: SQLiteStore, receiver: Receiver) -> None:
    async with make(store, receiver) as sender:
        await store.append(words.conversation())
        await receiver.until(complete(receiver))
        await sender.drain(1)
        assert await sender.resume("CA1", after=2) == ["CA1"]
        await receiver.until(lambda: receiver.counters["duplicate"] == 3)
    assert receiver.deliveries[-1].webhook_id == "evt_CA1_3_5"


@pytest.mark.parametrize(
    ("fault", "attempts", "level", "message"),
    [
        (Fault(status=500, times=1), 1, "WARNING", "a delivery failed and is tried again"),
        (Fault(status=413, times=1), 0, "WARNING", "a delivery failed and is tried again"),
        (Fault(status=404), 1, "ERROR", "the webhook did not take a call's events; they are parked"),
        (Fault(status=410), 0, "ERROR", "the webhook says that it is gone; nothing more is sent"),
    ],
)
async def test_what_went_wrong_is_logged(
    store: SQLiteStore,
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
    attempts: int,
    level: str,
    message: str,
) -> None:
    receiver.faults = [fault]
    retry = RetryPolicy(live=(0.01,), after_call=(0.01,) if fault.times else (), give_up_after=0.0)
    async with make(store, receiver, retry=retry):
        await store.append(words.conversation())
        await until(lambda: caplog.records)
    (record,) = (record.__dict__ for record in caplog.records)
    assert (record["levelname"], record["message"]) == (level, message)
    assert (record["call_id"], record["endpoint"]) == ("CA1", "webhook")
    assert (record["reason"], record["attempts"]) == (f"status {fault.status}", attempts)
    assert ("bridge " in record.get("remedy", "")) == (
        fault.status != 413
    )  # a smaller batch is no fault of the webhook's


# --- many lanes, nobody there ---------------------------------------------------------------------------------------


async def test_five_hundred_lanes_against_a_dead_endpoint(store: SQLiteStore, receiver: Receiver) -> None:
    await receiver.go_down()
    for n in range(500):
        store.append([words.started(f"CA{n}")])
    async with make(store, receiver) as sender:
        await until(lambda: sender.counters["posts"] >= 36)
        assert sender.counters["posts"] <= 40, "the first thirty-two, and a few probes"
        assert sender.breaker.state is State.OPEN
        await receiver.come_up()
        await receiver.until(lambda: receiver.counters["new"] == 500)
        assert sender.breaker.opened == 1


async def test_while_it_is_open_a_call_that_has_not_failed_is_tried_first(
    store: SQLiteStore, receiver: Receiver
) -> None:
    now = time.time()  # signatures are checked against it; it moves when the test says so
    receiver.faults = [Fault(status=500, times=3)]
    pressure = CircuitBreakerPolicy(failures=2, first_probe=30.0)
    async with make(store, receiver, pressure=pressure, clock=lambda: now, monotonic=lambda: now) as sender:
        await asyncio.gather(*(store.append([words.started(call_id)]) for call_id in ("CA1", "CA2")))
        await until(lambda: sender.counters["retry"] == 2)
        now += 30.0
        await until(lambda: sender.counters["retry"] == 3)
        await store.append([words.started("CA3")])
        now += 60.0
        await receiver.until(lambda: receiver.counters["new"] == 3)
    assert receiver.deliveries[3].call_id == "CA3"


# --- shutting down --------------------------------------------------------------------------------------------------


async def test_drain_waits_for_what_is_due_and_no_longer(store: SQLiteStore, receiver: Receiver) -> None:
    receiver.faults = [Fault(status=500, call_id="CA2"), Fault(delay=0.05)]
    async with make(store, receiver, retry=RetryPolicy(live=(60.0,))) as sender:
        await store.append(words.conversation("CA1", finals=70))
        await store.append(words.conversation("CA2"))
        assert await sender.drain(5)
        assert receiver.seqs("CA1") == list(range(1, 73))
        assert receiver.events("CA2") == []


async def test_drain_has_a_deadline(store: SQLiteStore, receiver: Receiver) -> None:
    receiver.faults = [Fault(delay=5.0)]
    async with make(store, receiver) as sender:
        await store.append(words.conversation())
        assert await sender.drain(0.05) is False


async def test_draining_looks_for_what_is_due_itself(store: SQLiteStore, receiver: Receiver) -> None:
    async with make(LosesHints(store), receiver, poll=NEVER) as sender:
        await store.append(words.conversation())
        assert await sender.drain(5) is True
    assert receiver.seqs("CA1") == [1, 2, 3, 4, 5]


async def test_leaving_ends_every_task(store: SQLiteStore, receiver: Receiver) -> None:
    receiver.faults = [Fault(delay=0.1)]
    async with make(store, receiver):
        await store.append(words.conversation())
        await receiver.until(lambda: receiver.deliveries)
        assert "Sender._deliver" in tasks_of("Sender")
    assert tasks_of("Sender") == []
    async with make(store, receiver, poll=NEVER):
        await receiver.until(complete(receiver))
        await asyncio.sleep(0)
    assert tasks_of("Sender") == []


# --- leases ---------------------------------------------------------------------------------------------------------


async def test_a_lane_claimed_in_flight_is_not_posted_twice(store: SQLiteStore, receiver: Receiver) -> None:
    """The time of a lease is over while a POST is on its way."""
    now = time.time()  # signatures are checked against it; it moves when the test says so
    receiver.faults = [Fault(delay=0.05, times=1)]
    async with make(store, receiver, clock=lambda: now, monotonic=lambda: now) as sender:
        await store.append(words.conversation()[:1])
        await receiver.until(lambda: receiver.deliveries)
        now += 61.0
        await until(lambda: sender.counters["lost_leases"] == 1)
        assert sender.counters["claimed_in_flight"] == 1
        now += 61.0
        await receiver.until(lambda: receiver.counters["duplicate"] == 1)
        assert await sender.drain(5)
    assert sender.counters["posts"] == 2
    assert sender.counters["delivered"] == 1


async def test_a_lane_claimed_in_flight_holds_up_no_other(store: SQLiteStore, receiver: Receiver) -> None:
    now = time.time()  # signatures are checked against it; it moves when the test says so
    receiver.faults = [
        Fault(call_id="CA1", held=asyncio.Event()),
        Fault(call_id="CA2", status=500, times=1),
    ]
    retry = RetryPolicy(live=(30.0,))
    async with make(store, receiver, retry=retry, clock=lambda: now, monotonic=lambda: now) as sender:
        await asyncio.gather(*(store.append([words.started(call_id)]) for call_id in ("CA1", "CA2")))
        await until(lambda: sender.counters["retry"] == 1)
        now += 61.0
        await receiver.until(lambda: receiver.seqs("CA2") == [1])
        assert sender.counters["claimed_in_flight"] == 1


async def test_a_log_with_a_hole_is_never_delivered_as_if_it_had_none(
    tmp_path: Path, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    async with SQLiteStore(tmp_path, ["webhook"]) as store:
        await store.append(words.conversation())
        with sqlite3.connect(tmp_path / FILENAME) as other:
            other.execute("DELETE FROM event WHERE seq = 3")
        other.close()
        async with make(store, receiver) as sender:
            assert await sender.drain(5)
    assert len(receiver.deliveries) == 0
    assert [record.error for record in caplog.records] == ["the log has 4 of 5 events after 0"]  # type: ignore[attr-defined]


class LosesHints:
    """A store whose hints get lost on the way."""

    def __init__(self, store: SQLiteStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def watch(self, *topics: Any, call_id: str | None = None) -> Any:
        return self._store.watch("events", call_id="nobody")


async def test_a_lost_hint_costs_a_moment_only(store: SQLiteStore, receiver: Receiver) -> None:
    async with make(LosesHints(store), receiver):
        await append_all(store, words.conversation())
        await receiver.until(complete(receiver))


async def test_its_face(store: SQLiteStore, receiver: Receiver) -> None:
    async with make(store, receiver) as sender:
        await store.append(words.conversation())
        await receiver.until(complete(receiver))
        await sender.drain(1)
        assert repr(sender) == (
            "<Sender webhook <CircuitBreaker CLOSED in_flight=0/32 failures=0 opened=0> "
            "posts=1 delivered=1 retry=0 park=0>"
        )


async def test_killing_the_process_loses_nothing_and_changes_no_id(tmp_path: Path, receiver: Receiver) -> None:
    """`kill -9` while several calls are appended and delivered as fast as they can be; then another process goes on."""
    receiver.faults = [Fault(delay=0.005)]
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.fakes.appender", str(tmp_path), "5", receiver.url, NEW),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.DEVNULL,
    )
    await receiver.until(lambda: receiver.counters["deliveries"] >= 60)
    child.kill()
    await child.wait()
    receiver.faults = []
    async with SQLiteStore(tmp_path, ["webhook"]) as store:
        tips = {call.id: call.tip for call in await store.calls()}
        async with make(store, receiver) as sender:
            assert await sender.drain(10)
    assert {call_id: receiver.seqs(call_id)[-1] for call_id in tips} == tips
    ranges = {(delivery.call_id, delivery.seqs[0]): delivery.webhook_id for delivery in receiver.deliveries}
    assert len(ranges) == len({delivery.webhook_id for delivery in receiver.deliveries}), "one range, one id"
