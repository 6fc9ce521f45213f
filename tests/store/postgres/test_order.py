"""Up to where the log can be read, by what was announced."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.store.postgres.order import horizon

LOW = 2**31 - 1


@pytest.mark.parametrize(
    ("last", "announced", "whole"),
    [
        (0, [], 0),
        (7, [], 7),
        (7, [7], 7),  # it has announced, and has taken nothing yet
        (7, [5, 3, 6], 3),
        (7, [0], 0),
        (2**31 + 5, [3], 2**31 + 3),
        (2**31 + 5, [LOW - 1], 2**31 - 2),
        (7, [9], 7),  # it has announced after the last position was asked for
    ],
)
def test_it_is_the_lowest_that_was_announced(last: int, announced: list[int], whole: int) -> None:
    assert horizon(last, announced) == whole


@given(st.data())
def test_no_event_that_commits_late_is_stepped_over(data: st.DataObject) -> None:
    """Transactions announce, take positions and commit in any order, and a reader reads at any moment between."""
    last = data.draw(st.integers(0, 2**33))
    running: dict[int, list[int]] = {}
    committed: set[int] = set()
    taken: set[int] = set()
    read, cursor = [], last
    for step in data.draw(st.lists(st.tuples(st.sampled_from(["begin", "take", "commit", "read"]), st.integers(0, 3)))):
        match step:
            case "begin", who if who not in running:
                running[who] = [last]
            case "take", who if who in running:
                last += 1
                running[who].append(last)
                taken.add(last)
            case "commit", who if who in running:
                committed.update(running.pop(who)[1:])
            case "read", _:
                whole = horizon(last, [positions[0] & LOW for positions in running.values()])
                read += sorted(position for position in committed if cursor < position <= whole)
                cursor = max(cursor, whole)
    committed.update(position for positions in running.values() for position in positions[1:])
    read += sorted(position for position in committed if position > cursor)
    assert read == sorted(taken)
