"""A process that stood still: its machine was paused, or its disk hung. Timers may then have their turn before sockets,
and what came meanwhile waits in these: it is read before anything is concluded from silence.
"""

STOOD_STILL = 1.0
"""Seconds by which a timer is late, or for which nothing was done that is done all the time, where it did."""

READING = 0.5
"""Seconds for which what came is then read."""


def stood_still(now: float, due: float) -> bool:
    """Whether a timer that was `due` is so late."""
    return now - due > STOOD_STILL
