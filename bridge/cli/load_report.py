"""The figures of a load, for a terminal or a program."""

from typing import Any

from rich.console import Console
from rich.table import Table

from bridge.local.load import Delays, Plan, Tally

MOST_LATE = 0.003
"""Seconds, p99, by which frames may go out late before the load itself is in doubt."""
_SHOWN = 5  # reasons, and ids


def figures(plan: Plan, tally: Tally, late: Delays, recorded: bool) -> dict[str, Any]:
    """Everything that was measured; delays in milliseconds. `recorded`: the record was asked."""
    delays = {name: _milliseconds(delays) for name, delays in _delays(tally, late).items()}
    return {
        "calls": len(tally.played),
        "at_once": plan.calls,
        "seconds": plan.seconds,
        "started": tally.started,
        "finished": tally.finished,
        "complete": tally.complete if recorded else None,
        "backfilled": tally.backfilled if recorded else None,
        "incomplete": tally.incomplete() if recorded else None,
        "errors": dict(tally.errors()),
        "unexpected_messages": tally.unexpected,
        "feed_lost": tally.feed_lost,
        "delays": delays,
        "in_doubt": _in_doubt(late),
    }


def show(console: Console, plan: Plan, tally: Tally, late: Delays, recorded: bool) -> None:
    """Print them, and what is to be thought of them."""
    console.print(f"{len(tally.played)} calls of {plan.seconds:g} s, {plan.calls} at once")
    counted = {"started": tally.started, "finished": tally.finished}
    if recorded:
        counted["complete"] = tally.complete
    console.print("   ".join(f"{name} {number}" for name, number in counted.items()))
    table = Table("delay, ms", box=None, pad_edge=False)
    for column in ("p50", "p99", "max", "measured"):
        table.add_column(column, justify="right")
    for name, delays in _delays(tally, late).items():
        if delays.count:
            numbers = _milliseconds(delays)
            table.add_row(_NAMES[name], *(f"{numbers[key]:.1f}" for key in ("p50", "p99", "max")), str(delays.count))
    console.print(table)
    for line in _remarks(tally, late, recorded):
        console.print(line, style="yellow", soft_wrap=True, markup=False)


_NAMES = {
    "upgrade": "connect → socket open",
    "start": "start → call.started",
    "interim": "audio → its interim",
    "final": "audio → its final",
    "end": "stop → call.ended",
    "load": "the load itself, late",
}


def _delays(tally: Tally, late: Delays) -> dict[str, Delays]:
    return {
        "upgrade": tally.upgrades,
        "start": tally.starts,
        "interim": tally.interims,
        "final": tally.finals,
        "end": tally.ends,
        "load": late,
    }


def _milliseconds(delays: Delays) -> dict[str, float | int]:
    return {
        "p50": round(delays.percentile(50) * 1000, 1),
        "p99": round(delays.percentile(99) * 1000, 1),
        "max": round(delays.most * 1000, 1),
        "measured": delays.count,
    }


def _in_doubt(late: Delays) -> bool:
    return late.percentile(99) > MOST_LATE


def _remarks(tally: Tally, late: Delays, recorded: bool) -> list[str]:
    said = [f"{number} × {error}" for error, number in tally.errors().most_common(_SHOWN)]
    if recorded and (missing := tally.incomplete()):
        said.append(f"not complete: {', '.join(missing[:_SHOWN])}{' …' if len(missing) > _SHOWN else ''}")
    if recorded and tally.backfilled:
        said.append(f"{tally.backfilled} calls were transcribed in part after their end")
    if tally.unexpected:
        said.append(f"the bridge sent {tally.unexpected} messages; Twilio takes none on a <Start> stream (31924)")
    if tally.feed_lost:
        said.append(f"the feed broke {tally.feed_lost} times: delays of that time are missing")
    if not recorded:
        said.append("the record was not asked, so nothing is known of what was transcribed")
    if _in_doubt(late):
        said.append("the load itself was late: make fewer calls, or have this machine do nothing else")
    return said
