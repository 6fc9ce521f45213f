"""Words and numbers read field by field."""

import pytest

from bridge.deepgram.words import Oddities, channel, clean, languages, moment, number, read_words, share
from tests.fakes.speech import span

WORD = {"word": "hello", "punctuated_word": "Hello", "start": 1.0, "end": 1.4, "confidence": 0.9}


def read(*words, within=(0.0, 4.0)):
    odd = Oddities()
    return read_words(list(words), within, 0.5, odd), odd.words


@pytest.mark.parametrize("value", [None, True, "x", [], {}, float("nan"), float("inf"), 1e10, "9" * 400, 10**400])
def test_what_is_no_number(value):
    assert number(value) is None


def test_numbers_moments_and_confidences():
    assert (number("1.5"), number(-2)) == (1.5, -2.0)
    assert (moment(1), moment(-1)) == (1.0, None)
    assert (share(2), share(-1), share(0.5), share("x")) == (1.0, 0.0, 0.5, None)


def test_strings_that_can_be_written():
    assert (clean("a\ud800b"), clean(5), clean(None)) == ("a?b", "", "")


def test_channels():
    assert (channel([0, 2]), channel([1, 2])) == (0, 1)
    assert [channel(value) for value in (None, [], [True], ["1"], [-1], [1.0], {})] == [None] * 7


def test_languages():
    odd = Oddities()
    assert languages(["es", "en"], odd) == ("es", "en")
    assert languages(None, odd) == ()
    assert odd.fields == 0
    assert languages("es", odd) == ("es",)
    assert languages(["es", {}], odd) == ("es",)
    assert odd.fields == 1


def test_a_word_that_is_well():
    (word,), bad = read({**WORD, "speaker": 1.0, "language": "en"})

    assert (word.word, word.text, word.span, word.confidence) == ("hello", "Hello", span(1.0, 1.4), 0.9)
    assert (word.speaker, word.language, bad) == (1, "en", 0)


@pytest.mark.parametrize(
    ("odd", "placed"),
    [
        ({"start": None}, (1.2, 1.4)),
        ({"end": -1}, (1.0, 2.0)),
        ({"end": 0.5}, (1.0, 2.0)),
        ({"end": 1e6}, (1.0, 2.0)),
        ({"start": float("nan"), "end": "x"}, (1 + 2 / 3, 1 + 4 / 3)),
    ],
)
def test_an_odd_time_takes_its_place_between_its_neighbours(odd, placed):
    before, after = {**WORD, "start": 0.5, "end": 1.0}, {**WORD, "start": 3.0, "end": 3.5}
    words, bad = read(before, {**WORD, **odd}, after)

    assert words[1].span == span(*placed)
    assert bad == 1


@pytest.mark.parametrize(
    ("start", "end", "placed", "odd"),
    [
        (1.0, 1.2, (1.0, 1.2), 0),
        (4.8, 5.0, (4.8, 5.0), 0),
        (0.9, 1.2, (2.0, 2.0), 1),
        (4.8, 5.1, (4.8, 4.8), 1),
        (3.0, 2.5, (3.0, 3.5), 1),
    ],
)
@pytest.mark.parametrize("more", [{}, {"language": "en"}], ids=["the short way", "the long way"])
def test_a_word_may_lie_a_second_outside_of_its_result(start, end, placed, odd, more):
    (word,), bad = read({**WORD, "start": start, "end": end, **more}, within=(2.0, 4.0))

    assert (word.span, bad) == (span(*placed), odd)


def test_the_results_edges_stand_for_missing_neighbours():
    (first, second), _ = read({"word": "a"}, {"word": "b"})

    assert (first.span, second.span) == (span(0.8, 1.6), span(2.4, 3.2))


def test_without_a_place_of_the_result_the_words_before_and_after_stand_for_its_edges():
    (first, *_, last), _ = read({"word": "a"}, WORD, {**WORD, "start": 3.0, "end": 3.5}, {"word": "b"}, within=None)

    assert (first.span, last.span) == (span(1.0, 1.0), span(3.5, 3.5))


def test_times_that_nothing_tells_are_the_start():
    (word,), bad = read({"word": "a", "confidence": 1.0}, within=None)

    assert (word.span, bad) == ((0, 0), 1)


@pytest.mark.parametrize(
    ("odd", "texts"),
    [
        ({"word": None}, ("Hello", "Hello")),
        ({"word": {}}, ("Hello", "Hello")),
        ({"word": 5}, ("5", "Hello")),
    ],
)
def test_a_word_without_its_bare_form_takes_the_other(odd, texts):
    ((word,), bad) = read({**WORD, **odd})

    assert ((word.word, word.text), bad) == (texts, 1)


def test_a_confidence_that_cannot_be_read_is_the_results():
    assert [(read({**WORD, "confidence": value})[0][0].confidence) for value in ("high", None)] == [0.5, 0.0]
    assert read({**WORD, "confidence": "high"})[1] == 1


@pytest.mark.parametrize(("given", "taken"), [(-0.1, 0.0), (0.0, 0.0), (1.0, 1.0), (1.5, 1.0)])
def test_a_confidence_is_a_share(given, taken):
    (word,), bad = read({**WORD, "confidence": given})

    assert (word.confidence, bad) == (taken, 0)


@pytest.mark.parametrize(("given", "taken"), [(0, 0), (2, 2), (-1, None)])
def test_voices_are_numbered_from_0(given, taken):
    (word,), bad = read({**WORD, "speaker": given})

    assert (word.speaker, bad) == (taken, 0)


@pytest.mark.parametrize("odd", [{"speaker": "a"}, {"language": 5}])
def test_what_else_is_odd_is_left_out_and_counted(odd):
    (word,), bad = read({**WORD, **odd})

    assert (word.speaker, word.language, bad) == (None, None, 1)


@pytest.mark.parametrize("bad", [None, 5, [], {}, {"start": 1, "end": 2}, {"word": ""}])
def test_a_word_with_nothing_in_it_is_left_out(bad):
    words, count = read(WORD, bad, WORD)

    assert (len(words), count) == (2, 1)
    assert read(bad) == ((), 1)


def test_words_that_are_no_list_are_none():
    odd = Oddities()

    assert (read_words(None, None, 0.0, odd), odd.words) == ((), 0)
    assert (read_words({"a": 1}, None, 0.0, odd), odd.words) == ((), 1)
