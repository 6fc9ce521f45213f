"""What has no words, at the end of a call and after everything that came later."""

import re
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.events import AudioGap, Cause, Stretch, TranscriptionBackfilled
from bridge.transcript.gaps import Completeness, completeness, reason, standing


def stretch(start, end, track="inbound"):
    return {"track": track, "from": start, "to": end}


def gap(seq, start, end, why="overflow", track="inbound"):
    data = AudioGap(track=track, from_=start, to=end, missing=end - start, why=why)
    return {"seq": seq, "type": AudioGap.type, "data": data.model_dump(mode="json")}


def backfilled(seq, start, end, waiting):
    data = TranscriptionBackfilled(from_=start, to=end, waiting=waiting)
    return {"seq": seq, "type": TranscriptionBackfilled.type, "data": data.model_dump(mode="json")}


@pytest.mark.parametrize(
    ("missing", "uncovered", "later", "missing_now", "waiting", "done"),
    [
        pytest.param(0.0, [], [], 0.0, 0.0, 0.0, id="all there from the start"),
        pytest.param(3.0, [], [], 3.0, 0.0, 0.0, id="no audio was kept"),
        pytest.param(3.0, [stretch(2, 5)], [], 3.0, 3.0, 0.0, id="nothing came yet"),
        pytest.param(3.0, [stretch(2, 5)], [backfilled(9, 2, 5, 0.0)], 0.0, 0.0, 3.0, id="all came"),
        pytest.param(3.0, [stretch(2, 5)], [backfilled(9, 2, 4, 1.0)], 1.0, 1.0, 2.0, id="the first piece came"),
        pytest.param(
            3.0,
            [stretch(2, 5), stretch(3, 5, "outbound")],
            [backfilled(9, 2, 3, 2.0), backfilled(12, 3, 5, 0.0)],
            0.0,
            0.0,
            3.0,
            id="both tracks, piece by piece",
        ),
        pytest.param(
            3.0, [stretch(2, 5)], [gap(8, 2, 3), backfilled(9, 2, 5, 0.0)], 1.0, 0.0, 2.0, id="some of it was lost"
        ),
        pytest.param(3.0, [stretch(2, 5)], [gap(8, 2, 4)], 3.0, 3.0, 0.0, id="never more than at the end"),
        pytest.param(
            4.0, [stretch(2, 5)], [backfilled(9, 2, 5, 0.0)], 1.0, 0.0, 3.0, id="some of it had not been kept"
        ),
        pytest.param(
            3.0,
            [stretch(2, 5)],
            [gap(9, 2, 5, "not_transcribed")],
            3.0,
            0.0,
            0.0,
            id="nothing came, and it was given up",
        ),
        pytest.param(
            3.0,
            [stretch(2, 5)],
            [backfilled(9, 2, 3, 2.0), gap(10, 3, 5, "not_transcribed")],
            2.0,
            0.0,
            1.0,
            id="the rest was given up",
        ),
        pytest.param(
            3.0,
            [stretch(2, 5)],
            [gap(9, 2, 5, "not_transcribed"), backfilled(11, 2, 5, 0.0)],
            0.0,
            0.0,
            3.0,
            id="given up, and transcribed when it was asked for",
        ),
        pytest.param(
            3.0,
            [stretch(2, 5)],
            [backfilled(12, 4, 5, 0.0), backfilled(9, 2, 4, 1.0)],
            0.0,
            0.0,
            3.0,
            id="by their numbers, however they come",
        ),
    ],
)
def test_how_complete_a_call_is(missing, uncovered, later, missing_now, waiting, done):
    ended = {"missing": missing, "uncovered": uncovered}

    assert completeness(ended, later) == Completeness(missing_now, waiting, done)


def test_the_end_of_an_older_version_says_nothing_of_it():
    assert completeness({}, []) == Completeness(0.0, 0.0, 0.0)


def test_losses_of_one_track_add_up_and_those_of_two_do_not():
    ended = {"missing": 6.0, "uncovered": [stretch(0, 6), stretch(0, 6, "outbound")]}
    lost = [gap(8, 0, 1), gap(9, 2, 4), gap(10, 0, 2, track="outbound")]

    assert completeness(ended, [*lost, backfilled(11, 0, 6, 0.0)]) == Completeness(3.0, 0.0, 3.0)


def told(start, end, why="not_transcribed", track="inbound"):
    return AudioGap(track=track, from_=start, to=end, missing=end - start, why=why)


def came(start, end):
    return TranscriptionBackfilled(from_=start, to=end, waiting=0.0)


@pytest.mark.parametrize(
    ("events", "left"),
    [
        ([told(2, 5)], [(2, 5)]),
        ([told(2, 5), came(2, 5)], []),
        ([told(2, 5), came(0, 9)], []),
        ([told(2, 5), came(2, 3)], [(3, 5)]),
        ([told(2, 5), came(4, 5)], [(2, 4)]),
        ([told(2, 5), came(3, 4)], [(2, 3), (4, 5)]),
        ([told(2, 5), came(5, 7)], [(2, 5)]),
        ([told(2, 5), came(0, 2)], [(2, 5)]),
        ([told(2, 5), came(2, 4), came(4, 5)], []),
        ([told(2, 5), told(2, 5, track="outbound"), came(2, 5)], []),
        # It was given up after that: the backfill did not mend it.
        ([came(2, 5), told(2, 5)], [(2, 5)]),
        # Audio that is lost is counted as done by the backfill of its piece, and stays a gap.
        ([told(2, 3, "overflow"), came(2, 5)], [(2, 3)]),
    ],
)
def test_which_gaps_are_left(events, left):
    gaps = standing(events)

    assert [(gap.from_, gap.to) for gap in gaps] == left
    assert all(gap.missing == gap.to - gap.from_ for gap in gaps)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20), st.integers(1, 10)), max_size=12))
def test_a_second_is_a_gap_if_it_was_given_up_after_it_was_last_transcribed(steps):
    events, expected = [], dict.fromkeys(range(30), 0)
    for give_up, start, length in steps:
        end = start + length
        events.append(told(start, end) if give_up else came(start, end))
        for second in range(start, end):
            expected[second] = expected[second] + 1 if give_up else 0
    left = standing(events)

    assert {second: sum(gap.from_ <= second < gap.to for gap in left) for second in expected} == expected


def test_a_stretch_has_the_names_that_are_read_here():
    assert Stretch(track="inbound", from_=1.0, to=2.0).model_dump(mode="json") == stretch(1.0, 2.0)


def test_seconds_are_told_to_the_millisecond():
    ended = {"missing": 1 / 3, "uncovered": [stretch(0, 1 / 3)]}

    assert completeness(ended, [backfilled(9, 0, 0.1, 0.2301)]) == Completeness(0.23, 0.23, 0.103)
    assert [gap.missing for gap in standing([told(0, 1 / 3), came(0, 0.1)])] == [0.233]


@pytest.mark.parametrize("beside", [came(1, 2), came(5, 6)])
def test_a_backfill_beside_a_gap_leaves_it_as_it_was_told(beside):
    gap = AudioGap(track="inbound", from_=2, to=5, missing=1.5, why="not_transcribed")

    assert standing([gap, beside]) == [gap]


def test_page_text_and_terminal_give_every_reason_in_the_same_words():
    page = Path(__file__).parents[2] / "bridge" / "web" / "page" / "format.js"
    shown = dict(re.findall(r'(\w+): "(.+)"', page.read_text().partition("const GAPS = {")[2].partition("};")[0]))

    assert {why: reason(why) for why in get_args(Cause)} == shown
    assert reason("eaten_by_mice\x1b[2J") == "eaten by mice[2J"
