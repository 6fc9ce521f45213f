"""When a carrier's socket has been silent for so long that it is closed: a machine without a clock."""

from bridge.standstill import READING, stood_still


class Silence:
    """Of one socket, which is looked at now and then."""

    def __init__(self, timeout: float) -> None:
        """`timeout`: seconds between two looks."""
        self._timeout = timeout
        self._heard = -1

    def look(self, heard: int, now: float, due: float) -> float | None:
        """When to look again; None: nothing was heard since the look before. `heard`: how much was, in all. `due`: when
        this look was; one that is late is none, for what came meanwhile was not read.
        """
        if stood_still(now, due):
            return now + READING
        if heard == self._heard:
            return None
        self._heard = heard
        return now + self._timeout
