"""The ceiling on how fast audio may go out: an allowance that refills as time passes, and a little may be saved up.

Live audio comes at real time and never meets it; a backlog does. The clock is an argument.
"""


class Pace:
    """Seconds of audio that may be sent."""

    def __init__(self, speed: float, burst: float) -> None:
        """`speed`: times real time. `burst`: seconds of audio that may go out at once after a rest."""
        self._speed = speed
        self._burst = burst
        self._allowance = burst
        self._at = 0.0

    def start(self, now: float) -> None:
        """Time begins."""
        self._at = now

    def allows(self, now: float) -> bool:
        """Whether another chunk may go out now."""
        self._allowance = min(self._burst, self._allowance + (now - self._at) * self._speed)
        self._at = now
        return self._allowance >= 0

    def take(self, seconds: float) -> None:
        """A chunk of so much audio has gone out."""
        self._allowance -= seconds

    def next_time(self) -> float:
        """When `allows` will be true, a moment after which a timer may safely fire."""
        return self._at + max(0.0, -self._allowance) / self._speed + 0.001
