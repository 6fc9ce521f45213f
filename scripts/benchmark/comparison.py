"""The table of a benchmark: what each target cost, how many times what the others did, and whether to believe it."""

from collections.abc import Mapping, Sequence
from statistics import quantiles
from typing import NamedTuple

from rich.table import Table

from scripts.benchmark.generator import Figures
from scripts.benchmark.report import percentiles, report

MOST_STOLEN = 2.0  # percent
MOST_FOREIGN = 5.0  # percent
MOST_LATE = 3.0  # ms, p99


class Run(NamedTuple):
    """What is measured, and over what it talks to Deepgram."""

    floor: str
    """How the floor reads JSON; empty: the bridge."""
    tls: bool

    @property
    def title(self) -> str:
        """For the head of a column."""
        return f"{f'floor, {self.floor}' if self.floor else 'bridge'}{', TLS' if self.tls else ''}"


Measured = Mapping[Run, Figures]


def show(measured: Measured, title: str) -> None:
    """Print it, and say when it is worth nothing."""
    table = Table(title=title)
    table.add_column("")
    for run in measured:
        table.add_column(run.title.replace(", ", "\n"), justify="right")
    table.add_column("goal", justify="right")
    add_costs(table, measured)
    add_delays(table, measured)
    adddoubts_of(table, measured)
    report(table, "aiohttp", "websockets", "uvloop", "msgspec", "pydantic")
    for doubt in doubts(measured):
        print(doubt)


def add_costs(table: Table, measured: Measured) -> None:
    """CPU and memory, and the CPU beside others'."""
    table.add_row("CPU per call-second, ms", *(f"{each.cpu:.2f}" for each in measured.values()), "")
    for floor, goal in (("json", ""), ("msgspec", "≤ 1.0")):
        if any(run.floor == floor for run in measured):
            beside = [ratio(measured, run, Run(floor, run.tls)) for run in measured]
            table.add_row(f"  × the floor with {floor}", *beside, goal)
    if any(run.tls for run in measured):
        table.add_row("  × the same without TLS", *(_beside_plain(measured, run) for run in measured), "≤ 1.25")
    table.add_row("memory per call, kB", *(f"{each.memory:.0f}" for each in measured.values()), "≤ 220")
    table.add_row("reads per call-second", *(f"{each.reads:.0f}" for each in measured.values()), "≤ 25")
    table.add_section()


def add_delays(table: Table, measured: Measured) -> None:
    """How late audio and words are."""
    rows = (
        ("audio in → Deepgram, ms", [each.audio for each in measured.values()], "≤ 20"),
        ("final → POST, ms", [each.finals for each in measured.values()], "≤ 20"),
    )
    for title, delays, goal in rows:
        for place, name in enumerate(("p50", "p99")):
            cells = [percentiles(each)[place] for each in delays]
            table.add_row(f"{title}, {name}", *cells, goal if name == "p99" else "")
    table.add_section()


def adddoubts_of(table: Table, measured: Measured) -> None:
    """How good the load was."""
    figures = measured.values()
    late = [f"{highest(each.late):.1f}, {max(each.late):.1f}" for each in figures]
    for title, cells, goal in (
        ("load: late, ms, p99, max", late, f"p99 ≤ {MOST_LATE:g}"),
        ("load: % of its core", [f"{each.own:.0f}" for each in figures], ""),
        ("% of the core: stolen", [f"{each.stolen:.1f}" for each in figures], f"≤ {MOST_STOLEN:g}"),
        ("% of the core: others", [f"{each.foreign:.1f}" for each in figures], f"≤ {MOST_FOREIGN:g}"),
    ):
        table.add_row(title, *cells, goal)


def best(rounds: Sequence[Figures]) -> Figures:
    """The one with the least CPU of those that are to be believed; of all, if none is.

    A target that is held up reads more at once, and costs less: a disturbed round must not win.
    """
    sound = [figures for figures in rounds if not doubts_of(figures)]
    return min(sound or rounds, key=lambda figures: figures.cpu)


def doubts(measured: Measured) -> list[str]:
    """Why to measure again, in sentences."""
    return list(dict.fromkeys(doubt for figures in measured.values() for doubt in doubts_of(figures)))


def doubts_of(figures: Figures) -> list[str]:
    """Why not to believe one measurement, in sentences."""
    found = []
    if figures.stolen > MOST_STOLEN:
        found.append("The host took the core away too often: measure again.")
    if figures.foreign > MOST_FOREIGN:
        found.append("Something else ran on the target's core: measure again, with nothing else running.")
    if highest(figures.late) > MOST_LATE:
        found.append("The load itself was late: measure again, with nothing else running or with fewer calls.")
    return found


def ratio(measured: Measured, run: Run, other: Run) -> str:
    """What a target cost beside another one, if that was measured."""
    return f"{measured[run].cpu / measured[other].cpu:.2f}" if other in measured else "–"


def _beside_plain(measured: Measured, run: Run) -> str:
    return ratio(measured, run, Run(run.floor, False)) if run.tls else ""


def highest(values: list[float]) -> float:
    """What 99 of 100 do not exceed."""
    return quantiles(values, n=100, method="inclusive")[98] if len(values) > 1 else max(values, default=0.0)
