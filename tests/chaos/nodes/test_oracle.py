"""The judge of a run of nodes: a perfect record passes, and each single thing that is wrong with one is seen."""

import copy

import pytest

from tests.chaos.nodes.oracle import Blow, Line, Talk, compare, judge
from tests.chaos.speech import Word
from tests.chaos.spoken import Span
from tests.chaos.test_oracle import ended, final, gap

WORDS = (
    Word("w0", 0, 1.0, 1.4),
    Word("w1", 1, 1.2, 1.6),
    Word("w2", 0, 15.0, 15.4),  # shortly before the node dies
    Word("w3", 0, 25.0, 25.4),  # while no node hears the call
    Word("w4", 1, 36.5, 36.9),
)
AT = 35.01
"""Where the second stream, which begins at 35 s of the call, is in the record."""

STARTED = "call.started", {"stream_id": "MZ1"}
RESUMED = "call.resumed", {"stream_id": "MZ2", "at": AT, "uncovered": [], "reason": "bridge_restarted"}
GAPS = gap("inbound", 1.4, AT, "bridge_restarted"), gap("outbound", 1.6, AT, "bridge_restarted")
END = ended(duration=40.01)


@pytest.fixture
def talk():
    """A call whose node is killed at 20 s, and whose stream comes to another at 35 s."""
    lines = [Line("MZ1", 0, 0.0, 19.98, cause="closed", closed_at=20.0), Line("MZ2", 1, 35.0, 40.0)]
    return Talk("CA1", WORDS, lines, [Blow(0, "kill", 20.0, 22.0)])


def perfect():
    return [STARTED, final(0, 1, WORDS[0]), final(1, 1, WORDS[1]), RESUMED, *GAPS,
            final(1, 2, WORDS[4], shift=0.01), END]  # fmt: skip


def record(events):
    return [
        {"seq": seq, "id": f"CA1-{seq}", "type": kind, "data": copy.deepcopy(data)}
        for seq, (kind, data) in enumerate(events, 1)
    ]


def faults(talk, *events):
    return judge(talk, {"CA1": record(events)}).faults


def test_a_perfect_record_passes(talk):
    verdict = judge(talk, {"CA1": record(perfect())})

    assert verdict.faults == []
    assert verdict.counts == {"spoken": 5, "live": 3, "in gaps": 2}
    assert verdict.pauses == {"kill": [15.0]}


def test_a_word_that_was_not_durable_may_come_too(talk):
    events = perfect()
    events.insert(3, final(0, 7, WORDS[2]))
    events[5] = gap("inbound", 15.4, AT, "bridge_restarted")

    assert faults(talk, *events) == []


def test_what_waited_for_the_database_may_be_lost_with_the_node(talk):
    events = perfect()
    del events[1:3]
    events[2:4] = gap("inbound", 0.0, AT, "bridge_restarted"), gap("outbound", 0.0, AT, "bridge_restarted")
    assert faults(talk, *events) != []
    talk.away = [Span(9.0, 15.0)]
    assert faults(talk, *events) == []


@pytest.mark.parametrize("place", [1, 2, 6])
def test_a_lost_word_is_seen(talk, place):
    events = perfect()
    del events[place]
    assert any("lost: w" in fault for fault in faults(talk, *events))


def test_a_word_that_comes_twice_is_seen(talk):
    events = perfect()
    events.insert(2, final(0, 9, WORDS[0]))
    assert any("heard 2 times: w0" in fault for fault in faults(talk, *events))


def test_a_word_may_come_in_two_parts(talk):
    events = perfect()
    events[1:2] = [final(0, 1, Word("w0", 0, 1.0, 1.2)), final(0, 9, Word("w0", 0, 1.2, 1.4))]
    assert faults(talk, *events) == []
    events[2] = final(0, 9, Word("w0", 0, 1.1, 1.4))
    assert any("heard 2 times: w0" in fault for fault in faults(talk, *events))


def test_what_is_to_be_transcribed_later_is_told(talk):
    """A node that was cut off gets its call back, and has on its disk what it has heard meanwhile."""
    talk.lines[0].end = 30.0
    talk.blows = [Blow(0, "cut", 20.0, 34.0)]
    left = [{"track": "inbound", "from": 15.5, "to": 25.5}]
    events = perfect()
    events[3] = "call.resumed", {**RESUMED[1], "uncovered": left}
    events[4:5] = [gap("inbound", 1.4, 15.5, "bridge_restarted"), gap("inbound", 25.5, AT, "bridge_restarted")]
    events += [final(0, 8, WORDS[3], source="backfill"), ("transcription.backfilled", {"waiting": 0.0})]
    events[8] = ended(duration=40.01, flush="timed_out", uncovered=left)
    assert faults(talk, *events) == []


def test_a_hole_that_is_not_told_is_seen(talk):
    events = perfect()
    del events[4]
    found = faults(talk, *events)
    assert any("missing, and in no gap: w2" in fault for fault in found)
    assert any("no gap was told" in fault and "inbound" in fault for fault in found)


def test_a_hole_is_to_be_told_also_if_the_node_is_struck_at_once(talk):
    events = perfect()
    del events[4:6]
    talk.blows.append(Blow(1, "kill", 36.0, 38.0))

    assert any("no gap was told" in fault for fault in faults(talk, *events))


def test_a_word_that_was_transcribed_after_the_call_does_not_say_that_silence_before_it_was_heard(talk):
    events = perfect()
    events[1] = final(0, 1, WORDS[0])
    events[4] = gap("inbound", 0.5, AT, "bridge_restarted")
    assert any("a gap where no audio was taken away" in fault for fault in faults(talk, *events))
    events[1] = final(0, 1, WORDS[0], source="backfill")
    assert not any("a gap where no audio was taken away" in fault for fault in faults(talk, *events))


def test_a_stream_that_was_turned_away_is_in_the_record_and_was_not_heard(talk):
    events = perfect()
    events.insert(6, ("stream.failed", {"stream_id": "MZ3", "error": "31921"}))
    talk.lines.append(Line("MZ3", 2, 35.5, 35.54, cause="closed", closed_at=35.6))
    talk.blows.append(Blow(1, "partition", 20.0, 35.2))

    assert faults(talk, *events) == []


def test_a_gap_where_nothing_was_taken_is_seen(talk):
    events = perfect()
    events.insert(7, gap("outbound", 37.0, 38.0, "bridge_restarted"))
    talk.blows.append(Blow(2, "kill", 30.0, 32.0))  # which is not this call's
    assert any("a gap where no audio was taken away" in fault for fault in faults(talk, *events))


def test_a_gap_for_another_reason_is_seen(talk):
    events = perfect()
    events[4] = gap("inbound", 1.4, AT, "not_transcribed")
    assert any("a gap because of not_transcribed" in fault for fault in faults(talk, *events))


@pytest.mark.parametrize("shift", [0.05, -0.05])
def test_a_word_at_another_time_is_seen(talk, shift):
    events = perfect()
    events[6] = final(1, 2, WORDS[4], shift=0.01 + shift)
    assert any("misplaced" in fault and "w4" in fault for fault in faults(talk, *events))


def test_a_word_on_the_other_side_is_seen(talk):
    events = perfect()
    events[6] = final(0, 2, WORDS[4], shift=0.01)
    assert any("on the wrong channel: w4" in fault for fault in faults(talk, *events))


def test_a_stranger_is_seen(talk):
    events = perfect()
    events.insert(2, final(0, 9, Word("x0", 0, 2.0, 2.2)))
    assert "nobody said x0 in this call" in faults(talk, *events)


def test_a_second_end_and_a_second_record_are_seen(talk):
    assert any("call.ended came 2 times" in fault for fault in faults(talk, *perfect(), END))
    two = {"CA1": record(perfect()), "CA1--2": record([STARTED, END])}
    assert any("it has 2 records" in fault for fault in judge(talk, two).faults)


def test_a_call_that_nothing_has_befallen_must_be_whole(talk):
    talk.blows = []
    talk.lines = [Line("MZ1", 0, 0.0, 40.0)]
    whole = [STARTED, *(final(word.channel, n, word) for n, word in enumerate(WORDS)), ended(duration=40.0)]
    assert faults(talk, *whole) == []

    assert any("lost: w3" in fault for fault in faults(talk, *whole[:4], *whole[5:]))
    early = ended(duration=40.0, reason="bridge_restarted")
    assert any("because of bridge_restarted" in fault for fault in faults(talk, *whole[:-1], early))
    talk.lines[0].cause = "closed"
    assert any("node 0 closed stream MZ1" in fault for fault in faults(talk, *whole))


def test_a_stream_without_a_record_is_seen_where_its_node_was_well(talk):
    assert judge(talk, {}).counts["unrecorded"] == 1
    assert judge(talk, {}).faults == ["stream MZ1 is in no record", "stream MZ2 is in no record"]
    talk.blows = [Blow(0, "kill", 7.0, 9.0)]
    assert judge(talk, {}).faults == ["stream MZ2 is in no record"]
    talk.away = [Span(30.0, 32.0)]
    assert judge(talk, {}).faults == []


def test_a_call_that_came_to_no_node_that_could_take_it_is_said_to_have_failed(talk):
    talk.blows = [Blow(0, "partition", 0.0, 15.0)]
    failed = record([STARTED, ("stream.failed", {"stream_id": "MZ1", "error": "31921"}),
                     ended(duration=0.0, reason="stream_failed")])  # fmt: skip
    later = [("call.started", {"stream_id": "MZ2"}), final(1, 1, WORDS[4], shift=-35.0), ended(duration=5.0)]
    talk.failed = ["MZ1"]
    talk.lines[0].cause = "closed"

    assert judge(talk, {}).faults == ["no record says that stream MZ1 has failed", "stream MZ2 is in no record"]
    only = judge(talk, {"CA1": failed})
    assert (only.counts["failed"], only.counts["unrecorded"], only.counts["to nobody"]) == (1, 1, 5)
    both = judge(talk, {"CA1": failed, "CA1--2": record(later)})
    assert both.faults == []
    assert (both.counts["live"], both.counts["to nobody"], both.counts["unrecorded"]) == (1, 4, 0)


def test_readers_are_held_against_the_log():
    log = [("CA1", 1, "a"), ("CA2", 1, "b"), ("CA1", 2, "c")]
    posted = {"CA1": [{"seq": 1, "id": "a"}, {"seq": 2, "id": "c"}], "CA2": [{"seq": 1, "id": "b"}]}

    assert list(compare(log, log, posted)) == []
    assert "missed 1 of 3" in next(compare(log, log[:2], posted))
    assert "1 events too many" in next(compare(log, [*log, log[0]], posted))
    assert "out of order from event 0" in next(compare(log, [log[1], log[0], log[2]], posted))
    assert "1 events of the log were not posted: CA2 1" in next(compare(log, log, {"CA1": posted["CA1"]}))
    assert "acknowledged and are not in the log: CA2 1" in list(compare([log[0], log[2]], [log[0], log[2]], posted))[0]
