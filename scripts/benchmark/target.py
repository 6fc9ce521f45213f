"""What is measured: a server in a process and on a core of its own. The benchmark takes the second core."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


class Target:
    """A server in a process of its own, pinned to the first core."""

    def __init__(self, name, command, environment):
        self.name = name
        self.port = int(environment["PORT"])
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdout=self._log,
            stderr=self._log,
            preexec_fn=lambda: os.sched_setaffinity(0, {0}),
        )

    async def ready(self):
        for _ in range(200):
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                return
            if self._process.poll() is not None:
                break
            await asyncio.sleep(0.1)
        self._log.seek(0)
        raise SystemExit(f"{self.name} did not start:\n{self._log.read().decode()[-2000:]}")

    def cpu(self):
        """Seconds of CPU so far, all threads."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self):
        """Resident octets."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def stop(self):
        self._process.terminate()
        self._process.wait(30)
        self._log.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def take_second_core():
    """For this process and what it starts, targets aside."""
    if not hasattr(os, "sched_setaffinity") or (os.cpu_count() or 1) < 2:
        sys.exit("The benchmark pins processes to cores: it needs Linux and two of them.")
    os.sched_setaffinity(0, {1})
