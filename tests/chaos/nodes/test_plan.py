"""Which node is struck when: enough of everything, and never so much that no node is left."""

from itertools import pairwise

import pytest

from tests.chaos.nodes import plan
from tests.chaos.nodes.plan import AWAY, EVERY


@pytest.mark.parametrize("seed", range(20))
def test_there_is_always_a_node_that_is_well(seed):
    made = plan.make(seed, calls=5)

    assert {strike.node for strike in made.strikes} == {0, 1, 2}
    for strike in made.strikes:
        away = [one.node for one in made.strikes if one.at <= strike.at < one.at + AWAY]
        assert len(set(away)) == len(away) <= 2
    for node in range(3):
        own = [strike.at for strike in made.strikes if strike.node == node]
        # Others must have been themselves for as long as a lease, or nobody takes its calls.
        assert all(after - before >= AWAY + EVERY for before, after in pairwise(own))


def test_a_node_is_struck_every_ten_seconds_in_each_way():
    made = plan.make(3)

    kinds = [strike.kind for strike in made.strikes]
    assert sorted(kinds) == sorted(["kill", "drain", "stall"] * 3 + ["cut", "partition", "cut"])
    assert [strike.at for strike in made.strikes] == [EVERY * place for place in range(1, 13)]
    assert len(made.restarts) == 2
    assert {mode for _, mode in made.restarts} == {"fast", "immediate"}
    assert sum("node" in line for line in made.describe()) == 1


def test_calls_talk_through_all_of_it():
    made = plan.make(3, calls=50, at_once=10)

    last = made.strikes[-1].at
    talking = [call for call in made.calls if call.starts < last < call.starts + call.seconds]
    assert 4 <= len(talking) <= 20
    assert len({call.call_id for call in made.calls}) == 50
    assert plan.only(made, frozenset([7])).calls == (made.calls[7],)
