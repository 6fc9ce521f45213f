"""What changes on the way: what is sent when, and what the answers mean."""

import json

import pytest

from bridge.deepgram import options
from bridge.deepgram.configuring import PATIENCE, Configuration, Configured, Configuring
from bridge.deepgram.messages import ConfigureAnswer, DeepgramError
from bridge.errors import ConfigError

NAMES = Configuration(keyterms=("Acme", "Müller"))
DIGITS = Configuration(numerals=True)
TAKEN = ConfigureAnswer("r1")
REFUSED = ConfigureAnswer("r1", "CONFIGURE_KEYTERM_LIMIT_EXCEEDED", "500 tokens")


def asked(*wanted, connected=True):
    machine = Configuring()
    if connected:
        machine.connected()
    for configuration in wanted:
        machine.ask(configuration)
    return machine


def test_the_message_has_what_changes_and_nothing_else():
    assert json.loads(NAMES.message) == {"type": "Configure", "keyterms": ["Acme", "Müller"]}
    assert json.loads(DIGITS.message) == {"type": "Configure", "features": {"numerals": True}}
    assert json.loads(Configuration(keyterms=()).message) == {"type": "Configure", "keyterms": []}


def test_a_newer_change_goes_over_an_older_one():
    assert DIGITS.over(None) == DIGITS
    assert DIGITS.over(NAMES) == Configuration(NAMES.keyterms, True)
    assert Configuration((), False).over(Configuration(NAMES.keyterms, True)) == Configuration((), False)


@pytest.mark.parametrize(
    ("query", "terms", "fault"),
    [
        ("model=nova-2", ("a",), "keyterm needs a nova-3 model, and model is nova-2; below nova-3 it is keywords"),
        ("", (" ",), "a keyterm is empty"),
        ("", ("a b c",) * 167, "keyterm has more than Deepgram's 500 tokens in all"),
        ("", ("abcdefghijkl",) * 167, "keyterm has about 501 tokens; Deepgram takes 500, counts them in its own way"),
    ],
)
def test_what_deepgram_would_refuse_or_choke_on_is_not_sent(query, terms, fault):
    with pytest.raises(ConfigError, match=fault):
        Configuration(terms).check(options.parse(query))


@pytest.mark.parametrize("configuration", [NAMES, DIGITS, Configuration(())])
def test_what_deepgram_takes_is_sent(configuration):
    configuration.check(options.parse("keyterm=Other"))


def test_one_change_at_a_time_is_on_its_way():
    machine = asked(NAMES, DIGITS)

    assert machine.due(0.0) == NAMES.message
    assert machine.due(1.0) is None
    assert machine.answered(TAKEN) == Configured(NAMES, "r1")
    assert machine.due(1.0) == DIGITS.message
    assert not machine.waits


def test_an_answer_that_does_not_come_holds_up_the_next_change_for_a_while_only():
    machine = asked(NAMES, DIGITS)
    machine.due(0.0)

    assert machine.due(PATIENCE - 0.1) is None
    assert machine.due(PATIENCE) == DIGITS.message


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (REFUSED, "CONFIGURE_KEYTERM_LIMIT_EXCEEDED: 500 tokens"),
        (DeepgramError("KeytermsNotSupported", ""), "KeytermsNotSupported"),
    ],
)
def test_a_refusal_is_in_deepgrams_words(answer, words):
    machine = asked(NAMES)
    machine.due(0.0)

    assert machine.answered(answer).refusal == words
    machine.connected()
    assert not machine.waits


def test_what_was_taken_is_asked_for_on_the_next_socket():
    machine = asked(NAMES, DIGITS)
    for _ in range(2):
        machine.due(0.0)
        machine.answered(TAKEN)
    machine.connected()

    assert machine.due(1.0) == Configuration(NAMES.keyterms, True).message
    machine.answered(TAKEN)
    assert not machine.waits


def test_what_was_on_its_way_when_the_socket_was_lost_is_asked_for_after_what_was_taken():
    machine = asked(NAMES)
    machine.due(0.0)
    machine.answered(TAKEN)
    machine.ask(DIGITS)
    machine.due(0.0)
    machine.connected()

    assert machine.due(1.0) == NAMES.message
    assert machine.answered(TAKEN) == Configured(NAMES, "r1", again=True)
    assert machine.due(1.0) == DIGITS.message


def test_a_socket_that_does_not_take_it_again_is_not_the_last_that_is_asked():
    """It may be at another origin than the one before, and the one after."""
    machine = asked(NAMES)
    machine.due(0.0)
    machine.answered(TAKEN)
    machine.connected()
    machine.due(1.0)
    assert machine.answered(REFUSED).again

    machine.connected()
    assert machine.due(2.0) == NAMES.message


def test_what_another_process_had_taken_is_asked_for_first():
    machine = Configuring()
    machine.go_on_with(NAMES)
    machine.ask(DIGITS)
    machine.connected()

    assert machine.due(0.0) == NAMES.message


def test_what_is_withdrawn_is_not_sent():
    machine = asked(NAMES, connected=False)
    machine.withdraw(NAMES)
    machine.withdraw(DIGITS)

    assert machine.due(0.0) is None


def test_an_answer_to_nothing_means_nothing():
    assert asked().answered(TAKEN) is None
