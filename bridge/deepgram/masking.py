"""A client's WebSocket frame, masked with random octets that were got many at a time.

A system call for four octets costs more than all the rest of a frame. Source: RFC 6455, sections 5.2 and 5.3.
"""

import os
import struct
from typing import Any

from websockets.frames import Opcode

try:
    from websockets.speedups import apply_mask
except ImportError:  # where there is no wheel of it
    from websockets.utils import apply_mask

__all__ = ["MaskedFrame", "apply_mask", "frame"]

_KEY = 4  # octets
_POOL = 1024  # keys got at a time
_FINAL, _MASKED = 0x80, 0x80
_SHORT, _MEDIUM = 126, 127


class _Keys:
    """Random keys; each is given once."""

    def __init__(self) -> None:
        self._pool = b""
        self._at = 0

    def next(self) -> bytes:
        if self._at == len(self._pool):
            self._pool, self._at = os.urandom(_KEY * _POOL), 0
        self._at += _KEY
        return self._pool[self._at - _KEY : self._at]


_keys = _Keys()


def frame(opcode: int, payload: bytes, key: bytes = b"") -> bytes:
    """A whole message as the wire has it; a client's has a key."""
    size, head, mask = len(payload), _FINAL | opcode, _MASKED if key else 0
    if size < _SHORT:
        header = struct.pack("!BB", head, mask | size)
    elif size < 2**16:
        header = struct.pack("!BBH", head, mask | _SHORT, size)
    else:
        header = struct.pack("!BBQ", head, mask | _MEDIUM, size)
    return header + key + (apply_mask(payload, key) if key else payload)


class MaskedFrame:
    """What `websockets` sends as a frame: a whole message, octets as binary, a string as text."""

    __slots__ = ("_data", "_opcode")

    def __init__(self, data: bytes | str) -> None:
        self._opcode, self._data = (Opcode.TEXT, data.encode()) if isinstance(data, str) else (Opcode.BINARY, data)

    def __str__(self) -> str:
        return f"{self._opcode.name} of {len(self._data)} octets"

    def serialize(self, *, mask: bool, extensions: Any = None) -> bytes:
        """As the wire has it. A client's is always masked, and without an extension."""
        return frame(self._opcode, self._data, _keys.next())
