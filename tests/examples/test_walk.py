"""The page for beginners, typed as it stands: a call here, a program that prints the turns, a webhook that fails and is
mended. Only ports, the folder and the recording, which is shorter, are others.
"""

import asyncio
import os
import re
import shlex
import sys
from contextlib import asynccontextmanager

import pytest

from bridge.audio import SAMPLE_RATE, wav_header
from bridge.local import sample
from scripts import foreign
from tests.examples.rig import free_port, listens
from tests.fakes.running import ROOT
from tests.fakes.waiting import until

pytestmark = pytest.mark.examples

PAGE = (ROOT / "bridge" / "docs" / "start.md").read_text()
SECONDS = 12
"""Of the recording: both speak by then."""
LONGEST = 90

SHORTER = """
bridge() {{ [ "$1" != call ] || {{ shift; set -- call {recording} --speed 2 "$@"; }}; {python} -m bridge "$@"; }}
pip() {{ :; }}
uvicorn() {{ PYTHONPATH={place}:{root} {base} -s -m uvicorn "$@"; }}
"""
"""What stands for an active `.venv` with all that the page has installed into it."""


def blocks(number):
    """The pieces of shell of one of its steps."""
    step = PAGE.partition(f"\n## {number}. ")[2].partition("\n## ")[0]
    return [re.sub(r"(?m)^\. .venv/bin/activate.*\n", "", code) for code in re.findall(r"```sh\n(.*?)```", step, re.S)]


class Typed:
    """Lines in a terminal of their own."""

    def __init__(self, process):
        self._process = process
        self.said = ""
        self._reading = asyncio.ensure_future(self._read())

    async def _read(self):
        async for line in self._process.stdout:
            self.said += line.decode()

    async def says(self, text):
        await until(lambda: text in self.said or self._reading.done(), LONGEST)
        assert text in self.said, self.said

    async def ended(self):
        await asyncio.wait_for(self._process.wait(), LONGEST)
        await self._reading
        return self.said

    async def interrupt(self):
        """Ctrl-C, as a terminal sends it to all that it runs."""
        if self._process.returncode is None:
            os.killpg(self._process.pid, 2)
        await self.ended()


def beginning(recording):
    """Of a WAV file: its two channels, for so long."""
    octets = 2 * SAMPLE_RATE * SECONDS
    start = recording.index(b"data") + 8
    return wav_header(octets) + recording[start : start + octets]


@pytest.fixture
def terminal(tmp_path):
    """Starts lines of the page; `port` is the consumer's."""
    if not foreign.is_made("consumers"):
        pytest.skip("the environment consumers is not made: ./scripts/example-tests makes it")
    (tmp_path / "call.wav").write_bytes(beginning(sample.CALL.read_bytes()))
    port = free_port()
    prelude = SHORTER.format(
        recording=shlex.quote(str(tmp_path / "call.wav")),
        python=shlex.quote(sys.executable),
        place=shlex.quote(str(foreign.folder("consumers"))),
        root=shlex.quote(str(ROOT)),
        base=shlex.quote(getattr(sys, "_base_executable", sys.executable)),
    )
    own = {"DATA_DIR": str(tmp_path / "data"), "PORT": str(free_port()), "BRIDGE_REPLAY_SPEED": "1000"}

    @asynccontextmanager
    async def typed(lines, **variables):
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", prelude + lines.replace("3000", str(port))),
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONUNBUFFERED": "1", **own, **variables},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        lines = Typed(process)
        try:
            yield lines
        finally:
            await lines.interrupt()

    typed.port = port
    return typed


async def test_from_a_call_to_a_webhook_that_is_mended(terminal):
    [_, alone, call], [consume, deliver], [look] = (blocks(number) for number in (1, 2, 3))
    async with terminal(alone) as bridge:
        await bridge.says("serving")
        async with terminal(call) as calling:
            assert "read it with: " in await calling.ended()

    async with terminal(consume) as consumer:
        await until(lambda: listens(terminal.port), LONGEST)
        secret = re.search(r"^whsec_\S+$", consumer.said, re.MULTILINE)[0]
        async with terminal(deliver.replace("whsec_…", secret)) as bridge:
            await bridge.says("serving")
            assert "✓ webhook" in bridge.said
            async with terminal(call) as calling:
                await calling.ended()
            await consumer.says(" ended after 12 s")
            assert re.search(r"-\d+ callee: Good morning", consumer.said)

            await consumer.interrupt()
            async with terminal(call) as calling:
                await calling.ended()
            settings = {"WEBHOOK_SECRET": secret, "WEBHOOK_URL": f"http://127.0.0.1:{terminal.port}/calls"}
            async with terminal(look, **settings) as looking:
                said = await looking.ended()
            assert "does not take what it gets" in said and "nothing listens" in said

            async with terminal(consume.splitlines()[-1], **settings) as consumer:
                await until(lambda: listens(terminal.port), LONGEST)
                async with terminal("bridge deliver") as delivering:
                    said = await delivering.ended()
                    # The bridge may have tried again by itself before it was asked to.
                    assert "All of it is delivered." in said or "Everything has been delivered." in said
                await consumer.says(" ended after 12 s")
