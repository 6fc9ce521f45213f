"""Which interims stand; what the session does with them is tested there. Seconds, but for positions."""

from math import inf

import pytest

from bridge.deepgram.standing import Standing
from bridge.recognition import Result, Word
from tests.fakes.speech import span

SECOND = 8000


def said(text, end, *, final=False, channel=0, words=True):
    spoken = tuple(Word(text, text, span(end - 0.2, end), 1.0) for _ in range(words and bool(text)))
    return Result(channel, span(0.0, end), text, 1.0, spoken, final)


@pytest.mark.parametrize(
    ("after", "sent", "due"),
    [(2.9, 5.0, []), (3.0, 4.9, []), (3.0, 5.0, [0])],  # by the clock, and by the audio
)
def test_it_is_due_when_neither_the_clock_nor_the_audio_brings_more(after, sent, due):
    standing = Standing(3.0)
    standing.hear(said("five", 2.0), 10.0)

    assert list(standing.due(round(sent * SECOND), 10.0 + after)) == due


def test_it_is_asked_for_again_after_twice_the_time():
    standing = Standing(3.0)
    standing.hear(said("five", 0.0), 0.0)
    asked = [second for second in range(60) if list(standing.due(second * SECOND, float(second)))]

    assert asked == [3, 6, 12, 24, 48]


@pytest.mark.parametrize(
    "then",
    [
        said("five", 2.0, final=True),
        said("", 2.5),  # taken back
        said("five six", 2.4),
        said("Five", 2.0),
    ],
)
def test_what_is_settled_or_changes_does_not_stand(then):
    standing = Standing(3.0)
    standing.hear(said("five", 2.0), 0.0)
    standing.hear(then, 2.9)

    assert list(standing.due(60 * SECOND, 3.0)) == []


def test_an_interim_that_says_the_same_stands_on():
    standing = Standing(3.0)
    standing.hear(said("five", 2.0), 0.0)
    standing.hear(said("five", 2.0), 2.9)

    assert list(standing.due(60 * SECOND, 3.0)) == [0]


def test_a_final_of_what_was_said_before_settles_nothing():
    standing = Standing(3.0)
    standing.hear(said("five", 2.0), 0.0)
    standing.hear(said("four", 1.0, final=True), 0.1)
    standing.hear(said("five", 2.0, final=True, channel=1), 0.1)

    assert list(standing.due(60 * SECOND, 3.0)) == [0]


def test_words_that_cannot_be_read_stand_by_their_span():
    standing = Standing(3.0)
    standing.hear(said("five", 2.0, words=False), 0.0)

    assert list(standing.due(5 * SECOND - 1, 9.0)) == []
    assert list(standing.due(5 * SECOND, 9.0)) == [0]


def test_a_pause_asks_at_once_and_once():
    standing = Standing(3.0)
    for channel in (0, 1):
        standing.hear(said("five", 2.0, channel=channel), 0.0)

    assert list(standing.pause()) == [0, 1]
    assert list(standing.pause()) == []
    standing.clear()
    assert list(standing.due(60 * SECOND, 60.0)) == []


def test_what_a_pause_has_asked_for_is_asked_for_again_after_twice_the_time():
    standing = Standing(3.0)
    standing.hear(said("five", 2.0), 0.0)
    assert list(standing.pause()) == [0]

    assert [second for second in range(20) if list(standing.due(60 * SECOND, float(second)))] == [6, 12]


def test_it_is_empty_while_no_word_waits():
    standing = Standing(3.0)
    empty = [standing.is_empty]
    for result in (said("five", 2.0), said("five", 2.0, final=True)):
        standing.hear(result, 0.0)
        empty.append(standing.is_empty)

    assert empty == [True, False, True]


def test_nothing_is_due_before_it_says_so():
    standing = Standing(3.0)
    assert standing.due_at == inf
    standing.hear(said("five", 2.0), 1.0)
    standing.hear(said("six", 2.0, channel=1), 2.0)
    told = [standing.due_at]
    for now in (4.0, 5.0, 7.0):
        list(standing.due(60 * SECOND, now))
        told.append(standing.due_at)

    assert told == [4.0, 5.0, 7.0, 8.0]
