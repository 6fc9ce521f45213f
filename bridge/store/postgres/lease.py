"""Whether this process may count as alive for the others: a machine, with the time as an argument.

The database decides who is alive, by its own clock. This is the same from within, and on the safe side: a lease counts
from before it was asked for.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Lease:
    """The lease of a node. Moments are of a clock that never goes back."""

    seconds: float
    until: float = 0.0
    _told: bool = True

    def __repr__(self) -> str:
        return f"<Lease {self.seconds} s until {self.until:.1f}>"

    @property
    def pause(self) -> float:
        """Seconds between two heartbeats: one may be late without harm, and the next one too."""
        return self.seconds / 3

    def renewed(self, asked: float) -> None:
        """The database has taken a heartbeat that was sent at `asked`."""
        self.until = max(self.until, asked + self.seconds)
        self._told = False

    def holds(self, now: float) -> bool:
        """Whether others count this process as alive, for all that it knows."""
        return now < self.until

    def is_lost(self, now: float) -> bool:
        """Whether it has run out; said once."""
        if self._told or self.holds(now):
            return False
        self._told = True
        return True
