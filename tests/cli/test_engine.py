"""The local engine's commands against a real counterpart, those that serve in a process of their own."""

import asyncio
import contextlib
import os
import socket
import sys
from pathlib import Path

import pytest

from bridge.text import plain
from tests.fakes.command import command as in_process
from tests.fakes.running import SCRIPT, TWILIO_TOKEN, WEBHOOK_SECRET, bridge, deepgram, settings

ROOT = Path(__file__).parent.parent.parent


@contextlib.asynccontextmanager
async def command(*arguments, **environment):
    """A command that runs until it is left; yields the process, its output to be read line by line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-u",
        "-m",
        "bridge",
        *arguments,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.communicate(), 30)


async def finished(process):
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, output.decode()


async def line_with(process, text):
    async with asyncio.timeout(30):
        async for line in process.stdout:
            if text in line.decode():
                return line.decode().strip()
    raise AssertionError(f"it never said {text!r}")


async def test_call_plays_the_sample_at_any_server(tmp_path):
    async with deepgram() as server, bridge(settings(tmp_path, server.url)) as origin:
        url = origin.replace("http", "ws", 1) + "/media/twilio"
        told = await in_process("call", "--to", url, "--speed", "0", "--parameter", "campaign=7")

    assert told.status == 0
    assert "messages in" in told.out + told.err
    assert len(server.connections[0].audio) > 16_000 * 50


async def test_call_asks_the_voice_webhook_first(tmp_path):
    async with deepgram() as server:
        given = {"twilio_signature": "strict", "twilio_auth_token": TWILIO_TOKEN, "bridge_require_token": True}
        port = free_port()
        public = f"http://127.0.0.1:{port}"
        configured = settings(tmp_path, server.url, **given, public_url=public, port=port)
        async with bridge(configured):
            voice = ("--voice", f"{public}/twiml/voice")
            told = await in_process("call", *voice, "--speed", "0", TWILIO_AUTH_TOKEN=TWILIO_TOKEN)

    assert (told.status, len(server.connections)) == (0, 1), told.err


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def test_call_at_nobody_is_an_error_in_one_sentence():
    told = await in_process("call", "--to", "ws://127.0.0.1:1/media/twilio", "--speed", "0")

    assert told.status == 2
    assert "no connection" in told.err and "messages in" not in told.out + told.err


async def test_deepgram_serves_a_script_to_the_bridge(tmp_path):
    path = tmp_path / "script.json"
    path.write_text(SCRIPT.to_json())
    async with command("deepgram", "--port", "0", "--script", str(path)) as process:
        url = (await line_with(process, "DEEPGRAM_URL=")).partition("=")[2]
        async with bridge(settings(tmp_path / "data", url)) as origin:
            target = origin.replace("http", "ws", 1) + "/media/twilio"
            assert (await in_process("call", "--to", target, "--speed", "0")).status == 0


async def test_vosk_serves_a_script_to_the_bridge(tmp_path):
    path = tmp_path / "script.json"
    path.write_text(SCRIPT.to_json())
    async with command("vosk", "--port", "0", "--script", str(path)) as process:
        url = (await line_with(process, "BRIDGE_VOSK_URL=")).partition("=")[2]
        assert url.startswith("ws://127.0.0.1:")


async def test_receive_prints_what_the_bridge_delivers(tmp_path):
    port = free_port()
    async with command("receive", "--port", str(port), WEBHOOK_SECRET=WEBHOOK_SECRET) as process:
        await line_with(process, "waiting for events")
        async with deepgram() as server:
            configured = settings(
                tmp_path, server.url, webhook_url=f"http://127.0.0.1:{port}/webhook", webhook_secret=WEBHOOK_SECRET
            )
            async with bridge(configured) as origin:
                target = origin.replace("http", "ws", 1) + "/media/twilio"
                await in_process("call", "--to", target, "--speed", "0")
                assert "call ended: stopped" in await line_with(process, "call ended")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("call", "--to", "localhost:8080"), "--to"),
        (("call", "--voice", "https://ann:hunter2@x.example"), "--voice"),
        (("call", "--to", "ws://127.0.0.1:1/", "--tracks", "bth"), "--tracks"),
        (("call", "--to", "ws://127.0.0.1:1/", "--lost", "7"), "--lost"),
        (("call", "--to", "ws://127.0.0.1:1/", "--speed", "-1"), "--speed"),
        (("call", "--to", "ws://127.0.0.1:1/", "--parameter", "hunter2"), "name=value"),
        (("deepgram", "--port", "70000"), "--port"),
        (("deepgram", "--delay", "-1"), "--delay"),
        (("deepgram", "--refuse", "999"), "refuse"),
        (("receive", "--port", "-1"), "--port"),
        (("receive", "--secret", "whsec_hunter2 \u00a0x"), "--secret"),
        (("backfill", "CA1", "--patience", "-1"), "--patience"),
    ],
)
async def test_an_option_that_cannot_be_meant_is_named_and_its_value_is_not(arguments, said):
    told = await in_process(*arguments, DEEPGRAM_API_KEY="k")

    assert told.status == 2
    assert said in plain(told.err)
    assert "hunter2" not in told.out + told.err


async def test_a_call_is_signed_with_the_first_of_several_tokens(tmp_path):
    async with deepgram() as server:
        given = {"twilio_signature": "strict", "twilio_auth_token": TWILIO_TOKEN}
        port = free_port()
        public = f"http://127.0.0.1:{port}"
        async with bridge(settings(tmp_path, server.url, **given, public_url=public, port=port)):
            to = f"ws://127.0.0.1:{port}/media/twilio"
            told = await in_process("call", "--to", to, "--speed", "0", TWILIO_AUTH_TOKEN=f"{TWILIO_TOKEN} old\n")

    assert (told.status, len(server.connections)) == (0, 1), told.err
