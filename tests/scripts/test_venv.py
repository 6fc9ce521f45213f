"""How the scripts install: what is done is shown while it is done. The interpreter here only says what pip would."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

PYTHON = """#!/bin/sh
case "$*" in
*"import sys, venv"*) ;;
"-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
*"pip"*"[local,"*) [ -z "$NO_WHEEL" ] || exit 1; echo "Collecting aiohttp>=3.14"; read -r _ < "$HELD"; echo done ;;
*) echo "Collecting aiohttp>=3.14" ;;
esac
"""
"""`$HELD` is a pipe: that with the local engine goes on when something is written there."""


@pytest.fixture
def start(tmp_path):
    """Starts `prepare demo` with an environment of its own, and this for an interpreter."""
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    os.mkfifo(tmp_path / "held")
    processes = []

    def started(**variables):
        environment = {"PATH": os.environ["PATH"], "PYTHON": str(python), "VENV": str(tmp_path / "venv")}
        process = subprocess.Popen(
            ["sh", "-c", ". scripts/venv.sh; prepare demo; echo ready", str(ROOT / "scripts" / "demo")],
            env={**environment, "HELD": str(tmp_path / "held"), "NO_WHEEL": "", **variables},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        processes.append(process)
        return process

    yield started
    for process in processes:
        process.kill()
        process.communicate()


def let_go(tmp_path):
    (tmp_path / "held").write_text("\n")


def test_what_is_done_is_shown_before_it_is_over(start, tmp_path):
    process = start()
    shown = [process.stderr.readline().decode() for _ in range(2)]
    dot = process.stderr.read(1)  # while pip is held
    assert shown[0].startswith(f"Making {tmp_path}/venv with ") and shown[1].startswith("Installing into ")
    assert dot == b"."

    let_go(tmp_path)
    assert (process.communicate(timeout=30)[0], process.returncode) == (b"ready\n", 0)
    assert (tmp_path / "venv" / "install.log").read_text().splitlines() == ["Collecting aiohttp>=3.14", "done"]


def test_what_is_installed_is_not_installed_again(start, tmp_path):
    first = start()
    let_go(tmp_path)
    first.communicate(timeout=30)

    assert start().communicate(timeout=30) == (b"ready\n", b"")


def test_without_a_wheel_of_the_recognizer_the_rest_is_installed(start):
    said, told = start(NO_WHEEL="1").communicate(timeout=30)

    assert said == b"ready\n"
    assert "the local engine will follow the script instead" in told.decode()
