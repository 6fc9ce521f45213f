"""Nodes with one record in PostgreSQL that are replaced one after the other, under calls: a rolling deploy."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bridge.local.receiver import Receiver
from tests.chaos.house import ROOT, HandOver, House, answers, free_port
from tests.chaos.run import Run
from tests.fakes import postgres

NODES = 3

_START = 60.0  # seconds a start may take
_STOP = 60.0  # seconds after SIGTERM
_TOKEN = "t" * 32


@dataclass(slots=True)
class _Node:
    port: int
    environment: Mapping[str, str]
    process: asyncio.subprocess.Process | None = None
    takes: bool = False
    """Whether the balancer sends it streams."""


class Nodes(House):
    """The bridge of a run, as several processes; a stream goes to each in turn that takes some."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        shared = {**environment, "DATABASE_URL": postgres.server().url, "BRIDGE_READ_TOKENS": _TOKEN}
        super().__init__(folder, shared)
        self._nodes = [self._node(folder, number) for number in range(NODES)]
        self._port = self._nodes[0].port
        self._turn = 0
        self._replaced = 0

    def _node(self, folder: Path, number: int) -> _Node:
        port = free_port()
        own = {"PORT": str(port), "DATA_DIR": str(folder / f"data{number}")}
        return _Node(port, {**os.environ, **self._environment, **own})

    async def __aexit__(self, *_: object) -> None:
        await super().__aexit__()
        for node in self._nodes:
            if node.process and node.process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    node.process.kill()
                await node.process.wait()

    @property
    def media_url(self) -> str:
        takes = [node for node in self._nodes if node.takes] or self._nodes
        self._turn += 1
        return f"ws://127.0.0.1:{takes[self._turn % len(takes)].port}/media/twilio"

    async def start(self) -> None:
        await asyncio.gather(*map(self._start, self._nodes))
        self._up.set()

    async def stop(self) -> int:
        self.stopped = self.stopped or asyncio.get_running_loop().time()
        self._up.clear()
        return max(await asyncio.gather(*map(self._end, self._nodes)), key=abs)

    async def hand_over(self) -> int:
        """The next node is stopped, and started again once it is gone; its exit status."""
        node = self._nodes[self._replaced % NODES]
        self._replaced += 1
        clock = asyncio.get_running_loop().time
        self.hand_overs.append(done := HandOver(clock()))
        status = await self._end(node)
        done.exited = clock()
        await self._start(node)
        return status

    async def _start(self, node: _Node) -> None:
        with (self._folder / "bridge.log").open("ab") as log:
            node.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bridge", "serve", cwd=ROOT, env=node.environment, stdout=log, stderr=log
            )
        async with asyncio.timeout(_START):
            while not await answers(node.port):
                if node.process.returncode is not None:
                    raise RuntimeError(f"a node did not start, see {self._folder / 'bridge.log'}")
                await asyncio.sleep(0.05)
        node.takes = True

    async def _end(self, node: _Node) -> int:
        assert node.process
        node.takes = False
        node.process.terminate()
        return await asyncio.wait_for(node.process.wait(), _STOP)


class RollingRun(Run):
    """A run of `chance.hand_overs` with nodes instead of one process after the other."""

    house = Nodes

    def _undelivered(self, receiver: Receiver) -> list[str]:
        """What is in the log, but not at the webhook, and what was left for no one. Audio may stay for a while on the
        disk of a node that has let go."""
        kept = postgres.execute("SELECT call_id, max(seq) FROM bridge.event GROUP BY call_id")
        left = postgres.execute("SELECT call_id FROM bridge.hand_over WHERE epoch IS NOT NULL")
        return [
            f"record {name} has {tip} events, {len(receiver.events(name))} were delivered"
            for name, tip in kept
            if len(receiver.events(name)) != tip
        ] + [f"something was left of {call_id} that no node has read" for (call_id,) in left]
