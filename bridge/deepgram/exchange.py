"""What passes between a session and those around it: its patience, its commands to the shell, its news for the call.

Values only; the session makes them.
"""

from dataclasses import dataclass

from bridge.audio import TELEPHONE, AudioFormat
from bridge.deepgram.configuring import Configured
from bridge.events import Cause
from bridge.recognition import Recognized
from bridge.spans import Span


@dataclass(frozen=True, slots=True)
class SessionPolicy:
    """How patient a session is."""

    format: AudioFormat = TELEPHONE
    """Of the audio."""
    keep_alive: float = 4.0
    """Seconds without audio after which a KeepAlive goes out; Deepgram closes at 10."""
    window: float = 120.0
    """Seconds of audio held in memory for sending again."""
    kept: bool = False
    """Whether the shell keeps older audio elsewhere and can fetch it."""
    covered: tuple[int, ...] = ()
    """By channel, the samples up to which another process has had finals; what lies between that and the beginning is
    fetched, and heard again. Empty: the beginning."""
    held: float = 4.0
    """Seconds of audio held in memory though it can be fetched: most finals come within that."""
    deaf: float = 20.0
    """Seconds without any answer to speech after which the socket counts as dead."""
    speed: float = 1.25
    """Deepgram's ceiling, times real time."""
    burst: float = 0.5
    """Seconds of audio that may go out at once after a rest."""
    stall: float = 10.0
    """Seconds one frame may wait to be written before the socket counts as dead."""
    finalize: float = 3.0
    """Seconds for which an interim may stand while nothing more is said, before its final is asked for."""
    flush: float = 5.0
    """Seconds to wait for the last results once all audio is out."""
    catch_up: float = 10.0
    """Seconds it may take at the end of a call to send what has not been sent; kept audio is left for later then."""
    again: float = 10.0
    """Seconds of audio that a call may be sent again to go back to an origin that is preferred."""
    first_retry: float = 0.25
    """Seconds before the first new try; doubles from try to try."""
    longest_retry: float = 4.0
    """Seconds between tries at the most."""


# What the shell is asked to do.


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a socket."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send one frame: octets as binary, a string as text."""

    data: bytes | str


@dataclass(frozen=True, slots=True)
class Fetch:
    """Read kept audio and give it to `receive_fetched`; positions are samples of the call."""

    start: int
    samples: int


@dataclass(frozen=True, slots=True)
class Close:
    """Drop the socket, if there is one, without waiting for it."""


Command = Connect | Send | Fetch | Close


# What the call is told.


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Deepgram is away."""

    reason: str
    status: int | None
    request_id: str | None
    attempt: int
    waiting: float
    retry: bool
    origin: str | None = None
    """The name of the one at which that happened."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """Deepgram answers again; `waiting` seconds of audio were to be sent again or for the first time."""

    attempt: int
    """0: it had not been away, the call has gone back to an origin that is preferred."""
    waiting: float
    request_id: str | None
    origin: str | None = None
    """The name of the one that answers."""


@dataclass(frozen=True, slots=True)
class AudioLost:
    """Audio of one channel that no result will ever cover."""

    channel: int
    span: Span
    why: Cause


Uncovered = tuple[int, Span]
"""Audio that no final covers: channel, and samples of the call."""


@dataclass(frozen=True, slots=True)
class Finished:
    """Nothing more will come."""

    uncovered: tuple[Uncovered, ...] = ()
    """What no final covers, up to the end of the audio, each sample once."""


SessionEvent = Recognized | Interrupted | Resumed | AudioLost | Configured | Finished
