"""Up to where the log of all calls can be read with nothing missing. Pure.

Positions come from a sequence, and transactions that took them commit in any order: who reads up to the newest that is
there would step over one that commits later. So each transaction announces, before it takes its first position, which
was the last one given (by an advisory lock that ends with it, `statements.ANNOUNCE`); a reader asks for the last
position first, then for the announcements, and reads up to the lowest of them. Who was not seen announcing has
either committed, and what is read next sees its events, or takes its positions after the one that was asked for.

Unlike a horizon of transaction ids, this waits for no transaction of other programs on the same server, and outlives a
move of the data to another one.
"""

from collections.abc import Iterable

_MASK = 2**31 - 1
"""An announcement has the lower 31 bits of a position."""


def horizon(last: int, announced: Iterable[int]) -> int:
    """The last position at or before which no event is still to come.

    `last`: the last position that had been given, asked for before `announced` was.
    """
    return min((_whole(last, low) for low in announced), default=last)


def _whole(last: int, low: int) -> int:
    """The position that was announced: the nearest one with these bits."""
    behind = (last - low) & _MASK
    # One that announced after `last` was asked for is not behind it.
    return last - behind if behind < 2**30 else last
