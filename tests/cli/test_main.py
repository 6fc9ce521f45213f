import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def bridge(*arguments):
    return subprocess.run([sys.executable, "-m", "bridge", *arguments], cwd=ROOT, capture_output=True, text=True)


def test_help_lists_every_command():
    done = bridge("--help")

    assert done.returncode == 0
    names = (
        "serve",
        "twiml",
        "number",
        "calls",
        "watch",
        "transcript",
        "delete",
        "demo",
        "call",
        "deepgram",
        "receive",
    )
    assert all(f" {name} " in done.stdout for name in names)


def test_an_expected_trouble_is_a_sentence_and_status_two():
    done = bridge("call", "--to", "wss://x", "no-such-file.wav")

    assert done.returncode == 2
    assert done.stderr.startswith("bridge: ")
    assert done.stderr.count("\n") == 1
