"""One node of a run: `bridge serve` as a process that is killed, drained, stalled and started again."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.chaos.house import ROOT, answers, free_port

_START = 60.0  # seconds a start may take
_STOP = 60.0  # seconds after SIGTERM


class Node:
    """`start` it, and `close` it in any case."""

    def __init__(self, number: int, folder: Path, environment: Mapping[str, str]) -> None:
        """`folder`: for its log and its `DATA_DIR`, which survive this."""
        self.number = number
        self.port = free_port()
        self.log = folder / f"node{number}.log"
        self._environment = {
            **os.environ,
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "DATA_DIR": str(folder / f"node{number}"),
            "BRIDGE_START_CHECKS": "false",
            **environment,
        }
        self._process: asyncio.subprocess.Process | None = None

    async def close(self) -> None:
        """End its process, also one that stands still."""
        if self._process and self._process.returncode is None:
            await self.kill()

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    async def start(self) -> None:
        """Until it takes connections; one that ends before is started again, as a host does it while the database is
        away. Raises TimeoutError."""
        async with asyncio.timeout(_START):
            while not await answers(self.port):
                if self._process is None or self._process.returncode is not None:
                    await self._begin()
                await asyncio.sleep(0.1)

    async def _begin(self) -> None:
        beginning = asyncio.ensure_future(self._spawn())
        try:
            await asyncio.shield(beginning)
        finally:
            await asyncio.wait({beginning})  # who is cancelled is to end it

    async def _spawn(self) -> None:
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bridge", "serve", cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )

    async def kill(self) -> None:
        """SIGKILL."""
        assert self._process
        self._process.kill()
        await self._process.wait()

    async def drain(self) -> int:
        """SIGTERM; the exit status."""
        assert self._process
        self._process.terminate()
        return await asyncio.wait_for(self._process.wait(), _STOP)

    def stall(self) -> None:
        """SIGSTOP."""
        os.kill(self.pid, signal.SIGSTOP)

    def wake(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)
