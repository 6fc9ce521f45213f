"""`bridge deliver`, against a bridge whose webhook has not taken everything."""

import os

import pytest

from bridge.cli.deliver import all_left, call_left, what_is_wrong
from bridge.local.receiver import Fault, Receiver
from bridge.store.sqlite import SQLiteStore
from tests.fakes import frames, words
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

    status, out, err = await deliver(origin)
    assert (status, out.startswith("1 call is posted now.\n"), err) == (0, True, "")
    await receiver.until(lambda: ended(receiver))


@pytest.fixture
async def removed(tmp_path):
    """An endpoint that is in no settings any more, and that something waits for."""
    async with SQLiteStore(tmp_path, ["removed"]) as store:
        await store.append(words.conversation("CA9"))


async def test_what_waits_for_an_endpoint_that_is_removed_is_not_waited_for(removed, origin, receiver):
    receiver.faults = [Fault(status=410, times=1)]
    await play(origin)
    await receiver.until(lambda: len(receiver.deliveries) == 1)

    status, out, err = await deliver(origin, "--wait", "5")
    assert (status, out.endswith("All of it is delivered.\n"), err) == (0, True, "")


async def test_one_call_once_more_from_the_first_event(origin, receiver):
    await play(origin)
    await receiver.until(lambda: ended(receiver))

    delivered = (0, f"{frames.CALL} is delivered to webhook.\n", "")
    assert await deliver(origin, "last", "--after", "0") == delivered
    assert receiver.counters["duplicate"] == len(receiver.seqs(frames.CALL))
    assert await deliver(origin, frames.CALL, "--after", "0", "--wait", "0") == (
        0,
        f"{frames.CALL} is posted now.\n",
        "",
    )


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (Fault(status=503), "status 503; it is tried again"),
        (Fault(status=410), "status 410; it is given up until this command is given again"),
        (Fault(delay=5.0), "no answer within 1 s; it is waited for"),
    ],
)
async def test_what_is_not_taken_is_said_and_fails(origin, receiver, fault, why):
    await play(origin)
    await receiver.until(lambda: ended(receiver))
    receiver.faults = [fault]

    told = await deliver(origin, frames.CALL, "--after", "0", "--wait", "1")
    assert told == (1, "", f"{frames.CALL} is not delivered to webhook: {why}\n{what_is_wrong()}\n")
    assert what_is_wrong().endswith("bridge webhook test")


async def test_what_cannot_be(origin):
    assert await deliver(origin) == (0, "", "Everything has been delivered.\n")
    assert (await deliver(origin, "--after", "3")).err == (
        "bridge: say which call: --after is the seq of an event of one call\n"
    )
    assert (await deliver(origin, "CA9")).err == "bridge: there is no such call\n"
    assert (await deliver(origin, frames.CALL, "--after", "-1")).status == 2
    assert (await deliver(origin, "--endpoint", "twilio")).err == (
        "bridge: BRIDGE_TWILIO_TRANSCRIPTION_URL is not set: endpoint must be webhook\n"
    )


def lane(cursor, state, reason=None):
    return {"cursor": cursor, "state": state, "reason": reason, "attempts": 0}


def test_how_a_call_stands():
    assert dict(call_left({"webhook": lane(12, "delivered"), "twilio": lane(12, "pending", "status 503")}, 12)) == {}
    assert dict(call_left({"webhook": lane(11, "pending")}, 12)) == {"webhook": None}
    given_up = "status 503; it is given up until this command is given again"
    assert dict(call_left({"webhook": lane(3, "parked", "status 503")}, 12)) == {"webhook": given_up}


def test_how_all_calls_stand():
    well = {"name": "twilio", "state": "well", "waiting": 0, "parked": 0}
    endpoints = [{"name": "webhook", "state": "failing", "waiting": 2, "parked": 1}, well]
    gone = {"name": "webhook", "state": "gone", "waiting": 9, "parked": 0}
    stuck = [{"endpoint": "webhook", "call_id": f"CA{number}", "reason": "status 503"} for number in range(3)]

    assert dict(all_left({"endpoints": endpoints, "calls": stuck[:2], "more": False})) == {"webhook": None}
    assert dict(all_left({"endpoints": endpoints, "calls": stuck, "more": False})) == {
        "webhook": "status 503; 2 calls wait for another try, 1 given up"
    }
    assert dict(all_left({"endpoints": [gone], "calls": [], "more": False})) == {
        "webhook": "status 410; it is given up until this command is given again"
    }
    assert dict(all_left({"endpoints": endpoints[1:], "calls": [], "more": False})) == {}
