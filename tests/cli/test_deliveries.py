"""`bridge deliveries`, against a bridge with two endpoints, one of which is not well."""

import json
import os

import pytest

from bridge.cli.deliver import what_is_wrong
from bridge.local.receiver import Fault, Receiver
from tests.fakes import frames
from tests.fakes.command import command
from tests.fakes.reading import TOKEN
from tests.fakes.running import WEBHOOK_SECRET, bridge, deepgram, settings
from tests.fakes.talk import play


@pytest.fixture
async def receivers():
    async with Receiver(WEBHOOK_SECRET) as one, Receiver(WEBHOOK_SECRET) as two:
        yield one, two


@pytest.fixture
async def origin(tmp_path, receivers, monkeypatch):
    for name in [name for name in os.environ if name.startswith("BRIDGE_")]:
        monkeypatch.delenv(name)
    one, two = receivers
    file = tmp_path / "endpoints.toml"
    file.write_text(
        f'[[endpoint]]\nname = "crm"\nurl = "{two.url}"\nsecret = "{WEBHOOK_SECRET}"\nevents = ["call.ended"]'
    )
    webhook = {"webhook_url": one.url, "webhook_secret": WEBHOOK_SECRET, "bridge_endpoints": file}
    async with deepgram() as server, bridge(settings(tmp_path, server.url, **webhook, bridge_read_tokens=TOKEN)) as url:
        yield url


def deliveries(origin, *arguments):
    return command("deliveries", *arguments, "--url", origin, BRIDGE_READ_TOKENS=TOKEN)


def ended(receiver):
    return any(event["type"] == "call.ended" for event in receiver.events(frames.CALL))


async def test_what_stands_and_what_is_stuck(origin, receivers):
    one, two = receivers
    one.faults = [Fault(status=410, times=1)]
    await play(origin)
    await two.until(lambda: ended(two))
    await one.until(lambda: len(one.deliveries) == 1)

    told = await deliveries(origin)
    assert (told.status, told.err) == (0, f"{what_is_wrong()}\n")
    webhook, crm, *stuck = told.out.splitlines()
    assert webhook.startswith("webhook (http://127.0.0.1:") and "said that it is gone" in webhook
    assert "last: status 410 in" in webhook and "1 call waiting" in webhook
    assert crm.startswith("crm (http://127.0.0.1:") and "takes what it gets; last: status 20" in crm
    assert stuck[0].startswith(f"  {frames.CALL} to webhook: ") and stuck[0].endswith(": status 410")

    stands = json.loads((await deliveries(origin, "--json", "--endpoint", "crm")).out)
    assert [endpoint["name"] for endpoint in stands["endpoints"]] == ["crm"]
    assert (stands["calls"], stands["more"]) == ([], False)


async def test_one_event_and_all_since_a_time(origin, receivers):
    one, two = receivers
    await play(origin)
    for receiver in receivers:
        await receiver.until(lambda receiver=receiver: ended(receiver))
    had = len(two.deliveries)
    status = 1
    while status:  # the last answer has come here, but perhaps not yet there
        seq = two.seqs(frames.CALL)[-1]
        status, out, _ = await deliveries(origin, frames.CALL, "--seq", str(seq), "--endpoint", "crm")
    assert out.startswith("crm answered: status 20")
    assert len(two.deliveries) == had + 1

    assert (await deliveries(origin, frames.CALL, "--seq", "1", "--endpoint", "crm")).out == (
        "crm is not told of this event\n"
    )
    assert await deliveries(origin, "--since", "2000-01-01T00:00:00Z") == (0, "1 call is posted now.\n", "")
    await one.until(lambda: one.counters["duplicate"] == len(one.seqs(frames.CALL)))
    assert (await deliveries(origin, "--since", "2999-01-01")).out == "0 calls are posted now.\n"


async def test_an_event_that_is_not_accepted_is_a_failure(origin, receivers):
    one, _ = receivers
    await play(origin)
    await one.until(lambda: ended(one))
    one.faults = [Fault(status=500, times=1)]

    told = await deliveries(origin, frames.CALL, "--seq", "1", "--endpoint", "webhook")
    assert (told.status, told.out) == (2, "webhook answered: status 500\n")


async def test_what_cannot_be(origin):
    assert (await deliveries(origin, "CA1")).err == "bridge: one event needs both: the call's id, and --seq\n"
    assert (await deliveries(origin, "CA1", "--seq", "1", "--since", "2000-01-01")).err == (
        "bridge: --since is for all calls; for one call there is bridge deliver CALL --after\n"
    )
    assert (await deliveries(origin, "--since", "yesterday")).status == 2
    assert (await deliveries(origin, "CA9", "--seq", "1")).err == "bridge: there is no such call\n"
