"""A source, streamed to the local Deepgram, with everything that may go wrong on the way."""

import asyncio

import pytest

from bridge.audio import AudioFormat
from bridge.cli.sources import Source, SourceError
from bridge.cli.streaming import Streaming
from bridge.deepgram.options import parse
from bridge.events import TranscriptFinal
from bridge.local.deepgram import Faults, LocalDeepgram
from bridge.local.script import Script, ScriptWord, TimedRecognizers, random_script
from bridge.redaction.rules import Rules
from tests.fakes.origins import at

SCRIPT = random_script(9, 4.0)
FORMAT = AudioFormat("linear16", 16_000, 2)
CHUNK = bytes(6400)  # a tenth of a second of both channels


@pytest.fixture
async def deepgram():
    async with LocalDeepgram(TimedRecognizers(SCRIPT)) as server:
        yield server


async def sound(seconds=5.0, fault=None):
    for _ in range(round(seconds * 10)):
        yield CHUNK
    if fault:
        raise fault


def streaming(server, said, format_=FORMAT, live=True, **given):
    source = Source(format_, None, live, lambda: iter(()))
    settled = {"origins": at(server.url), "options": parse(""), "speed": 1000.0, **given}
    speakers = {"inbound": "left", "outbound": "right"}
    return Streaming(source, speakers=speakers, on_event=said.append, **settled)


def words(said, track):
    finals = [event.data for event in said if isinstance(event.data, TranscriptFinal) and event.data.track == track]
    return [(word.word, word.start) for final in finals for word in final.words]


def spoken(channel):
    return [(word.word, round(word.start, 3)) for word in SCRIPT.channels[channel]]


async def test_it_goes_out_no_faster_than_it_is_heard(deepgram):
    one, began = streaming(deepgram, [], live=False, speed=None), asyncio.get_running_loop().time()
    await one.run(sound(2.0), asyncio.Event())

    assert asyncio.get_running_loop().time() - began >= 1.2  # more than half a second may go out at once


async def test_every_word_of_both_channels_comes_at_its_time(deepgram):
    said = []
    one = streaming(deepgram, said)
    await one.run(sound(), asyncio.Event())

    assert (words(said, "inbound"), words(said, "outbound")) == (spoken(0), spoken(1))
    assert {event.data.speaker for event in said if isinstance(event.data, TranscriptFinal)} == {"left", "right"}
    seqs = [event.seq for event in said if event.seq is not None]
    assert seqs == list(range(1, len(seqs) + 1))
    (connection,) = deepgram.connections
    asked = dict(connection.query)
    assert (asked["encoding"], asked["sample_rate"], asked["channels"]) == ("linear16", "16000", "2")
    assert (one.position, one.missing, one.refusal) == (pytest.approx(5.0), 0.0, None)


async def test_one_channel_is_asked_for_as_one(deepgram):
    said = []
    one = streaming(deepgram, said, AudioFormat("linear16", 16_000, 1))
    await one.run(sound(2.5), asyncio.Event())  # half the octets, twice the time

    assert words(said, "inbound") == spoken(0)
    assert words(said, "outbound") == []
    assert dict(deepgram.connections[0].query)["multichannel"] == "false"


async def test_a_socket_that_is_lost_costs_no_word(deepgram):
    said = []
    deepgram.faults = Faults(first=1, drop_after=1.5)
    one = streaming(deepgram, said)
    await one.run(sound(), asyncio.Event())

    assert len(deepgram.connections) > 1
    assert (words(said, "inbound"), words(said, "outbound")) == (spoken(0), spoken(1))
    assert {"transcription.interrupted", "transcription.resumed"} <= {event.type for event in said}


async def test_the_next_origin_is_asked_where_one_refuses(deepgram):
    said = []
    async with LocalDeepgram(TimedRecognizers(SCRIPT), faults=Faults(refuse=401)) as first:
        one = streaming(deepgram, said, origins=at(first.url, deepgram.url))
        await one.run(sound(), asyncio.Event())

    assert (words(said, "inbound"), words(said, "outbound")) == (spoken(0), spoken(1))
    assert one.refusal is None


async def test_what_deepgram_will_not_take_is_told_and_ends_it(deepgram):
    deepgram.faults = Faults(refuse=401)
    said = []
    one = streaming(deepgram, said, live=False)
    await asyncio.wait_for(one.run(sound(60.0), asyncio.Event()), 20)

    assert one.refusal and one.refusal.status == 401
    assert one.refusal.request_id
    assert one.position < 60.0


async def test_a_stop_waits_for_the_last_words(deepgram):
    async def endless():
        async for chunk in sound(3.0):
            yield chunk
        heard.set()
        try:
            await asyncio.Event().wait()
        finally:
            let_go.append(True)

    heard, stop, said, let_go = asyncio.Event(), asyncio.Event(), [], []
    one = streaming(deepgram, said)
    running = asyncio.ensure_future(one.run(endless(), stop))
    await heard.wait()
    stop.set()
    await asyncio.wait_for(running, 20)

    assert let_go == [True]
    assert words(said, "inbound") == [word for word in spoken(0) if word[1] < 2.9][: len(words(said, "inbound"))]
    assert len(words(said, "inbound")) >= len([word for word in spoken(0) if word[1] < 2.5])


async def test_what_breaks_off_is_raised_after_the_words_before(deepgram):
    said = []
    one = streaming(deepgram, said)
    with pytest.raises(SourceError, match="gone"):
        await one.run(sound(fault=SourceError("gone")), asyncio.Event())

    assert words(said, "inbound") == spoken(0)


async def test_what_is_not_to_be_read_is_not_told():
    words = [ScriptWord(word=word, start=at, end=at + 0.3) for word, at in (("49291735", 0.5), ("88462205", 1.8))]
    said = []
    async with LocalDeepgram(TimedRecognizers(Script(channels=(words, ())))) as server:
        one = streaming(server, said, rules=Rules(frozenset(("card",))))
        await one.run(sound(3.0), asyncio.Event())
    finals = [event.data.text for event in said if isinstance(event.data, TranscriptFinal)]

    assert finals == ["[card]", "[card]"]
    assert not [event for event in said if "4929" in event.to_json() or "8846" in event.to_json()]


async def test_a_deepgram_that_never_was_is_given_up_when_every_origin_was_asked(deepgram, unused_tcp_port_factory):
    nowhere = [f"ws://127.0.0.1:{unused_tcp_port_factory()}" for _ in range(2)]
    one = streaming(deepgram, [], origins=at(*nowhere))
    await asyncio.wait_for(one.run(sound(60.0), asyncio.Event()), 20)

    assert one.away and one.away.reason == "connect (ECONNREFUSED)"
    assert not one.connected


async def test_a_deepgram_that_goes_away_is_given_up_after_a_while(deepgram):
    async def until_away():
        async for chunk in sound(1.0):
            yield chunk
        await heard.wait()
        await deepgram.stop()
        async for chunk in sound(60.0):
            yield chunk

    heard, said = asyncio.Event(), []
    one = streaming(deepgram, said, live=False, patience=0.2)
    running = asyncio.ensure_future(one.run(until_away(), asyncio.Event()))
    async with asyncio.timeout(60):
        while not one.connected:
            await asyncio.sleep(0.01)
        heard.set()
        await running

    assert one.away and one.connected
    assert one.missing > 0.0
