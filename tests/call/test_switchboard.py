import asyncio
import json
from random import Random

import pytest

from bridge.call import CallPolicy, CallRefused, Switchboard
from bridge.call.wishes import Wishes
from bridge.carriers.messages import Media, Started
from bridge.deepgram import options
from bridge.deepgram.exchange import SessionPolicy
from bridge.deepgram.gate import Gate
from bridge.local.deepgram import Faults
from bridge.store.base import Query
from bridge.store.sqlite import SQLiteStore
from tests.fakes.running import AUDIO, SCRIPT, deepgram
from tests.fakes.words import started as started_event

NOW = 1_800_000_000.0


class Clock:
    """Seconds since 1970, moved by hand."""

    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def server():
    async with deepgram() as local:
        yield local


@pytest.fixture
async def store(tmp_path):
    async with SQLiteStore(tmp_path) as opened:
        yield opened


@pytest.fixture
async def switchboard(server, store, clock):
    board = Switchboard(
        store,
        CallPolicy(server.url, "key", session=SessionPolicy(speed=1000.0, burst=60.0), grace=0.0),
        wishes=Wishes(options.parse(""), frozenset({"language"})),
        gate=Gate(),
        max_calls=3,
        wall=clock,
        clock=clock,
        random=Random(1),
    )
    yield board
    await board.close("server_stopping")


def started(call="CA1", stream="MZ1", **parameters):
    return Started(call, stream, ("inbound", "outbound"), "audio/x-mulaw", 8000, parameters)


def feed(stream, seconds, first=100, skip=0.0):
    """Coded audio of both tracks, from `skip` seconds on, on a carrier's clock that begins at `first` ms."""
    sequence = 1
    for offset in range(round(skip * 8000), round((skip + seconds) * 8000), 160):
        for track, audio in zip(("inbound", "outbound"), AUDIO, strict=True):
            sequence += 1
            at = first + (offset - round(skip * 8000)) // 8
            stream.receive(Media(track, at, sequence, audio[offset : offset + 160]))


async def events(store, call_id):
    return [json.loads(event.body) for event in await store.read(Query(call_id), limit=1000)]


async def ended(switchboard):
    async with asyncio.timeout(10):
        while switchboard.calls:
            await asyncio.sleep(0.005)


def heard(record, channel):
    return [
        (word["word"], word["start"])
        for event in record
        if event["type"] == "transcript.final" and event["data"]["channel"] == channel
        for word in event["data"]["words"]
    ]


async def test_two_calls_at_once_never_mix(switchboard, store):
    streams = [await switchboard.open(started(call)) for call in ("CA1", "CA2")]
    for stream in streams:
        feed(stream, 12.0)
        stream.end("stopped")
    await ended(switchboard)

    for call in ("CA1", "CA2"):
        record = await events(store, call)
        assert all(event["id"].startswith(f"{call}-") for event in record)
        assert heard(record, 0) == [(word.word, word.start) for word in SCRIPT.channels[0]]


@pytest.mark.parametrize(("parameters", "is_open"), [({"deepgram.language": "es"}, True), ({}, False)])
async def test_a_refusal_over_a_calls_own_options_does_not_shut_the_gate(switchboard, server, parameters, is_open):
    server.faults = Faults(refuse=403)
    await switchboard.open(started(**parameters))
    (going_on,) = switchboard.calls.values()
    async with asyncio.timeout(10):
        while going_on.session.interruption is None:
            await asyncio.sleep(0.005)

    assert switchboard.gate.is_open is is_open


async def test_the_end_says_who_talked_how_much(switchboard, store):
    stream = await switchboard.open(started(direction="inbound"))
    feed(stream, 12.0)
    stream.end("stopped")
    await ended(switchboard)
    figures = (await events(store, "CA1"))[-1]["data"]["figures"]

    assert figures["words"] == {"caller": len(SCRIPT.channels[0]), "callee": len(SCRIPT.channels[1])}
    assert 0 < figures["talk_time"]["callee"] < 12.0


async def test_the_wall_clock_is_anchored_at_the_first_frame(switchboard, store, clock):
    stream = await switchboard.open(started())
    clock.now += 3.02  # ringing
    feed(stream, 12.0)
    clock.now += 100
    stream.end("stopped")
    await ended(switchboard)
    final = next(event for event in await events(store, "CA1") if event["type"] == "transcript.final")

    assert final["data"]["start_time"] == f"2027-01-15T08:00:{final['data']['start'] + 3:06.3f}Z"


async def test_a_new_stream_of_a_call_takes_over_on_the_calls_clock(switchboard, store, clock):
    first = await switchboard.open(started())
    feed(first, 5.0)
    clock.now += 6.0
    second = await switchboard.open(started(stream="MZ2"))
    feed(second, 6.0, first=99, skip=6.0)
    first.end("carrier_disconnected")  # the old socket's end is nobody's end any more
    second.end("stopped")
    await ended(switchboard)
    record = await events(store, "CA1")

    assert [event["type"] for event in record].count("call.started") == 1
    assert record[-1]["data"]["reason"] == "stopped"
    # Words that lie wholly inside one of the streams: each where it was spoken, within a frame.
    whole = [(word.word, word.start) for word in SCRIPT.channels[0] if word.end <= 5 or word.start >= 6]
    for word, start in whole:
        assert any(word == other and abs(start - at) <= 0.021 for other, at in heard(record, 0)), (word, start)


async def test_a_stream_of_a_call_that_has_ended_opens_a_further_record(switchboard, store):
    for _ in range(3):
        stream = await switchboard.open(started())
        feed(stream, 1.0)
        stream.end("stopped")
        await ended(switchboard)

    assert [row.id for row in await store.calls()] == ["CA1--3", "CA1--2", "CA1"]
    for call in ("CA1", "CA1--2", "CA1--3"):
        assert [event["type"] for event in await events(store, call)].count("call.ended") == 1
    begun = [(await events(store, row.id))[0]["data"] for row in await store.calls()]
    assert [(data["carrier_call_id"], data["continues"]) for data in begun] == [
        ("CA1", "CA1--2"),
        ("CA1", "CA1"),
        ("CA1", None),
    ]


async def test_a_call_may_choose_what_is_allowed(switchboard, server):
    (await switchboard.open(started(**{"deepgram.language": "es"}))).end("stopped")
    await ended(switchboard)

    assert ("language", "es") in server.connections[0].query


async def test_a_wish_that_cannot_be_granted_fails_no_call(switchboard, server, caplog):
    (await switchboard.open(started(**{"deepgram.encoding": "opus"}))).end("stopped")
    await ended(switchboard)

    assert ("encoding", "mulaw") in server.connections[0].query
    assert "options of the call ignored" in caplog.text


async def test_the_calls_id_goes_along_to_deepgram(switchboard, server):
    (await switchboard.open(started())).end("stopped")
    await ended(switchboard)

    assert ("extra", "call_id:CA1") in server.connections[0].query


async def test_the_cap_is_seen(switchboard):
    for call in ("CA1", "CA2", "CA3"):
        assert not switchboard.full
        await switchboard.open(started(call))

    assert switchboard.full


async def test_closing_ends_every_call_with_its_last_words(switchboard, store):
    stream = await switchboard.open(started())
    feed(stream, 12.0)
    await switchboard.close("server_stopping")
    record = await events(store, "CA1")

    assert record[-1]["data"]["reason"] == "server_stopping"
    assert record[-1]["data"]["flush"] == "complete"
    assert heard(record, 0) == [(word.word, word.start) for word in SCRIPT.channels[0]]


async def test_after_a_crash_every_open_call_gets_its_one_end(switchboard, store):
    for call_id in ("CA7", "CA8"):
        await store.append([started_event(call_id)])
        await store.release(call_id)
    await switchboard.recover()
    async with asyncio.timeout(10):
        while await store.calls(open_only=True):
            await asyncio.sleep(0.005)

    for call in ("CA7", "CA8"):
        record = await events(store, call)
        assert [event["type"] for event in record] == ["call.started", "call.ended"]
        assert record[-1]["data"]["reason"] == "bridge_restarted"


async def test_a_stream_error_of_a_call_that_goes_on_is_in_its_record(switchboard, store):
    stream = await switchboard.open(started())
    await switchboard.fail_stream("CA1", "MZ1", "31921 close error")
    stream.end("stopped")
    await ended(switchboard)
    record = await events(store, "CA1")

    assert [event["data"]["error"] for event in record if event["type"] == "stream.failed"] == ["31921 close error"]
    assert record[-1]["type"] == "call.ended"


async def test_a_stream_that_never_reached_us_leaves_a_record(switchboard, store):
    await switchboard.fail_stream("CA9", "MZ9", "31920 handshake error")
    await switchboard.fail_stream("CA9", "MZ9", "31920 handshake error")

    assert [event["type"] for event in await events(store, "CA9")] == ["call.started", "stream.failed", "call.ended"]


class SlowStore:
    """A store whose disk does not answer until `release`."""

    def __init__(self, store):
        self._store = store
        self.release = asyncio.Event()

    def append(self, events, interims=()):
        return asyncio.ensure_future(self._append(self._store.append(events, interims)))

    async def _append(self, durable):
        await self.release.wait()
        await durable

    def __getattr__(self, name):
        return getattr(self._store, name)


async def test_a_slow_store_slows_nothing_but_the_end(server, store, clock):
    slow = SlowStore(store)
    board = Switchboard(
        slow,
        CallPolicy(server.url, "key", session=SessionPolicy(speed=1000.0, burst=60.0), grace=0.0),
        wishes=Wishes(options.parse(""), frozenset()),
        gate=Gate(),
        max_calls=3,
        wall=clock,
        clock=clock,
        random=Random(1),
    )
    stream = await board.open(started())
    feed(stream, 12.0)
    stream.end("stopped")
    async with asyncio.timeout(10):
        await server_heard_everything(server)
    assert board.calls  # its end is not durable yet
    slow.release.set()
    await ended(board)

    assert heard(await events(store, "CA1"), 0) == [(word.word, word.start) for word in SCRIPT.channels[0]]


async def server_heard_everything(server):
    while not server.connections or len(server.connections[0].audio) < 2 * len(AUDIO[0]):
        await asyncio.sleep(0.005)


async def test_who_come_at_once_are_no_more_calls_than_there_is_room_for(switchboard):
    opened = await asyncio.gather(
        *(switchboard.open(started(f"CA{number}")) for number in range(5)), return_exceptions=True
    )

    assert [str(each) for each in opened if isinstance(each, CallRefused)] == ["too many calls at once"] * 2
    assert len(switchboard.calls) == 3


async def test_a_call_whose_stream_is_back_is_not_one_too_many(switchboard):
    for number in range(3):
        await switchboard.open(started(f"CA{number}"))
    assert switchboard.full

    assert await switchboard.open(started("CA1", "MZ2"))
    assert len(switchboard.calls) == 3


async def test_no_call_begins_when_the_switchboard_closes(switchboard, store):
    opening = asyncio.create_task(switchboard.open(started()))
    await asyncio.sleep(0)
    await switchboard.close("server_stopping")
    await asyncio.wait([opening])

    assert switchboard.calls == {}
    assert await store.calls(open_only=True) == []
    with pytest.raises(CallRefused, match="stopping"):
        await switchboard.open(started("CA2"))
