"""One connection of the webhook: every POST is answered at once, and its finals are known by their tags."""

import re
import socket
from collections.abc import Callable
from time import monotonic

from scripts.benchmark.loop import Loop
from scripts.benchmark.peers import read, write
from scripts.benchmark.talk import TAG

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Posts:
    """Cuts what a connection brings into the bodies of its requests."""

    def __init__(self) -> None:
        self._rest = b""

    def receive(self, data: bytes) -> list[bytes]:
        """The bodies that are complete now."""
        self._rest += data
        bodies = []
        while (head := self._rest.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._rest, 0, head)
            end = head + 4 + (int(length[1]) if length else 0)
            if len(self._rest) < end:
                break
            bodies.append(self._rest[head + 4 : end])
            self._rest = self._rest[end:]
        return bodies


def tags(body: bytes) -> set[tuple[int, int]]:
    """The finals that a POST tells of; a final's text stands in it more than once."""
    return {(int(call), int(number)) for call, number in TAG.findall(body)}


class Receiver:
    """`posted` is told the tag of each final, and when it came."""

    def __init__(self, loop: Loop, stream: socket.socket, posted: Callable[[tuple[int, int], float], None]) -> None:
        self._loop, self._stream, self._posted = loop, stream, posted
        self._posts = Posts()
        loop.add(stream, self._read)

    def _read(self) -> None:
        data, now = read(self._stream), monotonic()
        if data == b"":
            self._loop.remove(self._stream)
            return
        for body in self._posts.receive(data or b""):
            write(self._stream, _ANSWER)
            for tag in tags(body):
                self._posted(tag, now)
