"""The command line as a whole."""

import subprocess
import sys
from inspect import getdoc
from pathlib import Path

from bridge.cli.main import COMMANDS, build, build_list

ROOT = Path(__file__).parent.parent.parent


def bridge(*arguments):
    return subprocess.run([sys.executable, "-m", "bridge", *arguments], cwd=ROOT, capture_output=True, text=True)


def test_help_lists_every_command():
    done = bridge("--help")

    assert done.returncode == 0
    assert all(f" {name} " in done.stdout for name in COMMANDS)


def test_a_command_loads_no_other_commands_module():
    loaded = "; import sys; print(sorted(name for name in sys.modules if name.startswith('bridge.cli.')))"
    code = f"from bridge.cli.main import build; build(['calls']){loaded}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert "bridge.cli.reading" in done.stdout
    assert "bridge.cli.serve" not in done.stdout


def test_the_list_of_commands_loads_none_of_them():
    loaded = "; import sys; print(*sorted(sys.modules))"
    code = f"from bridge.cli.main import build_list; build_list(){loaded}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert not {"aiohttp", "bridge.app", *(f"bridge.cli.{name}" for name in COMMANDS.values())} & {*done.stdout.split()}


def test_the_list_says_of_each_command_what_its_own_help_says():
    listed, own = build_list().registered_commands, build(COMMANDS).registered_commands

    assert [command.name for command in listed] == list(COMMANDS)
    assert [command.help for command in listed] == [getdoc(command.callback) for command in own]


def test_a_slip_of_the_finger_is_told_what_was_meant():
    done = bridge("servee")

    assert done.returncode == 2
    assert "Did you mean 'serve'?" in done.stderr


def test_an_expected_trouble_is_a_sentence_and_status_two():
    done = bridge("call", "--to", "wss://x", "no-such-file.wav")

    assert done.returncode == 2
    assert done.stderr.startswith("bridge: ")
    assert done.stderr.count("\n") == 1
