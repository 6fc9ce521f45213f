"""Invented conversations: the same for the same seed, in order, and with what makes real ones hard."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.local.script import random_script
from bridge.local.script.generate import ECHOES


def test_the_same_seed_says_the_same():
    assert random_script(7, 60) == random_script(7, 60)
    assert random_script(7, 60) != random_script(8, 60)


@settings(max_examples=25, deadline=None)
@given(st.integers(), st.floats(0.1, 90), st.integers(1, 4), st.floats(0, 1), st.floats(0, 1))
def test_it_ends_in_time_and_has_whole_milliseconds(seed, seconds, channels, repetition, talk_over):
    script = random_script(seed, seconds, channels, repetition=repetition, talk_over=talk_over)
    assert len(script.channels) == channels
    assert script.duration <= seconds
    for word in script.words:
        assert (word.start, word.end) == (word.start_ms / 1000, word.end_ms / 1000)


def test_everybody_speaks_and_is_silent():
    script = random_script(1, 120)
    for words in script.channels:
        assert 20 < sum(word.end - word.start for word in words) < 90


def test_words_are_said_twice():
    def echoes(repetition: float) -> int:
        words = random_script(1, 60, repetition=repetition).channels[0]
        return sum(one.word == other.word in ECHOES for one, other in pairwise(words))

    assert echoes(1) > 5
    assert echoes(0) == 0


def test_people_talk_over_each_other():
    def overlaps(talk_over: float) -> int:
        left, right = random_script(1, 120, talk_over=talk_over).channels
        return sum(one.start < other.end and other.start < one.end for one in left for other in right)

    assert overlaps(0.5) > 5
    assert overlaps(0) == 0


def test_sentences_are_written_as_sentences():
    texts = [word.text for word in random_script(1, 60).channels[0]]
    assert texts[0][0].isupper()
    assert any(text.endswith(".") for text in texts)
    assert all(one[0].isupper() for before, one in pairwise(texts) if before.endswith("."))
