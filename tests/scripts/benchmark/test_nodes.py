"""How the figures of several processes are shown."""

from io import StringIO

from rich.console import Console

from scripts.benchmark import nodes
from scripts.benchmark.nodes import Carried, Stored
from tests.chaos.nodes.run import Outcome
from tests.scripts.benchmark.test_comparison import GOOD


def printed(table):
    out = StringIO()
    Console(file=out, width=200).print(table)
    return out.getvalue()


def test_what_stores_commit():
    shown = printed(nodes.show_stored([Stored("two", 4321.0, [0.001, 0.002], 95.0, 0.21, 1999.0, 88.4, 9, 2.34)]))

    for cell in ("4,321", "95", "1.5, 2.0", "0.21", "1,999", "88", "9", "2.3"):
        assert cell in shown
    assert shown.count("–") == 0
    assert printed(nodes.show_stored([Stored("SQLite", 1.0, [], 1.0, 1.0, 1.0)])).count("–") == 5


def test_what_bridges_carry():
    shown = printed(nodes.show_carried([Carried("one", GOOD, 0.5), Carried("four", "too many calls")], 60))

    assert f"{1000 / GOOD.cpu:.0f}" in shown and "0.50" in shown and "too many calls" in shown


def test_what_a_failover_takes_and_what_went_wrong():
    outcome = Outcome(faults=["a word was lost"], pauses={"kill": [11.0, 13.0, 12.0]})

    assert list(nodes.told(outcome)) == [
        "kill: to the first frame at another process 12.0 s, at most 13.0 s, of 3 calls",
        "! a word was lost",
    ]


def test_calls_talk_while_processes_fail():
    plan = nodes.failing()

    for strike in plan.strikes:
        assert all(call.starts < strike.at < call.starts + call.seconds - 20.0 for call in plan.calls)
