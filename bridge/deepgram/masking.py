"""A client's WebSocket frame, masked with random octets that were got many at a time.

A system call for four octets costs more than all the rest of a frame. Source: RFC 6455, sections 5.2 and 5.3.
"""

import os
import struct
from collections.abc import Iterator
from functools import lru_cache

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
_TEXT, _BINARY = int(Opcode.TEXT), int(Opcode.BINARY)  # a member of an enum costs more to look up


def _keys() -> Iterator[bytes]:
    """Random keys; each is given once."""
    while True:
        for (key,) in struct.iter_unpack(f"{_KEY}s", os.urandom(_KEY * _POOL)):
            yield key


_next_key = _keys().__next__


@lru_cache(maxsize=256)
def _header(opcode: int, size: int, mask: int) -> bytes:
    """Nearly all messages of a call are of one size."""
    head = _FINAL | opcode
    if size < _SHORT:
        return struct.pack("!BB", head, mask | size)
    if size < 2**16:
        return struct.pack("!BBH", head, mask | _SHORT, size)
    return struct.pack("!BBQ", head, mask | _MEDIUM, size)


def frame(opcode: int, payload: bytes, key: bytes = b"") -> bytes:
    """A whole message as the wire has it; a client's has a key."""
    if not key:
        return _header(opcode, len(payload), 0) + payload
    return b"".join((_header(opcode, len(payload), _MASKED), key, apply_mask(payload, key)))


def masked(data: bytes | str) -> bytes:
    """A message of a client, octets as binary, a string as text, as the wire has it."""
    if isinstance(data, str):
        return frame(_TEXT, data.encode(), _next_key())
    return frame(_BINARY, data, _next_key())
