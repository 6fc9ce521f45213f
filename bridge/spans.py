"""Spans of a call's audio, and sets of them. Positions are samples of the call, per channel; seconds are for events.

A `SpanSet` keeps its spans sorted and apart: two that touch are one. Sets are small, since a call has few holes at a
time, so a list is fast enough.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Span(NamedTuple):
    """A stretch of audio, half-open."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """Samples; 0 for an empty span."""
        return max(0, self.end - self.start)

    @property
    def middle(self) -> int:
        """The sample that decides which side of a cut the span belongs to."""
        return (self.start + self.end) // 2

    def clipped(self, start: int, end: int) -> "Span":
        """The part between two positions; an empty span at the nearer one where there is none."""
        return Span(min(max(self.start, start), end), min(max(self.end, start), end))

    def moved(self, by: int) -> "Span":
        """The same length, `by` samples later."""
        return Span(self.start + by, self.end + by)


class SpanSet:
    """Sorted spans that neither overlap nor touch."""

    def __init__(self, spans: Iterable[tuple[int, int]] = ()) -> None:
        self._spans: list[Span] = []
        for start, end in spans:
            self.add(start, end)

    def __repr__(self) -> str:
        return f"<SpanSet {' '.join(f'{start}-{end}' for start, end in self._spans)}>"

    def __iter__(self) -> Iterator[Span]:
        return iter(self._spans)

    def __len__(self) -> int:
        return len(self._spans)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SpanSet) and self._spans == other._spans

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __contains__(self, position: int) -> bool:
        index = self._first_ending_after(position)
        return index < len(self._spans) and self._spans[index].start <= position

    @property
    def total(self) -> int:
        """Samples in all spans."""
        return sum(span.length for span in self._spans)

    def add(self, start: int, end: int, seam: int = 0) -> None:
        """Put a span in. A gap of at most `seam` samples between it and its neighbours is filled.

        An empty span changes nothing.
        """
        if start >= end:
            return
        # A neighbour that ends exactly at the start, or starts exactly at the end, touches: the two become one.
        first = bisect_left(self._spans, start - seam, key=_end)
        last = bisect_right(self._spans, end + seam, lo=first, key=_start)
        if first < last:
            start = min(start, self._spans[first].start)
            end = max(end, self._spans[last - 1].end)
        self._spans[first:last] = [Span(start, end)]

    def remove(self, start: int, end: int) -> None:
        """Take a span out; what reaches over its edges stays."""
        if start >= end:
            return
        first = bisect_right(self._spans, start, key=_end)
        last = bisect_left(self._spans, end, lo=first, key=_start)
        if first == last:
            return
        # One span may reach over both edges: then two pieces stay.
        before, after = self._spans[first], self._spans[last - 1]
        pieces = [Span(before.start, start), Span(end, after.end)]
        self._spans[first:last] = [piece for piece in pieces if piece.length]

    def update(self, spans: Iterable[tuple[int, int]]) -> None:
        """Put other spans in."""
        for start, end in spans:
            self.add(start, end)

    def missing(self, start: int, end: int) -> list[Span]:
        """The parts of a span that are not in the set, in order."""
        found = []
        for span in self._spans[self._first_ending_after(start) :]:
            if span.start >= end:
                break
            if start < span.start:
                found.append(Span(start, span.start))
            start = span.end
        if start < end:
            found.append(Span(start, end))
        return found

    def common(self, start: int, end: int) -> list[Span]:
        """The parts of a span that are in the set, in order."""
        found = []
        for span in self._spans[self._first_ending_after(start) :]:
            if span.start >= end:
                break
            found.append(Span(max(span.start, start), min(span.end, end)))
        return [span for span in found if span.length]

    def contiguous_end(self, position: int) -> int:
        """How far the set reaches from a position without a gap; the position itself where it is not in the set."""
        index = self._first_ending_after(position)
        if index < len(self._spans) and self._spans[index].start <= position:
            return self._spans[index].end
        return position

    def _first_ending_after(self, position: int) -> int:
        return bisect_right(self._spans, position, key=_end)


def _start(span: Span) -> int:
    return span.start


def _end(span: Span) -> int:
    return span.end
