"""`bridge serve`, as a person at a terminal gets it."""

import os
import pty
import re
import socket
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from bridge.cli.place import Place, find
from bridge.config import load
from bridge.store.token import own_token
from tests.fakes import twilio_rest
from tests.fakes.command import command, typed
from tests.fakes.running import serving
from tests.fakes.terminal import Terminal
from tests.fakes.waiting import until

ROOT = Path(__file__).parent.parent.parent


def serve(*arguments, **environment):
    nothing_else = dict.fromkeys(os.environ)
    done = typed("serve", *arguments, **{**nothing_else, "PATH": "/usr/bin:/bin", **environment})
    return done.status, done.err


def test_without_a_key_it_says_what_to_do():
    assert serve() == (2, "bridge: set DEEPGRAM_API_KEY, or start with --local to try the bridge without a key\n")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"BRIDGE_CHUNKS": "1"}, "unknown setting BRIDGE_CHUNKS"),
        ({"PORT": "x"}, "PORT"),
        ({"DEEPGRAM_API_KEY": "k"}, "TWILIO_AUTH_TOKEN"),
        ({"DEEPGRAM_API_KEY": "k", "TWILIO_SIGNATURE": "off", "WEBHOOK_URL": "http://x"}, "WEBHOOK_SECRET"),
        (
            {
                "DEEPGRAM_API_KEY": "k",
                "TWILIO_SIGNATURE": "off",
                "WEBHOOK_URL": "http://x",
                "WEBHOOK_SECRET": "whsec_short",
            },
            "whsec_",
        ),
        ({"DEEPGRAM_API_KEY": "k", "TWILIO_SIGNATURE": "off", "BRIDGE_ROLE": "web"}, "a record in SQLite is one"),
    ],
)
def test_what_cannot_work_stops_the_start_with_one_sentence(environment, said):
    status, error = serve(**environment)

    assert status == 2
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--role", "web"), "a process with some of the roles leaves the rest to others"),
        (("--role", ""), "BRIDGE_ROLE: must be any of media, web, worker"),
        (("--role", "nurse"), "BRIDGE_ROLE: must be any of media, web, worker, with commas between them"),
        (("--processes", "2"), "--processes needs DATABASE_URL"),
        (("--processes", "0"), "Invalid value for '--processes'"),
    ],
)
def test_a_part_or_a_multiple_of_the_work_needs_a_database(tmp_path, arguments, said):
    status, error = serve(*arguments, DEEPGRAM_API_KEY="k", TWILIO_SIGNATURE="off", DATA_DIR=str(tmp_path))

    assert (status, said in " ".join(error.split())) == (2, True), error


def test_a_port_that_is_taken_is_one_sentence(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        status, error = serve(
            DEEPGRAM_API_KEY="k", TWILIO_SIGNATURE="off", DATA_DIR=str(tmp_path), PORT=port, HOST="127.0.0.1"
        )

    assert status == 2
    assert error.splitlines()[-1].startswith(f"bridge: cannot listen at 127.0.0.1:{port}: ")
    assert error.endswith("; set PORT to another one, or end what has it\n")
    assert "Traceback" not in error


async def test_the_metrics_have_a_port_of_their_own_if_they_are_given_one(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        "DEEPGRAM_API_KEY": "k",
        "TWILIO_SIGNATURE": "off",
        "DATA_DIR": str(tmp_path),
        "HOST": "127.0.0.1",
        "PORT": "0",
        "BRIDGE_METRICS": str(port),
    }
    async with serving(environment) as (_, main), aiohttp.ClientSession() as session:
        own = [(port, path, 200) for path in ("metrics", "healthz", "readyz")]
        for where, path, status in (*own, (main, "metrics", 404), (port, "calls", 404), (main, "healthz", 200)):
            async with session.get(f"http://127.0.0.1:{where}/{path}") as response:
                assert response.status == status, (where, path)


def test_a_record_that_another_bridge_holds_is_not_touched(tmp_path):
    from bridge.store.files import Files

    files = Files(tmp_path / "bridge.db", 1.0)
    try:
        status, error = serve(
            DEEPGRAM_API_KEY="k", TWILIO_SIGNATURE="off", DATA_DIR=str(tmp_path), PORT="0", HOST="127.0.0.1"
        )
    finally:
        files.close()

    assert status == 2
    assert "bridge: " in error


def until_told(last, data_dir, terminal, local=False, **environment):
    """What a bridge says up to this, on a terminal or into a pipe; then it is stopped."""
    ours, its = pty.openpty() if terminal else os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge", "serve", *(["--local"] if local else [])],
        cwd=ROOT,
        env={
            "PATH": "/usr/bin:/bin",
            "DEEPGRAM_API_KEY": "k",
            "TWILIO_SIGNATURE": "off",
            "DATA_DIR": str(data_dir),
            "PORT": "0",
            "HOST": "127.0.0.1",
            "BRIDGE_START_CHECKS": "false",
            **environment,
        },
        stderr=its,
        stdout=subprocess.DEVNULL,
    )
    os.close(its)
    said = ""
    try:
        while not re.search(last, said):
            piece = os.read(ours, 4096).decode()
            assert piece, said
            said = re.sub(r"\x1b\[[0-9;]*m", "", said + piece)
    finally:
        process.terminate()
        process.wait(30)
        os.close(ours)
    return said


def test_a_terminal_gets_a_link_that_logs_in(tmp_path):
    said = until_told(r"#token=.*\n", tmp_path, True)
    assert re.search(rf"page +http://127\.0\.0\.1:\d+/#token={own_token(tmp_path)}\b", said)
    assert re.search(r"^\d\d:\d\d:\d\d info    serving url=", said, re.MULTILINE)


def test_alone_on_a_machine_it_is_its_own_public_url_and_says_what_to_type(tmp_path):
    said = until_told(
        r"bridge watch.*\n", tmp_path, True, local=True, HOST="", DEEPGRAM_API_KEY="", TWILIO_SIGNATURE=""
    )
    port = re.search(r"serving url=http://127\.0\.0\.1:(\d+) public_url=http://127\.0\.0\.1:\1", said)[1]
    assert re.search(rf"voice URL +http://127\.0\.0\.1:{port}/twiml/voice\s", said)
    assert re.search(rf"media socket +ws://127\.0\.0\.1:{port}/media/twilio\s", said)
    assert f"events kept in {tmp_path}; with WEBHOOK_URL they are posted too" in " ".join(said.split())
    assert f"DATA_DIR={tmp_path} " in said and "bridge call" in said
    assert find(load({"DATA_DIR": str(tmp_path), "PORT": "0"})) is None, "it is gone, and says so"


def beside(folder, twilio):
    """The environment of a bridge with a program of its own for the tunnel, and an account at this Twilio."""
    return {
        "PATH": f"{folder}:/usr/bin:/bin",
        "DATA_DIR": str(folder / "data"),
        "PORT": "0",
        "TWILIO_ACCOUNT_SID": twilio_rest.ACCOUNT,
        "TWILIO_AUTH_TOKEN": twilio_rest.AUTH_TOKEN,
        "BRIDGE_TWILIO_API": twilio.url,
    }


async def test_a_tunnel_and_a_number_for_the_time_in_which_it_serves(tmp_path):
    url = "https://a988.ngrok-free.app"
    ngrok = tmp_path / "ngrok"
    said = f'{{"lvl":"info","msg":"started tunnel","obj":"tunnels","url":"{url}"}}'
    ngrok.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\necho '{said}'\nexec sleep 600\n")
    ngrok.chmod(0o755)
    held = [twilio_rest.number("PN1", "+15550123", voice_url="https://old.example/voice")]
    async with twilio_rest.FakeTwilioRest(held) as twilio:
        environment = {**beside(tmp_path, twilio), "HOST": "127.0.0.1"}
        number = ("--tunnel", "--number", "+15550123")
        async with serving({**environment, "DEEPGRAM_API_KEY": "k"}, *number) as (process, port):
            await until(lambda: twilio.posted)
            assert twilio.numbers[0]["voice_url"] == f"{url}/twiml/voice"
            assert find(load({"DATA_DIR": str(tmp_path / "data")})) == Place(f"http://127.0.0.1:{port}", url)
        assert (process.returncode, twilio.numbers[0]["voice_url"]) == (0, "https://old.example/voice")
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()


async def test_at_a_terminal_a_number_is_asked_for(tmp_path):
    """What is no number is asked for again; Ctrl-C puts it back."""
    ngrok = tmp_path / "ngrok"
    said = '{"lvl":"info","msg":"started tunnel","obj":"tunnels","url":"https://a988.ngrok-free.app"}'
    ngrok.write_text(f"#!/bin/sh\necho '{said}'\nexec sleep 600\n")
    ngrok.chmod(0o755)
    held = [twilio_rest.number("PN1", "+15550123", voice_url="https://old.example/voice")]
    async with twilio_rest.FakeTwilioRest(held) as twilio:
        environment = beside(tmp_path, twilio)
        async with Terminal("serve", "--local", "--tunnel", **environment) as terminal:
            await terminal.shows("A number to point here until the bridge stops, such as +15550123 (Enter: none): ")
            terminal.type("5550123\n")
            await terminal.shows("A number is written in full, with its country, such as +15550123.")
            terminal.type("+15550123\n")
            await terminal.shows("the number is pointed here until the bridge stops")
            assert twilio.numbers[0]["voice_url"] == "https://a988.ngrok-free.app/twiml/voice"
            terminal.interrupt()
            assert await terminal.ended() == 0
        assert "the number is put back" in terminal.text
        assert twilio.numbers[0]["voice_url"] == "https://old.example/voice"


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (("--tunnel",), {"PUBLIC_URL": "https://calls.example.com"}, "PUBLIC_URL is set, and --tunnel would set it"),
        (("--number", "+15550123"), {}, "--number is for --tunnel"),
        (("--tunnel", "--number", "5550123"), {}, "--number takes a number in full"),
        (("--tunnel", "--number", "+15550123"), {}, "--number needs TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN"),
    ],
)
async def test_what_a_tunnel_cannot_be_started_with(arguments, environment, said):
    told = await command("serve", "--local", *arguments, **environment)
    assert told.status == 2 and told.err.startswith(f"bridge: {said}")


def test_a_log_gets_no_token(tmp_path):
    said = until_told("read-token.*\n", tmp_path, False)
    assert str(tmp_path / "read-token") in said
    assert own_token(tmp_path) not in said


def test_a_setting_that_does_nothing_is_told_in_the_log(tmp_path):
    said = until_told(
        "serving.*\n", tmp_path, False, WEBHOOK_INTERIM="true", DEEPGRAM_OPTIONS="language=multi&redact=pii"
    )
    assert "WEBHOOK_INTERIM does nothing without WEBHOOK_URL" in said
    assert "DEEPGRAM_OPTIONS: redact=pii" in said


def test_whoever_sets_tokens_has_them(tmp_path):
    said = until_told("serving.*\n", tmp_path, True, BRIDGE_READ_TOKENS="secret-of-the-readers")
    assert "secret-of" not in said
    assert not (tmp_path / "read-token").exists()
