"""What a call does where its store refuses; its ordinary life is tested with the registry that opens it."""

import asyncio
import json

import pytest

from bridge.call import Call, ContinuityPolicy
from bridge.carriers.messages import Digit
from bridge.clock import SystemClock
from bridge.errors import StoreError
from bridge.local.deepgram import Faults
from bridge.store.audio import AudioStore
from bridge.store.base import Query
from bridge.store.sqlite import SQLiteStore
from tests.fakes.calls import HandClock, feed, services, started
from tests.fakes.running import SCRIPT, deepgram


class FullStore:
    """A store that is full for its first so many appends."""

    def __init__(self, store, refusals):
        self._store = store
        self.refusals = refusals

    def append(self, events, interims=()):
        if events and self.refusals:
            self.refusals -= 1
            raise StoreError("the queue is full")
        return self._store.append(events, interims)


@pytest.fixture
async def server():
    async with deepgram() as local:
        yield local


def opened(store, server):
    """A call and its first stream."""
    call = Call("CA1", started(), services(store, server, HandClock()))
    return call, call.attach(started())


async def test_what_a_full_store_refused_is_kept_first_of_all_later(tmp_path, server):
    async with SQLiteStore(tmp_path) as store:
        call, stream = opened(FullStore(store, refusals=3), server)
        feed(stream, 12.0)
        stream.end("stopped")
        async with asyncio.timeout(10):
            await call.wait_over()
        events = [json.loads(event.body) for event in await store.read(Query("CA1"), limit=1000)]

    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["type"], events[-1]["type"]) == ("call.started", "call.ended")
    assert events[-1]["data"]["counts"]["words"] == sum(map(len, SCRIPT.channels))


async def test_digits_carry_the_time_of_the_call(tmp_path, server):
    async with SQLiteStore(tmp_path) as store:
        call, stream = opened(store, server)
        feed(stream, 12.0)
        stream.receive(Digit("inbound", "5"))
        stream.end("stopped")
        await call.wait_over()
        (digit,) = await store.read(Query("CA1", ("dtmf.received",)))

    assert json.loads(digit.body)["data"]["at"] == pytest.approx(12.0, abs=0.1)


async def test_ending_twice_is_ending_once(tmp_path, server):
    async with SQLiteStore(tmp_path) as store:
        call, _ = opened(store, server)
        call.end("stopped")
        call.end("carrier_disconnected")
        await call.wait_over()
        (ended,) = await store.read(Query("CA1", ("call.ended",)))

    assert json.loads(ended.body)["data"]["reason"] == "stopped"


async def test_repr_shows_its_state(tmp_path, server):
    async with SQLiteStore(tmp_path) as store:
        call, _ = opened(store, server)
        assert repr(call).startswith("<Call CA1 <Continuity STARTING streams 1 ")
        call.end("stopped")
        await call.wait_over()


async def test_a_lost_stream_that_its_carrier_will_not_send_is_asked_for_again(tmp_path, server):
    asked = []

    async def refork(started, tracks):
        asked.append(tracks)
        return "the call is not in progress"

    patience = ContinuityPolicy(grace=10.0, ask_again=0.01)
    async with SQLiteStore(tmp_path) as store:
        call = Call("CA1", started(), services(store, server, SystemClock(), patience, refork=refork))
        stream = call.attach(started(tracks=("outbound",)))
        feed(stream, 1.0, tracks=("outbound",))
        stream.end("carrier_disconnected")
        async with asyncio.timeout(10):
            while len(asked) < 2:
                await asyncio.sleep(0.005)
        call.end("stopped")
        await call.wait_over()

    assert asked[:2] == [("outbound",), ("outbound",)]
    assert "streams_asked_for" not in call.counts


async def test_the_silence_between_two_streams_is_deepgrams_to_hear_and_no_part_of_the_call(tmp_path, server):
    patience = ContinuityPolicy(grace=0.6, tick=0.05)
    async with SQLiteStore(tmp_path) as store:
        call = Call("CA1", started(), services(store, server, SystemClock(), patience))
        stream = call.attach(started())
        stream.late = 2.0  # as if it had come in real time
        feed(stream, 2.0)
        stream.end("carrier_disconnected")
        async with asyncio.timeout(10):
            await call.wait_over()
        (ended,) = await store.read(Query("CA1", ("call.ended",)))

    said = json.loads(ended.body)["data"]
    assert (said["reason"], said["duration"], said["flush"]) == ("carrier_disconnected", 2.0, "complete")
    assert len(server.connections[0].audio) > 2 * 8000 * 2.3


async def test_a_hole_between_finals_is_noted_for_the_next_process(tmp_path):
    async with (
        deepgram() as server,
        SQLiteStore(tmp_path) as store,
        AudioStore(tmp_path, limit=2**30) as audio,
    ):
        server.faults = Faults(lose_finals=3)
        file = audio.open("CA1")
        call = Call("CA1", started(), services(store, server, HandClock()), audio=file)
        feed(call.attach(started()), 12.0)
        async with asyncio.timeout(10):
            while not file.note or not file.note["holes"]:
                await asyncio.sleep(0.005)
        call.end("stopped")
        await call.wait_over()

    assert file.note["holes"]
    assert call.uncovered
