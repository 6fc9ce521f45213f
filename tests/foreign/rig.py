"""What a foreign client's program runs against: the local server, and a station that sends it audio over HTTP."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from bridge.audio import SAMPLE_RATE, mulaw_to_pcm, resample
from bridge.local import sample
from bridge.local.deepgram import Connection, LocalDeepgram
from bridge.local.recognition import RecognizerFactory
from bridge.local.script import Script, ScriptWord, TimedRecognizers
from bridge.local.wav import load_recording
from scripts import foreign
from tests.fakes.encoding import encode
from tests.fakes.waiting import until

PROGRAMS = Path(__file__).with_name("programs")
KEY = "0123456789abcdef0123456789abcdef01234567"
"""SDK 2 takes nothing but forty hexadecimal digits."""
LONGEST = 40
"""Seconds that a program may take, starting up included."""
SECONDS = 4
SCRIPT = Script(
    channels=(
        (
            ScriptWord(word="hello", text="Hello", start=0.2, end=0.6),
            ScriptWord(word="there", text="there.", start=0.6, end=1.0),
            ScriptWord(word="good", text="Good", start=2.4, end=2.8),
            ScriptWord(word="bye", text="bye.", start=2.8, end=3.2),
        ),
    )
)
SPOKEN = load_recording(sample.CALL)[0][: 13 * SAMPLE_RATE]
"""A sentence, for a recognizer that listens; the others go by the time alone."""
MULAW = SPOKEN[: SECONDS * SAMPLE_RATE]
RAW = resample(mulaw_to_pcm(MULAW), SAMPLE_RATE, 16000, 1).ljust(SECONDS * 32000, b"\0")
"""Linear PCM, 16 kHz, as a microphone gives it."""


@dataclass
class Rig:
    """One server, one station, and the programs that are run between them."""

    local: LocalDeepgram
    origin: str
    """Of the station: `http://host:port`."""
    audio: dict[str, bytes]
    hold: Callable[[], object] = field(default=lambda: True)
    """The station sends the second half when this holds."""

    @property
    def connection(self) -> Connection:
        """The only one there was."""
        (connection,) = self.local.connections
        return connection

    async def run(
        self,
        program: str,
        environment: str | None,
        *arguments: str,
        url: str = "/stream.raw",
        press_enter: bool = False,
        key: str = KEY,
        code: int = 0,
        noise: tuple[str, ...] = (),
    ) -> str:
        """What a program writes; it must exit with `code`, and write nothing to its standard error but lines that begin
        with `noise`, which its SDK makes."""
        command = _interpreter(program, environment)
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "DEEPGRAM_API_KEY": key,
            "DEEPGRAM_ORIGIN": f"127.0.0.1:{self.local.port}",
            "AUDIO_URL": self.origin + url,
            "PYTHONUNBUFFERED": "1",
        }
        if environment:
            place = str(foreign.folder(environment))
            variables |= {"PYTHONPATH": place, "NODE_PATH": f"{place}/node_modules"}
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *command, str(PROGRAMS / program), *arguments, env=variables, stdin=pipe, stdout=pipe, stderr=pipe
        )
        try:
            async with asyncio.timeout(LONGEST):
                if press_enter:
                    await until(lambda: self.local.connections and self._has_all(url), LONGEST)
                output, errors = await process.communicate(b"\n" if press_enter else None)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        said = output.decode()
        assert process.returncode == code, f"{said}\n{errors.decode()}"
        complaints = [line for line in errors.decode().splitlines() if line and not line.startswith(noise)]
        assert not complaints, f"{said}\n{errors.decode()}"
        return said

    def _has_all(self, url: str) -> bool:
        return len(self.connection.audio) == len(self.audio[url])

    async def send(self, request: web.Request) -> web.StreamResponse:
        """What the station sends."""
        data = self.audio[request.path]
        response = web.StreamResponse()
        await response.prepare(request)
        for at in range(0, len(data), 3200):
            if at >= len(data) // 2:
                await until(self.hold, LONGEST)
            await response.write(data[at : at + 3200])
        return response


@asynccontextmanager
async def open_rig(
    recognizers: RecognizerFactory = TimedRecognizers(SCRIPT), mulaw: bytes = MULAW, **options: object
) -> AsyncIterator[Rig]:
    """A rig; `mulaw` is what the station sends as MP3, `options` are those of the server."""
    audio = {"/stream.raw": RAW, "/stream.mp3": encode("mp3", mulaw)}
    async with LocalDeepgram(recognizers, **{"key": KEY, **options}) as local:
        rig = Rig(local, "", audio)
        app = web.Application()
        app.router.add_get("/{name:.*}", rig.send)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            rig.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield rig
        finally:
            await runner.cleanup()


def _interpreter(program: str, environment: str | None) -> list[str]:
    """What runs a program; the test is skipped where it, or the environment, is not here."""
    node = shutil.which("node")
    if program.endswith(".js") and node is None:
        pytest.skip("there is no Node here")
    if environment and not foreign.is_made(environment):
        pytest.skip(f"the environment {environment} is not made: ./scripts/foreign makes it")
    if program.endswith(".js"):
        assert node is not None
        return [node]
    # Without an environment of its own it finds its SDK where the tests find theirs.
    return [sys.executable if environment is None else getattr(sys, "_base_executable", sys.executable)]
