"""Files of every kind over real sockets: live, posted, and fetched from a URL."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bridge.audio import silence
from bridge.local.deepgram import LocalDeepgram, server
from bridge.local.deepgram.request import Refusal
from bridge.local.script import Script, ScriptWord, TimedRecognizers
from tests.fakes.encoding import encode

SECONDS = 2.0
SCRIPT = Script(
    channels=(
        (ScriptWord(word="hello", text="Hello.", start=0.2, end=0.6, voice=0),),
        (ScriptWord(word="twelve", start=0.9, end=1.2, voice=0), ScriptWord(word="hi", start=1.2, end=1.4, voice=1)),
    )
)
QUIET = silence(round(SECONDS * 8000))
KEY = {"Authorization": "Token key"}
QUERY = "model=nova-3&multichannel=true&diarize=true&numerals=true"
WORDS = [[("hello", 0)], [("12", 0), ("hi", 1)]]


def words(alternatives: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(word["word"], word["speaker"]) for word in alternatives[0]["words"]]


@asynccontextmanager
async def media(body: bytes) -> AsyncIterator[str]:
    """The address of a recording."""

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(body=body)

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/recording"
    await runner.cleanup()


@pytest.mark.parametrize("kind", ["mp3", "ogg", "webm", "flac", "aac"])
async def test_files_of_every_kind(kind):
    file = encode(kind, QUIET, QUIET)
    async with LocalDeepgram(TimedRecognizers(SCRIPT)) as local, aiohttp.ClientSession(headers=KEY) as http:
        async with http.ws_connect(f"{local.url}/v1/listen?{QUERY}") as ws:
            for at in range(0, len(file), 1000):
                await ws.send_bytes(file[at : at + 1000])
            await ws.send_str('{"type":"CloseStream"}')
            live = [json.loads(message.data) async for message in ws]
        async with http.post(f"{local.http_url}/v1/listen?{QUERY}", data=file) as response:
            posted = await response.json()
        async with media(file) as url, http.post(f"{local.http_url}/v1/listen?{QUERY}", json={"url": url}) as response:
            fetched = await response.json()

    assert (live[-1]["type"], live[-1]["channels"]) == ("Metadata", 2)
    assert live[-1]["duration"] == pytest.approx(SECONDS, abs=0.25)
    for channel in (0, 1):
        results = [each for each in live[:-1] if each["channel_index"] == [channel, 2]]
        assert [word for each in results for word in words(each["channel"]["alternatives"])] == WORDS[channel]
        assert words(posted["results"]["channels"][channel]["alternatives"]) == WORDS[channel]
    assert fetched["results"] == posted["results"]
    assert fetched["metadata"]["sha256"] == posted["metadata"]["sha256"] == live[-1]["sha256"]


async def test_without_the_library_a_refusal_names_the_extra(monkeypatch):
    lacking = Refusal(400, "Bad Request", "Bad Request: … [stream]")
    monkeypatch.setattr(server, "missing", lambda _: lacking)
    async with LocalDeepgram(TimedRecognizers(SCRIPT)) as local, aiohttp.ClientSession(headers=KEY) as http:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(f"{local.url}/v1/listen?{QUERY}")
    assert refused.value.status == 400
    assert refused.value.headers
    assert refused.value.headers["dg-error"].endswith("[stream]")
