"""The shell of the pre-recorded API against the local server, which reads coded audio, and against worse ones."""

import asyncio
import json
import logging

import pytest

from bridge import __version__
from bridge.audio import TELEPHONE, interleave, seconds, silence
from bridge.deepgram import batch, options
from bridge.deepgram.batch import Transcribed
from bridge.deepgram.extras import Model
from bridge.deepgram.messages import Blame, Refusal
from bridge.deepgram.prerecorded import open_session, patience_for, transcribe
from bridge.egress import Egress, Route
from bridge.events import TranscriptFinal, UtteranceCompleted
from bridge.local.deepgram import Faults, LocalDeepgram
from bridge.local.script import CodedRecognizers, encode, random_script
from bridge.transcript.assembler import Assembler
from tests.fakes import certificates
from tests.fakes.http import read_request, server
from tests.fakes.proxy import Proxy

SCRIPT = random_script(5, 12.0)
AUDIO = interleave(*encode(SCRIPT, 12.0))
KEY = "sesame-open"


@pytest.fixture
async def deepgram():
    async with LocalDeepgram(CodedRecognizers(SCRIPT), key=KEY) as server:
        yield server


@pytest.fixture
async def session():
    async with open_session() as session:
        yield session


async def ask(session, origin, audio=AUDIO, text="", key=KEY, **given):
    return await transcribe(session, origin, key, options.parse(text), audio, call_id="CA1", **given)


async def ask_raw(session, response, **given):
    """What becomes of an answer that is given octet by octet."""

    async def script(reader, writer):
        await read_request(reader)
        writer.write(response)
        await writer.drain()

    async with server(script) as url:
        return await ask(session, url.replace("http", "ws", 1).rstrip("/"), **given)


def http(status, body, *headers):
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def words(transcribed, channel):
    return [
        (word.word, word.text, *map(seconds, word.span))
        for final in transcribed.results
        if final.channel == channel
        for word in final.words
    ]


def spoken(channel, script=SCRIPT):
    return [(word.word, word.text, word.start, word.end) for word in script.channels[channel]]


async def test_every_word_comes_back_on_its_channel_at_its_time(deepgram, session):
    transcribed = await ask(session, deepgram.url)

    assert isinstance(transcribed, Transcribed)
    assert words(transcribed, 0) == spoken(0)
    assert words(transcribed, 1) == spoken(1)
    assert {word.confidence for final in transcribed.results for word in final.words} == {1.0}
    assert transcribed.skipped == 0
    assert transcribed.request_id == deepgram.requests[0].request_id


async def test_turns_end_where_the_speaker_paused_as_they_do_live(deepgram, session):
    transcribed = await ask(session, deepgram.url, text="endpointing=500")

    for channel in (0, 1):
        finals = [final for final in transcribed.results if final.channel == channel]
        assert all(final.is_final and final.ends_turn for final in finals)
        assert all(after.span.start - before.span.end > 4000 for before, after in zip(finals, finals[1:], strict=False))
        said = [word for final in finals for word in final.words]
        pauses = sum(after.span.start - before.span.end > 4000 for before, after in zip(said, said[1:], strict=False))
        assert len(finals) == pauses + 1


async def test_the_assembler_takes_the_finals_as_if_they_were_live(deepgram, session):
    assembler = Assembler("CA1", {"inbound": "caller", "outbound": "agent"})
    transcribed = await ask(session, deepgram.url)
    for final in transcribed.results:
        assembler.receive(final)
    events = assembler.events_received()

    for channel in (0, 1):
        finals = [event for event in events if isinstance(event, TranscriptFinal) and event.channel == channel]
        assert [(word.word, word.text, word.start, word.end) for final in finals for word in final.words] == spoken(
            channel
        )
        turns = [event for event in events if isinstance(event, UtteranceCompleted) and event.channel == channel]
        assert [turn.text for turn in turns] == [final.text for final in finals]


async def test_the_request_carries_key_options_and_the_audio_whole(deepgram, session):
    await ask(session, deepgram.url, text="keyterm=hot+line&keyterm=C%2B%2B")
    (posted,) = deepgram.requests

    assert posted.headers["Authorization"] == f"Token {KEY}"
    assert posted.headers["Content-Type"] == "audio/wav"
    assert posted.headers["User-Agent"] == f"media-stream-bridge/{__version__}"
    assert int(posted.headers["Content-Length"]) == len(posted.body)
    assert posted.body == TELEPHONE.wav_header(len(AUDIO)) + AUDIO
    assert [value for name, value in posted.query if name == "keyterm"] == ["hot line", "C++"]
    assert posted.request.listen.punctuated


async def test_the_query_goes_out_as_it_was_encoded(session):
    text = "keyterm=a%2Fb&replace=x%3Ay"
    asked = []

    async def script(reader, writer):
        asked.append(await read_request(reader))

    async with server(script) as url:
        await ask(session, url.replace("http", "ws", 1).rstrip("/"), text=text)

    assert asked[0].startswith(f"POST /v1/listen?{batch.query(options.parse(text))} HTTP/1.1".encode())


async def test_a_long_recording_goes_out_and_is_heard_to_its_end(deepgram, session):
    script = random_script(7, 150.0)
    audio = interleave(*encode(script, 150.0))
    async with LocalDeepgram(CodedRecognizers(script)) as server:
        transcribed = await ask(session, server.url, audio)

    assert len(audio) > 2**21
    assert words(transcribed, 0) == spoken(0, script)
    assert words(transcribed, 1) == spoken(1, script)


async def test_silence_is_transcribed_as_nothing(deepgram, session):
    transcribed = await ask(session, deepgram.url, silence(16000))

    assert transcribed == Transcribed((), deepgram.requests[0].request_id, 0, Model("nova-3", "local"))


async def test_several_recordings_at_once_do_not_mix(session):
    scripts = [random_script(seed, 20.0) for seed in range(4)]
    servers = [LocalDeepgram(CodedRecognizers(script)) for script in scripts]
    for each in servers:
        await each.start()
    try:
        answers = await asyncio.gather(
            *(
                ask(session, each.url, interleave(*encode(script, 20.0)))
                for each, script in zip(servers, scripts, strict=True)
            )
        )
    finally:
        for each in servers:
            await each.stop()

    assert [words(answer, 1) for answer in answers] == [spoken(1, script) for script in scripts]


# Refusals


@pytest.mark.parametrize(
    ("status", "reason", "blame"),
    [
        (400, "Bad Request", Blame.REQUEST),
        (401, "INVALID_AUTH: Invalid credentials.", Blame.ACCOUNT),
        (402, "credits", Blame.ACCOUNT),
        (403, "INSUFFICIENT_PERMISSIONS", Blame.ACCOUNT),
        (429, "TOO_MANY_REQUESTS", Blame.PASSING),
        (503, "Service Unavailable", Blame.PASSING),
    ],
)
async def test_a_refusal_tells_deepgrams_reason_and_whether_it_may_heal(deepgram, session, status, reason, blame):
    deepgram.faults = Faults(refuse=status)
    refusal = await ask(session, deepgram.url)

    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.blame) == (status, blame)
    assert reason in refusal.reason
    assert refusal.request_id == deepgram.requests[0].request_id


async def test_a_refusal_reaches_us_though_a_long_upload_is_under_way(deepgram, session):
    deepgram.faults = Faults(refuse=402)
    refusal = await ask(session, deepgram.url, silence(2**23))

    assert refusal.status == 402


async def test_after_a_refusal_that_heals_the_same_recording_is_transcribed(deepgram, session):
    deepgram.faults = Faults(first=1, refuse=429)

    assert (await ask(session, deepgram.url)).blame is Blame.PASSING
    assert words(await ask(session, deepgram.url), 0) == spoken(0)


async def test_a_wrong_key_is_refused_and_not_told(deepgram, session, caplog):
    caplog.set_level(logging.DEBUG)
    refusal = await ask(session, deepgram.url, key="wrong-secret")

    assert refusal.status == 401
    assert "wrong-secret" not in f"{refusal}{caplog.text}{[vars(record) for record in caplog.records]}"


async def test_nobody_there_may_heal(session):
    refusal = await ask(session, "ws://127.0.0.1:1")

    assert (refusal.status, refusal.blame) == (None, Blame.PASSING)
    assert refusal.reason == "connect (ECONNREFUSED)"


@pytest.mark.parametrize("faults", [Faults(stop_answering_after=0.0), Faults(handshake_delay=5.0), Faults(delay=5.0)])
async def test_an_answer_that_does_not_come_is_not_waited_for_for_ever(deepgram, session, faults):
    deepgram.faults = faults
    refusal = await ask(session, deepgram.url, patience=0.2)

    assert refusal == Refusal(None, "no answer within 0.2 seconds", None)
    assert refusal.blame is Blame.PASSING


async def test_a_connection_that_is_cut_may_heal(deepgram, session):
    deepgram.faults = Faults(drop_after=1.0)
    refusal = await ask(session, deepgram.url)

    assert (refusal.status, refusal.blame) == (None, Blame.PASSING)


def test_long_recordings_are_waited_for_longer():
    assert patience_for(0.0) == 60.0
    assert patience_for(60.0) == 135.0
    assert patience_for(3600.0) == 1560.0


async def test_a_cancelled_request_is_cancelled(deepgram, session):
    deepgram.faults = Faults(handshake_delay=5.0)
    task = asyncio.ensure_future(ask(session, deepgram.url))
    async with asyncio.timeout(60):
        while not deepgram.requests:
            await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# Answers of others


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"results":{}}', b"\xff", b"[" * 10_000])
async def test_a_200_that_is_no_transcript_may_heal(session, body):
    refusal = await ask_raw(session, http(200, body, "dg-request-id: r1"))

    assert (refusal.status, refusal.request_id, refusal.blame) == (None, "r1", Blame.PASSING)
    assert refusal.reason.startswith("not a transcript")


async def test_an_answer_may_be_longer_than_its_audio_up_to_a_megabyte(session):
    body = b'{"results":{"utterances":[]}}'.rjust(2**20)

    assert await ask_raw(session, http(200, body), audio=silence(1600)) == Transcribed((), None, 0)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (502, b"<html>", "HTTP 502"),
        (504, b"", "HTTP 504"),
        (413, b'{"category":"TOO_LARGE","message":"Too large."}', "TOO_LARGE: Too large."),
        (202, b'{"request_id":"r2"}', "HTTP 202"),
    ],
)
async def test_other_answers_are_refusals(session, status, body, reason):
    refusal = await ask_raw(session, http(status, body))

    assert (refusal.status, refusal.reason) == (status, reason)


async def test_a_redirect_is_not_followed_with_the_key(deepgram, session):
    refusal = await ask_raw(session, http(307, b"", f"Location: {deepgram.http_url}/v1/listen"))

    assert refusal.status == 307
    assert deepgram.requests == []


async def test_an_answer_without_end_is_not_read_for_ever(session):
    async def script(reader, writer):
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while True:
            writer.write(b" " * 65536)
            await writer.drain()

    async with server(script) as url, asyncio.timeout(60):
        refusal = await ask(session, url.replace("http", "ws", 1).rstrip("/"))

    assert refusal.reason.startswith("not a transcript")


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (b"", "reset"),
        (b"nonsense\r\n\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", "reset"),
    ],
)
async def test_what_is_not_http_may_heal(session, response, reason):
    refusal = await ask_raw(session, response, text="keyterm=confidential")

    assert (refusal.status, refusal.blame) == (None, Blame.PASSING)
    assert refusal.reason == reason


async def test_a_long_header_is_no_refusal(session):
    refusal = await ask_raw(session, http(402, b"", "X: " + "y" * 60_000, "dg-error: no credit"))

    assert (refusal.status, refusal.reason) == (402, "no credit")


# The way there


def through(proxy_url, url):
    return Egress({"ALL_PROXY": proxy_url.replace("//", "//me:s3cret@")}, certificates.trusting()).route(url)


async def test_through_a_proxy(deepgram):
    origin = "ws://deepgram.invalid"
    async with Proxy({"deepgram.invalid": int(deepgram.url.rpartition(":")[2])}) as proxy:
        async with open_session(through(proxy.url, origin)) as session:
            transcribed = await ask(session, origin)

    assert words(transcribed, 0) == spoken(0)
    ((method, target),) = proxy.asked
    assert (method, target.split("?")[0]) == ("POST", "http://deepgram.invalid/v1/listen")
    assert "Proxy-Authorization: Basic bWU6czNjcmV0" in proxy.heads[0]


async def test_through_a_proxy_with_a_certificate_of_a_private_authority():
    async def script(reader, writer):
        await read_request(reader)
        writer.write(http(402, b"", "dg-error: no credit"))

    async with server(script, certificates.serving()) as there:
        port = int(there.rstrip("/").rpartition(":")[2])
        async with Proxy({"deepgram.invalid": port}) as proxy:
            async with open_session(through(proxy.url, "wss://deepgram.invalid")) as session:
                refusal = await ask(session, "wss://deepgram.invalid")
        async with open_session() as session:
            untrusted = await ask(session, f"wss://127.0.0.1:{port}")
        async with open_session(Route(None, certificates.trusting())) as session:
            trusted = await ask(session, f"wss://127.0.0.1:{port}")

    assert proxy.asked == [("CONNECT", "deepgram.invalid:443")]
    assert refusal.reason == trusted.reason == "no credit"
    assert untrusted.reason == "tls (unknown issuer)"


@pytest.mark.parametrize("origin", ["ws://deepgram.invalid", "wss://deepgram.invalid"])
async def test_a_proxy_that_fails_is_a_reason_without_its_password(origin, caplog):
    async with Proxy(refuse=407) as proxy, open_session(through(proxy.url, origin)) as session:
        refused = await ask(session, origin)
    async with open_session(through(proxy.url, origin)) as session:
        gone = await ask(session, origin)

    assert (refused.reason, gone.reason) == ("proxy (status 407)", "proxy (ECONNREFUSED)")
    assert refused.blame is not Blame.REQUEST
    assert "s3cret" not in caplog.text + str([vars(record) for record in caplog.records])


async def test_a_host_with_an_international_name_is_asked_by_its_ascii_one():
    async with Proxy(refuse=502) as proxy, open_session(through(proxy.url, "ws://bücher.invalid")) as session:
        await ask(session, "ws://bücher.invalid")

    assert proxy.asked[0][1].startswith("http://xn--bcher-kva.invalid/v1/listen?")


# Logs


async def test_the_log_tells_whose_and_how_much_but_not_what(deepgram, session, caplog):
    caplog.set_level(logging.DEBUG, "bridge.deepgram")
    await ask(session, deepgram.url, AUDIO[:-2])
    (record,) = [record for record in caplog.records if record.name == "bridge.deepgram"]

    assert (record.levelname, record.call_id, record.seconds) == ("INFO", "CA1", 12.0)
    assert record.request_id == deepgram.requests[0].request_id
    said = json.dumps(vars(record), default=str)
    assert KEY not in said
    assert SCRIPT.words[0].text not in said
