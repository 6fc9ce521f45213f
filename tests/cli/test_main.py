"""The command line as a whole."""

import re
import subprocess
import sys
from inspect import getdoc
from pathlib import Path

import pytest
import typer

import bridge as package
from bridge.cli import main
from bridge.cli.main import COMMANDS, EXAMPLES, GROUPS, build, build_list

ROOT = Path(__file__).parent.parent.parent


def bridge(*arguments):
    return subprocess.run([sys.executable, "-m", "bridge", *arguments], cwd=ROOT, capture_output=True, text=True)


def test_help_lists_every_command_in_its_group():
    done = bridge("-h")

    assert done.returncode == 0
    assert re.findall(r"─ ([A-Z][a-z ]+) ─", done.stdout) == ["Options", *GROUPS]
    assert all(f" {name} " in done.stdout for name in COMMANDS)


def test_every_command_is_in_one_group():
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(COMMANDS)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_can_be_typed(name):
    command = typer.main.get_command(build([name])).commands[name]
    for line in EXAMPLES[name]:
        _, typed, words = line.partition(f"bridge {name}")
        assert typed and command.make_context(name, words.split()).info_name == name


def test_the_lines_of_the_procfile_can_be_typed():
    lines = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
    command = typer.main.get_command(build(["serve"])).commands["serve"]
    roles = {
        name: command.make_context("serve", line.partition("bridge serve")[2].split()).params["role"]
        for name, line in lines.items()
    }

    assert roles == {"web": None, "worker": "worker"}, "the web process alone does everything, also with SQLite"


def test_help_ends_with_the_examples():
    done = bridge("doctor", "--help")

    assert [line.strip() for line in done.stdout.splitlines() if line.strip()][-3:] == list(EXAMPLES["doctor"])


def test_the_version(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bridge", "--version"])
    with pytest.raises(SystemExit) as ended:
        main.main()

    assert (ended.value.code, capsys.readouterr().out) == (0, f"bridge {package.__version__}\n")


@pytest.mark.parametrize(
    ("line", "word", "completed"),
    [("bridge rec", 1, ["receive"]), ("bridge serve --loc", 2, ["--local"]), ("bridge control CA1 pa", 3, ["pause"])],
)
def test_a_shell_completes_commands_options_and_values(line, word, completed, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bridge"])
    for name, value in (("_BRIDGE_COMPLETE", "complete_bash"), ("COMP_WORDS", line), ("COMP_CWORD", str(word))):
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        main.main()

    assert (ended.value.code, capsys.readouterr().out.split()) == (0, completed)


def test_a_command_loads_no_other_commands_module():
    loaded = "; import sys; print(sorted(name for name in sys.modules if name.startswith('bridge.cli.')))"
    code = f"from bridge.cli.main import build; build(['calls']){loaded}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert "bridge.cli.reading" in done.stdout
    assert "bridge.cli.serve" not in done.stdout


def test_a_server_starts_without_what_is_for_others():
    """Modules are most of the time until it listens: what a terminal, a tunnel, the checks of the start and the extras
    take is loaded by who wants it, and the checks when it listens already."""
    code = "from bridge.cli.main import build; build(['serve']); import gc, sys; print(gc.isenabled(), *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    collects, *loaded = done.stdout.split()

    assert collects == "True" and "bridge.app" in loaded
    others = {"rich", "packaging", "requests", "twilio.rest", "bridge.doctor.looking"}
    others |= {
        "bridge.cli.welcome",
        "bridge.cli.exposing",
        "bridge.cli.pointing",
        "bridge.client",
        "bridge.local.sample",
    }
    others |= {"av", "opentelemetry", "pocketsphinx", "re2", "sounddevice", "standardwebhooks"}
    assert others & {*loaded} == set()


def test_the_list_of_commands_loads_none_of_them():
    loaded = "; import sys; print(*sorted(sys.modules))"
    code = f"from bridge.cli.main import build_list; build_list(){loaded}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert not {"aiohttp", "bridge.app", *(f"bridge.cli.{name}" for name in COMMANDS.values())} & {*done.stdout.split()}


def test_the_list_says_of_each_command_what_its_own_help_says():
    listed = {command.name: command.help for command in build_list().registered_commands}

    assert listed == {command.name: getdoc(command.callback) for command in build(COMMANDS).registered_commands}


def test_a_slip_of_the_finger_is_told_what_was_meant():
    done = bridge("servee")

    assert done.returncode == 2
    assert "Did you mean 'serve'?" in done.stderr


def test_an_expected_trouble_is_a_sentence_and_status_two():
    done = bridge("call", "--to", "wss://x", "no-such-file.wav")

    assert done.returncode == 2
    assert done.stderr.startswith("bridge: ")
    assert done.stderr.count("\n") == 1
