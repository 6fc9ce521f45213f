"""When a session tries again after a socket was lost or refused: pauses that double, and chance in them.

Calls that have lost their sockets together do not all come back together. The clock is an argument.
"""

from random import Random

from bridge.deepgram.exchange import SessionPolicy

_MOST_DOUBLINGS = 16


class Retries:
    """Of one session."""

    def __init__(self, policy: SessionPolicy, random: Random) -> None:
        self.attempt = 0
        """Failures in a row."""
        self.at: float | None = None
        """When the next try is due; None: none is."""
        self._policy = policy
        self._random = random

    def fail(self, now: float, *, slow: bool = False) -> None:
        """Another failure. `slow`: it will hardly heal soon."""
        self.attempt += 1
        longest = self._policy.longest_retry
        pause = min(longest, self._policy.first_retry * 2 ** min(self.attempt - 1, _MOST_DOUBLINGS))
        self.at = now + (longest if slow else pause) * self._random.uniform(0.5, 1.0)

    def fail_for_good(self) -> None:
        """Another failure, after which nothing is tried again."""
        self.attempt += 1

    def hasten(self, now: float) -> None:
        """The next try need not wait, if one is due at all."""
        if self.at is not None:
            self.at = now

    def forget(self) -> None:
        """It gets on: the next trouble starts with a short pause."""
        self.attempt = 0
