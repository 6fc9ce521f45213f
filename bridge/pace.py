"""The ceiling on how fast something may go on: an allowance that refills as time passes, and is saved up to a bound.

What keeps to its usual pace never meets it; a flood does. The clock is an argument.
"""


class Pace:
    """How much may pass: seconds of audio, octets, keys."""

    def __init__(self, speed: float, burst: float) -> None:
        """`speed`: per second. `burst`: what may pass at once after a rest."""
        self._speed = speed
        self._burst = burst
        self._allowance = burst
        self._at = 0.0

    def start(self, now: float) -> None:
        """Time begins."""
        self._at = now

    def allows(self, now: float) -> bool:
        """Whether more may pass now."""
        allowance = self._allowance + (now - self._at) * self._speed
        self._allowance = allowance if allowance < self._burst else self._burst
        self._at = now
        return allowance >= 0

    def take(self, amount: float) -> None:
        """So much has passed."""
        self._allowance -= amount

    def next_time(self) -> float:
        """When `allows` will be true, a moment after which a timer may safely fire."""
        return self._at + max(0.0, -self._allowance) / self._speed + 0.001
