"""A command in this process, in a thread beside the test's own server: what it writes, and its status."""

import asyncio
import logging
from collections import namedtuple
from contextlib import contextmanager

from typer.testing import CliRunner

from bridge.cli.main import build
from bridge.errors import BridgeError

Told = namedtuple("Told", "status out err")


@contextmanager
def logging_kept():
    """What a command sets up for its own log is gone afterwards: its stream is."""
    loggers = [logging.getLogger(name) for name in ("", "websockets", "aiohttp.server", "asyncio")]
    before = [(logger, logger.level, list(logger.handlers), list(logger.filters)) for logger in loggers]
    try:
        yield
    finally:
        for logger, level, handlers, filters in before:
            logger.setLevel(level)
            logger.handlers[:], logger.filters[:] = handlers, filters


async def command(*arguments, **environment):
    """As `bridge …` with no terminal; expected troubles as `main` tells them."""
    runner = CliRunner()
    with logging_kept():
        result = await asyncio.to_thread(runner.invoke, build(arguments[:1]), arguments, env=environment)
    if isinstance(result.exception, BridgeError):
        return Told(2, result.stdout, f"bridge: {result.exception}\n")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Told(result.exit_code, result.stdout, result.stderr)
