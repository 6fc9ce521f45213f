"""Counts between edges."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.histogram import MOMENTS, WAITS, Histogram


def test_a_value_on_an_edge_is_below_it():
    times = Histogram((0.01, 0.02))
    for value in (0.005, 0.01, 0.015, 0.5):
        times.add(value)

    assert times.buckets == [("0.01", 2.0), ("0.02", 3.0), ("+Inf", 4.0)]
    assert (times.measured, times.total) == (4, 0.53)


def test_a_clock_that_was_set_back_takes_nothing_away():
    times = Histogram(MOMENTS)
    times.add(-3600.0)

    assert times.total == 0.0
    assert times.buckets[0] == ("0.001", 1.0)


@given(st.lists(st.floats(0, 1e6)))
def test_every_value_is_in_the_last_bucket_and_buckets_only_grow(values):
    times = Histogram(WAITS)
    for value in values:
        times.add(value)
    counts = [count for _, count in times.buckets]

    assert counts == sorted(counts)
    assert counts[-1] == times.measured == len(values)
    assert counts[6] == sum(value <= 0.5 for value in values)
