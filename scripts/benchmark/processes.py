"""Several processes as one target of a load, and what a database server beside them costs."""

import contextlib
import os
from collections.abc import Collection, Sequence
from itertools import cycle
from pathlib import Path

from scripts.benchmark.target import TICKS, Target


class Processes:
    """Stands in the place of one `Target`: each call goes to the next of them."""

    def __init__(self, targets: Sequence[Target], database: Path | None) -> None:
        """`database`: the folder of a PostgreSQL server's data."""
        self.database_cpu: list[float] = []
        """Seconds of CPU that the server has had, at each moment at which the targets were asked for theirs."""
        self._targets = targets
        self._turn = cycle(targets)
        self._database = database

    @property
    def port(self) -> int:
        """Where the next call goes."""
        return int(next(self._turn).port)

    def wait_until_ready(self) -> None:
        for target in self._targets:
            target.wait_until_ready()

    def cpu(self) -> float:
        """Seconds of CPU so far, of all of them."""
        if self._database:
            self.database_cpu.append(server_cpu(self._database))
        return float(sum(target.cpu() for target in self._targets))

    def memory(self) -> int:
        """Resident octets."""
        return sum(target.memory() for target in self._targets)

    def reads(self) -> int:
        """System calls that read, so far."""
        return sum(target.reads() for target in self._targets)

    def stop(self) -> None:
        for target in self._targets:
            target.stop()


def server_cpu(data: Path, proc: Path = Path("/proc")) -> float:
    """Seconds of CPU that a PostgreSQL server has had so far: its own, of those of its processes that are over, and of
    those that go on. `data`: the folder of its data."""
    postmaster, *children = _processes(data, proc)
    ticks = sum(_times(proc / postmaster / "stat"))
    for child in children:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            ticks += sum(_times(proc / child / "stat")[:2])
    return ticks / TICKS


def pin_server(data: Path, cores: Collection[int]) -> None:
    """Leave a PostgreSQL server these cores, and whatever processes it starts from now on."""
    for pid in _processes(data, Path("/proc")):
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(pid), cores)


def _processes(data: Path, proc: Path) -> list[str]:
    """The ids of a server's processes, the first one first."""
    pid = (data / "postmaster.pid").read_text().splitlines()[0]
    return [pid, *(proc / pid / "task" / pid / "children").read_text().split()]


def _times(stat: Path) -> list[int]:
    """In ticks: in programs and in the kernel, its own and of those of its children that are over."""
    fields = stat.read_text().rpartition(")")[2].split()
    return [int(field) for field in fields[11:15]]
