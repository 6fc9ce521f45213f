"""The clock of the process: how much time has passed, and what time it is."""

import time
from typing import Protocol


class Clock(Protocol):
    """Two readings that belong together."""

    def now(self) -> float:
        """Seconds on a clock that is never set; its 0 has no meaning."""

    def wall(self) -> float:
        """Seconds since 1970, on a clock that may be set."""


class SystemClock:
    """The clock of the machine."""

    now = staticmethod(time.monotonic)
    """As the event loop's: timers can be armed with it."""
    wall = staticmethod(time.time)
