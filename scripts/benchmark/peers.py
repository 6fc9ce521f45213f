"""Reading and writing of sockets that never wait, and the listening for those that the target opens."""

import socket
import ssl
from collections.abc import Callable

from scripts.benchmark.loop import Loop

_READ = 2**16


class Broken(Exception):
    """The load is not what it is to be, so that nothing can be measured."""


def connect(port: int) -> socket.socket:
    """A socket to the target."""
    stream = socket.create_connection(("127.0.0.1", port))
    _prepare(stream)
    return stream


class Listener:
    """Takes the target's connections; `serve` has each, secured with `tls` if there is one."""

    def __init__(
        self, loop: Loop, serve: Callable[[Loop, socket.socket], object], tls: ssl.SSLContext | None = None
    ) -> None:
        self._loop, self._serve, self._tls = loop, serve, tls
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        loop.add(self._socket, self._accept)

    def _accept(self) -> None:
        stream, _ = self._socket.accept()
        _prepare(stream)
        if self._tls:
            # The handshake is made by the first read: a loop has no time to wait for it.
            stream = self._tls.wrap_socket(stream, server_side=True, do_handshake_on_connect=False)
        self._serve(self._loop, stream)

    def close(self) -> None:
        """Take no connection any more."""
        self._loop.remove(self._socket)


def read(stream: socket.socket) -> bytes | None:
    """What has come; nothing at the end; None if there is nothing yet."""
    try:
        return stream.recv(_READ)
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return None
    except OSError:
        return b""


def unread(stream: socket.socket) -> bool:
    """Whether octets were decrypted that epoll does not know of."""
    return isinstance(stream, ssl.SSLSocket) and stream.pending() > 0


def write(stream: socket.socket, data: bytes) -> None:
    """Send all of it. Raises Broken if the target has left too much unread."""
    try:
        sent = stream.send(data)
    except (BlockingIOError, ssl.SSLWantWriteError):
        sent = 0
    except OSError as error:
        raise Broken(f"the target closed a connection ({error})") from None
    if sent != len(data):
        raise Broken("the target does not read what it is sent; try fewer calls")


def _prepare(stream: socket.socket) -> None:
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream.setblocking(False)
