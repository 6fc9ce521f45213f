"""When a turn is printed: as soon as it is over, and its segments as one."""

from rich.text import Text

from bridge.cli.printout import Said
from bridge.cli.turns import Turns
from bridge.events import Overlap, TranscriptInterim
from bridge.transcript.turns import PAUSE
from tests.fakes.speech import sentence


class Paper:
    """Turns and what they have printed; `now` stands still unless it is told."""

    def __init__(self):
        self.turns = Turns()
        self.now = 100.0
        self.printed = []
        self.waiting = []

    def receive(self, *said, waiting=()):
        self.waiting = [Said(one) for one in waiting]
        self.turns.receive([one if isinstance(one, Text) else Said(one) for one in said], self.waiting, self.now)
        return self.update()

    def wait(self, seconds):
        end = self.now + seconds
        while (timer := self.turns.get_timer()) is not None and timer <= end:
            self.now = timer
            self.turns.handle_timer(timer)
        self.now = end
        return self.update()

    def finish(self):
        self.turns.finish()
        return self.update()

    def update(self):
        self.printed += shown(self.turns.turns_received())
        return self


def shown(lines):
    return [line.plain if isinstance(line, Text) else " ".join(one.text for one in line.segments) for line in lines]


def agent(at, text, **said):
    return sentence("outbound", at, text, **said)


def caller(at, text, **said):
    return sentence("inbound", at, text, **said)


def test_segments_of_a_turn_are_one_line():
    paper = Paper().receive(agent(1.0, "It left")).wait(1.0).receive(agent(2.0, "Chicago.")).wait(PAUSE - 0.1)

    assert paper.printed == []
    assert paper.wait(0.1).printed == ["It left Chicago."]
    assert paper.receive(agent(7.0, "Hello?")).finish().printed[1:] == ["Hello?"]


def test_a_long_pause_ends_a_turn_at_once():
    assert Paper().receive(agent(1.0, "One."), agent(4.0, "Two.")).printed == ["One."]


def test_an_answer_ends_a_turn_at_once():
    paper = Paper().receive(agent(1.0, "Where is it?"), caller(2.0, "I do not know."))

    assert paper.printed == ["Where is it?"]


def test_a_back_channel_is_printed_below_the_turn_that_it_was_said_in():
    paper = Paper().receive(agent(1.0, "It left Chicago"), caller(1.7, "Mhm.")).receive(agent(2.2, "this morning"))

    assert paper.printed == []
    assert paper.wait(PAUSE).printed == ["It left Chicago this morning", "Mhm."]


def test_a_turn_waits_for_what_is_being_said_of_it():
    interim = agent(2.0, "Chica", kind=TranscriptInterim)
    paper = Paper().receive(agent(1.0, "It left"), waiting=[interim]).wait(3 * PAUSE)

    assert paper.printed == []
    assert shown(paper.turns.shown(paper.waiting)) == ["It left Chica"]
    assert paper.receive(agent(2.0, "Chicago.")).wait(PAUSE).printed == ["It left Chicago."]


def test_who_answers_is_not_waited_for():
    interim = caller(4.0, "No", kind=TranscriptInterim)
    paper = Paper().receive(agent(1.0, "Is it?"), waiting=[interim]).wait(PAUSE)

    assert paper.printed == ["Is it?"]
    assert shown(paper.turns.shown([*paper.waiting, Text("a note")])) == ["No", "a note"]


def test_a_note_stands_below_what_was_said_before():
    assert Paper().receive(agent(1.0, "It left"), Text("key"), agent(1.7, "then")).finish().printed == [
        "It left",
        "key",
        "then",
    ]


def test_what_is_late_is_a_turn_of_its_own():
    turns = Turns()
    turns.receive(
        [Said(agent(9.0, "Here.")), Said(agent(8.0, "And"), late=True), Said(agent(8.4, "so."), late=True)], [], 0.0
    )
    turns.finish()

    assert [(turn.late, len(turn.segments)) for turn in turns.turns_received()] == [(False, 1), (True, 2)]


def test_talk_over_counts_for_who_began_later_and_from_a_second_on():
    def over(start, end):
        turns = Turns()
        turns.receive(
            [Said(agent(2.0, "a b c d e", overlaps=[Overlap(segment_id="s", start=start, end=end)]))], [], 0.0
        )
        turns.finish()
        (turn,) = turns.turns_received()
        return turn.over

    assert [over(2.0, 3.25), over(2.0, 2.9), over(2.2, 3.4)] == [1.25, 0.0, 0.0]


def test_its_state_in_words():
    assert repr(Paper().receive(agent(1.0, "One.")).turns) == "<Turns 1 open>"
