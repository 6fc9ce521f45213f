"""Words as phrases: where they stand, and what stands in their place."""

import pytest

from bridge.local.features.phrases import (
    bare,
    capitalized,
    confidence,
    mark,
    merged,
    occurrences,
    split,
    spread,
    within,
)
from bridge.spans import Span
from tests.fakes.saying import EACH, said


def test_a_word_and_its_marks():
    (word,) = said("What?!")

    assert (bare(word), mark(word)) == ("what", "?!")


def test_a_phrase_is_split_into_bare_words():
    assert split(" Laura  Miller, ! ") == ["laura", "miller"]


@pytest.mark.parametrize(
    ("text", "phrase", "found"),
    [
        ("a b a b", ["a", "b"], [(0, 2), (2, 4)]),
        ("a a a", ["a", "a"], [(0, 2)]),
        ("a b", ["c"], []),
        ("a b", [], []),
        ("a", ["a", "b"], []),
    ],
)
def test_occurrences_are_never_over_each_other(text, phrase, found):
    assert [tuple(span) for span in occurrences(text.split(), phrase)] == found


def test_several_words_become_one():
    word = merged(said("nine hundred, five.", speaker=1), "905")

    assert (word.word, word.text, word.span, word.speaker) == ("905", "905.", (0, 3 * EACH), 1)


def test_other_words_share_the_time_evenly_and_keep_the_last_mark():
    words = spread(said("the kpis."), "Key Performance Indicators")

    assert [(word.word, word.text, tuple(word.span)) for word in words] == [
        ("Key", "Key", (0, 2666)),
        ("Performance", "Performance", (2666, 5333)),
        ("Indicators", "Indicators.", (5333, 8000)),
    ]


def test_one_for_one_each_keeps_its_own_time_and_mark():
    words = spread(said("laura, miller."), "Lara Muller")

    assert [(word.text, tuple(word.span)) for word in words] == [("Lara,", (0, EACH)), ("Muller.", (EACH, 2 * EACH))]


def test_nothing_in_their_place():
    assert spread(said("um"), " ") == ()


def test_the_confidence_of_none_is_none():
    assert confidence(()) == 0


def test_a_sentence_begins_with_a_capital():
    assert [capitalized(word).text for word in said("hello ¿ 5")] == ["Hello", "¿", "5"]


def test_words_within_a_span_by_their_middle():
    words = said("a b c")

    assert [word.word for word in within(words, Span(EACH // 2, 2 * EACH))] == ["a", "b"]
