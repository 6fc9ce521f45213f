"""Kept audio after the call, against the local Deepgram's pre-recorded API."""

import asyncio
import json
import time
from random import Random

import pytest

from bridge.audio import SAMPLE_RATE, interleave
from bridge.call import pieces
from bridge.call.backfill import Backfill, BackfillPolicy
from bridge.call.call_options import CallOptions
from bridge.deepgram import options
from bridge.deepgram.breaker import CircuitBreaker
from bridge.errors import StoreError
from bridge.events import CallEnded, Event, Stretch, timestamp
from bridge.local.deepgram import Faults
from bridge.store.audio import AudioStore, Recordings
from bridge.store.base import Query
from bridge.store.sqlite import SQLiteStore
from tests.fakes.http import read_request
from tests.fakes.http import server as server_of
from tests.fakes.running import AUDIO, SCRIPT, deepgram
from tests.fakes.waiting import until
from tests.fakes.words import started

STEREO = interleave(*AUDIO)


@pytest.fixture
async def server():
    async with deepgram() as local:
        yield local


@pytest.fixture
async def stores(tmp_path):
    async with SQLiteStore(tmp_path) as store, AudioStore(tmp_path, limit=2**30) as audio:
        yield store, audio


def backfill(stores, server, breaker=None, overrides=frozenset(), **policy):
    store, audio = stores
    return Backfill(
        store,
        audio,
        breaker or CircuitBreaker(),
        BackfillPolicy(server.url, "key", **{"first_pause": 0.01, "longest_pause": 0.02, **policy}),
        CallOptions(options.parse(""), overrides),
        wall=time.time,
        random=Random(1),
    )


async def ended_call(
    stores, call_id="CA1", uncovered=(("inbound", 0.0, 12.0), ("outbound", 0.0, 12.0)), ago=0.0, **own
):
    store, audio = stores
    file = audio.open(call_id)
    file.append(STEREO)
    file.close()
    await audio.flush()
    end = CallEnded(
        reason="stopped",
        duration=12.0,
        ended_at=timestamp(time.time() - ago),
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


async def test_a_call_that_waits_for_its_next_try_holds_up_no_other(stores, server):
    server.request_faults = Faults(first=1, refuse=503)
    await ended_call(stores, "CA1")
    await ended_call(stores, "CA2")
    async with backfill(stores, server, at_once=1, first_pause=60.0, longest_pause=60.0) as service:
        stuck = service.offer("CA1")
        await until(lambda: service.counters["refused"] == 1)
        async with asyncio.timeout(10):
            assert await service.offer("CA2") is True
        assert not stuck.done()

    assert await words(stores, 0, "CA2") == spoken(0)
    assert stores[1].kept() == ["CA1"]


async def test_a_slow_answer_here_does_not_close_the_gate_to_live_calls(stores, server):
    breaker = CircuitBreaker()
    server.request_faults = Faults(first=8, refuse=503)
    await ended_call(stores)
    async with backfill(stores, server, breaker) as service:
        await service.offer("CA1")

    assert breaker.is_closed
    assert breaker.turned_away == 0


async def test_a_bad_key_closes_it(stores, server):
    breaker = CircuitBreaker()
    server.request_faults = Faults(refuse=401)
    await ended_call(stores, ago=7200.0)
    async with backfill(stores, server, breaker) as service:
        await service.offer("CA1")

    assert not breaker.is_closed


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
        async with asyncio.timeout(10):
            while service.waiting:
                await asyncio.sleep(0.005)

    assert await words(stores, 0, "CA2") == spoken(0)
    assert audio.kept() == ["CA1"]


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
                async with asyncio.timeout(10):
                    while service.waiting:
                        await asyncio.sleep(0.005)
            assert audio.kept() == []
    for call_id in ("CA1", "CA2"):
        recording = await Recordings(tmp_path).open(call_id)
        assert await recording.read(0, recording.samples) == STEREO


async def test_a_folder_of_requests_that_cannot_be_read_is_told_and_harms_nothing(stores, server, tmp_path, caplog):
    requests = tmp_path / "requests"
    (requests / "no-file").mkdir(parents=True)
    await ended_call(stores)
    store, audio = stores
    policy = BackfillPolicy(server.url, "key")
    call_options = CallOptions(options.parse(""))
    async with Backfill(
        store, audio, CircuitBreaker(), policy, call_options, wall=time.time, random=Random(1), requests=requests
    ) as service:
        await until(lambda: any("cannot look" in record.message for record in caplog.records))
        assert await service.offer("CA1") is True
