"""Numbering and handing over: dense, in order, whole, whatever the store does."""

import asyncio
import json

import pytest

from bridge.call.event_writer import EventWriter
from bridge.errors import StoreError
from bridge.events import SpeechStarted, TranscriptFinal, TranscriptInterim
from bridge.store.base import Query
from bridge.store.sqlite import SQLiteStore
from tests.fakes.words import STARTED_AT, started, transcript


class Reluctant:
    """A store whose queue is full for its first so many appends."""

    def __init__(self, store, refusals):
        self._store = store
        self.refusals = refusals

    def append(self, events, interims=()):
        if events and self.refusals:
            self.refusals -= 1
            raise StoreError("the queue is full")
        return self._store.append(events, interims)


class Broken:
    """A store that takes everything and keeps nothing."""

    def append(self, events, interims=()):
        return self._fail()

    async def _fail(self):
        raise StoreError("the disk is gone")


@pytest.fixture
async def store(tmp_path):
    async with SQLiteStore(tmp_path) as opened:
        yield opened


def writer(store, seq=0):
    return EventWriter("CA1", store, lambda: STARTED_AT, seq, pause=0.01)


def said(text="hello"):
    return TranscriptFinal(**transcript(final=True, text=text))


async def record(store):
    return [json.loads(event.body) for event in await store.read(Query("CA1"), limit=1000)]


async def test_events_are_numbered_densely_and_identified_for_good(store):
    book = writer(store)
    book.add(started().data)
    book.add(said("one"))
    book.commit()
    book.add(said("two"))
    book.commit()
    await book.written()

    assert [(event["seq"], event["id"]) for event in await record(store)] == [(n, f"CA1-{n}") for n in (1, 2, 3)]
    assert +book.counters == {"finals": 2}


async def test_it_goes_on_behind_what_the_log_has(store):
    await store.append([started()])
    book = writer(store, seq=1)
    book.add(said())
    book.commit()
    await book.written()

    assert [event["seq"] for event in await record(store)] == [1, 2]


async def test_what_a_full_store_refuses_is_given_again_in_order(store, caplog):
    book = writer(Reluctant(store, 2))
    book.add(started().data)
    book.commit()
    book.add(said("one"))
    book.commit()
    book.add(said("two"))
    book.commit()
    await book.written()

    assert [event["seq"] for event in await record(store)] == [1, 2, 3]
    assert caplog.text.count("events wait for the store") == 1


async def test_it_goes_as_soon_as_there_is_room_not_with_the_next_event(store):
    book = writer(reluctant := Reluctant(store, 3))
    book.add(started().data)
    book.commit()
    async with asyncio.timeout(10):
        while not await record(store):
            await asyncio.sleep(0.005)

    assert reluctant.refusals == 0
    assert [event["type"] for event in await record(store)] == ["call.started"]


async def test_who_gives_up_waiting_leaves_nothing_behind_that_writes(store):
    book = writer(reluctant := Reluctant(store, 1_000_000))
    book.add(started().data)
    book.commit()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await book.written()
    left = reluctant.refusals
    await asyncio.sleep(0.05)

    assert reluctant.refusals == left < 1_000_000


async def test_the_end_waits_until_the_store_takes_it(store):
    book = writer(Reluctant(store, 3))
    book.add(started().data)
    book.commit()
    async with asyncio.timeout(10):
        await book.written()

    assert [event["type"] for event in await record(store)] == ["call.started"]


async def test_a_store_that_fails_is_told_and_does_not_hold_up_the_end(caplog):
    book = writer(Broken())
    book.add(started().data)
    book.commit()
    async with asyncio.timeout(10):
        await book.written()

    assert "events not kept" in caplog.text
    assert book.unkept == 1


async def test_previews_have_names_of_their_own_and_no_number(store):
    book = writer(store)
    book.add(started().data)
    book.commit()
    await book.written()
    book.add(TranscriptInterim(**transcript(revision=2)))
    for track in ("inbound", "outbound"):
        book.add(SpeechStarted(track=track, channel=0, speaker="caller", at=1.0, at_time="x"))
    book.commit()
    await book.written()
    shown = await store.interims("CA1")

    assert book.seq == 1
    assert len({event.id for event in shown}) == len(shown) == 2
    assert all(event.seq is None for event in shown)
