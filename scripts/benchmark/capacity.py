"""What calls cost as there are more of them, and what each feature costs: the table of `bridge/docs/capacity.md`.

The bridge runs alone on the first core, in some rows on the first two; callers, Deepgram, webhook and readers run in
this process on the last, which on a machine with two cores is the bridge's second one. Of the rounds of a row that
nothing disturbed the one with the least CPU counts. It takes about ten minutes, and begins no row after thirteen.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from rich.table import Table

from scripts.bench import BRIDGE
from scripts.benchmark.authority import Authority
from scripts.benchmark.comparison import best, doubts_of
from scripts.benchmark.generator import Figures, Frames, Generator, make_frames
from scripts.benchmark.peers import Broken
from scripts.benchmark.report import percentiles, report
from scripts.benchmark.target import Target, free_port, take_second_core

LONGEST = 13 * 60.0
"""Seconds after which no row is begun."""
TOKEN = "a-token-for-the-readers-of-a-bench"
COLUMNS = (
    "calls",
    "set-up",
    "CPU, % of a core",
    "memory per call, kB",
    "audio in → Deepgram, ms",
    "final → POST, ms",
)


class Row(NamedTuple):
    """What is measured."""

    title: str
    calls: int
    environment: Mapping[str, str] = {}
    cores: int = 1
    tls: bool = False
    readers: int = 0
    posts: bool = True
    rounds: int = 1


def rows(calls: int, most: int) -> list[Row]:
    """First what all else is compared with; `calls`: of the rows with a feature, `most`: of the last row."""
    steps = [Row("webhook", number) for number in range(calls // 2, most + 1, calls // 2) if number != calls]
    features = [
        Row("webhook", calls),
        Row("no webhook", calls, posts=False),
        Row("+ Deepgram over TLS", calls, tls=True),
        Row("+ interims posted", calls, {"WEBHOOK_INTERIM": "true"}),
        Row("+ recordings", calls, {"BRIDGE_RECORDINGS": "true"}),
        Row("+ one reader of all calls", calls, readers=1),
        Row("+ all of these", calls, {"WEBHOOK_INTERIM": "true", "BRIDGE_RECORDINGS": "true"}, tls=True, readers=1),
    ]
    cores = [Row("two cores", number, cores=2) for number in (calls, 2 * calls)]
    cores.append(Row("two cores, + Deepgram over TLS", 2 * calls, cores=2, tls=True))
    return [*(row._replace(rounds=2) for row in features), *steps, *cores]


class Bench:
    """Measures rows, with what they share."""

    def __init__(self, seconds: float, authority: Authority) -> None:
        self._seconds, self._authority = seconds, authority

    def measure(self, row: Row) -> Figures | str:
        """The best of its rounds; a sentence if it cannot be measured."""
        try:
            return best([self._once(row) for _ in range(row.rounds)])
        except Broken as error:
            return str(error)

    def _once(self, row: Row) -> Figures:
        generator = Generator(
            frames(row.calls, self._seconds), self._authority.serving if row.tls else None, [TOKEN] * row.readers
        )
        with tempfile.TemporaryDirectory() as folder:
            own = {"PORT": str(free_port()), "DATA_DIR": folder, "DEEPGRAM_URL": generator.deepgram_url}
            own["BRIDGE_READ_TOKENS"] = TOKEN
            own["WEBHOOK_URL"] = generator.webhook_url if row.posts else ""
            own["SSL_CERT_FILE"] = str(self._authority.certificate) if row.tls else ""
            command = [sys.executable, "-m", "bridge", "serve"]
            target = Target(row.title, command, {**BRIDGE, **own, **row.environment}, frozenset(range(row.cores)))
            try:
                return generator.run(target, self._seconds)
            finally:
                target.stop()


@cache
def frames(calls: int, seconds: float) -> Frames:
    """Those of so many calls; rows with as many have the same."""
    return make_frames(calls, seconds)


def cells(row: Row, figures: Figures | str) -> list[str]:
    """The row as it is shown."""
    if isinstance(figures, str):
        return [str(row.calls), row.title, figures, "–", "–", "–"]
    return [
        str(row.calls),
        row.title,
        f"{figures.cpu * row.calls / 10:.0f}",
        f"{figures.memory:.0f}",
        percentiles(figures.audio)[1],
        percentiles(figures.finals)[1],
    ]


def markdown(lines: list[list[str]]) -> str:
    """The table, for the page."""
    return "\n".join(f"| {' | '.join(line)} |" for line in [list(COLUMNS), ["---"] * len(COLUMNS), *lines])


def measured(bench: Bench, chosen: list[Row]) -> Iterator[tuple[Row, Figures | str]]:
    """Row by row, as long as there is time."""
    ends = monotonic() + LONGEST
    last = 0
    for row in chosen:
        if monotonic() > ends:
            yield row, "left out: there was no time"
            continue
        if row.calls != last:
            frames.cache_clear()
        last = row.calls
        print(f"{row.calls} calls, {row.title} …", file=sys.stderr)
        yield row, bench.measure(row)


def main(options: argparse.Namespace) -> None:
    """Measure, and print the table and what speaks against it."""
    table = Table(*COLUMNS)
    lines, found = [], []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options.seconds, Authority(Path(folder)))
        for row, figures in measured(bench, rows(options.calls, options.most)):
            lines.append(cells(row, figures))
            table.add_row(*lines[-1])
            if not isinstance(figures, str):
                found += [f"{row.calls} calls, {row.title}: {doubt}" for doubt in doubts_of(figures)]
    if options.markdown:
        print(markdown(lines))
    report(table, "aiohttp", "websockets", "uvloop")
    print("\n".join(found))


def parsed() -> argparse.Namespace:
    """What was chosen. Exits if it makes no sense."""
    parser = argparse.ArgumentParser(
        prog="bench capacity", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=100, help="of the rows with a feature")
    parser.add_argument("--most", type=int, default=250, help="calls of the last step on one core")
    parser.add_argument("--seconds", type=float, default=8.0, help="measured of each row, after it has settled")
    parser.add_argument("--markdown", action="store_true", help="print the table for the page, too")
    options = parser.parse_args()
    if not (2 <= options.calls <= options.most <= 400 and 1 <= options.seconds <= 30):
        parser.error("2 to 400 calls, 1 to 30 seconds")
    return options


if __name__ == "__main__":
    choice = parsed()
    take_second_core()
    os.sched_setaffinity(0, {(os.cpu_count() or 2) - 1})
    os.environ.pop("SSL_CERT_FILE", None)
    main(choice)
