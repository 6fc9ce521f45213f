"""Spans and sets of them, against a plain set of samples."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.spans import Span, SpanSet

SPAN = st.tuples(st.integers(0, 40), st.integers(0, 12)).map(lambda pair: Span(pair[0], pair[0] + pair[1]))
EDITS = st.lists(st.tuples(st.booleans(), SPAN), max_size=15)


def made(edits):
    """The set, and the samples that ought to be in it."""
    spans, naive = SpanSet(), set()
    for adding, (start, end) in edits:
        if adding:
            spans.add(start, end)
            naive |= set(range(start, end))
        else:
            spans.remove(start, end)
            naive -= set(range(start, end))
    return spans, naive


def members(spans):
    return {sample for start, end in spans for sample in range(start, end)}


@given(EDITS)
def test_it_holds_what_was_added_and_not_removed(edits):
    spans, naive = made(edits)

    assert members(spans) == naive
    assert spans.total == len(naive)
    assert {sample for sample in range(60) if sample in spans} == naive


@given(EDITS)
def test_its_spans_are_sorted_apart_and_not_empty(edits):
    found = list(made(edits)[0])

    assert all(span.start < span.end for span in found)
    assert all(one.end < two.start for one, two in zip(found, found[1:], strict=False))


@given(EDITS, SPAN)
def test_what_of_a_span_is_in_it_and_what_is_not(edits, span):
    spans, naive = made(edits)
    inside = set(range(*span))

    assert members(spans.missing(*span)) == inside - naive
    assert members(spans.common(*span)) == inside & naive
    assert all(part.length for part in spans.missing(*span) + spans.common(*span))


@given(EDITS, st.integers(0, 60))
def test_how_far_it_reaches_from_a_position(edits, position):
    spans, naive = made(edits)
    end = position
    while end in naive:
        end += 1

    assert spans.contiguous_end(position) == end


@given(EDITS, SPAN, st.integers(0, 5))
def test_a_seam_beside_what_is_added_is_filled_and_nothing_wider(edits, span, seam):
    spans, naive = made(edits)
    filled = SpanSet(spans)
    filled.add(*span, seam=seam)
    new = members(filled) - naive - set(range(*span))

    assert all(gap.length <= seam for gap in SpanSet((sample, sample + 1) for sample in new))
    if span.length:
        for gap in SpanSet([*spans, span]).missing(0, 99):
            inner = gap.start > 0 and gap.end < 99
            if inner and gap.length <= seam and (gap.start == span.end or gap.end == span.start):
                assert gap.start in filled
    else:
        assert filled == spans


@given(EDITS, EDITS)
def test_a_union_holds_both(one, two):
    first, naive = made(one)
    second, others = made(two)
    first.update(second)

    assert members(first) == naive | others


def test_spans_are_clipped_and_moved():
    assert Span(5, 10).clipped(0, 7) == (5, 7)
    assert Span(5, 10).clipped(20, 30) == (20, 20)
    assert Span(5, 10).clipped(0, 3) == (3, 3)
    assert Span(5, 10).moved(-5) == (0, 5)
    assert (Span(5, 10).length, Span(10, 5).length, Span(5, 10).middle) == (5, 0, 7)


def test_repr_shows_its_spans():
    assert repr(SpanSet([(5, 8), (1, 2)])) == "<SpanSet 1-2 5-8>"
