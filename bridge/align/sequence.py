"""Which messages of a stream never came, judged by the numbers the carrier counts them with.

It knows nothing of time or tracks: it only tells silence that was lost on the way from silence that was never sent.
"""

RESTARTED = 1000
"""A number this far back is no late message: the carrier has begun to count again."""

MAX_GAPS = 256
"""Stretches of missing numbers that are remembered. As the tracks take turns, one that is lost alone for a second
leaves fifty of them."""


class Sequence:
    """The numbers of one stream. Memory is bounded whatever numbers come."""

    def __init__(self) -> None:
        self.expected: int | None = None
        """The number of the next message, if none is lost. None before the first."""
        self._gaps: list[tuple[int, int]] = []  # first missing, first present again; in ascending order

    def receive(self, number: int) -> bool:
        """Note a number. False: it came before."""
        if self.expected is not None and number < self.expected - RESTARTED:
            self.expected = None
            self._gaps.clear()
        if self.expected is None or number >= self.expected:
            # Before the first message we know of, all down to number 1 may still be on its way.
            first = min(1, number) if self.expected is None else self.expected
            self._keep(len(self._gaps), (first, number))
            self.expected = number + 1
            return True
        for index in range(len(self._gaps) - 1, -1, -1):
            first, end = self._gaps[index]
            if first <= number < end:
                self._keep(index, (first, number), (number + 1, end))
                return True
        return False

    def _keep(self, index: int, *gaps: tuple[int, int]) -> None:
        """Put what is left of a gap in its place."""
        self._gaps[index : index + 1] = [(first, end) for first, end in gaps if first < end]
        del self._gaps[:-MAX_GAPS]

    def missing(self, after: int, before: int) -> int:
        """How many numbers between two that came never did."""
        return sum(max(0, min(end, before) - max(first, after + 1)) for first, end in self._gaps)
