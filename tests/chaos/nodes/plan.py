"""What befalls the nodes of a run, decided beforehand from a seed: the same seed strikes the same nodes, alike.

Pure. Moments are seconds since the first call. Nodes are struck in turn, so that the one that was struck before has
had the time to be itself again, and there is always one that is well.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from tests.chaos.scenario import FRAME, CallPlan

Kind = Literal["kill", "drain", "stall", "cut", "partition"]
"""`kill -9`; SIGTERM; SIGSTOP for longer than the lease; the wire to the database is cut, or takes nothing any more."""

KINDS: tuple[Kind, ...] = ("kill", "drain", "stall", "cut")

EVERY = 10.0
"""Seconds between two strikes."""

AWAY = 15.0
"""Seconds for which a node is stalled or cut off: longer than the lease, and than it takes others to see that."""

GRACE = 20.0
"""Seconds for which a call waits for its stream."""


@dataclass(frozen=True, slots=True)
class Strike:
    """Something happens to a node, and some time later it is well again."""

    at: float
    node: int
    kind: Kind

    def __str__(self) -> str:
        return f"{self.kind} node {self.node} at {self.at:.1f} s"


@dataclass(frozen=True, slots=True)
class NodesPlan:
    """A run."""

    seed: int
    nodes: int
    calls: tuple[CallPlan, ...]
    strikes: tuple[Strike, ...]
    restarts: tuple[tuple[float, str], ...]
    """When PostgreSQL is stopped, and `pg_ctl`'s mode; it is started again at once."""
    ends: float
    """When the last call is over, and the last node is well again."""

    def describe(self) -> Iterator[str]:
        """What befalls everybody, a line each."""
        yield "; ".join(map(str, self.strikes))
        yield f"PostgreSQL restarts: {', '.join(f'{mode} at {at:.1f} s' for at, mode in self.restarts)}"


def make(seed: int, *, nodes: int = 3, calls: int = 200, at_once: int = 40, rounds: int = 3) -> NodesPlan:
    """`at_once`: calls that talk at a time, about. `rounds`: how often there is each kind of strike."""
    strikes = tuple(_strikes(seed, nodes, rounds))
    struck = strikes[-1].at + AWAY  # all of it under calls
    seconds = min(40.0, max(6.0, struck * at_once / calls))
    pause = struck / calls
    planned = tuple(_call(seed, number, number * pause, seconds) for number in range(calls))
    halves = len(strikes) // 2, len(strikes) - 1
    modes = ("fast", "immediate")
    restarts = tuple((strikes[place].at + EVERY / 2, mode) for place, mode in zip(halves, modes, strict=True))
    ends = max(struck, *(call.starts + call.seconds for call in planned))
    return NodesPlan(seed, nodes, planned, strikes, restarts, ends)


def only(plan: NodesPlan, numbers: frozenset[int]) -> NodesPlan:
    """The same with some of its calls alone; all keeps its moments."""
    return replace(plan, calls=tuple(call for call in plan.calls if call.number in numbers))


def _strikes(seed: int, nodes: int, rounds: int) -> Iterator[Strike]:
    chance = Random(f"{seed} strikes")
    turn = list(range(nodes))
    chance.shuffle(turn)
    kinds: list[Kind] = []
    for number in range(rounds):
        some = [*KINDS[:3], KINDS[3] if number % 2 == 0 else "partition"]
        chance.shuffle(some)
        kinds += some
    for place, kind in enumerate(kinds):
        yield Strike(EVERY * (place + 1), turn[place % nodes], kind)


def _call(seed: int, number: int, starts: float, seconds: float) -> CallPlan:
    chance = Random(f"{seed} call {number}")
    return CallPlan(
        number,
        f"CA{seed % 2**32:08x}{number:024x}",
        seed * 1_000_003 + number,
        round(starts, 3),
        round(seconds * chance.uniform(0.6, 1.4) / FRAME) * FRAME,
        wobble_ms=chance.choice((0, 0, 2)),
        first_ms=chance.choice((5, 100, 155)),
        stops=chance.random() < 0.9,
        asked=round(chance.uniform(0.1, 1.0), 2),
    )
