"""What of a record is copied, as both stores have it, and the hash that tells whether it is the same.

A row is a tuple in the order of the columns below. Both stores give the same types for the same value (text, integers,
floats, None), so that what is equal has the same hash, wherever it was read.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec

from bridge.errors import StoreDamaged
from bridge.events import TranscriptFinal
from bridge.store.postgres.lexemes import vector

CALL = (
    *("id", "number", "header", "caller", "callee", "carrier_call_id", "continues", "started_at", "ended_at"),
    *("ended_seq", "record_days", "tip", "owner", "epoch"),
)
"""Columns of a call. Both stores have one value more of it, the position of its newest event."""

LANE = (
    *("call_id", "endpoint", "cursor", "batch_to", "due_at", "attempts", "rejections", "first_failure", "skipped"),
    *("parked", "reason"),
)
EVENT = ("call_id", "seq", "position", "type", "time", "body")
WORDS = ("call_id", "seq", "words")

NUMBER = CALL.index("number")

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """Some events of some calls, in order, and the words of the finals among them."""

    events: list[Row]
    speech: list[Row]


class _Data(msgspec.Struct):
    text: Any = None


class _Said(msgspec.Struct):
    time: str
    data: _Data


_read = msgspec.json.Decoder(_Said).decode


def plain(row: Sequence[Any]) -> Row:
    """A row as PostgreSQL can have it, which knows no character 0."""
    return tuple(value.replace("\0", " ") if isinstance(value, str) and "\0" in value else value for value in row)


def event(call_id: str, seq: int, position: int, kind: str, body: str) -> tuple[Row, Row | None]:
    """The row of an event, and that of its words if it has some. Raises `StoreDamaged` for a body that is none."""
    try:
        said = _read(body)
    except msgspec.MsgspecError:
        raise StoreDamaged(f"event {seq} of call {call_id} cannot be read: run `bridge repair`") from None
    row = plain((call_id, seq, position, kind, said.time, body))
    text = said.data.text
    words = vector(text) if kind == TranscriptFinal.type and isinstance(text, str) else ""
    return row, (call_id, seq, words) if words else None


def hashed(events: Iterable[Row]) -> Iterator[Row]:
    """Events with the hash of their body in its place, as the database answers them."""
    for *about, body in events:
        yield (*about, sha256(body.encode()).digest())


def comparable(call: Row, shift: int) -> Row:
    """A call without its number where the numbers are given again: where there were calls already."""
    return (*call[:NUMBER], None, *call[NUMBER + 1 :]) if shift else call


class Fingerprint:
    """The hash of one call: its row, its lanes, and its events as they come."""

    def __init__(self, call: Row, lanes: Iterable[Row]) -> None:
        self._hash = sha256()
        for row in (call, *lanes):
            self.add(row)

    def add(self, row: Row) -> None:
        """What comes next of it: a row with its body hashed."""
        self._hash.update(repr(row).encode())

    def __bytes__(self) -> bytes:
        return self._hash.digest()
