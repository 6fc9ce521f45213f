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

from bridge.store.token import own_token
from tests.fakes.running import serving

ROOT = Path(__file__).parent.parent.parent


def serve(*arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "bridge", "serve", *arguments],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stderr


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
    ],
)
def test_what_cannot_work_stops_the_start_with_one_sentence(environment, said):
    status, error = serve(**environment)

    assert status == 2
    assert said in error
    assert error.count("\n") == 1


def test_a_port_that_is_taken_is_one_sentence(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        status, error = serve(
            DEEPGRAM_API_KEY="k", TWILIO_SIGNATURE="off", DATA_DIR=str(tmp_path), PORT=port, HOST="127.0.0.1"
        )

    assert status == 2
    assert error.splitlines()[-1].startswith(f"bridge: cannot listen at 127.0.0.1:{port}: ")
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
        for where, path, status in ((port, "metrics", 200), (main, "metrics", 404), (port, "calls", 404)):
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


def until_told(last, data_dir, terminal, **environment):
    """What a bridge says up to this, on a terminal or into a pipe; then it is stopped."""
    ours, its = pty.openpty() if terminal else os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge", "serve"],
        cwd=ROOT,
        env={
            "PATH": "/usr/bin:/bin",
            "DEEPGRAM_API_KEY": "k",
            "TWILIO_SIGNATURE": "off",
            "DATA_DIR": str(data_dir),
            "PORT": "0",
            "HOST": "127.0.0.1",
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
            said += piece
    finally:
        process.terminate()
        process.wait(30)
        os.close(ours)
    return said


def test_a_terminal_gets_a_link_that_logs_in(tmp_path):
    said = until_told(r"#token=.*\n", tmp_path, True)
    assert re.search(rf"Read the calls at http://127\.0\.0\.1:\d+/#token={own_token(tmp_path)}\b", said)


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
