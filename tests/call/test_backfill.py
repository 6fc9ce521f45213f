"""Kept audio after the call, against the local Deepgram's pre-recorded API."""

import asyncio
import contextlib
import json
import time
from random import Random

import pytest

from bridge.audio import SAMPLE_RATE, interleave
from bridge.call import backfill as module
from bridge.call import leftovers, pieces
from bridge.call.backfill import Backfill, BackfillPolicy
from bridge.call.call_options import CallOptions
from bridge.deepgram import options
from bridge.deepgram.breaker import CircuitBreakerPolicy
from bridge.deepgram.messages import Blame
from bridge.errors import StoreError
from bridge.events import CallEnded, CallResumed, Event, Stretch, timestamp
from bridge.local.deepgram import Faults
from bridge.redaction.rules import Rules
from bridge.store.archive.archive import Archive
from bridge.store.audio import AudioStore, Recordings
from bridge.store.base import Query
from bridge.store.sqlite import SQLiteStore
from tests.fakes.http import read_request
from tests.fakes.http import server as server_of
from tests.fakes.objects import MemoryObjects
from tests.fakes.origins import at
from tests.fakes.running import AUDIO, SCRIPT, deepgram
from tests.fakes.stereo import deinterleave
from tests.fakes.waiting import until
from tests.fakes.words import STARTED_AT, final, started

STEREO = interleave(*AUDIO)
WEEK = 7 * 86_400.0


@pytest.fixture
async def stores(tmp_path):
    async with SQLiteStore(tmp_path) as store, AudioStore(tmp_path, limit=2**30) as audio:
        yield store, audio


def backfill(
    stores,
    server,
    origins=None,
    overrides=frozenset(),
    wall=time.time,
    random=None,
    requests=None,
    redaction=Rules(),
    **policy,
):
    store, audio = stores
    return Backfill(
        store,
        audio,
        origins or at(server.url),
        BackfillPolicy(**{"first_pause": 0.01, "longest_pause": 0.02, **policy}),
        CallOptions(options.parse(""), overrides, redaction),
        wall=wall,
        random=random or Random(1),
        requests=requests,
    )


async def ended_call(
    stores, call_id="CA1", uncovered=(("inbound", 0.0, 12.0), ("outbound", 0.0, 12.0)), ago=0.0, at=None, **own
):
    """`ago`: seconds since its end; `at`: when that was, in seconds since 1970."""
    store, audio = stores
    file = audio.open(call_id)
    file.append(STEREO)
    file.close()
    await audio.flush()
    end = CallEnded(
        reason="stopped",
        duration=12.0,
        ended_at=timestamp(time.time() - ago if at is None else at),
        flush="timed_out",
        missing=12.0,
        uncovered=[Stretch(track=track, from_=start, to=end) for track, start, end in uncovered],
        counts={},
    )
    parameters = {f"deepgram.{name}": value for name, value in own.items()}
    await store.append(
        [started(call_id, parameters=parameters), Event(call_id, 2, f"{call_id}-2", timestamp(time.time()), end)]
    )


async def record(stores, call_id="CA1"):
    return [json.loads(event.body) for event in await stores[0].read(Query(call_id), limit=1000)]


async def words(stores, channel, call_id="CA1"):
    return [
        (word["start"], word["word"])
        for event in await record(stores, call_id)
        if event["type"] == "transcript.final" and event["data"]["channel"] == channel
        for word in event["data"]["words"]
    ]


def spoken(channel, start=0.0):
    return [(word.start, word.word) for word in SCRIPT.channels[channel] if (word.start + word.end) / 2 >= start]


async def test_what_a_call_lacks_is_transcribed_in_one_commit_and_the_audio_goes(stores, server):
    await ended_call(stores)
    async with backfill(stores, server) as service:
        assert await service.offer("CA1") is True
    events = await record(stores)

    assert await words(stores, 0) == spoken(0)
    assert await words(stores, 1) == spoken(1)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["type"] == "transcription.backfilled"
    assert events[-1]["data"]["request_id"] == server.requests[0].request_id
    assert events[-1]["data"]["model"] == "nova-3"
    assert stores[1].kept() == []


@pytest.mark.parametrize("release", [True, False])
async def test_a_call_that_has_not_ended_keeps_its_audio(stores, server, caplog, release):
    """A crash left it, and its stream may come back."""
    store, audio = stores
    file = audio.open("CA1")
    file.append(STEREO)
    file.close()
    await audio.flush()
    await store.append([started()])
    if release:
        await store.release("CA1")
    async with backfill(stores, server) as service:
        assert await service.offer("CA1") is False

    assert caplog.records[-1].reason == "call CA1 has not ended"
    assert audio.kept() == ["CA1"]
    assert server.requests == []


class Forgetful:
    """A store that reads well, and keeps nothing any more."""

    def __init__(self, store):
        self.read = store.read

    async def append(self, events, interims=()):
        raise StoreError("the disk is gone")


async def test_audio_stays_whose_words_the_store_did_not_keep(stores, server, caplog):
    await ended_call(stores)
    async with backfill((Forgetful(stores[0]), stores[1]), server) as service:
        assert await service.offer("CA1") is False

    assert "did not keep" in caplog.records[-1].reason
    assert stores[1].kept() == ["CA1"]


async def test_each_track_gets_only_what_it_lacks(stores, server):
    await ended_call(stores, uncovered=[("inbound", 6.0, 12.0), ("outbound", 9.0, 12.0)])
    async with backfill(stores, server) as service:
        await service.offer("CA1")

    assert await words(stores, 0) == spoken(0, 6.0)
    assert await words(stores, 1) == spoken(1, 9.0)


async def test_a_refusal_that_passes_is_tried_again(stores, server):
    server.request_faults = Faults(first=3, refuse=503)
    await ended_call(stores)
    async with backfill(stores, server) as service:
        assert await service.offer("CA1") is True

    assert len(server.requests) == 4
    assert await words(stores, 0) == spoken(0)


async def test_where_a_calls_own_options_are_refused_everybodys_are_asked_for(stores, server):
    server.request_faults = Faults(first=1, refuse=400)
    await ended_call(stores, language="es")
    async with backfill(stores, server, overrides=frozenset({"language"})) as work:
        assert await work.offer("CA1")

    assert len(server.requests) == 2
    assert await words(stores, 0) == spoken(0)


async def test_a_request_that_will_never_work_is_given_up_at_once(stores, server):
    server.request_faults = Faults(refuse=400)
    await ended_call(stores)
    async with backfill(stores, server) as service:
        assert await service.offer("CA1") is False
    gaps = [event["data"] for event in await record(stores) if event["type"] == "audio.gap"]

    assert len(server.requests) == 1
    assert [(gap["track"], gap["from"], gap["to"], gap["why"]) for gap in gaps] == [
        ("inbound", 0.0, 12.0, "not_transcribed"),
        ("outbound", 0.0, 12.0, "not_transcribed"),
    ]
    assert stores[1].kept() == ["CA1"]


async def test_a_server_that_takes_less_at_once_gets_less_at_once(stores, monkeypatch):
    monkeypatch.setattr(pieces, "SHORTEST", SAMPLE_RATE)
    taken, refused = [], []

    async def script(reader, writer):
        while request := await read_request(reader):
            size = len(request)
            (refused if size > 100_000 else taken).append(size)
            status, body = (413, b"") if size > 100_000 else (200, b'{"results":{"utterances":[]}}')
            writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))

    class Small:
        url = ""

    await ended_call(stores)
    async with server_of(script) as url:
        Small.url = url.replace("http", "ws").rstrip("/")
        async with backfill(stores, Small) as service:
            assert await service.offer("CA1") is True

    assert len(refused) == 1
    assert len(taken) >= 2
    assert stores[1].kept() == []


async def test_what_was_given_up_can_be_asked_for_again_and_is_told_once(stores, server):
    server.request_faults = Faults(first=2, refuse=503)
    await ended_call(stores, ago=7200.0)
    async with backfill(stores, server) as service:
        assert await service.offer("CA1") is False
        assert await service.offer("CA1") is False
        assert await service.offer("CA1") is True
    types = [event["type"] for event in await record(stores)]

    assert types.count("audio.gap") == 2
    assert await words(stores, 1) == spoken(1)


async def test_patience_outlasts_the_policy(stores, server):
    server.request_faults = Faults(first=3, refuse=503)
    await ended_call(stores, ago=7200.0)
    async with backfill(stores, server) as service:
        assert await service.offer("CA1", patience=30.0) is True


class Hurried(Random):
    """Pauses are none; between which bounds they were to be is told."""

    def __init__(self):
        super().__init__(1)
        self.bounds = []

    def uniform(self, a, b):
        self.bounds.append((a, b))
        return 0.0


@pytest.mark.parametrize(
    ("lasts", "patience", "longest", "requests"),
    [
        (10.0, 0.0, 60.0, 4),  # after pauses of 2, 4 and 8 s, which are the usual ones, the next would be one of 16
        (2.0, 0.0, 60.0, 2),
        (1.9, 0.0, 60.0, 1),
        (9.0, 0.0, 10.0, 4),
        (8.0, 20.0, 60.0, 5),
        (17.0, 5.0, 60.0, 5),
    ],
)
async def test_it_is_tried_with_growing_pauses_until_its_time_is_over(
    stores, server, lasts, patience, longest, requests
):
    server.request_faults = Faults(refuse=503)
    await ended_call(stores, at=STARTED_AT)
    usual = BackfillPolicy().first_pause
    policy = {"timeout": lasts, "first_pause": usual, "longest_pause": longest}
    hurried = Hurried()
    async with backfill(stores, server, wall=lambda: STARTED_AT, random=hurried, **policy) as service:
        assert await service.offer("CA1", patience) is False

    assert len(server.requests) == requests
    assert service.counters == {"refused": requests, "given_up": 1}
    assert hurried.bounds == [(0.5, 1.0)] * (requests - 1)


class OnceHeard(Faults):
    """Only the third request is answered well."""

    def of_connection(self, index):
        return Faults() if index == 2 else self


async def test_unless_it_is_told_otherwise_a_call_is_tried_for_an_hour(stores, server):
    server.request_faults = Faults(refuse=503)
    await ended_call(stores, at=STARTED_AT)
    policy = {"first_pause": 3600.0, "longest_pause": 3600.5}
    async with backfill(stores, server, wall=lambda: STARTED_AT, random=Hurried(), **policy) as service:
        assert await service.offer("CA1") is False

    assert len(server.requests) == 2


async def test_a_call_that_another_process_asks_for_is_tried_for_a_minute(stores, server, tmp_path):
    server.request_faults = Faults(refuse=503)
    await ended_call(stores, at=STARTED_AT)
    module.request(tmp_path / "requests", "CA1")
    policy = {"first_pause": 60.0, "longest_pause": 60.5, "requests": tmp_path / "requests"}
    async with backfill(stores, server, wall=lambda: STARTED_AT + WEEK, random=Hurried(), **policy) as service:
        await until(lambda: service.counters["given_up"])

    assert len(server.requests) == 2


async def test_after_a_success_the_pauses_begin_anew(stores, server):
    server.request_faults = OnceHeard(refuse=503)
    await ended_call(stores, uncovered=[("inbound", 0.0, 4.0), ("inbound", 8.0, 12.0)], at=STARTED_AT)
    policy = {"timeout": 5.0, "first_pause": 2.0, "longest_pause": 60.0}
    async with backfill(stores, server, wall=lambda: STARTED_AT, random=Hurried(), **policy) as service:
        assert await service.offer("CA1") is False

    # Of the second stretch, as of the first: after pauses of 2 and 4 s the next would be one of 8.
    assert len(server.requests) == 3 + 3


async def test_a_call_is_worked_on_once_at_a_time_and_can_be_offered_again(stores, server, caplog):
    caplog.set_level("INFO")
    await ended_call(stores)
    async with backfill(stores, server) as service:
        first = service.offer("CA1")
        assert service.offer("CA1") is first
        assert service.waiting == 1
        assert await first is True
        await asyncio.sleep(0)
        assert service.waiting == 0
        assert service.counters == {"done": 1}
        assert await service.offer("CA1") is False  # nothing is kept of it any more

    (over,) = [record for record in caplog.records if record.message == "backfill over"]
    assert (over.levelname, over.call_id, over.done) == ("INFO", "CA1", True)


async def test_a_call_that_waits_for_its_next_try_holds_up_no_other(stores, server):
    server.request_faults = Faults(first=1, refuse=503)
    await ended_call(stores, "CA1")
    await ended_call(stores, "CA2")
    async with backfill(stores, server, at_once=1, first_pause=60.0, longest_pause=60.0) as service:
        stuck = service.offer("CA1")
        await until(lambda: service.counters["refused"] == 1)
        async with asyncio.timeout(60):
            assert await service.offer("CA2") is True
        assert not stuck.done()

    assert stuck.cancelled()
    assert await words(stores, 0, "CA2") == spoken(0)
    assert stores[1].kept() == ["CA1"]


async def test_a_slow_answer_here_does_not_close_the_gate_to_live_calls(stores, server):
    origins = at(server.url)
    server.request_faults = Faults(first=8, refuse=503)
    await ended_call(stores)
    async with backfill(stores, server, origins) as service:
        await service.offer("CA1")

    assert origins.is_closed


async def test_an_answer_opens_it_again(stores, server):
    origins = at(server.url, breaker=CircuitBreakerPolicy(account_probe=0.0))
    server.request_faults = Faults(first=1, refuse=401)
    await ended_call(stores)
    async with backfill(stores, server, origins) as service:
        assert await service.offer("CA1") is True

    assert origins.is_closed


async def test_a_bad_key_closes_it(stores, server):
    origins = at(server.url)
    server.request_faults = Faults(refuse=401)
    await ended_call(stores, ago=7200.0)
    async with backfill(stores, server, origins) as service:
        await service.offer("CA1")

    assert not origins.is_closed


@pytest.mark.parametrize("status", [400, 401, 503])
async def test_what_one_origin_refuses_is_asked_of_the_next(stores, server, status):
    told = []
    async with deepgram() as other:
        server.request_faults = Faults(refuse=status)
        await ended_call(stores)
        async with backfill(stores, server, at(server.url, other.url)) as service:
            service._on_refusal = lambda *refusal: told.append(refusal)
            assert await service.offer("CA1") is True

    assert told == []
    assert await words(stores, 0) == spoken(0)
    assert [len(each.requests) for each in (server, other)] == [1, 1]


@pytest.mark.parametrize(("second", "tries"), [(400, 1), (503, 2)])
async def test_what_no_origin_will_ever_take_is_given_up_and_the_rest_is_tried_again(stores, server, second, tries):
    async with deepgram() as other:
        told = []
        server.request_faults, other.request_faults = Faults(refuse=400), Faults(first=1, refuse=second)
        await ended_call(stores)
        async with backfill(stores, server, at(server.url, other.url)) as service:
            service._on_refusal = lambda call_id, refusal: told.append(refusal.blame)
            assert await service.offer("CA1") is (tries == 2)

    assert told == [Blame.REQUEST if tries == 1 else Blame.PASSING]
    assert [len(each.requests) for each in (server, other)] == [tries, tries]


async def test_after_a_start_what_was_left_is_taken_up_but_for_what_was_given_up(stores, server):
    store, audio = stores
    server.request_faults = Faults(first=1, refuse=400)
    await ended_call(stores, "CA1")
    async with backfill(stores, server) as service:
        await service.offer("CA1")
    await ended_call(stores, "CA2")
    await ended_call(stores, "CA3", uncovered=[])
    audio.open("CA4").close()  # of a call that never got into the log
    async with backfill(stores, server) as service:
        await service.recover()
        async with asyncio.timeout(60):
            while service.waiting:
                await asyncio.sleep(0.005)

    assert await words(stores, 0, "CA2") == spoken(0)
    assert audio.kept() == ["CA1"]


@contextlib.asynccontextmanager
async def on_another_disk(stores, objects, path):
    """The same store, with nothing of the audio but what is in the archive."""
    async with Archive(objects, path) as archive, AudioStore(path, limit=2**30, archive=archive) as audio:
        yield stores[0], audio


async def test_a_node_transcribes_what_another_has_handed_over_and_leaves_alone_what_is_not_in_its_record(
    stores, server, tmp_path
):
    objects = MemoryObjects()
    async with on_another_disk(stores, objects, tmp_path / "dead") as dead:
        await ended_call(dead, "CA1")
        await ended_call(dead, "CA2", uncovered=[])
        await ended_call(dead, "CA3")
        await dead[1].flush()
        await until(lambda: len(objects.contents) == 3)
    objects.objects["CA9/audio/000000000000.ulaw"] = STEREO
    await stores[0].delete("CA3")
    async with on_another_disk(stores, objects, tmp_path / "alive") as alive, backfill(alive, server) as service:
        await service.recover()
        await until(lambda: not service.waiting and len(objects.contents) == 2)

    assert await words(stores, 0, "CA1") == spoken(0)
    assert sorted(objects.contents) == ["CA3/audio/000000000000.ulaw", "CA9/audio/000000000000.ulaw"]


async def test_what_only_a_dead_nodes_disk_had_is_a_gap(stores, server, tmp_path):
    """The first five seconds were handed over."""
    objects = MemoryObjects()
    await ended_call(stores, "CA1")
    objects.objects["CA1/audio/000000000000.ulaw"] = STEREO[: 5 * SAMPLE_RATE * 2]
    async with on_another_disk(stores, objects, tmp_path / "alive") as alive, backfill(alive, server) as service:
        assert await service.offer("CA1")

    gaps = [event for event in await record(stores) if event["type"] == "audio.gap"]
    told = {(gap["data"]["track"], gap["data"]["from"], gap["data"]["to"], gap["data"]["why"]) for gap in gaps}
    assert told == {("inbound", 5.0, 12.0, "overflow"), ("outbound", 5.0, 12.0, "overflow")}


async def test_a_store_that_cannot_be_asked_is_asked_at_the_next_sweep(stores, server, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(leftovers, "ALONE", 0.001)
    objects = MemoryObjects()
    async with on_another_disk(stores, objects, tmp_path / "dead") as dead:
        await ended_call(dead, "CA1")
        await dead[1].flush()
        await until(lambda: objects.contents)
    objects.fails = "the object store does not answer in time"
    async with on_another_disk(stores, objects, tmp_path / "alive") as alive, backfill(alive, server) as service:
        await service.recover()
        assert [record.message for record in caplog.records] == ["cannot look for audio elsewhere"]
        objects.fails = None
        await until(lambda: service.counters["done"])

    assert await words(stores, 0, "CA1") == spoken(0)


async def test_after_a_start_a_call_that_has_not_ended_is_left_as_it_is(stores, server, caplog):
    store, audio = stores
    lacking = [Stretch(track="inbound", from_=0.0, to=1.0)]
    resumed = CallResumed(reason="bridge_restarted", stream_id="MZ2", at=2.0, uncovered=lacking)
    await store.append([started(), Event("CA1", 2, "CA1-2", timestamp(time.time()), resumed)])
    file = audio.open("CA1")
    file.append(STEREO)
    file.close()
    await audio.flush()
    async with backfill(stores, server) as service:
        await service.recover()
        assert service.waiting == 0

    assert audio.kept() == ["CA1"]
    assert caplog.records == []


async def test_a_call_that_is_left_alone_is_worked_on_no_more(stores, server):
    server.request_faults = Faults(refuse=503)
    await ended_call(stores)
    async with backfill(stores, server) as service:
        await service.cancel("CA1")  # nobody works on it
        task = service.offer("CA1")
        await until(lambda: server.requests)
        await service.cancel("CA1")
        assert task.cancelled()
        assert service.waiting == 0

    assert stores[1].kept() == ["CA1"]


async def test_a_call_that_is_not_there_is_no_more_than_a_log_line(stores, server, caplog):
    async with backfill(stores, server) as service:
        assert await service.offer("CA9") is False

    assert "not backfilled" in caplog.text


async def test_where_audio_is_kept_for_good_what_a_crash_has_left_becomes_a_recording(tmp_path, server):
    async with SQLiteStore(tmp_path) as store:
        async with AudioStore(tmp_path, limit=2**30) as audio:
            await ended_call((store, audio), "CA1")
            await ended_call((store, audio), "CA2", uncovered=[])
        async with AudioStore(tmp_path, limit=2**30, keep=True) as audio:
            async with backfill((store, audio), server) as service:
                await service.recover()
                async with asyncio.timeout(60):
                    while service.waiting:
                        await asyncio.sleep(0.005)
            assert audio.kept() == []
    for call_id in ("CA1", "CA2"):
        recording = await Recordings(tmp_path).open(call_id)
        assert await recording.read(0, recording.samples) == STEREO


async def test_what_a_crash_has_left_becomes_a_recording_that_is_silent_where_words_were_taken_out(tmp_path, server):
    """The process died between the last event and the silence."""
    said = {"track": "outbound", "start": 2.0, "end": 3.0, "redacted": [{"kind": "card", "start": 2.0, "end": 3.0}]}
    async with SQLiteStore(tmp_path) as store:
        async with AudioStore(tmp_path, limit=2**30) as audio:
            await ended_call((store, audio), "CA1", uncovered=[])
            await store.append([final("CA1", 3, **said)])
        async with AudioStore(tmp_path, limit=2**30, keep=True) as audio:
            async with backfill((store, audio), server, redaction=Rules(frozenset(("card",)), mute=True)) as service:
                await service.recover()
            assert audio.kept() == []
    recording = await Recordings(tmp_path).open("CA1")
    inbound, outbound = deinterleave(await recording.read(0, recording.samples))
    start, end = round(1.8 * 8000), round(3.2 * 8000)

    assert (inbound, outbound[:start], outbound[end:]) == (AUDIO[0], AUDIO[1][:start], AUDIO[1][end:])
    assert set(outbound[start:end]) == {0xFF}


async def given_up(stores, server, *calls):
    """These calls ended at STARTED_AT, and what they lack was given up."""
    server.request_faults = Faults(refuse=400)
    async with backfill(stores, server) as service:
        for call_id in calls:
            await ended_call(stores, call_id, at=STARTED_AT)
            await service.offer(call_id)


@pytest.mark.parametrize(("after", "kept"), [(WEEK, ["CA1"]), (WEEK + 0.5, [])])
async def test_audio_that_was_given_up_goes_once_it_is_too_old(stores, server, tmp_path, monkeypatch, after, kept):
    monkeypatch.setattr(leftovers, "ALONE", 0.001)
    await given_up(stores, server, "CA1")
    await ended_call(stores, "CA2", at=STARTED_AT - 3600.0)  # not given up yet
    looks = []

    def wall():
        looks.append(None)
        return STARTED_AT + after

    async with backfill(stores, server, wall=wall):
        await until(lambda: not (tmp_path / "audio" / "CA1").exists() or len(looks) > 2)

    assert stores[1].kept() == [*kept, "CA2"]


class Unreadable:
    """A store that cannot read one call."""

    def __init__(self, store, call_id):
        self._store, self._call_id = store, call_id

    async def read(self, query, *after, **named):
        if query.call_id == self._call_id:
            raise StoreError("the disk is damaged")
        return await self._store.read(query, *after, **named)


async def test_a_call_that_cannot_be_read_keeps_its_audio_and_no_other_call_from_losing_its(
    stores, server, monkeypatch, caplog
):
    monkeypatch.setattr(leftovers, "ALONE", 0.001)
    await given_up(stores, server, "CA1", "CA2")
    store, audio = stores
    async with backfill((Unreadable(store, "CA1"), audio), server, wall=lambda: STARTED_AT + 2 * WEEK):
        await until(lambda: audio.kept() == ["CA1"])

    (told, *_) = [record for record in caplog.records if record.message == "kept audio cannot go"]
    assert (told.call_id, told.reason) == ("CA1", "the disk is damaged")


async def test_another_process_asks_for_a_call_with_a_file(stores, server, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_LOOK", 0.001)
    requests = tmp_path / "spool" / "requests"
    await ended_call(stores, ago=7200.0)
    server.request_faults = Faults(first=1, refuse=503)
    async with backfill(stores, server, requests=requests) as service:
        await asyncio.sleep(0)
        for call_id in ("CA9", "CA1", "CA1"):
            module.request(requests, call_id)
        await until(lambda: service.counters["done"] and not list(requests.iterdir()))

    assert await words(stores, 0) == spoken(0), "it is tried for a while, however long ago it has ended"
    assert service.counters == {"refused": 1, "done": 1}


async def test_the_folder_of_requests_is_looked_at_now_and_then_only(stores, server, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_LOOK", 3600.0)
    requests = tmp_path / "requests"
    module.request(requests, "CA8")
    await ended_call(stores)
    async with backfill(stores, server, requests=requests) as service:
        await until(lambda: not (requests / "CA8").exists())
        module.request(requests, "CA9")
        assert await service.offer("CA1")

    assert (requests / "CA9").exists()


def test_a_request_is_for_the_owner_only(tmp_path):
    module.request(tmp_path / "requests", "CA1")

    assert (tmp_path / "requests").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "requests" / "CA1").stat().st_mode & 0o777 == 0o600


async def test_a_folder_of_requests_that_cannot_be_read_is_told_and_harms_nothing(stores, server, tmp_path, caplog):
    requests = tmp_path / "requests"
    (requests / "no-file").mkdir(parents=True)
    await ended_call(stores)
    async with backfill(stores, server, requests=requests) as service:
        await until(lambda: any("cannot look" in record.message for record in caplog.records))
        assert await service.offer("CA1") is True

    assert caplog.text.count("cannot look") == 1


async def test_a_folder_of_requests_is_looked_at_again_once_it_can_be_read(
    stores, server, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(module, "_TROUBLE", 0.001)
    requests = tmp_path / "requests"
    (requests / "no-file").mkdir(parents=True)
    await ended_call(stores)
    async with backfill(stores, server, requests=requests) as service:
        await until(lambda: any("cannot look" in record.message for record in caplog.records))
        (requests / "no-file").rmdir()
        module.request(requests, "CA1")
        await until(lambda: service.counters["done"])
