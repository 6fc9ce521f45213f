"""What the SQLite outbox does beyond its contract: a delivery that is over may wait for the next commit."""

import asyncio
from pathlib import Path

from bridge.outbox import Settlement
from bridge.store.sqlite import SQLiteStore
from tests.fakes import words
from tests.fakes.stores import claim


async def test_settlements_share_a_commit(tmp_path: Path) -> None:
    async with SQLiteStore(tmp_path, ["webhook"]) as store:
        await asyncio.gather(*(store.append([words.started(f"CA{n}")]) for n in range(20)))
        lanes = await claim(store, 20)
        before = store.commits
        assert all(await asyncio.gather(*(store.settle(lane, Settlement(1, None)) for lane in lanes)))
        assert store.commits - before <= 2
        assert store.endpoints_waiting() == []
