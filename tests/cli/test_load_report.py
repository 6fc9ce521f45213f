"""The figures of a load, as they are printed."""

import io

from rich.console import Console

from bridge.cli.load_report import figures, show
from bridge.local.load import Delays, Plan, Played, Tally

RECORD = {"active": False, "missing": 0, "waiting": 0, "backfilled": 0}


def measured(**records):
    tally = Tally()
    for call_id in ("CA1", "CA2"):
        tally.add(Played(call_id, "inbound", began=1.0, stopped=2.0))
    for call_id, record in records.items():
        tally.record(call_id, RECORD | record)
    for place in range(100):
        tally.finals.add(place / 1000)
    return tally


def late(*seconds):
    delays = Delays()
    for each in seconds:
        delays.add(each)
    return delays


def shown(tally, delays=None, recorded=True):
    console = Console(file=io.StringIO(), width=100)
    show(console, Plan(2, 8.0), tally, delays or late(0.001), recorded)
    return console.file.getvalue()


def test_calls_and_delays_are_shown():
    said = shown(measured(CA1={}, CA2={}))

    assert "2 calls of 8 s, 2 at once" in said
    assert "started 2   finished 2   complete 2" in said
    assert [line.split() for line in said.splitlines() if "final" in line] == [
        ["audio", "→", "its", "final", "49.0", "98.0", "99.0", "100"]
    ]
    assert "not complete" not in said and "late: make" not in said


def test_what_is_wrong_is_said():
    tally = measured(CA1={"missing": 2.0}, CA2={"backfilled": 1.0})
    tally.add(Played("CA3", "inbound", error="refused"))
    tally.unexpected, tally.feed_lost = 3, 1
    said = shown(tally, late(0.001, 0.5))

    for part in (
        "1 × refused",
        "not complete: CA1",
        "1 calls were transcribed in part after their end",
        "sent 3 messages",
        "the feed broke 1 times",
        "the load itself was late",
    ):
        assert part in said


def test_without_the_record_nothing_is_said_to_be_complete():
    said = shown(measured(), recorded=False)

    assert "complete" not in said and "nothing is known of what was transcribed" in said
    assert figures(Plan(2, 8.0), measured(), late(), False)["complete"] is None


def test_a_program_gets_the_same():
    told = figures(Plan(2, 8.0), measured(CA1={}, CA2={"missing": 1.0}), late(0.0012), True)

    assert (told["calls"], told["finished"], told["complete"], told["incomplete"]) == (2, 2, 1, ["CA2"])
    assert told["delays"]["final"] == {"p50": 49.0, "p99": 98.0, "max": 99.0, "measured": 100}
    assert told["delays"]["load"]["max"] == 1.2 and not told["in_doubt"]
