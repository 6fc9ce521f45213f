"""What the SQLite outbox does beyond its contract: a delivery that is over may wait for the next commit."""

import asyncio
from pathlib import Path

import pytest

from bridge.outbox import Settlement
from bridge.store import sqlite_outbox
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


async def test_one_waits_longer_only_where_nothing_of_its_call_waits_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_outbox, "_SETTLED_WITHIN", 3600.0)
    async with SQLiteStore(tmp_path, ["webhook"]) as store:
        await store.append([words.started(), words.final(seq=2)])
        (lane,) = await claim(store, 1)
        assert await store.settle(lane, Settlement(1, None))
        (lane,) = await claim(store, 1)
        settling = asyncio.create_task(store.settle(lane, Settlement(2, None)))
        await asyncio.sleep(0)
        assert not settling.done()
        await store.append([words.final(seq=3, segment_id="s2")])
        assert await settling
