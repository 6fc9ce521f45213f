"""The machine of a Flux connection, the test holding the clock, and one over a real socket with Deepgram's SDK."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from deepgram import AsyncDeepgramClient
from deepgram.environment import DeepgramClientEnvironment
from deepgram.listen.v2.types import ListenV2Connected, ListenV2TurnInfo
from websockets.asyncio.client import connect

from bridge.audio import silence
from bridge.local.deepgram import Faults, LocalDeepgram
from bridge.local.deepgram.faults import NO_FAULTS
from bridge.local.deepgram.flux.request import FluxRequest, parse_flux_request
from bridge.local.deepgram.flux.session import FluxSession
from bridge.local.deepgram.outputs import Abort, Close
from bridge.local.recognition import RecognizerFactory
from bridge.local.script import CodedRecognizers, Script, ScriptWord, TimedRecognizers, encode
from tests.fakes.encoding import encode as encode_file

SCRIPT = Script(
    channels=(
        (
            ScriptWord(word="hello", text="Hello", start=0.2, end=0.6),
            ScriptWord(word="there", text="there.", start=0.6, end=1.0),
            ScriptWord(word="bye", text="Bye.", start=3.0, end=3.4),
        ),
    )
)
(AUDIO,) = encode(SCRIPT, 3.5)
QUERY = "model=flux-general-en&encoding=mulaw&sample_rate=8000"


def open_session(
    recognizers: RecognizerFactory | None = None, *, faults: Faults = NO_FAULTS, **parameters: str
) -> FluxSession:
    query = {"model": "flux-general-en", "encoding": "mulaw", "sample_rate": "8000"} | parameters
    request = parse_flux_request(query.items())
    assert isinstance(request, FluxRequest), request
    return FluxSession(
        request,
        recognizers or CodedRecognizers(SCRIPT),
        request_id="the-id",
        created="2026-01-01T00:00:00.000Z",
        now=0.0,
        faults=faults,
    )


def sent(session: FluxSession, now: float) -> list[Any]:
    return [json.loads(output) if isinstance(output, str) else output for output in session.data_to_send(now)]


def play(session: FluxSession, seconds: float = 3.5, chunk: int = 640) -> list[Any]:
    outputs: list[Any] = []
    for at in range(0, round(seconds * 8000), chunk):
        now = (at + chunk) / 8000
        session.handle_timer(now)
        session.receive_binary(AUDIO[at : at + chunk], now)
        outputs += sent(session, now)
    return outputs


def changes(outputs: list[Any]) -> list[tuple[str, int, str]]:
    return [
        (output["event"], output["turn_index"], output["transcript"])
        for output in outputs
        if output["type"] == "TurnInfo" and output["event"] != "Update"
    ]


def test_turns_of_a_call_and_a_close_without_a_code():
    session = open_session(eager_eot_threshold="0.6")
    outputs = play(session)
    assert outputs[0] == {"type": "Connected", "request_id": "the-id", "sequence_id": 0}
    assert changes(outputs) == [
        ("StartOfTurn", 0, "Hello"),
        ("EagerEndOfTurn", 0, "Hello there."),
        ("EndOfTurn", 0, "Hello there."),
        ("StartOfTurn", 1, "Bye."),
    ]
    session.receive_text('{"type":"CloseStream"}', 3.5)
    update, close = sent(session, 3.5)
    assert (update["event"], update["transcript"], update["turn_index"]) == ("Update", "Bye.", 1)
    assert close == Close(None, "")
    numbers = [output["sequence_id"] for output in [*outputs, update]]
    assert numbers == list(range(len(numbers)))


@pytest.mark.parametrize("chunk", [160, 800, 28000])
def test_the_size_of_the_chunks_changes_nothing(chunk):
    assert play(open_session(), chunk=chunk) == play(open_session())


def test_a_turn_that_the_client_ends():
    session = open_session(eot_threshold="1.0")
    play(session, 0.8)
    session.receive_text('{"type":"ForceEndTurn"}', 0.8)
    told = sent(session, 0.8)
    assert (told[-1]["event"], told[-1]["trigger"], told[-1]["transcript"]) == ("EndOfTurn", "manual", "Hello there.")
    session.receive_text('{"type":"ForceEndTurn"}', 0.8)
    assert sent(session, 0.8) == []


@pytest.mark.parametrize("text", ['{"type":"KeepAlive"}', '{"type":"Finalize"}', "nonsense"])
def test_what_flux_does_not_know_ends_the_stream(text):
    session = open_session()
    session.receive_text(text, 0.0)
    _, error, close = sent(session, 0.0)
    assert (error["type"], error["code"], close) == ("Error", "UNPARSABLE_CLIENT_MESSAGE", Close(None, ""))
    session.receive_text('{"type":"CloseStream"}', 0.0)
    assert session.ignored == 1


def test_a_configure_takes_effect_or_none():
    session = open_session(eot_threshold="1.0")
    play(session, 2.0)
    session.receive_text('{"type":"Configure","thresholds":{"eot_threshold":0.2}}', 2.0)
    session.receive_text('{"type":"Configure","thresholds":{"eot_threshold":0.7}}', 2.0)
    failure, success = sent(session, 2.0)
    assert (failure["type"], failure["code"]) == ("ConfigureFailure", "INVALID_THRESHOLD")
    assert (success["type"], success["thresholds"]["eot_threshold"]) == ("ConfigureSuccess", 0.7)
    session.receive_binary(silence(160), 2.02)
    assert changes(sent(session, 2.02)) == [("EndOfTurn", 0, "Hello there.")]


def test_a_client_that_is_silent_for_a_minute_is_closed_unless_it_pings():
    session = open_session()
    sent(session, 0.0)
    session.receive_binary(silence(160), 1.0)
    assert session.get_timer() == 61.0
    session.receive_ping(40.0)
    session.handle_timer(61.0)
    assert (sent(session, 61.0), session.get_timer()) == ([], 100.0)
    session.handle_timer(100.0)
    assert sent(session, 100.0) == [Close(None, "")]


def test_faults_befall_it_too():
    assert isinstance(play(open_session(faults=Faults(drop_after=1.0)), 1.1)[-1], Abort)
    silent = open_session(faults=Faults(stop_answering_after=1.0))
    play(silent, 1.1)
    silent.receive_text('{"type":"CloseStream"}', 1.1)
    assert sent(silent, 1.1) == []


def test_what_is_asked_of_the_words_is_done_and_can_change_on_the_way():
    script = Script(
        channels=((ScriptWord(word="seven", start=0.2, end=0.6), ScriptWord(word="damn", start=0.7, end=1.0)),)
    )
    (audio,) = encode(script, 1.0)
    session = open_session(CodedRecognizers(script), profanity_filter="true")
    session.receive_binary(audio, 1.0)
    session.receive_text('{"type":"ForceEndTurn"}', 1.0)
    assert sent(session, 1.0)[-1]["transcript"] == "seven ****"
    session.receive_text('{"type":"Configure","numerals":true}', 1.0)
    session.receive_binary(audio, 2.0)
    session.receive_text('{"type":"ForceEndTurn"}', 2.0)
    assert sent(session, 2.0)[-1]["transcript"] == "7 ****"


def test_a_file_is_heard_without_an_encoding_and_of_two_channels_the_first():
    file = encode_file("mp3", AUDIO, silence(len(AUDIO)))
    request = parse_flux_request([("model", "flux-general-en")])
    assert isinstance(request, FluxRequest)
    session = FluxSession(request, TimedRecognizers(SCRIPT), request_id="the-id", created="", now=0.0)
    for at in range(0, len(file), 1000):
        session.receive_binary(file[at : at + 1000], 1.0)
    session.receive_text('{"type":"CloseStream"}', 1.0)
    assert changes(sent(session, 1.0)[:-1]) == [
        ("StartOfTurn", 0, "Hello"),
        ("EndOfTurn", 0, "Hello there."),
        ("StartOfTurn", 1, "Bye."),
    ]


# Over a socket


async def test_a_close_without_a_code_on_the_wire():
    async with LocalDeepgram(CodedRecognizers(SCRIPT)) as local:
        headers = {"Authorization": "Token key"}
        async with connect(f"{local.url}/v2/listen?{QUERY}", additional_headers=headers) as ws:
            await ws.send(AUDIO)
            await ws.send('{"type":"CloseStream"}')
            assert json.loads([message async for message in ws][-1])["transcript"] == "Bye."
        connection = local.connections[0]
        await connection.ended.wait()
        assert (ws.close_code, ws.close_reason, connection.close_code) == (1005, "", 1005)
        assert connection.flux is not None


async def test_pings_are_answered_and_keep_it_open():
    async with LocalDeepgram(CodedRecognizers(SCRIPT)) as local:
        headers = {"Authorization": "Token key"}
        async with connect(f"{local.url}/v2/listen?{QUERY}", additional_headers=headers) as ws:
            await ws.recv()
            session = local.connections[0].session
            before = session.get_timer()
            async with asyncio.timeout(60):
                while session.get_timer() <= before:  # its clock counts in milliseconds
                    await (await ws.ping())


async def test_a_post_is_not_what_flux_takes():
    async with LocalDeepgram(CodedRecognizers(SCRIPT)) as local, aiohttp.ClientSession() as http:
        response = await http.post(f"{local.http_url}/v2/listen?{QUERY}", data=b"x")
        assert response.status == 405


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_deepgrams_own_sdk():
    async with LocalDeepgram(CodedRecognizers(SCRIPT), key="key") as local:
        environment = DeepgramClientEnvironment(
            base=local.http_url, production=local.url, agent=local.url, agent_rest=local.http_url
        )
        client = AsyncDeepgramClient(api_key="key", environment=environment)
        async with client.listen.v2.connect(
            model="flux-general-en", encoding="mulaw", sample_rate=8000, eager_eot_threshold=0.5, keyterm=["Acme"]
        ) as flux:
            await flux.send_media(AUDIO)
            await flux.send_close_stream()
            messages = [message async for message in flux]
    assert isinstance(messages[0], ListenV2Connected)
    assert {type(message) for message in messages[1:]} == {ListenV2TurnInfo}
    assert [message.event for message in messages[1:] if message.event != "Update"] == [
        "StartOfTurn",
        "EagerEndOfTurn",
        "EndOfTurn",
        "StartOfTurn",
    ]
