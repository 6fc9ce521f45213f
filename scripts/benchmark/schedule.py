"""When every frame of every call is due: evenly over the 20 ms of a frame, as the frames of strangers' calls are.

Calls that tick together would be read together, several frames a wake-up, which makes each cheaper than in life. So no
two frames share a moment, and the two tracks of a call lie half a period apart, each first in half of the calls.
"""

from typing import NamedTuple

PERIOD = 0.02
"""Seconds of audio in a frame, and between two frames of a track."""
APART = PERIOD / 2
"""Seconds between the frames of a call's two tracks."""


class Slot(NamedTuple):
    """One frame of every period."""

    offset: float
    """Seconds from the beginning of the period."""
    call: int
    track: int


def slots(calls: int) -> list[Slot]:
    """The frames of a period in the order in which they are due."""
    due = []
    for call in range(calls):
        offset, first = APART * call / calls, call % 2
        due += [Slot(offset, call, first), Slot(offset + APART, call, 1 - first)]
    return sorted(due)
