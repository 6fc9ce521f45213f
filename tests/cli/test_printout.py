"""What is printed when: in the order of time, each final once, and nobody waits for long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from bridge.cli.printout import SILENT, WAIT, Printout
from bridge.events import CallResumed, TranscriptFinal, TranscriptInterim
from bridge.local.sample import SCRIPT
from bridge.local.script import load_script, random_script
from tests.fakes.speech import channels, heard, segment, sentence


class Paper:
    """A printout and what it has printed; `now` stands still unless it is told."""

    def __init__(self):
        self.printout = Printout()
        self.now = 100.0
        self.printed = []

    def receive(self, *data):
        for said in data:
            self.printout.receive(said, self.now)
        return self.update()

    def note(self, text, at=None):
        self.printout.note(Text(text), self.now, at)
        return self.update()

    def wait(self, seconds):
        """As a shell does: woken whenever the printout wants it, and at the end."""
        end = self.now + seconds
        while (timer := self.printout.get_timer()) is not None and timer <= end:
            assert timer > self.now, "who is woken for nothing is woken for ever"
            self.now = timer
            self.printout.handle_timer(timer)
        self.now = end
        return self.update()

    def finish(self):
        self.printout.finish()
        return self.update()

    def update(self):
        self.printed += self.printout.items_received()
        return self

    @property
    def lines(self):
        return shown(self.printed)

    @property
    def waiting(self):
        return shown(self.printout.waiting)


def shown(items):
    return [
        item.plain if isinstance(item, Text) else item.transcript.text + " (late)" * item.late
        for item in items
        if isinstance(item, Text) or item.transcript.text
    ]


def interim(track, at, text, revision=1, **said):
    return sentence(track, at, text, kind=TranscriptInterim, revision=revision, **said)


def final(track, at, text, revision=9, **said):
    return sentence(track, at, text, revision=revision, **said)


LONG, SHORT = final("inbound", 10.0, "So what I wanted to ask is this"), final("outbound", 10.8, "Yes.")


def test_a_long_segment_is_printed_before_the_short_one_said_meanwhile():
    paper = Paper().receive(interim("inbound", 10.0, "So"), SHORT)

    assert paper.lines == []
    assert paper.waiting == ["So", "Yes."]
    assert paper.receive(LONG).lines == [LONG.text, "Yes."]
    assert paper.waiting == [] and paper.wait(SILENT).lines == [LONG.text, "Yes."]


def test_without_interims_the_short_one_waits_a_moment_for_the_long_one():
    paper = Paper().receive(SHORT).wait(WAIT - 0.1)

    assert paper.lines == []
    assert paper.receive(LONG).lines == [LONG.text, "Yes."]


def test_without_interims_nobody_waits_for_longer_than_a_moment():
    paper = Paper().receive(SHORT).wait(WAIT)

    assert paper.lines == ["Yes."]
    assert paper.receive(LONG).lines == ["Yes.", f"{LONG.text} (late)"]


def test_a_final_waits_from_its_own_arrival_on():
    paper = Paper().receive(interim("outbound", 10.8, "Yes")).wait(2.0).receive(SHORT).wait(WAIT - 0.1)

    assert paper.lines == []
    assert paper.wait(0.1).lines == ["Yes."]


def test_who_answers_is_not_waited_for():
    paper = Paper().receive(final("inbound", 1.0, "Hello?"), final("outbound", 2.0, "Good morning."))

    assert paper.lines == ["Hello?"]
    assert paper.wait(WAIT).lines == ["Hello?", "Good morning."]


def test_a_segment_that_is_being_said_is_waited_for_as_long_as_it_takes():
    paper = Paper().receive(interim("inbound", 10.0, "So"), SHORT)
    for revision in range(2, 30):
        paper.wait(1.0).receive(interim("inbound", 10.0, "So and" + " so" * revision, revision, end=12.0))

    assert paper.lines == []
    assert paper.receive(final("inbound", 10.0, "So and so.", 30)).lines == ["So and so.", "Yes."]


def test_a_segment_that_nothing_is_heard_of_is_not_waited_for():
    paper = Paper().receive(interim("inbound", 10.0, "So"), SHORT).wait(SILENT)

    assert paper.lines == ["Yes."]
    assert paper.waiting == ["So (late)"]
    assert paper.receive(final("inbound", 10.0, "So there.")).lines == ["Yes.", "So there. (late)"]


def test_what_is_late_for_the_conversation_may_not_be_for_the_paper():
    paper = Paper().receive(interim("inbound", 10.0, "So"), final("outbound", 3.0, "Yes.")).wait(WAIT)

    assert paper.lines == ["Yes."]
    assert paper.receive(LONG).lines == ["Yes.", LONG.text]


def test_time_is_that_of_the_final():
    paper = Paper().receive(interim("inbound", 10.0, "Huh so"), SHORT)

    assert paper.receive(final("inbound", 11.0, "So", segment_id="inbound-10.0")).wait(WAIT).lines == ["Yes.", "So"]


def test_a_late_final_without_anything_printed_behind_it_is_not_late():
    paper = Paper().receive(interim("inbound", 10.0, "So")).wait(2 * SILENT)

    assert paper.receive(LONG, SHORT).finish().lines == [LONG.text, "Yes."]


def test_what_turns_out_to_be_nothing_is_not_waited_for():
    paper = Paper().receive(interim("inbound", 10.0, "So"), SHORT)

    nothing = segment("inbound", segment_id="inbound-10.0", text="", start=10.0, revision=9)
    assert paper.receive(nothing).wait(WAIT).lines == ["Yes."]


def test_nobody_waits_for_what_a_bridge_has_begun_that_is_gone():
    paper = Paper().receive(interim("inbound", 10.0, "So", segment_id="s1"), SHORT)

    paper.receive(CallResumed(reason="bridge_restarted", stream_id="MZ2", at=20.0))
    assert paper.wait(WAIT).lines == ["Yes."]
    assert paper.waiting == []
    assert paper.receive(final("inbound", 20.0, "Again", 2, segment_id="s1")).finish().lines == ["Yes.", "Again"]


def test_the_end_prints_what_waits_and_nothing_waits_behind_it():
    paper = Paper().receive(interim("inbound", 10.0, "So"), SHORT).note("key", 10.5).finish()

    assert paper.lines == ["key", "Yes."]
    assert paper.waiting == [] and paper.printout.get_timer() is None
    assert paper.receive(interim("inbound", 11.0, "Straggling")).waiting == []
    filled = [final("inbound", at, f"filled {at}", source="backfill") for at in (3.0, 4.0, 12.0)]
    late = ["filled 3.0 (late)", "filled 4.0 (late)", "filled 12.0"]
    assert paper.receive(*filled).lines[2:] == late
    assert paper.finish().receive(*filled).lines[2:] == late


def test_a_note_stands_below_what_was_said_before():
    paper = Paper().receive(interim("inbound", 10.0, "So"), SHORT)

    assert paper.note("at once").note("key", 10.9).note("gap", 10.5).lines == ["at once"]
    assert paper.waiting == ["So", "gap", "Yes.", "key"]
    assert paper.receive(LONG).lines == ["at once", LONG.text, "gap", "Yes.", "key"]


def test_a_note_waits_for_nobody_who_is_silent():
    paper = Paper().note("early", 2.0).receive(interim("inbound", 10.0, "So")).note("key", 11.0)

    assert paper.lines == ["early"]
    assert paper.wait(SILENT).lines == ["early", "key"]
    assert paper.note("again", 12.0).lines == ["early", "key", "again"]


def test_its_state_in_words():
    paper = Paper().receive(SHORT).note("key", 11.0)

    assert repr(paper.printout) == "<Printout up to 0.0 s, 1 segments and 1 notes waiting>"
    assert repr(paper.finish().printout) == "<Printout up to 10.8 s, ended>"


@pytest.mark.parametrize("script", [load_script(SCRIPT), *(random_script(seed, 60) for seed in range(4))])
@pytest.mark.parametrize("kinds", [(TranscriptFinal,), (TranscriptInterim, TranscriptFinal)])
def test_a_call_is_printed_in_order_and_nothing_of_it_is_late(script, kinds):
    events = [data for data in heard(script) if isinstance(data, kinds)]
    paper = Paper().receive(*events).finish()

    starts = [said.transcript.start for said in paper.printed]
    assert starts == sorted(starts)
    assert not any(said.late for said in paper.printed)
    assert sum(len(said.transcript.words) for said in paper.printed) == len(script.words)


@st.composite
def arrivals(draw):
    """Both channels' segments with their interims, some of them twice, mixed anyhow; pauses and notes between."""
    happenings = []
    for said in draw(channels(st.sampled_from(["yes", "no", "mhm"]))):
        for revision in range(1, draw(st.integers(1, 3))):
            shown = {**dict(said), "final": False, "revision": revision, "text": said.text or "huh"}
            shown["start"] = max(0.0, said.start + draw(st.sampled_from([0.0, 0.0, -0.1, 3.0])))
            happenings.append(TranscriptInterim(**shown))
        revision, source = draw(st.integers(1, 4)), draw(st.sampled_from(["live", "live", "backfill"]))
        told = said.model_copy(update={"revision": revision, "source": source})
        happenings += [told] * draw(st.sampled_from([1, 1, 2]))
    happenings += draw(st.lists(st.sampled_from([0.1, 1.0, WAIT, SILENT]), max_size=8))  # seconds of the clock
    happenings += [("note", at) for at in draw(st.lists(st.floats(0, 60), max_size=3))]
    if draw(st.booleans()):
        draw(st.randoms(use_true_random=False)).shuffle(happenings)
    return happenings


@given(arrivals(), st.booleans())
def test_every_final_is_printed_once_and_in_order_unless_it_is_late(arrivals, restarts):
    paper = Paper()
    for event in arrivals:
        match event:
            case float():
                paper.wait(event)
            case ("note", at):
                paper.note("note", at)
            case _:
                paper.receive(event)
        if restarts:
            paper.receive(CallResumed(reason="bridge_restarted", stream_id="MZ2", at=1.0))
    paper.finish()

    finals = {said.segment_id: said.text for said in arrivals if isinstance(said, TranscriptFinal) and said.text}
    printed = [item for item in paper.printed if not isinstance(item, Text)]
    assert sorted((said.transcript.segment_id, said.transcript.text) for said in printed) == sorted(finals.items())
    assert all(said.transcript.final for said in printed)
    starts = [said.transcript.start for said in printed if not said.late]
    assert starts == sorted(starts)
    assert len(paper.printed) - len(printed) == sum(isinstance(event, tuple) for event in arrivals)


@given(arrivals())
def test_nothing_waits_on_a_quiet_line(arrivals):
    paper = Paper()
    for event in arrivals:
        if isinstance(event, TranscriptFinal | TranscriptInterim):
            paper.receive(event)
    paper.wait(SILENT + WAIT)

    assert not any(item.transcript.final for item in paper.printout.waiting)
    assert paper.printout.get_timer() is None
