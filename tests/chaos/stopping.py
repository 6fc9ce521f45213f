"""Runs what is cancelled by SIGTERM and SIGINT, so that all that it has started is ended before this process."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopped(Exception):
    """A signal came, and all has been ended."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(f"stopped by {number.name}")
        self.status = 128 + number
        """Of the process, as a shell has it."""


def run(work: Coroutine[Any, Any, T], limit: float) -> T:
    """Its result. Raises TimeoutError after so many seconds, and `Stopped`."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(work, limit))


async def _run(work: Coroutine[Any, Any, T], limit: float) -> T:
    loop, working = asyncio.get_running_loop(), asyncio.ensure_future(asyncio.wait_for(work, limit))
    came: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        if not came:  # a second one must not cut off what ends the others
            came.append(number)
            working.cancel()

    for number in SIGNALS:
        loop.add_signal_handler(number, stop, number)
    try:
        return await working
    except asyncio.CancelledError:
        if came:
            raise Stopped(came[0]) from None
        raise
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


async def in_thread(blocking: Callable[..., T], *arguments: Any) -> T:
    """What it returns. Who is cancelled waits for it, too: a thread goes on, and may start what is to be ended."""
    working = asyncio.ensure_future(asyncio.to_thread(blocking, *arguments))
    try:
        return await asyncio.shield(working)
    finally:
        await asyncio.wait({working})
