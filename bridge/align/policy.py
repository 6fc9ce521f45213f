"""What may be tuned about the alignment. The defaults suit a carrier that sends 20 ms frames over one socket."""

from dataclasses import dataclass

from bridge.errors import ConfigError


@dataclass(frozen=True, slots=True)
class AlignPolicy:
    """How long to wait for whom, and what to believe. All in milliseconds of the carrier's clock."""

    chunk_ms: int = 60
    """Audio goes out in multiples of this; 20 to 100."""
    tolerance_ms: int = 10
    """A timestamp this near to the end of the track's audio continues it: half a frame, as the stamps wobble."""
    hold_ms: int = 60
    """How far the clock may run ahead of missing audio before silence takes its place. It grows for a track
    of which a frame comes too late."""
    max_hold_ms: int = 500
    """How far `hold_ms` may grow."""
    apart_ms: int = 1000
    """How long a track is waited for while each comes over a stream of its own, of which one may stall by itself."""
    idle_ms: int = 500
    """A track without a frame for so long is idle: the other track no longer waits for it."""
    stray_ms: int = 2000
    """A timestamp this far from the newest is not believed before the next two agree with it."""
    reset_ms: int = 60_000
    """A believed leap ahead of up to this is a gap; a longer one, or one back, is a new clock."""
    ahead_ms: int = 10_000
    """By so much all leaps of a call together may be longer than the time that has passed; beyond it there is no gap,
    but a new clock."""

    def __post_init__(self) -> None:
        if not 20 <= self.chunk_ms <= 100:
            raise ConfigError(f"A chunk is 20 to 100 ms of audio, not {self.chunk_ms}.")
        if not 0 < self.tolerance_ms <= self.hold_ms <= self.max_hold_ms <= self.idle_ms < self.stray_ms:
            raise ConfigError("The alignment needs 0 < tolerance <= hold <= longest hold <= idle < stray.")
