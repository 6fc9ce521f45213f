"""What an example runs in: its own process, with the packages that its top comment names and no others."""

import asyncio
import os
import shutil
import socket
import sys
from contextlib import asynccontextmanager

import pytest

from scripts import foreign
from tests.fakes.running import ROOT
from tests.fakes.waiting import until

EXAMPLES = ROOT / "scripts" / "examples"
LONGEST = 30
"""Seconds that an example may take to start."""

COMMANDS = {
    "fastapi_consumer": (
        *("consumers", "-m", "uvicorn", "--log-level", "warning", "--app-dir", str(EXAMPLES)),
        *("fastapi_consumer:app", "--port"),
    ),
    "flask_consumer": ("consumers", "-m", "flask", "--app", str(EXAMPLES / "flask_consumer"), "run", "--port"),
    "express_consumer": ("express", str(EXAMPLES / "express_consumer.js")),
    "crm_note": ("readers", str(EXAMPLES / "crm_note.py")),
    "slack_message": ("readers", str(EXAMPLES / "slack_message.py")),
    "agent_assist": ("readers", str(EXAMPLES / "agent_assist.py")),
}
"""The environment of each, and its command; one that ends in `--port` wants the port there."""


class Program:
    """An example that runs."""

    def __init__(self, origin):
        self.origin = origin
        self.url = f"{origin}/calls"
        self.said = []
        """The lines that it has written to its standard output, without Flask's own."""
        self.errors = []

    async def read(self, stream, lines):
        async for line in stream:
            if not line.startswith(b" * "):
                lines.append(line.decode().rstrip("\n"))


def command_of(name, port):
    """The command; the test is skipped where it cannot run."""
    environment, *command = COMMANDS[name]
    if not foreign.is_made(environment):
        pytest.skip(f"the environment {environment} is not made: ./scripts/example-tests makes it")
    if environment in foreign.NODE:
        node = shutil.which("node") or pytest.skip("there is no Node here")
        return node, *command
    python = getattr(sys, "_base_executable", sys.executable)
    return python, "-s", *command, *([str(port)] if command[-1] == "--port" else [])


def free_port():
    """A port that nothing listens at."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@asynccontextmanager
async def running(name, folder, port, **variables):
    """The example, from when it listens; on exit it is asked to stop, and must."""
    command = command_of(name, port)
    place = str(foreign.folder(COMMANDS[name][0]))
    environment = {
        "PATH": os.environ["PATH"],
        "PORT": str(port),
        "PYTHONPATH": f"{place}:{ROOT}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "NODE_PATH": f"{place}/node_modules",
        **variables,
    }
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, env=environment, cwd=folder, stdout=pipe, stderr=pipe)
    program = Program(f"http://127.0.0.1:{port}")
    reading = [
        asyncio.ensure_future(program.read(process.stdout, program.said)),
        asyncio.ensure_future(program.read(process.stderr, program.errors)),
    ]
    try:
        await until(lambda: process.returncode is not None or listens(port), LONGEST)
        assert process.returncode is None, program.errors
        yield program
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), 10)
        await asyncio.gather(*reading)


def listens(port):
    """Whether a program does."""
    with socket.socket() as trying:
        return trying.connect_ex(("127.0.0.1", port)) == 0
