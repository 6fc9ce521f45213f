"""How much of one socket is read at a time, and how fast: a flood costs its own stream time, and no other anything.

A carrier sends at the pace of the call. What comes faster for long is left in the socket, where it holds up its sender.
"""

from bridge.pace import Pace

MESSAGE = 128
"""Octets that a message counts more than it has: it costs time, however short it is."""

FASTEST = 200_000
"""Octets a second: three times what a carrier sends of two tracks."""

AT_ONCE = 16_000_000
"""Octets: a network that was away for minutes may bring all of it."""

TURN = 32_768
"""Octets that are read one by one before others get their turn: half a second of a call, or a millisecond's work."""

TAKEN = 4 * TURN
"""Octets that may be taken at once, which costs less: where a process was held up, a second of a call is in one read,
and it is not to be held up more by it."""


class Turn:
    """One socket's."""

    __slots__ = ("_pace", "_read", "_taken")

    def __init__(self, now: float) -> None:
        self._pace = Pace(FASTEST, AT_ONCE)
        self._pace.start(now)
        self._read = 0  # octets in this turn
        self._taken = 0  # octets taken at once that the pace does not know yet

    def take(self, octets: int, messages: int, now: float) -> bool:
        """Whether a whole read may be taken at once, as nearly all may; it counts if so."""
        size = octets + MESSAGE * messages
        if size > TAKEN:
            return False
        if self._taken + size > TAKEN:
            if not self._pace.allows(now):
                return False
            self._pace.take(self._taken)
            self._taken = 0
        self._taken += size
        return True

    def read(self, octets: int) -> bool:
        """A message was read. Returns whether its turn is over."""
        self._read += octets + MESSAGE
        return self._read > TURN

    def end(self, now: float) -> float:
        """Others have theirs. Returns the seconds to the next: more than none after more than a call sends."""
        self._pace.take(self._read + self._taken)
        self._read = self._taken = 0
        return 0.0 if self._pace.allows(now) else self._pace.next_time() - now
