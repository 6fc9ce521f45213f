"""The bridge of a run: a process of its own that is started, killed and started again over the same folder and port."""

import asyncio
import contextlib
import os
import resource
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

_START = 30.0  # seconds a start may take
_STOP = 40.0  # seconds after SIGTERM
_WATCH = 0.1  # seconds between two questions for its health
_AROUND = 1.0  # seconds before and after a moment that tell how busy it was then


@dataclass(slots=True)
class HandOver:
    """A process took the calls over from the one before; all in the loop's time."""

    begun: float
    """When that one got its SIGTERM."""
    exited: float = 0.0


@dataclass(slots=True)
class Restart:
    """A SIGTERM and the start after it; all in the loop's time."""

    begun: float
    exited: float = 0.0
    listening: float = 0.0


class House:
    """`async with House(folder, environment) as house:` ends the process in any case."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        """`folder`: for the log and the record, which survive this."""
        self.kills: list[float] = []
        """The loop's time of each."""
        self.restarts: list[Restart] = []
        self.hand_overs: list[HandOver] = []
        self.full: list[tuple[float, float]] = []
        """From when to when the disk was full, in the loop's time."""
        self.stopped: float | None = None
        """The loop's time of the last SIGTERM but for the one that ends the run."""
        self._folder = folder
        self._port = free_port()
        self._environment = {
            **os.environ,
            "HOST": "127.0.0.1",
            "PORT": str(self._port),
            "DATA_DIR": str(folder / "data"),
            "BRIDGE_START_CHECKS": "false",  # calls alone ask Deepgram
            **environment,
        }
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._looks: list[tuple[float, float]] = []  # the loop's time of a question, and of its answer
        self._up = asyncio.Event()

    async def __aenter__(self) -> "House":
        await self.start()
        self._watcher = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._watcher:
            self._watcher.cancel()
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    @property
    def media_url(self) -> str:
        return f"ws://127.0.0.1:{self._port}/media/twilio"

    @property
    def port(self) -> int:
        return self._port

    @property
    def slowest(self) -> float:
        """The longest that it took to answer, in seconds."""
        return max((end - begin for begin, end in self._looks), default=0.0)

    @property
    def is_up(self) -> bool:
        return self._up.is_set()

    async def wait_up(self) -> None:
        """Until it serves."""
        await self._up.wait()

    def lag(self, moment: float) -> float:
        """The longest that it took to answer around a moment of the loop's time, in seconds."""
        return max(
            (end - begin for begin, end in self._looks if begin < moment + _AROUND and end > moment - _AROUND),
            default=0.0,
        )

    def died_since(self, moment: float) -> bool:
        """Whether it was killed, or was stopping, around or after a moment of the loop's time."""
        ends = [*self.kills, *(restart.exited or inf for restart in self.restarts)]
        return any(end > moment - 1.0 for end in ends)

    def restarting_at(self, moment: float) -> bool:
        """Whether it was about to stop at a moment of the loop's time, rather than killed."""
        return any(one.begun - 0.1 < moment < (one.exited or inf) + 0.1 for one in self.restarts)

    async def start(self) -> None:
        """Until it takes connections. Raises RuntimeError if it does not."""
        self._process = await self._begin()
        async with asyncio.timeout(_START):
            while not await answers(self._port):
                if self._process.returncode is not None:
                    raise RuntimeError(f"the bridge did not start, see {self._folder / 'bridge.log'}")
                await asyncio.sleep(0.05)
        self._up.set()

    async def kill(self) -> None:
        """SIGKILL."""
        assert self._process
        self._up.clear()
        self.kills.append(asyncio.get_running_loop().time())
        self._process.kill()
        await self._process.wait()

    async def stop(self) -> int:
        """SIGTERM; the exit status."""
        self.stopped = self.stopped or asyncio.get_running_loop().time()
        return await self._terminate()

    async def restart(self) -> int:
        """SIGTERM, and a start as soon as the process is gone; the exit status."""
        clock = asyncio.get_running_loop().time
        restart = Restart(clock())
        self.restarts.append(restart)
        status = await self._terminate()
        restart.exited = clock()
        await self.start()
        restart.listening = clock()
        return status

    async def hand_over(self) -> int:
        """A second process is started, and the first one gets a SIGTERM once the second waits; its exit status."""
        before, waiting = self._process, self._waiting
        assert before
        self._process = await self._begin()
        async with asyncio.timeout(_START):
            while self._waiting == waiting:
                await asyncio.sleep(0.05)
        clock = asyncio.get_running_loop().time
        self.hand_overs.append(done := HandOver(clock()))
        before.terminate()
        status = await asyncio.wait_for(before.wait(), _STOP)
        done.exited = clock()
        return status

    @property
    def _waiting(self) -> int:
        """How many processes have said that they wait for the one before."""
        return (self._folder / "bridge.log").read_bytes().count(b"waiting for the process")

    async def _begin(self) -> asyncio.subprocess.Process:
        with (self._folder / "bridge.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bridge", "serve", cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )

    def fill_disk(self) -> None:
        """From now on no file of the process can grow; another process may."""
        self.full.append((asyncio.get_running_loop().time(), inf))
        self._limit_files(1)

    def empty_disk(self) -> None:
        """They can again."""
        self.full[-1] = self.full[-1][0], asyncio.get_running_loop().time()
        self._limit_files(resource.RLIM_INFINITY)

    def _limit_files(self, octets: int) -> None:
        if self._process and self._process.returncode is None:
            _, most = resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (octets, most))

    async def _terminate(self) -> int:
        assert self._process
        self._up.clear()
        self._process.terminate()
        return await asyncio.wait_for(self._process.wait(), _STOP)

    async def _watch(self) -> None:
        """Ask for its health all the time; a question that a kill left open was answered by that."""
        while True:
            begin = asyncio.get_running_loop().time()
            if self.is_up:
                await self._ask()
                self._looks.append((begin, asyncio.get_running_loop().time()))
            await asyncio.sleep(_WATCH)

    async def _ask(self) -> None:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            await reader.read()
            writer.close()


async def answers(port: int) -> bool:
    """Whether a connection to the port on loopback is taken."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
