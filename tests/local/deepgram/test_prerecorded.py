"""Recordings that are posted, over a real socket: auth, bodies, refusals, faults, and what tests can see."""

import asyncio
import hashlib
import json
import logging
import os
import threading
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import connect

from bridge.audio import WAVE_FORMAT_PCM, interleave, mulaw_to_pcm, silence, wav_header
from bridge.local.deepgram import Faults, Limits, LocalDeepgram
from bridge.local.recognition import Heard, Listening
from bridge.local.script import CodedRecognizer, CodedRecognizers, TimedRecognizers, encode, random_script
from tests.fakes.waiting import TICK

SECONDS = 12.0
SCRIPT = random_script(3, SECONDS)
LEFT, RIGHT = encode(SCRIPT, SECONDS)
AUDIO = interleave(LEFT, RIGHT)
RAW = "model=nova-3&encoding=mulaw&sample_rate=8000&channels=2&multichannel=true"
KEY = {"Authorization": "Token key"}


def server(**options: Any) -> LocalDeepgram:
    return LocalDeepgram(CodedRecognizers(SCRIPT), **options)


async def post(
    server: LocalDeepgram, body: Any = AUDIO, query: str = RAW, headers: dict[str, str] | None = None
) -> tuple[aiohttp.ClientResponse, Any]:
    async with aiohttp.ClientSession() as http:
        async with http.post(
            f"{server.http_url}/v1/listen?{query}", data=body, headers=KEY if headers is None else headers
        ) as response:
            return response, await response.json()


def words(answer: Any, channel: int) -> list[tuple[str, float, float]]:
    said = answer["results"]["channels"][channel]["alternatives"][0]["words"]
    return [(word["word"], word["start"], word["end"]) for word in said]


def spoken(channel: int) -> list[tuple[str, float, float]]:
    return [(word.word, word.start, word.end) for word in SCRIPT.channels[channel]]


async def test_raw_mulaw_of_two_channels():
    async with server() as local:
        response, answer = await post(local, query=f"{RAW}&utterances=true&punctuate=true")
        (posted,) = local.requests
    assert response.status == 200
    assert response.headers["dg-request-id"] == answer["metadata"]["request_id"] == posted.request_id
    assert [words(answer, channel) for channel in (0, 1)] == [spoken(0), spoken(1)]
    metadata = answer["metadata"]
    assert metadata["sha256"] == hashlib.sha256(AUDIO).hexdigest()
    assert (metadata["duration"], metadata["channels"]) == (SECONDS, 2)
    for channel in (0, 1):
        utterances = [each for each in answer["results"]["utterances"] if each["channel"] == channel]
        assert sum(len(each["words"]) for each in utterances) == len(spoken(channel))


@pytest.mark.parametrize("encoding", ["mulaw", "linear16"])
async def test_raw_audio_in_both_encodings_and_as_wav(encoding):
    linear = encoding == "linear16"
    body = mulaw_to_pcm(AUDIO) if linear else AUDIO
    header = wav_header(len(body), encoding=WAVE_FORMAT_PCM) if linear else wav_header(len(body))
    async with server() as local:
        _, raw = await post(local, body, RAW.replace("mulaw", encoding))
        _, wav = await post(local, header + body, "model=nova-3&multichannel=true")
    assert [words(raw, channel) for channel in (0, 1)] == [spoken(0), spoken(1)]
    assert wav["results"] == raw["results"]


async def test_one_channel():
    async with server() as local:
        _, answer = await post(local, LEFT, "model=nova-3&encoding=mulaw&sample_rate=8000")
    assert words(answer, 0) == spoken(0)
    assert len(answer["results"]["channels"]) == 1


async def test_a_body_in_chunks_of_unknown_length():
    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(AUDIO), 1001):
            yield AUDIO[at : at + 1001]

    async with server() as local:
        _, answer = await post(local, chunks())
        assert local.requests[0].body == AUDIO
    assert words(answer, 1) == spoken(1)


async def test_what_tests_can_see():
    async with server() as local:
        _, answer = await post(local, query=f"{RAW}&tag=a&tag=b")
        (posted,) = local.requests
        await asyncio.wait_for(posted.ended.wait(), 60)
        assert posted.query[-2:] == (("tag", "a"), ("tag", "b"))
        assert posted.headers["authorization"] == "Token key"
        assert posted.request.listen.model == "nova-3"
        assert (posted.body, posted.answer, posted.refusal) == (AUDIO, answer, None)
        assert (local.posted, local.accepted, local.connections) == (1, 0, [])
        assert "Token" not in repr(posted)


async def test_nothing_is_remembered_unless_wanted():
    async with server(remember=False) as local:
        await post(local)
        assert (local.posted, local.requests) == (1, [])


# Refusals


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Token wrong"}, {"Authorization": "key"}])
async def test_a_wrong_key_is_401_with_headers_and_body(headers):
    async with server(key="key") as local:
        response, body = await post(local, headers=headers)
        assert local.requests[0].refusal.status == 401
    assert response.status == 401
    assert body == {
        "err_code": "INVALID_AUTH",
        "err_msg": "Invalid credentials.",
        "request_id": response.headers["dg-request-id"],
    }
    assert response.headers["dg-error"] == "Invalid credentials."


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (f"{RAW}&utterances=yes", "utterances: provided string"),
        (f"{RAW}&keywords=hello", "keywords are not supported"),
        ("encoding=g729&sample_rate=8000", "but not g729"),
    ],
)
async def test_bad_parameters_are_400(query, said):
    async with server() as local:
        response, body = await post(local, query=query)
    assert response.status == 400
    assert said in body["err_msg"]


@pytest.mark.parametrize(
    ("body", "query"),
    [(b"", RAW), (b"\xff", RAW), (b"", "model=nova-3"), (b"no audio at all", "model=nova-3"), (wav_header(0), "")],
)
async def test_bodies_that_are_no_audio_are_400(body, query):
    async with server() as local:
        response, answer = await post(local, body, query)
    assert response.status == 400
    assert answer["err_msg"] == "Bad Request: failed to process audio: corrupt or unsupported data"


async def test_a_body_that_is_not_encoded_as_it_says_is_400():
    async with server() as local:
        response, answer = await post(local, headers=KEY | {"Content-Encoding": "gzip"})
    assert (response.status, "corrupt" in answer["err_msg"]) == (400, True)


async def test_urls_that_cannot_be_fetched_are_400(unused_tcp_port):
    headers = {**KEY, "Content-Type": "application/json"}
    async with server() as local:
        url = f"http://127.0.0.1:{unused_tcp_port}/a.wav"
        _, named = await post(local, json.dumps({"url": url}).encode(), headers=headers)
        _, broken = await post(local, b"{", headers=headers)
    assert named["err_code"] == "REMOTE_CONTENT_ERROR"
    assert broken["err_msg"] == "Content-type was application/json, but we could not process the JSON payload."


async def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes():
    async with server() as local:
        reader, writer = await asyncio.open_connection("127.0.0.1", local.port)
        head = f"POST /v1/listen?{RAW} HTTP/1.1\r\nHost: x\r\nAuthorization: Token key\r\n"
        writer.write(f"{head}Content-Length: 200000001\r\n\r\n".encode())
        async with asyncio.timeout(60):
            status = await reader.readline()
        writer.close()
    assert b" 413 " in status


async def test_a_body_that_turns_out_too_large_is_refused():
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield silence(1000)

    async with server(limits=Limits(body=10_000)) as local:
        refused, body = await post(local, chunks())
        accepted, _ = await post(local, silence(10_000))
    assert (refused.status, body["err_code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert accepted.status == 200


# Faults


@pytest.mark.parametrize("status", [400, 401, 402, 403, 429, 503])
async def test_refusals_on_request(status):
    async with server(faults=Faults(refuse=status)) as local:
        response, body = await post(local)
        assert local.requests[0].refusal.status == status
    assert response.status == status
    assert body["err_code"]


async def test_the_first_requests_are_refused_and_counted_on_their_own():
    async with server(faults=Faults(refuse=503, first=2)) as local:
        statuses = [(await post(local))[0].status for _ in range(3)]
        assert local.accepted == 0
    assert statuses == [503, 503, 200]


async def test_requests_can_have_faults_of_their_own():
    async with server(faults=Faults(refuse=503)) as local:
        local.request_faults = Faults()
        assert (await post(local))[0].status == 200
        local.request_faults = Faults(refuse=429)
        assert (await post(local))[0].status == 429


@pytest.mark.parametrize("faults", [Faults(handshake_delay=0.15), Faults(delay=0.15)])
async def test_answers_that_take_their_time(faults):
    async with server(faults=faults) as local:
        started = asyncio.get_running_loop().time()
        assert (await post(local))[0].status == 200
        assert asyncio.get_running_loop().time() - started >= 0.15 - TICK


async def test_a_connection_that_is_cut_instead_of_answered(caplog):
    async with server(faults=Faults(drop_after=SECONDS)) as local:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await post(local)
        await asyncio.wait_for(local.requests[0].ended.wait(), 60)
        assert local.requests[0].answer is None
        assert (await post(local, AUDIO[:16000]))[0].status == 200
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


# Clients who go, servers that stop


async def test_a_client_that_goes_in_the_middle_of_its_upload_is_no_error(caplog):
    async with server() as local:
        _, writer = await asyncio.open_connection("127.0.0.1", local.port)
        head = f"POST /v1/listen?{RAW} HTTP/1.1\r\nHost: x\r\nAuthorization: Token key\r\nContent-Length: 5000\r\n\r\n"
        writer.write(head.encode() + silence(1000))
        await writer.drain()
        async with asyncio.timeout(60):
            while not local.requests:
                await asyncio.sleep(0.005)
        writer.transport.abort()
        await asyncio.wait_for(local.requests[0].ended.wait(), 60)
        assert (local.requests[0].answer, local.requests[0].refusal) == (None, None)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_stopping_the_server_cuts_what_is_not_answered():
    local = server(faults=Faults(stop_answering_after=0.0))
    await local.start()
    asking = asyncio.create_task(post(local))
    async with asyncio.timeout(60):
        while not local.requests or not local.requests[0].body:
            await asyncio.sleep(0.005)
        await local.stop()
        with pytest.raises(aiohttp.ClientError):
            await asking


# Where the work is done


class SlowRecognizers:
    """Notes the threads that its recognizers work in; says nothing of `in_thread`, so they must be others."""

    def __init__(self) -> None:
        self.threads: set[int] = set()

    def __call__(self, channel: int, listening: Listening) -> "SlowRecognizer":
        return SlowRecognizer(self, listening)


class SlowRecognizer(CodedRecognizer):
    def __init__(self, factory: SlowRecognizers, listening: Listening) -> None:
        super().__init__(SCRIPT, listening)
        self._factory = factory

    def receive_audio(self, mulaw: bytes) -> Sequence[Heard]:
        self._factory.threads.add(threading.get_ident())
        return super().receive_audio(mulaw)


async def test_slow_recognizers_work_in_threads():
    recognizers = SlowRecognizers()
    async with LocalDeepgram(recognizers) as local:
        _, answer = await post(local)
    assert words(answer, 0) == spoken(0)
    assert recognizers.threads
    assert threading.get_ident() not in recognizers.threads


LONG = bytes(8000)


class LongRecordings:
    """Recognizers that are at work on `LONG` until `done` is set, and quick with everything else."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.begun = threading.Semaphore(0)

    def __call__(self, channel: int, listening: Listening) -> "LongRecording":
        return LongRecording(self, listening)


class LongRecording(CodedRecognizer):
    def __init__(self, factory: LongRecordings, listening: Listening) -> None:
        super().__init__(SCRIPT, listening)
        self._factory = factory

    def receive_audio(self, mulaw: bytes) -> Sequence[Heard]:
        if LONG.startswith(mulaw or b"none"):
            self._factory.begun.release()
            self._factory.done.wait(60)
        return super().receive_audio(mulaw)


async def test_live_audio_does_not_wait_for_recordings():
    recognizers, threads = LongRecordings(), os.cpu_count() or 1
    async with LocalDeepgram(recognizers) as local:
        posts = [asyncio.ensure_future(post(local, LONG)) for _ in range(threads + 1)]
        for _ in range(threads):
            assert await asyncio.to_thread(recognizers.begun.acquire, timeout=60)
        async with connect(f"{local.url}/v1/listen?{RAW}", additional_headers=KEY) as socket:
            await socket.send(AUDIO)
            await socket.send('{"type":"CloseStream"}')
            heard = [json.loads(message) async for message in socket]
        assert any(message["type"] == "Results" for message in heard)
        assert not any(each.done() for each in posts)
        recognizers.done.set()
        await asyncio.gather(*posts)


async def test_timed_recognizers_know_what_is_said_whatever_the_sound():
    async with LocalDeepgram(TimedRecognizers(SCRIPT)) as local:
        _, answer = await post(local, silence(len(AUDIO)))
    assert words(answer, 0) == spoken(0)


async def test_several_requests_at_once():
    async with server() as local:
        answers = await asyncio.gather(*(post(local) for _ in range(5)))
        assert len({posted.request_id for posted in local.requests}) == 5
    assert all(words(answer, 1) == spoken(1) for _, answer in answers)
