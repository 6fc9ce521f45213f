"""A call that two processes hear for a while, so that one goes on with it where the other lets go: a machine.

The one that lets go keeps in its `Overlap` what it hears meanwhile, and so knows when that tells the other one where to
go on. The other one has it as `Handed`, from the kept audio and the note beside it. Positions are samples of the call.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from bridge.align.seam import Expected, Seam, Tail, by_clock, find, is_distinctive
from bridge.audio import CHANNELS, SAMPLE_RATE, SAMPLES_PER_MS
from bridge.carriers.messages import Media
from bridge.events import Stretch

TAIL = 12 * SAMPLE_RATE
"""Samples of a call that are kept for the seam: both hear it for less long."""

_OFF = SAMPLE_RATE // 2  # samples by which the clocks of two processes may tell another place
_FAR = 4 * SAMPLE_RATE
_ENOUGH = 4 * SAMPLE_RATE  # samples in which something is looked for that tells
_SETTLED = SAMPLE_RATE // 4  # samples after which the other one certainly hears


class Overlap:
    """What a process hears of a call while another one hears it, too."""

    def __init__(self, ahead: float, newest: int) -> None:
        """`ahead`: seconds that the wall clock is ahead of the clock of `receive`. `newest`: where the audio ends that
        has come."""
        self.since: int | None = None
        """Where the other one has begun to hear; None: it does not yet."""
        self._ahead = ahead
        self._newest = newest
        self._earliest = inf
        self._audio = bytearray()
        self._end = 0

    def __repr__(self) -> str:
        return f"<Overlap since {self.since} at {self._end}>"

    @property
    def clock(self) -> float | None:
        """Wall clock of call time 0, by the audio that came with the least delay; None: none came."""
        return None if self._earliest == inf else self._earliest + self._ahead

    @property
    def is_distinctive(self) -> bool:
        """Whether what both have heard would tell the other one where to go on."""
        if self.since is None:
            return False
        audio = bytes(self._audio[-(_ENOUGH + _OFF) * CHANNELS :])
        start = self._end - len(audio) // CHANNELS
        return is_distinctive(Tail(start, audio), max(self.since + _SETTLED, self._end - _ENOUGH), _OFF)

    def receive(self, end: int, now: float) -> None:
        """Audio has come that ends at a position."""
        self._newest = end
        self._earliest = min(self._earliest, now - end / SAMPLE_RATE)

    def add(self, audio: bytes, end: int) -> None:
        """Both tracks up to a position are known."""
        self._audio += audio
        self._end = end
        del self._audio[: max(0, len(self._audio) - TAIL * CHANNELS)]

    def share(self) -> None:
        """The other one hears, too, from about here on."""
        if self.since is None:
            self.since = self._newest


def after(heard: int, frames: Sequence[Media], shift: int) -> Sequence[Media]:
    """What a stream has brought, without what another process has heard by the clock: it has left no audio to join, or
    none came before. `shift`: what to add to a stamp to get a position."""
    seam = by_clock(heard, frames, shift)
    return frames if seam.frames == list(frames) else seam.frames


@dataclass(frozen=True, slots=True)
class Handed:
    """A call that another process has let go of while this one heard it, too."""

    tail: Tail
    """What that one has heard last."""
    clock: float
    """Wall clock of call time 0, by the audio that came last, or as far as it is known."""
    covered: tuple[int, ...]
    """How far finals cover each channel; what is between that and the tail's end is heard again."""
    uncovered: list[Stretch]
    """What no final covers, without that."""
    knew: bool = True
    """The other process knew that this one heard the call, and has left it where both tracks had their audio."""

    def join(self, frames: Sequence[Media], clock: float) -> Seam | None:
        """What a stream has brought that goes on after the tail; None: it began only after that. `clock`: of its stamp
        0, by the wall, as the frame tells that came with the least delay."""
        shift = round((clock - self.clock) * SAMPLE_RATE)
        # Where one of them was held up, the clocks tell places that are seconds apart.
        for within in (_OFF, _FAR):
            seam = find(self.tail, frames, Expected(shift, within))
            if isinstance(seam, Seam):
                break
        else:
            if not self.knew:
                return None
            seam = by_clock(self.tail.end, frames, shift)
        begins = min((frame.at for frame in frames), default=0) * SAMPLES_PER_MS + seam.shift
        return seam if frames and begins <= self.tail.end else None
