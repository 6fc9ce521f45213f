"""Numbering and handing over: dense, in order, whole, whatever the store does."""

import asyncio
import json

import pytest

from bridge.call.backlog import Backlog
from bridge.call.event_writer import IN_FLIGHT, LARGEST, EventWriter
from bridge.errors import NotOwner, StoreError
from bridge.events import (
    CallEnded,
    DtmfReceived,
    SpeechStarted,
    TranscriptFinal,
    TranscriptInterim,
    TranscriptionInterrupted,
    UtteranceCompleted,
)
from bridge.store.base import Query
from tests.fakes.words import STARTED_AT, gap, started, transcript


class Reluctant:
    """A store whose queue is full for its first so many appends."""

    def __init__(self, store, refusals):
        self._store = store
        self.refusals = refusals

        self.tries = 0

    def append(self, events, interims=()):
        self.tries += bool(events)
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


class Held:
    """A store that takes everything, and has it durable when the test says so."""

    def __init__(self):
        self.interims = []
        self.durable = asyncio.get_running_loop().create_future()

    def append(self, events, interims=()):
        self.interims += interims
        return self.durable


class Slow:
    """A store that confirms when it is told to."""

    def __init__(self):
        self.appends = []

    def append(self, events, interims=()):
        if events:
            self.appends.append((len(events), asyncio.get_running_loop().create_future()))
        return self.appends[-1][1]

    def confirm(self):
        for _, future in self.appends:
            if not future.done():
                future.set_result(None)


def writer(store, pause=0.01, **opened):
    return EventWriter("CA1", store, lambda: STARTED_AT, pause=pause, **opened)


def key():
    return DtmfReceived(track="inbound", digit="5", at=1.0)


def end():
    return CallEnded(
        reason="stopped", duration=1.0, ended_at="2026-11-28T10:00:00.000Z", flush="complete", missing=0.0, counts={}
    )


def said(text="hello", words=()):
    heard = [{"word": word, "text": word, "start": 1.0, "end": 2.0, "confidence": 0.9} for word in words]
    return TranscriptFinal(**transcript(final=True, text=text, words=heard))


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


async def test_what_was_added_is_handed_over_by_who_waits_for_it(store):
    book = writer(store)
    book.add(started().data)
    async with asyncio.timeout(60):
        await book.written()

    assert [event["seq"] for event in await record(store)] == [1]


async def test_an_event_waits_until_it_is_durable():
    book = writer(held := Held())
    assert book.waiting == 0
    for text in ("one", "two"):
        book.add(said(text))
    book.commit()
    book.add(said("three"))
    assert book.waiting == 3
    held.durable.set_result(None)
    await book.written()

    assert (book.waiting, book.unkept) == (0, 0)


async def test_what_the_events_said_is_counted():
    book = writer(Held())
    turn = {**transcript(), "utterance_id": "u1", "segment_ids": ["s1"]}
    interrupted = TranscriptionInterrupted(reason="away", attempt=1, waiting=0.0, retry=True)
    for times, data in enumerate(
        (said(words=("good", "day")), UtteranceCompleted(**turn), gap("CA1", 1, 1.0, 2.0).data, interrupted), 2
    ):
        for _ in range(times):
            book.add(data)
    book.add(started().data)

    assert book.counters == {"finals": 2, "words": 4, "utterances": 3, "gaps": 4, "interruptions": 5}


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


async def test_each_time_that_the_store_is_full_is_told_once(store, caplog):
    book = writer(reluctant := Reluctant(store, 0))
    for times in (1, 2):
        reluctant.refusals = 3
        book.add(said())
        book.commit()
        await book.written()
        told = [record for record in caplog.records if record.message == "events wait for the store"]

        assert [(record.call_id, record.reason) for record in told] == [("CA1", "the queue is full")] * times


async def test_it_goes_as_soon_as_there_is_room_not_with_the_next_event(store):
    book = writer(reluctant := Reluctant(store, 3))
    book.add(started().data)
    book.commit()
    async with asyncio.timeout(60):
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
    assert left > 999_900, "it pauses between two tries"


async def test_the_end_waits_until_the_store_takes_it(store):
    book = writer(Reluctant(store, 3))
    book.add(started().data)
    book.commit()
    async with asyncio.timeout(60):
        await book.written()

    assert [event["type"] for event in await record(store)] == ["call.started"]


async def test_a_store_that_fails_is_told_and_does_not_hold_up_the_end(caplog):
    book = writer(Broken())
    for data in (started().data, said("one"), said("two")):
        book.add(data)
    book.commit()
    async with asyncio.timeout(60):
        await book.written()

    (told,) = [record for record in caplog.records if record.message == "events not kept"]
    assert (told.call_id, told.seq, told.reason) == ("CA1", 1, "the disk is gone")
    assert (book.unkept, book.waiting) == (3, 0)


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


async def test_each_preview_that_is_no_transcript_has_an_id_of_its_own():
    book = writer(held := Held())
    for track in ("inbound", "outbound"):
        book.add(SpeechStarted(track=track, channel=0, speaker="caller", at=1.0, at_time="x"))
    book.commit()

    assert len({event.id for event in held.interims}) == 2


async def test_a_store_that_refuses_is_spared_until_its_time(store):
    book = writer(reluctant := Reluctant(store, 1), pause=0.05)
    book.add(started().data)
    book.commit()
    for _ in range(1000):
        book.add(key())
        book.commit()

    assert reluctant.tries == 1
    await book.written()
    assert len(await record(store)) == 1000 and book.seq == 1001


async def test_a_flood_of_one_call_is_a_few_appends_of_bounded_size():
    book = writer(slow := Slow())
    for _ in range(3000):
        book.add(key())
        book.commit()
    assert [size for size, _ in slow.appends] == [1] * IN_FLIGHT

    while book.waiting:
        slow.confirm()
        await asyncio.sleep(0)
    assert max(size for size, _ in slow.appends) == LARGEST
    assert sum(size for size, _ in slow.appends) == 3000
    assert len(slow.appends) < 30


async def test_it_knows_how_far_its_events_are_durable(store):
    book = writer(store)
    book.add(started().data)
    book.commit()
    assert book.durable == 0
    await book.written()
    assert book.durable == 1


class Lost:
    """A store whose process has lost the call, until it has it again."""

    def __init__(self):
        self.has = False
        self.given = []

    def append(self, events, interims=()):
        self.given += [*events, *interims] if self.has else []
        answer = asyncio.get_running_loop().create_future()
        if self.has:
            answer.set_result(None)
        else:
            answer.set_exception(NotOwner("it is another process's"))
        return answer


@pytest.mark.parametrize("how", ["refused", "told"])
async def test_who_has_lost_the_call_writes_nothing_any_more_also_when_its_process_has_it_again(how):
    store, backlog = Lost(), Backlog()
    book = writer(store, backlog=backlog)
    book.add(started().data)
    if how == "refused":
        book.commit()
        await book.written()
    else:
        book.lose()
    store.has = True
    book.add(said("hello"))
    book.add(SpeechStarted(track="inbound", channel=0, speaker="caller", at=1.0, at_time="x"))
    book.commit()
    book.add(end())
    await book.written()

    assert store.given == []
    assert (book.unkept, book.waiting, backlog.waiting) == (3, 0, 0)


async def test_what_was_refused_for_good_is_never_durable():
    book = writer(Broken())
    book.add(started().data)
    book.commit()
    await book.written()

    assert book.durable == 0


async def test_what_there_is_no_room_for_is_dropped_and_told(store, caplog):
    book = writer(store, backlog=(backlog := Backlog(limit=100, share=10)))
    book.add(started().data)
    for _ in range(30):
        book.add(said("hello"))
    book.add(end())
    book.commit()
    await book.written()
    told = await record(store)

    assert [event["type"] for event in told] == ["call.started", *["transcript.final"] * 9, "audio.gap", "call.ended"]
    assert [event["seq"] for event in told] == list(range(1, 13))
    assert (told[-2]["data"]["track"], told[-2]["data"]["why"]) == ("inbound", "overflow")
    assert book.counters["events_dropped"] == 21
    assert book.dropped.seconds > 0
    assert backlog.waiting == 0
    assert caplog.text.count("no room for events") == 1


async def test_the_calls_share_a_room_of_which_none_may_take_all():
    backlog = Backlog(limit=30, share=20)
    books = [EventWriter(name, Slow(), lambda: STARTED_AT, backlog=backlog) for name in ("CA1", "CA2")]
    for book in books:
        for _ in range(100):
            book.add(key())

    assert [book.waiting for book in books] == [20, 10]
