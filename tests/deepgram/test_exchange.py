"""A session's patience."""

import pytest

from bridge.deepgram.exchange import SessionPolicy


@pytest.mark.parametrize(
    ("attempt", "slow", "seconds"), [(1, False, 0.25), (3, False, 1.0), (99, False, 4.0), (1, True, 4.0)]
)
def test_a_try_waits_twice_as_long_as_the_one_before(attempt, slow, seconds):
    assert SessionPolicy().pause(attempt, slow=slow) == seconds
