import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.events import Overlap, TranscriptFinal
from bridge.local.sample import SCRIPT
from bridge.local.script import load_script, random_script
from bridge.transcript.turns import LONGEST, PAUSE, ordered, turns
from tests.fakes.speech import channels, heard, segment, sentence, voiced

SAMPLE = """
agent: Good morning, Harbor Home Goods, Daniel speaking. How can I help you?
caller: Hi, this is Laura Miller. I'm calling about an order. It was supposed to arrive on Monday, and \
it's still not here.
agent: I'm sorry to hear that. Can you give me the order number, please?
caller: Yes, my order number is seven four two, nine one six.
agent: Thank you. Could you hold on for a moment, please?
caller: Yes.
agent: Thanks for waiting. I can see your order now. Your order left Chicago this morning and it is on its way.
caller: Okay, great. When will my coffee machine be delivered?
agent: It will be delivered tomorrow between nine and eleven in the morning.
caller: Okay. Thank you very much for your help, Daniel.
agent: You're very welcome, Laura. Have a great day. Goodbye.
caller: Thank you. Goodbye.
""".strip().splitlines()


def finals_of(script, **how):
    return [event for event in heard(script, **how) if isinstance(event, TranscriptFinal)]


@pytest.mark.parametrize("endpointing", [0.01, 0.1, 0.3, 1.0, None])
def test_the_sample_call_reads_as_its_script(endpointing):
    finals = finals_of(load_script(SCRIPT), endpointing=endpointing)
    random.Random(1).shuffle(finals)

    assert [f"{turn.speaker}: {turn.text}" for turn in turns(finals)] == SAMPLE


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("endpointing", [0.01, 0.3, 2.0])
def test_words_of_a_polite_call_come_in_the_order_in_which_they_were_said(seed, endpointing):
    script = random_script(seed, 60, talk_over=0.0)
    expected = sorted((word.start, word.text) for words in script.channels for word in words)

    finals = finals_of(script, endpointing=endpointing)
    found = [(piece.start, piece.text) for turn in turns(finals) for run in turn.runs for piece in run.pieces]

    assert found == expected


def test_a_segment_in_whose_pause_the_other_spoke_belongs_to_two_turns():
    caller = segment("inbound", ("Yes.", 1.0, 1.3), ("Thanks.", 4.0, 4.5))
    agent = sentence("outbound", 1.8, "Here it is.")

    assert [(turn.speaker, turn.text, turn.start, turn.end) for turn in turns([agent, caller])] == [
        ("caller", "Yes.", 1.0, 1.3),
        ("agent", "Here it is.", 1.8, 2.7),
        ("caller", "Thanks.", 4.0, 4.5),
    ]


def test_segments_of_one_speaker_are_one_turn():
    first, second = sentence("inbound", 1.0, "It was"), sentence("inbound", 3.6, "late.")

    (turn,) = turns([second, first])

    assert (turn.text, turn.segment_ids) == ("It was late.", [first.segment_id, second.segment_id])


def test_a_turn_says_whom_it_talks_over():
    agent, caller = sentence("outbound", 1.0, "And so on and on and on"), sentence("inbound", 2.0, "Stop it now please")

    assert [turn.over for turn in turns([agent, caller])] == [(), ("agent",)]


def test_talk_over_of_less_than_a_second_is_a_back_channel():
    agent, caller = sentence("outbound", 1.0, "And so on and on"), sentence("inbound", 2.0, "Mhm, right")

    assert [turn.over for turn in turns([agent, caller])] == [(), ()]


def test_talk_over_is_told_once():
    agent = [sentence("outbound", 1.0, "a b c d e f"), sentence("outbound", 3.5, "g h i j")]
    caller = sentence("inbound", 1.6, "k l m n o p q r s")

    assert [(turn.text, turn.over) for turn in turns([*agent, caller])] == [
        ("a b c d e f", ()),
        ("k l m n o p q r s", ("agent",)),
        ("g h i j", ()),
    ]


def test_a_back_channel_tears_no_turn():
    agent = [sentence("outbound", 1.0, "It left Chicago"), sentence("outbound", 2.4, "this morning")]
    caller = segment("inbound", ("Mhm.", 1.8, 2.2))

    assert [(turn.speaker, turn.text) for turn in turns([*agent, caller])] == [
        ("agent", "It left Chicago this morning"),
        ("caller", "Mhm."),
    ]


def test_a_short_answer_in_a_pause_is_a_turn():
    agent = [segment("outbound", ("Blue?", 1.0, 1.4)), segment("outbound", ("Big?", 2.4, 2.8))]
    caller = segment("inbound", ("Yes.", 1.6, 1.9))

    assert [turn.text for turn in turns([*agent, caller])] == ["Blue?", "Yes.", "Big?"]


def test_a_long_pause_and_a_minute_end_a_turn():
    paused = [segment("inbound", ("One.", 1.0, 1.4)), segment("inbound", ("Two.", 1.4 + PAUSE + 0.01, 4.0))]
    talk = [sentence("inbound", at, "word " * 10, each=0.5) for at in range(0, 100, 5)]

    assert [turn.text for turn in turns(paused)] == ["One.", "Two."]
    assert [(turn.start, turn.end) for turn in turns(talk)] == [(0.0, LONGEST), (60.0, 100.0)]


def test_a_turn_is_written_as_its_script_is():
    spoken = [segment("inbound", (text, at, at + 0.3)) for at, text in enumerate(["请稍等。", "OK", "fine", "谢谢"])]

    assert [turn.text for turn in turns(spoken)] == ["请稍等。OK fine谢谢"]


def test_two_tracks_of_one_label_do_not_flow_together():
    one, other = sentence("inbound", 1.0, "a b", speaker="x"), sentence("outbound", 2.0, "c", speaker="x")

    assert [turn.text for turn in turns([one, other])] == ["a b", "c"]


def test_talk_over_is_marked_on_both():
    agent, caller = sentence("outbound", 1.0, "And so on"), sentence("inbound", 1.5, "Stop it")

    one, other = ordered([caller, agent])

    assert one.overlaps == [Overlap(segment_id=caller.segment_id, start=1.5, end=1.9)]
    assert other.overlaps == [Overlap(segment_id=agent.segment_id, start=1.5, end=1.9)]


def test_what_an_interim_made_believe_is_forgotten():
    lonely = sentence("inbound", 1.0, "hello", overlaps=[Overlap(segment_id="gone", start=1.0, end=1.2)])

    (final,) = ordered([lonely])

    assert final.overlaps == []


def test_a_backfilled_final_stands_where_it_was_said():
    live = [sentence("inbound", at, "live") for at in (1.0, 9.0)]
    filled = sentence("outbound", 5.0, "found later", source="backfill")

    assert [final.text for final in ordered([*live, filled])] == ["live", "found later", "live"]


@given(channels(), st.randoms(use_true_random=False))
def test_the_order_is_that_of_time_and_overlaps_are_mutual(finals, random):
    found = ordered(random.sample(finals, len(finals)))
    marked = {(final.segment_id, over.segment_id, over.start, over.end) for final in found for over in final.overlaps}

    assert [final.start for final in found] == sorted(final.start for final in finals if final.text)
    assert marked == {(other, one, start, end) for one, other, start, end in marked}
    spans = {final.segment_id: final for final in found}
    for one, other, start, end in marked:
        assert spans[one].track != spans[other].track
        assert all(spans[segment].start <= start < end for segment in (one, other))


@given(channels())
def test_every_word_is_in_one_turn(finals):
    found = turns(finals)

    for track in ("inbound", "outbound"):
        said = "".join(final.text for final in ordered(finals) if final.track == track)
        assert "".join(turn.text for turn in found if turn.track == track).replace(" ", "") == said.replace(" ", "")
    assert [turn.start for turn in found] == sorted(turn.start for turn in found)


def test_a_turn_ends_with_the_last_of_its_words():
    long, short = segment("inbound", ("Well", 1.0, 9.0)), segment("inbound", ("so", 2.0, 2.5))

    (turn,) = turns([long, short])

    assert (turn.start, turn.end) == (1.0, 9.0)


def test_several_on_one_track_have_turns_of_their_own():
    first = voiced(sentence("inbound", 0.0, "This is Anna. And Bert."), 0, 0, 0, 1, 1)
    second = voiced(sentence("inbound", 2.0, "Hello."), 1)
    found = turns([first, second, sentence("outbound", 3.0, "Good morning.")])

    assert [(turn.speaker, turn.voice, turn.text) for turn in found] == [
        ("caller 1", 0, "This is Anna."),
        ("caller 2", 1, "And Bert. Hello."),
        ("agent", None, "Good morning."),
    ]
