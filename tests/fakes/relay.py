"""A way to a PostgreSQL server on which an answer gets lost, as when a process stands still, or its network fails."""

import asyncio
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

SOCKET = ".s.PGSQL.5432"


class Relay:
    """`async with Relay(folder) as relay:` leads to the server whose socket is in the folder; `relay.url` says how."""

    def __init__(self, folder: Path) -> None:
        self._to = folder / SOCKET
        self._place = TemporaryDirectory(prefix="bridge-relay-")  # a socket's path may not be long
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.withheld = asyncio.Event()
        """An answer has come that is not handed on."""
        self.after: bytes | None = None
        """On a connection on which this is sent no answer is handed on after it."""

    @property
    def url(self) -> str:
        return f"postgresql://bridge@/postgres?host={self._place.name}"

    async def __aenter__(self) -> "Relay":
        self._server = await asyncio.start_unix_server(self._serve, f"{self._place.name}/{SOCKET}")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._place.cleanup()

    def cut(self) -> None:
        """End all connections; those that are made from now on lose nothing."""
        self.after = None
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there = await asyncio.open_unix_connection(self._to)
        self._writers |= {writer, there}
        lost = asyncio.Event()
        for pump in (self._ask(reader, there, lost), self._answer(there_reader, writer, lost)):
            task = asyncio.create_task(pump)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: asyncio.Event) -> None:
        with suppress(ConnectionError):
            while octets := await reader.read(2**16):
                if self.after and self.after in octets:
                    lost.set()
                writer.write(octets)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: asyncio.Event) -> None:
        with suppress(ConnectionError):
            while octets := await reader.read(2**16):
                if lost.is_set():
                    self.withheld.set()
                else:
                    writer.write(octets)
        writer.close()
