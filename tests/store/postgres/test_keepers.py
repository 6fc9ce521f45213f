"""Who has a call, who begins a record, and how they are reached, by rows."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bridge.store.relaying import Keeper
from tests.fakes import postgres, words
from tests.fakes.stores import Open

pytestmark = pytest.mark.postgres


@pytest.fixture
def reopen() -> Open:
    return postgres.fresh()


@pytest.fixture
async def nodes(reopen: Open) -> AsyncIterator[Any]:
    """Three of them, of which the last cannot be reached; the first has a call."""
    one, two = reopen(reached_at="https://one.example"), reopen(reached_at=("0.0.0.0", 8082))
    async with one, two, reopen() as three, asyncio.timeout(60):
        await one.append([words.started("CA1")])
        yield one, two, three


async def test_a_call_is_found_at_the_process_that_has_it(nodes: Any) -> None:
    one, two, _ = nodes
    assert await two.keepers.find("CA1") == Keeper(one.owner, "https://one.example", one.keepers.key)
    assert await one.keepers.find("CA1") is None, "its own"
    assert await two.keepers.find("CA2") is None
    assert one.keepers.key != two.keepers.key
    await one.append([words.ended("CA1", seq=2)])
    assert await two.keepers.find("CA1") is None


async def test_a_process_that_stops_or_is_gone_takes_no_streams(nodes: Any) -> None:
    one, two, _ = nodes
    postgres.execute("UPDATE bridge.node SET leaving = true")
    assert await two.keepers.find("CA1") is None
    postgres.execute("UPDATE bridge.node SET leaving = false")
    assert await two.keepers.find("CA1")
    postgres.execute(f"UPDATE bridge.node SET expires_at = now() - interval '1 s' WHERE id = '{one.owner}'")
    assert await two.keepers.find("CA1") is None


async def test_one_that_listens_everywhere_is_reached_on_the_network_of_the_database(nodes: Any) -> None:
    _, two, three = nodes
    await two.append([words.started("CA2")])
    await three.append([words.started("CA3")])
    found = await three.keepers.find("CA2")
    assert found and found.url == "http://127.0.0.1:8082", "its socket is on this machine"
    assert await two.keepers.find("CA3") is None, "no one knows where"


async def test_one_process_begins_a_record(nodes: Any) -> None:
    one, two, three = nodes
    begun = await asyncio.gather(*(node.keepers.begin("CA9") for node in nodes))
    (first,) = [node for node, other in zip(nodes, begun, strict=True) if other is None]
    assert {other.node for other in begun if other} == {first.owner}
    assert await first.keepers.begin("CA9") is None, "asked once more, as its answer was lost"
    assert await three.keepers.begin("CA8") is None
    found = await one.keepers.begin("CA8")
    assert found and (found.node, found.url) == (three.owner, None)

    postgres.execute(f"UPDATE bridge.node SET expires_at = now() - interval '1 s' WHERE id = '{three.owner}'")
    assert await two.keepers.begin("CA8") is None, "it has not begun it in time"


async def test_what_was_begun_long_ago_is_forgotten(reopen: Open) -> None:
    async with reopen() as one:
        assert await one.keepers.begin("CA1") is None
        postgres.execute("UPDATE bridge.beginning SET since = now() - interval '11 minutes'")
        assert await one.keepers.begin("CA2") is None
        await one._node._beat()
        assert postgres.execute("SELECT call_id FROM bridge.beginning") == [("CA2",)]


async def test_an_address_of_its_own_is_told_as_it_is(reopen: Open) -> None:
    async with reopen(reached_at=("::1", 8080)), reopen(reached_at=("10.0.0.5", 80)):
        urls = {url for (url,) in postgres.execute("SELECT url FROM bridge.node")}
    assert urls == {"http://[::1]:8080", "http://10.0.0.5:80"}
