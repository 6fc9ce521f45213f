"""What any carrier says about a stream, in our words; a dialect beside this file makes these of its frames."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import NamedTuple

from bridge.errors import RemoteProtocolError
from bridge.events import Direction, Track


class UnsupportedMedia(RemoteProtocolError):
    """A stream in a format that is not taken. The message says what to set at the carrier; it is told to the peer."""


_KEYS = "0123456789*#ABCDabcd"  # the last four are on no telephone, but in the standard


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
    """Those that the stream is to carry; empty where the carrier does not say."""
    encoding: str
    """As the carrier calls what it sends; what `Media` holds is mu-law."""
    sample_rate: int
    parameters: Mapping[str, str] = field(default_factory=dict)
    """What the developer attached to the stream, as it was sent; ours are not among it."""
    _: KW_ONLY
    carrier: str
    from_: str | None = None
    to: str | None = None
    direction: Direction | None = None
    speakers: Mapping[Track, str] = field(default_factory=dict)
    """Labels that the stream itself gives its tracks."""
    record_days: float | None = None
    """For which the call's record is to stay; None: the stream does not say."""
    redact: tuple[str, ...] = ()
    """What the stream asks to be taken out of its transcripts, over what is taken out anyway."""
    token: str | None = field(default=None, repr=False)
    """Ties the stream to its call. It enters no event and no log."""
    asked: bool = False
    """A process that has the call has asked for the stream, and asks again if it does not come."""
    webhook: str | None = field(default=None, repr=False)
    """Where the call wants to be posted. It enters no event and no log."""


@dataclass(frozen=True, slots=True)
class Digit:
    """A key was pressed."""

    track: Track
    digit: str

    def __post_init__(self) -> None:
        """Raises RemoteProtocolError for what is no key of a telephone."""
        if len(self.digit) != 1 or self.digit not in _KEYS:
            raise RemoteProtocolError("a digit that is no key")


@dataclass(frozen=True, slots=True)
class Stopped:
    """The stream ended in order."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The carrier says that something went wrong with the stream, which may go on."""

    error: str
    """The carrier's words."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """Something well-formed that says nothing to us: a mark, or a message that is newer than we are."""


Message = Media | Connected | Started | Digit | Stopped | Failed | Ignored
