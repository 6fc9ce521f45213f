"""What the webhook gets again because somebody asked for it: on the real bridge, with a real receiver."""

import aiohttp
import pytest

from bridge.local.receiver import Fault, Receiver
from tests.fakes import frames
from tests.fakes.reading import BEARER, TOKEN
from tests.fakes.running import TWILIO_TOKEN, WEBHOOK_SECRET, bridge, deepgram, settings
from tests.fakes.talk import play
from tests.fakes.transcription import Consumer

ONE = f"/calls/{frames.CALL}/deliveries"


@pytest.fixture
async def receiver():
    async with Receiver(WEBHOOK_SECRET) as running:
        yield running


@pytest.fixture
async def origin(tmp_path, receiver):
    webhook = {"webhook_url": receiver.url, "webhook_secret": WEBHOOK_SECRET}
    async with deepgram() as server, bridge(settings(tmp_path, server.url, **webhook, bridge_read_tokens=TOKEN)) as url:
        yield url


@pytest.fixture
async def session(origin):
    async with aiohttp.ClientSession(origin, headers=BEARER) as somebody:
        yield somebody


async def post(session, path, **body):
    async with session.post(path, **({"json": body} if body else {})) as response:
        return response.status, await response.json()


def types(receiver):
    return [event["type"] for event in receiver.events(frames.CALL)]


async def test_what_was_delivered_comes_again_in_order_with_its_ids(session, origin, receiver):
    await play(origin)
    await receiver.until(lambda: "call.ended" in types(receiver))
    had = receiver.seqs(frames.CALL)
    before = len(receiver.deliveries)

    assert await post(session, ONE, after=2) == (202, {"calls": 1, "endpoints": {"webhook": 1}})

    def again():
        return [seq for delivery in list(receiver.deliveries)[before:] for seq in delivery.seqs]

    await receiver.until(lambda: again()[-1:] == had[-1:])
    assert again() == had[2:]
    assert receiver.seqs(frames.CALL) == had
    assert receiver.counters["duplicate"] == len(had) - 2


async def test_a_webhook_that_said_it_is_gone_gets_everything_when_it_is_asked_for(session, origin, receiver):
    receiver.faults = [Fault(status=410, times=1)]
    await play(origin)
    await receiver.until(lambda: len(receiver.deliveries) == 1)
    assert types(receiver) == []

    assert await post(session, "/deliveries") == (202, {"calls": 1, "endpoints": {"webhook": 1}})
    await receiver.until(lambda: "call.ended" in types(receiver))
    assert receiver.order.violations == []


async def test_where_nothing_waits_nothing_is_posted(session, origin, receiver):
    await play(origin)
    await receiver.until(lambda: "call.ended" in types(receiver))
    delivered = 1
    while delivered:  # the last answer has come here, but perhaps not yet there
        delivered = (await post(session, ONE))[1]["calls"]

    assert await post(session, "/deliveries") == (202, {"calls": 0, "endpoints": {"webhook": 0}})


@pytest.mark.parametrize("after", [-1, "1", 1.5, True, None])
async def test_what_is_no_seq_is_refused(session, after):
    status, body = await post(session, ONE, after=after)

    assert (status, body) == (
        400,
        {"error": "after must be the seq of an event, or 0 for all, in a body of application/json."},
    )


async def test_there_is_no_such_call(session):
    assert (await post(session, "/calls/CA9/deliveries"))[0] == 404


async def test_without_a_webhook_there_is_nobody_to_deliver_to(tmp_path):
    async with deepgram() as server, bridge(settings(tmp_path, server.url, bridge_read_tokens=TOKEN)) as origin:
        async with aiohttp.ClientSession(origin, headers=BEARER) as session:
            assert await post(session, "/deliveries") == (409, {"error": "There is no webhook: set WEBHOOK_URL."})


async def test_readers_only(origin):
    async with aiohttp.ClientSession(origin) as stranger:
        assert (await post(stranger, "/deliveries"))[0] == 401
        assert (await post(stranger, ONE, after=0))[0] == 401


@pytest.fixture
async def two(tmp_path, receiver):
    """A session with a bridge that posts in both formats, and the one who takes Twilio's."""
    async with Consumer(TWILIO_TOKEN) as consumer, deepgram() as server:
        given = {
            "webhook_url": receiver.url,
            "webhook_secret": WEBHOOK_SECRET,
            "bridge_twilio_transcription_url": consumer.url,
            "twilio_account_sid": "AC1",
            "twilio_auth_token": f"{TWILIO_TOKEN} another",
            "bridge_read_tokens": TOKEN,
        }
        async with bridge(settings(tmp_path, server.url, **given)) as url:
            async with aiohttp.ClientSession(url, headers=BEARER) as session:
                yield session, consumer, url
    assert consumer.unsigned == 0


async def test_each_endpoint_gets_a_call_in_its_own_format_and_neither_waits_for_the_other(two, receiver):
    session, consumer, origin = two
    consumer.answers = [410]
    await play(origin)
    await receiver.until(lambda: "call.ended" in types(receiver))
    await consumer.until(lambda: consumer.refused)
    assert consumer.forms == []
    status = (await (await session.get(f"/calls/{frames.CALL}")).json())["deliveries"]["twilio"]
    assert (status["state"], status["cursor"]) == ("pending", 0)
    metrics = await (await session.get("/metrics")).text()
    assert "bridge_twilio_delivery_refuses 1.0" in metrics
    assert "bridge_twilio_calls_to_deliver 1.0" in metrics
    assert "bridge_webhook_refuses 0.0" in metrics

    assert await post(session, "/deliveries", endpoint="twilio") == (202, {"calls": 1, "endpoints": {"twilio": 1}})
    await consumer.until(lambda: consumer.calls and consumer.calls[frames.CALL].stopped)

    finals = [event["data"] for event in receiver.events(frames.CALL) if event["type"] == "transcript.final"]
    assert consumer.calls[frames.CALL].said == [(f"{final['track']}_track", final["text"]) for final in finals]
    assert consumer.numbers == list(range(1, len(finals) + 3))


async def test_one_endpoint_gets_again_what_it_names(two, receiver):
    session, consumer, origin = two
    await play(origin)
    await receiver.until(lambda: "call.ended" in types(receiver))
    await consumer.until(lambda: consumer.calls and consumer.calls[frames.CALL].stopped)
    had = list(consumer.forms)

    again = await post(session, ONE, after=0, endpoint="twilio")
    await consumer.until(lambda: len(consumer.forms) == 2 * len(had))

    assert again == (202, {"calls": 1, "endpoints": {"twilio": 1}})
    assert consumer.forms == had + had
    assert receiver.counters["duplicate"] == 0
    assert (await post(session, ONE, endpoint="twilio"))[0] == 202
    assert await post(session, ONE, endpoint="fax") == (400, {"error": "endpoint must be webhook or twilio."})
