"""Two processes with one folder in turn: what they tell each other. Here both are in this process."""

import asyncio
import contextlib
import socket

import pytest

from bridge.errors import StoreError
from bridge.store.succession import FILENAME, Holder, drain, stand_by
from tests.fakes.waiting import until


@contextlib.asynccontextmanager
async def holding(folder, **told):
    holder = Holder(folder, **told)
    await holder.open()
    try:
        yield holder
    finally:
        await holder.close()


@contextlib.asynccontextmanager
async def standing_by(folder):
    successor = await stand_by(folder)
    try:
        yield successor
    finally:
        if successor:
            successor.close()
            await asyncio.sleep(0)


async def test_one_process_waits_and_a_further_one_is_turned_away(tmp_path):
    async with holding(tmp_path) as holder:
        assert not holder.has_successor
        async with standing_by(tmp_path):
            assert holder.has_successor
            assert await stand_by(tmp_path) is None
        await until(lambda: not holder.has_successor)
        async with standing_by(tmp_path) as successor:
            assert successor


async def test_the_successor_listens_when_it_is_told_to_and_says_what_it_hears(tmp_path):
    heard = []
    async with holding(tmp_path, on_hears=heard.append) as holder:
        assert not await holder.let_listen(), "there is none"
        successor = await stand_by(tmp_path)
        waiting = asyncio.create_task(successor.wait_gone())
        asked = asyncio.create_task(holder.let_listen())
        await successor.let_listen.wait()
        assert not asked.done()
        successor.listening()
        assert await asked
        successor.hears("CA1")
        successor.hears("CA2")
        await until(lambda: heard == ["CA1", "CA2"])
        assert not waiting.done()
    await waiting


async def test_a_successor_that_dies_is_not_waited_for(tmp_path):
    async with holding(tmp_path) as holder:
        successor = await stand_by(tmp_path)
        asked = asyncio.create_task(holder.let_listen())
        await asyncio.sleep(0)
        successor.close()
        assert not await asked


async def test_a_process_is_asked_to_stop_and_waited_for(tmp_path):
    asked = asyncio.Event()
    async with holding(tmp_path, on_drain=asked.set):
        draining = asyncio.create_task(drain(tmp_path))
        await asked.wait()
        await asyncio.sleep(0)
        assert not draining.done()
    await draining


async def test_nothing_is_stopped_before_a_successor_waits_where_one_is_wanted(tmp_path):
    asked = asyncio.Event()
    async with holding(tmp_path, on_drain=asked.set):
        with pytest.raises(StoreError, match="no second bridge"):
            await drain(tmp_path, 0.01)
        draining = asyncio.create_task(drain(tmp_path, 60.0))
        async with standing_by(tmp_path):
            await asked.wait()
    await draining


async def test_a_node_is_asked_to_stop_and_has_no_successor_but_the_others(tmp_path):
    asked, others = asyncio.Event(), [0]

    async def count():
        if not others:
            raise StoreError("the database cannot be reached")
        return others[0]

    async with holding(tmp_path, on_drain=asked.set, others=count):
        assert await stand_by(tmp_path) is None
        with pytest.raises(StoreError, match="no second bridge"):
            await drain(tmp_path, 0.01)
        found = others.pop()
        draining = asyncio.create_task(drain(tmp_path, 60.0))
        await asyncio.sleep(0)
        others.append(found + 2)
        await asked.wait()
    await draining


async def test_where_no_process_has_the_folder_none_can_be_asked(tmp_path):
    assert await stand_by(tmp_path) is None
    with pytest.raises(StoreError, match="no bridge"):
        await drain(tmp_path)
    left = socket.socket(socket.AF_UNIX)
    (tmp_path / "short").symlink_to(tmp_path)
    left.bind(str(tmp_path / "short" / FILENAME))
    left.close()  # as after kill -9
    assert await stand_by(tmp_path) is None
    async with holding(tmp_path), standing_by(tmp_path) as successor:
        assert successor


async def test_a_folder_with_a_long_path_is_no_obstacle(tmp_path):
    folder = tmp_path / ("a" * 100) / ("b" * 100)
    folder.mkdir(parents=True)
    async with holding(folder), standing_by(folder) as successor:
        assert successor


async def test_what_is_not_understood_is_logged_and_too_much_of_it_ends_the_talk(tmp_path, caplog):
    async with holding(tmp_path) as holder, standing_by(tmp_path) as successor:
        successor.hears("and more")
        await until(lambda: "not understood" in caplog.text)
        assert holder.has_successor
        successor.hears("x" * 1000)
        await until(lambda: not holder.has_successor)
