"""What can go wrong on request: a bad day at Deepgram's, for tests and demonstrations.

Values only; `session` and `server` obey them. A pre-recorded request can have five of them: `refuse` and
`handshake_delay` before its body is read, `drop_after`, `stop_answering_after` and `delay` once that has come.
"""

from dataclasses import dataclass

from bridge.errors import ConfigError
from bridge.local.deepgram.messages import NET_0000
from bridge.local.deepgram.request import REFUSALS


@dataclass(frozen=True, slots=True)
class Faults:
    """The faults of a connection, or of a pre-recorded request; the defaults are none."""

    first: int | None = None
    """Only the server's first so many connections, and requests, have these faults; None: every one."""
    refuse: int | None = None
    """HTTP status of a refused handshake: 400, 401, 402, 403, 429 or 503."""
    handshake_delay: float = 0.0
    """Seconds before the handshake is answered, well or badly."""
    drop_after: float | None = None
    """Seconds of audio after which the TCP connection is aborted."""
    close_after: float | None = None
    """Seconds of audio after which the socket is closed with `close_code`."""
    close_code: int = 1011
    close_reason: str = NET_0000
    stop_reading_after: float | None = None
    """Seconds of audio after which nothing is read any more: the client's writes pile up."""
    stop_answering_after: float | None = None
    """Seconds of audio after which nothing is answered any more."""
    delay: float = 0.0
    """Seconds by which every message comes late."""
    final_delay: float = 0.0
    """Seconds by which finals come later still: interims of the next segment overtake them."""
    duplicate_finals: bool = False
    lose_finals: int = 0
    """Every so-many-eth final never comes; 0: none."""
    late_finals: int = 0
    """Every so-many-eth final comes 0.7 s later still, and so out of order; 0: none."""
    odd_words: int = 0
    """Every so-many-eth final names, beside its words, one without times; 0: none."""
    metadata: bool = True
    """Whether `CloseStream` is answered with `Metadata`."""
    close: bool = True
    """Whether the socket is closed after `CloseStream`."""

    def __post_init__(self) -> None:
        if self.refuse is not None and self.refuse not in REFUSALS:
            raise ConfigError(f"refuse must be one of {', '.join(map(str, REFUSALS))}, not {self.refuse}")

    def of_connection(self, index: int) -> "Faults":
        """The faults of one connection, counted from 0, refused ones too."""
        return self if self.first is None or index < self.first else NO_FAULTS


NO_FAULTS = Faults()
