"""How far timestamps may leap. Positions are samples: 8000 are a second."""

import pytest

from bridge.align.leaps import Leaps

SECOND = 8000


def test_before_time_is_told_every_leap_is_believed() -> None:
    assert Leaps(10 * SECOND).farthest(0) == float("inf")


def test_at_once_there_is_the_slack() -> None:
    leaps = Leaps(10 * SECOND)
    leaps.pass_time(100.0)
    assert leaps.farthest(500) == 500 + 10 * SECOND
    leaps.take(10 * SECOND)

    assert leaps.farthest(500) == 500


def test_later_there_is_what_has_passed() -> None:
    leaps = Leaps(10 * SECOND)
    leaps.pass_time(100.0)
    leaps.take(10 * SECOND)
    leaps.pass_time(130.0)

    assert leaps.farthest(0) == 30 * SECOND


def test_the_same_time_passes_once() -> None:
    leaps = Leaps(SECOND)
    for now in (100.0, 130.0, 130.0):
        leaps.pass_time(now)

    assert leaps.farthest(0) == 31 * SECOND


@pytest.mark.parametrize("samples", [-160, 0])
def test_what_follows_on_the_audio_is_no_leap(samples: int) -> None:
    leaps = Leaps(SECOND)
    leaps.pass_time(100.0)
    leaps.take(samples)

    assert leaps.farthest(0) == SECOND


def test_a_clock_that_is_set_back_takes_nothing_away() -> None:
    leaps = Leaps(SECOND)
    leaps.pass_time(100.0)
    leaps.pass_time(50.0)
    leaps.pass_time(100.0)

    assert leaps.farthest(0) == SECOND
