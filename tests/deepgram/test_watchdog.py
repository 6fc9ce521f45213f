"""When a socket that says nothing counts as dead."""

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
    assert not dog.is_deaf(20.0)
