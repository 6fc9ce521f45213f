"""What lies between callers and nodes, and between nodes and their database: TCP that is passed on, and can be cut.

The balancer knows of a node what any balancer does: whether `/readyz` says 200. A new connection goes to the next node
that is ready; those that are there stay where they are.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self

import aiohttp

LOOK = 0.5
"""Seconds between two looks whether a node is ready, and for which its answer is waited for."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Lead = Callable[[asyncio.StreamWriter], Awaitable[Streams]]
"""Connects to where a wire leads, for who is at this end of it. Raises OSError."""


class Wire:
    """`async with Wire(lead) as wire:` passes on what comes to its port."""

    def __init__(self, lead: Lead) -> None:
        self.port = 0
        self._lead = lead
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._refuses = False
        self._flows = asyncio.Event()
        self._flows.set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        self._flows.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """All connections break, and new ones are refused."""
        self._refuses = True
        self._abort()

    def hold(self) -> None:
        """Nothing comes through any more, and nobody is told; it is not lost."""
        self._flows.clear()

    def mend(self) -> None:
        """All is as before; what was held comes through now."""
        self._refuses = False
        self._flows.set()

    def _abort(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self._writers.add(writer)
        ends = [writer]
        try:
            await self._flows.wait()
            there_reader, there = await self._lead(writer)
            ends.append(there)
            if not self._refuses:
                self._writers.add(there)
                await asyncio.gather(self._pump(reader, there), self._pump(there_reader, writer))
        except OSError:
            pass  # one end is gone, and the other will be in a moment
        finally:
            for end in ends:
                end.transport.abort()
                self._writers.discard(end)
            self._tasks.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        octets = b" "
        while octets:
            octets = await reader.read(65536)
            await self._flows.wait()
            if writer.is_closing():
                return
            if octets:
                writer.write(octets)
                await writer.drain()
            else:
                writer.write_eof()


class Balancer:
    """`async with Balancer(ports) as balancer:` is at `balancer.port`. `ports`: the nodes'."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.ready = [False for _ in ports]
        """As far as it knows."""
        self.looked: Callable[[], object] = lambda: None
        """Is called after each look at all nodes."""
        self._ports = ports
        self._turn = 0
        self._nodes: dict[int, int] = {}
        self._wire = Wire(self._choose)
        self._looking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=LOOK))
        await self._wire.__aenter__()
        self._looking = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._looking
        self._looking.cancel()
        await asyncio.gather(self._looking, return_exceptions=True)
        await self._wire.__aexit__()
        await self._session.close()

    @property
    def port(self) -> int:
        return self._wire.port

    def node_of(self, port: int) -> int | None:
        """At which node the connection from a port has arrived; None: at none."""
        return self._nodes.get(port)

    async def _choose(self, writer: asyncio.StreamWriter) -> Streams:
        nodes = [self._turn + place for place in range(len(self._ports))]
        node = next((node % len(nodes) for node in nodes if self.ready[node % len(nodes)]), None)
        if node is None:
            raise ConnectionRefusedError
        self._turn = node + 1
        streams = await asyncio.open_connection("127.0.0.1", self._ports[node])
        self._nodes[writer.get_extra_info("peername")[1]] = node
        return streams

    async def _look(self) -> None:
        while True:
            answers = await asyncio.gather(*map(self._is_ready, self._ports))
            self.ready = list(answers)
            self.looked()
            await asyncio.sleep(LOOK)

    async def _is_ready(self, port: int) -> bool:
        with contextlib.suppress(OSError, aiohttp.ClientError, TimeoutError):
            async with self._session.get(f"http://127.0.0.1:{port}/readyz") as answer:
                return answer.status == 200
        return False
