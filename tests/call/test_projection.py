"""What the log says of a call."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.call.projection import Projection, without
from bridge.deepgram.configuring import Configuration
from bridge.events import Stretch
from bridge.spans import Span
from tests.fakes.words import STARTED_AT, final, started


def digest(*events):
    projection = Projection()
    for seq, (kind, data) in enumerate(events, 1):
        projection.take(json.dumps({"seq": seq, "id": "x", "type": kind, "time": "", "data": data}))
    return projection


def said(track="inbound", start=1.0, end=2.0, number="3", source="live", words=()):
    data = json.loads(final(track=track, start=start, end=end).to_json())["data"]
    return "transcript.final", {
        **data,
        "segment_id": f"CA1-{track}-{number}",
        "source": source,
        "words": list(words),
    }


def stretch(track, start, end):
    return {"track": track, "from": start, "to": end}


def paused(start, end, track="inbound"):
    return "audio.gap", {**stretch(track, start, end), "missing": end - start, "why": "paused"}


def test_pauses_are_those_that_are_over_and_the_one_that_goes_on():
    begun = ("pause.started", {"at": 2.0, "by": "api"})
    assert (digest(begun).paused, digest(begun).pauses) == (16_000, [])

    over = digest(begun, ("pause.ended", {"at": 3.0, "by": "key"}), paused(2.0, 3.0), paused(2.0, 3.0, "outbound"))
    assert (over.paused, set(over.pauses)) == (None, {Span(16_000, 24_000)})
    assert not over.given_up


def test_changed_options_are_all_that_have_been_changed():
    def changed(keyterms, numerals):
        return "transcription.configured", {"keyterms": keyterms, "numerals": numerals, "at": 1.0, "by": "api"}

    assert digest().configured is None
    assert digest(changed(["a"], None), changed(None, True)).configured == Configuration(("a",), True)


def test_of_an_empty_log_it_knows_nothing():
    nothing = Projection()

    assert (nothing.seq, nothing.ended, nothing.anchor, nothing.uncovered, nothing.speakers) == (0, None, None, [], {})
    assert (nothing.latest, nothing.resumed_at) == (0.0, 0.0)
    assert nothing.settled == {"inbound": 0.0, "outbound": 0.0}
    assert not (nothing.left_in_order or nothing.audio_lost or nothing.given_up)


BEGUN = ("call.started", json.loads(started().to_json())["data"])


@pytest.mark.parametrize(
    ("told", "latest"),
    [
        ((), 0.0),
        (("dtmf.received", {"track": "inbound", "digit": "5", "at": 7.5}), 7.5),
        (("audio.gap", {"from": 2.0, "to": 8.5, "why": "lost"}), 8.5),
    ],
)
def test_a_call_has_come_as_far_as_any_event_says(told, latest):
    events = [BEGUN, told] if told else [BEGUN]

    assert digest(*events).latest == latest
    assert digest(*events).seq == len(events)
    assert digest(("dtmf.received", {"at": 9.0}), *events).latest == 9.0


def test_who_speaks_and_what_the_stream_was_given():
    opened = digest(BEGUN)

    assert opened.speakers == {"inbound": "caller", "outbound": "agent"}
    assert opened.parameters == {"team": "süd"}


def test_live_finals_settle_their_track_and_tell_when_the_call_began():
    told = digest(said(start=1.0, end=2.5), said("outbound", 4.0, 6.0, words=["a", "b"]))

    assert told.settled == {"inbound": 2.5, "outbound": 6.0}
    assert told.latest == 6.0
    assert told.anchor == pytest.approx(STARTED_AT, abs=0.002)
    assert told.counters == {"finals": 2, "words": 2}


def test_a_final_of_an_older_bridge_that_names_no_source_is_a_live_one():
    kind, data = said(start=1.0, end=2.5)
    del data["source"]

    assert digest((kind, data)).settled["inbound"] == 2.5


def test_a_backfilled_final_settles_nothing():
    told = digest(said(start=1.0, end=2.0), said(start=50.0, end=60.0, number="b1", source="backfill"))

    assert told.settled["inbound"] == 2.0


def test_live_finals_with_words_are_in_a_turn_or_waited_for():
    first, second, other = said(number="1"), said(number="2"), said("outbound", number="1")
    turn = {"track": "inbound", "utterance_id": "CA1-inbound-u1", "segment_ids": ["CA1-inbound-1"]}
    silent = ("transcript.final", {**said(number="3")[1], "text": ""})
    told = digest(first, second, other, silent, said(number="b1", source="backfill"), ("utterance.completed", turn))

    assert {track: [final.segment_id for final in finals] for track, finals in told.progress.turns.items()} == {
        "inbound": ["CA1-inbound-2"],
        "outbound": ["CA1-outbound-1"],
    }


def test_each_source_counts_its_own_segments_and_turns():
    turn = {"track": "inbound", "utterance_id": "CA1-inbound-u7", "segment_ids": [], "start": 0.0, "end": 1.0}
    told = digest(
        said(number="12"),
        said(number="9"),
        said(number="b2", source="backfill"),
        ("utterance.completed", turn),
        ("utterance.completed", {**turn, "utterance_id": "CA1-inbound-ub1"}),
    )

    assert told.numbers["live"] == {"inbound": 12, "uinbound": 7}
    assert told.numbers["backfill"] == {"inbound": 2, "uinbound": 1}
    assert told.counters["utterances"] == 2


def test_what_the_end_lacks_is_left_until_it_is_backfilled():
    end = ("call.ended", {"uncovered": [stretch("inbound", 2.0, 9.0), stretch("outbound", 5.0, 9.0)]})
    part = ("transcription.backfilled", {"from": 2.0, "to": 6.0, "waiting": 3.0})

    assert [(s.track, s.from_, s.to) for s in digest(end, part).uncovered] == [
        ("inbound", 6.0, 9.0),
        ("outbound", 6.0, 9.0),
    ]
    assert digest(end, part, ("transcription.backfilled", {"from": 6.0, "to": 9.0, "waiting": 0})).uncovered == []


def test_a_call_that_was_resumed_names_what_it_left():
    kind, data = resumed("bridge_restarted", 12.0)
    back = kind, {**data, "uncovered": [stretch("inbound", 2.0, 9.0)]}
    told = digest(back)

    assert (told.resumed_at, told.latest) == (12.0, 12.0)
    assert told.uncovered == [Stretch(track="inbound", from_=2.0, to=9.0)]
    later = resumed("carrier_reconnected", 20.0)
    assert digest(back, later).uncovered == told.uncovered


UNHEARD = [stretch("inbound", 9.0, 12.0), stretch("outbound", 10.0, 12.0)]


def unheard(*events):
    """What is left of it after these: track, from, to and why."""
    return [(one.track, one.from_, one.to, why) for one, why in digest(*events).unheard]


def resumed(reason, at, *stretches):
    return "call.resumed", {
        "reason": reason,
        "stream_id": "MZ2",
        "at": at,
        "uncovered": [],
        "unheard": list(stretches),
    }


def missing(track, start, end, why="bridge_restarted"):
    return "audio.gap", {**stretch(track, start, end), "missing": end - start, "why": why}


@pytest.mark.parametrize("reason", ["bridge_restarted", "carrier_reconnected"])
def test_what_was_unheard_when_a_call_was_resumed_is_to_be_told_until_a_gap_has_told_it(reason):
    back = resumed(reason, 12.0, *UNHEARD)

    assert unheard(back) == [("inbound", 9.0, 12.0, reason), ("outbound", 10.0, 12.0, reason)]
    assert unheard(back, missing("inbound", 9.0, 12.04)) == [("outbound", 10.0, 12.0, reason)]
    assert unheard(back, missing("inbound", 9.0, 12.0), missing("outbound", 10.0, 20.0)) == []
    assert unheard(missing("inbound", 9.0, 12.0), back) == unheard(back), "a gap of before tells of none after it"


def test_a_gap_tells_only_what_lies_in_it():
    back = resumed("bridge_restarted", 12.0, *UNHEARD)

    assert unheard(back, missing("inbound", 3.0, 10.0), missing("outbound", 13.0, 14.0)) == [
        ("inbound", 10.0, 12.0, "bridge_restarted"),
        ("outbound", 10.0, 12.0, "bridge_restarted"),
    ]


def test_what_was_unheard_stays_so_when_the_call_is_resumed_again():
    first, second = UNHEARD
    handed = resumed("handed_over", 14.0)

    assert unheard(resumed("bridge_restarted", 12.0, first), resumed("carrier_reconnected", 12.0, second), handed) == [
        ("inbound", 9.0, 12.0, "bridge_restarted"),
        ("outbound", 10.0, 12.0, "carrier_reconnected"),
    ]


def test_a_record_of_an_older_bridge_says_nothing_of_it():
    kind, data = resumed("bridge_restarted", 12.0)
    del data["unheard"]
    assert unheard((kind, data)) == []


def test_it_knows_the_streams_that_the_call_began_and_went_on_with():
    assert digest(BEGUN, resumed("carrier_reconnected", 12.0)).streams == [BEGUN[1]["stream_id"], "MZ2"]


def test_only_a_gap_after_the_end_means_given_up():
    gap = ("audio.gap", {"from": 1.0, "to": 2.0, "why": "not_transcribed"})
    lost = ("audio.gap", {"from": 1.0, "to": 2.0, "why": "overflow"})
    end = ("call.ended", {"uncovered": []})

    assert not digest(gap, end).given_up
    assert not digest(end, lost).given_up
    assert digest(end, gap).given_up
    assert digest(end, gap, lost).counters["gaps"] == 2


def test_what_is_taken_away_from_one_track_stays_of_the_other():
    whole = [Stretch(track=track, from_=1.0, to=4.0) for track in ("inbound", "outbound")]

    assert list(without(whole, 2.0, 9.0, "outbound")) == [whole[0], Stretch(track="outbound", from_=1.0, to=2.0)]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), max_size=5), st.integers(0, 60), st.integers(1, 30))
def test_what_is_taken_away_is_away_and_the_rest_stays(stretches, start, length):
    whole = [Stretch(track="inbound", from_=begin, to=begin + size) for begin, size in stretches]
    rest = list(without(whole, start, start + length))

    for second in range(100):
        inside = sum(s.from_ <= second < s.to for s in whole)
        kept = sum(s.from_ <= second < s.to for s in rest)
        assert kept == (0 if start <= second < start + length else inside)
