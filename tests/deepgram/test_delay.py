"""From the read that completed a chunk to Deepgram's socket."""

import pytest

from bridge.deepgram.delay import CallDelay, DelayMeter


def counts(meter):
    return {edge: count for edge, count in meter.histogram.buckets if edge in ("0.005", "0.02", "1.0", "+Inf")}


def test_a_chunk_that_is_sent_at_once_is_measured_from_the_read_that_completed_it():
    meter = DelayMeter()
    delay = CallDelay(meter)
    meter.since = 10.0
    delay.received(480, 10.018)
    delay.sent(480, 10.018)
    meter.since = None
    delay.received(960, 11.0)
    delay.sent(960, 11.001)

    assert counts(meter) == {"0.005": 1, "0.02": 2, "1.0": 2, "+Inf": 2}
    assert meter.histogram.total == pytest.approx(0.019)


def test_what_waits_is_measured_when_it_is_sent_and_only_once():
    meter = DelayMeter()
    delay = CallDelay(meter)
    delay.received(480, 1.0)
    delay.received(960, 1.06)
    delay.sent(480, 1.5)
    assert meter.histogram.measured == 1
    delay.sent(960, 1.56)
    delay.sent(480, 8.0)  # another socket begins further back
    delay.sent(960, 9.0)

    assert counts(meter) == {"0.005": 0, "0.02": 0, "1.0": 2, "+Inf": 2}


def test_a_long_outage_takes_a_bounded_memory():
    delay = CallDelay(DelayMeter())
    for number in range(1, 100_000):
        delay.received(480 * number, number * 0.06)

    assert repr(delay) == "<CallDelay 512 waiting>"


def test_what_is_passed_on_has_waited_since_it_was_read():
    meter = DelayMeter()
    delay = CallDelay(meter)
    delay.passed(1.0)
    meter.since = 1.0
    delay.passed(1.5)

    assert counts(meter) == {"0.005": 1, "0.02": 1, "1.0": 2, "+Inf": 2}
    assert repr(delay) == "<CallDelay 0 waiting>"
