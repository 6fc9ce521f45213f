"""A command in this process, in a thread beside the test's own server: what it writes, and its status."""

import asyncio
from collections import namedtuple

from typer.testing import CliRunner

from bridge.cli.main import build
from bridge.errors import BridgeError

Told = namedtuple("Told", "status out err")


async def command(*arguments, **environment):
    """As `bridge …` with no terminal; expected troubles as `main` tells them."""
    runner = CliRunner()
    result = await asyncio.to_thread(runner.invoke, build(arguments[:1]), arguments, env=environment)
    if isinstance(result.exception, BridgeError):
        return Told(2, result.stdout, f"bridge: {result.exception}\n")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Told(result.exit_code, result.stdout, result.stderr)
