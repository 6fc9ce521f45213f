"""Everything that chance decides, decided beforehand from one seed: a seed and a size are a scenario.

Pure. Each call draws from a stream of its own, so that it is the same however many others there are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf
from random import Random

from bridge.local.deepgram import NO_FAULTS, Faults
from bridge.local.receiver import Fault
from tests.chaos.scenario import FRAME, GRACE, Break, CallPlan, Fork, Kind, Loss, Scenario, Window

_BUSY: tuple[Kind, ...] = ("503", "429", "down", "cut")
_ALTERED = 12  # sockets of a call
_WEBHOOK: tuple[Kind, ...] = ("500", "down", "slow")


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    calls: int
    at_once: int
    """Calls that talk at a time, about."""
    seconds: tuple[float, float]
    """A call's shortest and longest."""
    kills: int
    restarts: int
    """By SIGTERM, the last one aside."""
    windows: int
    """Server-wide faults of Deepgram's, and half as many of the webhook's."""
    full: int
    """Times that the disk is full."""
    account: bool = False
    """Whether Deepgram refuses the account for a while, which nobody asks about more often than every 10 s."""


FULL = Size(calls=200, at_once=40, seconds=(10.0, 20.0), kills=4, restarts=4, windows=8, full=2, account=True)
SHORT = Size(calls=12, at_once=24, seconds=(5.0, 8.0), kills=1, restarts=1, windows=2, full=1)


def make(seed: int, size: Size) -> Scenario:
    """The scenario of a seed."""
    chance = Random(f"{seed} run")
    pause = sum(size.seconds) / 2 / size.at_once
    calls = tuple(_call(seed, number, number * pause, size) for number in range(size.calls))
    # A few are still talking then.
    ends = sorted(call.starts + call.seconds for call in calls)
    stops = ends[-1 - max(2, size.calls // 40)] - 0.5
    kills = tuple(_spread(chance, size.kills, 2.0, stops - 1.0))
    restarts = tuple(_spread(chance, size.restarts, 2.0, stops - 1.0))
    return Scenario(
        seed,
        calls,
        kills,
        restarts,
        stops,
        tuple(_deepgram(chance, size, stops)),
        tuple(_webhook(chance, size.windows // 2, stops)),
        {
            "BRIDGE_GRACE": f"{GRACE:g}",
            "BRIDGE_BACKFILL_TIMEOUT": "600",
            "BRIDGE_STOP": chance.choice(("keep", "keep", "end")),
            "BRIDGE_STOP_TIMEOUT": "10",
            "BRIDGE_FLUSH_TIMEOUT": chance.choice(("1", "2", "4")),
            "BRIDGE_REPLAY_SPEED": chance.choice(("1.25", "2", "8")),
            "BRIDGE_REPLAY_WINDOW": chance.choice(("5", "120")),
            "BRIDGE_CHUNK_MS": chance.choice(("20", "60", "100")),
        },
        full=tuple(_full([*kills, *restarts, stops], size.full)),
    )


def altered(plan: Scenario) -> Scenario:
    """The same, with finals on every socket that are lost, late, or have an odd word."""

    def alter(call: CallPlan) -> CallPlan:
        chance = Random(f"{plan.seed} altered {call.number}")
        sockets = [*call.connections, *[NO_FAULTS] * (_ALTERED - len(call.connections))]
        return replace(
            call,
            connections=tuple(
                replace(
                    faults, **{chance.choice(("lose_finals", "late_finals", "odd_words")): chance.choice((1, 2, 4))}
                )
                for faults in sockets
            ),
        )

    return replace(plan, calls=tuple(map(alter, plan.calls)))


def restarts(seed: int, calls: int, count: int, pause: float) -> Scenario:
    """Calls that all talk through `count` restarts by SIGTERM, `pause` seconds apart, on an otherwise good day."""
    seconds = count * pause + 5.0
    return Scenario(
        seed,
        tuple(
            CallPlan(
                number,
                f"CA{seed % 2**32:08x}{number:024x}",
                seed * 1_000_003 + number,
                round(0.05 * number, 3),
                seconds,
                asked=0.3,
            )
            for number in range(calls)
        ),
        kills=(),
        restarts=tuple(2.0 + pause * place for place in range(count)),
        stops=seconds + 3.0,
        deepgram=(),
        webhook=(),
        settings={"BRIDGE_GRACE": "15", "BRIDGE_STOP": "keep"},
    )


def hand_overs(seed: int, calls: int, count: int, pause: float) -> Scenario:
    """Calls that all talk while `count` processes take them over, one from the other, on an otherwise good day."""
    plan = restarts(seed, calls, count, pause)
    return replace(plan, restarts=(), hand_overs=plan.restarts)


def crowded(seed: int, calls: int, strangers: int) -> Scenario:
    """Calls on an otherwise good day, with strangers at the door."""
    seconds = 30.0
    return Scenario(
        seed,
        tuple(
            CallPlan(
                number,
                f"CA{seed % 2**32:08x}{number:024x}",
                seed * 1_000_003 + number,
                round(3.0 + 0.2 * number, 3),
                seconds,
            )
            for number in range(calls)
        ),
        kills=(),
        restarts=(),
        stops=seconds + 0.2 * calls + 8.0,
        deepgram=(),
        webhook=(),
        settings={"BRIDGE_GRACE": "5"},
        strangers=strangers,
    )


def _spread(chance: Random, count: int, begin: float, end: float) -> Iterator[float]:
    """Moments, one in each of `count` equal parts."""
    part = max(0.0, end - begin) / max(1, count)
    return (round(begin + part * (place + chance.random()), 2) for place in range(count))


def _deepgram(chance: Random, size: Size, stops: float) -> Iterator[Window]:
    moments = list(_spread(chance, size.windows, 1.0, stops))
    kinds = [chance.choice(_BUSY) for _ in moments]
    lengths = [chance.uniform(0.5, 3.0) for _ in moments]
    if size.account:
        # What lasts is early enough for the others to be seen too.
        kinds[1], lengths[1] = "401", 1.0
        lengths[-3] = chance.uniform(6.0, 12.0)
    return _windows(moments, lengths, kinds)


def _full(strikes: Sequence[float], count: int) -> Iterator[tuple[float, float]]:
    """In the longest times between two strikes: what only the memory holds does not survive one."""
    between = sorted(pairwise(sorted([0.0, *strikes])), key=lambda one: one[0] - one[1])[:count]
    for before, after in sorted(between):
        begins, ends = before + 4.0, min(before + 7.0, after - 2.0)
        if ends > begins:
            yield round(begins, 2), round(ends, 2)


def _webhook(chance: Random, count: int, stops: float) -> Iterator[Window]:
    moments = list(_spread(chance, count, 1.0, stops))
    kinds = [chance.choice(_WEBHOOK) for _ in moments]
    return _windows(moments, [chance.uniform(0.5, 3.0) for _ in moments], kinds)


def _windows(moments: Sequence[float], lengths: Sequence[float], kinds: Sequence[Kind]) -> Iterator[Window]:
    """None reaches into the next."""
    nexts = [*(moment - 0.3 for moment in moments[1:]), inf]
    for begins, length, next_, kind in zip(moments, lengths, nexts, kinds, strict=True):
        yield Window(begins, round(max(begins, min(begins + length, next_)), 2), kind)


def _call(seed: int, number: int, starts: float, size: Size) -> CallPlan:
    chance = Random(f"{seed} call {number}")
    seconds = round(chance.uniform(*size.seconds) / FRAME) * FRAME
    frames = round(seconds / FRAME)

    def hits() -> frozenset[tuple[int, int]]:
        """One frame in a hundred, in three calls of ten."""
        if chance.random() > 0.3:
            return frozenset()
        return frozenset((chance.randrange(2), chance.randrange(frames)) for _ in range(frames // 50))

    fork = _fork(Random(f"{seed} fork {number}"), seconds)
    return CallPlan(
        number,
        f"CA{seed % 2**32:08x}{number:024x}",
        seed * 1_000_003 + number,
        round(starts, 3),
        seconds,
        late=round(chance.uniform(0.5, seconds / 3) / FRAME) * FRAME if chance.random() < 0.15 else 0.0,
        losses=tuple(_losses(chance, frames)),
        repeated=hits(),
        reordered=hits(),
        wobble_ms=chance.choice((0, 0, 2)),
        first_ms=chance.choice((5, 100, 155)),
        garbage_every=chance.choice((0, 0, 7, 50)),
        two_starts=chance.random() < 0.1,
        breaks=tuple(_breaks(chance, seconds)) if fork is None or fork.split else (),
        stops=chance.random() < 0.85,
        after_kill=tuple(_after_kill(chance) for _ in range(size.kills + size.restarts)),
        fork=fork,
        asked=Random(f"{seed} asked {number}").choice((None, 0.1, 0.3, 1.0)),
        connections=tuple(_connections(chance)),
        webhook=tuple(_troubles(chance)),
    )


def _fork(chance: Random, seconds: float) -> Fork | None:
    """Four calls of ten have a second stream: half of them one for each track."""
    kind = chance.random()
    if kind > 0.4:
        return None
    begins = round(chance.uniform(0.3, 2.0), 2)
    early = round(chance.uniform(begins + 0.5, seconds - 0.5), 2)
    first_early = round(chance.uniform(begins + 1.0, seconds - 0.5), 2)
    stops, first_stops, which = chance.random() < 0.5, chance.random() < 0.5, chance.choice("12-")
    return Fork(
        split=kind < 0.2,
        begins=begins,
        ends=early if which == "2" else seconds,
        stops=stops,
        first_ends=first_early if which == "1" else None,
        first_stops=first_stops,
    )


def _losses(chance: Random, frames: int) -> Iterator[Loss]:
    if chance.random() < 0.5:
        return
    for _ in range(chance.choice((1, 2, 6))):
        first, length = chance.randrange(frames), chance.choice((1, 1, 2, 5, 15, 40, 70))
        for channel in chance.choice(((0,), (1,), (0, 1))):
            yield Loss(channel, first, min(length, frames - first))


def _breaks(chance: Random, seconds: float) -> Iterator[Break]:
    for _ in range(chance.choice((0, 0, 0, 0, 1, 1, 2))):
        at = round(chance.uniform(0.5, seconds - 0.5), 2)
        # The last comes back to another record.
        away = chance.choice((0.2, 0.2, 1.0, 1.0, 3.0, None, GRACE + 2.0))
        yield Break(at, away and round(away * chance.uniform(0.8, 1.0), 2))


def _after_kill(chance: Random) -> float | None:
    return round(chance.uniform(0.0, 2.0), 2) if chance.random() < 0.8 else None


def _connections(chance: Random) -> Iterator[Faults]:
    if chance.random() < 0.4:
        return
    for _ in range(chance.choice((1, 1, 2, 3))):
        after = round(chance.uniform(0.5, 7.0), 2)
        delay = round(chance.uniform(0.1, 1.2), 2)
        yield chance.choice(
            (
                NO_FAULTS,
                Faults(drop_after=after),
                Faults(drop_after=after, final_delay=delay),
                Faults(close_after=after),
                Faults(handshake_delay=delay),
                Faults(delay=delay),
                Faults(final_delay=delay),
                Faults(duplicate_finals=True),
                Faults(duplicate_finals=True, drop_after=after, delay=delay / 2),
                Faults(metadata=False),
                Faults(close=False),
                Faults(metadata=False, close=False),
                Faults(stop_answering_after=after),
                Faults(stop_reading_after=after),
                Faults(refuse=chance.choice((503, 429))),
            )
        )


def _troubles(chance: Random) -> Iterator[Fault]:
    if chance.random() < 0.6:
        return
    for _ in range(chance.choice((1, 2, 3))):
        seq, times = chance.randrange(1, 12), chance.choice((1, 1, 2))
        yield chance.choice(
            (
                Fault(status=500, seq=seq, times=times),
                Fault(status=503, seq=seq, times=1, retry_after="1"),
                Fault(status=422, seq=seq, times=times),
                Fault(reset=True, seq=seq, times=times),
                Fault(delay=round(chance.uniform(0.2, 2.0), 2), seq=seq, times=times),
            )
        )
