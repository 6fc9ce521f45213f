"""What finals cover, and what is new in a result. Times are seconds here, samples there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bridge.deepgram.coverage import SEAM, TAIL, Coverage, before
from bridge.recognition import Result, Word
from bridge.spans import Span, SpanSet
from tests.fakes.speech import span

LIMIT = 10**9
SECOND = 8000


def results(channel, start, end, *words, final=True):
    """`words` are (text, start) and last 0.2 s."""
    spoken = tuple(Word(text, text, span(at, at + 0.2), 1.0) for text, at in words)
    text = " ".join(text for text, _ in words)
    return Result(channel, span(start, end), text, 1.0, spoken, final)


def covered(*spans):
    """Coverage in which both channels have had finals of these seconds."""
    coverage = Coverage()
    for channel in (0, 1):
        for start, end in spans:
            coverage.fresh(results(channel, start, end), LIMIT)
    return coverage


def test_a_final_covers_its_channel_and_no_other():
    coverage = Coverage()
    coverage.fresh(results(0, 0.0, 2.0), LIMIT)
    assert coverage.earliest == 0

    coverage.fresh(results(1, 0.0, 1.5), LIMIT)
    assert coverage.earliest == 12_000


def test_of_a_call_that_is_over_all_is_covered_but_what_it_lacks():
    coverage = Coverage.lacking((SpanSet([(2 * SECOND, 3 * SECOND), (5 * SECOND, 6 * SECOND)]), SpanSet()))
    said = results(0, 0.0, 9.0, ("one", 1.0), ("two", 2.0), ("four", 4.0), ("five", 5.5), ("seven", 7.0))

    assert coverage.holes == []
    assert coverage.fresh(results(1, 0.0, 9.0, ("one", 1.0)), LIMIT) is None
    fresh = coverage.fresh(said, LIMIT)
    assert (fresh.text, fresh.span) == ("two five", (2 * SECOND, 6 * SECOND))
    assert coverage.fresh(said, LIMIT) is None


def test_an_interim_covers_nothing():
    coverage = Coverage()
    coverage.fresh(results(0, 0.0, 2.0, final=False), LIMIT)
    coverage.fresh(results(1, 0.0, 2.0), LIMIT)

    assert coverage.earliest == 0


def test_no_final_covers_more_than_was_sent():
    coverage = Coverage()
    for channel in (0, 1):
        coverage.fresh(results(channel, 0.0, 100.0), SECOND)

    assert coverage.earliest == SECOND


def test_a_hole_between_finals_stays_and_is_named_once():
    coverage = covered((0.0, 1.0), (2.0, 3.0))

    assert coverage.earliest == SECOND
    assert coverage.give_up(3 * SECOND) == [(0, span(1.0, 2.0)), (1, span(1.0, 2.0))]
    assert coverage.give_up(3 * SECOND) == []


def test_a_final_that_comes_late_fills_its_hole():
    coverage = covered((0.0, 1.0), (2.0, 3.0))
    message = results(0, 1.0, 2.0, ("late", 1.5))

    assert coverage.fresh(message, LIMIT) is message
    assert coverage.give_up(3 * SECOND) == [(1, span(1.0, 2.0))]


@pytest.mark.parametrize(("gap", "holes"), [(SEAM, 0), (SEAM + 1, 2)])
def test_rounding_between_two_finals_is_no_hole(gap, holes):
    coverage = Coverage()
    for channel in (0, 1):
        coverage.fresh(replace(results(channel, 0.0, 1.0), span=Span(gap, SECOND)), LIMIT)
        coverage.fresh(replace(results(channel, 0.0, 1.0), span=Span(SECOND + gap, 2 * SECOND)), LIMIT)

    assert len(coverage.give_up(2 * SECOND)) == 2 * holes


@pytest.mark.parametrize(("rest", "named"), [(TAIL, 0), (TAIL + 1, 2)])
def test_a_tail_that_is_too_short_for_a_word_lacks_nothing(rest, named):
    coverage = covered((0.0, 1.0))
    coverage.settle_tail(SECOND + rest)

    assert len(coverage.give_up(SECOND + rest)) == named


def test_a_call_that_is_shorter_than_a_word_lacks_nothing():
    coverage = Coverage()
    coverage.settle_tail(TAIL)

    assert coverage.give_up(TAIL) == []


def test_a_short_hole_before_the_end_is_no_tail():
    coverage = covered((0.0, 1.0), (1.1, 1.15))
    coverage.settle_tail(round(1.15 * SECOND))

    assert len(coverage.give_up(round(1.15 * SECOND))) == 2


def test_what_is_new_passes_as_it_is():
    message = results(0, 0.0, 2.0, ("one", 0.5))

    assert Coverage().fresh(message, LIMIT) is message


def test_what_was_covered_is_nothing_new():
    coverage = Coverage((16_000, 0))

    assert coverage.fresh(results(0, 0.0, 2.0, ("one", 0.5)), LIMIT) is None


def test_a_final_that_comes_again_a_little_longer_is_nothing_new():
    coverage = covered((0.0, 2.0))

    assert coverage.fresh(replace(results(0, 0.0, 2.0, ("one", 0.5)), span=Span(0, 16_000 + SEAM)), LIMIT) is None


def test_across_the_edge_only_the_new_words_pass():
    coverage = Coverage((16_000, 0))
    fresh = coverage.fresh(results(0, 1.0, 3.0, ("old", 1.8), ("new", 1.95), ("more", 2.5)), LIMIT)

    # "old" has its middle before the edge, "new" after it.
    assert (fresh.text, fresh.span) == ("new more", span(2.0, 3.0))


def test_a_final_across_a_hole_has_only_the_words_of_the_hole():
    coverage = covered((0.0, 1.0), (2.0, 3.0))
    fresh = coverage.fresh(results(0, 0.0, 3.0, ("one", 0.5), ("two", 1.5), ("three", 2.5)), LIMIT)

    assert (fresh.text, fresh.span) == ("two", span(1.0, 2.0))


def test_text_without_words_goes_by_its_middle():
    coverage = Coverage((16_000, 16_000))
    said = replace(results(0, 1.5, 4.0), text="long ago")

    assert coverage.fresh(said, LIMIT).text == "long ago"
    assert coverage.fresh(replace(said, channel=1, span=span(0.0, 2.5)), LIMIT).text == ""


def test_a_word_outside_of_its_result_goes_by_the_results_edge():
    coverage = covered((0.0, 2.0))

    assert coverage.fresh(results(0, 1.0, 3.0, ("far", 3.4)), LIMIT).text == "far"
    assert coverage.fresh(results(0, 2.0, 3.0, ("far", 3.4)), LIMIT) is None


def test_an_empty_final_at_the_edge_passes_for_what_it_says():
    coverage = Coverage((16_000, 0))
    message = replace(results(0, 2.0, 2.0), ends_turn=True)

    assert coverage.fresh(message, LIMIT) is message
    assert coverage.fresh(results(0, 1.0, 1.0), LIMIT) is None


def test_giving_up_says_what_is_skipped_on_each_channel_once():
    assert Coverage().give_up(SECOND) == [(0, span(0.0, 1.0)), (1, span(0.0, 1.0))]

    coverage = Coverage((8000, 24_000))
    assert coverage.give_up(16_000) == [(0, span(1.0, 2.0))]
    assert coverage.give_up(16_000) == []
    assert coverage.earliest == 16_000


def test_what_there_is_no_audio_of_is_told_once_and_stepped_over():
    coverage = Coverage()

    assert coverage.skip(8000, 16_000) == [(0, span(1.0, 2.0)), (1, span(1.0, 2.0))]
    assert coverage.earliest == 0
    coverage.fresh(results(0, 0.0, 1.0), LIMIT)
    coverage.fresh(results(1, 0.0, 1.5), LIMIT)
    assert coverage.earliest == 16_000
    assert coverage.skip(4000, 24_000) == [(0, span(2.0, 3.0)), (1, span(2.0, 3.0))]


@given(
    st.integers(0, 40),
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 6)), min_size=1, max_size=20),
)
def test_every_word_comes_through_once_whatever_is_heard_again_in_whatever_order(cut, spans):
    """Words one to a second; finals of whole seconds, some of them again, and some from an earlier moment."""
    coverage, heard, spoken = Coverage(), [], set()
    for start, length in [(0, cut), *spans]:
        seconds = range(start, start + length)
        spoken |= set(map(str, seconds))
        fresh = coverage.fresh(
            results(0, float(start), float(start + length), *[(str(second), second + 0.4) for second in seconds]), LIMIT
        )
        heard += [word.text for word in fresh.words] if fresh else []

    assert sorted(heard) == sorted(spoken)
    holes = {int(second) for second in range(50)} - set(map(int, spoken))
    lost = [found for channel, found in coverage.give_up(50 * SECOND) if channel == 0]
    assert {second for found in lost for second in range(found.start // SECOND, found.end // SECOND)} == holes


# Where the next socket begins.


def test_what_follows_the_latest_final_is_always_sent():
    assert covered((0.0, 3.0)).replay_from(0) == 3 * SECOND


def test_the_channel_that_is_further_behind_decides():
    coverage = covered((0.0, 2.0))
    coverage.fresh(results(1, 2.0, 3.0), LIMIT)

    assert coverage.replay_from(0) == 2 * SECOND


@pytest.mark.parametrize(("reach", "position"), [(2.0, 1.0), (1.0, 3.0)])
def test_a_hole_is_sent_again_where_it_is_near(reach, position):
    assert covered((0.0, 1.0), (2.0, 3.0)).replay_from(round(reach * SECOND)) == position * SECOND


def test_a_hole_that_was_sent_again_in_vain_is_left():
    coverage = covered((0.0, 1.0), (2.0, 3.0))
    coverage.begin(coverage.replay_from(LIMIT))
    for channel in (0, 1):
        coverage.fresh(results(channel, 2.0, 4.0), LIMIT)

    assert coverage.replay_from(LIMIT) == 4 * SECOND
    coverage.begin(4 * SECOND)
    assert coverage.replay_from(LIMIT) == 4 * SECOND
    assert coverage.give_up(4 * SECOND) == [(0, span(1.0, 2.0)), (1, span(1.0, 2.0))]


def test_a_hole_that_was_sent_again_in_vain_is_left_though_the_other_channel_begins_later():
    coverage = Coverage((0, 3 * SECOND))
    for start, end in ((0.0, 1.0), (2.0, 3.0)):
        coverage.fresh(results(0, start, end), LIMIT)
    coverage.begin(coverage.replay_from(LIMIT))
    coverage.fresh(results(0, 2.0, 3.0), LIMIT)

    assert coverage.replay_from(LIMIT) == 3 * SECOND


def test_a_hole_at_the_very_start_is_sent_again():
    assert covered((1.0, 2.0)).replay_from(LIMIT) == 0


def test_a_socket_that_began_after_a_hole_was_no_try():
    coverage = covered((0.0, 1.0), (2.0, 3.0))
    coverage.begin(3 * SECOND)
    for channel in (0, 1):
        coverage.fresh(results(channel, 3.0, 4.0), LIMIT)
    assert coverage.replay_from(LIMIT) == SECOND

    coverage.begin(4 * SECOND)
    assert coverage.replay_from(LIMIT) == SECOND


def test_a_socket_that_was_lost_before_it_came_to_a_hole_was_no_try():
    coverage = covered((0.0, 1.0), (2.0, 3.0))
    for _ in range(3):
        coverage.begin(coverage.replay_from(LIMIT))

    assert coverage.replay_from(LIMIT) == SECOND


def test_a_cut_takes_the_words_that_it_may_have_touched():
    whole = results(0, 0.0, 2.0, ("one", 0.5), ("two", 1.5))

    assert before(whole, round(1.8 * SECOND)) == replace(whole, span=span(0.0, 1.8))
    cut = before(whole, round(1.6 * SECOND))
    assert (cut.text, cut.span) == ("one", span(0.0, 1.5))


def test_a_part_is_written_as_the_recognizer_wrote_the_whole():
    words = ("请", 0.2), ("稍", 0.7), ("等", 1.2), ("iPhone", 1.7)
    whole = replace(results(0, 0.0, 2.0, *words), text="请，稍等。 iPhone!")

    assert before(whole, round(1.5 * SECOND)).text == "请，稍等。"
    assert covered((0.0, 1.0)).fresh(whole, LIMIT).text == "等。 iPhone!"
    other = replace(whole, text="something else")
    assert covered((0.0, 1.0)).fresh(other, LIMIT).text == "等iPhone"


def test_a_word_that_ends_at_the_edge_of_a_cut_is_whole():
    whole = results(0, 0.0, 2.0, ("one", 0.5), ("two", 1.5))

    assert before(whole, whole.words[1].span.end).text == "one two"


def test_repr_shows_the_marks_and_the_holes():
    assert repr(Coverage()) == "covered [0, 0] holes 0"
    assert repr(covered((0.0, 1.0), (2.0, 3.0))) == "covered [8000, 8000] holes 2"


def test_a_hole_is_named_as_soon_as_a_final_has_passed_it_and_until_another_covers_it():
    coverage = covered((0.0, 1.0), (2.0, 3.0))
    assert coverage.holes == [(channel, Span(SECOND, 2 * SECOND)) for channel in (0, 1)]
    assert covered((1.0, 2.0)).holes == [(channel, Span(0, SECOND)) for channel in (0, 1)]

    coverage.fresh(results(0, 1.0, 2.0), LIMIT)
    assert coverage.holes == [(1, Span(SECOND, 2 * SECOND))]
