"""Carriers' messages field by field, where one of them is odd: it costs itself, never its message.

Of a media frame only the audio and its time are needed, of a `start` only whose call it is: a call is not lost over a
list of tracks that is none.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from bridge.errors import RemoteProtocolError

T = TypeVar("T", bound=msgspec.Struct)

_HIGHEST_RATE = 10**6  # samples a second


def decode_leniently(text: bytes, kind: type[T]) -> T:
    """A JSON object as a struct, without the fields that do not fit. Raises msgspec.MsgspecError for no object, or
    where a field is lacking that must be there."""
    said = msgspec.convert(msgspec.json.decode(text), dict[str, Any])
    base = {
        field.name: said[field.name] for field in msgspec.structs.fields(kind) if field.required and field.name in said
    }
    fitting = {name: value for name, value in said.items() if _fits({**base, name: value}, kind)}
    return msgspec.convert({**base, **fitting}, kind, strict=False)


def _fits(said: Mapping[str, Any], kind: type[msgspec.Struct]) -> bool:
    try:
        msgspec.convert(said, kind, strict=False)
    except msgspec.ValidationError:
        return False
    return True


def mapping(value: Any) -> Mapping[str, Any]:
    """An object; empty for anything else."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> tuple[Any, ...]:
    """A list; empty for anything else."""
    return tuple(value) if isinstance(value, list) else ()


def rate(value: Any, default: int) -> int:
    """A sampling rate, as a number or as its digits; the carrier's usual one for anything else."""
    try:
        found = int(value)
    except (ValueError, TypeError, OverflowError):
        return default
    return found if 0 < found <= _HIGHEST_RATE else default


def body(value: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """What a message is about. Raises RemoteProtocolError where it is not there."""
    if value is None:
        raise RemoteProtocolError("a message without its body")
    return value
