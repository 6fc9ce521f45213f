"""Delays are counted from what completes a chunk, and once."""

from pytest import approx

from scripts.benchmark.delays import AudioDelays, FinalDelays


def sent(*pairs):
    delays = AudioDelays()
    for first, second in pairs:
        delays.sending(0, first)
        delays.sending(1, second)
    return delays


def test_a_chunk_is_complete_with_the_later_of_its_last_frames():
    delays = sent((1.00, 1.01), (1.03, 1.02))

    assert delays.heard((0, 0), 1.05) == approx(0.04)
    assert delays.heard((1, 1), 1.05) == approx(0.02)


def test_tracks_may_end_with_different_frames():
    assert sent((1.00, 1.01), (1.02, 1.03)).heard((1, 0), 1.05) == approx(0.03)


def test_what_comes_again_says_nothing():
    delays = sent((1.00, 1.01), (1.02, 1.03))
    delays.heard((1, 1), 1.04)

    assert delays.heard((1, 1), 1.09) is None
    assert delays.heard((0, 0), 1.09) is None


def test_a_frame_that_was_never_sent():
    assert sent((1.00, 1.01)).heard((1, 0), 1.05) is None
    assert sent((1.00, 1.01)).heard((0, 1), 1.05) is None


def test_how_many_frames_have_not_arrived():
    delays = sent((1.00, 1.01), (1.02, 1.03), (1.04, 1.05))
    before = delays.behind
    delays.heard((1, 1), 1.06)

    assert (before, delays.behind) == (3, 1)


def test_a_final_is_delayed_until_its_first_post():
    delays = FinalDelays()
    delays.said((1, 0), 5.0)

    assert [delays.posted((1, 0), 5.5), delays.posted((1, 0), 6.0), delays.posted((2, 0), 6.0)] == [0.5, None, None]
