"""Whether the carrier still sends audio over the streams that are there: a machine without a clock.

A socket may live and bring nothing for a while: a transfer, a hold, trouble on the carrier's side. The call then goes
on in silence, as it does without a stream, so that what comes afterwards has its place and is not late by the whole
pause. The silence stays behind the clock: what the carrier has only held up for a moment finds its place free.

Positions are samples since call time 0, times seconds on a clock that is never set.
"""

from dataclasses import dataclass

from bridge.audio import SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class LullPolicy:
    """When the carrier has paused. All in seconds."""

    look: float = 1.0
    """Between two looks."""
    pause: float = 3.0
    """For which nothing may come."""
    tick: float = 0.25
    """Between two pieces of silence then."""
    lag: float = 0.5
    """By which the silence stays behind the clock."""


class Lull:
    """`begin` with the first frame, `look` when `look_at` has come."""

    def __init__(self, policy: LullPolicy) -> None:
        self.look_at: float | None = None
        """When to look; None: not at all."""
        self.paused = False
        """Nothing has come for too long."""
        self._policy = policy
        self._seen: int  # where the audio ended at the last look, our silence included
        self._heard: int  # where the carrier's ended
        self._heard_at: float  # when it ended, as far as is known
        self._looked_at: float

    def begin(self, received: int, now: float) -> None:
        """The carrier sends audio, which ends at `received`."""
        self._seen = self._heard = received
        self._heard_at = self._looked_at = now
        self.paused = False
        self.look_at = now + self._policy.look

    def end(self) -> None:
        """There is no stream to look at."""
        self.look_at = None

    def put_off(self, seconds: float, until: float) -> None:
        """Nothing could be read for so long: that is no silence of the carrier's. Look again at `until`."""
        if self.look_at is not None:
            self._heard_at += seconds
            self._looked_at += seconds
            self.look_at = until

    def look(self, received: int, now: float) -> int | None:
        """How far the call is to go on in silence, if the carrier has paused. `received`: where all audio ends."""
        if received > self._seen:
            # Less audio than time since the last look: it has ended in between.
            silent = max(0.0, now - self._looked_at - (received - self._seen) / SAMPLE_RATE)
            self.begin(received, now)
            self._heard_at -= silent
            return None
        self._looked_at = now
        self.look_at = now + self._policy.tick
        silent = now - self._heard_at
        if silent < self._policy.pause:
            return None
        self.paused = True
        self._seen = max(self._seen, self._heard + round((silent - self._policy.lag) * SAMPLE_RATE))
        return self._seen
