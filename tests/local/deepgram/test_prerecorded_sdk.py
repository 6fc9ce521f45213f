"""Deepgram's own SDK posts recordings: it must not be able to tell this server from the real one."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from deepgram import AsyncDeepgramClient, DeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.environment import DeepgramClientEnvironment
from deepgram.errors import BadRequestError
from deepgram.types import ListenV1Response

from bridge.audio import interleave, wav_header
from bridge.local.deepgram import Faults, LocalDeepgram
from bridge.local.script import CodedRecognizers, encode, random_script

# The SDK still imports what websockets has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SECONDS = 12.0
SCRIPT = random_script(3, SECONDS)
AUDIO = interleave(*encode(SCRIPT, SECONDS))
WAV = wav_header(len(AUDIO)) + AUDIO
OPTIONS: dict[str, Any] = {
    "model": "nova-3",
    "multichannel": True,
    "smart_format": True,
    "utterances": True,
    "utt_split": 0.5,
    "keyterm": ["Acme", "hot line"],
}


@pytest.fixture
async def server() -> AsyncIterator[LocalDeepgram]:
    async with LocalDeepgram(CodedRecognizers(SCRIPT), key="key") as local:
        yield local


def environment(server: LocalDeepgram) -> DeepgramClientEnvironment:
    return DeepgramClientEnvironment(
        base=server.http_url, production=server.url, agent=server.url, agent_rest=server.http_url
    )


@pytest.fixture
async def client(server: LocalDeepgram) -> AsyncIterator[AsyncDeepgramClient]:
    async with httpx.AsyncClient() as http:
        yield AsyncDeepgramClient(api_key="key", environment=environment(server), httpx_client=http)


def said(response: ListenV1Response, channel: int) -> list[tuple[str, float, float]]:
    words = response.results.channels[channel].alternatives[0].words
    return [(word.punctuated_word, word.start, word.end) for word in words]


def spoken(channel: int) -> list[tuple[str, float, float]]:
    return [(word.text, word.start, word.end) for word in SCRIPT.channels[channel]]


async def test_it_transcribes_a_wav_file(server, client):
    response = await client.listen.v1.media.transcribe_file(request=WAV, **OPTIONS)
    assert isinstance(response, ListenV1Response)
    assert [said(response, channel) for channel in (0, 1)] == [spoken(0), spoken(1)]
    assert (response.metadata.duration, response.metadata.channels) == (SECONDS, 2)
    assert response.metadata.request_id == server.requests[0].request_id
    assert response.metadata.created.tzinfo
    assert {utterance.channel for utterance in response.results.utterances} == {0, 1}
    assert all(utterance.words and utterance.transcript and utterance.id for utterance in response.results.utterances)


async def test_it_transcribes_raw_audio(client):
    response = await client.listen.v1.media.transcribe_file(
        request=AUDIO,
        **OPTIONS,
        encoding="mulaw",
        # The SDK does not know these for recordings.
        request_options={"additional_query_parameters": {"sample_rate": 8000, "channels": 2}},
    )
    assert [said(response, channel) for channel in (0, 1)] == [spoken(0), spoken(1)]


async def test_its_lists_numbers_and_booleans_are_understood(server, client):
    await client.listen.v1.media.transcribe_file(request=WAV, **OPTIONS)
    (posted,) = server.requests
    assert (posted.request.utterances, posted.request.utt_split) == (True, 0.5)
    assert (posted.request.listen.multichannel, posted.request.listen.punctuated) == (True, True)
    assert [value for key, value in posted.query if key == "keyterm"] == ["Acme", "hot line"]
    assert posted.headers["content-type"] == "application/octet-stream"


async def test_it_understands_refusals(server, client):
    with pytest.raises(BadRequestError) as bad:
        await client.listen.v1.media.transcribe_file(request=b"no audio", **OPTIONS)
    assert bad.value.body["err_code"] == "Bad Request"
    server.faults = Faults(refuse=402)
    with pytest.raises(ApiError) as poor:
        await client.listen.v1.media.transcribe_file(request=WAV, **OPTIONS)
    assert (poor.value.status_code, poor.value.body["err_code"]) == (402, "ASR_PAYMENT_REQUIRED")


async def test_it_tries_again_on_its_own_after_429(server, client):
    server.faults = Faults(refuse=429, first=1)
    response = await client.listen.v1.media.transcribe_file(request=WAV, **OPTIONS)
    assert said(response, 0) == spoken(0)
    assert len(server.requests) == 2


async def test_a_url_is_refused_with_the_reason(client):
    with pytest.raises(BadRequestError) as error:
        await client.listen.v1.media.transcribe_url(url="https://example.com/a.wav", **OPTIONS)
    assert error.value.body["err_code"] == "REMOTE_CONTENT_ERROR"


async def test_its_blocking_client(server):
    def run() -> ListenV1Response:
        with httpx.Client() as http:
            blocking = DeepgramClient(api_key="key", environment=environment(server), httpx_client=http)
            return blocking.listen.v1.media.transcribe_file(request=WAV, **OPTIONS)

    assert said(await asyncio.to_thread(run), 1) == spoken(1)
