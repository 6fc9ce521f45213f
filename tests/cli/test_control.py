"""`bridge control`, against a bridge on which a call goes on."""

import os
import re

import pytest
from websockets.asyncio.client import connect

from tests.fakes import frames
from tests.fakes.command import command
from tests.fakes.reading import TOKEN
from tests.fakes.running import AUDIO, bridge, deepgram, settings


@pytest.fixture
async def origin(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("BRIDGE_")]:
        monkeypatch.delenv(name)
    async with deepgram() as server, bridge(settings(tmp_path, server.url, bridge_read_tokens=TOKEN)) as url:
        yield url


def control(origin, *arguments):
    return command("control", *arguments, "--url", origin, BRIDGE_READ_TOKENS=TOKEN)


async def test_everything_that_can_be_asked(origin):
    async with connect(f"{origin.replace('http', 'ws', 1)}/media/twilio", compression=None) as socket:
        await socket.send(frames.start())
        for message in frames.talk(*(track[:8000] for track in AUDIO)):
            await socket.send(message)

        async def ask(*arguments):
            answer = await control(origin, "last", *arguments)
            return answer.status, answer.out + answer.err

        paused = r"Paused since 00:0[01]\.\d of the call: nothing is transcribed, kept or recorded\.\n"
        while (answer := await ask("finalize")) != (0, "What was said so far is settled.\n"):
            assert answer == (2, "bridge: no call goes on\n")
        assert await ask("configure", "--keyterm", "Acme", "--numerals") == (0, "Deepgram has changed its options.\n")
        assert (await ask("configure"))[0] == 2
        assert re.fullmatch(paused, (await ask("pause"))[1])
        both = (await ask("configure", "--no-keyterms"))[1]
        assert re.fullmatch(rf"Deepgram has changed its options\.\n{paused}", both)
        assert await ask("resume") == (0, "The call is heard.\n")
        assert await ask("stop") == (0, "The transcription ends.\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("pause", "--numerals"), "--keyterm, --no-keyterms and --numerals are for configure, not for pause"),
        (("configure", "--keyterm", "a", "--no-keyterms"), "--no-keyterms takes all away, and --keyterm gives some"),
    ],
)
async def test_what_makes_no_sense(arguments, sentence):
    answer = await control("http://127.0.0.1:1", "CA1", *arguments)

    assert (answer.status, answer.err.startswith(f"bridge: {sentence}")) == (2, True)


async def test_a_call_that_there_is_not(origin):
    assert (await control(origin, "CA9", "pause")).err == "bridge: there is no such call\n"
