"""What a call costs and how late its audio and its words are, on one core, beside the least it could cost.

The target runs alone on the first core; callers, the Deepgram-compatible server in scripted mode and the webhook run in
this process on the second. The floor (`benchmark/floor.py`) gets the same load in the same run. Quote the ratio: the
milliseconds are this machine's.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path

import uvloop
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent.parent))

from bridge.delivery.signing import format_secret  # noqa: E402
from bridge.local.deepgram import Faults, LocalDeepgram  # noqa: E402
from bridge.local.receiver import Receiver  # noqa: E402
from bridge.local.script import TimedRecognizers, random_script  # noqa: E402
from scripts.benchmark.load import LoadCall, encode_media  # noqa: E402
from scripts.benchmark.report import percentiles, report  # noqa: E402
from scripts.benchmark.target import Target, free_port, take_second_core  # noqa: E402

ROOT = Path(__file__).parent.parent
SECRET = format_secret(bytes(range(32)))
STAGGER = 5.0  # seconds over which the calls begin: they all say the same, and are not to say it at once
OUTAGE = 600.0  # seconds of audio that come while Deepgram is away
OUTAGE_CALLS = 8
OUTAGE_SPEED = 8.0  # times real time
WINDOW = 120  # seconds of audio in memory: the default of BRIDGE_REPLAY_WINDOW
SETTLE = 5.0  # seconds after the last call has started, before anything is measured


async def measure(name, command, environment, options, frames, script):
    async with (
        LocalDeepgram(TimedRecognizers(script)) as deepgram,
        Receiver(SECRET) as receiver,
    ):
        port = free_port()
        command = [part.format(port=port, deepgram=deepgram.url) for part in command]
        with tempfile.TemporaryDirectory() as data_dir:
            environment = {
                **environment,
                "PORT": str(port),
                "HOST": "127.0.0.1",
                "DEEPGRAM_URL": deepgram.url,
                "WEBHOOK_URL": receiver.url,
                "DATA_DIR": data_dir,
            }
            target = Target(name, command, environment)
            try:
                await target.ready()
                return await load(target, deepgram, receiver, options, frames)
            finally:
                target.stop()


async def load(target, deepgram, receiver, options, frames):
    calls = [LoadCall(f"CA{index:032d}") for index in range(options.calls)]
    await asyncio.sleep(1.0)
    idle = target.memory()
    players = []
    for index, call in enumerate(calls):
        await call.start(target.port)
        players.append(asyncio.create_task(call.play(frames, index / options.calls * 0.02)))
        await asyncio.sleep(STAGGER / options.calls)
    await asyncio.sleep(SETTLE)
    began, cpu = asyncio.get_running_loop().time(), target.cpu()
    await asyncio.sleep(options.seconds)
    ended, used = asyncio.get_running_loop().time(), target.cpu() - cpu
    resident = target.memory()
    await asyncio.gather(*players)
    for call in calls:
        await call.stop()
    await asyncio.sleep(2.0)
    for call in calls:
        call.close()
    return {
        "cpu": used / (ended - began) / options.calls * 1000,
        "memory": (resident - idle) / options.calls / 1000,
        "audio": audio_delays(calls, deepgram, began, ended),
        "results": result_delays(deepgram, receiver, began, ended),
    }


async def outage(environment):
    """Octets of memory a call takes after an outage that began with it, and how much audio stands on the disk.

    The audio comes faster than real time: what is held does not depend on how long it took. A first call pays for what
    is loaded once.
    """
    frames = encode_media(*speech(OUTAGE))
    async with LocalDeepgram(TimedRecognizers(random_script(7, 10.0)), faults=Faults(refuse=503)) as deepgram:
        with tempfile.TemporaryDirectory() as data_dir:
            port = free_port()
            given = {"PORT": str(port), "HOST": "127.0.0.1", "DEEPGRAM_URL": deepgram.url, "DATA_DIR": data_dir}
            command = [sys.executable, "-m", "bridge", "serve"]
            target = Target("the bridge", command, {**environment, **given, "BRIDGE_STOP_TIMEOUT": "1"})
            try:
                await target.ready()
                first, *calls = [LoadCall(f"CA{index:032d}") for index in range(OUTAGE_CALLS + 1)]
                await first.start(port)
                await first.hurry(frames[:500], OUTAGE_SPEED)
                idle = target.memory()
                for call in calls:
                    await call.start(port)
                await asyncio.gather(*(call.hurry(frames, OUTAGE_SPEED) for call in calls))
                await asyncio.sleep(3.0)
                kept = sum(path.stat().st_size for path in Path(data_dir, "audio").rglob("*.ulaw"))
                return {
                    "memory": (target.memory() - idle) / OUTAGE_CALLS / 1000,
                    "disk": kept / OUTAGE_CALLS / 1000,
                }
            finally:
                target.stop()


def by_call(deepgram):
    """The servers' connections in the order in which the calls were made."""
    named = {dict(connection.query).get("extra", ""): connection for connection in deepgram.connections}
    if "" in named:
        return deepgram.connections
    return [named[name] for name in sorted(named)]


def audio_delays(calls, deepgram, began, ended):
    """From the writing of a frame to the arrival of its last octet at Deepgram's, in ms."""
    delays = []
    for call, connection in zip(calls, by_call(deepgram), strict=True):
        arrivals = iter(connection.arrivals)
        heard, at = 0, 0.0
        for index, sent in enumerate(call.sent):
            while heard < (index + 1) * 320:
                following = next(arrivals, None)
                if following is None:
                    break
                at, octets = following
                heard += octets
            if began <= sent <= ended and heard >= (index + 1) * 320:
                delays.append((at - sent) * 1000)
    return delays


def result_delays(deepgram, receiver, began, ended):
    """From a final's leaving Deepgram's to the arrival of its POST, in ms, where the lane was idle.

    Idle: nothing of that call was posted in the second before. What comes while a POST is out waits for its answer,
    and how soon the webhook answers is the webhook's affair.
    """
    posted = {(delivery.call_id, seq): delivery.at for delivery in receiver.deliveries for seq in delivery.seqs}
    busy: dict[str, list[float]] = {}
    for delivery in receiver.deliveries:
        busy.setdefault(delivery.call_id, []).append(delivery.at)

    def counts(call_id, moment):
        return began <= moment <= ended and not any(moment - 1.0 < at < moment for at in busy.get(call_id, ()))

    delays = []
    for connection in deepgram.connections:
        call_id = (dict(connection.query).get("extra") or "").removeprefix("call_id:")
        finals = [e for e in receiver.events(call_id) if e["type"] == "transcript.final"]
        for track, channel in (("inbound", 0), ("outbound", 1)):
            said = [
                at
                for at, text in connection.sent
                if (message := json.loads(text))["type"] == "Results"
                and message["is_final"]
                and message["channel_index"][0] == channel
                and message["channel"]["alternatives"][0]["transcript"]
            ]
            told = [posted[call_id, e["seq"]] for e in finals if e["data"]["track"] == track]
            delays += [(at - left) * 1000 for left, at in zip(said, told, strict=False) if counts(call_id, left)]
    return delays


def show(measured, options):
    table = Table(title=f"{options.calls} both-track calls at real-time pace on one core, {options.seconds:g} s")
    for column in ("", "floor", "bridge", "ratio", "goal"):
        table.add_column(column, justify="left" if not column else "right")
    floor, bridge = measured.get("floor"), measured["bridge"]

    def row(title, key, goal):
        least = floor[key] if floor else None
        ratio = f"{bridge[key] / least:.2f}" if least else "–"
        table.add_row(title, f"{least:.2f}" if least is not None else "–", f"{bridge[key]:.2f}", ratio, goal)

    row("CPU per call-second, ms", "cpu", "ratio ≤ 1.5, ≤ 3.0 ms")
    row("memory per call, kB", "memory", "≤ 300")
    for title, key, goal in (
        ("audio in → Deepgram, ms", "audio", "p99 ≤ chunk + 20"),
        ("result in → POST, ms", "results", "p99 ≤ 20"),
    ):
        for place, name in enumerate(("p50", "p99")):
            cells = [percentiles(side[key])[place] if side else "–" for side in (floor, bridge)]
            table.add_row(f"{title}, {name}", *cells, "", goal if name == "p99" else "")
    if away := measured.get("outage"):
        bound = f"≤ {300 + 16 * WINDOW}"
        table.add_row("memory per call, 10-minute outage, kB", "–", f"{away['memory']:.0f}", "", bound)
        table.add_row("kept on the disk per call, kB", "–", f"{away['disk']:.0f}", "", f"{16 * OUTAGE:.0f}")
    report(table, "aiohttp", "websockets", "uvloop", "msgspec", "pydantic")


async def main(options):
    duration = options.seconds + SETTLE + STAGGER + 1
    script = random_script(7, duration)
    frames = encode_media(*speech(duration))
    bridge = {
        "DEEPGRAM_API_KEY": "key",
        "WEBHOOK_SECRET": SECRET,
        "TWILIO_SIGNATURE": "off",
        "BRIDGE_LOG_LEVEL": "warning",
    }
    measured = {}
    if not options.no_floor:
        floor = [sys.executable, str(ROOT / "scripts/benchmark/floor.py"), "{port}", "{deepgram}"]
        measured["floor"] = await measure("the floor", floor, {}, options, frames, script)
    measured["bridge"] = await measure(
        "the bridge", [sys.executable, "-m", "bridge", "serve"], bridge, options, frames, script
    )
    if not options.no_outage:
        measured["outage"] = await outage(bridge)
    show(measured, options)


def speech(duration):
    """Octets of both tracks; what they say does not matter here."""
    size = int(duration * 8000)
    return os.urandom(size), os.urandom(size)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20.0, help="measured, after everything has settled")
    parser.add_argument("--no-floor", action="store_true", help="the bridge alone")
    parser.add_argument("--no-outage", action="store_true", help="without the calls that Deepgram is away from")
    chosen = parser.parse_args()
    take_second_core()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(chosen))
