import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.events import TranscriptFinal
from bridge.local.script import random_script
from bridge.transcript.figures import Tally, figures
from tests.fakes.speech import SPEAKERS, channels, heard, segment


def call(*spoken, duration=60.0):
    """`spoken` are (track, start, end): a run of speech of two words."""
    finals = []
    for track, start, end in spoken:
        middle = (start + end) / 2
        finals.append(segment(track, ("so", start, middle), ("on", middle, end)))
    return figures(finals, duration, SPEAKERS)


def test_nobody_said_anything():
    found = figures([], 12.5, SPEAKERS)

    assert found.talk_time == found.words_per_minute == {"caller": 0.0, "agent": 0.0}
    assert found.words == {"caller": 0, "agent": 0}
    assert found.response_time == {"caller": None, "agent": None}
    assert (found.talk_over, found.longest_silence) == (0.0, 12.5)


def test_talk_is_counted_by_speaker():
    found = call(("inbound", 1.0, 3.0), ("outbound", 4.0, 7.0), ("inbound", 8.0, 9.5))

    assert found.talk_time == {"caller": 3.5, "agent": 3.0}
    assert found.words == {"caller": 4, "agent": 2}
    assert found.words_per_minute == {"caller": 68.6, "agent": 40.0}


def test_how_far_the_call_was_heard():
    tally = Tally(SPEAKERS)
    assert tally.heard == 0.0
    tally.add(segment("outbound", ("so", 4.0, 5.0), ("on", 9.0, 9.5)))
    tally.add(segment("inbound", ("no", 1.0, 2.0)))
    assert tally.heard == 9.5


def test_breath_is_talk_and_a_pause_is_not():
    found = figures([segment("inbound", ("a", 0.0, 1.0), ("b", 1.4, 2.0), ("c", 2.5, 3.0))], 3.0, SPEAKERS)

    assert found.talk_time["caller"] == 2.5


def test_how_the_recognizer_cut_the_talk_does_not_matter():
    words = [(str(place), place * 0.5, place * 0.5 + 0.4) for place in range(10)]
    whole = segment("inbound", *words)
    parts = [segment("inbound", word) for word in words]

    assert figures([whole], 10.0, SPEAKERS) == figures(parts, 10.0, SPEAKERS)


def test_talk_over_is_when_both_talk():
    found = call(("inbound", 0.0, 10.0), ("outbound", 2.0, 3.0), ("outbound", 9.0, 12.0))

    assert found.talk_over == 2.0


def test_taking_turns_quickly_is_no_talk_over():
    assert call(("inbound", 0.0, 2.0), ("outbound", 1.91, 3.0)).talk_over == 0.0


@pytest.mark.parametrize(
    ("spoken", "duration", "silence"),
    [
        ([("inbound", 5.0, 6.0)], 8.0, 5.0),
        ([("inbound", 1.0, 2.0), ("outbound", 6.0, 7.0)], 8.0, 4.0),
        ([("inbound", 1.0, 2.0)], 8.0, 6.0),
        ([("inbound", 0.0, 9.0), ("outbound", 2.0, 3.0)], 8.0, 0.0),
    ],
)
def test_the_longest_silence_may_stand_anywhere(spoken, duration, silence):
    assert call(*spoken, duration=duration).longest_silence == silence


def test_what_no_one_has_heard_is_no_silence():
    tally = Tally(SPEAKERS)
    tally.add(segment("inbound", ("so", 1.0, 2.0)))
    tally.leave_out(5.0, 30.0)

    assert tally.figures(34.0).longest_silence == 4.0


def test_response_time_is_the_median_from_the_others_end():
    found = call(
        ("outbound", 0.0, 2.0),
        ("inbound", 2.5, 4.0),
        ("outbound", 5.0, 6.0),
        ("outbound", 8.0, 9.0),
        ("inbound", 10.5, 11.0),
        ("outbound", 11.2, 12.0),
    )

    assert found.response_time == {"caller": 1.0, "agent": 0.6}


def test_who_does_not_wait_answers_at_once():
    assert call(("inbound", 0.0, 4.0), ("outbound", 3.0, 6.0)).response_time == {"caller": None, "agent": 0.0}


def test_a_sound_of_assent_is_no_turn():
    found = call(("inbound", 0.0, 9.0), ("outbound", 4.0, 4.5), ("inbound", 10.0, 12.0), ("outbound", 13.0, 14.0))

    assert found.response_time == {"caller": None, "agent": 1.0}


def test_tracks_that_share_a_label_are_counted_together():
    spoken = [segment("inbound", ("a", 0.0, 1.0)), segment("outbound", ("b", 2.0, 4.0))]

    found = figures(spoken, 5.0, {"inbound": "party", "outbound": "party"})

    assert (found.talk_time, found.words) == ({"party": 3.0}, {"party": 2})


def test_segments_count_once_and_those_without_words_not_at_all():
    once = segment("inbound", ("a", 1.0, 2.0))

    assert figures([once, once, segment("outbound")], 5.0, SPEAKERS).words == {"caller": 1, "agent": 0}


@given(channels(), st.randoms(use_true_random=False))
def test_one_by_one_in_any_order_is_as_good_as_all_at_once(finals, random):
    tally = Tally(SPEAKERS)
    for final in random.sample(finals, len(finals)):
        tally.add(final)

    assert tally.figures(100.0) == figures(finals, 100.0, SPEAKERS)


@given(channels())
def test_figures_agree_with_each_other(finals):
    end = max((final.end for final in finals), default=0.0)
    found = figures(finals, end, SPEAKERS)

    # Stretches of less than 0.1 s are no talk-over, so there may be a little more talk than time.
    assert 0 <= found.talk_over <= min(found.talk_time.values()) + 1e-9
    assert sum(found.talk_time.values()) - found.talk_over <= end + 0.1 * len(finals) * 8
    assert 0 <= found.longest_silence <= end


def test_figures_of_a_whole_call():
    script = random_script(7, 300)
    finals = [event for event in heard(script) if isinstance(event, TranscriptFinal)]

    found = figures(finals, 300.0, SPEAKERS)

    assert found.words == {"caller": len(script.channels[0]), "agent": len(script.channels[1])}
    assert all(60 < rate < 250 for rate in found.words_per_minute.values())


def test_a_median_between_milliseconds_is_rounded():
    found = call(("outbound", 0.0, 1.0), ("inbound", 1.5, 2.0), ("outbound", 3.0, 4.0), ("inbound", 4.501, 5.0))

    assert found.response_time["caller"] == round(0.5005, 3)


@pytest.mark.parametrize(("began", "both"), [(1.9, 0.1), (1.901, 0.0)])
def test_talk_over_has_a_shortest_length(began, both):
    assert call(("inbound", 0.0, 2.0), ("outbound", began, 3.0)).talk_over == both


def test_who_ends_with_the_other_has_had_no_turn():
    found = call(("outbound", 0.0, 4.0), ("inbound", 2.0, 4.0), ("outbound", 5.0, 6.0), ("inbound", 7.0, 8.0))

    assert found.response_time == {"caller": 1.0, "agent": None}
