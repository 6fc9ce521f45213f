"""Feeds and their followers over a real store: nothing missed, nothing twice, nothing kept for who is slow."""

import asyncio
import json
from contextlib import AsyncExitStack

import pytest

from bridge.errors import StoreError
from bridge.live import BATCH, TAIL, Item, Live
from bridge.store.sqlite import SQLiteStore
from tests.fakes import words
from tests.fakes.waiting import tasks_of, until


@pytest.fixture
async def store(tmp_path):
    async with SQLiteStore(tmp_path) as running:
        yield running


@pytest.fixture
async def live(store):
    feeds = Live(store)
    yield feeds
    feeds.close()


async def receive(follower):
    """What comes; empty at the end."""
    async with asyncio.timeout(60):
        while (items := await follower.receive()) == []:
            pass
        return items or []


async def cursors(follower, count):
    found = []
    while len(found) < count:
        found += [item.cursor for item in await receive(follower) if item.cursor is not None]
    return found


async def test_history_first_and_then_live(store, live):
    await store.append([words.started(), words.final(seq=2)])
    async with live.follow("CA1", 0) as follower:
        assert await cursors(follower, 2) == [1, 2]
        await store.append([words.final(seq=3)])
        assert await cursors(follower, 1) == [3]


async def test_from_behind_a_cursor(store, live):
    await store.append([words.started(), *(words.final(seq=seq) for seq in range(2, 6))])
    async with live.follow("CA1", 3) as follower:
        assert await cursors(follower, 2) == [4, 5]


async def test_a_long_history_comes_in_pieces(store, live):
    count = 2 * BATCH + TAIL + 50
    async with live.follow("CA1", 0) as early:
        await store.append([words.started()])
        for seq in range(2, count + 1):
            await store.append([words.final(seq=seq)])
        async with live.follow("CA1", 0) as late:
            for follower in (early, late):
                pieces = []
                while sum(map(len, pieces)) < count:
                    pieces.append(await receive(follower))
                assert [item.cursor for piece in pieces for item in piece] == list(range(1, count + 1))
                assert max(map(len, pieces)) <= BATCH


async def test_the_end(store, live):
    await store.append([words.started()])
    async with live.follow("CA1", 0) as follower:
        await cursors(follower, 1)
        assert not follower.ended
        await store.append([words.ended(seq=2)])
        assert await cursors(follower, 1) == [2]
        assert follower.ended
        assert await receive(follower) == []


async def test_who_follows_gets_everything_before_it_is_finished(store, live):
    await store.append([words.started()])
    async with live.follow("CA1", 0) as one, live.follow(None) as every:
        await cursors(one, 1)
        await store.append([words.ended(seq=2)])
        await live.finish()
        assert [item.cursor for item in await receive(one)] == [2]
        assert one.ended
        assert [item.type for item in await receive(every)] == ["call.ended"]
        assert await receive(one) == await receive(every) == []


async def test_what_comes_after_the_end_is_there_for_who_asks_later(store, live):
    await store.append(words.conversation())
    await store.append([words.final(seq=6, source="backfill")])
    async with live.follow("CA1", 5) as follower:
        assert await cursors(follower, 1) == [6]
        assert await receive(follower) == []
        assert follower.ended


async def test_interims_are_the_newest_and_stand_behind_the_events(store, live):
    await store.append([words.started()])
    await store.append([], [words.interim(text="one", revision=1)])
    async with live.follow("CA1", 0) as follower:
        first = await receive(follower)
        assert [(item.type, item.cursor) for item in first] == [("call.started", 1), ("transcript.interim", None)]
        for revision, text in enumerate(("one two", "one two three"), 2):
            await store.append([], [words.interim(text=text, revision=revision)])
        [newest] = await receive(follower)
        assert json.loads(newest.body)["data"]["text"] == "one two three"


async def test_an_interim_goes_with_its_final(store, live):
    await store.append([words.started()])
    await store.append([], [words.interim(segment_id="s2")])
    async with live.follow("CA1", 0) as follower:
        assert len(await receive(follower)) == 2
        await store.append([words.final(seq=2, segment_id="s2")])
        assert [item.type for item in await receive(follower)] == ["transcript.final"]
    async with live.follow("CA1", 0) as later:
        assert [item.type for item in await receive(later)] == ["call.started", "transcript.final"]


async def test_each_track_has_its_interim(store, live):
    await store.append([words.started()])
    await store.append([], [words.interim(), words.speech(track="outbound")])
    async with live.follow("CA1", 1) as follower:
        assert [item.type for item in await receive(follower)] == ["transcript.interim", "speech.started"]
        await store.append([], [words.interim(track="outbound", segment_id="o1")])
        [changed] = await receive(follower)
        assert json.loads(changed.body)["data"]["segment_id"] == "o1"


async def test_a_turn_that_may_be_over_is_told_after_its_words(store, live):
    await store.append([words.started()])
    await store.append([], [words.interim(), words.eager_end()])
    async with live.follow("CA1", 1) as follower:
        assert [item.type for item in await receive(follower)] == ["transcript.interim", "turn.eager_end"]
        await store.append([], [words.turn_resumed()])
        assert [item.type for item in await receive(follower)] == ["turn.resumed"]


async def test_an_interim_that_stands_hides_no_other(store, live):
    await store.append([words.started()])
    await store.append([], [words.interim(track="outbound", segment_id="o1")])
    async with live.follow("CA1", 1) as follower:
        assert len(await receive(follower)) == 1
        for revision in (1, 2):
            await store.append([], [words.interim(segment_id="i1", revision=revision)])
            [changed] = await receive(follower)
            assert json.loads(changed.body)["data"]["revision"] == revision


async def test_a_cursor_of_another_record_begins_anew(store, live):
    await store.append(words.conversation(finals=1))
    async with live.follow("CA1", 99) as follower:
        assert follower.reset
        assert await cursors(follower, 3) == [1, 2, 3]
    async with live.follow(None, 99) as follower:
        assert follower.reset
        await store.append([words.started("CA2")])
        assert await cursors(follower, 1) == [4]


async def test_all_calls_from_now_on(store, live):
    await store.append([words.started("CA1"), words.final("CA1", 2)])
    await store.append(words.conversation("CA2"))
    async with live.follow(None) as follower:
        assert [item.call_id for item in await follower.starts()] == ["CA1"]
        await store.append([words.started("CA3")])
        await store.append([], [words.interim("CA3")])
        await store.append([words.final("CA1", 3)])
        items = []
        while len(items) < 3:
            items += await receive(follower)
        told = {(json.loads(item.body)["call_id"], item.type) for item in items}
        assert told == {("CA3", "call.started"), ("CA3", "transcript.interim"), ("CA1", "transcript.final")}


async def test_who_comes_later_is_told_of_calls_that_the_feed_has_had(store, live):
    async with live.follow(None) as early:
        await store.append([words.started("CA1")])
        assert len(await receive(early)) == 1
        async with live.follow(None) as late:
            assert [item.call_id for item in await late.starts()] == ["CA1"]
            await store.append([words.started("CA2")])
            assert [item.call_id for item in await late.starts()] == ["CA1"]
            assert [item.call_id for item in await receive(late)] == ["CA2"]


async def test_all_calls_from_behind_a_cursor(store, live):
    for call_id in ("CA1", "CA2"):
        await store.append(words.conversation(call_id, finals=1))
    async with live.follow(None, 2) as follower:
        items = [item for item in await receive(follower) if item.cursor]
        assert [(item.cursor, item.call_id) for item in items] == [(3, "CA1"), (4, "CA2"), (5, "CA2"), (6, "CA2")]


async def test_who_comes_in_the_middle_of_a_word_sees_it(store, live):
    await store.append([words.started("CA1")])
    await store.append([], [words.interim("CA1")])
    async with live.follow(None) as follower:
        assert [item.type for item in await receive(follower)] == ["transcript.interim"]


async def test_a_deleted_call_ends_its_feed(store, live):
    await store.append(words.conversation(finals=2 * BATCH))
    async with live.follow("CA1", 0) as follower:
        await receive(follower)
        await store.delete("CA1")
        assert await receive(follower) == []
        assert not follower.ended


async def test_a_feed_goes_with_its_last_follower(store, live):
    await store.append([words.started()])
    async with live.follow("CA1", 0) as one:
        async with live.follow("CA1", 0) as other:
            assert tasks_of("Feed") == ["Feed._run"]
            await cursors(other, 1)
        assert await cursors(one, 1) == [1]
    await until(lambda: not tasks_of("Feed"))
    assert repr(live) == "<Live feeds 0 followers 0>"


async def test_waiting_can_be_given_up(store, live):
    await store.append([words.started()])
    async with live.follow("CA1", 1) as follower:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await follower.receive()
        await store.append([words.final(seq=2)])
        assert await cursors(follower, 1) == [2]


async def test_closing_breaks_everything_off(store, live):
    await store.append([words.started()])
    async with live.follow("CA1", 1) as follower:
        waiting = asyncio.ensure_future(follower.receive())
        await asyncio.sleep(0)
        live.close()
        assert await waiting is None
        assert not follower.ended
    async with live.follow("CA1", 1) as late:
        assert await receive(late) == []


async def test_a_store_that_closes_ends_the_feed(tmp_path):
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(SQLiteStore(tmp_path))
        await store.append([words.started()])
        live = Live(store)
        async with live.follow("CA1", 1) as follower:
            waiting = asyncio.ensure_future(follower.receive())
            await asyncio.sleep(0)
            await stack.aclose()
            assert await asyncio.wait_for(waiting, 60) is None


def test_an_item_is_written_down_once():
    item = Item(7, "CA1", "transcript.final", '{"seq":7}')
    assert item.encoded() == b'id: 7\nevent: transcript.final\ndata: {"seq":7}\n\n'
    assert item.encoded() is item.encoded()
    assert Item(None, "CA1", "x", "{}").encoded() == b"event: x\ndata: {}\n\n"


async def test_an_interim_never_comes_after_its_final_in_the_feed_of_all_calls(store, live):
    for call_id in ("CA1", "CA2"):
        await store.append([words.started(call_id)])
    async with live.follow(None) as first, live.follow(None) as slow:
        store.append([], [words.interim("CA2", segment_id="CA2-inbound-1", revision=1)])
        assert [item.type for item in await receive(first)] == ["transcript.interim"]
        slow.dirty.clear()
        store.append([words.final("CA1", segment_id="CA1-inbound-1")])  # both in one commit,
        store.append([words.final("CA2", segment_id="CA2-inbound-1")])  # told by two hints
        await slow.dirty.wait()
        assert [item.type for item in await receive(slow)] == ["transcript.final"] * 2


async def test_a_cursor_that_is_ahead_of_the_feed_is_of_this_record(store, live):
    await store.append([words.started()])
    async with live.follow("CA1", 0) as follower:
        await receive(follower)
        # More than memory has of a call: the feed is still reading them from the disk.
        await store.append([words.final(seq=seq) for seq in range(2, 21)])
        async with live.follow("CA1", 20) as resumed:
            assert (resumed.reset, resumed.cursor) == (False, 20)
        assert await cursors(follower, 19) == list(range(2, 21))


async def test_nobody_gets_a_place_in_a_feed_that_never_began(store, live):
    async def follow(cursor):
        async with live.follow(None, cursor):
            pytest.fail("its place would be the beginning of the record")

    await store.append([words.started(), words.final()])
    following = [asyncio.create_task(follow(cursor)) for cursor in (2, None)]
    await asyncio.sleep(0)
    await live.finish()
    for each in following:
        with pytest.raises(StoreError):
            await each


async def test_what_was_deleted_is_not_handed_on_from_memory(store, live):
    async with live.follow(None) as follower:
        await store.append(words.conversation("CA1"))
        kept = await cursors(follower, len(words.conversation()))
        await store.append(words.conversation("CA2"))
        await cursors(follower, len(kept))
        follower.dirty.clear()
        await store.delete("CA2")
        await follower.dirty.wait()
        await store.append([words.started("CA3")])
        async with live.follow(None, kept[-1]) as back:
            assert [item.call_id for item in await receive(back)] == ["CA3"]
