"""What any carrier says about a stream, in our words; a dialect beside this file makes these of its JSON."""

from dataclasses import dataclass, field
from typing import NamedTuple

from bridge.events import Track


class Media(NamedTuple):
    """Some audio of one track. A tuple, because a hundred of them pass every second of every call."""

    track: str
    """`inbound` or `outbound`."""
    at: int
    """Milliseconds on the carrier's clock of the stream; the clock need not start at 0."""
    sequence: int | None
    """Counts all messages of the stream, where the carrier counts."""
    payload: bytes
    """Mu-law, 8 kHz, any length."""


@dataclass(frozen=True, slots=True)
class Connected:
    """The socket speaks the protocol; nothing is known yet."""


@dataclass(frozen=True, slots=True)
class Started:
    """A stream begins."""

    call_id: str
    """Letters, digits, `-` and `_` only, at most 64: it becomes part of ids."""
    stream_id: str
    tracks: tuple[str, ...]
    encoding: str
    sample_rate: int
    parameters: dict[str, str] = field(default_factory=dict)
    """What the developer attached to the stream."""


@dataclass(frozen=True, slots=True)
class Digit:
    """A key was pressed."""

    track: Track
    digit: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The stream ended in order."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """Something well-formed that says nothing to us: a mark, or a message that is newer than we are."""


Message = Media | Connected | Started | Digit | Stopped | Ignored
