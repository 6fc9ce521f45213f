"""Foreign clients of Deepgram's, each as the program of its own pages and unchanged but for the host: six SDKs, a
WebSocket library, and the Live Streaming Starter Kit. What they are told, and how it ends."""

import json
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.local import recognizer
from tests.foreign.rig import RAW, SPOKEN, Rig, open_rig

pytestmark = pytest.mark.foreign

WORDS = ["hello", "there", "good", "bye"]


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with open_rig() as opened:
        yield opened


def heard(said: str) -> list[str]:
    """The words of the script in what a program wrote, in order, each once where it comes again and again."""
    found = [word for word in said.lower().replace(".", " ").replace("'", " ").split() if word in WORDS]
    return [word for place, word in enumerate(found) if word not in found[:place]]


async def ended_well(rig: Rig, *, kinds: tuple[str, ...] = ("CloseStream",)) -> None:
    """The client has heard the server's close and answered it, after it had said what it had to."""
    await rig.connection.ended.wait()
    assert rig.connection.close_code == 1000
    assert {json.loads(text)["type"] for text in rig.connection.texts} == set(kinds)


# Python


async def test_python_sdk_2(rig):
    """It goes as soon as it has the metadata: whether it still answers the close is a matter of luck."""
    said = await rig.run("sdk2.py", "sdk2", url="/stream.mp3")
    assert heard(said) == WORDS
    assert "'sha256'" in said
    assert "Connection closed with code" in said
    await rig.connection.ended.wait()


@pytest.mark.parametrize("environment", ["sdk3", "sdk4"])
async def test_python_sdk_3_and_4_with_threads(rig, environment):
    said = await rig.run("sdk3_threads.py", environment, url="/stream.mp3", press_enter=True)
    assert heard(said) == WORDS
    assert "metadata: 4." in said
    assert "error" not in said
    assert said.endswith("Finished\n")
    await ended_well(rig)


@pytest.mark.parametrize("environment", ["sdk3", "sdk4"])
async def test_python_sdk_3_and_4_with_asyncio_and_keepalive(rig, environment):
    """The audio stops until a KeepAlive has come, which the SDK sends by itself after five seconds."""
    rig.hold = lambda: any("KeepAlive" in text for text in rig.connection.texts)
    said = await rig.run("sdk3_asyncio.py", environment, noise=("tasks cancelled error:",))
    assert heard(said) == WORDS
    assert "Interim Results: Hello" in said
    assert "Speech Final: Hello there." in said
    assert said.count("Speech Started") == 2
    assert "Handled Error" not in said
    assert "Unhandled" not in said
    await ended_well(rig, kinds=("KeepAlive", "CloseStream"))


async def test_python_sdk_5_with_threads(rig):
    said = await rig.run("sdk5_threads.py", "sdk5", url="/stream.mp3")
    assert heard(said) == WORDS
    assert said.endswith("Metadata\nConnection closed\n")
    await ended_well(rig)


async def test_python_sdk_7_with_threads(rig):
    said = await rig.run("sdk7_threads.py", None, url="/stream.mp3")
    assert heard(said) == WORDS
    assert said.endswith("Metadata\nConnection closed\n")
    await ended_well(rig)


@pytest.mark.parametrize(("program", "environment"), [("sdk5_asyncio.py", "sdk5"), ("sdk7_asyncio.py", None)])
async def test_python_sdk_5_and_7_with_asyncio(rig, program, environment):
    said = await rig.run(program, environment)
    assert heard(said) == WORDS
    assert said.startswith("Connection opened\n")
    assert said.endswith("Metadata\nConnection closed\n")
    await ended_well(rig, kinds=("KeepAlive", "Finalize", "CloseStream"))


async def test_websocket_client(rig):
    said = await rig.run("websocket_client.py", "websocket-client")
    assert heard(said) == WORDS
    assert "Metadata\n" in said
    assert "Connection closed with code 1000 " in said
    await ended_well(rig, kinds=("KeepAlive", "Finalize", "CloseStream"))


# JavaScript


async def test_javascript_sdk_3(rig):
    said = await rig.run("js3.js", "js3", url="/stream.mp3")
    assert heard(said) == WORDS
    assert said.startswith("Projects: 1\n")
    assert "Metadata: 4" in said
    assert "Connection closed with code 1000." in said
    await ended_well(rig)


async def test_javascript_sdk_5(rig):
    said = await rig.run("js5.js", "js5", url="/stream.mp3")
    assert heard(said) == WORDS
    assert "Metadata\n" in said
    assert "Connection closed with code 1000." in said
    await ended_well(rig)


async def test_a_page_in_a_browser(rig):
    said = await rig.run("browser.js", "js3")
    assert heard(said) == WORDS
    assert said.startswith("Token for 10 s\nSubprotocol: bearer\n")
    assert said.endswith("Metadata\nConnection closed with code 1000.\n")
    await ended_well(rig)


# Flux


@pytest.mark.parametrize(("program", "environment"), [("sdk7_flux.py", None), ("js5_flux.js", "js5")])
async def test_flux(rig, program, environment):
    said = await rig.run(program, environment)
    events = [line for line in said.splitlines() if not line.startswith("Update")]
    assert events[:-1] == [
        "Connection opened",
        "Connected",
        "StartOfTurn: Hello",
        "EagerEndOfTurn: Hello there.",
        "EndOfTurn: Hello there.",
        "StartOfTurn: Good",
        "EagerEndOfTurn: Good bye.",
        "EndOfTurn: Good bye.",
    ]
    assert events[-1].startswith("Connection closed")
    await rig.connection.ended.wait()
    assert rig.connection.close_code == 1005


# The Live Streaming Starter Kit


async def test_the_kit_with_an_address(rig):
    """It ends with an empty message, and never says `CloseStream`."""
    host = ("--host", rig.local.url)
    said = await rig.run("kit_suite.py", "kit", "-i", f"{rig.origin}/stream.mp3", *host)
    assert heard(said) == WORDS
    assert f"Request ID: {rig.connection.request_id}\n" in said
    assert "Request finished with a duration of 4." in said
    assert said.endswith("Closed with 1000 ''\n")
    await ended_well(rig, kinds=())


@pytest.mark.skipif(recognizer.available() is not None, reason="no recognition here")
async def test_the_kit_with_an_address_and_what_is_really_said_there():
    async with open_rig(recognizer.SphinxRecognizer, SPOKEN) as rig:
        said = await rig.run("kit_suite.py", "kit", "-i", f"{rig.origin}/stream.mp3", "--host", rig.local.url)
    spoken = "this is Laura Miller calling about order supposed arrive Monday still not here".lower().split()
    found = said.lower().replace(".", " ").replace(",", " ").split()
    assert len(set(spoken) - set(found)) <= 2, said


async def test_the_kit_with_a_wav_file(rig, tmp_path):
    path = Path(tmp_path, "preamble.wav")
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(RAW)
    said = await rig.run("kit_suite.py", "kit", "-i", str(path), "-f", "vtt", "--host", rig.local.url)
    assert heard(said) == WORDS
    assert "00:00:00.000 --> " in said
    assert said.endswith("Request finished with a duration of 4.0 seconds.\nClosed with 1000 ''\n")
    await ended_well(rig)


async def test_the_kits_client_and_its_notices(tmp_path):
    async with open_rig(key=None, notices=True, save_dir=tmp_path) as rig:
        said = await rig.run("kit_client.py", "kit")
        assert heard(said) == WORDS
        assert said.startswith("msg: New websocket connection opened\n")
        assert f"total_bytes: {len(RAW)}\n" in said
        assert said.endswith("Closed with 1000\n")
        (wav,) = tmp_path.glob("*.wav")
        assert f"filename: {wav}\n" in said
        await ended_well(rig)


# A wrong key

WRONG = "f" * 40


async def test_the_kit_says_why_it_was_refused(rig):
    said = await rig.run("kit_suite.py", "kit", "-i", rig.origin, "--host", rig.local.url, key=WRONG, code=1)
    assert said == f"Refused: Invalid credentials. (request {rig.connection.request_id})\n"


@pytest.mark.parametrize(
    ("program", "environment", "complaint"),
    [
        ("sdk2.py", "sdk2", "Could not open socket: "),
        ("sdk3_asyncio.py", "sdk4", "Failed to connect to Deepgram"),
        ("websocket_client.py", "websocket-client", "Caught: WebSocketBadStatusException('Handshake status 401"),
    ],
)
async def test_clients_learn_that_they_are_refused(rig, program, environment, complaint):
    noise = ("WebSocketException in AbstractAsyncWebSocketClient.start: ", "AsyncListenWebSocketClient.start failed")
    said = await rig.run(program, environment, key=WRONG, noise=noise)
    assert complaint in said
    assert {connection.refusal.status for connection in rig.local.connections} == {401}
