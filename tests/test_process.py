"""What a server does to its own process, in one of its own; and how late its loop is."""

import asyncio
import subprocess
import sys
import time

from bridge.process import LoopDelay


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_what_is_there_at_the_start_is_never_looked_at_again():
    code = (
        "import gc; from bridge.process import spare_collector; spare_collector(); print(gc.get_freeze_count() > 1000)"
    )

    assert run(code) == "True"


def test_what_ended_calls_leave_is_found_within_a_few_hundred_calls():
    """A call is a cycle of some four hundred objects, old when it ends."""
    code = """
import gc, weakref
from collections import deque
from bridge.process import spare_collector

class Call:
    def __init__(self):
        self.parts = [[self] for _ in range(400)]

spare_collector()
going_on, ended = deque(maxlen=50), []
for _ in range(2_000):
    going_on.append(Call())
    ended.append(weakref.ref(going_on[-1]))
print(sum(call() is not None for call in ended) < 500, gc.get_stats()[2]["collections"] < 40)
"""

    assert run(code) == "True True"


def test_a_thread_waits_for_the_interpreter_for_half_a_millisecond():
    code = (
        "import sys; from bridge.process import share_interpreter; share_interpreter(); print(sys.getswitchinterval())"
    )

    assert run(code) == "0.0005"


async def test_a_loop_that_was_held_up_says_for_how_long():
    async with LoopDelay() as delay:
        async with asyncio.timeout(60):
            while not delay.histogram.measured:
                await asyncio.sleep(0.01)
        time.sleep(0.3)  # noqa: ASYNC251 - this is what is to be seen
        async with asyncio.timeout(60):
            while dict(delay.histogram.buckets)["0.1"] == delay.histogram.measured:
                await asyncio.sleep(0.01)

    assert delay.histogram.total >= 0.19
