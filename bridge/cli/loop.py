"""Runs a command's coroutine, on uvloop if it is installed."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

R = TypeVar("R")


def run(main: Coroutine[Any, Any, R]) -> R:
    """Run to completion, like `asyncio.run`."""
    try:
        import uvloop
    except ImportError:  # it has no wheel for every platform
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
