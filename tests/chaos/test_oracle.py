"""The judge of a chaos run: a perfect record passes, and each single thing that is wrong with one is seen."""

import copy

import pytest

from tests.chaos.oracle import judge
from tests.chaos.speech import Word
from tests.chaos.spoken import Kill, Leg, Span, Spoken

WORDS = (
    Word("w0", 0, 0.5, 0.9),
    Word("w1", 0, 1.0, 1.4),
    Word("w2", 0, 6.0, 6.4),
    Word("w3", 1, 1.2, 1.6),
    Word("w4", 1, 3.0, 3.4),  # while there is no stream
    Word("w5", 1, 6.5, 6.9),
)
AT = 5.01
"""Where the second stream, which begins at 5.0 s of the call, is in the record."""


@pytest.fixture
def spoken():
    """A call whose stream was away from 2 to 5 s."""
    return Spoken("CA1", WORDS, legs=[Leg("MZ1", 0.0, 2.0, "cut"), Leg("MZ2", 5.0, 8.0, "stopped")])


def final(channel, number, *words, source="live", shift=0.0):
    said = [{"word": w.name, "text": w.name, "start": w.start + shift, "end": w.end + shift} for w in words]
    track = ("inbound", "outbound")[channel]
    return "transcript.final", {
        "segment_id": f"CA1-{track}-{number}",
        "track": track,
        "channel": channel,
        "start": said[0]["start"],
        "end": said[-1]["end"],
        "text": " ".join(word["text"] for word in said),
        "words": said,
        "source": source,
    }


def gap(track, start, end, why="carrier_reconnected"):
    return "audio.gap", {"track": track, "from": start, "to": end, "missing": end - start, "why": why}


def ended(**changed):
    data = {"reason": "stopped", "duration": 8.01, "flush": "complete", "missing": 0.0, "uncovered": []}
    return "call.ended", {**data, **changed}


def record(*events):
    return [
        {"seq": seq, "id": f"CA1-{seq}", "type": kind, "data": copy.deepcopy(data)}
        for seq, (kind, data) in enumerate(events, 1)
    ]


STARTED = "call.started", {"stream_id": "MZ1"}
RESUMED = "call.resumed", {"stream_id": "MZ2", "at": AT, "uncovered": []}
GAPS = gap("inbound", 2.0, AT), gap("outbound", 2.0, AT)


def perfect():
    return [
        STARTED,
        final(0, 1, WORDS[0], WORDS[1]),
        final(1, 1, WORDS[3]),
        RESUMED,
        *GAPS,
        final(0, 2, WORDS[2], shift=0.01),
        final(1, 2, WORDS[5], shift=0.01),
        ended(),
    ]


def faults(spoken, *events):
    return judge(spoken, {"CA1": record(*events)}).faults


def test_finals_may_be_out_of_order_where_deepgram_sends_them_so(spoken):
    one, other = final(0, 1, WORDS[0]), final(0, 3, WORDS[1])
    late = [STARTED, other, one, *perfect()[2:]]

    assert any("came after" in fault for fault in faults(spoken, *late))
    spoken.in_order = False
    assert faults(spoken, *late) == []


def test_a_perfect_record_passes_and_is_counted(spoken):
    verdict = judge(spoken, {"CA1": record(*perfect())})

    assert verdict.faults == []
    assert verdict.counts == {"spoken": 6, "live": 5, "to nobody": 1}


def without(place):
    events = perfect()
    del events[place]
    return events


def instead(place, event):
    events = perfect()
    events[place] = event
    return events


def moved(by):
    return final(0, 2, WORDS[2], shift=0.01 + by)


WRONG = {
    "a missing word": (instead(1, final(0, 1, WORDS[0])), "lost: w1"),
    "a missing final": (without(6), "lost: w2"),
    "a doubled word": (instead(1, final(0, 1, WORDS[0], WORDS[1], WORDS[1])), "heard 2 times: w1"),
    "a doubled final": ([*perfect()[:-1], final(0, 3, WORDS[2], shift=0.01), ended()], "heard 2 times: w2"),
    "the wrong channel": (instead(2, final(0, 3, WORDS[3])), "on the wrong channel: w3"),
    "a word too early": (instead(6, moved(-0.03)), "misplaced"),
    "a word too late": (instead(6, moved(+0.03)), "misplaced"),
    "a word cut short": (instead(6, final(0, 2, Word("w2", 0, 6.01, 6.3))), "misplaced"),
    "another call's word": (instead(6, final(0, 2, WORDS[2], Word("w99", 0, 7.0, 7.1), shift=0.01)), "nobody said w99"),
    "words out of order": (instead(1, final(0, 1, WORDS[1], WORDS[0])), "out of order"),
    "finals out of order": (
        [STARTED, final(0, 1, WORDS[1]), final(0, 2, WORDS[0]), *perfect()[2:6], *perfect()[6:]],
        "came after CA1-inbound-1",
    ),
    "no gap where there was no stream": (without(4), "no gap was told from 2.000 to 5.010 s on inbound"),
    "a gap that is too short": (instead(4, gap("inbound", 2.5, AT)), "no gap was told"),
    "a gap where nothing was lost": (
        [*perfect()[:-1], gap("inbound", 5.5, 7.0, "lost"), ended()],
        "a gap where no audio was taken away",
    ),
    "a gap for what must not be lost": (
        [*perfect()[:-1], gap("inbound", 3.0, 4.0, "overflow"), ended()],
        "a gap because of overflow",
    ),
    "no end": (without(8), "call.ended came 0 times"),
    "two ends": ([*perfect(), ended()], "call.ended came 2 times"),
    "two beginnings": (instead(3, STARTED), "call.started came 2 times"),
    "a live word after the end": (
        [*without(7), final(1, 2, WORDS[5], shift=0.01)],
        "it ended complete, but",
    ),
    "a resumption after the end": ([*perfect(), RESUMED], "after call.ended came call.resumed"),
    "the wrong reason": (instead(8, ended(reason="carrier_disconnected")), "it ended because of carrier_disconnected"),
    "the wrong length": (instead(8, ended(duration=5.0)), "it lasted 5.0 s"),
    "a stream that is off its place": (instead(3, ("call.resumed", {**RESUMED[1], "at": 5.5})), "+0.500 s off"),
    "a stream in no record": (without(3), "stream MZ2 is in 0 records"),
    "a text that is not its words": (
        instead(1, ("transcript.final", {**perfect()[1][1], "text": "w0"})),
        "another text than its words",
    ),
    "a turn of finals that never came": (
        [*perfect()[:-1], ("utterance.completed", {"utterance_id": "u", "segment_ids": ["s"], "text": ""}), ended()],
        "u is not made of finals",
    ),
}


@pytest.mark.parametrize(("events", "seen"), WRONG.values(), ids=WRONG)
def test_one_thing_wrong_is_seen(spoken, events, seen):
    assert [fault for fault in faults(spoken, *events) if seen in fault]


def test_a_hole_in_the_numbers_is_seen(spoken):
    events = record(*perfect())
    del events[2]

    assert any("its numbers are" in fault for fault in judge(spoken, {"CA1": events}).faults)


def test_the_same_id_twice_is_seen(spoken):
    events = record(*perfect())
    events[2]["id"] = events[1]["id"]

    assert any("the same id" in fault for fault in judge(spoken, {"CA1": events}).faults)


# What may be missing.


def test_words_that_touch_a_hole_may_be_missing_or_there_and_others_not(spoken):
    spoken.legs[0].lost[0].append(Span(1.3, 1.5))
    hole = gap("inbound", 1.3, 1.5, "lost")
    whole, cut = perfect(), instead(1, final(0, 1, WORDS[0]))

    assert faults(spoken, *whole[:2], hole, *whole[2:]) == []
    assert faults(spoken, *cut[:2], hole, *cut[2:]) == []
    assert "lost: w0, said at 0.500 to 0.900 s on inbound" in faults(spoken, *whole[:1], hole, *whole[2:])


def test_lost_frames_must_be_told(spoken):
    spoken.legs[0].lost[0].append(Span(0.94, 0.96))

    assert faults(spoken, *perfect()) == [
        "record CA1: no gap was told from 0.940 to 0.960 s on inbound: [Span(start=2.0, end=5.01)]"
    ]


def test_a_word_that_two_streams_carry_a_part_of_may_come_once_for_each():
    word = Word("w0", 0, 1.8, 2.4)
    call = Spoken("CA1", (word,), legs=[Leg("MZ1", 0.0, 2.0, "cut"), Leg("MZ2", 2.2, 4.0, "stopped")])
    first, second = final(0, 1, Word("w0", 0, 1.8, 2.0)), final(0, 2, Word("w0", 0, 2.2, 2.4))
    resumed = "call.resumed", {"stream_id": "MZ2", "at": 2.2, "uncovered": []}
    gaps = gap("inbound", 2.0, 2.2), gap("outbound", 2.0, 2.2)
    third = final(0, 3, Word("w0", 0, 2.3, 2.4))

    assert faults(call, STARTED, first, resumed, *gaps, second, ended(duration=4.0)) == []
    assert faults(call, STARTED, first, resumed, *gaps, second, third, ended(duration=4.0))


# Kills.


@pytest.fixture
def killed():
    """A bridge that was killed at 2 s; the stream came back at 5 s."""
    return Spoken(
        "CA1", WORDS, legs=[Leg("MZ1", 0.0, 2.0, "killed"), Leg("MZ2", 5.0, 8.0, "stopped")], kills=[Kill(2.0)]
    )


def after_a_kill(flushed=1.55, *before, uncovered=(), end=None, after=()):
    gaps = [gap(track, flushed, AT, "bridge_restarted") for track in ("inbound", "outbound")]
    resumed = "call.resumed", {**RESUMED[1], "uncovered": list(uncovered)}
    return [STARTED, *before, resumed, *gaps, *perfect()[6:8], end or ended(), *after]


def test_what_had_not_reached_the_disk_may_be_missing(killed):
    assert faults(killed, *after_a_kill(1.55, final(0, 1, *WORDS[:2]))) == []


def test_what_had_reached_the_disk_may_not(killed):
    assert "lost: w1, said at 1.000 to 1.400 s on inbound" in faults(killed, *after_a_kill(1.55, final(0, 1, WORDS[0])))


def test_a_slow_bridge_may_lose_more(killed):
    killed.kills = [Kill(2.0, lag=0.3)]

    assert faults(killed, *after_a_kill(1.2, final(0, 1, WORDS[0]))) == []


def test_a_gap_that_claims_more_than_a_kill_can_take_is_seen(killed):
    seen = faults(killed, *after_a_kill(0.95, final(0, 1, WORDS[0])))

    assert any("a gap where no audio was taken away" in fault for fault in seen)


def test_a_call_that_the_kill_ends_lasts_as_long_as_its_audio():
    call = Spoken("CA1", WORDS[:2], legs=[Leg("MZ1", 0.0, 2.0, "killed")], kills=[Kill(2.0)])
    said = STARTED, final(0, 1, *WORDS[:2])

    assert faults(call, *said, ended(reason="bridge_restarted", duration=1.6)) == []
    assert faults(call, *said, ended(reason="bridge_restarted", duration=1.2))
    assert faults(call, *said, ended(reason="bridge_restarted", duration=2.5))


def test_silence_before_a_kill_does_not_count():
    call = Spoken("CA1", WORDS[:2], legs=[Leg("MZ1", 0.0, 3.0, "killed")], kills=[Kill(3.0)])
    call.legs[0].lost[0].append(Span(1.9, 2.8))
    call.legs[0].lost[1].append(Span(1.8, 2.8))
    said = STARTED, final(0, 1, *WORDS[:2])

    assert faults(call, *said, ended(reason="bridge_restarted", duration=1.9)) == []
    assert faults(call, *said, ended(reason="bridge_restarted", duration=1.7))


# Backfills.

LEFT = {"track": "inbound", "from": 0.0, "to": 1.55}
BACKFILLED = "transcription.backfilled", {"from": 0.0, "to": 1.55, "waiting": 0.0}


def test_what_was_left_is_backfilled_after_the_end(killed):
    late = ended(flush="timed_out", missing=1.55, uncovered=[LEFT])
    words = final(0, "b1", *WORDS[:2], source="backfill")
    events = after_a_kill(uncovered=[LEFT], end=late, after=[words, BACKFILLED])

    verdict = judge(killed, {"CA1": record(*events)})

    assert verdict.faults == []
    assert verdict.counts["backfill"] == 2


def test_a_backfill_that_never_ends_is_seen(killed):
    late = ended(flush="timed_out", missing=1.55, uncovered=[LEFT])
    words = final(0, "b1", *WORDS[:2], source="backfill")

    seen = faults(killed, *after_a_kill(uncovered=[LEFT], end=late, after=[words]))

    assert any("was never backfilled to the end" in fault for fault in seen)


def test_a_backfill_of_what_was_not_left_is_seen(killed):
    late = ended(flush="timed_out", missing=0.5, uncovered=[{**LEFT, "to": 0.95}])
    words = final(0, "b1", *WORDS[:2], source="backfill")

    seen = faults(killed, *after_a_kill(end=late, after=[words, BACKFILLED]))

    assert any(fault.startswith("backfilled where nothing was said to be uncovered: w1") for fault in seen)


# Records.


def test_a_stream_that_came_back_in_time_goes_on_with_the_record(spoken):
    one = record(STARTED, final(0, 1, *WORDS[:2]), final(1, 1, WORDS[3]), ended(reason="stopped", duration=2.0))
    two = record(
        ("call.started", {"stream_id": "MZ2"}),
        final(0, 1, WORDS[2], shift=-5.0),
        final(1, 1, WORDS[5], shift=-5.0),
        ended(duration=3.0),
    )

    assert any("opened another record" in fault for fault in judge(spoken, {"CA1": one, "CA1--2": two}).faults)


def test_one_that_came_back_too_late_has_a_record_of_its_own(spoken):
    spoken.legs[1] = Leg("MZ2", 7.5, 9.5, "stopped")
    word = Word("w2", 0, 8.0, 8.4)
    spoken.words = (*WORDS[:2], word)
    one = record(STARTED, final(0, 1, *WORDS[:2]), ended(reason="carrier_disconnected", duration=2.0))
    two = record(
        ("call.started", {"stream_id": "MZ2"}),
        final(0, 1, word, shift=-7.5),
        ended(duration=2.0),
    )

    assert judge(spoken, {"CA1": one, "CA1--2": two}).faults == []


def test_a_call_that_left_no_record_has_lost_its_words(spoken):
    seen = judge(spoken, {}).faults

    assert "stream MZ1 is in 0 records" in seen
    assert "lost: w0, said at 0.500 to 0.900 s on inbound" in seen


# Several streams at once.


@pytest.fixture
def split():
    """A stream for each track; outbound's was away from 2 to 5 s."""
    legs = [
        Leg("MZ1", 0.0, 8.0, "stopped", channels=(0,)),
        Leg("MZ2", 0.4, 2.0, "cut", channels=(1,)),
        Leg("MZ3", 5.0, 8.0, "stopped", channels=(1,)),
    ]
    return Spoken("CA1", WORDS, legs=legs)


def said_by_track(*between, shift=0.05):
    return [
        STARTED,
        final(0, 1, WORDS[0], WORDS[1], WORDS[2]),
        final(1, 1, WORDS[3], shift=shift),
        *between,
        final(1, 2, WORDS[5], shift=shift),
        ended(duration=8.0),
    ]


def test_a_stream_for_each_track_is_judged_by_its_track(split):
    assert faults(split, *said_by_track(gap("outbound", 2.05, 5.05))) == []


def test_a_track_whose_stream_was_away_must_be_told(split):
    seen = faults(split, *said_by_track())

    assert any("no gap was told" in fault and "outbound" in fault for fault in seen)
    assert any(fault.startswith("record CA1: missing, and in no gap: w4") for fault in seen)


def test_a_track_that_is_far_off_its_place_is_seen(split):
    seen = faults(split, *said_by_track(gap("outbound", 2.05, 5.05), shift=1.0))

    assert any("misplaced" in fault for fault in seen)


def test_a_fork_that_came_twice_is_heard_once_and_goes_on_alone():
    call = Spoken("CA1", WORDS, legs=[Leg("MZ1", 0.0, 2.0, "cut"), Leg("MZ2", 0.3, 8.0, "stopped")])
    whole = [
        STARTED,
        final(0, 1, *WORDS[:3]),
        final(1, 1, *WORDS[3:]),
        ended(duration=8.0),
    ]
    twice = [*whole[:3], final(0, 2, WORDS[1]), whole[3]]

    assert faults(call, *whole) == []
    assert any("heard 2 times: w1" in fault for fault in faults(call, *twice))
    assert any("lost: w5" in fault for fault in faults(call, *whole[:2], final(1, 1, *WORDS[3:5]), whole[3]))


# Restarts by SIGTERM.


def test_a_stream_that_a_stopping_bridge_closed_goes_on_in_the_same_record():
    legs = [Leg("MZ1", 0.0, 2.0, "closed"), Leg("MZ2", 5.0, 8.0, "stopped")]
    call = Spoken("CA1", WORDS, legs=legs, restarts=[Span(1.9, 2.05)])
    gaps = [gap(track, 2.0, AT, "bridge_restarted") for track in ("inbound", "outbound")]
    events = perfect()
    events[4:6] = gaps

    assert faults(call, *events) == []
    assert any("lost: w1" in fault for fault in faults(call, STARTED, final(0, 1, WORDS[0]), *events[2:]))


def test_a_call_that_no_one_took_up_again_ends_as_the_setting_says():
    call = Spoken("CA1", WORDS[:2], legs=[Leg("MZ1", 0.0, 2.0, "closed")], restarts=[Span(1.8, 2.05)])
    said = STARTED, final(0, 1, *WORDS[:2])

    assert faults(call, *said, ended(reason="bridge_restarted", duration=2.0)) == []
    assert faults(call, *said, ended(reason="server_stopping", duration=2.0))
    call.keeps = False
    assert faults(call, *said, ended(reason="server_stopping", duration=1.8)) == []
    assert faults(call, *said, ended(reason="bridge_restarted", duration=1.8))
