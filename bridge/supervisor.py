"""Several processes that do the same: each is started, started again when it ends, and told to stop with the others.

A process that is started reads from a pipe whose other end is this process's: it ends with this one, however that ends,
so that the processes of the next supervisor find port and folders free. It is no part of the terminal's group, whose
Ctrl-C would reach it twice.
"""

import asyncio
import logging
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress

from bridge.restarts import Restarts

log = logging.getLogger("bridge.supervisor")

_NO_START = 71  # the status of a process that the system could not start, as sysexits.h has it


class Supervisor:
    """`run` starts the processes, and returns once all have ended after `stop`."""

    def __init__(
        self, command: Sequence[str], environments: Sequence[Mapping[str, str]], restarts: Restarts | None = None
    ) -> None:
        """`environments`: of each process, of which the first is number 1."""
        self._command = command
        self._environments = environments
        self._restarts = restarts or Restarts()
        self._stopping = asyncio.Event()
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._statuses: dict[int, int] = {}
        self._cannot: int | None = None

    def __repr__(self) -> str:
        return f"<Supervisor {len(self._processes)} of {len(self._environments)} processes>"

    @property
    def pids(self) -> dict[int, int]:
        """The ids of the processes that run, by their numbers."""
        return {number: process.pid for number, process in self._processes.items()}

    def stop(self) -> None:
        """Tell every process to stop, by SIGTERM; asked again, once more."""
        self._stopping.set()
        for process in self._processes.values():
            _tell(process)

    async def run(self) -> int:
        """The worst status with which a process has ended last; that of one that could not begin, which ends all."""
        async with asyncio.TaskGroup() as group:
            for number, environment in enumerate(self._environments, 1):
                group.create_task(self._keep(number, environment), name=f"process {number}")
        return max(self._statuses.values(), default=0) if self._cannot is None else self._cannot

    async def _keep(self, number: int, environment: Mapping[str, str]) -> None:
        """Have process `number` run until all are to stop."""
        clock = asyncio.get_running_loop().time
        while not self._stopping.is_set():
            began = clock()
            status = self._statuses[number] = await self._live(number, environment)
            if self._stopping.is_set():
                return
            pause = self._restarts.ended(number, status, clock() - began)
            if pause is None:
                log.error("a process cannot begin; all are stopped", extra={"number": number, "status": status})
                self._cannot = status
                self.stop()
                return
            said = {"number": number, "status": status, "seconds": pause}
            log.error("a process has ended, and is started again", extra=said)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stopping.wait()

    async def _live(self, number: int, environment: Mapping[str, str]) -> int:
        """From the start of a process to its end; its status."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, env=environment, stdin=asyncio.subprocess.PIPE, start_new_session=True
            )
        except OSError as error:
            log.error("a process cannot be started", extra={"number": number, "reason": error.strerror})
            return _NO_START
        self._processes[number] = process
        log.info("process started", extra={"number": number, "pid": process.pid})
        if self._stopping.is_set():
            _tell(process)
        try:
            status = await process.wait()
        finally:
            del self._processes[number]
        return status if status >= 0 else 128 - status


def _tell(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):  # it has ended by itself
        process.send_signal(signal.SIGTERM)
