"""What the stores commit: SQLite, and PostgreSQL as one process and as two, on the same disk, one after the other.

Both keep what they acknowledge (`fsync`). Calls append one event of about a kilobyte after the other, each when the one
before is durable: first all that the store takes, then at a pace that is far from it, where the delay counts. Then
their lanes are claimed and settled. The database server shares the cores with this process, as on a small machine.
"""

import argparse
import asyncio
import resource
import tempfile
import time
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import NamedTuple

import uvloop
from rich.table import Table

from bridge.outbox import Settlement
from bridge.store.opening import open_store
from scripts.benchmark.report import percentiles, report
from tests.fakes import postgres, words

CALLS = 200
PACE = 300  # events a second: a thousand calls' finals
LANES = 32  # at a time, as a healthy endpoint is given
TEXT = "what was said in this one " * 20


class Figures(NamedTuple):
    store: str
    rate: float
    """Events a second, as fast as it takes them."""
    full: list[float]
    """Seconds from the append to its commit, meanwhile."""
    paced: list[float]
    """Likewise, at the pace."""
    commits: float
    """Events in a commit, at full speed."""
    cpu: float
    """Milliseconds of this process's CPU per event, at full speed."""
    lanes: float
    """Lanes a second that are claimed and settled."""


async def append(store, call_id, until, delays, pause=0.0, first=0.0):
    """One call's events, one after the other, from the moment `first`."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(first)
    for seq in count(2):
        began = loop.time()
        if began > until:
            return
        await store.append([words.final(call_id, seq, text=TEXT)])
        delays.append(loop.time() - began)
        if pause:
            await asyncio.sleep(max(0.0, pause - delays[-1]))


async def talk(stores, name, seconds, pause=0.0, calls=CALLS):
    """So many calls for so many seconds; the delay of each append."""
    calls = [f"{name}-{number}" for number in range(calls)]
    owners = [stores[number % len(stores)] for number in range(len(calls))]
    await asyncio.gather(
        *(store.append([words.started(call_id)]) for store, call_id in zip(owners, calls, strict=True))
    )
    delays: list[float] = []
    until = asyncio.get_running_loop().time() + seconds
    await asyncio.gather(
        *(
            append(store, call_id, until, delays, pause, pause * number / len(calls))
            for number, (store, call_id) in enumerate(zip(owners, calls, strict=True))
        )
    )
    return delays


async def deliver(stores, seconds):
    """How many lanes a second are claimed and settled, one batch of each."""
    done, until = 0, time.monotonic() + seconds

    async def one(store):
        nonlocal done
        while time.monotonic() < until:
            lanes = await store.claim("webhook", LANES, lease=60.0, now=time.time())
            if not lanes:
                return
            await asyncio.gather(*(store.settle(lane, Settlement(lane.batch_to, None)) for lane in lanes))
            done += len(lanes)

    began = time.monotonic()
    await asyncio.gather(*(one(store) for store in stores))
    return done / (time.monotonic() - began)


async def measure(name, openings, seconds):
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(opening) for opening in openings]
        before, cpu = [store.commits for store in stores], resource.getrusage(resource.RUSAGE_SELF)
        began = time.monotonic()
        full = await talk(stores, "full", seconds)
        rate = len(full) / (time.monotonic() - began)
        after = resource.getrusage(resource.RUSAGE_SELF)
        used = after.ru_utime + after.ru_stime - cpu.ru_utime - cpu.ru_stime
        commits = sum(store.commits for store in stores) - sum(before)
        paced = await talk(stores, "paced", seconds, CALLS / PACE)
        lanes = await deliver(stores, seconds)
    return Figures(name, rate, full, paced, len(full) / commits, used / len(full) * 1000, lanes)


async def run(seconds):
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o755)
        yield await measure("SQLite", [open_store(place / "sqlite", ["webhook"])], seconds)
        (place / "server").mkdir()
        server = postgres.Server(place / "server", fsync="on", full_page_writes="on", shared_buffers="256MB").start()
        try:
            for title, processes in (("PostgreSQL", 1), ("PostgreSQL, two stores", 2)):
                openings = [
                    open_store(place / f"node{processes}-{number}", ["webhook"], database_url=server.url)
                    for number in range(processes)
                ]
                postgres.execute("DROP SCHEMA IF EXISTS bridge CASCADE", server.url)
                yield await measure(title, openings, seconds)
        finally:
            server.stop("fast")


def show(figures):
    table = Table("", "events/s", "in a commit", "p50, p99 ms", f"at {PACE}/s p50, p99 ms", "CPU ms/event", "lanes/s")
    for each in figures:
        full, paced = (percentiles([1000 * delay for delay in delays]) for delays in (each.full, each.paced))
        table.add_row(
            each.store,
            f"{each.rate:,.0f}",
            f"{each.commits:.0f}",
            ", ".join(full),
            ", ".join(paced),
            f"{each.cpu:.2f}",
            f"{each.lanes:,.0f}",
        )
    return table


async def main():
    parser = argparse.ArgumentParser(prog="bench stores", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each of the three loads of a store")
    options = parser.parse_args()
    figures = [each async for each in run(options.seconds)]
    report(show(figures), "psycopg")


if __name__ == "__main__":
    uvloop.run(main())
