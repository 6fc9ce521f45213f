"""How a record of 100,000 calls answers every kind of question over HTTP, and what it costs to keep.

The bridge runs alone on the first core; who asks runs in this process on the second, one question at a time. What is
asked for twice stands in memory: a disk that is read for the first time is not measured.
"""

import argparse
import asyncio
import http.client
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import uvloop
from rich.table import Table

from bridge.events import TranscriptFinal
from bridge.store.sqlite import FILENAME, SQLiteStore
from scripts.benchmark.archive import BEGAN, RARE, call_started, fill, party, word
from scripts.benchmark.report import percentiles, report
from scripts.benchmark.served import event, transcript
from scripts.benchmark.target import Target, free_port, take_second_core

TOKEN = "a-token-for-readers"
REQUESTS = 50
PATIENCE = 10.0  # seconds for the questions of one kind
APPENDS = 1000
COMMON, MIDDLING = 0, 2000  # ranks of words: said in every call, and in one of two hundred


def questions(ids):
    """What is asked, the address, and whether an answer is to come in 50 ms."""
    often, again, elsewhere = word(0, COMMON), word(0, COMMON + 1), word(1, COMMON)
    said = [
        ("a common word", often),
        ("a middling word", word(0, MIDDLING)),
        ("a rare word", RARE),
        ("two common words", f"{often} {again}"),
        ("a rare and a common word", f"{often} {RARE}"),
        ("a phrase", f'"{word(0, 3)} {word(0, 40)}"'),
        ("a long beginning", f"{word(0, MIDDLING)[:5]}*"),
        ("a beginning of one letter", f"{often[0]}*"),
    ]
    middle = ids[len(ids) // 2]
    return [
        ("first page", "/calls", True),
        ("a page in the middle", f"/calls?before={middle}", False),
        ("calls that go on", "/calls?active=true", False),
        ("a caller's whole number", f"/calls?from={quote(party(77))}", False),
        *((f"q: {name}", f"/calls?q={quote(text)}", True) for name, text in said),
        ("q: two common words that never meet", f"/calls?q={often}+{elsewhere}", False),
        ("q: two words of 1 call in 3 that never meet", f"/calls?q={word(0, 30)}+{word(1, 30)}", False),
        ("q: a common word, no such caller", f"/calls?q={often}&from=4999", False),
        ("one call", f"/calls/{middle}", False),
        ("its transcript.json", f"/calls/{middle}/transcript.json", False),
        ("its events", f"/calls/{middle}/events", False),
    ]


def ask(port, path):
    """What each answer took, in ms."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    times: list[float] = []
    until = time.perf_counter() + PATIENCE
    while len(times) < REQUESTS and (len(times) < 2 or time.perf_counter() < until):
        began = time.perf_counter()
        connection.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
        response = connection.getresponse()
        body = response.read()
        times.append((time.perf_counter() - began) * 1000)
        if response.status != 200:
            raise SystemExit(f"{path} was answered {response.status}: {body[:200]!r}")
    connection.close()
    return times


async def serve(folder, ids):
    """Seconds to start, octets of memory before the first question, and the times of all answers."""
    began, port = time.perf_counter(), free_port()
    environment = {
        "PORT": str(port),
        "HOST": "127.0.0.1",
        "DATA_DIR": str(folder),
        "DEEPGRAM_API_KEY": "key",
        "TWILIO_SIGNATURE": "off",
        "BRIDGE_READ_TOKENS": TOKEN,
        "BRIDGE_LOG_LEVEL": "warning",
        "BRIDGE_START_CHECKS": "false",
    }
    target = Target("the bridge", [sys.executable, "-m", "bridge", "serve"], environment)
    try:
        await target.ready()
        started, memory = time.perf_counter() - began, target.memory()
        times = [await asyncio.to_thread(ask, port, path) for _, path, _ in questions(ids)] if ids else []
        return {"start": started, "memory": memory, "times": times, "after": target.memory()}
    finally:
        target.stop()


async def appends(*folders):
    """What each append takes, in ms, by the folder: in turns, so that the disk is the same to all."""
    times: list[list[float]] = [[] for _ in folders]
    stores = [SQLiteStore(folder) for folder in folders]
    for store in stores:
        await store.__aenter__()
        await store.append([call_started("CA-bench", party(1), BEGAN)])
    for index in range(APPENDS):
        for store, took in zip(stores, times, strict=True):
            said = event("CA-bench", index + 2, transcript(TranscriptFinal, index, 1))
            began = time.perf_counter()
            await store.append([said])
            took.append((time.perf_counter() - began) * 1000)
    for store in stores:
        await store.__aexit__(None, None, None)
    return times


async def opening(folder):
    """Seconds until a store is open."""
    began = time.perf_counter()
    async with SQLiteStore(folder):
        return time.perf_counter() - began


async def main(options):
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        large, empty = Path(one), Path(other)
        began = time.perf_counter()
        ids = fill(large, options.calls)
        filled = time.perf_counter() - began
        take_second_core()
        size = (large / FILENAME).stat().st_size
        await serve(empty, [])  # what is loaded for the first time
        without = await serve(empty, [])
        served = await serve(large, ids)
        opened = [await opening(folder) for folder in (empty, large)]
        appended = await appends(empty, large)
    show(options, ids, served, appended)
    print(f"filled in {filled:.0f} s, {size / 1e6:.0f} MB")
    print(f"opened in {opened[1] * 1000:.0f} ms, an empty one in {opened[0] * 1000:.0f} ms")
    print(f"the bridge up in {served['start']:.1f} s, with an empty record in {without['start']:.1f} s")
    print(
        f"its memory {served['memory'] / 1e6:.0f} MB, with an empty record {without['memory'] / 1e6:.0f} MB, "
        f"after all questions {served['after'] / 1e6:.0f} MB"
    )


def show(options, ids, served, appended):
    table = Table(title=f"A record of {options.calls} calls, one question at a time")
    for column in ("ms", "p50", "p99", "goal"):
        table.add_column(column, justify="left" if column == "ms" else "right")
    for (title, _, fast), times in zip(questions(ids), served["times"], strict=True):
        table.add_row(title, *percentiles(times), "p50 ≤ 50" if fast else "")
    table.add_section()
    for title, times in zip(("append, an empty record", "append, this record"), appended, strict=True):
        table.add_row(title, *percentiles(times), "the same" if "this" in title else "")
    report(table, "aiohttp", "uvloop")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="bench record", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=100_000)
    chosen = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(chosen))
