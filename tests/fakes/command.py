"""A command in this process: what it writes, and its status. Either it or the test's own server is in a thread."""

import asyncio
import logging
import threading
from collections import namedtuple
from contextlib import contextmanager

from typer.testing import CliRunner

from bridge.cli.main import TROUBLES, build

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
    """As `bridge …` with no terminal, in a thread; expected troubles as `main` tells them."""
    return await asyncio.to_thread(typed, *arguments, **environment)


def typed(*arguments, **environment):
    """The same in the caller's thread: the main one, where a command handles signals."""
    with logging_kept():
        result = CliRunner().invoke(build(arguments[:1]), arguments, env=environment)
    if isinstance(result.exception, TROUBLES):
        return Told(2, result.stdout, f"{result.stderr}bridge: {result.exception}\n")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Told(result.exit_code, result.stdout, result.stderr)


@contextmanager
def beside(server):
    """A server, an asynchronous context manager, on a loop in a thread, while a command has the main one."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result()
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
