"""Calls for half an hour at some share of a core, with faults everywhere, and whether anything of them is left.

Everything is on loopback. The bridge runs alone on the first core; callers, Deepgram and webhook are in this process.
Frames get lost, repeated and reordered, media sockets break and come back, Deepgram's are cut, the webhook refuses. At
the end every call must be complete and delivered, the memory must not have grown, and nothing may be left: no call, no
task, no socket, no file.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from statistics import median
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

import aiohttp  # noqa: E402
import uvloop  # noqa: E402
from aiohttp import web  # noqa: E402
from prometheus_client.parser import text_string_to_metric_families  # noqa: E402
from rich.console import Console  # noqa: E402

from bridge import logs  # noqa: E402
from bridge.cli.client import BridgeAddress, BridgeClient  # noqa: E402
from bridge.cli.load import settle  # noqa: E402
from bridge.cli.load_report import show  # noqa: E402
from bridge.delivery.signing import format_secret  # noqa: E402
from bridge.local import load, sample  # noqa: E402
from bridge.local.deepgram import Faults, LocalDeepgram  # noqa: E402
from bridge.local.script import TimedRecognizers, load_script  # noqa: E402
from bridge.local.wav import load_recording  # noqa: E402
from scripts.benchmark.target import Target, free_port, take_second_core  # noqa: E402

TOKEN = "a-token-for-the-readers-of-a-soak"
MOST_LINES = 300
TRIES = 2
"""Loads from which the number of calls is found out."""
FIRST_LINES, TRY_SECONDS = 15, 12.0
MOST_LATE = 0.5
"""Seconds, p99, by which frames may be late: callers and Deepgram share one process, which measures no delays here."""
CALL_SECONDS = 60.0
CUT, REFUSED = 12, 40
"""Every so-many-eth socket to Deepgram is cut, every so-many-eth POST refused."""
MOST_SOCKETS = 500_000
"""To Deepgram; more than ten hours open."""
SAMPLE = 5.0
"""Seconds between two looks at the memory."""
ENOUGH = 300.0
"""Seconds from which on the memory says something: a process that has just begun grows."""
GROWTH, SLACK = 0.05, 4_000_000
"""Share of the memory, and octets, that two quarters of the time may differ by."""
PATIENCE = 180.0
"""Seconds for the last calls to be complete, and all sockets to be closed."""
AT_REST = ("calls", "events_waiting", "calls_to_deliver", "calls_to_backfill", "readers", "deepgram_origin_sockets")
"""Metrics that must be 0 in the end."""
FAULTS = load.Faults(lost=0.005, repeated=0.002, reordered=0.002, dropped=0.05, away=1.0)


class Held(NamedTuple):
    """What the process of the bridge holds."""

    metrics: dict[str, float]
    files: Counter[str]
    """By kind: sockets by that word, others by their path."""
    audio: int
    """Files of kept audio."""


def lines_for(share: float, cost: float) -> int:
    """How many calls take this share of a core, if one takes `cost` of it."""
    return max(1, min(MOST_LINES, round(share / cost)))


def growth(memory: list[int]) -> float:
    """Octets by which the last quarter of the time took more than the second one, beyond what is usual."""
    quarter = len(memory) // 4
    before, after = median(memory[quarter : 2 * quarter]), median(memory[-quarter:])
    return float(after - before * (1 + GROWTH) - SLACK)


def left_over(before: Held, after: Held) -> list[str]:
    """What is there that was not, in words."""
    found = [f"{name}: {after.metrics[name]:g}" for name in AT_REST if after.metrics.get(name)]
    if (tasks := after.metrics["tasks"] - before.metrics["tasks"]) > 0:
        found.append(f"tasks: {tasks:g}")
    found += [f"{kind}: {number}" for kind, number in sorted((after.files - before.files).items())]
    return found + ([f"files of kept audio: {after.audio}"] if after.audio else [])


class Soak:
    """One bridge, with everything around it."""

    def __init__(self, target: Target, folder: Path, deepgram: LocalDeepgram) -> None:
        self.target, self.folder, self.deepgram = target, folder, deepgram
        self.address = BridgeAddress(f"http://127.0.0.1:{target.port}", TOKEN)
        self.recording = load_recording(sample.CALL)

    async def calls_for(self, share: float) -> int:
        """How many calls take this share of the bridge's core; fewer, if this process cannot make so many."""
        lines = FIRST_LINES
        for _ in range(TRIES):
            cost, _ = await self.measure(lines, TRY_SECONDS)
            lines = min(lines_for(share, cost), lines * 4)
        while (await self.measure(lines, TRY_SECONDS))[1] > MOST_LATE and lines > FIRST_LINES:
            lines = max(FIRST_LINES, lines * 2 // 3)
        return lines

    async def measure(self, lines: int, seconds: float) -> tuple[float, float]:
        """The share of a core that one of so many calls takes, and the seconds by which their frames were late, p99."""
        tally, pacer = load.Tally(), load.Pacer()
        plan = load.Plan(lines, seconds, ramp=2.0, faults=FAULTS)
        cpu, began = self.target.cpu(), time.monotonic()
        await load.play(plan, load.Target(self._media), self.recording, tally, pacer)
        elapsed = time.monotonic() - began - plan.ramp
        return float(self.target.cpu() - cpu) / elapsed / lines, pacer.late.percentile(99)

    async def run(self, lines: int, minutes: float) -> tuple[load.Plan, load.Tally, load.Delays, list[int], float]:
        """All calls, and what the record says of them; the memory every `SAMPLE` seconds, and the share of a core."""
        tally, pacer, opened, memory = load.Tally(), load.Pacer(), asyncio.Event(), []
        seconds = min(CALL_SECONDS, minutes * 60 / 3)
        plan = load.Plan(lines, seconds, min(10.0, seconds), max(0.0, minutes - seconds / 60), FAULTS)

        async def watch() -> None:
            while True:
                memory.append(self.target.memory())
                await asyncio.sleep(SAMPLE)

        aside = [asyncio.create_task(watch())]
        aside.append(asyncio.create_task(load.follow(self.address.url, TOKEN, tally, opened)))
        try:
            cpu, began = self.target.cpu(), time.monotonic()
            await load.play(plan, load.Target(self._media), self.recording, tally, pacer)
            share = (self.target.cpu() - cpu) / (time.monotonic() - began)
            async with BridgeClient(self.address) as client:
                await settle(client, tally, PATIENCE)
        finally:
            for task in aside:
                task.cancel()
            await asyncio.gather(*aside, return_exceptions=True)
        return plan, tally, pacer.late, memory, share

    async def held(self) -> Held:
        """Asked over a connection that is closed afterwards."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.address.url}/metrics") as response:
            text = await response.text()
        metrics: Counter[str] = Counter()
        for family in text_string_to_metric_families(text):
            for each in family.samples:
                metrics[each.name.removeprefix("bridge_")] += each.value  # type: ignore[assignment]
        audio = sum(path.is_file() for path in (self.folder / "audio").rglob("*.ulaw"))
        return Held(dict(metrics), self.target.files(), audio)

    async def at_rest(self, before: Held) -> list[str]:
        """What is left when everything that would go has gone, or patience has ended."""
        ends = time.monotonic() + PATIENCE
        while True:
            found = left_over(before, await self.held())
            if not found or time.monotonic() > ends:
                return found
            await asyncio.sleep(1.0)

    @property
    def _media(self) -> str:
        return f"ws://127.0.0.1:{self.target.port}/media/twilio"


class Webhook:
    """Takes everything but every so-many-eth POST."""

    def __init__(self) -> None:
        self.posts = 0

    async def receive(self, request: web.Request) -> web.Response:
        """200 or 503."""
        await request.read()
        self.posts += 1
        return web.Response(status=503 if self.posts % REFUSED == 0 else 200)


async def served(stack: AsyncExitStack, webhook: Webhook) -> str:
    """The webhook's URL."""
    application = web.Application()
    application.add_routes([web.post("/hook", webhook.receive)])
    runner = web.AppRunner(application, access_log=None)
    stack.push_async_callback(runner.cleanup)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}/hook"


def settings(folder: Path, deepgram: str, webhook: str) -> dict[str, str]:
    """Of the bridge; the usual ones, but for what loopback needs."""
    return {
        "PORT": str(free_port()),
        "HOST": "127.0.0.1",
        "DEEPGRAM_URL": deepgram,
        "DEEPGRAM_API_KEY": "key",
        "DATA_DIR": str(folder),
        "WEBHOOK_URL": webhook,
        "WEBHOOK_SECRET": format_secret(bytes(range(32))),
        "TWILIO_SIGNATURE": "off",
        "BRIDGE_READ_TOKENS": TOKEN,
        "BRIDGE_LOG_LEVEL": "error",
        "BRIDGE_STOP_TIMEOUT": "5",
    }


async def soak(options: argparse.Namespace, folder: Path, console: Console) -> bool:
    """Whether all is well."""
    random, webhook = Random(options.seed), Webhook()
    async with AsyncExitStack() as stack:
        recognizers = TimedRecognizers(load_script(sample.SCRIPT))
        deepgram = await stack.enter_async_context(LocalDeepgram(recognizers, remember=False))
        environment = settings(folder, deepgram.url, await served(stack, webhook))
        target = Target("the bridge", [sys.executable, "-m", "bridge", "serve"], environment)
        stack.callback(target.stop)
        await target.ready()
        here = Soak(target, folder, deepgram)
        if not options.calls:
            console.print(f"finding out how many calls take {options.share * 100:.0f} % of a core …")
        lines = options.calls or await here.calls_for(options.share)
        if options.calls:  # what begins a while after the start is not left over from calls
            await here.measure(min(lines, FIRST_LINES), TRY_SECONDS)
        before = await here.held()
        for index in range(0, MOST_SOCKETS, CUT):
            deepgram.faults_of[index] = Faults(drop_after=random.uniform(0.5, 50.0))
        console.print(f"{lines} calls at once, for {options.minutes:g} minutes, and until the last one is over")
        plan, tally, late, memory, share = await here.run(lines, options.minutes)
        left = await here.at_rest(before)
        show(console, plan, tally, late, True)
        console.print(f"{share * 100:.0f} % of a core", f"{webhook.posts} POSTs", _megabytes(memory), sep="; ")
        complaints = verdict(tally, memory, left)
        for complaint in complaints:
            console.print(complaint, style="red", markup=False)
        return not complaints


def verdict(tally: load.Tally, memory: list[int], left: list[str]) -> list[str]:
    """What is not as it must be, in sentences."""
    found = [f"Left over: {each}." for each in left]
    if tally.complete < len(tally.played):
        found.append(f"{len(tally.played) - tally.complete} calls are not complete.")
    if len(memory) * SAMPLE >= ENOUGH and (more := growth(memory)) > 0:
        found.append(f"The memory has grown: {more / 1e6:.1f} MB more than is usual.")
    return found


def _megabytes(memory: list[int]) -> str:
    short = "" if len(memory) * SAMPLE >= ENOUGH else ", too short to say whether it grows"
    return f"memory {memory[0] / 1e6:.0f} MB at first, {memory[-1] / 1e6:.0f} MB at last{short}"


def parsed() -> argparse.Namespace:
    """What was chosen. Exits if it makes no sense."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--share", type=float, default=0.6, help="of a core that the bridge is to take")
    parser.add_argument("--calls", type=int, help="at once, whatever share they take")
    parser.add_argument("--seed", type=int, default=1, help="of the moments at which Deepgram's sockets are cut")
    options = parser.parse_args()
    if not (0.2 <= options.minutes <= 600 and 0 < options.share <= 1 and 1 <= (options.calls or 1) <= MOST_LINES):
        parser.error(f"12 seconds to 10 hours, a share of 0 to 1, at most {MOST_LINES} calls")
    return options


if __name__ == "__main__":
    chosen = parsed()
    logs.configure("error", "text")  # of the faults, which are meant, a summary is enough
    take_second_core()
    os.environ.pop("SSL_CERT_FILE", None)
    with tempfile.TemporaryDirectory() as data, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(0 if runner.run(soak(chosen, Path(data), Console(highlight=False))) else 1)
