"""Waiting for what happens elsewhere, in another thread or behind a socket: until it has, not for a while."""

import asyncio
from collections.abc import Callable

#: Seconds by which a wait may look, or be, shorter than it was asked for: uvloop's clock counts whole milliseconds.
TICK = 0.002


def tasks_of(*classes: str) -> list[str]:
    """The methods of these classes that run as tasks at this moment."""
    names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
    return [name for name in names if name.split(".")[0] in classes]


async def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Return when the condition holds; `TimeoutError` if that takes too long to be waited for."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - nobody there could set an event
            await asyncio.sleep(0.002)
