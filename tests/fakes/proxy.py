"""An HTTP proxy on loopback. Names that exist nowhere lead to servers of the test."""

import asyncio
from contextlib import suppress


class Proxy:
    """`async with Proxy({"hook.invalid": port}) as proxy:`; it notes the head of every request in `heads`."""

    def __init__(self, leads_to=None, refuse=None):
        """`refuse`: a status to answer everything with."""
        self._leads_to = leads_to or {}
        self._refuse = refuse
        self._tasks = set()
        self._writers = set()
        self.heads = []

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def asked(self):
        """Method and target of every request."""
        return [tuple(head.split(" ")[:2]) for head in self.heads]

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        self._writers.add(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._answer(reader, writer)
        writer.close()

    async def _answer(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.heads.append(head)
        if self._refuse:
            writer.write(f"HTTP/1.1 {self._refuse} No\r\nContent-Length: 0\r\n\r\n".encode())
            return
        method, target, _ = head.split(" ", 2)
        host = target.removeprefix("http://").split("/")[0].split(":")[0]
        there_reader, there = await asyncio.open_connection("127.0.0.1", self._leads_to[host])
        self._writers.add(there)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        else:
            origin = target.removeprefix("http://").split("/")[0]
            there.write(head.replace(f"http://{origin}", "", 1).encode("latin-1"))
        await asyncio.gather(self._pump(reader, there), self._pump(there_reader, writer))

    async def _pump(self, reader, writer):
        with suppress(ConnectionError):
            while octets := await reader.read(65536):
                writer.write(octets)
        writer.close()
