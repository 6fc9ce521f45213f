"""A reader of all calls' events, which takes them and does no more: it costs the target what any reader does."""

from scripts.benchmark.loop import Loop
from scripts.benchmark.peers import Broken, connect, read, write


class Follower:
    """Asks for the feed when it is made."""

    def __init__(self, loop: Loop, port: int, token: str) -> None:
        self._loop = loop
        self._head: bytes | None = b""  # of the answer, while it is not all there
        self._stream = connect(port)
        loop.add(self._stream, self._read)
        request = (
            f"GET /calls/live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n"
            f"Authorization: Bearer {token}\r\n\r\n"
        )
        write(self._stream, request.encode())

    def _read(self) -> None:
        data = read(self._stream)
        if data == b"":
            self._loop.remove(self._stream)
        elif data and self._head is not None:
            self._head += data
            if b"\r\n\r\n" in self._head:
                if not self._head.startswith(b"HTTP/1.1 200"):
                    self._loop.remove(self._stream)
                    raise Broken(f"the target refused a reader: {self._head[:80]!r}")
                self._head = None
