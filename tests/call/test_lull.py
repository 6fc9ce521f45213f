"""A carrier that pauses; what the call does then is tested with its continuity. Times are seconds."""

import pytest

from bridge.call.lull import Lull, LullPolicy

SECOND = 8000
POLICY = LullPolicy(look=0.5, pause=2.0, tick=0.25, lag=0.5)


@pytest.fixture
def lull():
    begun = Lull(POLICY)
    begun.begin(SECOND, 100.0)
    return begun


def test_before_the_first_frame_there_is_nothing_to_look_at():
    assert Lull(POLICY).look_at is None
    assert not Lull(POLICY).paused


def test_it_is_looked_at_often_enough(lull):
    assert lull.look_at == 100.5
    lull.look(2 * SECOND, 100.5)
    assert lull.look_at == 101.0
    lull.look(2 * SECOND, 101.0)
    assert lull.look_at == 101.25
    lull.end()
    assert lull.look_at is None


@pytest.mark.parametrize(("after", "paused"), [(1.9, False), (2.0, True)])
def test_a_pause_begins_when_nothing_has_come_for_long_enough(lull, after, paused):
    position = lull.look(SECOND, 100.0 + after)

    assert (position is not None, lull.paused) == (paused, paused)


def test_unless_it_is_told_otherwise_three_seconds_without_audio_are_a_pause():
    begun = Lull(LullPolicy())
    begun.begin(SECOND, 100.0)

    assert begun.look_at == 101.0
    assert begun.look(SECOND, 102.999) is None
    assert begun.look_at == 103.249
    assert begun.look(SECOND, 103.0) == SECOND + round(2.5 * SECOND)


def test_the_silence_ends_behind_the_clock_and_its_own_is_no_audio(lull):
    assert lull.look(SECOND, 103.0) == SECOND + round(2.5 * SECOND)
    assert lull.look(SECOND + round(2.5 * SECOND), 103.25) == SECOND + round(2.75 * SECOND)
    assert lull.paused


def test_time_in_which_nothing_could_be_read_is_no_pause(lull):
    lull.put_off(16.0, 117.0)
    assert lull.look_at == 117.0
    assert lull.look(SECOND, 117.0) is None
    assert lull.look(SECOND, 118.0) == SECOND + round(1.5 * SECOND)


def test_what_is_not_looked_at_is_not_put_off():
    lull = Lull(POLICY)
    lull.put_off(16.0, 117.0)

    assert lull.look_at is None


def test_audio_that_comes_again_ends_the_pause(lull):
    filled = lull.look(SECOND, 103.0)
    assert lull.look(filled + 2000, 103.25) is None
    assert (lull.paused, lull.look_at) == (False, 103.75)
    assert lull.look(filled + 2000, 105.2) is None
    assert lull.look(filled + 2000, 105.25) == filled + 2000 + round(1.5 * SECOND)


def test_when_audio_has_ended_between_two_looks_is_known_by_how_much_there_is():
    begun = Lull(LullPolicy())
    begun.begin(SECOND, 100.0)
    begun.look(SECOND + 2400, 101.0)

    assert begun.look(SECOND + 2400, 103.25) is None
    assert begun.look(SECOND + 2400, 103.31) == SECOND + 2400 + round(2.51 * SECOND)
