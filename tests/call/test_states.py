"""The call's table; what the continuity does on its ways is tested there."""

import pytest

from bridge.call.states import OVER, TRANSITIONS, State, Trigger, follow
from bridge.errors import LocalProtocolError


def test_the_table_names_every_state_and_only_the_last_two_have_no_way_out():
    assert set(TRANSITIONS) == set(State)
    assert {state for state, ways in TRANSITIONS.items() if not ways} == set(OVER)
    assert {trigger for ways in TRANSITIONS.values() for trigger in ways} == set(Trigger)


def test_what_is_not_in_the_table_is_our_bug():
    with pytest.raises(LocalProtocolError, match="LEFT cannot be PLACED"):
        follow(State.LEFT, Trigger.PLACED)
