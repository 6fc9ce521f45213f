"""The way of a call's audio, without a socket: what is kept, and what Deepgram is handed."""

from random import Random

import pytest

from bridge.align import Aligner, AlignPolicy
from bridge.call.audio_path import AudioPath, read_kept
from bridge.carriers.messages import Media
from bridge.deepgram.breaker import CircuitBreaker
from bridge.deepgram.client import Client
from bridge.deepgram.exchange import SessionPolicy
from bridge.deepgram.session import Session
from bridge.errors import StoreError
from bridge.store.audio import AudioStore

FRAME = b"\x10" * 160


@pytest.fixture
async def audio(tmp_path):
    async with AudioStore(tmp_path, limit=2**30) as store:
        yield store


def path(audio=None, start=0):
    client = Client(
        Session(SessionPolicy(), Random(1), start),
        url="ws://127.0.0.1:1",
        key="key",
        call_id="CA1",
        breaker=CircuitBreaker(),
        on_event=lambda event: None,
    )
    return AudioPath(Aligner(AlignPolicy(chunk_ms=60), start), client, audio, 60)


def play(path, source, frames, first=0):
    for index in range(first, first + frames):
        for place, track in enumerate(("inbound", "outbound")):
            path.receive_media(Media(track, 20 * index, 2 + 2 * index + place, FRAME), source)


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
    given.receive_media(Media("both", 0, 1, FRAME), source)

    assert +given.counters == {"unknown_track": 1}


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
