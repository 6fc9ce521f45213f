"""The way of a call's audio, without a socket: what is kept, and what Deepgram is handed."""

from random import Random

import pytest

from bridge.align import Aligner, AlignPolicy
from bridge.audio import SAMPLE_RATE
from bridge.call.audio_path import AudioPath, open_path, read_kept
from bridge.carriers.messages import Media
from bridge.deepgram.client import Client
from bridge.deepgram.exchange import Fetch, Finished, Send, SessionPolicy
from bridge.deepgram.options import parse
from bridge.deepgram.session import Session
from bridge.deepgram.states import State
from bridge.errors import StoreError
from bridge.events import TRACKS, Stretch
from bridge.recognition import Result
from bridge.spans import Span
from bridge.store.audio import AudioStore
from tests.fakes.calls import HandClock, services
from tests.fakes.origins import at
from tests.fakes.running import AUDIO, deepgram
from tests.fakes.waiting import until

FRAME = b"\x10" * 160


@pytest.fixture
async def audio(tmp_path):
    async with AudioStore(tmp_path, limit=2**30) as store:
        yield store


def path(audio=None, start=0):
    client = Client(
        Session(SessionPolicy(kept=audio is not None, speed=1000.0, burst=60.0), Random(1), start),
        origins=at("ws://127.0.0.1:1"),
        request="/v1/listen",
        call_id="CA1",
        on_event=lambda event: None,
    )
    return AudioPath(Aligner(AlignPolicy(chunk_ms=60), start), client, audio, 60)


def play(path, source, frames, first=0):
    for index in range(first, first + frames):
        for place, track in enumerate(("inbound", "outbound")):
            path.receive_media([Media(track, 20 * index, 2 + 2 * index + place, FRAME)], source)


def messages(path):
    """What Deepgram is sent once there is a socket, a message each."""
    session = path.client.session
    if session.state is State.IDLE:
        session.start(0.0)
    session.connected(None, 0.0)
    return [command.data for command in session.data_to_send() if isinstance(command, Send)]


async def test_what_the_streams_send_is_kept_and_handed_on(audio):
    file = audio.open("CA1")
    given = path(file)
    source, position = given.open_stream(0, "carrier_reconnected")
    play(given, source, 51)

    assert position == 0
    assert given.position == file.end
    assert 48 * 160 <= given.position <= 51 * 160
    assert given.position % 480 == 0
    assert await file.read(0, 480) == b"\x10" * 960


async def test_of_what_is_on_the_disk_memory_holds_the_newest_seconds(audio):
    given = path(audio.open("CA1"))
    source, _ = given.open_stream(0, "carrier_reconnected")
    play(given, source, 500)
    await audio.flush()
    play(given, source, 10, first=500)
    session = given.client.session
    session.start(0.0)
    session.connected(None, 0.0)

    (fetch,) = (command for command in session.data_to_send() if isinstance(command, Fetch))
    assert fetch.start == 0
    assert 5.8 * SAMPLE_RATE <= fetch.samples <= 6 * SAMPLE_RATE


async def test_after_the_last_words_were_asked_for_the_audio_is_only_kept(audio):
    file = audio.open("CA1")
    given = path(file)
    source, _ = given.open_stream(0, "carrier_reconnected")
    play(given, source, 30)
    handed = given.position
    given.finish()
    play(given, source, 30, 30)
    given.flush()
    given.finish()

    assert given.finished_at == handed
    assert file.end == given.position == 60 * 160


async def test_the_silence_before_another_stream_goes_out_at_once(audio):
    given = path(audio.open("CA1"))
    source, _ = given.open_stream(0, "carrier_reconnected")
    play(given, source, 30)
    given.end_stream(source)
    given.flush()
    _, position = given.open_stream(60 * 160, "bridge_restarted")

    assert position == 60 * 160
    assert given.position == 60 * 160
    assert [len(message) for message in messages(given)] == [960] * 20


async def test_it_tells_how_many_frames_complete_the_next_chunk():
    given = path()
    source, _ = given.open_stream(0, "carrier_reconnected")
    told = [
        given.receive_media([Media(track, 20 * index, 2 + 2 * index + place, FRAME)], source)
        for index in range(8)
        for place, track in enumerate(("inbound", "outbound"))
    ]

    assert told[8:] == [3, 2, 0, 6, 5, 4, 3, 2]


async def test_what_one_stream_still_lacked_is_not_waited_for_after_its_end():
    given = path()
    inbound, _ = given.open_stream(0, "carrier_reconnected")
    outbound, _ = given.open_stream(0, "carrier_reconnected")
    for index in range(30):
        given.receive_media([Media("inbound", 20 * index, None, FRAME)], inbound)
        if index < 6:
            given.receive_media([Media("outbound", 20 * index, None, FRAME)], outbound)
    waited = given.position
    given.end_stream(outbound)

    assert (waited, given.position) == (6 * 160, 27 * 160)


async def test_in_a_pause_without_a_stream_all_there_is_is_handed_on():
    given = path()
    source, _ = given.open_stream(0, "carrier_reconnected")
    play(given, source, 10)
    given.pause()
    waits = given.position
    given.end_stream(source)
    given.pause()

    assert (waits, given.position) == (9 * 160, 10 * 160)


async def test_what_no_final_covers_ends_with_the_call():
    given = path()
    given.finished_at = 8000
    given.finished = Finished(((0, Span(4000, 9000)),))

    assert given.lacking(8400) == [
        Stretch(track="inbound", from_=0.5, to=1.05),
        Stretch(track="inbound", from_=1.0, to=1.05),
        Stretch(track="outbound", from_=1.0, to=1.05),
    ]


async def test_a_call_that_others_have_begun_is_kept_from_where_it_goes_on(audio):
    async with deepgram() as server:
        file = audio.open("CA1")
        given = open_path("CA1", services(None, server, HandClock()), parse(""), file, lambda _: None, 8000, {})
        source, position = given.open_stream(0, "bridge_restarted")
        play(given, source, 30)
        given.flush()
        await until(lambda: server.connections)
        await audio.flush()
        given.client.abort()
        await given.client.wait_ended()

    assert (position, file.start, file.end) == (8000, 8000, 8000 + 30 * 160)


def has_standing_words(heard):
    """Whether the newest that was said of a channel is an interim."""
    newest = {each.channel: each for each in heard if isinstance(each, Result)}
    return any(result.text and not result.is_final for result in newest.values())


async def test_when_nothing_comes_deepgram_is_asked_for_what_was_said_last():
    heard = []
    async with deepgram() as server:
        given = open_path("CA1", services(None, server, HandClock()), parse(""), None, heard.append, 0, {})
        source, _ = given.open_stream(0, "carrier_reconnected")
        for at in range(0, 6 * SAMPLE_RATE, 160):
            for track, mulaw in zip(TRACKS, AUDIO, strict=True):
                given.receive_media([Media(track, at // 8, None, mulaw[at : at + 160])], source)
        await until(lambda: server.connections and len(server.connections[0].audio) == 2 * given.position)
        await until(lambda: has_standing_words(heard))
        given.pause()
        await until(lambda: any("Finalize" in text for text in server.connections[0].texts))
        given.client.abort()
        await given.client.wait_ended()


async def test_silence_takes_the_place_of_what_does_not_come(audio):
    given = path(audio.open("CA1"))
    source, _ = given.open_stream(0, "carrier_reconnected")
    play(given, source, 30)
    given.end_stream(source)
    given.flush()
    given.fill(45 * 160)

    assert given.position == 45 * 160 // 480 * 480


async def test_its_counters_are_the_aligners_and_the_sessions():
    given = path()
    source, _ = given.open_stream(0, "carrier_reconnected")
    given.receive_media([Media("both", 0, 1, FRAME)], source)
    messages(given)

    assert +given.counters == {"unknown_track": 1, "deepgram_sockets": 1}


async def test_kept_audio_is_read_from_where_there_is_some(audio):
    file = audio.open("CA1")
    file.leap(800)
    file.append(b"\x10" * 320)

    assert await read_kept(file, 0, 160, "CA1") == (800, b"\x10" * 320)
    assert await read_kept(None, 7, 160, "CA1") == (7, b"")


class Unreadable:
    async def read_on(self, start, samples):
        raise StoreError("the disk is gone")


async def test_kept_audio_that_cannot_be_read_is_said_in_the_log(caplog):
    assert await read_kept(Unreadable(), 7, 160, "CA1") == (7, b"")
    assert "kept audio cannot be read" in caplog.text


async def test_what_no_stream_has_brought_is_unheard_up_to_where_the_audio_ends():
    given = path()
    source, _ = given.open_stream(0, "carrier_reconnected")
    play(given, source, 50)
    assert given.unheard(TRACKS) == []
    given.end_stream(source)
    given.fill(9000)
    given.open_stream(10_000, "carrier_reconnected")

    assert given.unheard(TRACKS) == [Stretch(track=track, from_=1.0, to=1.25) for track in TRACKS]
    assert given.unheard(("outbound",)) == [Stretch(track="outbound", from_=1.0, to=1.25)]
