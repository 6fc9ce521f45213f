"""What a call does where its store refuses; its ordinary life is tested with the switchboard that opens it."""

import asyncio
import json
import time
from random import Random

import pytest

from bridge.call import Call, CallPolicy
from bridge.carriers.messages import Digit, Media, Started
from bridge.deepgram import options
from bridge.deepgram.exchange import SessionPolicy
from bridge.deepgram.gate import Gate
from bridge.errors import StoreError
from bridge.store.base import Query
from bridge.store.sqlite import SQLiteStore
from tests.fakes.running import AUDIO, SCRIPT, deepgram

STARTED = Started("CA1", "MZ1", ("inbound", "outbound"), "audio/x-mulaw", 8000, {"direction": "inbound"})


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


def call(store, server):
    return Call(
        "CA1",
        STARTED,
        options=options.parse(""),
        policy=CallPolicy(server.url, "key", session=SessionPolicy(speed=1000.0, burst=60.0), grace=0.0),
        store=store,
        gate=Gate(),
        wall=time.time,
        clock=time.monotonic,
        random=Random(1),
    )


def feed(stream):
    for index, offset in enumerate(range(0, len(AUDIO[0]), 160)):
        for place, track in enumerate(("inbound", "outbound")):
            payload = AUDIO[place][offset : offset + 160]
            stream.receive(Media(track, 100 + 20 * index, 2 + 2 * index + place, payload))


async def test_what_a_full_store_refused_is_kept_first_of_all_later(tmp_path, server):
    async with SQLiteStore(tmp_path) as store:
        going_on = call(FullStore(store, refusals=3), server)
        feed(going_on.stream)
        going_on.stream.end("stopped")
        async with asyncio.timeout(10):
            await going_on.wait_ended()
        events = [json.loads(event.body) for event in await store.read(Query("CA1"), limit=1000)]

    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["type"], events[-1]["type"]) == ("call.started", "call.ended")
    assert events[-1]["data"]["counts"]["words"] == sum(map(len, SCRIPT.channels))


async def test_digits_carry_the_time_of_the_call(tmp_path, server):
    async with SQLiteStore(tmp_path) as store:
        going_on = call(store, server)
        feed(going_on.stream)
        going_on.stream.receive(Digit("inbound", "5"))
        going_on.stream.end("stopped")
        await going_on.wait_ended()
        (digit,) = await store.read(Query("CA1", ("dtmf.received",)))

    assert json.loads(digit.body)["data"]["at"] == pytest.approx(12.0, abs=0.1)


async def test_ending_twice_is_ending_once(tmp_path, server):
    async with SQLiteStore(tmp_path) as store:
        going_on = call(store, server)
        going_on.end("stopped")
        going_on.end("carrier_disconnected")
        await going_on.wait_ended()
        (ended,) = await store.read(Query("CA1", ("call.ended",)))

    assert json.loads(ended.body)["data"]["reason"] == "stopped"


async def test_repr_shows_its_state(tmp_path, server):
    async with SQLiteStore(tmp_path) as store:
        going_on = call(store, server)
        assert repr(going_on).startswith("<Call CA1 <Ledger CA1 seq 1 ")
        going_on.end("stopped")
        await going_on.wait_ended()
