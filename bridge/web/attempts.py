"""How long the answer to a failed login waits: a machine without a clock.

A token has too many characters to be guessed. The wait keeps a guesser from filling the log and the processor; a token
that is good is never held up, so it costs no reader anything, even one who shares an address with strangers.
"""

from collections import OrderedDict

_MOST_ADDRESSES = 10_000


class Attempts:
    """Failures by address."""

    def __init__(self, first: float = 0.1, longest: float = 5.0, forgotten: float = 600.0) -> None:
        """`first`: seconds after the first failure, which double with each, up to `longest`. `forgotten`: after so many
        seconds without another.
        """
        self._first, self._longest, self._forgotten = first, longest, forgotten
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        """How many, and when the last was; the address that failed last comes last."""

    def fail(self, address: str, now: float) -> tuple[int, float]:
        """An attempt has failed. Returns how many have, and the seconds that the answer waits."""
        count, last = self._failures.pop(address, (0, now))
        count = count + 1 if now - last < self._forgotten else 1
        self._failures[address] = (count, now)
        if len(self._failures) > _MOST_ADDRESSES:
            self._failures.popitem(last=False)
        return count, min(self._longest, self._first * 2.0 ** min(count - 1, 20))
