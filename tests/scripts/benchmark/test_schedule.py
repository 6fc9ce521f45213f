"""Frames lie evenly over the period."""

import pytest

from scripts.benchmark.schedule import APART, PERIOD, slots


@pytest.mark.parametrize("calls", [1, 2, 3, 50, 100])
def test_frames_are_equally_far_apart(calls):
    due = [slot.offset for slot in slots(calls)]

    gaps = [later - earlier for earlier, later in zip(due, [*due[1:], due[0] + PERIOD], strict=True)]
    assert gaps == pytest.approx([PERIOD / (2 * calls)] * (2 * calls))


def test_every_call_has_both_tracks_half_a_period_apart():
    places = {(slot.call, slot.track): slot.offset for slot in slots(5)}

    assert len(places) == 10
    assert [abs(places[call, 0] - places[call, 1]) for call in range(5)] == pytest.approx([APART] * 5)


def test_either_track_is_first_in_half_of_the_calls():
    assert [slot.track for slot in slots(4)] == [0, 1, 0, 1, 1, 0, 1, 0]
