"""A call that two processes hear for a while: the one lets go, the other goes on, and nothing is missing or twice."""

import asyncio
import json
import random
from collections import Counter
from dataclasses import replace

import pytest

from bridge.align.seam import Tail
from bridge.audio import interleave, silence
from bridge.call import CallRegistry, keeping
from bridge.call.overlap import TAIL, Handed, Overlap
from bridge.call.stream import Leads
from bridge.carriers.messages import Media
from bridge.store.audio import AudioStore
from bridge.store.base import Query
from bridge.store.sqlite import SQLiteStore
from tests.fakes.calls import HandClock, feed, services, started
from tests.fakes.hand_overs import MemoryHandOvers
from tests.fakes.running import AUDIO, SCRIPT, deepgram

SECOND = 8000
WORDS = random.Random(1).randbytes(20 * SECOND)


def frames(begin, end, clock=0):
    return [
        Media(track, clock + (at - begin) // 8, None, WORDS[at : at + 160])
        for at in range(begin, end, 160)
        for track in ("inbound", "outbound")
    ]


def test_what_it_hears_is_distinctive_once_the_other_process_hears_it_too():
    overlap = Overlap(0.0, 5 * SECOND)
    overlap.add(interleave(WORDS[:SECOND], WORDS[:SECOND]), 5 * SECOND)
    assert not overlap.is_distinctive

    overlap.share()
    overlap.receive(6 * SECOND, 1.0)
    overlap.share()
    assert overlap.since == 5 * SECOND
    overlap.add(interleave(silence(SECOND), silence(SECOND)), 6 * SECOND)
    assert not overlap.is_distinctive
    overlap.add(interleave(WORDS[SECOND : 2 * SECOND], silence(SECOND)), 7 * SECOND)
    assert overlap.is_distinctive


def test_the_frame_with_the_least_delay_tells_the_clock():
    overlap = Overlap(1000.0, 0)
    assert overlap.clock is None
    for end, now in ((800, 50.13), (1600, 50.205), (2400, 50.4)):
        overlap.receive(end, now)

    assert overlap.clock == pytest.approx(1050.005)


def test_no_more_is_kept_than_a_seam_needs():
    overlap = Overlap(0.0, 5 * SECOND)
    for second in range(20):
        overlap.add(bytes(2 * SECOND), second * SECOND)

    assert len(overlap._audio) == 2 * TAIL


def handed(end=6 * SECOND, audio=WORDS, clock=1000.0):
    piece = audio[2 * SECOND : end]
    return Handed(Tail(2 * SECOND, interleave(piece, piece)), clock, (end, end), [])


def test_the_audio_tells_where_to_go_on_though_the_clock_is_off():
    seam = handed().join(frames(4 * SECOND, 8 * SECOND, 155), 1003.9 - 0.155)

    assert seam.sure == ("inbound", "outbound")
    assert b"".join(f.payload for f in seam.frames if f.track == "inbound") == WORDS[6 * SECOND : 8 * SECOND]


def test_where_the_audio_tells_nothing_the_clock_does():
    quiet = silence(20 * SECOND)

    seam = handed(audio=quiet).join(
        [frame._replace(payload=silence(160)) for frame in frames(4 * SECOND, 8 * SECOND)], 1004.0
    )

    assert (seam.sure, len(seam.frames)) == ((), 2 * 100)


def test_a_stream_that_began_later_does_not_join():
    assert handed().join(frames(7 * SECOND, 8 * SECOND), 1007.0) is None
    assert handed().join([], 1007.0) is None


def test_where_a_process_was_held_up_the_audio_still_tells():
    seam = handed().join(frames(4 * SECOND, 8 * SECOND, 155), 1004.0 - 0.155 + 3.0)
    assert seam.sure == ("inbound", "outbound")
    assert seam.shift == 4 * SECOND - 155 * 8


def test_a_process_that_knew_of_no_other_is_not_joined_by_the_clock():
    quiet = [frame._replace(payload=silence(160)) for frame in frames(4 * SECOND, 8 * SECOND)]

    assert replace(handed(audio=silence(20 * SECOND)), knew=False).join(quiet, 1004.0) is None


async def heard(store):
    events = [json.loads(event.body) for event in await store.read(Query("CA1"), limit=1000)]
    finals = [event["data"] for event in events if event["type"] == "transcript.final"]
    return events, [
        sorted((word["start"], word["word"]) for f in finals if f["channel"] == channel for word in f["words"])
        for channel in (0, 1)
    ]


class Carrier:
    """The messages of a second stream, from some second of the call on."""

    def __init__(self, begin):
        self.messages = []
        feed(self, 12.0 - begin, 155, begin)

    def receive(self, message):
        self.messages.append(message)


@pytest.mark.parametrize(("begin", "elsewhere"), [(2.5, False), (4.0, True), (5.013, False)])
async def test_another_process_goes_on_to_the_sample_and_hears_again_what_had_no_final(tmp_path, begin, elsewhere):
    """`elsewhere`: on another machine, which has the record and not the disk."""
    clock, cut = HandClock(), 6.5
    handing, disk = (MemoryHandOvers(), tmp_path / "another") if elsewhere else (None, tmp_path)
    async with deepgram() as server:
        given = services(None, server, clock, grace=5.0)
        async with SQLiteStore(tmp_path) as store, AudioStore(tmp_path, limit=2**30) as audio:
            store.hand_overs = handing
            before = CallRegistry(services(store, server, clock, grace=5.0), max_calls=3, audio=audio)
            await before.recover()
            stream = await before.open(started())
            overlap = None
            for part in range(round(cut / 0.02)):
                feed(stream, 0.02, 100 + 20 * part, 0.02 * part, number=2 * part)
                clock.time += 0.02
                if overlap is None and 0.02 * part >= begin:
                    overlap = before.calls["CA1"].share()
                    overlap.share()
            assert overlap.is_distinctive
            await before.leave_all(10.0)
            assert before.calls == {}
        async with SQLiteStore(tmp_path) as store, AudioStore(disk, limit=2**30) as audio:
            store.hand_overs = handing
            after = CallRegistry(services(store, server, clock, grace=5.0), max_calls=3, audio=audio)
            opening = asyncio.create_task(after.open(started(stream="MZ2")))
            await asyncio.sleep(0)
            await after.recover()
            joined = await opening
            carried = Carrier(begin)
            lead = clock.time - cut + begin - 0.155  # the stream's clock
            clock.time += 5.5
            for message in joined.join(carried.messages, Leads(lead + 0.05, lead + 0.03), clock.time):
                joined.receive(message)
            joined.end("stopped")
            async with asyncio.timeout(30):
                while after.calls:
                    await asyncio.sleep(0.01)
            events, words = await heard(store)
    assert given.reforks == {}
    assert [event["type"] for event in events].count("call.ended") == 1
    assert not [event for event in events if event["type"] == "audio.gap"]
    (resumed,) = [event["data"] for event in events if event["type"] == "call.resumed"]
    assert (resumed["reason"], resumed["uncovered"]) == ("handed_over", [])
    assert (events[-1]["data"]["flush"], events[-1]["data"]["uncovered"]) == ("complete", [])
    assert events[-1]["data"]["duration"] == pytest.approx(12.0, abs=0.001)
    for channel, spoken in enumerate(SCRIPT.channels):
        assert [word for _, word in words[channel]] == [word.word for word in spoken]
        assert [start for start, _ in words[channel]] == pytest.approx([w.start for w in spoken], abs=0.0021)
    assert len(AUDIO[0]) == 12 * SECOND


async def test_what_only_the_other_disk_has_is_told_as_missing_and_nothing_else(tmp_path, monkeypatch):
    """Deepgram was away from the first process for longer than what it leaves to another machine."""
    monkeypatch.setattr(keeping, "TAIL", 2 * SECOND)
    clock, cut, begin, handing = HandClock(), 6.5, 4.0, MemoryHandOvers()
    no_server = type("", (), {"url": "ws://127.0.0.1:1"})
    async with deepgram() as server:
        async with SQLiteStore(tmp_path) as store, AudioStore(tmp_path, limit=2**30) as audio:
            store.hand_overs = handing
            before = CallRegistry(services(store, no_server, clock, grace=5.0), max_calls=3, audio=audio)
            await before.recover()
            stream = await before.open(started())
            for part in range(round(cut / 0.02)):
                feed(stream, 0.02, 100 + 20 * part, 0.02 * part, number=2 * part)
                clock.time += 0.02
                if part == round(begin / 0.02):
                    before.calls["CA1"].share().share()
            await before.leave_all(1.0)
        async with SQLiteStore(tmp_path) as store, AudioStore(tmp_path / "another", limit=2**30) as audio:
            store.hand_overs = handing
            after = CallRegistry(services(store, server, clock, grace=5.0), max_calls=3, audio=audio)
            opening = asyncio.create_task(after.open(started(stream="MZ2")))
            await asyncio.sleep(0)
            await after.recover()
            joined, lead = await opening, clock.time - cut + begin - 0.155
            clock.time += 5.5
            for message in joined.join(Carrier(begin).messages, Leads(lead, lead), clock.time):
                joined.receive(message)
            joined.end("stopped")
            async with asyncio.timeout(30):
                while after.calls:
                    await asyncio.sleep(0.01)
            events, words = await heard(store)
    gaps = [event["data"] for event in events if event["type"] == "audio.gap"]
    assert {gap["track"] for gap in gaps} == {"inbound", "outbound"}
    for gap in gaps:
        assert (gap["from"], gap["to"]) == (0.0, pytest.approx(cut - 2.0, abs=0.1))
    for channel, spoken in enumerate(SCRIPT.channels):
        assert [word for _, word in words[channel]] == [word.word for word in spoken if word.start > cut - 2.0 - 0.1]


@pytest.mark.parametrize(("kept", "reason"), [(True, "handed_over"), (False, "bridge_restarted")])
async def test_from_a_process_that_knew_of_no_other_nothing_comes_twice(tmp_path, kept, reason):
    """Its audio tells where to go on; where none is kept, the clock does."""
    clock, cut = HandClock(), 6.5
    async with deepgram() as server:
        async with SQLiteStore(tmp_path) as store, AudioStore(tmp_path, limit=2**30) as audio:
            before = CallRegistry(services(store, server, clock, grace=5.0), max_calls=3, audio=audio if kept else None)
            await before.recover()
            stream = await before.open(started())
            for part in range(round(cut / 0.02)):
                feed(stream, 0.02, 100 + 20 * part, 0.02 * part, number=2 * part)
                clock.time += 0.02
            await before.leave_all(10.0)
        async with SQLiteStore(tmp_path) as store, AudioStore(tmp_path, limit=2**30) as audio:
            after = CallRegistry(services(store, server, clock, grace=5.0), max_calls=3, audio=audio)
            opening = asyncio.create_task(after.open(started(stream="MZ2")))
            await asyncio.sleep(0)
            await after.recover()
            joined = await opening
            carried, lead = Carrier(4.0), clock.time - cut + 4.0 - 0.155
            clock.time += 5.5
            joined.late = 8.0
            for message in joined.join(carried.messages, Leads(lead, lead), clock.time):
                joined.receive(message)
            joined.end("stopped")
            async with asyncio.timeout(30):
                while after.calls:
                    await asyncio.sleep(0.01)
            events, words = await heard(store)
    assert [event["data"]["reason"] for event in events if event["type"] == "call.resumed"] == [reason]
    assert events[-1]["data"]["duration"] == pytest.approx(12.0, abs=0.03)
    for channel, spoken in enumerate(SCRIPT.channels):
        told = Counter(word for _, word in words[channel])
        assert told <= Counter(word.word for word in spoken)
        later = [(word.start, word.word) for word in spoken if word.start > cut]
        assert [word for at, word in words[channel] if at > cut] == [word for _, word in later]
        assert [at for at, _ in words[channel] if at > cut] == pytest.approx([at for at, _ in later], abs=0.03)
