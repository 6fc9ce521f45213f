"""The `Range` of an HTTP request: which octets of a file it asks for (RFC 9110, section 14).

One range of octets, or everything: for several ranges, another unit or a range that cannot be read, the RFC allows to
send everything, and so do we. aiohttp's own `http_range` takes `bytes=-0` for everything, so it is not used.
"""

import re
from typing import NamedTuple

# Digits are bounded because Python refuses to convert thousands of them.
_BYTES = re.compile(r"bytes=[ \t]*([0-9]{0,100})-([0-9]{0,100})[ \t]*", re.IGNORECASE | re.ASCII)


class Range(NamedTuple):
    """Octets from `start` up to, not including, `stop`; both are 0 if the file has none of those asked for."""

    start: int
    stop: int


def parse_range(header: str | None, size: int) -> Range | None:
    """The range that the header asks for of `size` octets; None: everything, as without a header."""
    match = _BYTES.fullmatch(header or "")
    if match is None:
        return None
    first, last = match.groups()
    if first:
        if last and int(last) < int(first):
            return None
        start, stop = int(first), int(last) + 1 if last else size
    elif last:
        start, stop = max(0, size - int(last)), size
    else:
        return None
    return Range(start, min(stop, size)) if start < size else Range(0, 0)
