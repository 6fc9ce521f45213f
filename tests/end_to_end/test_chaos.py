"""A short chaos run: a dozen calls with faults at every joint, one kill and two SIGTERMs, and no word lost.

`scripts/chaos` runs the long ones, with another seed every time.
"""

from tests.chaos import chance, report
from tests.chaos.run import Run

SEED = 1


async def test_nothing_is_lost_and_nothing_comes_twice(tmp_path):
    plan = chance.make(SEED, chance.SHORT)

    outcome = await Run(plan, tmp_path, patience=40.0).run()

    command = f"./scripts/chaos --short --seed {SEED}"
    assert outcome.passed, "\n".join(report.failures(outcome, plan, tmp_path, command))
    assert (outcome.counts["kills"], outcome.counts["restarts"]) == (1, 1)
    assert outcome.counts["asked"] > 0
    assert outcome.counts["live"] > 0
    assert outcome.counts["backfill"] > 0
