"""The calls of a process are given to the one that waits for them. Both at work: `end_to_end/test_succession.py`."""

import asyncio
from dataclasses import replace

import pytest

from bridge.call import CallRegistry, giving
from bridge.call.giving import Giving
from bridge.store.sqlite import SQLiteStore
from tests.fakes.calls import HandClock, feed, services, started
from tests.fakes.running import deepgram
from tests.fakes.waiting import until


class Carrier:
    """What it is asked, and how it answers."""

    def __init__(self):
        self.asked = []
        self.stopped = []
        self.answers = []

    async def ask(self, stream, tracks):
        self.asked.append((stream.call_id, tracks))
        return self.answers.pop(0) if self.answers else None

    async def stop(self, stream, stream_id):
        self.stopped.append((stream.call_id, stream_id))
        return


@pytest.fixture
def carrier():
    return Carrier()


@pytest.fixture
async def registry(tmp_path, carrier):
    async with deepgram() as server, SQLiteStore(tmp_path) as store:
        given = services(store, server, HandClock(), refork=carrier.ask, grace=10.0)
        calls = CallRegistry(replace(given, stops={"twilio": carrier.stop}), max_calls=9)
        await calls.recover()
        yield calls
        await calls.end_all(5.0)


@pytest.fixture
def gives(registry):
    return Giving(registry, registry._services)


async def talking(registry, call="CA1", seconds=3.0, **begun):
    stream = await registry.open(started(call, **begun))
    feed(stream, seconds)
    return stream


async def test_it_waits_until_the_other_process_hears_and_knows_its_place(registry, gives, carrier):
    stream = await talking(registry)
    sharing = asyncio.create_task(gives.share(20.0))
    await until(lambda: carrier.asked == [("CA1", ("inbound", "outbound"))])
    await gives.stop(gives.streams())
    assert carrier.stopped == [] and not sharing.done()

    gives.hears("CA1")
    gives.hears("CA2")
    feed(stream, 3.0, 3100, 3.0, number=300)
    await sharing
    assert repr(gives) == "<Giving 1 of 1 calls are heard by both>"
    ((begun, stream_id),) = gives.streams()
    assert (begun.call_id, stream_id) == ("CA1", "MZ1")

    await gives.stop(gives.streams())
    assert carrier.stopped == [("CA1", "MZ1")]


async def test_a_carrier_that_sends_no_stream_is_asked_again_and_not_waited_for_for_ever(
    registry, gives, carrier, monkeypatch
):
    monkeypatch.setattr(giving, "_REFUSED", 0.01)
    monkeypatch.setattr(giving, "_AGAIN", 0.01)
    carrier.answers = ["too many tracks"]
    await talking(registry)
    await gives.share(20.0)

    assert len(carrier.asked) == 3
    await gives.stop(gives.streams())
    assert carrier.stopped == []


async def test_a_stream_that_came_to_no_process_that_could_take_it_is_asked_for_again_at_once(
    registry, gives, carrier, monkeypatch
):
    monkeypatch.setattr(giving, "_AGAIN", 60.0)
    monkeypatch.setattr(giving, "_SOON", 0.001)
    monkeypatch.setattr(giving, "_REFUSED", 0.001)
    stream = await talking(registry)
    sharing = asyncio.create_task(gives.share(60.0))
    for failed in range(giving._TRIES + 2):  # which are no tries
        await until(lambda times=failed + 1: len(carrier.asked) == times)
        await registry.fail_stream("twilio", "CA1", f"MZ{failed + 7}", "31920 handshake error")
    await until(lambda: len(carrier.asked) == giving._TRIES + 3)
    await registry.fail_stream("twilio", "CA1", "MZ1", "31921 close error")  # which is another matter
    await asyncio.sleep(0.05)
    assert not sharing.done() and len(carrier.asked) == giving._TRIES + 3

    gives.hears("CA1")
    stream.end("stopped")
    await sharing
    assert len(carrier.asked) == giving._TRIES + 3


async def test_where_no_process_is_there_any_more_no_carrier_is_asked(registry, carrier):
    await talking(registry)
    await Giving(registry, registry._services, is_alone=lambda: True).share(20.0)

    assert carrier.asked == []


async def test_a_call_that_is_hung_up_meanwhile_holds_no_other_up(registry, gives, carrier):
    stream = await talking(registry)
    sharing = asyncio.create_task(gives.share(60.0))
    await until(lambda: carrier.asked)
    gives.hears("CA1")
    stream.end("stopped")
    await sharing

    assert len(carrier.asked) == 1


async def test_of_silence_the_clock_must_do(registry, gives, carrier, monkeypatch):
    monkeypatch.setattr(giving, "_LOOK", 0.001)
    await registry.open(started())
    sharing = asyncio.create_task(gives.share(20.0))
    await until(lambda: carrier.asked)
    gives.hears("CA1")
    await sharing

    assert len(gives.streams()) == 1


async def test_calls_of_carriers_that_cannot_be_asked_are_waited_for_apart(registry, gives, carrier):
    other = await registry.open(replace(started("CA2"), carrier="telnyx"))
    await gives.share(20.0)
    assert carrier.asked == []

    hurry = asyncio.Event()
    await gives.wait_for_others(0.0, hurry)
    waiting = asyncio.create_task(gives.wait_for_others(60.0, hurry))
    await asyncio.sleep(0)
    assert not waiting.done()
    other.end("stopped")
    await waiting

    await registry.open(replace(started("CA3"), carrier="telnyx"))
    waiting = asyncio.create_task(gives.wait_for_others(60.0, hurry))
    hurry.set()
    await waiting


@pytest.fixture
def gives_each(registry):
    return Giving(registry, registry._services, one_by_one=True)


async def test_where_others_share_the_record_each_call_goes_as_soon_as_it_is_heard(
    registry, gives_each, carrier, monkeypatch
):
    monkeypatch.setattr(giving, "_LOOK", 0.001)
    await talking(registry)
    await registry.open(started("CA2", stream="MZ2"))
    sharing = asyncio.create_task(gives_each.share(60.0))
    await until(lambda: len(carrier.asked) == 2)
    gives_each.hears("CA1")
    await until(lambda: carrier.stopped == [("CA1", "MZ1")])
    await until(lambda: "CA1" not in registry.calls)
    await until(lambda: [stream_id for _, stream_id in gives_each.streams()] == ["MZ2"])

    assert not sharing.done(), "the other one is waited for"
    assert gives_each.has_stopped
    gives_each.hears("CA2")
    await sharing
    await until(lambda: not registry.calls)


async def test_a_process_that_stays_lets_go_of_a_call_that_another_hears_if_it_has_lost_its_stream(
    registry, gives_each, carrier
):
    stream = await talking(registry)
    assert not gives_each.hears("CA1") and not gives_each.hears("CA9")
    call = registry.calls["CA1"]
    stream.end("carrier_disconnected")
    assert call.continuity.waiting and gives_each.hears("CA1")
    await until(lambda: not registry.calls)

    assert call.reason is None
    assert carrier.stopped == []


async def test_a_stream_that_comes_while_a_call_is_let_go_of_is_taken_once_it_is(registry, gives_each, carrier):
    stream = await talking(registry)
    call = registry.calls["CA1"]
    stream.end("carrier_disconnected")
    assert gives_each.hears("CA1")
    await until(lambda: call.continuity.leaving)
    late = await registry.open(started("CA1", stream="MZ2"))

    assert registry.calls["CA1"] is not call and not late.is_over
    assert call.reason is None


async def test_a_call_that_another_process_hears_unasked_goes_to_it_at_once(registry, gives_each, carrier, monkeypatch):
    monkeypatch.setattr(giving, "_LOOK", 0.001)
    await talking(registry)
    gives_each.leaving = True
    gives_each.hears("CA1")
    await gives_each.share(60.0)
    await until(lambda: carrier.stopped == [("CA1", "MZ1")])
    await until(lambda: not registry.calls)

    assert carrier.asked == []


async def test_a_call_that_ends_while_it_is_let_go_of_gets_its_end(registry, gives_each, carrier):
    stream = await talking(registry)
    sharing = asyncio.create_task(gives_each.share(60.0))
    await until(lambda: carrier.asked)
    stream.end("stopped")
    gives_each.hears("CA1")
    await sharing
    await until(lambda: not registry.calls)

    assert carrier.stopped == []
    assert await registry._services.store.abandoned() == []
