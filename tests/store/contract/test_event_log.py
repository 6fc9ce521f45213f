"""What every event log promises."""

import pytest

from bridge.errors import LocalProtocolError, StoreError
from bridge.events import Event
from bridge.store import Query, Store
from tests.fakes import words
from tests.fakes.stores import Open, seqs


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


@pytest.mark.parametrize("events", [[words.final(seq=1)], [words.final(seq=1), words.started(seq=2)]])
async def test_a_call_begins_with_its_start(store: Store, events: list[Event]) -> None:
    with pytest.raises(StoreError, match="must begin with"):
        await store.append(events)
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
        await store.take("CA1")
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


async def test_an_append_of_nothing_is_done(store: Store) -> None:
    await store.append([])
    assert await store.calls() == []


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
