"""When a socket that says nothing counts as dead."""

import pytest

from bridge.deepgram.watchdog import Watchdog

SPEECH, SILENCE = b"\x10" * 1600, b"\xff" * 1600
"""A tenth of a second."""


def watch(chunk, seconds, patience=10.0):
    dog = Watchdog(patience)
    dog.answered(0.0)
    for tenth in range(round(seconds * 10)):
        dog.sent(chunk, tenth / 10)
    return dog


def test_speech_that_is_never_answered():
    assert watch(SPEECH, 10.1).is_deaf(10.1)
    assert not watch(SPEECH, 9.9).is_deaf(9.9)


def test_silence_needs_no_answer():
    assert not watch(SILENCE, 60.0).is_deaf(60.0)


def test_speech_long_ago_does_not_count():
    dog = watch(SPEECH, 5.0)
    for tenth in range(50, 300):
        dog.sent(SILENCE, tenth / 10)
    assert not dog.is_deaf(30.0)


def test_any_answer_is_life():
    dog = watch(SPEECH, 10.1)
    dog.answered(10.1)
    assert not dog.is_deaf(30.0)
    dog.sent(SPEECH * 100, 20.0)
    assert not dog.is_deaf(20.0)


def test_what_is_put_off_is_concluded_then():
    dog = watch(SPEECH, 30.0)
    dog.put_off(31.0)
    assert not dog.is_deaf(31.0)
    assert dog.is_deaf(31.01)


def test_an_answer_that_is_newer_puts_it_off_for_longer():
    dog = watch(SPEECH, 10.1)
    dog.answered(10.1)
    dog.put_off(10.6)
    assert dog.rests(15.1)


def test_before_a_socket_has_opened_nothing_is_missed():
    assert not Watchdog(10.0).is_deaf(100.0)


@pytest.mark.parametrize(
    ("sent_at", "seconds", "now", "deaf"),
    [
        (105.1, 2.6, 110.1, True),
        (105.0, 2.6, 110.1, False),  # in the first half of its patience
        (105.1, 2.5, 110.1, False),  # no more than a quarter of it
        (105.1, 2.6, 110.0, False),  # not longer than all of it
    ],
)
def test_so_much_speech_so_late_must_be_answered_so_soon(sent_at, seconds, now, deaf):
    dog = Watchdog(10.0)
    dog.answered(100.0)
    dog.sent(SPEECH * round(10 * seconds), sent_at)

    assert dog.is_deaf(now) is deaf
