"""How late many readers have what is said in a call, what that costs, and whether one who comes back misses anything.

The target (`served.py`) runs alone on the first core; the readers run in this process on the second.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time

import aiohttp
import uvloop
from rich.table import Table

from scripts.benchmark.readers import Idler, come_back, follow
from scripts.benchmark.report import percentiles, report
from scripts.benchmark.served import TOKEN
from scripts.benchmark.target import Target, free_port, take_second_core

SETTLE = 3  # seconds until all readers have caught up, before anything is measured
INTERIMS, FINALS = 10, 2  # a second
RETURNERS, CUTS = 20, 100
LONGEST = 0.25  # seconds between two cuts of one reader
BUSY = 20  # finals a second, and as many interims, while readers are cut


async def watch(target, session, options):
    """Delays of all readers, and what they cost."""
    call_id, duration = "CA1", SETTLE + options.seconds
    talk = asyncio.create_task(say(session, call_id, seconds=duration, interims=INTERIMS, finals=FINALS))
    await begun(session, call_id)
    alone = target.memory()
    idler = Idler(target.port, call_id, TOKEN)
    readers = [await follow(target.port, call_id, TOKEN) for _ in range(options.readers)]
    await asyncio.sleep(SETTLE - 0.5)
    since, cpu, memory, cut = time.monotonic_ns(), target.cpu(), [target.memory()], None
    while not talk.done():
        await asyncio.sleep(0.5)
        memory.append(target.memory())
        if cut is None and not idler.connected:
            cut = SETTLE + (time.monotonic_ns() - since) / 1e9
        if time.monotonic_ns() - since < options.seconds * 1e9:
            used, elapsed = target.cpu() - cpu, (time.monotonic_ns() - since) / 1e9
    said = await talk
    await asyncio.wait_for(asyncio.gather(*(reader.ended.wait() for reader in readers)), 10.0)
    arrivals = [arrival for reader in readers for arrival in reader.arrivals if arrival[0] >= since]
    for reader in [idler, *(reader.transport for reader in readers)]:
        reader.close()
    return {
        "delays": [(there - given) / 1e6 for given, there in arrivals],
        "append": said["append"],
        "cpu": used / elapsed,
        "each": used / elapsed / (len(arrivals) / options.seconds) * 1e6,
        "alone": alone,
        "memory": memory,
        "cut": cut,
        "wrong": sum(errors(reader.cursors, said["events"]) != (0, 0) for reader in readers),
    }


async def cut_and_resume(target, session):
    """Events that readers missed, and had twice, who were cut all the time."""
    call_id, chance = "CA2", random.Random(1)
    seconds = round(CUTS * LONGEST / 2 * 1.4) + 1
    talk = asyncio.create_task(say(session, call_id, seconds=seconds, interims=BUSY, finals=BUSY))
    await begun(session, call_id)
    readers = (come_back(target.port, call_id, TOKEN, CUTS, chance, LONGEST) for _ in range(RETURNERS))
    async with asyncio.timeout(2 * seconds):
        cursors, said = await asyncio.gather(asyncio.gather(*readers), talk)
    return [errors(each, said["events"]) for each in cursors]


def errors(cursors, events):
    """How many of the events were missed, and how many came again."""
    return events - len(set(cursors)), len(cursors) - len(set(cursors))


async def say(session, call_id, **pace):
    async with session.post(f"/talk/{call_id}", params=pace, raise_for_status=True) as response:
        return await response.json()


async def begun(session, call_id):
    for _ in range(100):
        async with session.get(f"/calls/{call_id}") as response:
            if response.status == 200:
                return
        await asyncio.sleep(0.05)
    raise SystemExit("the call did not begin")


def show(measured, resumed, options):
    table = Table(title=f"{options.readers} readers of one call on one core, {options.seconds} s")
    for column in ("", "p50", "p99", "max", "goal"):
        table.add_column(column, justify="left" if not column else "right")
    for title, key, goal in (("append, ms", "append", ""), ("append → reader, ms", "delays", "p99 ≤ 50")):
        table.add_row(title, *percentiles(measured[key]), f"{max(measured[key]):.1f}", goal)
    table.add_section()
    begin, *_, end = memory = [resident / 1e6 for resident in measured["memory"]]
    cut = measured["cut"]
    for title, value, goal in (
        ("CPU of the server, % of a core", f"{measured['cpu'] * 100:.0f}", ""),
        ("CPU per event and reader, µs", f"{measured['each']:.0f}", ""),
        ("memory per reader, kB", f"{(begin * 1e6 - measured['alone']) / options.readers / 1e3:.0f}", ""),
        ("memory at the beginning, at most, at the end, MB", f"{begin:.1f}, {max(memory):.1f}, {end:.1f}", "flat"),
        ("who takes nothing is cut, s", f"{cut:.0f}" if cut else "not yet", "20"),
        ("readers who missed or repeated something", f"{measured['wrong']}", "0"),
        (
            f"{RETURNERS} readers cut {CUTS} times: missed, repeated",
            f"{sum(missed for missed, _ in resumed)}, {sum(again for _, again in resumed)}",
            "0, 0",
        ),
    ):
        table.add_row(title, value, "", "", goal)
    report(table, "aiohttp", "uvloop", "pydantic")


async def main(options):
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "scripts.benchmark.served", folder]
        target = Target("the server", command, {"PORT": str(free_port())})
        headers = {"Authorization": f"Bearer {TOKEN}"}
        try:
            await target.ready()
            async with aiohttp.ClientSession(f"http://127.0.0.1:{target.port}", headers=headers) as session:
                measured = await watch(target, session, options)
                resumed = await cut_and_resume(target, session)
        finally:
            target.stop()
    show(measured, resumed, options)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="bench live", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--readers", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=25, help="measured, after everything has settled")
    chosen = parser.parse_args()
    take_second_core()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(chosen))
