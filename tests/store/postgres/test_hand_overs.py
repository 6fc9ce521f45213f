"""What nodes say of calls that go from one to the other: who stops, who hears, and what is left."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from bridge.errors import StoreError
from bridge.store.kept import Left
from bridge.store.postgres.hand_overs import LARGEST
from bridge.store.postgres.store import PostgresStore
from tests.fakes import postgres, words
from tests.fakes.stores import Open
from tests.fakes.waiting import until

pytestmark = pytest.mark.postgres

LEFT = Left({"clock": 12.5, "uncovered": []}, 8000, b"\x00\xff" * 96_000)


@pytest.fixture
def reopen() -> Open:
    return postgres.fresh()


@pytest.fixture
async def nodes(reopen: Open) -> AsyncIterator[Any]:
    """Three of them; the first has a call."""
    async with reopen() as one, reopen() as two, reopen() as three, asyncio.timeout(60):
        await one.append([words.started("CA1")])
        yield one, two, three


async def at_once(call_id: str) -> None:
    """Audio has come."""


async def never(call_id: str) -> None:
    await asyncio.Event().wait()


async def abandoned(store: PostgresStore) -> list[str]:
    return [row.id for row in await store.abandoned()]


async def test_a_call_of_a_node_that_stays_and_has_a_stream_is_its_own(nodes: Any) -> None:
    one, two, three = nodes
    assert await two.hand_overs.others() == 2
    assert await two.hand_overs.wait_left("CA1", never)
    assert postgres.execute("SELECT heard_by, epoch FROM bridge.hand_over") == [(None, None)]
    assert await abandoned(three) == [] and await two.take("CA1") is None
    assert not await two.hand_overs.wait_left("CA9", at_once)
    assert not await one.hand_overs.wait_left("CA1", at_once), "its own"
    assert not one.hand_overs.has_successor


async def test_a_node_that_takes_no_calls_is_no_one_to_go_on_with_them(nodes: Any) -> None:
    one, two, three = nodes
    await two.hand_overs.take_none()
    assert await one.hand_overs.others() == 1
    await three.hand_overs.take_none()
    assert not await one.hand_overs.let_listen()


async def test_a_call_goes_from_a_node_that_has_no_stream_of_it_to_the_one_that_has(nodes: Any) -> None:
    one, two, three = nodes
    heard: list[str] = []
    one.hand_overs.on_hears = lambda call_id: not heard.append(call_id)
    waiting = asyncio.create_task(two.hand_overs.wait_left("CA1", never))
    await until(lambda: heard == ["CA1"])
    assert not waiting.done()
    await one.release("CA1")
    assert await waiting
    assert await abandoned(three) == []
    assert await two.take("CA1")


async def test_an_owner_that_says_nothing_is_not_waited_for_for_ever(reopen: Open) -> None:
    async with reopen() as one, reopen() as two, asyncio.timeout(60):
        await one.append([words.started("CA1")])
        one.hand_overs._listening.cancel()  # as an older version, which knows nothing of this
        waiting = asyncio.create_task(two.hand_overs.wait_left("CA1", at_once))
        while not postgres.execute("SELECT 1 FROM bridge.hand_over"):
            await asyncio.sleep(0.01)
        postgres.execute("UPDATE bridge.hand_over SET since = now() - interval '1 minute'")
        assert await waiting


async def test_a_call_goes_from_a_node_that_stops_to_the_one_that_hears_it(nodes: Any) -> None:
    one, two, three = nodes
    heard: list[str] = []
    one.hand_overs.on_hears = lambda call_id: not heard.append(call_id)
    assert await one.hand_overs.let_listen()
    assert one.hand_overs.has_successor
    waiting = asyncio.create_task(two.hand_overs.wait_left("CA1", at_once))
    await until(lambda: heard == ["CA1"])
    assert not waiting.done()

    assert await one.hand_overs.leave("CA1", LEFT)
    assert await one.release("CA1")
    assert await waiting
    assert await abandoned(three) == [], "it is the other's"
    assert await three.take("CA1") is None
    row = await two.take("CA1")
    assert row and (row.owner, row.epoch) == (two.owner, 2)
    assert await two.hand_overs.left(row.id, row.epoch) == LEFT
    assert await two.hand_overs.left(row.id, row.epoch) is None
    assert postgres.execute("SELECT * FROM bridge.hand_over") == []


async def test_without_notifications_the_poll_tells(nodes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, _ = nodes
    heard = asyncio.Event()
    one.hand_overs.on_hears = lambda call_id: not heard.set()
    for store in (one, two):
        monkeypatch.setattr(store.hand_overs, "look", lambda: None)
    await one.hand_overs.let_listen()
    waiting = asyncio.create_task(two.hand_overs.wait_left("CA1", at_once))
    await heard.wait()
    await one.release("CA1")
    assert await waiting


async def test_what_no_audio_came_of_is_not_heard(nodes: Any) -> None:
    one, two, three = nodes
    heard: list[str] = []
    one.hand_overs.on_hears = lambda call_id: not heard.append(call_id)
    await one.append([words.started("CA2")])
    await one.hand_overs.let_listen()
    silent = asyncio.create_task(two.hand_overs.wait_left("CA1", never))
    loud = asyncio.create_task(two.hand_overs.wait_left("CA2", at_once))
    await until(lambda: heard)
    await one.release("CA1")
    await one.release("CA2")
    await asyncio.gather(silent, loud)

    assert heard == ["CA2"]
    assert await abandoned(three) == ["CA1"]


async def test_a_call_that_ends_is_waited_for_no_longer(nodes: Any) -> None:
    one, two, _ = nodes
    await one.hand_overs.let_listen()
    waiting = asyncio.create_task(two.hand_overs.wait_left("CA1", at_once))
    await until(lambda: two.hand_overs._waiting)
    await one.append([words.ended("CA1", 2)])
    assert await waiting
    assert await two.take("CA1") is None
    assert not await one.hand_overs.leave("CA1", LEFT)


async def test_who_hears_a_call_has_it_when_the_node_dies_that_stops(nodes: Any) -> None:
    one, two, three = nodes
    heard: list[str] = []
    one.hand_overs.on_hears = lambda call_id: not heard.append(call_id)
    await one.hand_overs.let_listen()
    waiting = asyncio.create_task(two.hand_overs.wait_left("CA1", at_once))
    await until(lambda: heard)
    postgres.execute(f"UPDATE bridge.node SET since = now() - interval '1 hour' WHERE id <> '{one.owner}'")
    one._node._task.cancel()  # it beats no more
    postgres.execute(f"UPDATE bridge.node SET expires_at = now() - interval '1 s' WHERE id = '{one.owner}'")
    assert await waiting
    assert await abandoned(three) == []
    row = await two.take("CA1")
    assert row
    assert await two.hand_overs.left(row.id, row.epoch) is None

    assert not await one.hand_overs.leave("CA1", LEFT), "it wakes up, and the call is not its own"
    assert await two.release("CA1")
    again = await three.take("CA1")
    assert again and await three.hand_overs.left(again.id, again.epoch) is None


async def test_what_was_left_under_an_earlier_epoch_is_no_ones(nodes: Any) -> None:
    one, two, three = nodes
    await one.hand_overs.leave("CA1", LEFT)
    await one.release("CA1")
    assert await two.take("CA1")  # by a version that looks for nothing
    await two.release("CA1")
    row = await three.take("CA1")
    assert row and row.epoch == 3
    assert await three.hand_overs.left(row.id, row.epoch) is None


async def test_when_the_node_that_hears_is_gone_any_other_may_take_the_call(reopen: Open) -> None:
    async with reopen() as one, reopen() as three, asyncio.timeout(60):
        heard: list[str] = []
        one.hand_overs.on_hears = lambda call_id: not heard.append(call_id)
        await one.append([words.started("CA1")])
        async with reopen() as two:
            await one.hand_overs.let_listen()
            waiting = asyncio.create_task(two.hand_overs.wait_left("CA1", at_once))
            await until(lambda: heard)
            waiting.cancel()
        await one.release("CA1")
        assert await abandoned(three) == ["CA1"]
        assert not await three.hand_overs.wait_left("CA1", at_once)


async def test_a_call_whose_row_is_locked_is_still_to_be_had(nodes: Any) -> None:
    one, two, _ = nodes
    await one.release("CA1")
    with psycopg.connect(postgres.server().url) as other:
        other.execute("SELECT 1 FROM bridge.call FOR UPDATE")
        assert await two.take("CA1") is None
        assert await abandoned(two) == ["CA1"]
    assert await two.take("CA1")
    assert await two.take("CA9") is None


async def test_nodes_that_all_stop_learn_that_there_is_no_other(reopen: Open) -> None:
    async with reopen() as one, reopen() as two:
        assert await one.hand_overs.let_listen()
        assert not await two.hand_overs.let_listen()
        await until(lambda: not one.hand_overs.has_successor)


async def test_the_only_node_has_no_one_to_tell(reopen: Open) -> None:
    async with reopen() as one:
        assert not await one.hand_overs.let_listen()
        async with reopen() as two:
            assert await two.hand_overs.others() == 0, "the other one stops"


async def test_what_is_left_is_bounded_and_goes_with_the_call_or_in_time(nodes: Any) -> None:
    one, _, _ = nodes
    with pytest.raises(StoreError, match="too much"):
        await one.hand_overs.leave("CA1", Left({}, 0, bytes(LARGEST)))
    await one.hand_overs.leave("CA1", LEFT)
    await one.append([words.ended("CA1", 2)])
    await one.delete("CA1")
    assert postgres.execute("SELECT * FROM bridge.hand_over") == []

    await one.append([words.started("CA2"), words.started("CA3")][:1])
    await one.hand_overs.leave("CA2", LEFT)
    postgres.execute("UPDATE bridge.hand_over SET since = now() - interval '2 hours'")
    await one._node._beat()
    assert postgres.execute("SELECT * FROM bridge.hand_over") == []


async def test_a_database_that_is_away_is_no_reason_to_wait(reopen: Open) -> None:
    async with reopen() as one:
        await one._database.close()
        assert not await one.hand_overs.let_listen()
