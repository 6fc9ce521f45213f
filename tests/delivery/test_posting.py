"""Endpoints that calls have named, between a real store and real receivers on loopback."""

import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bridge.delivery.breaker import CircuitBreakerPolicy
from bridge.delivery.format import Envelopes
from bridge.delivery.lane import RetryPolicy
from bridge.delivery.posting import Posting
from bridge.delivery.sender import Sender
from bridge.delivery.signing import Signer, format_secret
from bridge.delivery.timing import Timing
from bridge.errors import ConfigError
from bridge.events import TranscriptInterim
from bridge.local.receiver import Fault, Receiver
from bridge.outlets import Named, Outlet, Outlets, named
from bridge.store.sqlite import SQLiteStore
from tests.fakes import words
from tests.fakes.waiting import until

SECRET = format_secret(b"s" * 32)
OUTLETS = Outlets([Outlet("webhook", is_usual=True), Outlet("tenants", is_pattern=True)])
RETRY = RetryPolicy(live=(0.01, 0.02, 0.05), after_call=(0.05,))
PRESSURE = CircuitBreakerPolicy(first_probe=0.05, max_probe=0.2)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    async with SQLiteStore(tmp_path, OUTLETS) as store:
        yield store


@pytest.fixture
async def receivers() -> AsyncIterator[list[Receiver]]:
    async with Receiver(SECRET) as one, Receiver(SECRET) as two:
        yield [one, two]
    assert one.order.violations == two.order.violations == []


def maker(store: SQLiteStore, **shared: Any) -> Callable[[Named], Sender]:
    return lambda it: Sender(
        store,
        it.url,
        Envelopes(Signer(SECRET)),
        endpoint=it.endpoint,
        interims=[TranscriptInterim],
        follows=False,
        retry=RETRY,
        pressure=PRESSURE,
        rng=Random(1),
        **shared,
    )


def whole(receiver: Receiver, call_id: str) -> Callable[[], bool]:
    return lambda: receiver.seqs(call_id) == [1, 2, 3, 4, 5]


async def test_each_call_arrives_where_it_says_and_a_sick_one_harms_no_other(
    store: SQLiteStore, receivers: list[Receiver]
) -> None:
    one, two = receivers
    one.faults = [Fault(status=500, times=3)]
    async with Posting(store, {}, maker(store), poll=0.005) as posting:
        for call_id, receiver in (("CA1", one), ("CA2", two)):
            await store.append(words.conversation(call_id), named=named("tenants", receiver.url))
        await until(whole(two, "CA2"))
        await until(whole(one, "CA1"))
        assert two.counters["deliveries"] >= 1 and one.seqs("CA2") == two.seqs("CA1") == []
        assert await posting.drain(5.0)


async def test_what_was_named_before_a_restart_is_delivered_after_it(tmp_path: Path, receivers: list[Receiver]) -> None:
    async with SQLiteStore(tmp_path, OUTLETS) as store:
        await store.append(words.conversation(), named=named("tenants", receivers[0].url))
    async with SQLiteStore(tmp_path, OUTLETS) as store, Posting(store, {}, maker(store), poll=0.005):
        await until(whole(receivers[0], "CA1"))


async def test_calls_that_name_their_own_are_counted_by_the_outlet_that_allowed_it(
    store: SQLiteStore, receivers: list[Receiver]
) -> None:
    counters, timings = {"tenants": Counter[str]()}, {"tenants": Timing()}
    make = maker(store, counters=counters["tenants"], timing=timings["tenants"])
    receivers[0].faults = [Fault(status=500, times=1000)]
    async with Posting(store, {}, make, counters=counters, timings=timings, poll=0.005, idle=0.01) as posting:
        for call_id, receiver in zip(("CA1", "CA2"), receivers, strict=True):
            await store.append(words.conversation(call_id), named=named("tenants", receiver.url))
        await until(lambda: len(posting.named) == 1 and counters["tenants"]["retry"] > 0)
        assert posting.waiting() == {"tenants": 1}
        assert posting.counters["tenants"]["events"] == 5
        assert posting.timings["tenants"].attempts.measured == counters["tenants"]["delivered"]
        receivers[0].faults = []
        await until(lambda: not posting.named)
        assert posting.waiting() == {"tenants": 0}
        assert posting.counters["tenants"]["events"] == 10


async def test_interims_come_too(store: SQLiteStore, receivers: list[Receiver]) -> None:
    here = named("tenants", receivers[0].url)
    async with Posting(store, {}, maker(store), poll=0.005) as posting:
        await store.append([words.started()], named=here)
        await until(lambda: here.endpoint in posting.named and posting.named[here.endpoint].counters["delivered"] == 1)
        await store.append([], [words.interim()])
        await until(lambda: receivers[0].counters["interims"] == 1)


async def test_a_sender_that_has_nothing_to_do_is_closed_and_made_again(
    store: SQLiteStore, receivers: list[Receiver]
) -> None:
    here = named("tenants", receivers[0].url)
    async with Posting(store, {}, maker(store), poll=0.005, idle=0.01) as posting:
        for call_id in ("CA1", "CA2"):
            await store.append(words.conversation(call_id), named=here)
            await until(whole(receivers[0], call_id))
            await until(lambda: not posting.named)
        assert await posting.undelivered() == []


async def test_an_url_that_is_not_allowed_any_more_waits_and_is_told_once(
    store: SQLiteStore, receivers: list[Receiver], caplog: pytest.LogCaptureFixture
) -> None:
    here = named("tenants", receivers[0].url)
    async with Posting(store, {}, lambda it: "it is not in the allow-list any more", poll=0.001) as posting:
        await store.append(words.conversation(), named=here)
        await until(lambda: "nothing is posted" in caplog.text)
        async with posting.sender(here.endpoint) as sender:
            assert sender is None
        assert await posting.undelivered() == await posting.of_call("CA1") == [here.endpoint]
    assert [record.levelno for record in caplog.records if "nothing is posted" in record.message] == [logging.ERROR]
    assert not receivers[0].deliveries
    assert store.endpoints_waiting() == [here.endpoint]


async def test_a_person_finds_the_sender_of_a_dead_letter(store: SQLiteStore, receivers: list[Receiver]) -> None:
    one = receivers[0]
    one.faults = [Fault(status=410, times=1)]
    here = named("tenants", one.url)
    async with Posting(store, {}, maker(store), poll=0.005, idle=0.01) as posting:
        await store.append(words.conversation(), named=here)
        await until(lambda: one.deliveries and not posting.named)
        async with posting.sender(here.endpoint) as sender:
            assert sender and not sender.healthy and await sender.resume("CA1") == ["CA1"]
        await until(whole(one, "CA1"))


async def test_a_sender_whose_endpoint_is_gone_is_closed_though_something_waits(
    store: SQLiteStore, receivers: list[Receiver]
) -> None:
    one, two = receivers
    one.faults = [Fault(status=410)]
    here, there, made = named("tenants", one.url), named("tenants", two.url), []
    make = maker(store)

    def counted(it: Named) -> Sender:
        made.append(it.endpoint)
        return make(it)

    async with Posting(store, {}, counted, poll=0.002, idle=0.01) as posting:
        await store.append(words.conversation(), named=here)
        await until(lambda: one.deliveries and not posting.named)
        await store.append(words.conversation("CA2"), named=here)  # also for what comes later it is not made again
        await store.append(words.conversation("CA3"), named=there)
        await until(whole(two, "CA3"))
        await until(lambda: not posting.named)
        assert made == [here.endpoint, there.endpoint] and len(one.deliveries) == 1
        assert store.lanes_waiting(here.endpoint) == 2
        one.faults = []
        async with posting.sender(here.endpoint) as sender:
            assert sender and sorted(await sender.resume()) == ["CA1", "CA2"]
        await until(lambda: whole(one, "CA1")() and whole(one, "CA2")())
        await until(lambda: not posting.named)
        await store.append(words.conversation("CA4"), named=here)  # and now it is like any other
        await until(whole(one, "CA4"))


async def test_an_url_that_nothing_can_be_posted_to_stops_no_other(
    store: SQLiteStore, receivers: list[Receiver], caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = named("tenants", "http://a.example.com/"), named("tenants", receivers[0].url)
    make = maker(store)

    def made(it: Named) -> Sender:
        if it == bad:
            raise ConfigError("the webhook's URL leads to where no webhook may be (not https)")
        return make(it)

    async with Posting(store, {}, made, poll=0.005):
        await store.append(words.conversation("CA1"), named=bad)
        await until(lambda: "nothing is posted" in caplog.text)
        await store.append(words.conversation("CA2"), named=good)
        await until(whole(receivers[0], "CA2"))


async def test_a_sender_is_not_closed_while_it_is_asked_for_something(
    store: SQLiteStore, receivers: list[Receiver]
) -> None:
    here = named("tenants", receivers[0].url)
    await store.append(words.conversation(), named=here)
    async with Posting(store, {}, maker(store), poll=0.001, idle=0.0) as posting:
        await until(whole(receivers[0], "CA1"))
        async with posting.sender(here.endpoint) as sender:
            receivers[0].faults = [Fault(delay=0.05, times=1)]
            (call,) = await store.calls(call_id="CA1")
            again = sender and await sender.post_again("CA1", call.header, 2)
            assert again and again.accepted and posting.named == {here.endpoint: sender}
        await until(lambda: not posting.named)


async def test_where_other_processes_deliver_a_person_can_ask_for_it(
    store: SQLiteStore, receivers: list[Receiver]
) -> None:
    here = named("tenants", receivers[0].url)
    await store.append(words.conversation(), named=here)
    async with Posting(store, {}, maker(store, delivers=False), poll=0.002, delivers=False) as posting:
        async with posting.sender(here.endpoint) as sender:
            assert sender and await sender.resume("CA1", after=0) == ["CA1"]
        assert await posting.drain(5.0)
        assert (store.lanes_waiting(here.endpoint), len(receivers[0].deliveries)) == (1, 0)
        assert posting.waiting() == {}, "it cannot say whether that is for long"
    async with Posting(store, {}, maker(store), poll=0.005):
        await until(whole(receivers[0], "CA1"))


async def test_an_endpoint_that_is_gone_is_back_once_a_person_says_so_at_another_process(
    store: SQLiteStore, receivers: list[Receiver]
) -> None:
    one, two = receivers
    one.faults, two.faults = [Fault(status=410, times=1)], [Fault(status=410, times=1)]
    usual = Sender(store, two.url, Envelopes(Signer(SECRET)), retry=RETRY, pressure=PRESSURE, poll=0.005)
    here = named("tenants", one.url)
    async with Posting(store, {"webhook": usual}, maker(store), poll=0.002, idle=0.01, again=0.01) as posting:
        await store.append(words.conversation(), named=here)
        await store.append(words.conversation("CA2"))
        await until(lambda: one.deliveries and not posting.named and usual.gone)
        for endpoint in (here.endpoint, "webhook"):
            await store.disable(endpoint, None)
        await until(lambda: whole(one, "CA1")() and whole(two, "CA2")())
