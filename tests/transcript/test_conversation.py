import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.events import CallResumed, Overlap, SpeechStarted, TranscriptFinal, TranscriptInterim
from bridge.local.sample import SCRIPT
from bridge.local.script import load_script, random_script
from bridge.transcript.conversation import FINALS_HOLD, HOLD, Conversation
from tests.fakes.speech import channels, heard, segment, sentence
from tests.fakes.words import ended


class View:
    """A reader: what it has been shown, by place."""

    def __init__(self, **how):
        self.conversation = Conversation(**how)
        self.lines = []

    def receive(self, *data):
        for said in data:
            self.conversation.receive(said)
        return self.update()

    def update(self):
        for line in self.conversation.lines_received():
            if line.place == len(self.lines):
                self.lines.append(line)
                continue
            before = self.lines[line.place]
            assert (before.turn, before.late) == (line.turn, line.late)
            assert before.transcript.segment_id == line.transcript.segment_id
            self.lines[line.place] = line
        return self

    @property
    def texts(self):
        return [line.transcript.text for line in self.lines]


def interim(track, at, text, revision=1, **said):
    return sentence(track, at, text, kind=TranscriptInterim, revision=revision, **said)


def final(track, at, text, revision=9, **said):
    return sentence(track, at, text, revision=revision, **said)


def test_a_segment_is_shown_while_it_grows_and_keeps_its_place():
    view = View(hold=0.0)

    assert view.receive(interim("inbound", 1.0, "I")).texts == ["I"]
    assert view.receive(interim("inbound", 1.0, "I am", 2)).texts == ["I am"]
    assert view.receive(final("inbound", 1.0, "I am.", 3)).texts == ["I am."]


def test_who_began_earlier_is_shown_first_though_heard_of_later():
    view = View()

    assert view.receive(final("outbound", 10.3, "Yes.")).texts == []
    assert view.receive(interim("inbound", 10.0, "So what I")).texts == ["So what I"]
    assert view.receive(final("inbound", 10.0, "So what I have")).texts == ["So what I have", "Yes."]


def test_a_long_segment_has_waited_long_enough_when_it_comes():
    assert View(hold=HOLD).receive(final("outbound", 10.0, "a final of more than the hold")).texts != []


def test_where_only_finals_come_a_long_one_is_waited_for():
    view = View().receive(final("outbound", 10.3, "a final of more than the hold"))

    assert view.texts == []
    view.receive(final("inbound", 10.0, "one that took quite some time to say"))
    assert view.texts == ["one that took quite some time to say", "a final of more than the hold"]
    assert view.receive(final("inbound", 13.0, "more")).texts[2:] == []
    later = final("inbound", 13.0 + FINALS_HOLD, "later")
    assert view.receive(later).texts[2:] == ["more"]


def test_the_first_interim_tells_that_nobody_need_wait_so_long():
    view = View().receive(final("outbound", 10.0, "a final of more than the hold"))

    assert view.receive(interim("outbound", 12.5, "And")).texts == ["a final of more than the hold"]


def test_nobody_waits_for_a_channel_that_is_further():
    view = View().receive(final("inbound", 2.0, "a much longer final than it is"))

    assert view.receive(interim("outbound", 3.0, "Oh")).texts[1:] == ["Oh"]


def test_a_lonely_word_waits_until_it_is_released():
    view = View().receive(final("inbound", 6.0, "Anybody?"), final("inbound", 5.0, "Hello?"))

    assert [waiting.text for waiting in view.conversation.waiting] == ["Hello?", "Anybody?"]
    view.conversation.release(4.9)
    assert view.update().texts == []
    view.conversation.release(5.0)
    assert view.update().texts == ["Hello?"]
    assert [waiting.text for waiting in view.conversation.waiting] == ["Anybody?"]


def test_speech_that_begins_moves_the_time_on():
    view = View(hold=HOLD).receive(final("inbound", 5.0, "Hello?"))
    began = SpeechStarted(track="outbound", channel=1, speaker="agent", at=7.0, at_time="")

    assert view.receive(began).texts == ["Hello?"]


def test_the_end_of_the_call_shows_everything():
    assert View().receive(final("inbound", 5.0, "Bye."), ended().data).texts == ["Bye."]


def test_what_comes_too_late_is_appended_and_marked():
    view = View(hold=0.0).receive(final("outbound", 10.0, "later"), final("inbound", 3.0, "earlier"))

    assert [(line.transcript.text, line.late, line.turn) for line in view.lines] == [
        ("later", False, 0),
        ("earlier", True, 1),
    ]


def test_a_backfilled_final_is_late_and_moves_no_time():
    view = View(hold=HOLD).receive(final("outbound", 10.0, "one two three four five six"))
    view.receive(final("inbound", 3.0, "found after the outage", source="backfill"))
    view.receive(final("outbound", 12.0, "on we go and on and on"))

    assert [(line.late, line.turn) for line in view.lines] == [(False, 0), (True, 1), (False, 2)]


def test_backfill_long_after_the_end_is_shown_too():
    view = View().receive(final("outbound", 10.0, "word"), ended().data)

    assert view.receive(final("inbound", 3.0, "filled", source="backfill")).texts == ["word", "filled"]


def test_turns_change_with_the_speaker():
    view = View(hold=0.0).receive(
        final("inbound", 1.0, "a"), final("inbound", 2.0, "b"), final("outbound", 3.0, "c"), final("inbound", 4.0, "d")
    )

    assert [line.turn for line in view.lines] == [0, 0, 1, 2]


def test_words_that_turn_out_to_be_nothing_go_away():
    view = View(hold=0.0).receive(interim("inbound", 1.0, "Huh"), final("outbound", 2.0, "Hello"))

    taken_back = segment("inbound", segment_id="inbound-1.0", text="", start=1.0, revision=9)
    assert view.receive(taken_back).texts == ["", "Hello"]


def test_words_that_turn_out_to_be_nothing_before_they_are_shown_never_were():
    view = View().receive(interim("inbound", 1.0, "Huh"))
    taken_back = segment("inbound", segment_id="inbound-1.0", text="", start=1.0, revision=9)

    assert view.receive(taken_back, ended().data).texts == []


def test_what_comes_twice_or_behind_its_final_is_let_pass():
    said = interim("inbound", 1.0, "I"), final("inbound", 1.0, "I am.")
    view = View(hold=0.0).receive(*said, *said, *reversed(said))

    assert view.texts == ["I am."]
    assert view.conversation.lines_received() == []


def test_a_final_counts_whatever_its_revision():
    said = interim("inbound", 1.0, "I", revision=7), final("inbound", 1.0, "I am.", revision=2)

    assert View(hold=0.0).receive(*said).texts == ["I am."]
    assert View().receive(*said, interim("inbound", 1.0, "I was", revision=8), ended().data).texts == ["I am."]


def test_a_bridge_that_comes_back_gives_the_ids_of_open_segments_once_more():
    view = View(hold=0.0)
    view.receive(interim("inbound", 1.0, "I", revision=7, segment_id="s1"), final("outbound", 2.0, "Yes."))
    back = CallResumed(reason="bridge_restarted", stream_id="MZ2", at=8.0)

    assert view.receive(back).texts == ["", "Yes."]
    assert view.receive(interim("inbound", 8.0, "So", segment_id="s1")).texts == ["", "Yes.", "So"]
    assert view.receive(final("inbound", 8.0, "So then", 2, segment_id="s1")).texts == ["", "Yes.", "So then"]


def test_a_bridge_that_comes_back_loses_nothing_that_was_final():
    back = CallResumed(reason="bridge_restarted", stream_id="MZ2", at=8.0)
    view = View().receive(interim("inbound", 1.0, "Huh"), final("outbound", 0.5, "Yes."), back, ended().data)

    assert view.texts[-1] == "Yes." and "Huh" not in view.texts


@pytest.mark.parametrize("script", [load_script(SCRIPT), *(random_script(seed, 60) for seed in range(6))])
def test_a_live_call_is_shown_in_order_and_nothing_of_it_is_late(script):
    view = View().receive(*heard(script), ended().data)

    assert [line for line in view.lines if line.late] == []
    assert sum(len(line.transcript.words) for line in view.lines) == len(script.words)


@st.composite
def arrivals(draw):
    """Both channels' segments with their revisions, each channel's in order or not, mixed anyhow."""
    finals = draw(channels(st.sampled_from(["yes", "no", "mhm"])))
    said = []
    kinds = st.tuples(st.integers(0, 2), st.sampled_from([0.0, 0.05]), st.sampled_from(["live", "live", "backfill"]))
    for final in finals:
        interims, sooner, source = draw(kinds)
        for revision in range(1, interims + 1):
            shown = {**dict(final), "final": False, "revision": revision, "text": final.text or "huh"}
            shown["start"] = max(0.0, final.start - sooner / revision)
            said.append(TranscriptInterim(**shown))
        said.append(final.model_copy(update={"revision": 9, "source": source}))
    draw(st.randoms(use_true_random=False)).shuffle(said)
    return said


@given(arrivals(), st.sampled_from([None, 0.0, HOLD, 30.0]), st.lists(st.floats(0, 60), max_size=3))
def test_no_interleaving_of_arrivals_reorders_what_was_shown(arrivals, hold, positions):
    view = View(hold=hold)
    first_shown = {}
    for said in arrivals:
        before = [line.transcript.segment_id for line in view.lines]
        view.receive(said)
        if positions:
            view.conversation.release(positions.pop())
            view.update()
        assert [line.transcript.segment_id for line in view.lines][: len(before)] == before
        for line in view.lines:
            first_shown.setdefault(line.transcript.segment_id, line.transcript.start)
    view.conversation.finish()
    view.update()

    in_order = [line.transcript.segment_id for line in view.lines if not line.late]
    starts = [first_shown[segment] for segment in in_order if segment in first_shown]
    assert starts == sorted(starts)
    finals = {said.segment_id: said.text for said in arrivals if isinstance(said, TranscriptFinal)}
    shown = {line.transcript.segment_id: line.transcript.text for line in view.lines}
    assert {segment: text for segment, text in shown.items() if text} == {s: t for s, t in finals.items() if t}


@pytest.mark.parametrize(("position", "texts"), [(10.999, []), (11.0, ["Yes."])])
def test_where_only_finals_come_one_waits_ten_seconds(position, texts):
    speech = SpeechStarted(track="inbound", channel=0, speaker="caller", at=position, at_time="")

    assert View().receive(final("outbound", 1.0, "Yes."), speech).texts == texts


def test_nothing_is_taken_for_recognized_before_it_is():
    assert View(hold=0.9).receive(interim("inbound", 0.1, "I")).texts == []


def test_who_begins_where_the_other_ends_need_not_wait():
    assert View().receive(final("outbound", 0.7, "Yes."), final("inbound", 1.0, "So.")).texts == ["Yes.", "So."]


def test_who_begins_at_the_same_time_is_not_late():
    view = View(hold=0.0).receive(interim("inbound", 1.0, "I"), interim("outbound", 1.0, "You"))

    assert [(line.transcript.text, line.late) for line in view.lines] == [("I", False), ("You", False)]


def test_a_revision_that_comes_twice_is_no_news():
    view = View(hold=0.0).receive(interim("inbound", 1.0, "I"))
    view.conversation.receive(interim("inbound", 1.0, "I"))

    assert view.conversation.lines_received() == []


def test_what_is_abandoned_has_no_words_and_what_is_final_stays():
    back = CallResumed(reason="bridge_restarted", stream_id="MZ2", at=8.0)
    overlap = Overlap(segment_id="x", start=1.0, end=1.2)
    view = View(hold=0.0).receive(
        interim("inbound", 1.0, "I", segment_id="s1"),
        final("inbound", 1.0, "I.", segment_id="s1"),
        interim("inbound", 2.0, "am", segment_id="s2", overlaps=[overlap]),
        back,
    )

    assert view.texts == ["I.", ""]
    assert (view.lines[1].transcript.words, view.lines[1].transcript.overlaps) == ([], [])
