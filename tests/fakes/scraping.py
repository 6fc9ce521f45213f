"""A real scrape of a bridge that has had a call."""

import asyncio
from pathlib import Path
from typing import Any

from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

from bridge.local.receiver import Receiver
from tests.fakes import frames
from tests.fakes.running import WEBHOOK_SECRET, bridge, deepgram, settings
from tests.fakes.talk import play

Samples = dict[str, list[tuple[dict[str, str], float]]]
"""By name, each with its labels."""


async def scrape(origin: str) -> str:
    async with ClientSession() as session, session.get(f"{origin}/metrics") as response:
        return await response.text()


async def scrape_after_a_call(data_dir: Path, **given: Any) -> tuple[str, list[dict[str, Any]]]:
    """What `/metrics` says once a call has been posted to the end, and the events of the call."""
    async with Receiver(WEBHOOK_SECRET) as receiver, deepgram() as server:
        configured = {"webhook_url": receiver.url, "webhook_secret": WEBHOOK_SECRET, **given}
        async with bridge(settings(data_dir, server.url, **configured)) as origin:
            await play(origin)
            await receiver.until(lambda: any(event["type"] == "call.ended" for event in receiver.events(frames.CALL)))
            async with asyncio.timeout(60):
                while not _is_complete(text := await scrape(origin)):
                    await asyncio.sleep(0.02)
        return text, receiver.events(frames.CALL)


def read(text: str) -> Samples:
    samples: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append((sample.labels, sample.value))
    return samples


def value(samples: Samples, name: str, **labels: str) -> float:
    """Of the first sample that has these labels."""
    return next(number for has, number in samples[name] if labels.items() <= has.items())


def _is_complete(text: str) -> bool:
    """The call is over and delivered, and the disk has been looked at."""
    samples = read(text)
    over = value(samples, "bridge_calls") == 0 == value(samples, "bridge_endpoint_calls_waiting", endpoint="webhook")
    return over and {"bridge_disk_bytes", "bridge_dead_letters", "bridge_recordings"} <= samples.keys()
