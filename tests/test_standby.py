"""A server that waits for its record. Two whole servers in turn are in `end_to_end/test_succession.py`."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from bridge import standby
from bridge.call import CallRegistry
from bridge.errors import StoreInUse
from bridge.standby import Standby
from bridge.store.sqlite import SQLiteStore
from bridge.store.succession import Holder
from tests.fakes.calls import HandClock, services
from tests.fakes.waiting import until


class Deepgram:
    url = "ws://127.0.0.1:1"


class Refused(SQLiteStore):
    """Tells that another has it."""

    def __init__(self, data_dir):
        super().__init__(data_dir)
        self.refused = asyncio.Event()

    async def __aenter__(self):
        try:
            return await super().__aenter__()
        except StoreInUse:
            self.refused.set()
            raise


@pytest.fixture
async def stack():
    async with AsyncExitStack() as opened:
        yield opened


def waiting(folder, store):
    registry = CallRegistry(services(store, Deepgram(), HandClock()), max_calls=3)
    return Standby(folder, registry), Holder(folder), registry


async def opened(own, stack, store, holder):
    stack.push_async_callback(holder.close)
    await own.open(stack, store, holder)


async def test_a_store_that_a_command_has_for_a_moment_is_waited_for(tmp_path, stack):
    store = Refused(tmp_path)
    own, holder, _ = waiting(tmp_path, store)
    async with SQLiteStore(tmp_path):
        opening = asyncio.create_task(opened(own, stack, store, holder))
        await store.refused.wait()
    await opening

    assert await store.calls() == []
    assert own.is_open and not own.is_waiting
    assert not await own.may_listen()


async def test_a_store_that_another_server_has_is_not_waited_for_for_ever(tmp_path, stack, monkeypatch):
    monkeypatch.setattr(standby, "_PATIENCE", 0.0)
    store = SQLiteStore(tmp_path)
    own, holder, _ = waiting(tmp_path, store)
    async with SQLiteStore(tmp_path):
        with pytest.raises(StoreInUse):
            await opened(own, stack, store, holder)
    assert not own.begun.is_set()


async def test_a_successor_waits_listens_when_it_may_tells_what_it_hears_and_has_the_store_then(tmp_path, stack):
    heard, store = [], SQLiteStore(tmp_path)
    own, holder, registry = waiting(tmp_path, store)
    before = Holder(tmp_path, on_hears=heard.append)
    async with SQLiteStore(tmp_path):
        await before.open()
        opening = asyncio.create_task(opened(own, stack, store, holder))
        await own.begun.wait()
        may_listen = asyncio.create_task(own.may_listen())
        await until(lambda: before.has_successor)
        assert own.is_waiting and not own.is_open and not may_listen.done()

        asked = asyncio.create_task(before.let_listen())
        assert await may_listen
        own.listening.set()
        assert await asked
        assert not own.is_waiting, "the calls are on their way"
        registry.on_early("CA1")
        await until(lambda: heard == ["CA1"])
    await before.close()
    await opening

    assert own.is_open
    assert await store.calls() == []
    registry.on_early("CA2")
    assert heard == ["CA1"]
