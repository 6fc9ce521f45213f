"""Access of one call's server-sent events, as cheap as possible: they must not measure themselves.

Over bare TCP streams, without HTTP's chunks being taken apart: each event comes in one, so that what stands between two
events is never in one of them.
"""

import asyncio
import re
import socket
import struct
import time

_MESSAGE = re.compile(rb'(?:id: (\d+)\n)?event: (\S+)\ndata: (?:.{0,40}?"id":"\w+-(\d+)")?')
_OVER = b"HTTP/1.1 204 "  # the call has ended, and there is nothing after the cursor
_MSS = 536  # octets: the kernel then keeps little for a reader who takes nothing
_ESTABLISHED = 1  # state of a socket, in linux/tcp_states.h


class Reader(asyncio.Protocol):
    """One open stream. `cursors` may be shared by all streams of a reader who comes back."""

    def __init__(self, port, call_id, token, cursors):
        self.cursors = cursors
        self.arrivals = []
        """Of each event: when it was given to the store and when it was here, in ns of the common clock."""
        self.ended = asyncio.Event()
        self._head = request(port, call_id, token, cursors[-1] if cursors else 0)
        self._rest = b""

    def connection_made(self, transport):
        self.transport = transport
        transport.write(self._head)

    def data_received(self, data):
        now = time.monotonic_ns()
        if data.startswith(_OVER):
            self.ended.set()
        *messages, self._rest = (self._rest + data).split(b"\n\n")
        for message in messages:
            found = _MESSAGE.search(message)
            if not found:
                continue
            cursor, kind, given = found.groups()
            if cursor:
                self.cursors.append(int(cursor))
            if given:
                self.arrivals.append((int(given), now))
            if kind == b"end":
                self.ended.set()

    def connection_lost(self, error):
        self.ended.set()


async def follow(port, call_id, token, cursors=None):
    """Open a stream from behind the last of `cursors`."""
    reader = Reader(port, call_id, token, [] if cursors is None else cursors)
    await asyncio.get_running_loop().create_connection(lambda: reader, "127.0.0.1", port)
    return reader


async def come_back(port, call_id, token, cuts, random, longest):
    """Follow a call to its end, cut at `cuts` moments by chance, `longest` seconds apart at most: all cursors."""
    cursors: list[int] = []
    for _ in range(cuts):
        reader = await follow(port, call_id, token, cursors)
        await asyncio.sleep(random.uniform(0, longest))
        reader.transport.abort()
    reader = await follow(port, call_id, token, cursors)
    await reader.ended.wait()
    reader.transport.close()
    return cursors


class Idler:
    """Asks for a stream and takes nothing of it."""

    def __init__(self, port, call_id, token):
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _MSS)
        self._socket.connect(("127.0.0.1", port))
        self._socket.sendall(request(port, call_id, token, 0))

    @property
    def connected(self):
        """False once the server has cut the line."""
        info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)
        return struct.unpack_from("B", info)[0] == _ESTABLISHED

    def close(self):
        self._socket.close()


def request(port, call_id, token, cursor):
    lines = [
        f"GET /calls/{call_id}/events HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Accept: text/event-stream",
        f"Authorization: Bearer {token}",
    ]
    if cursor:
        lines.append(f"Last-Event-ID: {cursor}")
    return "\r\n".join([*lines, "", ""]).encode()
