"""What is known of the calls of a load: delays by call and second, and which calls are complete."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.local.load.tally import Delays, Played, Tally

RECORD = {"active": False, "missing": 0, "waiting": 0, "backfilled": 0}


def played(**given):
    call = Played("CA1", "inbound", began=100.0, stopped=110.0)
    for name, value in given.items():
        setattr(call, name, value)
    return call


def tally(*calls):
    made = Tally()
    for call in calls or (played(),):
        made.add(call)
    return made


def said(kind="transcript.final", call_id="CA1", **data):
    usual = {"end": 2.0, "track": "inbound", "text": "hello", "source": "live", "final": kind.endswith("final")}
    return {"type": kind, "call_id": call_id, "data": {**usual, **data}}


@given(st.lists(st.floats(0, 100), min_size=1), st.sampled_from([50, 90, 99, 100]))
def test_a_percentile_is_not_exceeded_by_so_many(seconds, percent):
    delays = Delays()
    for each in seconds:
        delays.add(each)
    most = delays.percentile(percent) + 0.0001

    assert sum(each <= most for each in seconds) >= len(seconds) * percent / 100
    assert delays.most == max(seconds) and delays.count == len(seconds)


def test_nothing_measured_is_nothing():
    assert (Delays().percentile(99), Delays().most) == (0.0, 0.0)


def test_a_clock_that_is_behind_makes_no_negative_delay():
    delays = Delays()
    delays.add(-1.0)

    assert (delays.count, delays.most) == (1, 0.0)


@pytest.mark.parametrize(("track", "sent"), [("inbound", 102.0), ("outbound", 102.01)])
def test_a_final_is_measured_from_the_frame_that_completed_it(track, sent):
    calls = tally()
    calls.receive(said(end=1.99, track=track), sent + 0.3)

    assert (calls.finals.count, calls.interims.count) == (1, 0)
    assert calls.finals.most == pytest.approx(0.3)


def test_a_second_that_a_frame_ends_with_needs_no_further_frame():
    assert played().sent(0.06, "inbound") == pytest.approx(100.06)


def test_interims_are_measured_apart():
    calls = tally()
    calls.receive(said("transcript.interim"), 102.5)

    assert (calls.finals.count, calls.interims.count) == (0, 1)


@pytest.mark.parametrize("event", [said(text=""), said(source="backfill"), said(call_id="CA2"), {"type": "reset"}])
def test_what_says_nothing_of_a_delay_is_left_out(event):
    calls = tally()
    calls.receive(event, 103.0)

    assert calls.finals.count == 0


def test_after_a_break_it_is_not_known_when_audio_was_sent():
    calls = tally(played(until=1.5))
    calls.receive(said(), 103.0)

    assert calls.finals.count == 0


def test_start_and_end_are_measured_once():
    calls = tally()
    for at in (100.1, 105.0):
        calls.receive({"type": "call.started", "call_id": "CA1", "data": {}}, at)
    for at in (110.2, 115.0):
        calls.receive({"type": "call.ended", "call_id": "CA1", "data": {}}, at)

    assert (calls.starts.count, calls.ends.count) == (1, 1)
    assert (calls.starts.most, calls.ends.most) == pytest.approx((0.1, 0.2))


@pytest.mark.parametrize(
    ("call", "record", "complete"),
    [
        ({}, {}, True),
        ({}, {"missing": 0.5}, False),
        ({}, {"missing": 0.5, "waiting": 0.5}, False),
        ({}, {"active": True}, False),
        ({}, {"backfilled": 3.0}, True),
        ({"away": 1.2}, {"missing": 1.2}, True),
        ({"away": 1.2}, {"missing": 1.5}, False),
        ({"stopped": None}, {}, False),
        ({"error": "refused"}, {}, False),
    ],
)
def test_a_call_is_complete_if_its_record_lacks_nothing_that_was_sent(call, record, complete):
    calls = tally(played(**call))
    calls.record("CA1", RECORD | record)

    assert calls.complete == complete
    assert calls.incomplete() == (["CA1"] if not complete and not {"stopped"} & call.keys() else [])


def test_calls_are_open_until_the_record_has_settled_them():
    calls = tally(played(), Played("CA2", "inbound", error="refused"))

    assert calls.open_calls() == ["CA1"]  # the other one was never let in
    calls.record("CA1", RECORD | {"active": True})
    assert calls.open_calls() == ["CA1"]
    calls.record("CA1", RECORD)
    assert calls.open_calls() == []


def test_calls_are_counted_by_how_far_they_came():
    ended = played(call_id="CA3", error="the bridge ended it", stopped=None)
    calls = tally(played(), Played("CA2", "inbound", error="refused"), ended)
    calls.record("CA1", RECORD | {"backfilled": 1.0})

    assert (calls.started, calls.finished, calls.complete, calls.backfilled) == (2, 1, 1, 1)
    assert calls.errors() == {"refused": 1, "the bridge ended it": 1}
