"""The server and the commands open the same store."""

from pathlib import Path

import pytest

from bridge.errors import StoreDamaged, StoreError, StoreInUse
from bridge.store import opening
from bridge.store.opening import lacking_driver, open_store, repair_store
from tests.fakes import words
from tests.fakes.stores import claim


async def test_what_one_has_written_the_next_one_reads(tmp_path: Path) -> None:
    async with open_store(tmp_path, ["webhook"]) as store:
        await store.append(words.conversation())
        assert store.counters["events"] == 5
        assert store.lanes_waiting("webhook") == 1
    assert (tmp_path / "bridge.db").exists(), "where earlier versions have it"
    async with open_store(tmp_path, ["webhook"]) as store:
        assert [lane.call_id for lane in await claim(store)] == ["CA1"]


async def test_an_owner_may_be_named(tmp_path: Path) -> None:
    async with open_store(tmp_path, owner="me") as store:
        assert store.owner == "me"


async def test_two_at_a_time_are_refused(tmp_path: Path) -> None:
    async with open_store(tmp_path):
        with pytest.raises(StoreInUse):
            async with open_store(tmp_path):
                pass


async def test_a_damaged_one_is_repaired_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "bridge.db").write_bytes(b"\xff" * 8192)
    with pytest.raises(StoreDamaged):
        async with open_store(tmp_path):
            pass
    assert repair_store(tmp_path)
    async with open_store(tmp_path) as store:
        await store.append(words.conversation())
    assert repair_store(tmp_path) is None


def test_without_its_driver_a_database_cannot_be_used_and_what_to_type_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "find_spec", lambda name: None)
    assert (
        lacking_driver() == "DATABASE_URL needs the driver of PostgreSQL: pip install 'media-stream-bridge[postgres]'"
    )
    with pytest.raises(StoreError, match="pip install"):
        open_store(tmp_path, database_url="postgresql://ann@db/x")
