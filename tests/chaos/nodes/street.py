"""The nodes of a run, with a database of their own, a wire from each to it, and a balancer in front; what struck them.

PostgreSQL listens at a socket in its own folder; each node reaches it at the port of its own wire.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Self

import aiohttp

from tests.chaos.nodes.node import Node
from tests.chaos.nodes.plan import AWAY, Kind, Strike
from tests.chaos.nodes.wires import Balancer, Streams, Wire
from tests.chaos.stopping import in_thread
from tests.fakes import postgres

_DEAD = 1.0  # seconds until a process that was killed is started again
_WELL = 60.0  # seconds in which a node must be ready again


@dataclass(slots=True)
class Struck:
    """What has happened to a node; moments are the loop's time."""

    node: int
    kind: Kind
    at: float
    back: float = inf
    """When it was ready again."""


class Street:
    """`async with Street(folder, count, environment) as street:` has all of it running, and ends all of it."""

    def __init__(self, folder: Path, count: int, environment: Mapping[str, str]) -> None:
        """`environment`: the nodes', with `{node}` for the number of each."""
        self.struck: list[Struck] = []
        self.restarts: list[tuple[float, float]] = []
        """From when to when the database was away, in the loop's time."""
        self.faults: list[str] = []
        self._folder = folder
        self._count = count
        self._environment = environment
        self._stack = AsyncExitStack()
        self._looked = asyncio.Event()

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _open(self) -> None:
        place = self._folder / "postgres"
        place.mkdir()
        self._folder.chmod(0o755)  # the server runs as another user
        self._server = await in_thread(postgres.Server, place)
        self._stack.push_async_callback(in_thread, self._server.stop)
        await in_thread(self._server.start)
        self.wires = [await self._stack.enter_async_context(Wire(self._database)) for _ in range(self._count)]
        self.nodes = [
            Node(number, self._folder, self._environment_of(number, wire)) for number, wire in enumerate(self.wires)
        ]
        for node in self.nodes:
            self._stack.push_async_callback(node.close)
        await asyncio.gather(*(node.start() for node in self.nodes))
        self.balancer = await self._stack.enter_async_context(Balancer([node.port for node in self.nodes]))
        self.balancer.looked = self._looked.set
        await self._until_ready(*range(self._count))

    @property
    def database_url(self) -> str:
        """For this process, past all wires."""
        return self._server.url

    async def calls(self) -> int:
        """How many calls go on at all nodes, as each says of itself. Raises aiohttp's errors."""
        async with aiohttp.ClientSession(raise_for_status=True) as session:
            answers = [await session.get(f"http://127.0.0.1:{node.port}/healthz") for node in self.nodes]
            return sum([(await answer.json())["calls"] for answer in answers])

    async def strike(self, strike: Strike) -> None:
        """From the strike until the node is ready again."""
        node, wire = self.nodes[strike.node], self.wires[strike.node]
        clock = asyncio.get_running_loop().time
        self.struck.append(struck := Struck(strike.node, strike.kind, clock()))
        match strike.kind:
            case "kill":
                await node.kill()
                await asyncio.sleep(_DEAD)
                await node.start()
            case "drain":
                # One whose calls others have taken meanwhile could not keep what it heard of them since.
                if (status := await node.drain()) and not self._has_lost(struck):
                    self.faults.append(f"node {strike.node} ended with {status} after SIGTERM")
                await node.start()
            case "stall":
                node.stall()
                await asyncio.sleep(AWAY)
                node.wake()
            case "cut" | "partition":
                (wire.cut if strike.kind == "cut" else wire.hold)()
                await asyncio.sleep(AWAY)
                wire.mend()
        await self._until_ready(strike.node)
        struck.back = clock()

    def _has_lost(self, struck: Struck) -> bool:
        """Whether others may have taken calls of a process before it was struck."""
        before = [one.kind for one in self.struck if one.node == struck.node and one is not struck]
        return bool(before) and before[-1] not in ("kill", "drain")

    async def restart_database(self, mode: str) -> None:
        """`mode`: `pg_ctl`'s."""
        clock = asyncio.get_running_loop().time
        begun = clock()
        await in_thread(self._server.stop, mode)
        await in_thread(self._server.start)
        self.restarts.append((begun, clock()))

    async def _until_ready(self, *nodes: int) -> None:
        """Seen from the balancer, and not by a look that began before."""
        async with asyncio.timeout(_WELL):
            for _ in range(2):
                self._looked.clear()
                await self._looked.wait()
            while not all(self.balancer.ready[node] for node in nodes):
                self._looked.clear()
                await self._looked.wait()

    def _environment_of(self, number: int, wire: Wire) -> dict[str, str]:
        given = {name: value.replace("{node}", str(number)) for name, value in self._environment.items()}
        return {**given, "DATABASE_URL": f"postgresql://bridge@127.0.0.1:{wire.port}/postgres?sslmode=disable"}

    async def _database(self, _: asyncio.StreamWriter) -> Streams:
        return await asyncio.open_unix_connection(f"{self._server.folder}/.s.PGSQL.5432")
