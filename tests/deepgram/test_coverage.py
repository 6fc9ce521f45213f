from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bridge.deepgram.coverage import Coverage
from bridge.deepgram.messages import Results, ResultWord

LIMIT = 10**9


def results(channel, start, end, *words, final=True):
    """`words` are (text, start) and last 0.2 s."""
    spoken = tuple(ResultWord(text, text, at, at + 0.2, 1.0) for text, at in words)
    text = " ".join(text for text, _ in words)
    return Results(channel, start, end, text, 1.0, spoken, final, False, False, None)


def test_a_final_settles_its_channel_and_no_other():
    coverage = Coverage()
    coverage.fresh(results(0, 0.0, 2.0), LIMIT)
    assert coverage.earliest == 0

    coverage.fresh(results(1, 0.0, 1.5), LIMIT)
    assert coverage.earliest == 12_000


def test_an_interim_settles_nothing():
    coverage = Coverage()
    coverage.fresh(results(0, 0.0, 2.0, final=False), LIMIT)
    coverage.fresh(results(1, 0.0, 2.0), LIMIT)

    assert coverage.earliest == 0


def test_no_final_settles_more_than_was_sent():
    coverage = Coverage()
    for channel in (0, 1):
        coverage.fresh(results(channel, 0.0, 100.0), 8000)

    assert coverage.earliest == 8000


def test_what_is_new_passes_as_it_is():
    message = results(0, 0.0, 2.0, ("one", 0.5))

    assert Coverage().fresh(message, LIMIT) is message


def test_what_was_settled_is_nothing_new():
    coverage = Coverage((16_000, 0))

    assert coverage.fresh(results(0, 0.0, 2.0, ("one", 0.5)), LIMIT) is None


def test_across_the_mark_only_the_new_words_pass():
    coverage = Coverage((16_000, 0))
    fresh = coverage.fresh(results(0, 1.0, 3.0, ("old", 1.8), ("new", 1.95), ("more", 2.5)), LIMIT)

    # "old" has its middle before the mark, "new" behind it.
    assert (fresh.text, fresh.start) == ("new more", 2.0)


def test_an_empty_final_at_the_mark_passes_for_what_it_says():
    coverage = Coverage((16_000, 0))
    message = replace(results(0, 2.0, 2.0), speech_final=True)

    assert coverage.fresh(message, LIMIT) is message


def test_giving_up_says_what_is_skipped_on_each_channel_once():
    coverage = Coverage((8000, 24_000))

    assert coverage.give_up(16_000) == [(0, 1.0, 2.0)]
    assert coverage.give_up(16_000) == []
    assert coverage.earliest == 16_000


@given(
    st.integers(0, 40),
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 6)), min_size=1, max_size=20),
)
def test_a_word_comes_through_at_most_once_whatever_is_heard_again(cut, spans):
    """Words one to a second; finals of whole seconds, some of them again from an earlier moment."""
    coverage, heard = Coverage(), []
    for start, length in [(0, cut), *spans]:
        spoken = [(str(second), second + 0.4) for second in range(start, start + length)]
        fresh = coverage.fresh(results(0, float(start), float(start + length), *spoken), LIMIT)
        heard += [word.text for word in fresh.words] if fresh else []

    assert len(heard) == len(set(heard))
    assert heard == sorted(heard, key=int)


def test_a_hole_is_stepped_over_when_the_mark_reaches_it():
    coverage = Coverage()

    assert coverage.skip(8000, 16_000) == [(0, 1.0, 2.0), (1, 1.0, 2.0)]
    assert coverage.earliest == 0
    coverage.fresh(results(0, 0.0, 1.0), 80_000)
    coverage.fresh(results(1, 0.0, 1.5), 80_000)
    assert coverage.earliest == 16_000


def test_a_hole_is_told_once_and_not_again_at_the_end():
    coverage = Coverage()
    coverage.skip(8000, 16_000)

    assert coverage.skip(4000, 24_000) == [(0, 0.5, 1.0), (0, 2.0, 3.0), (1, 0.5, 1.0), (1, 2.0, 3.0)]
    assert coverage.give_up(32_000) == [(0, 0.0, 0.5), (0, 3.0, 4.0), (1, 0.0, 0.5), (1, 3.0, 4.0)]
    assert coverage.give_up(32_000) == []
