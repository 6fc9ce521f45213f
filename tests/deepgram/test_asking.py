"""What Deepgram is asked for, and when it goes out; through a session."""

import json

from bridge.deepgram.asking import Asking
from bridge.deepgram.configuring import Configuration, Configured
from bridge.deepgram.exchange import Interrupted
from bridge.deepgram.messages import DeepgramError, finalize
from bridge.recognition import Result, Word
from bridge.spans import Span
from tests.deepgram.test_session import feed, opened, results, sent, session

BOTH = [finalize(0), finalize(1)]
NAMES = Configuration(("Acme",))
TAKEN = '{"type":"ConfigureSuccess","request_id":"r1"}'


def test_what_was_said_is_settled_once_the_audio_up_to_there_is_sent():
    asking = Asking(3.0)
    asking.finalize(8000)
    asking.finalize(4000)

    assert list(asking.due(7999, 0.0)) == []
    assert list(asking.due(8000, 0.0)) == BOTH
    assert list(asking.due(9000, 0.0)) == []


def test_a_session_asks_at_once_where_all_is_sent():
    machine = opened()
    now = feed(machine, 1.0)
    machine.data_to_send()
    machine.asking.finalize(8000)
    machine.ask(now)

    assert sent(machine) == (0, BOTH)


def test_a_session_asks_for_audio_that_is_still_to_come_when_it_has_come():
    machine = opened()
    now = feed(machine, 1.0)
    machine.asking.finalize(8100)
    machine.ask(now)
    assert sent(machine) == (1.0, [])

    feed(machine, 0.1, now)
    assert sent(machine) == (0.1, BOTH)


def test_a_session_without_a_socket_asks_with_the_next_one():
    machine = session()
    machine.start(0.0)
    machine.receive_audio(b"\x10" * 16000, 1.0)
    machine.asking.finalize(8000)
    machine.asking.configure(NAMES)
    machine.ask(1.0)
    machine.connected("r1", 1.0)

    assert sent(machine) == (1.0, [*BOTH, NAMES.message])


def test_what_was_to_be_settled_and_is_not_is_asked_of_the_next_socket():
    asking = Asking(3.0)
    asking.finalize(8000)
    assert list(asking.due(8000, 0.0)) == BOTH

    asking.connected(7000)
    assert [list(asking.due(sent, 1.0)) for sent in (7999, 8000, 8001)] == [[], BOTH, []]
    asking.connected(8000)
    assert list(asking.due(8000, 2.0)) == []


def test_what_is_sent_again_is_settled_where_it_was_to_be_and_not_half_a_word_later():
    machine = opened()
    now = feed(machine, 2.0)
    machine.asking.finalize(8000)
    machine.data_to_send()
    machine.moved("r2", now)

    commands = machine.data_to_send()
    settling = [number for number, command in enumerate(commands) if getattr(command, "data", None) == BOTH[0]]
    before = sum(len(command.data) for command in commands[: settling[0]])
    assert before == 2 * 8000


def test_a_session_that_is_moved_asks_the_new_socket():
    machine = opened()
    now = feed(machine, 1.0)
    machine.asking.finalize(8000)
    machine.ask(now)
    machine.data_to_send()
    machine.moved("r2", now)

    assert sent(machine) == (1.0, BOTH)


def test_a_change_is_answered_and_asked_for_on_the_next_socket():
    machine = opened()
    now = feed(machine, 1.0)
    machine.asking.configure(NAMES)
    machine.ask(now)
    assert sent(machine) == (1.0, [NAMES.message])
    machine.receive_text(TAKEN, now)
    assert machine.events_received() == [Configured(NAMES, "r1")]

    machine.closed(1011, "gone", now)
    machine.handle_timer(now + 1.0)
    machine.connected("r2", now + 1.0)
    assert sent(machine)[1] == [NAMES.message]
    machine.receive_text(results(0, 0.0, 1.0, ("Hello", 0.5)), now + 1.0)
    assert any(isinstance(event, Interrupted) for event in machine.events_received())


def test_an_error_of_before_there_were_answers_is_one_and_any_other_is_none():
    machine = opened()
    machine.receive_audio(b"\x10" * 1600, 0.1)
    machine.asking.configure(NAMES)
    machine.ask(0.1)
    machine.receive_text('{"type":"Error","variant":"SchemaError","description":"bad"}', 0.1)
    machine.receive_text('{"type":"Error","code":"KeytermsNotSupported","description":"not here"}', 0.1)

    assert machine.events_received() == [
        DeepgramError("SchemaError", "bad"),
        Configured(NAMES, None, "KeytermsNotSupported: not here"),
    ]
    assert machine.journal.bad_messages == 1


def test_an_answer_that_no_one_waits_for_changes_nothing():
    machine = opened()
    machine.receive_text(TAKEN, 0.0)
    machine.receive_text(json.dumps({"type": "ConfigureFailure", "code": "X"}), 0.0)

    assert machine.events_received() == []
    assert machine.journal.bad_messages == 0


def test_what_was_said_before_a_quiet_time_is_asked_for():
    machine = opened()
    now = feed(machine, 1.0)
    machine.receive_text(results(0, 0.0, 1.0, ("Hello", 0.5), final=False), now)
    machine.data_to_send()
    machine.pause(now)

    assert sent(machine) == (0, [finalize(0)])


def test_it_is_settled_while_no_word_waits_for_its_final():
    asking = Asking(3.0)
    word = Word("five", "five", Span(0, 800), 1.0)
    settled = [asking.is_settled]
    for is_final in (False, True):
        asking.hear(Result(0, Span(0, 1600), "five", 1.0, (word,), is_final), 0.0)
        settled.append(asking.is_settled)

    assert settled == [True, False, True]
