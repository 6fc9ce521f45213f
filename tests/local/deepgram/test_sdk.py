"""Deepgram's own SDK as the oracle: it must not be able to tell this server from the real one."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from deepgram import AsyncDeepgramClient, DeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.core.events import EventType
from deepgram.environment import DeepgramClientEnvironment
from deepgram.listen.v1.types import (
    ListenV1Configure,
    ListenV1ConfigureSuccess,
    ListenV1Finalize,
    ListenV1Metadata,
    ListenV1Results,
    ListenV1SpeechStarted,
    ListenV1UtteranceEnd,
)

from bridge.audio import interleave
from bridge.local.deepgram import Faults, LocalDeepgram
from bridge.local.script import CodedRecognizers, encode, random_script

# The SDK still imports what websockets has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SECONDS = 12.0
SCRIPT = random_script(3, SECONDS)
AUDIO = interleave(*encode(SCRIPT, SECONDS))
OPTIONS = {
    "model": "nova-3",
    "encoding": "mulaw",
    "sample_rate": 8000,
    "channels": 2,
    "multichannel": True,
    "interim_results": True,
    "vad_events": True,
    "smart_format": True,
    "utterance_end_ms": 1000,
    "endpointing": 300,
    "keyterm": ["Acme", "hot line"],
}


@pytest.fixture
async def server() -> AsyncIterator[LocalDeepgram]:
    async with LocalDeepgram(CodedRecognizers(SCRIPT), key="key") as local:
        yield local


def environment(server: LocalDeepgram) -> DeepgramClientEnvironment:
    http = server.url.replace("ws", "http", 1)
    return DeepgramClientEnvironment(base=http, production=server.url, agent=server.url, agent_rest=http)


def client(server: LocalDeepgram, key: str = "key") -> AsyncDeepgramClient:
    return AsyncDeepgramClient(api_key=key, environment=environment(server))


def words(messages: list[object], channel: int) -> list[tuple[str, float, float]]:
    return [
        (word.punctuated_word, word.start, word.end)
        for message in messages
        if isinstance(message, ListenV1Results) and message.is_final and message.channel_index == [channel, 2]
        for word in message.channel.alternatives[0].words
    ]


async def test_it_transcribes_two_channels(server):
    async with client(server).listen.v1.connect(**OPTIONS) as connection:
        for at in range(0, len(AUDIO), 3200):
            await connection.send_media(AUDIO[at : at + 3200])
        await connection.send_keep_alive()
        await connection.send_finalize()
        await connection.send_close_stream()
        messages = [message async for message in connection]

    for channel in (0, 1):
        said = [(word.text, word.start, word.end) for word in SCRIPT.channels[channel]]
        assert words(messages, channel) == said
    assert {type(message) for message in messages} == {
        ListenV1Results,
        ListenV1SpeechStarted,
        ListenV1UtteranceEnd,
        ListenV1Metadata,
    }
    assert {message.from_finalize for message in messages if isinstance(message, ListenV1Results)} == {
        True,
        False,
    }
    metadata = messages[-1]
    assert isinstance(metadata, ListenV1Metadata)
    assert (metadata.duration, metadata.channels) == (SECONDS, 2)


async def test_its_lists_and_booleans_are_understood(server):
    async with client(server).listen.v1.connect(**OPTIONS) as connection:
        await connection.send_close_stream()
        assert [message async for message in connection]
    request = server.connections[0].request
    assert (request.multichannel, request.utterance_end, request.punctuated) == (True, 1.0, True)
    assert [value for key, value in request.query if key == "keyterm"] == ["Acme", "hot line"]


async def test_finalize_of_one_channel_and_configure(server):
    async with client(server).listen.v1.connect(**OPTIONS) as connection:
        await connection.send_media(AUDIO[:12800])
        await connection.send_finalize(ListenV1Finalize(type="Finalize", channel=1))
        assert (await connection.recv()).type == "SpeechStarted"
        final = await connection.recv()
        assert (final.channel_index, final.is_final, final.from_finalize) == ([1, 2], True, True)
        await connection.send_configure(ListenV1Configure(keyterms=["Initech"]))
        answer = await connection.recv()
        assert isinstance(answer, ListenV1ConfigureSuccess)
        assert answer.keyterms == ["Initech"]


async def test_its_events(server):
    seen: list[tuple[EventType, object]] = []
    async with client(server).listen.v1.connect(**OPTIONS) as connection:
        for event in EventType:
            connection.on(event, lambda message, event=event: seen.append((event, message)))
        await connection.send_media(AUDIO)
        await connection.send_close_stream()
        await connection.start_listening()
    assert [event for event, _ in (seen[0], seen[-1])] == [EventType.OPEN, EventType.CLOSE]
    assert {event for event, _ in seen[1:-1]} == {EventType.MESSAGE}
    assert None not in [message for _, message in seen[1:-1]]


async def test_a_bearer_token_is_let_in(server):
    bearer = AsyncDeepgramClient(access_token="key", environment=environment(server))
    async with bearer.listen.v1.connect(**OPTIONS) as connection:
        await connection.send_close_stream()
        assert [message async for message in connection]
    assert server.connections[0].headers["authorization"].lower() == "bearer key"


@pytest.mark.parametrize(("key", "faults", "status"), [("wrong", Faults(), 401), ("key", Faults(refuse=429), 429)])
async def test_it_understands_refusals(server, key, faults, status):
    server.faults = faults
    with pytest.raises(ApiError) as error:
        async with client(server, key).listen.v1.connect(**OPTIONS):
            pass
    assert error.value.status_code == status


async def test_its_blocking_client(server):
    """The synchronous SDK is another WebSocket library altogether."""

    def run() -> list[object]:
        blocking = DeepgramClient(api_key="key", environment=environment(server))
        with blocking.listen.v1.connect(**OPTIONS) as connection:
            connection.send_media(AUDIO)
            connection.send_close_stream()
            return list(connection)

    messages = await asyncio.to_thread(run)
    assert len(words(messages, 0)) == len(SCRIPT.channels[0])
