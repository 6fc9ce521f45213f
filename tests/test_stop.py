"""What a server does when it is to stop, where others share its record. Two whole servers: `end_to_end`."""

import asyncio
from dataclasses import replace

import pytest

from bridge.call import CallRegistry
from bridge.live import Live
from bridge.stop import Stop
from bridge.store.sqlite import SQLiteStore
from tests.fakes.calls import HandClock, feed, services, started
from tests.fakes.hand_overs import MemoryHandOvers
from tests.fakes.running import deepgram, settings
from tests.fakes.waiting import until


class Media:
    """The sockets of carriers."""

    starting = 0
    relayed = ()

    async def close(self):
        pass

    async def wait_closed(self, seconds):
        pass


class Carrier:
    """Can be asked for streams, and to stop them."""

    def __init__(self):
        self.asked = []

    async def ask(self, stream, tracks):
        self.asked.append(stream.call_id)

    async def stop(self, stream, stream_id):
        self.asked.append(stream_id)


class Listening:
    """Whether the server still does."""

    def __init__(self):
        self.over = False

    async def stop(self):
        self.over = True


@pytest.fixture
async def server():
    async with deepgram() as local:
        yield local


@pytest.fixture
def carrier():
    return Carrier()


async def stopping(store, server, carrier, tmp_path, others=1, **given):
    store.hand_overs = MemoryHandOvers(others)
    shared = services(store, server, HandClock(), refork=carrier.ask)
    registry = CallRegistry(shared, max_calls=9)
    await registry.recover()
    given = {"bridge_stop_timeout": 1.0, **given}
    stop = Stop(settings(tmp_path, server.url, **given), registry, shared, Live(store), Media())
    stop.standby.is_open = True
    return stop, registry, store.hand_overs


async def test_a_node_that_stops_takes_no_call_and_gives_those_it_has(tmp_path, server, carrier):
    async with SQLiteStore(tmp_path) as store:
        stop, registry, handing = await stopping(store, server, carrier, tmp_path)
        listening = Listening()
        feed(await registry.open(started()), 3.0)
        giving = asyncio.create_task(stop.give(listening.stop))
        await until(lambda: carrier.asked == ["CA1"])
        assert stop.begun and listening.over and registry.refusal == "the server is stopping"
        handing.on_hears("CA1")
        await giving
        await stop.finish_calls()

        assert registry.calls == {}
        assert [row.id for row in await store.abandoned()] == ["CA1"]
        assert stop.left() <= 2.0, "the others go on with the deliveries"


async def test_a_stream_that_has_connected_before_is_let_in_and_goes_with_the_others(
    tmp_path, server, carrier, monkeypatch
):
    monkeypatch.setattr(Media, "starting", 1)
    monkeypatch.setattr("bridge.stop._STARTING", 60.0)
    async with SQLiteStore(tmp_path) as store:
        stop, registry, handing = await stopping(store, server, carrier, tmp_path)
        listening = Listening()
        giving = asyncio.create_task(stop.give(listening.stop))
        await until(lambda: listening.over)
        feed(await registry.open(started()), 3.0)
        assert stop.begun and carrier.asked == []

        monkeypatch.setattr(Media, "starting", 0)
        await until(lambda: carrier.asked == ["CA1"])
        handing.on_hears("CA1")
        await giving
        await stop.finish_calls()
        assert [row.id for row in await store.abandoned()] == ["CA1"]


async def test_a_node_lets_calls_end_whose_carrier_cannot_be_asked_and_says_meanwhile_that_it_stops(
    tmp_path, server, carrier
):
    async with SQLiteStore(tmp_path) as store:
        stop, registry, handing = await stopping(store, server, carrier, tmp_path, bridge_drain_timeout=600)
        listening = Listening()
        other = await registry.open(replace(started(), carrier="telnyx"))
        await registry.open(started("CA2"))
        giving = asyncio.create_task(stop.give(listening.stop))
        await until(lambda: stop.begun)
        assert not listening.over and carrier.asked == []

        handing.on_hears("CA2")  # a stream that its carrier has sent by itself
        await until(lambda: "CA2" not in registry.calls)
        other.end("stopped")
        await giving
        assert listening.over
        await stop.finish_calls()

        assert [row.id for row in await store.abandoned()] == ["CA2"]


async def test_the_only_node_leaves_its_calls_and_takes_some_until_then(tmp_path, server, carrier):
    async with SQLiteStore(tmp_path) as store:
        stop, registry, _ = await stopping(store, server, carrier, tmp_path, others=0, bridge_drain_timeout=600)
        listening = Listening()
        other = await registry.open(replace(started(), carrier="telnyx"))
        giving = asyncio.create_task(stop.give(listening.stop))
        await asyncio.sleep(0)
        await registry.open(started("CA2"))
        assert not stop.begun
        other.end("stopped")
        await giving
        await stop.finish_calls()

        assert carrier.asked == []
        assert [row.id for row in await store.abandoned()] == ["CA2"]
