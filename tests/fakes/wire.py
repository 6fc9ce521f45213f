"""A line between a client and a server, that a test can cut."""

import asyncio


class Wire:
    """`async with Wire(origin) as wire:` hands everything through, from `wire.origin` on."""

    def __init__(self, origin):
        self.leads_to(origin)
        self._writers = set()
        self._tasks = set()
        self.connections = self.turned_away = 0
        self.down = False
        """Connections are closed as soon as they are made."""

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.origin = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def leads_to(self, origin):
        """Connections that are made from now on."""
        self._host, _, port = origin.removeprefix("http://").partition(":")
        self._port = int(port)

    def cut(self):
        """Every connection, in the middle of whatever is said."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        if self.down:
            self.turned_away += 1
            writer.transport.abort()
            return
        self.connections += 1
        there_reader, there = await asyncio.open_connection(self._host, self._port)
        await asyncio.gather(self._pump(reader, there), self._pump(there_reader, writer))

    async def _pump(self, reader, writer):
        self._writers.add(writer)
        try:
            while octets := await reader.read(65536):
                writer.write(octets)
        except ConnectionError:
            pass  # it was cut
        finally:
            self._writers.discard(writer)
            writer.close()
