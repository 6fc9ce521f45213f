"""Watchers hold a set, not a queue, and go without a trace."""

import asyncio

import pytest

from bridge.store.base import Hint
from bridge.store.hints import Hints


async def test_hints_that_pile_up_are_merged() -> None:
    hints = Hints()
    with hints.watch(["events", "lanes"], None) as watch:
        for _ in range(1000):
            hints.give("events", "CA1")
            hints.give("lanes")
        assert [await anext(watch), await anext(watch)] == [Hint("events", "CA1"), Hint("lanes")]
        hints.give("events", "CA2")
        assert await anext(watch) == Hint("events", "CA2")


async def test_a_watcher_hears_its_topics_and_its_call_only() -> None:
    hints = Hints()
    with hints.watch(["events"], "CA1") as one, hints.watch(["lanes"], None) as lanes:
        hints.give("events", "CA2")
        hints.give("interims", "CA1")
        hints.give("lanes")
        hints.give("events", "CA1")
        assert await anext(one) == Hint("events", "CA1")
        assert await anext(lanes) == Hint("lanes")


async def test_waiting_can_be_cancelled_and_nothing_is_lost() -> None:
    hints = Hints()
    with hints.watch(["lanes"], None) as watch:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(watch), 0.001)
        hints.give("lanes")
        assert await anext(watch) == Hint("lanes")


async def test_who_has_read_everything_waits_for_the_next() -> None:
    hints = Hints()
    with hints.watch(["lanes"], None) as watch:
        hints.give("lanes")
        assert await anext(watch) == Hint("lanes")
        waiting = asyncio.create_task(anext(watch))
        await asyncio.sleep(0)
        assert not waiting.done()
        hints.give("lanes")
        assert await waiting == Hint("lanes")


async def test_closing_ends_the_iteration_after_what_is_pending() -> None:
    hints = Hints()
    watch = hints.watch(["lanes"], None)
    hints.give("lanes")
    hints.close()
    assert [hint async for hint in watch] == [Hint("lanes")]


async def test_closing_wakes_who_waits() -> None:
    hints = Hints()
    watch = hints.watch(["lanes"], "CA1")
    waiting = asyncio.create_task(anext(watch, None))
    await asyncio.sleep(0)
    hints.close()
    assert await waiting is None


async def test_a_watcher_that_leaves_is_forgotten() -> None:
    hints = Hints()
    with hints.watch(["events"], "CA1"):
        pass
    assert not hints._watches
