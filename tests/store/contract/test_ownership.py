"""What every store promises of a call's owner: one process goes on with a call, and others cannot write into it."""

import asyncio

import pytest

from bridge.errors import NotOwner
from bridge.events import Event
from bridge.store import Store, Whose
from tests.fakes import words
from tests.fakes.stores import Open, claim, seqs


async def abandoned(store: Store, before: str | None = None, limit: int = 200) -> list[str]:
    return [row.id for row in await store.abandoned(before=before, limit=limit)]


async def test_a_call_belongs_to_the_store_through_which_it_began(store: Store) -> None:
    await store.append([words.started()])
    (row,) = await store.calls()
    assert (row.owner, row.epoch) == (store.owner, 1)
    assert await abandoned(store) == []


async def test_a_process_has_an_id_of_its_own(reopen: Open) -> None:
    owners = []
    for _ in range(2):
        async with reopen() as store:
            owners.append(store.owner)
    assert owners[0] != owners[1]
    async with reopen(owner="a name that was given") as store:
        assert store.owner == "a name that was given"


async def test_open_calls_are_abandoned_when_their_owner_is_gone(reopen: Open) -> None:
    async with reopen() as store:
        for number in range(4):
            await store.append([words.started(f"CA{number}")])
        await store.append([words.final("CA1", 2), words.ended("CA1", 3)])
    async with reopen() as store:
        await store.append([words.started("CA4")])
        assert await abandoned(store) == ["CA3", "CA2", "CA0"]
        assert await abandoned(store, limit=2) == ["CA3", "CA2"]
        assert await abandoned(store, before="CA2") == ["CA0"]


async def test_a_call_is_taken_with_the_next_epoch(reopen: Open) -> None:
    async with reopen() as store:
        await store.append([words.started(), words.final(seq=2)])
    async with reopen() as store:
        row = await store.take("CA1")
        assert row is not None
        assert (row.id, row.tip, row.owner, row.epoch) == ("CA1", 2, store.owner, 2)
        assert await store.calls(call_id="CA1") == [row]
        assert await abandoned(store) == []
        await store.append([words.final(seq=3)])
        assert await seqs(store) == [1, 2, 3]
    async with reopen() as store:
        row = await store.take("CA1")
        assert row is not None
        assert row.epoch == 3


async def test_what_cannot_be_taken(reopen: Open) -> None:
    async with reopen() as store:
        await store.append(words.conversation("CA1"))
        await store.append([words.started("CA2")])
        assert await store.take("CA2") is None, "its owner, this store, is alive"
    async with reopen() as store:
        assert await store.take("CA1") is None, "it has ended"
        assert await store.take("CA9") is None, "it is not there"


async def test_one_of_those_who_ask_at_once_gets_a_call(reopen: Open) -> None:
    async with reopen() as store:
        await store.append([words.started()])
    async with reopen() as store:
        taken = await asyncio.gather(*(store.take("CA1") for _ in range(5)))
        assert [row.epoch for row in taken if row] == [2]


@pytest.mark.parametrize("events", [[words.final(seq=2)], [words.ended(seq=2)], [words.started(), words.final(seq=2)]])
async def test_the_call_of_another_owner_takes_nothing(reopen: Open, events: list[Event]) -> None:
    async with reopen() as store:
        await store.append([words.started()])
    async with reopen() as store:
        with pytest.raises(NotOwner):
            await store.append(events)
        assert await seqs(store) == [1]
        (row,) = await store.calls()
        assert (row.tip, row.ended_at) == (1, None)


async def test_two_processes_do_not_both_begin_a_call(reopen: Open) -> None:
    async with reopen() as store:
        await store.append([words.started()])
    async with reopen() as store:
        with pytest.raises(NotOwner):
            await store.append([words.started()])


async def test_a_refusal_harms_no_other_call(reopen: Open) -> None:
    async with reopen() as store:
        await store.append([words.started("CA1")])
    async with reopen() as store:
        refused, other = store.append([words.final("CA1", 2)]), store.append([words.started("CA2")])
        with pytest.raises(NotOwner):
            await refused
        await other
        assert await seqs(store, "CA2") == [1]


async def test_a_call_that_has_ended_takes_what_comes_later_from_any_process(reopen: Open) -> None:
    async with reopen() as store:
        await store.append(words.conversation(finals=1))
    async with reopen() as store:
        await store.append([words.final(seq=4, source="backfill")])
        assert await seqs(store) == [1, 2, 3, 4]


async def test_a_released_call_waits_for_its_next_owner(store: Store) -> None:
    await store.append([words.started()])
    queued = store.append([words.final(seq=2)])
    assert await store.release("CA1")
    await queued
    with pytest.raises(NotOwner):
        await store.append([words.final(seq=3)])
    assert await seqs(store) == [1, 2]
    assert await abandoned(store) == ["CA1"]
    row = await store.take("CA1")
    assert row is not None
    assert (row.tip, row.epoch) == (2, 2)
    await store.append([words.final(seq=3)])


async def test_what_cannot_be_released(reopen: Open) -> None:
    async with reopen() as store:
        await store.append([words.started("CA1")])
        await store.append(words.conversation("CA2"))
        assert not await store.release("CA2"), "it has ended"
        assert not await store.release("CA9"), "it is not there"
    async with reopen() as store:
        assert not await store.release("CA1"), "it is not this store's"


async def test_any_process_delivers_what_a_call_left(reopen: Open) -> None:
    async with reopen() as store:
        await store.append([words.started()])
    async with reopen() as store:
        (lane,) = await claim(store)
        assert (lane.call_id, lane.batch_to, lane.call_ended) == ("CA1", 1, False)
        assert await store.resume("webhook", "CA1", after=0) == ["CA1"]


async def test_after_its_end_a_call_is_taken_by_one_that_adds_to_it(reopen: Open) -> None:
    async with reopen() as store:
        await store.append(words.conversation(finals=1))
        await store.append([words.started("CA2")])
    async with reopen() as store:
        row = await store.take_ended("CA1")
        assert row is not None
        assert (row.id, row.tip, row.ended_at) == ("CA1", 3, words.STARTED_AT + 60)
        await store.append([words.final(seq=4, source="backfill")])
        again = await store.take_ended("CA1")
        assert again is not None, "it may go on where it was"
        await store.append([words.final(seq=5, source="backfill")])
        assert await seqs(store) == [1, 2, 3, 4, 5]
        await store.leave_ended("CA1")
        assert await store.take_ended("CA2") is None, "it has not ended"
        assert await store.take_ended("CA9") is None, "it is not there"


async def test_whose_a_call_is(reopen: Open) -> None:
    async with reopen() as store:
        await store.append([words.started("CA1")])
        await store.append(words.conversation("CA2"))
        for call_id in ("CA1", "CA2"):
            assert await store.whose(call_id) is Whose.OURS
        assert await store.whose("CA9") is Whose.UNKNOWN
        assert await store.release("CA1")
        assert await store.whose("CA1") is Whose.NO_ONES
    async with reopen() as store:
        assert await store.whose("CA2") is Whose.NO_ONES
        assert await store.take("CA1")
        assert await store.whose("CA1") is Whose.OURS
        assert await store.delete("CA2")
        assert await store.whose("CA2") is Whose.UNKNOWN


async def test_a_process_without_others_does_all_chores(store: Store) -> None:
    for _ in range(2):
        async with store.chore("records", 0.0) as ours:
            assert ours
