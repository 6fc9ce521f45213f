"""Interims at the webhook: seldom enough, new enough, and in nobody's way."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from bridge.delivery.format import Envelopes
from bridge.delivery.lane import RetryPolicy
from bridge.delivery.poster import Timeouts
from bridge.delivery.sender import Sender
from bridge.delivery.signing import Signer, format_secret
from bridge.events import SpeechStarted, TranscriptInterim, TurnEagerEnd, TurnResumed
from bridge.local.receiver import Fault, Receiver
from bridge.outbox import Lane, Settlement
from bridge.store.sqlite import SQLiteStore
from tests.fakes import words
from tests.fakes.waiting import tasks_of, until

SECRET = format_secret(b"s" * 32)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    async with SQLiteStore(tmp_path, ["webhook"]) as store:
        yield store


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver(SECRET) as receiver:
        yield receiver
    assert receiver.order.violations == []


@pytest.fixture
async def sender(store: SQLiteStore, receiver: Receiver, request: pytest.FixtureRequest) -> AsyncIterator[Sender]:
    """With a call under way whose start has been delivered."""
    policy = RetryPolicy(live=(0.3,))
    timeouts = getattr(request, "param", None)
    async with Sender(
        store, receiver.url, Envelopes(Signer(SECRET)), interims=[TranscriptInterim], retry=policy, timeouts=timeouts
    ) as sender:
        await store.append([words.started()])
        await until(lambda: sender.counters["delivered"] == 1)
        yield sender


async def say(store: SQLiteStore, revision: int, **said: Any) -> None:
    await store.append([], [words.interim(revision=revision, text=f"r{revision}", **said)])


def received(receiver: Receiver, count: int) -> Callable[[], bool]:
    return lambda: receiver.counters["interims"] >= count


def failed(sender: Sender, count: int) -> Callable[[], bool]:
    return lambda: sender.counters["interims_failed"] == count


def texts(receiver: Receiver) -> list[str]:
    return [event["data"]["text"] for event in receiver.calls["CA1"].interims]


async def test_an_interim_arrives_signed_in_the_same_envelope(
    store: SQLiteStore, receiver: Receiver, sender: Sender
) -> None:
    await say(store, 1)
    await receiver.until(lambda: receiver.counters["interims"] == 1)
    (interim,) = receiver.calls["CA1"].interims
    assert (interim["type"], interim["data"]["final"]) == ("transcript.interim", False)
    assert "seq" not in interim
    assert receiver.deliveries[-1].webhook_id == "int_CA1_s1_1"


async def test_without_the_setting_there_are_none(store: SQLiteStore, receiver: Receiver) -> None:
    async with Sender(store, receiver.url, Envelopes(Signer(SECRET))) as sender:
        await store.append([words.started()])
        await until(lambda: sender.counters["delivered"] == 1)
        await say(store, 1)
        await store.append([words.final()])
        await receiver.until(lambda: receiver.seqs("CA1") == [1, 2])
    assert receiver.counters["interims"] == 0


class LateStore(SQLiteStore):
    """Writes that a delivery is over only after `go_on`."""

    go_on: asyncio.Event

    async def settle(self, lane: Lane, settlement: Settlement) -> bool:
        await self.go_on.wait()
        return await super().settle(lane, settlement)


async def test_none_waits_until_it_is_written_that_a_delivery_is_over(tmp_path: Path, receiver: Receiver) -> None:
    async with LateStore(tmp_path, ["webhook"]) as store:
        store.go_on = asyncio.Event()
        interims = [TranscriptInterim]
        async with Sender(store, receiver.url, Envelopes(Signer(SECRET)), interims=interims) as sender:
            await store.append([words.started()])
            await receiver.until(lambda: receiver.seqs("CA1") == [1])
            async with asyncio.timeout(60.0):
                for revision in itertools.count(1):  # the answer may be on its way back
                    await say(store, revision)
                    if receiver.counters["interims"]:
                        break
                    await asyncio.sleep(0.01)
            assert sender.counters["delivered"] == 0
            store.go_on.set()
            await until(lambda: sender.counters["delivered"] == 1)


async def test_while_one_is_on_its_way_the_newest_replaces_the_rest(
    store: SQLiteStore, receiver: Receiver, sender: Sender
) -> None:
    receiver.faults = [Fault(delay=0.1, times=1)]
    await say(store, 1)
    await receiver.until(lambda: len(receiver.deliveries) == 2)
    for revision in range(2, 10):
        await say(store, revision)
    await receiver.until(lambda: receiver.counters["interims"] == 2)
    assert texts(receiver) == ["r1", "r9"]


async def test_both_speakers_have_theirs_and_none_comes_twice(
    store: SQLiteStore, receiver: Receiver, sender: Sender
) -> None:
    for revision in (1, 2, 3):
        await say(store, revision)
        await receiver.until(received(receiver, 2 * revision - 1))
        await say(store, revision, segment_id="b", track="outbound")
        await receiver.until(received(receiver, 2 * revision))
    ids = [delivery.webhook_id for delivery in receiver.deliveries if delivery.webhook_id.startswith("int_")]
    assert len(ids) == len(set(ids)) == 6


async def test_a_final_is_not_kept_waiting_by_an_interim(
    store: SQLiteStore, receiver: Receiver, sender: Sender
) -> None:
    receiver.faults = [Fault(delay=3.0, times=1)]
    await say(store, 1, segment_id="s2")
    await receiver.until(lambda: len(receiver.deliveries) == 2)
    await store.append([words.final(seq=2)])
    await receiver.until(lambda: receiver.seqs("CA1") == [1, 2], seconds=2.0)
    assert receiver.counters["interims"] == 0


async def test_a_stale_one_is_not_sent_when_its_final_is_there(
    store: SQLiteStore, receiver: Receiver, sender: Sender
) -> None:
    receiver.faults = [Fault(delay=0.1, times=1)]
    await say(store, 1, segment_id="s2")
    await receiver.until(lambda: len(receiver.deliveries) == 2)
    await say(store, 2, segment_id="s2")
    await store.append([words.final(seq=2, segment_id="s2")])
    await receiver.until(lambda: receiver.counters["interims"] == 1)
    await sender.drain(2)
    assert texts(receiver) == ["r1"]


async def test_nothing_is_sent_on_a_lane_that_has_something_to_deliver(
    store: SQLiteStore, receiver: Receiver, sender: Sender
) -> None:
    receiver.faults = [Fault(status=500, seq=2, times=1)]
    await store.append([words.final(seq=2)])
    await until(lambda: sender.counters["retry"] == 1)
    await say(store, 1, segment_id="s3")
    await until(lambda: sender.counters["interims_dropped"] == 1)
    await receiver.until(lambda: receiver.seqs("CA1") == [1, 2])
    assert receiver.counters["interims"] == 0


async def test_it_is_never_retried_and_counts_for_nothing(
    store: SQLiteStore, receiver: Receiver, sender: Sender
) -> None:
    receiver.faults = [Fault(status=500)]
    for revision in range(1, 8):
        await say(store, revision)
        await until(failed(sender, revision))
    assert len({delivery.webhook_id for delivery in receiver.deliveries}) == len(receiver.deliveries) == 8
    assert sender.breaker.opened == 0
    receiver.faults = []
    await store.append([words.final(seq=2)])
    await receiver.until(lambda: receiver.seqs("CA1") == [1, 2])


@pytest.mark.parametrize("sender", [Timeouts(interim=0.05)], indirect=True)
async def test_one_that_takes_too_long_is_let_go(store: SQLiteStore, receiver: Receiver, sender: Sender) -> None:
    receiver.faults = [Fault(delay=1.0, times=1)]
    await say(store, 1)
    await until(lambda: sender.counters["interims_failed"] == 1)
    await say(store, 2)
    await receiver.until(lambda: "r2" in texts(receiver))


async def test_the_start_of_speech_is_no_interim(store: SQLiteStore, receiver: Receiver, sender: Sender) -> None:
    await store.append([], [words.speech()])
    await say(store, 1, track="outbound")
    await receiver.until(lambda: receiver.counters["interims"] == 1)
    assert [event["type"] for event in receiver.calls["CA1"].interims] == ["transcript.interim"]


async def test_the_start_of_speech_can_be_posted_too(store: SQLiteStore, receiver: Receiver) -> None:
    async with Sender(store, receiver.url, Envelopes(Signer(SECRET)), interims=[SpeechStarted]) as sender:
        await store.append([words.started()])
        await until(lambda: sender.counters["delivered"] == 1)
        first = words.speech()
        await store.append([], [first])
        await receiver.until(lambda: receiver.counters["interims"] == 1)
        await say(store, 1, track="outbound")
        await store.append([], [words.event("CA1", None, first.data)])
        assert receiver.deliveries[-1].webhook_id == f"int_CA1_{first.id}"
        await store.append([words.final()])
        await receiver.until(lambda: receiver.seqs("CA1") == [1, 2])
    assert [event["type"] for event in receiver.calls["CA1"].interims] == ["speech.started"]


async def test_what_becomes_of_a_turn_can_be_posted_too(store: SQLiteStore, receiver: Receiver) -> None:
    types = [TranscriptInterim, TurnEagerEnd, TurnResumed]
    async with Sender(store, receiver.url, Envelopes(Signer(SECRET)), interims=types) as sender:
        await store.append([words.started()])
        await until(lambda: sender.counters["delivered"] == 1)
        await store.append([], [words.interim(), early := words.eager_end()])
        await receiver.until(lambda: receiver.counters["interims"] == 2)
        assert receiver.deliveries[-1].webhook_id == f"int_CA1_{early.id}"
        await store.append([], [words.turn_resumed()])
        await receiver.until(lambda: receiver.counters["interims"] == 3)
    told = [event["type"] for event in receiver.calls["CA1"].interims]
    assert told == ["transcript.interim", "turn.eager_end", "turn.resumed"]


async def test_an_ended_call_is_forgotten(store: SQLiteStore, receiver: Receiver, sender: Sender) -> None:
    await store.append([words.ended(seq=2)])
    await receiver.until(lambda: receiver.seqs("CA1") == [1, 2])
    await sender.drain(2)
    assert sender._interim_sender._calls == {}


async def test_leaving_ends_what_is_on_its_way(store: SQLiteStore, receiver: Receiver) -> None:
    async with Sender(store, receiver.url, Envelopes(Signer(SECRET)), interims=[TranscriptInterim]) as sender:
        await store.append([words.started()])
        await until(lambda: sender.counters["delivered"] == 1)
        receiver.faults = [Fault(delay=0.2)]
        await say(store, 1)
        await receiver.until(lambda: len(receiver.deliveries) == 2)
        assert "InterimSender._send" in tasks_of("InterimSender")
    assert tasks_of("Sender", "InterimSender") == []


async def test_sixteen_are_on_their_way_at_most(store: SQLiteStore, receiver: Receiver, sender: Sender) -> None:
    calls = [f"CA{number}" for number in range(100, 117)]
    for call_id in calls:
        await store.append([words.started(call_id)])
    await until(lambda: sender.counters["delivered"] == 1 + len(calls))
    answering = asyncio.Event()
    receiver.faults = [Fault(held=answering)]
    for call_id in calls:
        await store.append([], [words.interim(call_id)])
    await until(lambda: sender.counters["interims_dropped"] == 1)
    await until(lambda: len(receiver.deliveries) == 1 + len(calls) + 16)
    answering.set()
    await until(lambda: tasks_of("InterimSender") == [])
    for revision in range(2, 20):
        await say(store, revision)
        await receiver.until(received(receiver, 15 + revision))
    assert sender.counters["interims"] == receiver.counters["interims"] == 34


@pytest.mark.parametrize("sender", [Timeouts(total=60.0, interim=60.0)], indirect=True)
async def test_leaving_waits_for_no_answer(store: SQLiteStore, receiver: Receiver, sender: Sender) -> None:
    receiver.faults = [Fault(held=asyncio.Event())]
    await say(store, 1)
    await receiver.until(lambda: len(receiver.deliveries) == 2)
    await sender.__aexit__(None, None, None)
    assert tasks_of("InterimSender") == []
