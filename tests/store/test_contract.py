"""What every store promises. A new store adds itself to `STORES` and passes, or is no store.

The clock of the lanes is an argument, so leases and retries are tested without waiting.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import LocalProtocolError, StoreError
from bridge.outbox import Batching, Lane, LaneState, Settlement
from bridge.store import CallFilter, Hint, Query, Store
from bridge.store.sqlite import SQLiteStore
from tests.fakes import words

Open = Callable[..., AbstractAsyncContextManager[Store]]
"""Opens the store of this test; after closing, opens it again with what it kept."""

STORES: dict[str, Callable[[Path], Open]] = {
    "sqlite": lambda path: lambda endpoints=("webhook",), **kw: SQLiteStore(path, endpoints, **kw),
}


@pytest.fixture(params=STORES)
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    return STORES[request.param](tmp_path)


@pytest.fixture
async def store(reopen: Open) -> AsyncIterator[Store]:
    async with reopen() as store:
        yield store


async def claim(store: Store, limit: int = 10, *, now: float = 0.0, endpoint: str = "webhook") -> list[Lane]:
    return await store.claim(endpoint, limit, lease=60.0, now=now)


async def seqs(store: Store, call_id: str = "CA1", after: int = 0) -> list[int]:
    return [event.seq for event in await store.read(Query(call_id), after)]


# --- the log --------------------------------------------------------------------------------------------------------


async def test_what_was_appended_is_read_in_order(store: Store) -> None:
    events = words.conversation(finals=30)
    await store.append(events)
    assert [event.body for event in await store.read(Query("CA1"))] == [event.to_json() for event in events]
    assert [event.seq for event in await store.read(Query("CA1"), after=10, limit=3)] == [11, 12, 13]
    assert await store.read(Query("CA2")) == []


async def test_reading_by_type(store: Store) -> None:
    await store.append(words.conversation(finals=3))
    types = ("call.started", "call.ended")
    assert [event.type for event in await store.read(Query("CA1", types))] == list(types)
    assert [event.seq for event in await store.read(Query("CA1", types), after=1)] == [5]


async def test_reading_by_type_while_the_call_lives(store: Store) -> None:
    await store.append(words.conversation(finals=3)[:-1])
    assert [event.seq for event in await store.read(Query("CA1", ("transcript.final",)), after=2)] == [3, 4]


async def test_the_same_events_again_change_nothing(store: Store) -> None:
    events = words.conversation(finals=3)
    await store.append(events[:3])
    await store.append(events[:3])
    await store.append([words.final(seq=3, text="another text under the same number")])
    await store.append(events)  # its tail is new
    assert [event.body for event in await store.read(Query("CA1"))] == [event.to_json() for event in events]


async def test_the_order_of_the_appends_is_the_order_of_the_calls(store: Store) -> None:
    await store.append([words.started()])
    waiting = [store.append([words.final(seq=seq)]) for seq in range(2, 300)]
    for done in reversed(waiting):
        await done
    assert [event.seq for event in await store.read(Query("CA1"), limit=1000)] == list(range(1, 300))


async def test_a_hole_is_refused_and_harms_nobody_else(store: Store) -> None:
    await store.append([words.started()])
    hole, other = store.append([words.final(seq=3)]), store.append([words.started("CA2")])
    with pytest.raises(StoreError, match="without a hole"):
        await hole
    await other
    await store.append([words.final(seq=2), words.final(seq=3)])
    assert await seqs(store) == [1, 2, 3]
    assert await seqs(store, "CA2") == [1]


async def test_a_hole_inside_one_append_refuses_all_of_it(store: Store) -> None:
    await store.append([words.started()])
    with pytest.raises(StoreError):
        await store.append([words.final(seq=2), words.final(seq=4)])
    assert await seqs(store) == [1]


async def test_a_call_begins_with_its_start(store: Store) -> None:
    with pytest.raises(StoreError, match="must begin with"):
        await store.append([words.final(seq=1)])
    assert await store.calls() == []


async def test_an_append_takes_durable_events_of_one_call(store: Store) -> None:
    for events in ([words.started(), words.started("CA2")], [words.interim()]):
        with pytest.raises(LocalProtocolError):
            await store.append(events)


async def test_what_was_kept_is_there_after_reopening(reopen: Open) -> None:
    events = words.conversation()
    async with reopen() as store:
        await store.append(events[:3])
    async with reopen() as store:
        assert await seqs(store) == [1, 2, 3]
        await store.append(events[3:])
        assert await seqs(store) == [1, 2, 3, 4, 5]


async def test_closing_keeps_what_was_queued(reopen: Open) -> None:
    async with reopen() as store:
        waiting = [store.append([event]) for event in words.conversation(finals=50)]
    assert all(done.done() for done in waiting)  # type: ignore[attr-defined]
    async with reopen() as store:
        assert len(await store.read(Query("CA1"))) == 52


async def test_a_closed_store_says_so(reopen: Open) -> None:
    async with reopen() as store:
        await store.append([words.started()])
    with pytest.raises(StoreError, match="closed"):
        await store.append([words.final()])
    with pytest.raises(StoreError, match="closed"):
        await store.calls()


# --- the record -----------------------------------------------------------------------------------------------------


async def test_calls_newest_first_and_page_by_page(store: Store) -> None:
    for n in range(5):
        await store.append([words.started(f"CA{n}")])
    assert [call.id for call in await store.calls(limit=2)] == ["CA4", "CA3"]
    assert [call.id for call in await store.calls(before="CA3", limit=2)] == ["CA2", "CA1"]
    assert [call.id for call in await store.calls(call_id="CA2")] == ["CA2"]
    assert await store.calls(call_id="CA9") == []


async def test_a_call_is_open_until_it_ends(reopen: Open) -> None:
    async with reopen() as store:
        await store.append(words.conversation("CA1"))
        await store.append([words.started("CA2"), words.final("CA2", 2)])
    async with reopen() as store:
        (call,) = await store.calls(open_only=True)
        assert (call.id, call.tip, call.ended_at) == ("CA2", 2, None)
        await store.append([words.ended("CA2", 3)])
        assert await store.calls(open_only=True) == []
        (call,) = await store.calls(call_id="CA2")
        assert (call.started_at, call.ended_at, call.tip) == (words.STARTED_AT, words.STARTED_AT + 60, 3)


async def test_a_calls_header_is_the_envelopes(store: Store) -> None:
    await store.append([words.started()])
    (call,) = await store.calls()
    assert json.loads(call.header) == {
        "id": "CA1",
        "carrier": "twilio",
        "from": "+15550001",
        "to": "+15550002",
        "direction": "inbound",
        "speakers": {"inbound": "caller", "outbound": "agent"},
        "started_at": "2027-01-15T08:00:00.000Z",
        "parameters": {"team": "süd"},
    }


# --- interims -------------------------------------------------------------------------------------------------------


async def test_interims_are_the_newest_of_each_track_until_their_final(store: Store) -> None:
    await store.append([words.started()])
    await store.append([], [words.interim(segment_id="a", revision=1)])
    await store.append([], [newest := words.interim(segment_id="a", revision=2)])
    await store.append([], [other := words.interim(segment_id="b", track="outbound")])
    assert await store.interims("CA1") == [newest, other]
    await store.append([words.final(seq=2, segment_id="a", revision=3)])
    assert await store.interims("CA1") == [other]
    await store.append([words.ended()])
    assert await store.interims("CA1") == []


async def test_an_append_of_nothing_is_done(store: Store) -> None:
    await store.append([])
    assert await store.calls() == []


# --- lanes ----------------------------------------------------------------------------------------------------------


async def test_no_endpoint_no_lane(reopen: Open) -> None:
    async with reopen(endpoints=()) as store:
        await store.append(words.conversation())
        assert await claim(store) == []


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
    (lane,) = await claim(store)
    assert (lane.cursor, lane.batch_to, lane.call_ended) == (1, 6, True)
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
    (lane,) = await claim(store, now=105.0)
    assert (lane.attempts, lane.rejections, lane.first_failure, lane.skipped) == (3, 2, 99.0, (7, 8))


async def test_a_retry_repeats_the_range_after_reopening(reopen: Open) -> None:
    async with reopen() as store:
        await store.append([words.started()])
        (lane,) = await claim(store)
        await store.append([words.final(seq=2), words.final(seq=3)])
        # The process dies while the batch is on its way: nothing is settled.
    async with reopen() as store:
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


# --- dead letters ---------------------------------------------------------------------------------------------------


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
        assert await store.resume("webhook") == 1
        assert await store.parked("webhook") == []
        (lane,) = await claim(store)
        assert (lane.cursor, lane.batch_to, lane.attempts, lane.first_failure) == (0, 2, 0, None)


async def test_resume_makes_a_waiting_lane_due(store: Store) -> None:
    await store.append([words.started("CA1")])
    await store.append([words.started("CA2")])
    for lane in await claim(store):
        await store.settle(lane, Settlement(0, 1, due=1e9, attempts=4, first_failure=1.0))
    assert await store.resume("webhook", "CA1") == 1
    assert [lane.call_id for lane in await claim(store)] == ["CA1"]
    assert await store.resume("webhook") == 2


async def test_resume_lets_whoever_holds_a_lane_finish(store: Store) -> None:
    await store.append([words.started()])
    (lane,) = await claim(store)
    assert await store.resume("webhook") == 1
    assert await claim(store) == []
    assert await store.settle(lane, Settlement(1, None))
    assert await claim(store) == []


async def test_replay_sends_again_from_a_cursor(store: Store) -> None:
    await store.append(words.conversation(finals=3))
    (lane,) = await claim(store)
    await store.settle(lane, Settlement(5, None))
    assert await claim(store) == []
    assert await store.resume("webhook", "CA1", after=2) == 1
    (lane,) = await claim(store)
    assert (lane.cursor, lane.batch_to) == (2, 5)


async def test_replay_takes_the_lease_from_its_holder(store: Store) -> None:
    await store.append(words.conversation(finals=3))
    (lane,) = await claim(store)
    replay = asyncio.ensure_future(store.resume("webhook", "CA1", after=0))
    await asyncio.sleep(0)  # it has begun
    assert not await store.settle(lane, Settlement(5, None))
    assert await replay == 1
    (lane,) = await claim(store)
    assert lane.cursor == 0


async def test_replay_reaches_a_call_older_than_the_endpoint(reopen: Open) -> None:
    async with reopen(endpoints=()) as store:
        await store.append(words.conversation())
    async with reopen(endpoints=("webhook",)) as store:
        assert await claim(store) == [], "history does not rush to a new webhook on its own"
        assert await store.resume("webhook", "CA1", after=0) == 1
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


# --- hints ----------------------------------------------------------------------------------------------------------


async def test_hints_follow_the_commit(store: Store) -> None:
    with store.watch("events", "lanes") as hints:
        store.append([words.started()])
        assert [await anext(hints), await anext(hints)] == [Hint("events", "CA1"), Hint("lanes")]
        assert await seqs(store) == [1]


async def test_a_watcher_of_one_call_hears_of_no_other(store: Store) -> None:
    with store.watch("events", "interims", call_id="CA2") as hints:
        await store.append([words.started("CA1")])
        await store.append([words.started("CA2")])
        await store.append([], [words.interim("CA1"), words.interim("CA2")])
        assert [await anext(hints), await anext(hints)] == [Hint("events", "CA2"), Hint("interims", "CA2")]


async def test_a_parked_lane_gives_a_hint_when_it_is_resumed(store: Store) -> None:
    await store.append([words.started()])
    (lane,) = await claim(store)
    await store.settle(lane, Settlement(0, 1, parked="given up"))
    with store.watch("lanes") as hints:
        await store.resume("webhook")
        assert await anext(hints) == Hint("lanes")


# --- finding ----------------------------------------------------------------------------------------------------------


async def found(store: Store, before: str | None = None, limit: int = 50, **wanted: Any) -> list[str]:
    return [call.row.id for call in await store.find(CallFilter(**wanted), before=before, limit=limit)]


@pytest.fixture
async def full_store(store: Store) -> Store:
    """Three calls: two that have ended, and a newer one that goes on."""
    for call_id, text in (("CA1", "Where is my order?"), ("CA2", "Order a taxi, no: two taxis.")):
        events = words.conversation(call_id, finals=2)
        await store.append([events[0], words.final(call_id, 2, text=text), *events[2:]])
    await store.append([words.started("CA3"), words.final("CA3", 2, text="Ich m\u00f6chte bestellen")])
    return store


async def test_the_newest_calls_are_found_first_and_page_by_page(full_store: Store) -> None:
    assert await found(full_store) == ["CA3", "CA2", "CA1"]
    assert await found(full_store, limit=2) == ["CA3", "CA2"]
    assert await found(full_store, limit=2, before="CA2") == ["CA1"]
    assert await found(full_store, before="CA1") == []
    assert await found(full_store, before="nobody") == []


@pytest.mark.parametrize(
    ("wanted", "calls"),
    [
        ({"active": True}, ["CA3"]),
        ({"active": False}, ["CA2", "CA1"]),
        ({"from_": "+15550001"}, ["CA3", "CA2", "CA1"]),
        ({"from_": "0002"}, []),
        ({"to": "0002", "active": True}, ["CA3"]),
        ({"since": words.STARTED_AT}, ["CA3", "CA2", "CA1"]),
        ({"since": words.STARTED_AT + 0.001}, []),
        ({"until": words.STARTED_AT}, []),
        ({"until": words.STARTED_AT + 0.001, "active": False}, ["CA2", "CA1"]),
    ],
)
async def test_calls_are_found_by_what_is_known_of_them(
    full_store: Store, wanted: dict[str, Any], calls: list[str]
) -> None:
    assert await found(full_store, **wanted) == calls


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("order", ["CA2", "CA1"]),
        ("ORDERS", ["CA2", "CA1"]),
        ("order words", ["CA2", "CA1"]),  # said in two segments
        ("order taxi", ["CA2"]),
        ('"my order"', ["CA1"]),
        ('"order my"', []),
        ('"two taxis', ["CA2"]),
        ("mochte", ["CA3"]),
        ("best*", ["CA3"]),
        ("best", []),
        ("orde?", []),
        ("", []),
        ("?!", []),
        ("order AND NOT (taxi", []),
        ("nobody said this", []),
    ],
)
async def test_calls_are_found_by_what_was_said(full_store: Store, text: str, calls: list[str]) -> None:
    assert await found(full_store, text=text) == calls


async def test_a_search_has_filters_and_pages(full_store: Store) -> None:
    assert await found(full_store, text="order", limit=1) == ["CA2"]
    assert await found(full_store, text="order", before="CA2") == ["CA1"]
    assert await found(full_store, text="order", active=True) == []
    assert await found(full_store, text="order", from_="0001", before="CA2") == ["CA1"]


async def test_what_is_found_shows_where_and_how_the_call_ended(full_store: Store) -> None:
    [call] = await full_store.find(CallFilter(text="my"))
    assert call.snippet == "Where is my order?"
    assert json.loads(call.end or "")["type"] == "call.ended"
    [live] = await full_store.find(CallFilter(active=True))
    assert (live.end, live.snippet, live.row.ended_at) == (None, None, None)


async def test_what_comes_after_the_end_is_found_too(full_store: Store) -> None:
    await full_store.append([words.final("CA1", 5, text="backfilled", source="backfill")])
    [call] = await full_store.find(CallFilter(text="backfilled"))
    assert json.loads(call.end or "")["seq"] == 4
    assert call.row.tip == 5


async def test_finals_that_come_twice_are_found_once(full_store: Store) -> None:
    await full_store.append([words.final("CA3", 2, text="something else"), words.final("CA3", 3, text="new")])
    assert await found(full_store, text="something") == []
    assert await found(full_store, text="new") == ["CA3"]


SAID = st.lists(st.lists(st.sampled_from("abc"), max_size=3), max_size=6)


@given(SAID, st.sets(st.sampled_from("abc"), min_size=1))
@settings(max_examples=30, deadline=None)
def test_a_search_finds_every_call_in_which_all_words_were_said(said: list[list[str]], wanted: set[str]) -> None:
    async def search(path: Path) -> list[str]:
        async with SQLiteStore(path) as store:
            for number, finals in enumerate(said):
                call_id = f"CA{number}"
                texts = [words.final(call_id, seq, text=text) for seq, text in enumerate(finals, 2)]
                await store.append([words.started(call_id), *texts])
            pages = [await found(store, text=" ".join(wanted), limit=2)]
            while pages[-1]:
                pages.append(await found(store, text=" ".join(wanted), limit=2, before=pages[-1][-1]))
            return [call_id for page in pages for call_id in page]

    with TemporaryDirectory() as folder:
        calls = asyncio.run(search(Path(folder)))
    assert calls == [f"CA{number}" for number in reversed(range(len(said))) if wanted <= set(said[number])]


# --- the log of all calls ---------------------------------------------------------------------------------------------


async def test_the_log_has_all_calls_in_the_order_of_the_appends(store: Store) -> None:
    assert (await store.position(), await store.log(0)) == (0, [])
    one, two = words.conversation("CA1", finals=1), words.conversation("CA2", finals=1)
    for event in (one[0], two[0], two[1], one[1]):
        await store.append([event])
    log = await store.log(0)
    assert [entry.event.body for entry in log] == [event.to_json() for event in (one[0], two[0], two[1], one[1])]
    assert log[-1].position == await store.position()
    assert [entry.event.seq for entry in await store.log(log[1].position, limit=1)] == [2]


async def test_a_position_is_never_given_twice(reopen: Open) -> None:
    async with reopen() as store:
        await store.append(words.conversation("CA1"))
        await store.append(words.conversation("CA2"))
        position = await store.position()
        await store.delete("CA2")
    async with reopen() as store:
        assert await store.position() == position
        await store.append([words.started("CA3")])
        assert [entry.event.call_id for entry in await store.log(position)] == ["CA3"]


# --- delivery and deletion --------------------------------------------------------------------------------------------


async def test_how_far_a_delivery_has_got(full_store: Store) -> None:
    assert await full_store.delivery("webhook", "CA1") == LaneState(cursor=0, tip=4, attempts=0, parked=None)
    lane = next(lane for lane in await claim(full_store) if lane.call_id == "CA1")
    await full_store.settle(lane, Settlement(cursor=1, batch_to=2, attempts=3, parked="it said no"))
    assert await full_store.delivery("webhook", "CA1") == LaneState(cursor=1, tip=4, attempts=3, parked="it said no")
    assert await full_store.delivery("elsewhere", "CA1") is None
    assert await full_store.delivery("webhook", "nobody") is None


async def test_a_deleted_call_is_gone_for_good(reopen: Open) -> None:
    async with reopen() as store:
        await store.append(words.conversation("CA1"))
        await store.append(words.conversation("CA2"))
        assert await store.delete("CA1")
        assert not await store.delete("CA1")
        assert await seqs(store, "CA1") == []
        assert [lane.call_id for lane in await claim(store)] == ["CA2"]
    async with reopen() as store:
        assert await found(store) == ["CA2"]
        assert await found(store, text="words") == ["CA2"]
        assert await store.delivery("webhook", "CA1") is None
        assert [lane.call_id for lane in await claim(store)] == ["CA2"]


async def test_a_call_that_goes_on_is_not_deleted(full_store: Store) -> None:
    with pytest.raises(StoreError, match="CA3 is going on"):
        await full_store.delete("CA3")
    assert await seqs(full_store, "CA3") == [1, 2]


async def test_what_is_being_delivered_may_finish_after_the_deletion(full_store: Store) -> None:
    lane = next(lane for lane in await claim(full_store) if lane.call_id == "CA1")
    deleted = asyncio.ensure_future(full_store.delete("CA1"))
    await asyncio.sleep(0)  # the deletion is on its way to the disk
    await full_store.settle(lane, Settlement(cursor=4, batch_to=None))
    assert await deleted
    assert await full_store.delivery("webhook", "CA1") is None
    assert not await full_store.settle(lane, Settlement(cursor=4, batch_to=None))


async def test_a_record_may_begin_anew_after_its_deletion(full_store: Store) -> None:
    await full_store.delete("CA1")
    await full_store.append(words.conversation("CA1", finals=1))
    assert await found(full_store, text="order") == ["CA2"]
    assert await found(full_store) == ["CA1", "CA3", "CA2"]


async def test_watchers_of_a_deleted_call_are_told(full_store: Store) -> None:
    with full_store.watch("events", call_id="CA1") as hints:
        await full_store.delete("CA1")
        assert await anext(hints) == Hint("events", "CA1")
