"""How much memory a call takes after an outage of Deepgram's that began with it, and how much audio stands on the disk.

The audio comes faster than real time: what is held does not depend on how long it took.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from random import Random

import uvloop
from rich.table import Table

from bridge.local.deepgram import Faults, LocalDeepgram
from bridge.local.script import TimedRecognizers, random_script
from scripts.benchmark import media
from scripts.benchmark.report import report
from scripts.benchmark.target import Target, free_port, take_second_core

OUTAGE = 600.0  # seconds of audio that come while Deepgram is away
SPEED = 8.0  # times real time
WINDOW = 120  # seconds of audio in memory: the default of BRIDGE_REPLAY_WINDOW
SECOND = 50  # frames


class HurriedCall:
    """A call whose audio comes faster than real time."""

    _writer: asyncio.StreamWriter

    def __init__(self, number):
        self._number = number

    async def start(self, port):
        reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        self._writer.write(
            f"GET /media/twilio HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in head.split(b"\r\n", 1)[0]:
            raise SystemExit(f"the bridge refused a call: {head[:80]!r}")
        self._writer.writelines(media.opening(self._number))

    async def play(self, seconds):
        """A second's worth at once."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        frames = zip(*media.frames(self._number, round(seconds * SECOND), Random(1)), strict=True)
        for index, pair in enumerate(frames, 1):
            self._writer.writelines(pair)
            if index % SECOND == 0:
                await self._writer.drain()
                await asyncio.sleep(began + index / SECOND / SPEED - loop.time())


async def measure(target, folder, count):
    """Thousands of octets a call takes in memory, and on the disk. A first call pays for what is loaded once."""
    await target.ready()
    first, *calls = [HurriedCall(number) for number in range(count + 1)]
    await first.start(target.port)
    await first.play(10.0)
    idle = target.memory()
    for call in calls:
        await call.start(target.port)
    await asyncio.gather(*(call.play(OUTAGE) for call in calls))
    await asyncio.sleep(3.0)
    files = [path for path in Path(folder, "audio").rglob("*.ulaw") if media.call_id(0) not in str(path)]
    kept = sum(path.stat().st_size for path in files)
    return (target.memory() - idle) / count / 1000, kept / count / 1000


async def main(options):
    faults = Faults(refuse=503)
    async with LocalDeepgram(TimedRecognizers(random_script(7, 10.0)), faults=faults) as deepgram:
        with tempfile.TemporaryDirectory() as folder:
            environment = {
                "PORT": str(free_port()),
                "HOST": "127.0.0.1",
                "DEEPGRAM_URL": deepgram.url,
                "DEEPGRAM_API_KEY": "key",
                "DATA_DIR": folder,
                "TWILIO_SIGNATURE": "off",
                "BRIDGE_LOG_LEVEL": "warning",
                "BRIDGE_START_CHECKS": "false",
                "BRIDGE_STOP_TIMEOUT": "1",
            }
            target = Target("the bridge", [sys.executable, "-m", "bridge", "serve"], environment)
            try:
                memory, disk = await measure(target, folder, options.calls)
            finally:
                target.stop()
    show(memory, disk, options)


def show(memory, disk, options):
    table = Table(title=f"{options.calls} calls after {OUTAGE / 60:.0f} minutes without Deepgram")
    for column in ("kB per call", "", "goal"):
        table.add_column(column, justify="right" if column != "kB per call" else "left")
    table.add_row("in memory", f"{memory:.0f}", f"≤ {600 + 16 * WINDOW}")
    table.add_row("kept on the disk", f"{disk:.0f}", f"{16 * OUTAGE:.0f}")
    report(table, "aiohttp", "websockets", "uvloop")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="bench outage", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=8)
    chosen = parser.parse_args()
    take_second_core()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(chosen))
