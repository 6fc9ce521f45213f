"""A run that is stopped by a signal ends what it has started before it ends itself."""

import asyncio
import os
import signal
import threading

import pytest

from tests.chaos.stopping import SIGNALS, Stopped, in_thread, run


@pytest.mark.parametrize("number", SIGNALS)
def test_it_is_cancelled_and_ends_what_it_has_started(number):
    done = []

    async def work():
        try:
            os.kill(os.getpid(), number)
            await asyncio.Event().wait()
        finally:
            os.kill(os.getpid(), number)  # a hasty person
            await asyncio.sleep(0.01)
            done.append(True)

    with pytest.raises(Stopped, match=number.name) as stopped:
        run(work(), 60.0)
    assert (done, stopped.value.status) == ([True], 128 + number)


def test_what_is_done_in_time_has_its_result_and_what_is_not_is_late():
    async def work(seconds):
        await asyncio.sleep(seconds)
        return seconds

    before = signal.getsignal(signal.SIGTERM)
    assert run(work(0.0), 60.0) == 0.0
    with pytest.raises(TimeoutError):
        run(work(60.0), 0.01)
    assert signal.getsignal(signal.SIGTERM) == before


async def test_a_thread_is_waited_for_also_by_who_is_cancelled():
    begun, go_on, over = threading.Event(), threading.Event(), []

    def blocking(word):
        begun.set()
        go_on.wait(60)
        over.append(word)
        return word

    working = asyncio.create_task(in_thread(blocking, "a"))
    await asyncio.to_thread(begun.wait, 60)
    working.cancel()
    await asyncio.sleep(0.01)
    assert not working.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert over == ["a"]
    assert await in_thread(blocking, "b") == "b"
