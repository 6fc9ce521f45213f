"""The session's table: every entry of it, and that what is not in it is our bug."""

import pytest

from bridge.deepgram.states import TRANSITIONS, State, Trigger, follow
from bridge.errors import LocalProtocolError

TABLE = """
IDLE        CONNECT    CONNECTING
IDLE        LOST       IDLE
IDLE        ENDED      ENDED
CONNECTING  CONNECTED  OPEN
CONNECTING  TEXT       CONNECTING
CONNECTING  LOST       WAITING
CONNECTING  REFUSED    REFUSED
CONNECTING  ENDED      ENDED
OPEN        TEXT       OPEN
OPEN        ALL_SENT   CLOSING
OPEN        FLUSHED    OPEN
OPEN        LOST       WAITING
OPEN        DONE       IDLE
OPEN        ENDED      ENDED
CLOSING     TEXT       CLOSING
CLOSING     FLUSHED    ENDED
CLOSING     LOST       WAITING
CLOSING     DONE       ENDED
CLOSING     ENDED      ENDED
WAITING     CONNECT    CONNECTING
WAITING     TEXT       WAITING
WAITING     LOST       WAITING
WAITING     ENDED      ENDED
REFUSED     ENDED      ENDED
ENDED       CONNECTED  ENDED
ENDED       TEXT       ENDED
ENDED       LOST       ENDED
ENDED       REFUSED    ENDED
ENDED       ENDED      ENDED
"""
ENTRIES = {
    (State[state], Trigger[trigger]): State[after]
    for state, trigger, after in (line.split() for line in TABLE.split("\n") if line)
}
ALL = [(state, trigger) for state in State for trigger in Trigger]


@pytest.mark.parametrize(("state", "trigger"), ALL, ids=lambda value: value.name)
def test_what_is_in_the_table_leads_on_and_what_is_not_raises(state, trigger):
    if (state, trigger) in ENTRIES:
        assert follow(state, trigger) is ENTRIES[state, trigger]
    else:
        with pytest.raises(LocalProtocolError, match=rf"{state.name} cannot be {trigger.name}"):
            follow(state, trigger)


def test_every_state_has_a_row_and_every_trigger_a_use():
    assert set(TRANSITIONS) == set(State)
    assert {trigger for ways in TRANSITIONS.values() for trigger in ways} == set(Trigger)


def test_every_state_can_end_and_the_end_is_final():
    assert {follow(state, Trigger.ENDED) for state in State} == {State.ENDED}
    assert set(TRANSITIONS[State.ENDED].values()) == {State.ENDED}
