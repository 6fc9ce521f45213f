"""WebSocket frames of both sides, with no more work than a benchmark can afford for each (RFC 6455, section 5)."""

import base64
import hashlib
import struct
from collections.abc import Iterator

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
NORMAL_CLOSE = struct.pack("!H", 1000)
_MASKED = 0x80
_SHORT, _MEDIUM = 126, 127
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept(key: bytes) -> bytes:
    """The answer to a client's `Sec-WebSocket-Key`."""
    return base64.b64encode(hashlib.sha1(key + _GUID).digest())


class Unpacker:
    """Cuts what a socket brings into frames."""

    def __init__(self) -> None:
        self._rest = b""

    def receive(self, data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
        """Opcode, payload as it came, and the key of each frame that is complete; the key is empty if none is used."""
        data, at = self._rest + data, 0
        while (end := self._end(data, at)) is not None:
            start, key = end[0], b""
            if data[at + 1] & _MASKED:
                key, start = data[start : start + 4], start + 4
            yield data[at] & 15, data[start : end[1]], key
            at = end[1]
        self._rest = data[at:]

    def _end(self, data: bytes, at: int) -> tuple[int, int] | None:
        """Where the header ends, key aside, and where the frame does; None if it is not all there."""
        if len(data) - at < 2:
            return None
        size, start = data[at + 1] & 127, at + 2
        if size >= _SHORT:
            form = "!H" if size == _SHORT else "!Q"
            if len(data) - start < struct.calcsize(form):
                return None
            (size,) = struct.unpack_from(form, data, start)
            start += struct.calcsize(form)
        end = start + size + (4 if data[at + 1] & _MASKED else 0)
        return (start, end) if len(data) >= end else None
