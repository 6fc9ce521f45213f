"""What a server does to its own process, in one of its own."""

import subprocess
import sys


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_what_is_there_at_the_start_is_never_looked_at_again():
    code = (
        "import gc; from bridge.process import spare_collector; spare_collector(); print(gc.get_freeze_count() > 1000)"
    )

    assert run(code) == "True"


def test_full_collections_are_rare():
    code = "import gc; from bridge.process import spare_collector; spare_collector(); print(*gc.get_threshold())"

    assert run(code) == "2000 20 100"


def test_a_thread_waits_for_the_interpreter_for_half_a_millisecond():
    code = (
        "import sys; from bridge.process import share_interpreter; share_interpreter(); print(sys.getswitchinterval())"
    )

    assert run(code) == "0.0005"
