"""The bound of the end of a call, with the test holding the clock."""

import pytest

from bridge.deepgram.ending import TRANSITIONS, Ending, State, Trigger
from bridge.deepgram.exchange import SessionPolicy
from bridge.errors import LocalProtocolError
from bridge.standstill import READING, STOOD_STILL

POLICY = SessionPolicy(speed=1.25, flush=5.0, catch_up=10.0)
KEPT = SessionPolicy(speed=1.25, flush=5.0, catch_up=10.0, kept=True)


def begun(unsent, uncovered, policy=POLICY):
    ending = Ending(policy)
    ending.begin(100.0, unsent, uncovered)
    return ending


def test_before_the_end_there_is_no_deadline():
    ending = Ending(POLICY)

    assert (ending.begun, ending.leaving, ending.deadline) == (False, False, None)


@pytest.mark.parametrize("verb", [None, "finish", "cut", "end"])
def test_audio_is_taken_until_the_end_has_begun(verb):
    ending = Ending(POLICY)
    if verb:
        VERBS[verb](ending)

    assert ending.receive_audio() is (verb is None)


def test_what_waits_is_given_the_time_that_sending_it_takes():
    assert begun(0.0, 3.0).deadline == 105.0
    assert begun(12.5, 20.0).deadline == 115.0
    assert begun(12.5, 20.0).begun


def test_where_the_process_stood_still_what_came_is_read_before_the_end():
    ending = begun(0.0, 3.0)
    assert not ending.is_over(104.9)
    assert not ending.is_over(130.0)
    assert ending.deadline == 130.0 + READING
    assert ending.is_over(130.0 + READING)


def test_a_process_that_is_busy_is_late_too():
    assert not Ending(POLICY).is_over(100.0)
    assert begun(0.0, 3.0).is_over(105.0)
    assert begun(0.0, 3.0).is_over(105.0 + STOOD_STILL)


def test_once_all_is_sent_only_the_last_results_are_waited_for():
    ending = begun(12.5, 20.0)
    ending.all_sent(103.0)

    assert ending.deadline == 108.0


def test_another_socket_may_send_once_more_what_is_not_covered():
    ending = begun(0.0, 12.5)
    ending.plan(101.0, 10.0)

    assert ending.deadline == 114.0


def test_sockets_that_are_lost_for_ever_do_not_put_it_off_for_ever():
    ending = begun(0.0, 12.5)
    for now in range(101, 200):
        ending.plan(now, 12.5)
        ending.all_sent(now)

    assert ending.deadline == 115.0


def test_much_that_is_kept_is_left_for_later():
    ending = begun(20.0, 20.0, KEPT)

    assert (ending.leaving, ending.deadline) == (True, 105.0)
    assert not begun(20.0, 20.0).leaving


def test_a_little_that_is_kept_is_sent():
    ending = begun(12.5, 12.5, KEPT)

    assert (ending.leaving, ending.deadline) == (False, 115.0)


def test_kept_audio_never_puts_it_off_for_longer_than_catching_up_may_take():
    ending = begun(0.0, 3600.0, KEPT)
    ending.plan(103.0, 10.0)
    ending.plan(114.0, 10.0)

    assert ending.deadline == 115.0


# From each state, by each trigger: what the verbs below lead to. What is not here is our bug.
TABLE = {
    State.GOING_ON: {"audio": State.GOING_ON, "finish": State.SENDING, "cut": State.CUT, "end": State.OVER},
    State.SENDING: {
        **dict.fromkeys(("audio", "finish", "cut"), State.SENDING),
        "too much": State.LEAVING,
        "end": State.OVER,
    },
    State.CUT: {
        **dict.fromkeys(("audio", "finish", "cut"), State.CUT),
        "too much": State.LEAVING,
        "end": State.OVER,
    },
    State.LEAVING: {
        **dict.fromkeys(("audio", "finish", "cut", "too much"), State.LEAVING),
        "end": State.OVER,
    },
    State.OVER: dict.fromkeys(("audio", "finish", "cut"), State.OVER),
}
VERBS = {
    "audio": lambda ending: ending.receive_audio(),
    "finish": lambda ending: ending.begin(100.0, 0.0, 0.0),
    "cut": lambda ending: ending.begin(100.0, 0.0, 0.0, cut=True),
    "too much": lambda ending: ending.plan(100.0, 3600.0),
    "end": lambda ending: ending.end(),
}
WAYS = {
    State.GOING_ON: (),
    State.SENDING: ("finish",),
    State.CUT: ("cut",),
    State.LEAVING: ("finish", "too much"),
    State.OVER: ("end",),
}


def reached(state):
    ending = Ending(KEPT)
    for verb in WAYS[state]:
        VERBS[verb](ending)
    assert ending.state is state
    return ending


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("state", State, ids=lambda state: state.name)
def test_what_is_in_the_table_leads_on_and_what_is_not_raises(state, verb):
    ending = reached(state)
    if verb in TABLE[state]:
        VERBS[verb](ending)
        assert ending.state is TABLE[state][verb]
    else:
        with pytest.raises(LocalProtocolError, match=state.name):
            VERBS[verb](ending)


def test_every_state_has_a_row_and_every_trigger_a_use():
    assert set(TRANSITIONS) == set(State)
    assert {trigger for ways in TRANSITIONS.values() for trigger in ways} == set(Trigger)


def test_told_twice_nothing_is_put_off():
    ending = begun(0.0, 0.0)
    ending.begin(104.0, 0.0, 60.0)

    assert ending.deadline == 105.0


def test_what_is_cut_or_left_is_part_of_the_call():
    assert {state for state in State if reached(state).partial} == {State.CUT, State.LEAVING}


def test_what_has_been_left_is_not_taken_up_again():
    ending = begun(20.0, 20.0, KEPT)
    ending.plan(101.0, 1.0)

    assert ending.leaving


def test_when_it_is_over_nothing_is_waited_for():
    ending = begun(12.5, 20.0)
    ending.end()

    assert (ending.deadline, ending.begun) == (None, True)
