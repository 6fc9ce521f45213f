"""Records handed over to whoever has the store: here this process, there one that runs."""

import pytest

from bridge.call import handover
from bridge.call.handover import Terms
from bridge.call.intake import Intake
from bridge.cli import handing
from bridge.cli.handing import known, taken_in
from bridge.errors import StoreError
from bridge.store.base import Query
from bridge.store.sqlite import SQLiteStore
from tests.call.test_handover import ID, whole
from tests.fakes.running import settings
from tests.fakes.words import STARTED_AT


@pytest.fixture
def configured(tmp_path):
    return settings(tmp_path, "ws://127.0.0.1:1")


async def test_without_a_server_the_command_does_it(configured, tmp_path):
    handover.hand_over(tmp_path / "imports", whole(), Terms())
    await taken_in(configured, ID)

    assert await known(configured, ["other", ID]) == {ID}


async def test_a_server_does_it(configured, tmp_path):
    async with SQLiteStore(tmp_path) as store, Intake(store, tmp_path, wall=lambda: STARTED_AT):
        assert await known(configured, [ID]) == set()
        handover.hand_over(tmp_path / "imports", whole(), Terms())
        await taken_in(configured, ID)
        assert len(await store.read(Query(ID))) == 3


async def test_what_is_refused_is_said(configured, tmp_path):
    handover.put(tmp_path / "imports" / f"{ID}.jsonl", "{}")
    with pytest.raises(StoreError, match=f"does not take {ID}"):
        await taken_in(configured, ID)


async def test_a_server_that_takes_nothing_is_said(configured, tmp_path, monkeypatch):
    monkeypatch.setattr(handing, "_PATIENCE", 0.0)
    async with SQLiteStore(tmp_path):
        with pytest.raises(StoreError, match="takes nothing in"):
            await known(configured, [ID])


async def test_what_this_command_cannot_take_in_is_said_at_once(configured, tmp_path):
    (tmp_path / "recordings").write_text("a file")
    (tmp_path / "imports").mkdir()
    (tmp_path / "imports" / f"{ID}.ulaw").write_bytes(b"")
    handover.hand_over(tmp_path / "imports", whole(), Terms())
    with pytest.raises(StoreError, match="takes nothing in now"):
        await taken_in(configured, ID)


async def test_a_folder_that_cannot_be_used_is_said(configured, tmp_path):
    (tmp_path / "imports").write_text("a file")
    with pytest.raises(StoreError, match="cannot use"):
        await known(configured, [ID])
