"""What every live bus promises: hints that follow the commit, and the newest interims."""

import pytest

from bridge.outbox import Settlement
from bridge.store import Hint, Store, Topic
from tests.fakes import words
from tests.fakes.stores import claim, seqs


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


@pytest.mark.parametrize("topic", ["events", "deletions"])
async def test_watchers_of_a_deleted_call_are_told(full_store: Store, topic: Topic) -> None:
    with full_store.watch(topic, call_id="CA1") as hints:
        await full_store.delete("CA1")
        assert await anext(hints) == Hint(topic, "CA1")
