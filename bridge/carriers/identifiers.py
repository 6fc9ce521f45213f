"""Ids that carriers make, as ids of ours: they become part of file names, URLs and event ids."""

import hashlib
import re
from typing import Any

from bridge.errors import RemoteProtocolError

_SAFE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


def identifier(value: Any) -> str:
    """An id that is to be ours as it stands. Raises RemoteProtocolError where it cannot be."""
    if not isinstance(value, str) or not _SAFE.fullmatch(value):
        raise RemoteProtocolError("an id has characters that do not belong in one")
    return value


def first_identifier(*values: Any) -> str:
    """The first value that can be an id of ours as it stands. Raises RemoteProtocolError where none can."""
    return identifier(next((value for value in values if isinstance(value, str) and _SAFE.fullmatch(value)), None))


def safe_identifier(value: Any) -> str:
    """An id of a carrier that uses other characters too: those become `-`, and one that is too long its hash.

    Raises RemoteProtocolError for what is no id.
    """
    if not isinstance(value, str) or not value:
        raise RemoteProtocolError("an id is missing")
    safe = _UNSAFE.sub("-", value)
    return safe if len(safe) <= 64 else hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()
