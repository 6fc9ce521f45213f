"""What every outbox promises. The clock is an argument, so leases and retries are tested without waiting."""

import asyncio
import json

import pytest

from bridge.errors import StoreError
from bridge.outbox import Backlog, Batching, LaneState, Settlement
from bridge.outlets import Outlet, Outlets, named
from bridge.store import Query, Store
from tests.fakes import words
from tests.fakes.stores import Open, claim


async def test_no_endpoint_no_lane(reopen: Open) -> None:
    async with reopen(endpoints=()) as store:
        await store.append(words.conversation())
        assert await claim(store) == []


async def test_a_call_that_is_not_to_be_delivered_has_no_lane_until_it_is_asked_for(store: Store) -> None:
    await store.append(words.conversation(), deliver=False)
    assert await claim(store) == []
    assert await store.delivery("webhook", "CA1") is None

    assert await store.resume("webhook", "CA1", after=0) == ["CA1"]
    assert len(await claim(store)) == 1


async def test_an_event_on_an_idle_lane_is_a_batch(store: Store) -> None:
    await store.append([words.started()])
    (lane,) = await claim(store)
    assert (lane.endpoint, lane.call_id, lane.cursor, lane.batch_to) == ("webhook", "CA1", 0, 1)
    assert (lane.attempts, lane.first_failure, lane.skipped, lane.call_ended) == (0, None, (), False)
    assert json.loads(lane.header)["id"] == "CA1"


async def test_what_piles_up_is_the_next_batch(store: Store) -> None:
    await store.append([words.started()])
    (lane,) = await claim(store)
    for event in words.conversation(finals=4)[1:]:
        await store.append([event])
    assert await claim(store) == [], "one holder at a time"
    assert await store.settle(lane, Settlement(1, None))
    before = lane
    (lane,) = await claim(store)
    assert (lane.cursor, lane.batch_to, lane.call_ended) == (1, 6, True)
    assert (lane.endpoint, lane.call_id, lane.header) == (before.endpoint, before.call_id, before.header)
    assert await store.settle(lane, Settlement(6, None))
    assert await claim(store, now=1e12) == []


async def test_a_batch_has_bounds(reopen: Open) -> None:
    async with reopen(batching=Batching(max_events=5, max_octets=100_000)) as store:
        await store.append(words.conversation(finals=20))
        (lane,) = await claim(store)
        assert (lane.cursor, lane.batch_to) == (0, 5)
        await store.settle(lane, Settlement(5, None))
        (lane,) = await claim(store)
        assert (lane.cursor, lane.batch_to) == (5, 10)


async def test_a_batch_counts_octets(reopen: Open) -> None:
    async with reopen(batching=Batching(max_octets=10_000)) as store:
        await store.append([words.started()])
        (lane,) = await claim(store)
        for seq in range(2, 6):
            await store.append([words.final(seq=seq, text="é" * 2000)])
        await store.settle(lane, Settlement(1, None))
        (lane,) = await claim(store)
        assert (lane.cursor, lane.batch_to) == (1, 3), "two of 4.4 kB each fit, a third does not"


async def test_an_event_larger_than_a_batch_goes_alone(reopen: Open) -> None:
    async with reopen(batching=Batching(max_octets=1_000)) as store:
        await store.append([words.started(), words.final(seq=2, text="x" * 5000), words.final(seq=3)])
        reached = []
        while lanes := await claim(store):
            reached.append(lanes[0].batch_to)
            await store.settle(lanes[0], Settlement(lanes[0].batch_to, None))
        assert reached == [1, 2, 3]


async def test_each_endpoint_has_a_lane_of_its_own(reopen: Open) -> None:
    async with reopen(endpoints=("a", "b")) as store:
        await store.append([words.started()])
        (lane,) = await claim(store, endpoint="a")
        await store.settle(lane, Settlement(1, None))
        assert await claim(store, endpoint="a") == []
        (lane,) = await claim(store, endpoint="b")
        assert lane.cursor == 0


async def test_lanes_come_in_the_order_they_became_due(store: Store) -> None:
    for call_id in ("CA1", "CA2", "CA3"):
        await store.append([words.started(call_id)])
    (first,) = await claim(store, 1)
    await store.append([words.final("CA1", 2)])
    await store.settle(first, Settlement(1, None))
    assert [lane.call_id for lane in await claim(store)] == ["CA2", "CA3", "CA1"]


async def test_fresh_lanes_first_for_those_who_ask(store: Store) -> None:
    for call_id in ("CA1", "CA2"):
        await store.append([words.started(call_id)])
    (lane,) = await claim(store, 1)
    await store.settle(lane, Settlement(0, 1, attempts=1, first_failure=1.0))
    (other,) = await claim(store, 1)
    await store.append([words.started("CA3")])
    assert other.call_id == "CA2"
    (lane,) = await store.claim("webhook", 1, lease=60.0, now=0.0, fresh_first=True)
    assert lane.call_id == "CA3"
    assert [lane.call_id for lane in await claim(store)] == ["CA1"]


async def test_a_retry_is_due_when_it_is_due(store: Store) -> None:
    await store.append([words.started()])
    (lane,) = await claim(store, now=100.0)
    await store.settle(lane, Settlement(0, 1, due=105.0, attempts=3, rejections=2, first_failure=99.0, skipped=(7, 8)))
    assert await claim(store, now=104.9) == []
    before = lane
    (lane,) = await claim(store, now=105.0)
    assert (lane.attempts, lane.rejections, lane.first_failure, lane.skipped) == (3, 2, 99.0, (7, 8))
    assert (lane.cursor, lane.batch_to, lane.header) == (before.cursor, before.batch_to, before.header)


async def test_a_retry_repeats_the_range_after_reopening(reopen: Open) -> None:
    async with reopen() as store:
        await store.append([words.started()])
        (lane,) = await claim(store)
        await store.append([words.final(seq=2), words.final(seq=3)])
        # The process dies while the batch is on its way: nothing is settled.
    async with reopen() as store:
        await store.take("CA1")
        await store.append([words.final(seq=4)])
        (lane,) = await claim(store)
        assert (lane.cursor, lane.batch_to) == (0, 1)
        await store.settle(lane, Settlement(1, None))
        (lane,) = await claim(store)
        assert (lane.cursor, lane.batch_to) == (1, 4)
        await store.settle(lane, Settlement(1, 2, due=50.0, attempts=1, first_failure=40.0))
    async with reopen() as store:
        assert await claim(store, now=49.0) == []
        (lane,) = await claim(store, now=50.0)
        assert (lane.cursor, lane.batch_to, lane.attempts, lane.first_failure) == (1, 2, 1, 40.0)


async def test_a_lost_lease_writes_nothing(store: Store) -> None:
    await store.append([words.started(), words.final(seq=2)])
    (slow,) = await store.claim("webhook", 1, lease=10.0, now=100.0)
    assert await store.claim("webhook", 1, lease=10.0, now=109.9) == []
    (quick,) = await store.claim("webhook", 1, lease=10.0, now=110.0)
    assert quick.token != slow.token
    assert not await store.settle(slow, Settlement(2, None))
    assert await store.settle(quick, Settlement(1, 2))
    assert not await store.settle(quick, Settlement(2, None)), "a settled lease is gone"
    (lane,) = await claim(store, now=120.0)
    assert lane.cursor == 1


async def test_a_lane_is_never_claimed_twice(store: Store) -> None:
    for n in range(50):
        await store.append([words.started(f"CA{n}")])
    rounds = await asyncio.gather(*(claim(store, 7) for _ in range(10)))
    claimed = [lane.call_id for lanes in rounds for lane in lanes]
    assert sorted(claimed) == sorted(f"CA{n}" for n in range(50))


async def test_a_parked_lane_waits_for_resume_complete_and_in_order(reopen: Open) -> None:
    async with reopen() as store:
        await store.append([words.started(), words.final(seq=2)])
        (lane,) = await claim(store)
        await store.settle(lane, Settlement(0, 2, attempts=9, first_failure=1.0, parked="given up"))
        await store.append([words.ended(seq=3)])
        assert await claim(store, now=1e12) == []
    async with reopen() as store:
        assert await claim(store, now=1e12) == []
        (parked,) = await store.parked("webhook")
        assert (parked.call_id, parked.cursor, parked.reason) == ("CA1", 0, "given up")
        assert await store.resume("webhook") == ["CA1"]
        assert await store.parked("webhook") == []
        (lane,) = await claim(store)
        assert (lane.cursor, lane.batch_to, lane.attempts, lane.first_failure) == (0, 2, 0, None)


async def test_resume_makes_a_waiting_lane_due(store: Store) -> None:
    await store.append([words.started("CA1")])
    await store.append([words.started("CA2")])
    for lane in await claim(store):
        await store.settle(lane, Settlement(0, 1, due=1e9, attempts=4, first_failure=1.0))
    assert await store.resume("webhook", "CA1") == ["CA1"]
    assert [lane.call_id for lane in await claim(store)] == ["CA1"]
    assert sorted(await store.resume("webhook")) == ["CA1", "CA2"]


@pytest.mark.parametrize("call_id", [None, "CA1"])
async def test_resume_lets_whoever_holds_a_lane_finish(store: Store, call_id: str | None) -> None:
    await store.append([words.started()])
    (lane,) = await claim(store)
    assert await store.resume("webhook", call_id) == ["CA1"]
    assert await claim(store) == []
    assert await store.settle(lane, Settlement(1, None))
    assert await claim(store) == []


async def test_replay_sends_again_from_a_cursor(store: Store) -> None:
    await store.append(words.conversation(finals=3))
    (lane,) = await claim(store)
    await store.settle(lane, Settlement(5, None))
    assert await claim(store) == []
    assert await store.resume("webhook", "CA1", after=2) == ["CA1"]
    (lane,) = await claim(store)
    assert (lane.cursor, lane.batch_to) == (2, 5)


async def test_replay_takes_the_lease_from_its_holder(store: Store) -> None:
    await store.append(words.conversation(finals=3))
    (lane,) = await claim(store)
    replay = asyncio.ensure_future(store.resume("webhook", "CA1", after=0))
    await asyncio.sleep(0)  # it has begun
    assert not await store.settle(lane, Settlement(5, None))
    assert await replay == ["CA1"]
    (lane,) = await claim(store)
    assert lane.cursor == 0


async def test_replay_reaches_a_call_older_than_the_endpoint(reopen: Open) -> None:
    async with reopen(endpoints=()) as store:
        await store.append(words.conversation())
    async with reopen(endpoints=("webhook",)) as store:
        assert await claim(store) == [], "history does not rush to a new webhook on its own"
        assert await store.resume("webhook", "CA1", after=0) == ["CA1"]
        assert len(await claim(store)) == 1
        with pytest.raises(StoreError, match="no call"):
            await store.resume("webhook", "CA9", after=0)


async def test_a_disabled_endpoint_is_remembered(reopen: Open) -> None:
    async with reopen() as store:
        assert await store.disabled("webhook") is None
        await store.disable("webhook", "address")
    async with reopen() as store:
        assert await store.disabled("webhook") == "address"
        await store.disable("webhook", None)
        assert await store.disabled("webhook") is None


async def test_how_far_a_delivery_has_got(full_store: Store) -> None:
    assert await full_store.delivery("webhook", "CA1") == LaneState(cursor=0, tip=4, attempts=0, parked=None)
    lane = next(lane for lane in await claim(full_store) if lane.call_id == "CA1")
    await full_store.settle(lane, Settlement(cursor=1, batch_to=2, attempts=3, parked="it said no"))
    assert await full_store.delivery("webhook", "CA1") == LaneState(cursor=1, tip=4, attempts=3, parked="it said no")
    await full_store.resume("webhook", "CA1")
    lane = next(lane for lane in await claim(full_store) if lane.call_id == "CA1")
    await full_store.settle(lane, Settlement(cursor=1, batch_to=2, attempts=1, reason="status 503"))
    assert await full_store.delivery("webhook", "CA1") == LaneState(1, 4, 1, None, "status 503")
    await full_store.resume("webhook", "CA1")
    assert await full_store.delivery("webhook", "CA1") == LaneState(1, 4, 0, None, None)
    assert await full_store.delivery("elsewhere", "CA1") is None
    assert await full_store.delivery("webhook", "nobody") is None


async def test_what_is_being_delivered_may_finish_after_the_deletion(full_store: Store) -> None:
    lane = next(lane for lane in await claim(full_store) if lane.call_id == "CA1")
    deleted = asyncio.ensure_future(full_store.delete("CA1"))
    await asyncio.sleep(0)  # the deletion is on its way to the disk
    await full_store.settle(lane, Settlement(cursor=4, batch_to=None))
    assert await deleted
    assert await full_store.delivery("webhook", "CA1") is None
    assert not await full_store.settle(lane, Settlement(cursor=4, batch_to=None))


# --- endpoints by number, and those that calls name ------------------------------------------------------------------

OUTLETS = Outlets(
    [Outlet("webhook", is_usual=True), Outlet("sales", frozenset({"+15550101"})), Outlet("tenants", is_pattern=True)]
)
NAMED = named("tenants", "https://a.example.com/hook?token=1")


async def test_the_called_number_decides_who_gets_a_call(reopen: Open) -> None:
    async with reopen(OUTLETS) as store:
        await store.append([words.started("CA1", to="+15550101")])
        await store.append([words.started("CA2", to="+15550102")])
        assert [lane.call_id for lane in await claim(store)] == ["CA1", "CA2"]
        assert [lane.call_id for lane in await claim(store, endpoint="sales")] == ["CA1"]
        assert sorted(store.endpoints_waiting()) == ["sales", "webhook"]
        assert await store.resume("sales", "CA2", after=0) == [], "an endpoint gets no calls that are not for it"
        assert await store.delivery("sales", "CA2") is None


async def test_a_call_names_its_own_endpoint_which_outlives_the_process(reopen: Open) -> None:
    async with reopen(OUTLETS) as store:
        await store.append([words.started("CA1")], named=NAMED)
        assert await claim(store) == []
    async with reopen(OUTLETS) as store:
        (lane,) = await claim(store, endpoint=NAMED.endpoint)
        assert (lane.call_id, lane.batch_to) == ("CA1", 1)
        assert await store.named_url(NAMED.endpoint) == NAMED.url
        assert await store.resume("webhook", "CA1", after=0) == [], "a call that names its own is no one else's"
        assert set(await store.deliveries("CA1")) == {NAMED.endpoint}


async def test_a_call_that_is_not_to_be_delivered_names_nothing(reopen: Open) -> None:
    async with reopen(OUTLETS) as store:
        await store.append(words.conversation(), deliver=False, named=NAMED)
        assert await store.deliveries("CA1") == {}
        assert await store.named_url(NAMED.endpoint) is None


async def test_with_its_last_call_the_url_of_a_named_endpoint_is_forgotten(reopen: Open) -> None:
    async with reopen(OUTLETS) as store:
        for call_id in ("CA1", "CA2"):
            await store.append(words.conversation(call_id), named=NAMED)
        assert await store.delete("CA1")
        assert await store.named_url(NAMED.endpoint) == NAMED.url
        assert await store.delete("CA2")
        assert await store.named_url(NAMED.endpoint) is None
        assert store.endpoints_waiting() == []


async def test_what_waits_for_an_endpoint_that_is_gone_is_kept_and_told_and_not_in_memory(reopen: Open) -> None:
    async with reopen(OUTLETS) as store:
        await store.append(words.conversation("CA1", finals=2), named=NAMED)
    async with reopen(("webhook",)) as store:
        assert store.endpoints_waiting() == []
        assert await store.backlogs() == [Backlog(NAMED.endpoint, waiting=1, parked=0, due=0.0)]
    async with reopen(OUTLETS) as store:
        assert len(await claim(store, endpoint=NAMED.endpoint)) == 1


async def test_what_is_stuck_is_listed_dead_letters_first(store: Store) -> None:
    for call_id in ("CA1", "CA2", "CA3"):
        await store.append([words.started(call_id)])
    one, two, _ = await claim(store)
    await store.settle(one, Settlement(0, 1, due=50.0, attempts=2, first_failure=7.0, reason="status 500"))
    await store.settle(two, Settlement(0, 1, attempts=9, parked="given up", reason="timeout"))

    assert await store.backlogs() == [Backlog("webhook", waiting=2, parked=1, due=0.0)]
    stuck = await store.stuck()
    assert [(lane.call_id, lane.parked, lane.reason, lane.due) for lane in stuck] == [
        ("CA2", "given up", "timeout", 0.0),
        ("CA1", None, "status 500", 50.0),
    ]
    assert (stuck[1].attempts, stuck[1].cursor, stuck[1].tip, stuck[1].first_failure) == (2, 0, 1, 7.0)
    assert await store.stuck("other") == []
    assert len(await store.stuck("webhook", limit=1)) == 1


async def test_the_calls_since_a_time_and_where_their_events_begin(store: Store) -> None:
    await store.append(words.conversation("CA1", finals=3))
    await store.append(words.conversation("CA2", finals=3))
    times = [json.loads(event.body)["time"] for event in await store.read(Query("CA1"))]

    assert await store.since(times[0]) == [("CA1", 0), ("CA2", 0)]
    assert (await store.since(times[2]))[:1] == [("CA1", times.index(times[2]))]
    assert await store.since("2999-01-01T00:00:00.000Z") == []
