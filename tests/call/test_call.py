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
from tests.fakes.calls import NOW, HandClock, feed, services, started
from tests.fakes.running import SCRIPT, deepgram
from tests.fakes.waiting import tasks_of, until


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


def opened(store, server, audio=None, grace=0.0):
    """A call and its first stream."""
    call = Call("CA1", started(), services(store, server, HandClock(), grace=grace), audio=audio)
    return call, call.attach(started())


async def events(store, *kinds):
    return [json.loads(event.body) for event in await store.read(Query("CA1", kinds), limit=1000)]


async def test_what_a_full_store_refused_is_kept_first_of_all_later(tmp_path, server):
    async with SQLiteStore(tmp_path) as store:
        call, stream = opened(FullStore(store, refusals=3), server)
        feed(stream, 12.0)
        stream.end("stopped")
        async with asyncio.timeout(60):
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
    assert call.counts["deepgram_sockets"] == 1


async def test_a_key_that_is_pressed_before_any_audio_was_pressed_at_the_start(tmp_path, server):
    async with SQLiteStore(tmp_path) as store:
        call, stream = opened(store, server)
        stream.receive(Digit("outbound", "#"))
        stream.end("stopped")
        await call.wait_over()
        (digit,) = await events(store, "dtmf.received")

    assert digit["data"] == {"track": "outbound", "digit": "#", "at": 0.0}


async def test_the_end_counts_streams_those_that_were_lost_and_what_could_not_be_read(tmp_path, server, caplog):
    caplog.set_level("INFO")
    async with SQLiteStore(tmp_path) as store:
        call, stream = opened(store, server, grace=10.0)
        feed(stream, 1.0)
        stream.end("carrier_disconnected", bad_messages=3)
        stream = call.attach(started(stream="MZ2"))
        feed(stream, 1.0)
        stream.end("stopped", bad_messages=2)
        await call.wait_over()
        (ended,) = await events(store, "call.ended")

    counts = ended["data"]["counts"]
    assert (counts["streams"], counts["streams_lost"], counts["bad_messages"]) == (2, 1, 5)
    assert counts["deepgram_sockets"] == 1
    assert "streams_asked_for" not in counts
    assert call.counts == counts
    assert [record.stream_id for record in caplog.records if record.message == "further stream"] == ["MZ2"]


@pytest.mark.parametrize("seconds", [1.02, 1.04, 1.06])
async def test_a_call_lasts_until_its_last_frame(tmp_path, server, seconds):
    async with SQLiteStore(tmp_path) as store:
        call, stream = opened(store, server)
        feed(stream, seconds)
        stream.end("stopped")
        await call.wait_over()
        (ended,) = await events(store, "call.ended")

    assert ended["data"]["duration"] == seconds


@pytest.mark.parametrize("refused", [400, None])
async def test_a_gap_is_told_before_the_end_whatever_deepgram_does(tmp_path, server, refused):
    server.faults = Faults(refuse=refused)
    async with SQLiteStore(tmp_path) as store:
        call, stream = opened(store, server)
        if refused:
            await until(lambda: call.interrupted)
        feed(stream, 1.0)
        feed(stream, 0.5, first=1500, skip=1.4, number=100)
        stream.end("stopped")
        await call.wait_over()
        told = await events(store)

    gaps = [event["data"] for event in told if event["type"] == "audio.gap" and event["data"]["why"] == "not_sent"]
    assert [(gap["track"], gap["from"], gap["to"]) for gap in gaps] == [("inbound", 1.0, 1.4), ("outbound", 1.0, 1.4)]
    assert told[-1]["type"] == "call.ended"


async def test_a_gap_is_told_as_soon_as_the_track_has_gone_on_for_long_enough(tmp_path, server):
    async with SQLiteStore(tmp_path) as store:
        call, stream = opened(store, server)
        feed(stream, 1.0)
        feed(stream, 2.0, first=1500, skip=1.4, number=100)
        assert call.counts["gaps"] == 2
        call.end("stopped")
        await call.wait_over()
        gaps = await events(store, "audio.gap")

    assert (gaps[0]["data"]["from"], gaps[0]["data"]["to"]) == (1.0, 1.4)


async def test_missing_audio_is_counted_by_carrier_and_cause_as_it_is_told(tmp_path, server):
    async with SQLiteStore(tmp_path) as store:
        given = services(store, server, HandClock())
        call = Call("CA1", started(), given)
        stream = call.attach(started())
        feed(stream, 1.0)
        feed(stream, 2.0, first=1500, skip=1.4, number=100)
        assert given.missing == {("twilio", "not_sent"): 800}  # milliseconds, of both tracks
        call.end("stopped")
        await call.wait_over()


async def test_a_gap_is_told_with_the_loss_of_its_stream(tmp_path, server):
    async with SQLiteStore(tmp_path) as store:
        call, stream = opened(store, server, grace=60.0)
        feed(stream, 1.0)
        feed(stream, 0.5, first=1500, skip=1.4, number=100)
        assert "gaps" not in call.counts
        stream.end("carrier_disconnected")
        assert call.counts["gaps"] == 2
        call.end("stopped")
        await call.wait_over()


class CountingClock(HandClock):
    """Counts how often it is looked at."""

    looks = 0

    def now(self):
        self.looks += 1
        return super().now()


async def test_a_call_that_waits_is_woken_only_when_something_is_due(tmp_path, server):
    clock = CountingClock()
    async with SQLiteStore(tmp_path) as store:
        call = Call("CA1", started(), services(store, server, clock, ContinuityPolicy(grace=60.0, tick=30.0)))
        stream = call.attach(started())
        feed(stream, 1.0)
        stream.end("carrier_disconnected")
        await until(lambda: server.connections and server.connections[0].audio)
        looks = clock.looks
        for _ in range(100):
            await asyncio.sleep(0)
        assert clock.looks == looks
        call.end("stopped")
        await call.wait_over()


async def test_once_a_call_is_over_nothing_of_its_way_to_deepgram_is_left(tmp_path, server):
    async with SQLiteStore(tmp_path) as store:
        call, stream = opened(store, server)
        feed(stream, 1.0)
        await until(lambda: server.connections and server.connections[0].audio)
        call.leave()
        call.let_go()
        await call.wait_over()
        assert tasks_of("Client") == []


async def test_a_stream_that_ends_before_its_first_frame_is_no_loss_to_a_call_that_goes_on(tmp_path, server):
    async with SQLiteStore(tmp_path) as store:
        call, stream = opened(store, server)
        feed(stream, 1.0)
        call.attach(started(stream="MZ2")).end("stopped")
        assert call.reason is None
        stream.end("stopped")
        await call.wait_over()

    assert call.reason == "stopped"


async def test_what_a_stream_sends_after_the_end_is_heard_by_no_one(tmp_path, server):
    async with SQLiteStore(tmp_path) as store, AudioStore(tmp_path, limit=2**30) as audio:
        file = audio.open("CA1")
        call, stream = opened(store, server, file)
        feed(stream, 1.02)
        call.end("stopped")
        feed(stream, 1.0, first=1120, skip=1.02, number=102)
        stream.receive(Digit("inbound", "5"))
        await call.wait_over()
        told = await events(store)

    assert told[-1]["data"]["duration"] == 1.02
    assert file.end == round(1.02 * 8000)
    assert "dtmf.received" not in [event["type"] for event in told]


async def test_kept_audio_goes_as_finals_cover_it_and_all_of_it_with_a_whole_record(tmp_path, server):
    async with SQLiteStore(tmp_path) as store, AudioStore(tmp_path, limit=2**30) as audio:
        file = audio.open("CA1")
        call, stream = opened(store, server, file)
        for part in range(4):
            feed(stream, 3.0, 100 + 3000 * part, 3.0 * part, number=300 * part)
            # Finals are durable before the audio goes that they cover.
            await until(lambda part=part: call.counts.get("finals", 0) > part and not call.unkept)
        assert 0 < file.settled < file.end
        stream.end("stopped")
        await call.wait_over()
        assert (audio.is_open("CA1"), audio.kept()) == (False, [])


async def test_a_word_that_is_being_said_when_the_process_stops_is_left_whole_to_the_next(tmp_path, server):
    word = next(word for word in SCRIPT.channels[0] if word.start > 3.0)
    within = round((word.start + word.end) / 2 / 0.02) * 0.02
    async with SQLiteStore(tmp_path) as store, AudioStore(tmp_path, limit=2**30) as audio:
        file = audio.open("CA1")
        call, stream = opened(store, server, file)
        feed(stream, within)
        call.leave()
        await call.wait_heard()
        call.let_go()
        await call.wait_over()
        finals = await events(store, "transcript.final")

    assert not [final for final in finals if final["data"]["channel"] == 0 and final["data"]["end"] > word.start]
    assert min(stretch["from"] for stretch in file.note["uncovered"] if stretch["track"] == "inbound") <= word.start


async def test_a_carrier_that_does_not_answer_is_asked_no_more_once_the_call_is_over(tmp_path, server):
    asked = []

    async def refork(started, tracks):
        asked.append(asyncio.current_task())
        await asyncio.Event().wait()

    patience = ContinuityPolicy(grace=10.0)
    async with SQLiteStore(tmp_path) as store:
        call = Call("CA1", started(), services(store, server, SystemClock(), patience, refork=refork))
        stream = call.attach(started())
        feed(stream, 1.0)
        stream.end("carrier_disconnected")
        await until(lambda: asked)
        call.end("stopped")
        await call.wait_over()
        await until(asked[0].done)

    assert asked[0].cancelled()


async def test_streams_that_the_carrier_agreed_to_send_are_counted(tmp_path, server):
    async def refork(started, tracks):
        return None

    patience = ContinuityPolicy(grace=10.0)
    async with SQLiteStore(tmp_path) as store:
        call = Call("CA1", started(), services(store, server, SystemClock(), patience, refork=refork))
        stream = call.attach(started())
        feed(stream, 1.0)
        stream.end("carrier_disconnected")
        await until(lambda: call.counts.get("streams_asked_for"))
        call.end("stopped")
        await call.wait_over()
        (ended,) = await events(store, "call.ended")

    assert ended["data"]["counts"]["streams_asked_for"] == 1


async def test_what_becomes_of_the_way_to_deepgram_is_in_the_record(tmp_path, server):
    server.faults = Faults(first=1, refuse=503)
    async with SQLiteStore(tmp_path) as store:
        call, stream = opened(store, server)
        await until(lambda: call.interrupted)
        feed(stream, 12.0)
        await until(lambda: not call.interrupted)
        stream.end("stopped")
        await call.wait_over()
        told = [event["type"] for event in await events(store)]

    assert told[1] == "transcription.interrupted"
    assert "transcription.resumed" in told


async def test_where_a_lost_stream_ended_is_noted_at_once_beside_the_kept_audio(tmp_path, server):
    async with SQLiteStore(tmp_path) as store, AudioStore(tmp_path, limit=2**30) as audio:
        file = audio.open("CA1")
        call, stream = opened(store, server, file, grace=10.0)
        feed(stream, 1.0)
        before = dict(file.note)
        stream.end("carrier_disconnected")
        lost = dict(file.note)
        feed(call.attach(started(stream="MZ2")), 1.0)
        again = dict(file.note)
        call.end("stopped")
        await call.wait_over()

    assert (before["heard"], lost["heard"], again["heard"]) == (None, 8000, None)
    assert before["tracks"] == ["inbound", "outbound"]
    assert before["anchor"] == lost["anchor"] == NOW - 0.02


async def test_a_track_whose_stream_has_ended_is_not_waited_for(tmp_path, server):
    async with SQLiteStore(tmp_path) as store, AudioStore(tmp_path, limit=2**30) as audio:
        file = audio.open("CA1")
        call = Call("CA1", started(), services(store, server, HandClock()), audio=file)
        inbound, outbound = (call.attach(started(stream=track, tracks=(track,))) for track in ("inbound", "outbound"))
        feed(outbound, 0.12, tracks=("outbound",))
        feed(inbound, 0.6, tracks=("inbound",))
        waited = file.end
        outbound.end("stopped")
        went_on = file.end
        inbound.end("stopped")
        await call.wait_over()

    assert waited < 0.2 * 8000 < 0.5 * 8000 < went_on


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

    patience = ContinuityPolicy(grace=10.0, ask_again=0.01, tick=60.0)
    async with SQLiteStore(tmp_path) as store:
        call = Call("CA1", started(), services(store, server, SystemClock(), patience, refork=refork))
        stream = call.attach(started(tracks=("outbound",)))
        feed(stream, 1.0, tracks=("outbound",))
        stream.end("carrier_disconnected")
        async with asyncio.timeout(60):
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
        async with asyncio.timeout(60):
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
        async with asyncio.timeout(60):
            while not file.note or not file.note["holes"]:
                await asyncio.sleep(0.005)
        call.end("stopped")
        await call.wait_over()

    assert file.note["holes"]
    assert call.uncovered
