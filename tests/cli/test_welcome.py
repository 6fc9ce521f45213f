"""What a person at a terminal is told, at any width."""

import importlib.util
import shlex
import sys
from pathlib import Path

import pytest
from rich.console import Console

from bridge.cli.place import Place
from bridge.cli.welcome import command, welcome
from bridge.config import load
from bridge.installing import with_extra

PLACE = Place("http://127.0.0.1:8080", "http://127.0.0.1:8080")
LINK = "http://127.0.0.1:8080/#token=" + "t" * 43


def told(width, *, local=True, tunnel=None, number=None, **environment):
    console = Console(width=width, file=None, force_terminal=True, color_system=None)
    with console.capture() as capture:
        settings = load({"PUBLIC_URL": PLACE.public_url, "TWILIO_SIGNATURE": "off", **environment})
        welcome(console, settings, PLACE, LINK, local=local, tunnel=tunnel, number=number)
    return capture.get()


@pytest.mark.parametrize("width", [50, 60, 80, 120, 200])
def test_what_can_be_copied_is_on_one_line(width):
    lines = told(width, DATA_DIR="/var/lib/the bridge").splitlines()

    commands = [command(name, data_dir=Path("/var/lib/the bridge"), elsewhere=True) for name in ("call", "watch")]
    addresses = [LINK, "http://127.0.0.1:8080/twiml/voice", "ws://127.0.0.1:8080/media/twilio"]
    for whole in [*commands, *addresses]:
        assert sum(whole in line for line in lines) == 1, whole
    prose = [line for line in lines if not any(whole in line for whole in [*commands, *addresses])]
    assert all(len(line) <= width for line in prose)


@pytest.mark.parametrize("width", [50, 60, 80, 120])
def test_what_to_install_is_on_one_line(width, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    lines = told(width).splitlines()

    assert sum(with_extra("local") in line for line in lines) == 1
    assert all(len(line) <= width for line in lines if with_extra("local") not in line and "/" not in line)


def test_a_webhook_is_told_without_what_may_be_a_secret():
    said = told(120, WEBHOOK_URL="https://app.example.com/hooks/secret?key=1", WEBHOOK_SECRET="x")

    assert "posted to https://app.example.com, kept in data" in said
    assert "secret" not in said


def test_endpoints_of_a_file_are_told():
    said = told(160, WEBHOOK_URL="https://app.example.com/", WEBHOOK_SECRET="x", BRIDGE_ENDPOINTS="endpoints.toml")

    assert "posted to https://app.example.com and the endpoints of endpoints.toml, kept in data" in said
    assert "the endpoints of" in (said := told(160, BRIDGE_ENDPOINTS="endpoints.toml")) and "receive" not in said


def test_with_an_account_the_next_step_is_a_number():
    assert "bridge number +15550123" in told(80, local=False, TWILIO_ACCOUNT_SID="AC" + "0" * 32)
    assert "Next" not in told(80, local=False)


def test_a_tunnel_is_told_and_how_a_number_comes_through_it():
    account = {"TWILIO_ACCOUNT_SID": "AC" + "0" * 32, "TWILIO_AUTH_TOKEN": "t" * 32}

    assert "by ngrok" in told(80, tunnel="ngrok")
    assert "Twilio's console" in told(80, tunnel="ngrok")
    assert "bridge serve --local --tunnel --number +15550123" in told(80, tunnel="ngrok", **account)
    pointed = told(80, tunnel="ngrok", number="+15550199", **account)
    assert "+15550199 comes here until the bridge stops" in pointed and "--number" not in pointed


def test_a_command_is_named_so_that_it_can_be_typed(tmp_path, monkeypatch):
    own = Path(sys.executable).with_name("bridge")
    monkeypatch.setenv("PATH", str(own.parent))
    if own.exists():
        assert command("calls") == "bridge calls"
        monkeypatch.setenv("PATH", "/nowhere")
        monkeypatch.chdir(tmp_path)
        assert shlex.split(command("calls", "a b")) == [str(own), "calls", "a b"]
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.chdir(tmp_path)
    assert command("calls") == "python -m bridge calls"


def made(folder):
    """An executable `bridge` in there."""
    folder.mkdir(parents=True)
    (folder / "bridge").write_text("#!/bin/sh\n")
    (folder / "bridge").chmod(0o755)
    return folder


def test_for_another_terminal_it_does_not_count_on_an_active_environment(tmp_path, monkeypatch):
    """There `bridge` may be Debian's, of iproute2, or nothing."""
    active, debian, links = made(tmp_path / ".venv" / "bin"), made(tmp_path / "sbin"), tmp_path / "links"
    monkeypatch.setattr(sys, "executable", str(active / "python"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    monkeypatch.chdir(tmp_path)

    monkeypatch.setenv("PATH", f"{active}:{debian}")
    assert command("calls") == "bridge calls"
    assert command("calls", elsewhere=True) == ".venv/bin/bridge calls"

    links.mkdir()
    (links / "bridge").symlink_to(active / "bridge")  # as pipx makes them
    monkeypatch.setenv("PATH", f"{links}:{debian}")
    assert command("calls", elsewhere=True) == "bridge calls"


def test_what_is_next_can_be_typed_in_another_terminal(tmp_path, monkeypatch):
    active = made(tmp_path / ".venv" / "bin")
    monkeypatch.setattr(sys, "executable", str(active / "python"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(active))

    said = told(120)
    assert all(f"  .venv/bin/bridge {name}  " in said for name in ("call", "watch", "receive"))
