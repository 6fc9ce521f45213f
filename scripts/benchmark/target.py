"""What is measured: a server in a process and on a core of its own. The benchmark takes the second core."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

TICKS = os.sysconf("SC_CLK_TCK")


class Target:
    """A server in a process of its own, pinned to the first core, or to `cores`."""

    def __init__(self, name, command, environment, cores=frozenset((0,))):
        self.name = name
        self.port = int(environment["PORT"])
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdout=self._log,
            stderr=self._log,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )

    async def ready(self):
        await asyncio.to_thread(self.wait_until_ready)

    def wait_until_ready(self):
        for _ in range(200):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.1)
        raise SystemExit(f"{self.name} did not start:\n{self.log()}")

    def log(self):
        """The last of what it has printed."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")[-2000:]

    def cpu(self):
        """Seconds of CPU so far, all threads."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self):
        """Resident octets."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def reads(self):
        """System calls that read, so far."""
        counts = Path(f"/proc/{self._process.pid}/io").read_text()
        return int(counts.partition("syscr:")[2].split()[0])

    def files(self):
        """How many files of each kind are open: sockets and the like by that word, others by their path."""
        found: Counter[str] = Counter()
        for link in Path(f"/proc/{self._process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
                found[os.readlink(link).partition(":[")[0]] += 1
        return found

    def stop(self):
        self._process.terminate()
        self._process.wait(30)
        self._log.close()


class Core(NamedTuple):
    """What the first core has done since it started, in seconds."""

    busy: float
    """With processes: the target and whatever else was put there."""
    stolen: float
    """Taken by the host."""


def first_core():
    line = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("cpu0 "))
    user, nice, system, *_, stolen = (int(field) / TICKS for field in line.split()[1:9])
    return Core(user + nice + system, stolen)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def take_second_core():
    """For this process and what it starts, targets aside."""
    if not hasattr(os, "sched_setaffinity") or (os.cpu_count() or 1) < 2:
        sys.exit("The benchmark pins processes to cores: it needs Linux and two of them.")
    os.sched_setaffinity(0, {1})
