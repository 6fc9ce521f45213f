from itertools import pairwise
from random import Random

import pytest

from bridge.audio import SAMPLE_RATE
from bridge.deepgram.latency import BUCKETS, EDGES, LatencyMeter


def measured(*seconds, whole=None):
    meter = LatencyMeter(whole)
    for late in seconds:
        meter.add(round((100 + late) * SAMPLE_RATE), 100 * SAMPLE_RATE)
    return meter


def test_nothing_measured():
    meter = LatencyMeter()

    assert (meter.measured, meter.total, meter.longest, meter.within(0.5)) == (0, 0, 0, 0)
    assert meter.histogram == [(end, 0) for end in BUCKETS]


def test_what_is_covered_of_what_was_sent():
    meter = measured(0.3, 0.5, 0.4)

    assert meter.measured == 3
    assert meter.total == round(1.2 * SAMPLE_RATE)
    assert meter.longest == 0.5 * SAMPLE_RATE
    assert meter.within(0.5) == 0.4 * SAMPLE_RATE


def test_what_claims_more_than_was_sent_is_not_late():
    meter = LatencyMeter()
    meter.add(100, 180)

    assert (meter.measured, meter.total, meter.within(1.0)) == (1, 0, 0)


def test_each_edge_belongs_to_the_bucket_that_it_ends():
    meter = measured(*BUCKETS)

    assert meter.histogram == [(end, count) for count, end in enumerate(BUCKETS, 1)]
    assert measured(10.001).histogram[-1] == (10.0, 0)


def test_beyond_the_last_edge_the_longest_is_told():
    assert measured(0.1, 90.0).within(0.99) == 90 * SAMPLE_RATE


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_shares_are_near_the_truth(share):
    random = Random(1)
    late = sorted(random.lognormvariate(-1.0, 0.7) for _ in range(2000))
    truth = late[round(share * 2000) - 1]

    found = measured(*late).within(share) / SAMPLE_RATE

    assert truth - 1e-3 <= found <= max(truth + 0.011, 1.06 * truth)


def test_all_calls_together():
    whole = LatencyMeter()
    one, other = measured(0.1, 0.2, whole=whole), measured(0.9, whole=whole)

    assert (one.measured, other.measured, whole.measured) == (2, 1, 3)
    assert whole.total == one.total + other.total
    assert whole.longest == other.longest
    assert "3 measured" in repr(whole)


def test_edges_grow():
    assert list(EDGES) == sorted(set(EDGES))
    steps = [(before, after - before) for before, after in pairwise(EDGES) if before < 10 * SAMPLE_RATE]
    assert all(step <= max(80, 0.055 * before) for before, step in steps)
