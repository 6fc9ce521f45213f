"""What stands beside a call's kept audio: what another process could know neither from the log nor from the audio."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.events import TRACKS, Stretch, Track


@dataclass(slots=True)
class Note:
    """Written again whenever one of these changes."""

    anchor: float | None = None
    """Wall clock of call time 0, seconds since 1970."""
    heard: int | None = None
    """Samples of the call, where the audio of its lost streams ended; None while a stream is heard."""
    tracks: tuple[Track, ...] = ()
    """Those of all streams that there were."""
    silent: dict[Track, int] = field(default_factory=dict)
    """Where the audio of each track had ended that was silent then, of a call that was left in order."""
    holes: list[Stretch] = field(default_factory=list)
    """What finals have passed over and not covered."""
    uncovered: list[Stretch] | None = None
    """All that no final covers, of a call that was left in order; None of one that was not."""
    clock: float | None = None
    """Wall clock of call time 0 by the audio that came last, of a call that another process hears, too: that one goes
    on where the kept audio ends. None of any other call."""
    resumed: int | None = None
    """How many times processes have gone on with the call, the one that writes this included."""

    def add_tracks(self, tracks: tuple[Track, ...]) -> None:
        """Those of one more stream; none: it may carry both."""
        self.tracks = tuple(track for track in TRACKS if track in self.tracks or track in (tracks or TRACKS))

    def dump(self) -> dict[str, Any]:
        """As JSON can say it."""
        dumped: dict[str, Any] = {
            "anchor": self.anchor,
            "heard": self.heard,
            "tracks": list(self.tracks),
            "silent": dict(self.silent),
            "holes": _dump(self.holes),
            "resumed": self.resumed,
        }
        if self.clock is not None:
            dumped["clock"] = self.clock
        return dumped if self.uncovered is None else {**dumped, "uncovered": _dump(self.uncovered)}

    @classmethod
    def load(cls, dumped: Mapping[str, Any] | None) -> "Note":
        """What `dump` gave, by this or an older bridge; what is not there is not known."""
        said = dumped or {}
        anchor, heard, clock, resumed = (said.get(name) for name in ("anchor", "heard", "clock", "resumed"))
        return cls(
            anchor=float(anchor) if isinstance(anchor, int | float) else None,
            heard=heard if isinstance(heard, int) else None,
            tracks=tuple(track for track in TRACKS if track in said.get("tracks", ())),
            silent={track: said["silent"][track] for track in TRACKS if track in said.get("silent", ())},
            holes=_load(said.get("holes", ())),
            uncovered=_load(said["uncovered"]) if "uncovered" in said else None,
            clock=float(clock) if isinstance(clock, int | float) else None,
            resumed=resumed if isinstance(resumed, int) else None,
        )


def _dump(stretches: list[Stretch]) -> list[dict[str, Any]]:
    return [stretch.model_dump() for stretch in stretches]


def _load(stretches: Any) -> list[Stretch]:
    return [Stretch.model_validate(stretch) for stretch in stretches]
