"""What a soak is judged by."""

from collections import Counter

import pytest

from bridge.local.load import Played, Tally
from scripts import soak
from scripts.soak import Held, growth, left_over, lines_for, verdict

RECORD = {"active": False, "missing": 0, "waiting": 0, "backfilled": 0}
MEGABYTE = 1_000_000


def held(audio=0, files=None, **metrics):
    return Held({"tasks": 20.0, "calls": 0.0, **metrics}, Counter(files or {"socket": 5, "/data/record.db": 1}), audio)


def tally(**record):
    made = Tally()
    made.add(Played("CA1", "inbound", began=1.0, stopped=2.0))
    made.record("CA1", RECORD | record)
    return made


def test_calls_are_as_many_as_take_the_share():
    assert lines_for(0.6, 0.004) == 150
    assert lines_for(0.6, 2.0) == 1
    assert lines_for(1.0, 0.0001) == soak.MOST_LINES


def test_nothing_is_left_if_all_is_as_before():
    assert left_over(held(), held()) == []
    assert left_over(held(files={"socket": 6}), held(files={"socket": 5})) == []


def test_what_is_left_is_named():
    after = held(audio=2, files={"socket": 7, "/data/record.db": 1, "/tmp/x": 1}, tasks=23.0, calls=1.0, readers=2.0)

    assert left_over(held(), after) == [
        "calls: 1",
        "readers: 2",
        "tasks: 3",
        "/tmp/x: 1",
        "socket: 2",
        "files of kept audio: 2",
    ]


@pytest.mark.parametrize(
    ("memory", "has_grown"),
    [
        ([50 + 30 * (place > 10) for place in range(100)], False),  # the calls have begun
        ([80 + place % 7 for place in range(100)], False),
        ([80 + place / 5 for place in range(100)], True),  # ten megabytes from quarter to quarter
    ],
)
def test_the_memory_has_grown_if_the_last_quarter_takes_more(memory, has_grown):
    assert (growth([round(each * MEGABYTE) for each in memory]) > 0) == has_grown


def test_the_verdict_names_everything():
    memory = [round((80 + place) * MEGABYTE) for place in range(100)]

    assert verdict(tally(), memory[:10], []) == []
    found = verdict(tally(missing=3.0), memory, ["tasks: 3"])
    assert found[:2] == ["Left over: tasks: 3.", "1 calls are not complete."]
    assert found[2].startswith("The memory has grown")
