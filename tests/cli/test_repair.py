"""`bridge repair`, as a user types it."""

import re

import pytest

from bridge.errors import StoreError
from bridge.store.sqlite import FILENAME, SQLiteStore
from tests.fakes import words
from tests.fakes.command import command
from tests.fakes.running import bridge, settings


async def run(data_dir):
    return await command("repair", DATA_DIR=str(data_dir))


async def test_a_damaged_record_is_saved_and_the_old_one_kept(tmp_path):
    async with SQLiteStore(tmp_path) as store:
        for n in range(40):
            await store.append(words.conversation(f"CA{n}", finals=20))
    path = tmp_path / FILENAME
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + b"\xff" * (len(whole) - len(whole) // 2))

    with pytest.raises(StoreError, match=re.escape(f"{path} is damaged: run `bridge repair`, which keeps a copy")):
        async with bridge(settings(tmp_path, "ws://127.0.0.1:1")):
            pass
    status, out, said = await run(tmp_path)
    assert (status, said) == (0, "")
    assert out.startswith("Saved ") and f"kept in {tmp_path}/damaged/" in out
    assert await run(tmp_path) == (0, "The database is whole: there is nothing to repair.\n", "")
    async with SQLiteStore(tmp_path) as store:
        assert await store.calls()


async def test_where_there_is_no_record_it_says_so(tmp_path):
    status, _, said = await run(tmp_path)

    assert (status, said) == (2, f"bridge: there is no {tmp_path / FILENAME}\n")


async def test_not_beside_a_bridge_that_runs(tmp_path):
    async with SQLiteStore(tmp_path):
        status, _, said = await run(tmp_path)

    assert (status, said) == (2, "bridge: a bridge uses the database: stop it first, then repair\n")


async def test_a_record_in_postgresql_is_not_ours_to_repair(tmp_path):
    status, _, said = await command("repair", DATA_DIR=str(tmp_path), DATABASE_URL="postgresql://ann:sesame@db/x")
    assert status != 0
    assert "the record is in PostgreSQL" in said
    assert "sesame" not in said
