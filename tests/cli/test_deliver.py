"""`bridge deliver`, against a bridge whose webhook has not taken everything."""

import os

import pytest

from bridge.local.receiver import Fault, Receiver
from tests.fakes import frames
from tests.fakes.command import command
from tests.fakes.reading import TOKEN
from tests.fakes.running import WEBHOOK_SECRET, bridge, deepgram, settings
from tests.fakes.talk import play


@pytest.fixture
async def receiver():
    async with Receiver(WEBHOOK_SECRET) as running:
        yield running


@pytest.fixture
async def origin(tmp_path, receiver, monkeypatch):
    for name in [name for name in os.environ if name.startswith("BRIDGE_")]:
        monkeypatch.delenv(name)
    webhook = {"webhook_url": receiver.url, "webhook_secret": WEBHOOK_SECRET}
    async with deepgram() as server, bridge(settings(tmp_path, server.url, **webhook, bridge_read_tokens=TOKEN)) as url:
        yield url


def deliver(origin, *arguments):
    return command("deliver", *arguments, "--url", origin, BRIDGE_READ_TOKENS=TOKEN)


def ended(receiver):
    return any(event["type"] == "call.ended" for event in receiver.events(frames.CALL))


async def test_after_a_410_everything(origin, receiver):
    receiver.faults = [Fault(status=410, times=1)]
    await play(origin)
    await receiver.until(lambda: len(receiver.deliveries) == 1)

    assert await deliver(origin) == (0, "1 call is posted now.\n", "")
    await receiver.until(lambda: ended(receiver))


async def test_one_call_once_more_from_the_first_event(origin, receiver):
    await play(origin)
    await receiver.until(lambda: ended(receiver))

    assert await deliver(origin, frames.CALL, "--after", "0") == (0, f"{frames.CALL} is posted now.\n", "")
    await receiver.until(lambda: receiver.counters["duplicate"] == len(receiver.seqs(frames.CALL)))


async def test_what_cannot_be(origin):
    assert await deliver(origin) == (0, "", "Everything has been delivered.\n")
    assert (await deliver(origin, "--after", "3")).err == (
        "bridge: say which call: --after is the seq of an event of one call\n"
    )
    assert (await deliver(origin, "CA9")).err == "bridge: there is no such call\n"
    assert (await deliver(origin, frames.CALL, "--after", "-1")).status == 2
