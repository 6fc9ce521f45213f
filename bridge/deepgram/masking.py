"""A client's WebSocket frame, masked with random octets that were got many at a time.

A system call for four octets costs more than all the rest of a frame. Source: RFC 6455, sections 5.2 and 5.3.
"""

import os
import struct

from websockets.frames import Opcode

try:
    from websockets.speedups import apply_mask
except ImportError:  # where there is no wheel of it
    from websockets.utils import apply_mask

__all__ = ["apply_mask", "frame", "masked"]

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


def masked(data: bytes | str) -> bytes:
    """A message of a client, octets as binary, a string as text, as the wire has it."""
    if isinstance(data, str):
        return frame(Opcode.TEXT, data.encode(), _keys.next())
    return frame(Opcode.BINARY, data, _keys.next())
