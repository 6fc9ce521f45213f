"""Calls as they are opened, found, ended, left and taken up again; with them the ordinary life of a call."""

import asyncio
import json
from dataclasses import replace

import pytest

from bridge.call import CallRefused, CallRegistry, ContinuityPolicy, StreamDenied, turned_away
from bridge.clock import SystemClock
from bridge.errors import StoreError
from bridge.events import CallResumed, timestamp
from bridge.local.deepgram import Faults
from bridge.outlets import Outlet, Outlets, named
from bridge.store.audio import AudioStore
from bridge.store.base import Query, Trouble
from bridge.store.sqlite import SQLiteStore
from tests.fakes import words
from tests.fakes.calls import feed, services, started
from tests.fakes.hand_overs import MemoryHandOvers
from tests.fakes.running import AUDIO, SCRIPT
from tests.fakes.waiting import until
from tests.fakes.words import started as started_event

QUIET = 7.5
"""Seconds of the call: neither channel says anything from 6.7 to 7.96."""


@pytest.fixture
def given(store, server, clock):
    return services(store, server, clock)


@pytest.fixture
async def registry(given):
    calls = CallRegistry(given, max_calls=3)
    await calls.recover()
    yield calls
    await calls.end_all(10.0)


async def events(store, call_id):
    return [json.loads(event.body) for event in await store.read(Query(call_id), limit=1000)]


async def ended(registry):
    async with asyncio.timeout(60):
        while registry.calls:
            await asyncio.sleep(0.005)


def heard(record, channel):
    return [
        (word["word"], word["start"])
        for event in record
        if event["type"] == "transcript.final" and event["data"]["channel"] == channel
        for word in event["data"]["words"]
    ]


async def test_two_calls_at_once_never_mix(registry, store):
    streams = [await registry.open(started(call)) for call in ("CA1", "CA2")]
    for stream in streams:
        feed(stream, 12.0)
        stream.end("stopped")
    await ended(registry)

    assert (registry.counters, registry.interrupted) == ({"opened": 2}, 0)
    assert registry.ended["streams"] == 2
    assert registry.ended["words"] == 2 * sum(map(len, SCRIPT.channels))
    for call in ("CA1", "CA2"):
        record = await events(store, call)
        assert all(event["id"].startswith(f"{call}-") for event in record)
        assert heard(record, 0) == [(word.word, word.start) for word in SCRIPT.channels[0]]


@pytest.mark.parametrize(("parameters", "is_open"), [({"deepgram.language": "es"}, True), ({}, False)])
async def test_a_refusal_over_a_calls_own_options_does_not_shut_the_gate(registry, given, server, parameters, is_open):
    server.faults = Faults(first=1, refuse=403)
    await registry.open(started(**parameters))
    (going_on,) = registry.calls.values()
    async with asyncio.timeout(60):
        while not going_on.interrupted:
            await asyncio.sleep(0.005)

    assert registry.interrupted == 1
    assert given.origins.is_closed is is_open
    await registry.end_all(0.01)


async def test_the_end_says_who_talked_how_much(registry, store):
    stream = await registry.open(started(direction="inbound"))
    feed(stream, 12.0)
    stream.end("stopped")
    await ended(registry)
    figures = (await events(store, "CA1"))[-1]["data"]["figures"]

    assert figures["words"] == {"caller": len(SCRIPT.channels[0]), "callee": len(SCRIPT.channels[1])}
    assert 0 < figures["talk_time"]["callee"] < 12.0


async def test_the_wall_clock_is_anchored_at_the_first_frame(registry, store, clock):
    stream = await registry.open(started())
    clock.time += 3.02  # ringing
    feed(stream, 12.0)
    clock.time += 100
    stream.end("stopped")
    await ended(registry)
    final = next(event for event in await events(store, "CA1") if event["type"] == "transcript.final")

    assert final["data"]["start_time"] == f"2027-01-15T08:00:{final['data']['start'] + 3:06.3f}Z"


async def test_a_damaged_store_gets_no_new_calls_and_keeps_those_that_go_on(registry, store):
    await registry.open(started())
    await until(lambda: not store.load.waiting)  # a commit would say that all is well
    store._health.failed(Trouble("the database is damaged", passes=False))
    with pytest.raises(CallRefused, match="the database is damaged"):
        await registry.open(started("CA2"))
    await registry.open(started(stream="MZ2"))

    assert registry.room == 0


async def test_a_store_that_answers_nothing_gets_no_new_calls_and_keeps_those_that_go_on(registry, store):
    await registry.open(started())
    await until(lambda: not store.load.waiting)  # a commit would say that all is well
    store._health.failed(Trouble("the database cannot be reached", passes=True, answers=False))
    with pytest.raises(CallRefused, match="the database cannot be reached|the record cannot be read"):
        await registry.open(started("CA2"))
    await registry.open(started(stream="MZ2"))

    assert (registry.refusal, registry.room) == ("the database cannot be reached", 0)
    store._health.committed()
    await registry.open(started("CA2"))


async def test_a_store_whose_trouble_passes_gets_new_calls_until_half_of_the_room_is_taken(registry, store, given):
    store._health.failed(Trouble("the disk is full", passes=True))
    await registry.open(started())
    given.backlog.waiting += given.backlog.limit // 2
    with pytest.raises(CallRefused, match="too much waits for the store"):
        await registry.open(started("CA2"))
    given.backlog.waiting -= given.backlog.limit // 2


class Unreadable:
    """A store that has lost its disk."""

    lease = hand_overs = None

    trouble = None

    async def abandoned(self, **_):
        return []

    async def find(self, *_, **__):
        raise StoreError("cannot read it: the disk fails")


async def test_a_record_that_cannot_be_read_refuses_the_call_in_words_of_ours(server, clock, caplog, monkeypatch):
    asked = []

    async def refork(stream, tracks):
        asked.append(stream)

    monkeypatch.setattr(turned_away, "PAUSE", 0.001)
    registry = CallRegistry(services(Unreadable(), server, clock, refork=refork), max_calls=3)
    await registry.recover()
    with pytest.raises(CallRefused, match="the record cannot be read"):
        await registry.open(started(team="blue"))
    await asyncio.sleep(0)

    assert "Traceback" not in caplog.text
    await until(lambda: asked == [started(team="blue")])
    monkeypatch.setattr(turned_away, "PAUSE", 60.0)
    with pytest.raises(CallRefused):
        await registry.open(started("CA2"))
    await registry.end_all(60.0)  # which waits for no carrier
    await until(lambda: not registry._turned_away._tasks)
    assert len(asked) == 1


async def test_a_call_has_no_end_of_streams(registry):
    for number in range(16):
        await registry.open(started(stream=f"MZ{number}"))
    with pytest.raises(CallRefused, match="too many streams of this call"):
        await registry.open(started(stream="MZ16"))

    await registry.open(started("CA2"))


async def test_a_call_whose_streams_come_and_go_without_end_is_spared_the_rest(registry, store, clock):
    first = await registry.open(started())
    for number in range(31):
        stream = await registry.open(started(stream=f"MZ{number}"))
        stream.end("carrier_disconnected")
    with pytest.raises(CallRefused, match="come too often"):
        await registry.open(started(stream="MZ31"))
    clock.time += 2.0
    await registry.open(started(stream="MZ32"))

    assert not first.is_over


async def test_a_stream_of_a_call_that_lasted_too_long_opens_a_further_record(store, server):
    patience = ContinuityPolicy(longest=0.05)
    registry = CallRegistry(services(store, server, SystemClock(), patience), max_calls=3)
    await registry.recover()
    stream = await registry.open(started())
    await ended(registry)
    assert stream.is_over
    await registry.open(started())
    await registry.end_all(10.0)

    assert (await events(store, "CA1"))[-1]["data"]["reason"] == "max_duration"
    assert (await events(store, "CA1--2"))[0]["data"]["continues"] == "CA1"


async def test_a_new_stream_of_a_call_takes_over_on_the_calls_clock(registry, store, clock):
    first = await registry.open(started())
    feed(first, 5.0)
    clock.time += 6.0
    second = await registry.open(started(stream="MZ2"))
    feed(second, 6.0, first=99, skip=6.0)
    first.end("carrier_disconnected")  # the old socket's end is nobody's end any more
    second.end("stopped")
    await ended(registry)
    record = await events(store, "CA1")

    assert [event["type"] for event in record].count("call.started") == 1
    assert record[-1]["data"]["reason"] == "stopped"
    # Words that lie wholly inside one of the streams: each where it was spoken, within a frame.
    whole = [(word.word, word.start) for word in SCRIPT.channels[0] if word.end <= 5 or word.start >= 6]
    for word, start in whole:
        assert any(word == other and abs(start - at) <= 0.021 for other, at in heard(record, 0)), (word, start)


async def test_a_stream_of_a_call_that_has_ended_opens_a_further_record(registry, store):
    for _ in range(3):
        stream = await registry.open(started())
        feed(stream, 1.0)
        stream.end("stopped")
        await ended(registry)

    assert [row.id for row in await store.calls()] == ["CA1--3", "CA1--2", "CA1"]
    for call in ("CA1", "CA1--2", "CA1--3"):
        assert [event["type"] for event in await events(store, call)].count("call.ended") == 1
    begun = [(await events(store, row.id))[0]["data"] for row in await store.calls()]
    assert [(data["carrier_call_id"], data["continues"]) for data in begun] == [
        ("CA1", "CA1--2"),
        ("CA1", "CA1"),
        ("CA1", None),
    ]


async def test_a_further_record_goes_where_the_one_before_it_went(tmp_path, server, clock):
    outlets = Outlets([Outlet("webhook", is_usual=True), Outlet("tenants", is_pattern=True)])
    theirs, other = (f"https://{host}.example.com/hook" for host in ("a", "b"))
    async with SQLiteStore(tmp_path, outlets) as store:
        given = services(store, server, clock)
        calls = CallRegistry(replace(given, find_named=lambda url: named("tenants", url)), max_calls=3)
        await calls.recover()
        for parameters in ({"bridge.webhook": theirs}, {}, {}, {"bridge.webhook": other}):
            (await calls.open(started(**parameters))).end("stopped")
            await ended(calls)

        for record, url in (("CA1", theirs), ("CA1--2", theirs), ("CA1--3", theirs), ("CA1--4", other)):
            assert list(await store.deliveries(record)) == [named("tenants", url).endpoint]


async def test_what_is_taken_out_of_a_call_is_taken_out_of_its_further_records(registry, store):
    for parameters in ({"bridge.redact": "phone", "bridge.record_days": "2"}, {"bridge.redact": "card"}, {}):
        (await registry.open(started(**parameters))).end("stopped")
        await ended(registry)

    begun = [(await events(store, record))[0]["data"] for record in ("CA1", "CA1--2", "CA1--3")]
    assert [data["redact"] for data in begun] == [["phone"], ["card", "phone"], ["card", "phone"]]
    assert [data["record_days"] for data in begun] == [2, 2, 2]


async def test_a_call_may_choose_what_is_allowed(registry, server):
    (await registry.open(started(**{"deepgram.language": "es"}))).end("stopped")
    await ended(registry)

    assert ("language", "es") in server.connections[0].query


async def test_a_wish_that_cannot_be_granted_fails_no_call(registry, server, caplog):
    (await registry.open(started(**{"deepgram.encoding": "opus"}))).end("stopped")
    await ended(registry)

    assert ("encoding", "mulaw") in server.connections[0].query
    assert "options of the call ignored" in caplog.text


async def test_the_calls_id_goes_along_to_deepgram(registry, server):
    (await registry.open(started())).end("stopped")
    await ended(registry)

    assert ("extra", "call_id:CA1") in server.connections[0].query


async def test_the_cap_is_seen(registry):
    for call in ("CA1", "CA2", "CA3"):
        assert not registry.full
        await registry.open(started(call))

    assert registry.full


class Halting:
    """A store that does not answer to one of its methods until `go_on`."""

    def __init__(self, store, name):
        self._store, self._name = store, name
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name):
        return self._halt if name == self._name else getattr(self._store, name)

    async def _halt(self, *given, **named):
        self.asked.set()
        await self.go_on.wait()
        return await getattr(self._store, self._name)(*given, **named)


async def test_there_is_room_for_a_further_call_or_a_stream_that_a_call_waits_for(server, store, clock):
    registry = CallRegistry(services(store, server, clock, grace=10.0), max_calls=2)
    await registry.recover()
    one = await registry.open(started("CA1"))
    assert registry.room == 1
    await registry.open(started("CA2"))
    assert registry.room == 0
    feed(one, 1.0)
    one.end("carrier_disconnected")
    assert registry.full
    assert registry.room == 1
    await registry.open(started("CA1", "MZ2"))
    assert registry.room == 0
    await registry.end_all(10.0)


async def test_while_calls_that_were_left_are_not_adopted_yet_it_is_open_to_their_streams(server, store, clock):
    for call_id in ("CA8", "CA9"):
        await store.append([started_event(call_id)])
        await store.release(call_id)
    registry = CallRegistry(services(halting := Halting(store, "take"), server, clock), max_calls=1)
    recovering = asyncio.create_task(registry.recover())
    await halting.asked.wait()
    await registry.open(started("CA1"))
    assert registry.full
    assert registry.room == 1
    halting.go_on.set()
    await recovering
    assert registry.room == 0
    await registry.end_all(10.0)


async def test_a_stream_that_waits_for_its_call_takes_it_and_the_carrier_is_not_asked_for_another(server, store, clock):
    asked = []

    async def refork(stream, tracks):
        asked.append(stream.call_id)

    for call_id in ("CA8", "CA9"):
        await store.append([started_event(call_id)])
        await store.release(call_id)
    given = services(store, server, clock, grace=10.0, refork=refork)
    registry = CallRegistry(given, max_calls=3)
    opening = asyncio.create_task(registry.open(started("CA9", "MZ2")))
    await asyncio.sleep(0)
    await registry.recover()
    await opening
    await until(lambda: asked)

    assert asked == ["CA8"]
    await registry.end_all(10.0)


@pytest.mark.parametrize(("reason", "opens"), [("stopped", 0), ("server_stopping", 1)])
async def test_a_stream_that_waited_belongs_to_a_call_that_has_been_hung_up_meanwhile(
    server, store, clock, reason, opens
):
    registry = CallRegistry(services(store, server, clock), max_calls=3)
    waiting = asyncio.create_task(registry.open(started("CA1", "MZ2")))
    await asyncio.sleep(0)
    before = CallRegistry(services(store, server, clock), max_calls=3)
    await before.recover()
    await before.open(started("CA1"))
    clock.time += 1.0
    before.calls["CA1"].end(reason)
    await ended(before)

    await registry.recover()
    if not opens:
        with pytest.raises(CallRefused, match="ended while another process"):
            await waiting
    assert len(await store.calls()) == 1
    if opens:
        await waiting
        await registry.end_all(10.0)
    assert [row.id for row in await store.calls()] == ["CA1--2", "CA1"][1 - opens :]


async def test_a_process_that_gives_its_calls_away_takes_no_stream(registry):
    await registry.open(started("CA1"))
    registry.taking = False

    assert (registry.room, registry.refusal) == (0, "the server is stopping")
    for call in ("CA1", "CA2"):
        with pytest.raises(CallRefused, match="stopping"):
            await registry.open(started(call, "MZ2"))


async def test_a_stream_takes_its_call_before_its_turn_to_be_adopted(server, store, clock):
    for call_id in ("CA8", "CA9"):
        await store.append([started_event(call_id)])
        await store.release(call_id)
    registry = CallRegistry(services(halting := Halting(store, "take"), server, clock, grace=10.0), max_calls=3)
    recovering = asyncio.create_task(registry.recover())
    await halting.asked.wait()
    opening = asyncio.create_task(registry.open(started("CA8")))
    await asyncio.sleep(0)
    halting.go_on.set()
    await opening
    await recovering

    assert registry.counters == {"adopted": 2}
    assert sorted(row.id for row in await store.calls()) == ["CA8", "CA9"]
    await registry.end_all(10.0)


async def test_closing_ends_every_call_with_its_last_words(registry, store):
    stream = await registry.open(started())
    feed(stream, 12.0)
    await registry.end_all(10.0)
    record = await events(store, "CA1")

    assert record[-1]["data"]["reason"] == "server_stopping"
    assert record[-1]["data"]["flush"] == "complete"
    assert heard(record, 0) == [(word.word, word.start) for word in SCRIPT.channels[0]]


async def test_after_a_crash_every_open_call_gets_its_one_end(registry, store):
    for call_id in ("CA7", "CA8"):
        await store.append([started_event(call_id)])
        await store.release(call_id)
    await registry.recover()
    async with asyncio.timeout(60):
        while await store.calls(open_only=True):
            await asyncio.sleep(0.005)

    for call in ("CA7", "CA8"):
        record = await events(store, call)
        assert [event["type"] for event in record] == ["call.started", "call.ended"]
        assert record[-1]["data"]["reason"] == "bridge_restarted"


async def test_a_stream_error_of_a_call_that_goes_on_is_in_its_record(registry, store):
    stream = await registry.open(started())
    await registry.fail_stream("twilio", "CA1", "MZ1", "31921 close error")
    stream.end("stopped")
    await ended(registry)
    record = await events(store, "CA1")

    assert [event["data"]["error"] for event in record if event["type"] == "stream.failed"] == ["31921 close error"]
    assert record[-1]["type"] == "call.ended"


async def test_a_stream_that_another_process_had_and_that_fails_later_is_not_the_one_that_was_asked_for(
    server, store, clock
):
    asked = []

    async def refork(stream, tracks):
        asked.append(stream.call_id)

    back = CallResumed(reason="carrier_reconnected", stream_id="MZ2", at=2.0)
    await store.append([started_event("CA1"), words.event("CA1", 2, back)])
    await store.release("CA1")
    patience = ContinuityPolicy(grace=60.0, ask_soon=0.001)
    registry = CallRegistry(services(store, server, SystemClock(), patience, refork=refork), max_calls=3)
    await registry.recover()
    await until(lambda: asked)
    for stream_id in ("MZ2", "MZ3"):
        await registry.fail_stream("twilio", "CA1", stream_id, "31921 close error")
        await asyncio.sleep(0.05)
        assert len(asked) == (1 if stream_id == "MZ2" else 2)
    await registry.end_all(5.0)


async def test_a_call_began_with_its_stream_also_if_that_had_to_wait_for_the_record(server, store, clock):
    came = clock.wall()
    registry = CallRegistry(services(halting := Halting(store, "find"), server, clock), max_calls=1)
    await registry.recover()
    opening = asyncio.create_task(registry.open(started()))
    await halting.asked.wait()
    clock.time += 9.0
    halting.go_on.set()
    await opening
    await registry.end_all(10.0)

    assert (await events(store, "CA1"))[0]["data"]["started_at"] == timestamp(came)


async def test_a_stream_that_was_asked_for_and_never_came_is_asked_for_again(server, store, clock):
    asked = []

    async def refork(stream, tracks):
        asked.append(stream.asked)

    patience = ContinuityPolicy(grace=60.0, ask_again=60.0, ask_soon=0.001)
    registry = CallRegistry(services(store, server, SystemClock(), patience, refork=refork), max_calls=3)
    await registry.recover()
    stream = await registry.open(started())
    feed(stream, 1.0)
    stream.end("carrier_disconnected")
    await until(lambda: asked)
    await registry.fail_stream("twilio", "CA1", "MZ1", "31921 close error")
    await registry.fail_stream("twilio", "CA1", "MZ2", "31920 handshake error")
    await until(lambda: len(asked) == 2)

    assert asked == [True, True]
    other = await registry.open(started(stream="MZ3"))
    feed(other, 1.0)
    other.end("carrier_disconnected")
    await until(lambda: len(asked) == 3)
    await registry.fail_stream("twilio", "CA1", "MZ3", "31921 close error")  # which was here
    await asyncio.sleep(0.05)
    assert len(asked) == 3
    await registry.end_all(5.0)
    failed = [event["data"]["stream_id"] for event in await events(store, "CA1") if event["type"] == "stream.failed"]
    assert failed == ["MZ1", "MZ2", "MZ3"]


async def test_a_call_that_another_process_has_had_meanwhile_is_had_again_while_its_last_words_are_waited_for(
    server, store, clock
):
    server.faults = Faults(first=1, metadata=False, close=False)
    registry = CallRegistry(services(store, server, clock, grace=10.0, flush=60.0), max_calls=3)
    await registry.recover()
    feed(await registry.open(started()), 3.0)
    await until(lambda: store.counters["events"])
    lost = registry.calls["CA1"]
    await store.release("CA1")  # as where this process has stood still, and does not know
    await registry.recover()

    back = registry.calls["CA1"]
    assert back is not lost and (back.reason, lost.reason) == (None, "bridge_restarted")
    lost.fail_stream("MZ1", "of which no record tells")
    lost.let_go()
    await lost.wait_over()
    await asyncio.sleep(0)
    assert registry.calls["CA1"] is back
    assert [event["type"] for event in await events(store, "CA1")].count("call.ended") == 0
    await registry.open(started("CA1", "MZ2"))
    assert back.counters["streams"] == 1
    await registry.end_all(5.0)
    record = await events(store, "CA1")
    assert "stream.failed" not in [event["type"] for event in record]
    assert record[-1]["data"]["reason"] == "server_stopping"


class Late:
    """A store that has what it is given to append only after `go_on`, once `holds` is set."""

    def __init__(self, store):
        self._store = store
        self.holds, self.go_on = False, asyncio.Event()

    def __getattr__(self, name):
        return getattr(self._store, name)

    def append(self, *given, **named):
        return (
            asyncio.ensure_future(self._append(*given, **named)) if self.holds else self._store.append(*given, **named)
        )

    async def _append(self, *given, **named):
        await self.go_on.wait()
        await self._store.append(*given, **named)


async def test_what_a_lost_call_has_given_to_the_store_is_read_before_it_is_had_again(server, store, clock):
    registry = CallRegistry(services(late := Late(store), server, clock, grace=10.0), max_calls=3)
    await registry.recover()
    feed(await registry.open(started()), 0.1)
    lost = registry.calls["CA1"]
    await until(lambda: store.counters["events"])
    late.holds = True
    lost.fail_stream("MZ1", "on its way")
    await store.release("CA1")
    recovering = asyncio.create_task(registry.recover())
    await until(lambda: lost.reason)
    late.holds = False
    late.go_on.set()
    await recovering

    assert registry.calls["CA1"] is not lost
    await registry.end_all(5.0)
    record = await events(store, "CA1")
    assert [event["type"] for event in record][:2] == ["call.started", "stream.failed"]
    assert (record[-1]["type"], store.counters["duplicates"]) == ("call.ended", 0)


async def test_a_stream_that_never_reached_us_leaves_a_record(registry, store):
    await registry.fail_stream("twilio", "CA9", "MZ9", "31920 handshake error")
    await registry.fail_stream("twilio", "CA9", "MZ9", "31920 handshake error")

    assert [event["type"] for event in await events(store, "CA9")] == ["call.started", "stream.failed", "call.ended"]
    assert registry.counters["stream_errors"] == 2


async def test_a_stream_error_of_a_call_that_has_ended_changes_no_record(registry, store):
    (await registry.open(started())).end("stopped")
    await registry.fail_stream("twilio", "CA1", "MZ1", "31921 close error")
    await ended(registry)
    await registry.fail_stream("twilio", "CA1", "MZ1", "31921 close error")

    assert [event["type"] for event in await events(store, "CA1")] == ["call.started", "call.ended"]


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
    board = CallRegistry(services(slow, server, clock), max_calls=3)
    await board.recover()
    stream = await board.open(started())
    feed(stream, 12.0)
    stream.end("stopped")
    async with asyncio.timeout(60):
        await server_heard_everything(server)
    assert board.calls  # its end is not durable yet
    slow.release.set()
    await ended(board)

    assert heard(await events(store, "CA1"), 0) == [(word.word, word.start) for word in SCRIPT.channels[0]]


async def server_heard_everything(server):
    while not server.connections or len(server.connections[0].audio) < 2 * len(AUDIO[0]):
        await asyncio.sleep(0.005)


async def test_who_come_at_once_are_no_more_calls_than_there_is_room_for(registry):
    opened = await asyncio.gather(
        *(registry.open(started(f"CA{number}")) for number in range(5)), return_exceptions=True
    )

    assert [str(each) for each in opened if isinstance(each, CallRefused)] == ["too many calls at once"] * 2
    assert len(registry.calls) == 3


async def test_a_call_whose_stream_is_back_is_not_one_too_many(registry):
    for number in range(3):
        await registry.open(started(f"CA{number}"))
    assert registry.full

    assert await registry.open(started("CA1", "MZ2"))
    assert len(registry.calls) == 3


async def test_no_call_begins_when_the_registry_closes(registry, store):
    opening = asyncio.create_task(registry.open(started()))
    await asyncio.sleep(0)
    await registry.end_all(10.0)

    for late in (opening, registry.open(started("CA2"))):
        with pytest.raises(CallRefused, match="stopping"):
            await late
    assert registry.calls == {}
    assert await store.calls() == []


async def test_no_call_begins_when_the_registry_closes_while_its_records_are_looked_for(server, store, clock):
    registry = CallRegistry(services(halting := Halting(store, "find"), server, clock), max_calls=3)
    await registry.recover()
    opening = asyncio.create_task(registry.open(started()))
    await halting.asked.wait()
    closing = asyncio.create_task(registry.end_all(10.0))
    await asyncio.sleep(0)
    halting.go_on.set()
    await closing

    with pytest.raises(CallRefused, match="stopping"):
        await opening
    assert await store.calls() == []


async def test_no_further_stream_is_let_in_while_the_registry_closes(registry):
    await registry.open(started())
    closing = asyncio.create_task(registry.leave_all(10.0))
    await asyncio.sleep(0)
    assert registry.calls
    with pytest.raises(CallRefused, match="stopping"):
        await registry.open(started(stream="MZ2"))
    await closing


@pytest.mark.parametrize("kept", [True, False])
async def test_a_call_that_is_being_adopted_when_the_process_stops_is_left_as_it_is(
    tmp_path, server, store, clock, kept
):
    await store.append([started_event()])
    await store.release("CA1")
    async with AudioStore(tmp_path, limit=2**30) as audio:
        given = services(halting := Halting(store, "take"), server, clock)
        registry = CallRegistry(given, max_calls=3, audio=audio if kept else None)
        recovering = asyncio.create_task(registry.recover())
        await halting.asked.wait()
        closing = asyncio.create_task(registry.leave_all(10.0))
        await asyncio.sleep(0)
        halting.go_on.set()
        await closing
        await recovering

        assert (registry.counters["adopted"], registry.calls) == (0, {})
        assert [row.id for row in await store.abandoned()] == ["CA1"]
        assert not audio.is_open("CA1")


async def test_what_fails_while_the_process_stops_is_told_and_stops_nothing(registry, caplog):
    async def close_streams():
        raise RuntimeError("a bug")

    await registry.open(started())
    await registry.leave_all(10.0, close_streams)

    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "a task of the registry failed"
    ]
    assert registry.calls == {}


# Several streams of one call


def spoken(channel, start=0.0, end=12.0):
    return [(word.word, word.start) for word in SCRIPT.channels[channel] if start <= word.start and word.end <= end]


async def test_a_stream_for_each_track_is_one_call_with_both_speakers(registry, store):
    inbound = await registry.open(started(stream="MZ1", tracks=("inbound",)))
    outbound = await registry.open(started(stream="MZ2", tracks=("outbound",)))
    for step in range(600):
        at = 20 * step
        feed(inbound, 0.02, 100 + at, at / 1000, ("inbound",), step)
        feed(outbound, 0.02, 7000 + at, at / 1000, ("outbound",), step)
    inbound.end("stopped")
    assert not registry.calls["CA1"].reason
    outbound.end("stopped")
    await ended(registry)
    record = await events(store, "CA1")

    assert heard(record, 0) == spoken(0)
    assert heard(record, 1) == spoken(1)
    end = record[-1]["data"]
    assert (end["reason"], end["flush"], end["missing"], end["counts"]["streams"]) == ("stopped", "complete", 0, 2)
    assert [event["type"] for event in record].count("call.ended") == 1
    assert not [event for event in record if event["type"] in ("audio.gap", "call.resumed")]


@pytest.mark.parametrize("how", ["stopped", "carrier_disconnected", "carrier_silent"])
@pytest.mark.parametrize("first_ends", [True, False])
async def test_a_fork_that_came_twice_is_heard_once_and_either_may_end(registry, store, first_ends, how):
    one = await registry.open(started(stream="MZ1"))
    two = await registry.open(started(stream="MZ2"))
    ends, goes_on = (one, two) if first_ends else (two, one)
    for tenth in range(120):
        at = tenth / 10
        feed(one, 0.1, 100 + 100 * tenth, at, number=10 * tenth) if tenth < 60 or goes_on is one else None
        feed(two, 0.1, 5100 + 100 * tenth, at, number=10 * tenth) if tenth < 60 or goes_on is two else None
        if tenth == 60:
            ends.end(how)
    goes_on.end("stopped")
    await ended(registry)
    record = await events(store, "CA1")

    assert heard(record, 0) == spoken(0)
    assert heard(record, 1) == spoken(1)
    end = record[-1]["data"]
    assert (end["reason"], end["flush"], end["missing"], end["duration"]) == ("stopped", "complete", 0, 12.0)
    assert not [event for event in record if event["type"] in ("audio.gap", "call.resumed")]


# Tokens


@pytest.mark.parametrize(("first", "second", "comes_in"), [("t", "t", True), ("t", None, False), (None, None, True)])
async def test_a_call_whose_first_stream_had_a_token_takes_no_stream_without_one(registry, first, second, comes_in):
    def with_token(token):
        return {"token": token} if token else {}

    stream = await registry.open(started(**with_token(first)))
    feed(stream, 1.0)
    if comes_in:
        await registry.open(started(stream="MZ2", **with_token(second)))
        return
    with pytest.raises(StreamDenied):
        await registry.open(started(stream="MZ2", **with_token(second)))
    assert registry.calls["CA1"].counts["streams"] == 1


async def test_a_call_that_was_given_a_token_takes_no_stream_without_one(given):
    registry = CallRegistry(given, max_calls=3, had_token={"CA1"}.__contains__)
    await registry.recover()
    with pytest.raises(StreamDenied):
        await registry.open(started())
    await registry.open(started("CA2"))
    await registry.open(started(token="t"))
    await registry.end_all(10.0)


async def test_a_call_whose_first_stream_had_a_token_takes_no_stream_without_one_in_the_next_process(
    server, store, clock
):
    before = CallRegistry(services(store, server, clock), max_calls=3)
    await before.recover()
    feed(await before.open(started(token="t")), 1.0)
    await before.leave_all(10.0)
    after = CallRegistry(services(store, server, clock, grace=10.0), max_calls=3)
    await after.recover()
    with pytest.raises(StreamDenied):
        await after.open(started(stream="MZ2"))
    await after.open(started(stream="MZ3", token="t"))
    await after.end_all(10.0)


# The next process


async def test_a_call_that_was_left_goes_on_in_the_next_process(tmp_path, server, clock):
    asked = []

    async def refork(started, tracks):
        asked.append((started.call_id, dict(started.parameters), tracks))

    async with AudioStore(tmp_path, limit=2**30) as audio:
        async with SQLiteStore(tmp_path) as store:
            before = CallRegistry(services(store, server, clock), max_calls=3, audio=audio)
            await before.recover()
            stream = await before.open(started(team="blue"))
            feed(stream, QUIET)
            clock.time += QUIET
            await before.leave_all(10.0)
            left = await events(store, "CA1")
            assert before.unkept == 0
        clock.time += 0.24
        async with SQLiteStore(tmp_path) as store:
            after = CallRegistry(services(store, server, clock, grace=10.0, refork=refork), max_calls=3, audio=audio)
            await after.recover()
            assert after.calls["CA1"].continuity.waiting
            async with asyncio.timeout(60):
                while not asked:
                    await asyncio.sleep(0.005)
            stream = await after.open(started(stream="MZ2"))
            feed(stream, 12.0 - 7.74, skip=7.74)
            stream.end("stopped")
            await ended(after)
            record = await events(store, "CA1")

    types = [event["type"] for event in record]
    assert "call.ended" not in [event["type"] for event in left]
    assert (types.count("call.started"), types.count("call.resumed"), types.count("call.ended")) == (1, 1, 1)
    assert [event["seq"] for event in record] == list(range(1, len(record) + 1))
    ((call_id, parameters, tracks),) = asked
    assert (call_id, parameters["team"], tracks) == ("CA1", "blue", ("inbound", "outbound"))
    (resumed,) = [event["data"] for event in record if event["type"] == "call.resumed"]
    assert (resumed["at"], resumed["reason"], resumed["uncovered"]) == (7.74, "bridge_restarted", [])
    assert resumed["unheard"] == [{"track": track, "from": QUIET, "to": 7.74} for track in ("inbound", "outbound")]
    for channel in (0, 1):
        assert heard(record, channel) == spoken(channel)
    gaps = [event["data"] for event in record if event["type"] == "audio.gap"]
    assert {(gap["track"], gap["from"], gap["to"], gap["why"]) for gap in gaps} == {
        (track, QUIET, 7.74, "bridge_restarted") for track in ("inbound", "outbound")
    }
    assert (record[-1]["data"]["flush"], record[-1]["data"]["uncovered"]) == ("complete", [])


async def test_a_first_frame_that_comes_while_the_process_stops_is_kept(tmp_path, server, clock):
    async with AudioStore(tmp_path, limit=2**30) as audio:
        async with SQLiteStore(tmp_path) as store:
            before = CallRegistry(services(store, server, clock), max_calls=3, audio=audio)
            await before.recover()
            feed(await before.open(started()), 1.0)
            clock.time += 1.0
            await before.leave_all(10.0)
        async with SQLiteStore(tmp_path) as store:
            after = CallRegistry(services(store, server, clock, grace=10.0), max_calls=3, audio=audio)
            await after.recover()
            stream = await after.open(started(stream="MZ2"))
            leaving = asyncio.create_task(after.leave_all(1.0))
            await asyncio.sleep(0)
            feed(stream, 1.0)
            await leaving

            assert [row.id for row in await store.abandoned()] == ["CA1"]
            assert (await audio.reopen("CA1")).end == 2 * 8000


async def test_a_short_silence_that_a_call_is_left_with_is_told_by_the_next_process(tmp_path, server, clock):
    async with AudioStore(tmp_path, limit=2**30) as audio:
        async with SQLiteStore(tmp_path) as store:
            before = CallRegistry(services(store, server, clock), max_calls=3, audio=audio)
            await before.recover()
            for track, length in (("inbound", QUIET - 0.36), ("outbound", QUIET)):
                feed(await before.open(started(stream=track, tracks=(track,))), length, tracks=(track,))
            clock.time += QUIET
            await before.leave_all(10.0)
        clock.time += 0.24
        async with SQLiteStore(tmp_path) as store:
            after = CallRegistry(services(store, server, clock, grace=10.0), max_calls=3, audio=audio)
            await after.recover()
            feed(stream := await after.open(started(stream="MZ2")), 1.0, skip=7.74)
            stream.end("stopped")
            await ended(after)
            record = await events(store, "CA1")

    gaps = [event["data"] for event in record if event["type"] == "audio.gap"]
    assert {(gap["track"], gap["from"], gap["to"], gap["why"]) for gap in gaps} == {
        ("inbound", 7.14, 7.74, "bridge_restarted"),
        ("outbound", 7.5, 7.74, "bridge_restarted"),
    }


@pytest.mark.parametrize("tracks", [("inbound", "outbound"), ("outbound",)])
async def test_after_a_restart_the_tracks_of_all_streams_are_asked_for(tmp_path, server, clock, tracks):
    asked = []

    async def refork(started, tracks):
        asked.append(tracks)

    async with AudioStore(tmp_path, limit=2**30) as audio:
        async with SQLiteStore(tmp_path) as store:
            before = CallRegistry(services(store, server, clock), max_calls=3, audio=audio)
            await before.recover()
            for track in tracks:
                feed(await before.open(started(stream=track, tracks=(track,))), 1.0, tracks=(track,))
            await before.leave_all(10.0)
        async with SQLiteStore(tmp_path) as store:
            after = CallRegistry(services(store, server, clock, grace=10.0, refork=refork), max_calls=3, audio=audio)
            await after.recover()
            async with asyncio.timeout(60):
                while not asked:
                    await asyncio.sleep(0)
            await after.end_all(10.0)

    assert asked == [tracks]


async def test_without_kept_audio_what_came_while_the_process_stopped_is_told_once(tmp_path, server, clock):
    async with SQLiteStore(tmp_path) as store:
        before = CallRegistry(services(store, server, clock), max_calls=3)
        await before.recover()
        stream = await before.open(started())
        feed(stream, 5.76)
        before.calls["CA1"].leave()
        feed(stream, 1.0, first=100 + 5760, skip=5.76, number=576)
        await before.leave_all(10.0)
    clock.time += 7.76
    async with SQLiteStore(tmp_path) as store:
        after = CallRegistry(services(store, server, clock, grace=10.0), max_calls=3)
        await after.recover()
        stream = await after.open(started(stream="MZ2"))
        feed(stream, 4.0, skip=7.76)
        stream.end("stopped")
        await ended(after)
        gaps = [event["data"] for event in await events(store, "CA1") if event["type"] == "audio.gap"]

    for track in ("inbound", "outbound"):
        told = [(gap["from"], gap["to"], gap["why"]) for gap in gaps if gap["track"] == track]
        assert told == [(5.76, 6.76, "not_transcribed"), (6.76, 7.76, "bridge_restarted")]


async def test_the_streams_are_closed_when_no_more_of_them_is_taken(registry):
    stream = await registry.open(started())
    call = registry.calls["CA1"]
    feed(stream, 1.0)
    taken = []

    async def close_streams():
        before = call._path.position
        feed(stream, 1.0, first=1100, skip=1.0, number=100)
        taken.append(call._path.position - before)

    await registry.leave_all(10.0, close_streams)

    assert taken == [0]


async def test_what_comes_while_the_process_stops_is_kept_for_later(tmp_path, server, clock):
    async with AudioStore(tmp_path, limit=2**30) as audio:
        async with SQLiteStore(tmp_path) as store:
            before = CallRegistry(services(store, server, clock), max_calls=3, audio=audio)
            await before.recover()
            stream = await before.open(started())
            feed(stream, QUIET)
            before.calls["CA1"].leave()
            feed(stream, 4.0, first=100 + 7500, skip=QUIET, number=750)
            await before.leave_all(10.0)
        async with SQLiteStore(tmp_path) as store:
            after = CallRegistry(services(store, server, clock), max_calls=3, audio=audio)
            await after.recover()
            await ended(after)
            end = (await events(store, "CA1"))[-1]["data"]

    assert (end["reason"], end["duration"]) == ("bridge_restarted", 11.5)
    assert [(gap["track"], gap["from"], gap["to"]) for gap in end["uncovered"]] == [
        ("inbound", QUIET, 11.5),
        ("outbound", QUIET, 11.5),
    ]


async def test_a_stop_in_the_middle_of_recovery_leaves_every_call_and_waits_for_none(tmp_path, server, clock):
    calls = [f"CA{number}" for number in range(6)]
    async with AudioStore(tmp_path, limit=2**30) as audio:
        async with SQLiteStore(tmp_path) as store:
            before = CallRegistry(services(store, server, clock), max_calls=6, audio=audio)
            await before.recover()
            for call in calls:
                feed(await before.open(started(call)), 1.0)
            await before.leave_all(10.0)
        async with SQLiteStore(tmp_path) as store:
            after = CallRegistry(services(store, server, clock, grace=60.0), max_calls=6, audio=audio)
            recovering = asyncio.create_task(after.recover())
            async with asyncio.timeout(60):
                while not after.calls:
                    await asyncio.sleep(0)
                await after.leave_all(3600.0)
                await recovering

            assert 0 < after.counters["adopted"] < len(calls)
            assert after.calls == {}
            assert sorted(row.id for row in await store.abandoned()) == calls
            for call in calls:
                (await audio.reopen(call)).close()  # refused while it is open


@pytest.mark.parametrize("kept", [True, False])
async def test_two_streams_are_heard_after_the_wall_clock_was_set_back_between_two_processes(
    tmp_path, server, clock, kept
):
    async with AudioStore(tmp_path, limit=2**30) as opened:
        audio = opened if kept else None
        async with SQLiteStore(tmp_path) as store:
            before = CallRegistry(services(store, server, clock), max_calls=3, audio=audio)
            await before.recover()
            feed(await before.open(started()), 5.76)
            clock.time += 5.76
            await before.leave_all(10.0)
        clock.time -= 60.0
        async with SQLiteStore(tmp_path) as store:
            after = CallRegistry(services(store, server, clock, grace=10.0), max_calls=3, audio=audio)
            await after.recover()
            clock.time += 0.02
            tracks = ("inbound", "outbound")
            streams = [await after.open(started(stream=track, tracks=(track,))) for track in tracks]
            for step in range(300):
                for stream, track in zip(streams, tracks, strict=True):
                    feed(stream, 0.02, 100 + 20 * step, 5.76 + 0.02 * step, (track,), step)
                clock.time += 0.02
            for stream in streams:
                stream.end("stopped")
            await ended(after)
            record = await events(store, "CA1")

    for channel in (0, 1):
        said = [word for word, _ in spoken(channel, 5.9, 11.7)]
        assert [word for word, _ in heard(record, channel) if word in said] == said
    (resumed,) = [event for event in record if event["type"] == "call.resumed"]
    before = [event["data"]["end"] for event in record[: record.index(resumed)] if "end" in event["data"]]
    assert resumed["data"]["at"] >= max(before) > 4.0


async def test_a_caller_who_hangs_up_while_the_process_stops_has_a_whole_record(tmp_path, registry, store):
    stream = await registry.open(started())
    feed(stream, 12.0)
    registry.calls["CA1"].leave()
    stream.end("stopped")
    await registry.leave_all(10.0)
    record = await events(store, "CA1")

    assert (record[-1]["type"], record[-1]["data"]["reason"]) == ("call.ended", "stopped")
    assert heard(record, 0) == spoken(0)


async def test_a_deepgram_that_is_slow_holds_up_no_stop(tmp_path, server, clock):
    server.faults = Faults(refuse=503)
    async with AudioStore(tmp_path, limit=2**30) as audio, SQLiteStore(tmp_path) as store:
        registry = CallRegistry(services(store, server, clock, flush=60.0), max_calls=3, audio=audio)
        await registry.recover()
        stream = await registry.open(started())
        feed(stream, 5.76)
        await registry.leave_all(0.1)

        assert registry.calls == {}
        assert [row.id for row in await store.abandoned()] == ["CA1"]
        assert audio.kept() == ["CA1"]


async def test_events_that_the_store_did_not_take_are_counted_when_the_process_stops(server, store, clock):
    slow = SlowStore(store)
    registry = CallRegistry(services(slow, server, clock), max_calls=3)
    await registry.recover()
    stream = await registry.open(started())
    feed(stream, 12.0)
    clock.time += 12.0
    stopping = asyncio.create_task(registry.end_all(0.05))
    async with asyncio.timeout(60):
        while not stopping.done():
            clock.time += 0.01
            await asyncio.sleep(0.01)

    await stopping
    assert registry.unkept >= 2  # `call.started` and `call.ended` at the least
    slow.release.set()


class BrokenStore:
    """A store that takes everything and keeps nothing."""

    trouble = lease = hand_overs = None

    def __init__(self, store):
        self._store = store
        self.find, self.release, self.abandoned = store.find, store.release, store.abandoned

    def append(self, events, interims=()):
        return asyncio.ensure_future(self._fail())

    async def _fail(self):
        raise StoreError("the database is damaged")


async def test_events_that_the_store_did_not_keep_are_counted_when_their_call_is_over(server, store, clock):
    registry = CallRegistry(services(BrokenStore(store), server, clock), max_calls=3)
    await registry.recover()
    (await registry.open(started())).end("stopped")
    await ended(registry)

    assert registry.unkept == 2


async def test_a_stream_that_is_refused_is_no_failure_of_ours(registry, caplog):
    await registry.open(started(token="t"))
    with pytest.raises(StreamDenied):
        await registry.open(started(stream="MZ2"))

    assert "a task of the registry failed" not in caplog.text


async def test_a_stream_of_a_call_that_was_left_waits_until_it_is_known_what_was_left(server, store, clock):
    for number in range(5):
        await store.append([started_event(f"CA{number}")])
        await store.release(f"CA{number}")
    registry = CallRegistry(services(store, server, clock, grace=10.0), max_calls=3)
    opening = asyncio.create_task(registry.open(started("CA4")))
    await asyncio.sleep(0)
    assert not opening.done()
    await registry.recover()
    await opening
    record = await events(store, "CA4")

    assert [event["type"] for event in record] == ["call.started"]
    await registry.end_all(10.0)


async def test_of_several_open_records_of_one_call_the_newest_goes_on(server, store, clock):
    for record_id in ("CA1", "CA1--2"):
        await store.append([started_event(record_id, carrier_call_id="CA1")])
        await store.release(record_id)
    registry = CallRegistry(services(store, server, clock, grace=10.0), max_calls=3)
    await registry.recover()

    assert registry.calls["CA1"].id == "CA1--2"
    async with asyncio.timeout(60):
        while len(await store.calls(open_only=True)) > 1:
            await asyncio.sleep(0.005)
    assert (await events(store, "CA1"))[-1]["data"]["reason"] == "bridge_restarted"
    await registry.end_all(10.0)


async def test_there_is_room_for_further_calls_and_for_the_streams_that_calls_wait_for(store, server, clock):
    registry = CallRegistry(services(store, server, clock, grace=10.0), max_calls=2)
    await registry.recover()
    assert registry.room == 2
    streams = [await registry.open(started(call)) for call in ("CA1", "CA2")]
    for stream in streams:
        feed(stream, 1.0)
    assert registry.room == 0
    streams[0].end("carrier_disconnected")
    assert registry.room == 1
    await registry.end_all(10.0)


async def test_a_call_that_has_lost_its_stream_ends_when_the_carrier_says_that_it_has_stopped(store, server, clock):
    registry = CallRegistry(services(store, server, clock, grace=10.0), max_calls=2)
    await registry.recover()
    first = started()
    stream = await registry.open(first)
    feed(stream, 12.0)
    registry.stop_stream("CA1", "MZ0")
    registry.stop_stream("CA9", "MZ1")
    stream.end(registry.end_of(first, "carrier_disconnected"))
    assert registry.calls["CA1"].continuity.waiting
    registry.stop_stream("CA1", "MZ1")
    await ended(registry)

    assert (await events(store, "CA1"))[-1]["data"]["reason"] == "stopped"
    await registry.end_all(10.0)


async def test_it_is_known_whether_further_streams_of_a_call_may_be_about_to_begin(tmp_path, server, clock):
    async with SQLiteStore(tmp_path) as store:
        registry = CallRegistry(services(store, server, clock), max_calls=1)
        assert not registry.openings.is_gathering("CA1", 60.0)
        opening = asyncio.create_task(registry.open(started()))
        await asyncio.sleep(0)
        assert registry.openings.is_gathering("CA1", 0.0), "it waits for the recovery"
        await registry.recover()
        await opening

        assert registry.openings.is_gathering("CA1", 60.0)
        assert not registry.openings.is_gathering("CA1", 0.0)
        assert not registry.openings.is_gathering("CA2", 60.0)
        await registry.end_all(10.0)


async def heard_elsewhere(store, server, clock):
    """A call of a process that stops, of which this one has been sent a stream."""
    registry = CallRegistry(services(store, server, clock, grace=10.0), max_calls=3)
    await registry.recover()
    store.hand_overs = handing = MemoryHandOvers()
    handing.had["CA1"] = asyncio.Event()
    opening = asyncio.create_task(registry.open(started()))
    await asyncio.sleep(0)
    registry.on_early("CA1")
    await until(lambda: handing.heard == ["CA1"])
    assert not opening.done()
    return registry, opening, handing.had["CA1"]


async def test_a_stream_of_a_call_that_a_process_hands_over_waits_and_goes_on_in_its_record(store, server, clock):
    await store.append([words.started()])
    registry, opening, gone = await heard_elsewhere(store, server, clock)
    await store.release("CA1")
    await registry._recovery.find()
    gone.set()
    await opening

    assert [row.id for row in await store.calls()] == ["CA1"]
    assert registry.counters == {"adopted": 1}
    await registry.end_all(10.0)


async def test_a_stream_that_was_asked_for_begins_no_further_record_of_a_call_that_another_process_hears(
    store, server, clock
):
    await store.append([words.started()])
    registry = CallRegistry(services(store, server, clock, grace=10.0), max_calls=3)
    await registry.recover()  # which finds that the call has an owner
    with pytest.raises(CallRefused, match="another process hears the call"):
        await registry.open(replace(started(), asked=True))

    assert [row.id for row in await store.calls()] == ["CA1"]
    await registry.end_all(10.0)


async def test_where_another_process_is_quicker_to_take_a_call_that_is_waited_for(store, server, clock, monkeypatch):
    await store.append([words.started()])
    registry, opening, gone = await heard_elsewhere(store, server, clock)
    await store.release("CA1")
    await registry._recovery.find()
    answers, really = [None], store.take

    async def take(call_id):
        if not answers:
            return await really(call_id)
        store.hand_overs.had["CA1"] = again  # it is the other's now
        return answers.pop()

    again = asyncio.Event()
    monkeypatch.setattr(store, "take", take)
    monkeypatch.setattr(store, "lease", 10.0)
    gone.set()
    await until(lambda: store.hand_overs.heard == ["CA1", "CA1"])
    assert not opening.done()
    again.set()
    await opening

    assert [row.id for row in await store.calls()] == ["CA1"]
    await registry.end_all(10.0)


async def test_a_call_that_is_hung_up_while_a_process_hands_it_over_has_no_further_record(store, server, clock):
    await store.append([words.started()])
    clock.time = words.STARTED_AT
    registry, opening, gone = await heard_elsewhere(store, server, clock)
    await store.append([words.ended(seq=2)])
    gone.set()
    with pytest.raises(CallRefused, match="ended while another process heard it"):
        await opening

    assert [row.id for row in await store.calls()] == ["CA1"]


async def test_a_process_that_stops_takes_up_no_call_of_others(store, server, clock):
    registry = CallRegistry(services(store, server, clock, grace=10.0), max_calls=3)
    await store.append([words.started()])
    await store.release("CA1")
    registry.taking = False
    await registry.recover()

    assert registry.calls == {}


async def test_a_stream_does_not_begin_another_record_because_the_row_of_its_call_is_locked(
    store, server, clock, monkeypatch
):
    registry = CallRegistry(services(store, server, clock, grace=10.0), max_calls=3)
    await registry.recover()
    await store.append([words.started()])
    await store.release("CA1")
    answers, really = [None], store.take

    async def take(call_id):
        return answers.pop() if answers else await really(call_id)

    monkeypatch.setattr(store, "take", take)
    monkeypatch.setattr(store, "lease", 10.0)
    await registry.open(started())

    assert [row.id for row in await store.calls()] == ["CA1"]
    await registry.end_all(10.0)
