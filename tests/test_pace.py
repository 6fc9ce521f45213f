import pytest

from bridge.pace import Pace


def drained(speed=1.25, burst=1.0, now=10.0):
    pace = Pace(speed, burst)
    pace.start(now)
    while pace.allows(now):
        pace.take(0.1)
    return pace


def test_a_burst_may_go_out_at_once():
    pace = Pace(1.25, 1.0)
    pace.start(0.0)
    sent = 0.0
    while pace.allows(0.0):
        pace.take(0.1)
        sent += 0.1

    assert sent == pytest.approx(1.1)


@pytest.mark.parametrize("now", [-100.0, 0.0, 1e6])
def test_any_steady_clock_will_do(now):
    pace = Pace(1.25, 1.0)
    pace.start(now)

    assert pace.allows(now)


def test_a_chunk_may_go_out_as_soon_as_nothing_is_owed():
    pace = Pace(1.0, 1.0)
    pace.start(0.0)
    pace.take(1.5)

    assert [pace.allows(now) for now in (0.25, 0.5)] == [False, True]


def test_afterwards_the_ceiling_holds():
    pace, sent, now = drained(), 0.0, 10.0
    while now < 30.0:
        now = pace.next_time()
        assert pace.allows(now)
        pace.take(0.1)
        sent += 0.1

    assert sent / 20.0 == pytest.approx(1.25, rel=0.02)


def test_live_audio_never_meets_it():
    pace = Pace(1.25, 1.0)
    pace.start(0.0)
    for chunk in range(1, 10_000):
        assert pace.allows(chunk * 0.06)
        pace.take(0.06)


def test_no_more_than_the_burst_is_saved_up():
    pace = drained()
    sent = 0.0
    while pace.allows(1000.0):
        pace.take(0.1)
        sent += 0.1

    assert sent == pytest.approx(1.1)


def test_the_next_time_is_when_it_allows():
    pace = drained()

    assert not pace.allows(pace.next_time() - 0.01)
    assert pace.allows(pace.next_time())
