"""Live calls while the first of two origins of Deepgram fails at random, against the same calls without a fault.

Everything is on loopback and goes at the pace of life: the bridge is a process of its own with its usual patience. The
faults end some time before the calls do, so that a probe can find the first origin well and the calls go back to it.
"""

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

import aiohttp
import uvloop
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import connect

from bridge.delivery.signing import format_secret
from bridge.local.deepgram import Faults, LocalDeepgram
from bridge.local.receiver import Receiver
from bridge.local.script import CodedRecognizers, encode, random_script
from tests.chaos.house import House
from tests.fakes import frames

SECRET = format_secret(bytes(range(32)))
FRAME = 0.02  # seconds
QUIET = 40.0  # seconds at the end without faults: calls go back when nothing has failed for 15
PATIENCE = 120.0  # seconds for everything to settle after the last call


def spoil(origin, random, kind):
    """Each socket that comes to an origin from now on has a fault of its own, or none; so have probes."""
    for index in range(500):
        after = random.uniform(0.5, 20.0)
        kinds = {
            "refuse": [Faults(refuse=random.choice([400, 401, 403, 429, 503])), Faults(handshake_delay=30.0)],
            "stall": [Faults(stop_answering_after=random.choice([0.0, after])), Faults(stop_reading_after=after)],
            "drop": [Faults(drop_after=after), Faults(close_after=after)],
        }
        met = kinds.get(kind) or [fault for faults in kinds.values() for fault in faults]
        origin.faults_of[index] = random.choice([Faults(), *met])


async def mend(origin, when):
    """From then on it has none; a socket keeps what it was given."""
    await asyncio.sleep(when - asyncio.get_running_loop().time())
    origin.faults_of.clear()


async def play(house, number, audio, begins):
    """One call, frame by frame, as a carrier sends it."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(begins - loop.time())
    call, stream = f"CA{number:04}", f"MZ{number:04}"
    async with connect(house.media_url, compression=None) as socket:
        await socket.send(frames.start(call, stream))
        began = loop.time()
        messages = iter(frames.talk(*audio))
        for index, pair in enumerate(zip(messages, messages, strict=True), 1):
            for message in pair:
                await socket.send(message)
            await asyncio.sleep(began + index * FRAME - loop.time())
        await socket.send(frames.stop(stream=stream))


def of_type(events, kind):
    return [event["data"] for event in events if event["type"] == kind]


def settled(events):
    """It has ended, and nothing more is transcribed."""
    ended = of_type(events, "call.ended")
    if not ended or not ended[0]["uncovered"]:
        return bool(ended)
    later = of_type(events, "transcription.backfilled")
    return bool(of_type(events, "audio.gap")) or bool(later and not later[-1]["waiting"])


def words(events):
    """What finals said: (channel, start, end, word)."""
    return sorted(
        (final["channel"], word["start"], word["end"], word["word"])
        for final in of_type(events, "transcript.final")
        for word in final["words"]
    )


async def run(options, seed):
    """All events by call, and the metrics by origin; `seed` None: without a fault."""
    script = random_script(options.seed, options.seconds)
    audio = encode(script, options.seconds)
    recognizers = CodedRecognizers(script)
    with tempfile.TemporaryDirectory() as folder:
        async with (
            LocalDeepgram(recognizers, remember=False) as first,
            LocalDeepgram(recognizers, remember=False) as second,
            Receiver(SECRET) as receiver,
        ):
            environment = {
                "DEEPGRAM_URL": f"{first.url} {second.url}",
                "DEEPGRAM_API_KEY": "key",
                "TWILIO_SIGNATURE": "off",
                "WEBHOOK_URL": receiver.url,
                "WEBHOOK_SECRET": SECRET,
                "BRIDGE_GRACE": "0",
                "BRIDGE_LOG_LEVEL": "warning",
            }
            calls = [f"CA{number:04}" for number in range(options.calls)]
            async with House(Path(folder), environment) as house:
                begins = asyncio.get_running_loop().time() + 0.5
                async with asyncio.TaskGroup() as tasks:
                    if seed is not None:
                        spoil(first, Random(seed), options.faults)
                        tasks.create_task(mend(first, begins + options.seconds - QUIET))
                    for number in range(options.calls):
                        tasks.create_task(play(house, number, audio, begins + number * 0.25))
                await receiver.until(lambda: all(settled(receiver.events(call)) for call in calls), PATIENCE)
                metrics = await by_origin(house, (first, second))
                await house.stop()
            return {call: receiver.events(call) for call in calls}, metrics


async def by_origin(house, servers):
    """The metrics that have an origin: name to (first, second)."""
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{house.port}/metrics") as response:
        families = list(text_string_to_metric_families(await response.text()))
    values = {
        (family.name, sample.labels["origin"]): sample.value
        for family in families
        for sample in family.samples
        if "origin" in sample.labels and not sample.name.endswith("_created")
    }
    names = sorted({name for name, _ in values})
    return {name: [values[name, server.url.removeprefix("ws://")] for server in servers] for name in names}


def differences(usual, found):
    """A line for each call that says something else."""
    for call, told in found.items():
        missed, more = (Counter(words(told)), Counter(words(usual[call])))
        lacking, doubled = more - missed, missed - more
        if lacking or doubled:
            yield f"{call}: {sum(lacking.values())} words missed or moved, {sum(doubled.values())} doubled or moved"
        if of_type(told, "audio.gap"):
            yield f"{call}: {len(of_type(told, 'audio.gap'))} gaps"


def main(options):
    """Exit status: 0 if all calls say the same."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        usual, _ = runner.run(run(options, None))
        found, metrics = runner.run(run(options, options.seed))
    every = [event for told in found.values() for event in told]
    said = sum(len(words(told)) for told in usual.values())
    troubles = Counter(data["reason"].partition(":")[0] for data in of_type(every, "transcription.interrupted"))
    sources = Counter(final["source"] for final in of_type(every, "transcript.final"))
    print(f"seed {options.seed}, faults {options.faults}: {options.calls} calls of {options.seconds:g} s")
    print(f"without a fault: {said} words")
    print(f"told of the first origin: {dict(troubles)}")
    print(
        f"finals: {dict(sources)}; sockets: {sum(len(of_type(t, 'call.ended')[0]['requests']) for t in found.values())}"
    )
    for name, values in metrics.items():
        print(f"{name}: first {values[0]:g}, second {values[1]:g}")
    faults = list(differences(usual, found))
    print("\n".join(faults) or "words and times are those of the run without a fault")
    return bool(faults)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="failover", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=80.0, help="of each call; the last 40 are without faults")
    parser.add_argument("--faults", choices=["any", "refuse", "stall", "drop"], default="any")
    parser.add_argument("--seed", type=int, default=1)
    sys.exit(main(parser.parse_args()))
