"""What the webhook gets again because somebody asked for it: on the real bridge, with a real receiver."""

import asyncio

import aiohttp
import pytest

from bridge.local.receiver import Fault, Receiver
from bridge.outlets import named
from bridge.rights import RIGHTS
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


# --- how it stands, one event, and all since a time -------------------------------------------------------------------


async def stands(session, **query):
    async with session.get("/deliveries", params=query) as response:
        return response.status, await response.json()


async def test_who_is_stuck_is_told_until_it_is_delivered(session, origin, receiver):
    receiver.faults = [Fault(status=410, times=1)]
    await play(origin)
    await receiver.until(lambda: len(receiver.deliveries) == 1)
    state = None
    while state != "gone":
        ((endpoint,), calls) = ((told := (await stands(session))[1])["endpoints"], told["calls"])
        state = endpoint["state"]
    assert (endpoint["name"], endpoint["last"]["answer"], endpoint["next_try"]) == ("webhook", "status 410", None)
    assert receiver.url.startswith(endpoint["url"]) and not endpoint["url"].endswith("webhook")
    while not calls:
        calls = (await stands(session))[1]["calls"]
    assert [(call["call_id"], call["reason"], call["parked"]) for call in calls] == [(frames.CALL, "status 410", False)]

    assert await post(session, ONE, seq=1) == (
        409,
        {"error": "That event has not had its turn: deliver the call, which keeps the order."},
    )
    assert (await post(session, "/deliveries"))[0] == 202
    await receiver.until(lambda: "call.ended" in types(receiver))
    while (told := (await stands(session))[1])["calls"] or told["endpoints"][0]["waiting"]:
        pass
    assert told["endpoints"][0]["state"] == "well"


async def test_one_event_is_posted_beside_its_lane_and_the_answer_is_told(session, origin, receiver):
    await play(origin)
    await receiver.until(lambda: "call.ended" in types(receiver))
    async with asyncio.timeout(60):
        while (await (await session.get(f"/calls/{frames.CALL}")).json())["delivery"]["state"] != "delivered":
            await asyncio.sleep(0.01)
    receiver.faults = [Fault(status=500, times=1)]

    status, told = await post(session, ONE, seq=2)
    assert (status, told["endpoints"]["webhook"]["answer"]) == (200, "status 500")
    before = len(receiver.deliveries)
    status, told = await post(session, ONE, seq=2)
    assert (status, told["endpoints"]["webhook"]["accepted"]) == (200, True)
    (delivery,) = list(receiver.deliveries)[before:]
    assert (delivery.seqs, delivery.webhook_id) == ((2,), f"evt_{frames.CALL}_2_2")
    assert (await (await session.get(f"/calls/{frames.CALL}")).json())["delivery"]["reason"] is None


async def test_everything_since_a_time_comes_again_and_no_event_before(session, origin, receiver):
    await play(origin)
    await receiver.until(lambda: "call.ended" in types(receiver))
    events = receiver.events(frames.CALL)
    before = len(receiver.deliveries)

    assert await post(session, "/deliveries", since=events[-1]["time"]) == (
        202,
        {"calls": 1, "endpoints": {"webhook": 1}},
    )
    again = []
    while not again or again[-1] != events[-1]["seq"]:
        await receiver.until(lambda: len(receiver.deliveries) > before)
        again = [seq for delivery in list(receiver.deliveries)[before:] for seq in delivery.seqs]
    assert again == [event["seq"] for event in events if event["time"] >= events[-1]["time"]]
    assert await post(session, "/deliveries", since="2999-01-01T00:00:00Z") == (
        202,
        {"calls": 0, "endpoints": {"webhook": 0}},
    )


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("/deliveries", {"since": "yesterday"}, "since must be a time such as 2026-11-20T10:00:00Z."),
        ("/deliveries", {"since": 5}, "since must be a time such as 2026-11-20T10:00:00Z."),
        ("/deliveries", {"since": 20261120}, "since must be a time such as 2026-11-20T10:00:00Z."),
        ("/deliveries", {"endpoint": ["webhook"]}, "endpoint must be webhook."),
        (ONE, {"seq": 0}, "seq must be the seq of an event, in a body of application/json."),
        (ONE, {"seq": "1"}, "seq must be the seq of an event, in a body of application/json."),
        ("/deliveries", {"endpoint": {}}, "endpoint must be webhook."),
        (ONE, {"seq": 1, "after": 0}, "after says from where on, seq which one: ask for one of them."),
    ],
)
async def test_what_cannot_be_meant_is_refused(session, path, body, sentence):
    assert await post(session, path, **body) == (400, {"error": sentence})


async def test_how_it_stands_is_for_readers_and_bounded(session, origin):
    async with aiohttp.ClientSession(origin) as stranger:
        assert (await stands(stranger))[0] == 401
    assert (await stands(session, limit="201"))[0] == 400
    nothing = {"endpoints": [], "calls": [], "more": False, "may": list(RIGHTS)}
    assert (await stands(session, endpoint="fax"))[1] == nothing


async def test_a_number_has_its_own_endpoint_and_one_that_is_removed_keeps_what_waits(tmp_path, receiver):
    file = tmp_path / "endpoints.toml"
    table = (
        f'[[endpoint]]\nname = "sales"\nurl = "{receiver.url}"\nsecret = "{WEBHOOK_SECRET}"\nnumbers = ["+15550101"]'
    )
    file.write_text(table)
    receiver.faults = [Fault(status=503, times=1000)]
    async with deepgram() as server:
        async with bridge(settings(tmp_path, server.url, bridge_read_tokens=TOKEN, bridge_endpoints=file)) as origin:
            await play(origin, parameters={"bridge.to": "+15550101"})
            await play(origin, call="CA2", parameters={"bridge.to": "+15550102"})
            await receiver.until(lambda: len(receiver.deliveries) >= 1)
            async with aiohttp.ClientSession(origin, headers=BEARER) as session:
                async with asyncio.timeout(60):
                    while (await session.get("/calls/CA2")).status == 404:
                        await asyncio.sleep(0.01)
                assert await post(session, "/calls/CA2/deliveries", after=0) == (
                    202,
                    {"calls": 0, "endpoints": {"sales": 0}},
                )
        async with bridge(settings(tmp_path, server.url, bridge_read_tokens=TOKEN)) as origin:
            async with aiohttp.ClientSession(origin, headers=BEARER) as session:
                ((endpoint,), calls) = ((told := (await stands(session))[1])["endpoints"], told["calls"])
                assert (endpoint["name"], endpoint["state"], endpoint["waiting"]) == ("sales", "removed", 1)
                assert [call["call_id"] for call in calls] == [frames.CALL]
                details = await (await session.get(f"/calls/{frames.CALL}")).json()
                assert (details["delivery"]["state"], details["deliveries"]["sales"]["state"]) == ("none", "pending")
        async with bridge(settings(tmp_path, server.url, bridge_read_tokens=TOKEN, bridge_endpoints=file)) as origin:
            async with aiohttp.ClientSession(origin, headers=BEARER) as session:
                receiver.faults = []
                await post(session, "/deliveries")
                await receiver.until(lambda: "call.ended" in types(receiver))


async def test_who_may_only_read_is_told_so(tmp_path, receiver):
    file, token = tmp_path / "tokens.toml", "a-token-that-may-only-read"
    file.write_text(f'[[token]]\nname = "crm"\ntoken = "{token}"\nrights = ["read"]\n')
    given = {"webhook_url": receiver.url, "webhook_secret": WEBHOOK_SECRET, "bridge_tokens_file": file}
    async with bridge(settings(tmp_path, "ws://127.0.0.1:1", **given)) as origin:
        async with aiohttp.ClientSession(origin, headers={"Authorization": f"Bearer {token}"}) as session:
            assert (await stands(session))[1]["may"] == ["read"]
            assert (await post(session, "/deliveries"))[0] == 403


async def test_a_call_counts_once_to_however_many_endpoints_it_goes(tmp_path, receiver):
    file, name = tmp_path / "endpoints.toml", '[[endpoint]]\nname = "{}"\nurl = "{}"\nsecret = "{}"\n{}\n'
    tables = (("sales", 'numbers = ["+15550101"]'), ("rest", 'numbers = "others"'), ("all", ""))
    file.write_text("".join(name.format(which, receiver.url, WEBHOOK_SECRET, numbers) for which, numbers in tables))
    receiver.faults = [Fault(status=503)]
    given = {"bridge_read_tokens": TOKEN, "bridge_endpoints": file}
    async with deepgram() as server, bridge(settings(tmp_path, server.url, **given)) as origin:
        await play(origin, parameters={"bridge.to": "+15550101"})
        await play(origin, call="CA2", parameters={"bridge.to": "+15550102"})
        async with aiohttp.ClientSession(origin, headers=BEARER) as session, asyncio.timeout(60):
            while {call["call_id"] for call in (await stands(session))[1]["calls"]} != {frames.CALL, "CA2"}:
                await asyncio.sleep(0.01)
            for body in ({}, {"since": "2000-01-01T00:00:00Z"}):
                status, told = await post(session, "/deliveries", **body)
                assert (status, told) == (202, {"calls": 2, "endpoints": {"sales": 1, "rest": 1, "all": 2}})
            told = await post(session, "/deliveries", endpoint="rest")
            assert told == (202, {"calls": 1, "endpoints": {"rest": 1}})


async def test_everything_since_a_time_comes_to_those_too_that_calls_have_named(tmp_path, receiver):
    given = {"webhook_secret": WEBHOOK_SECRET, "bridge_webhook_allow": receiver.url, "bridge_read_tokens": TOKEN}
    async with (
        deepgram() as server,
        bridge(settings(tmp_path, server.url, bridge_egress_allow="127.0.0.1/32", **given)) as origin,
        aiohttp.ClientSession(origin, headers=BEARER) as session,
    ):
        assert await post(session, "/deliveries") == (202, {"calls": 0, "endpoints": {}})
        await play(origin, parameters={"bridge.webhook": receiver.url})
        await receiver.until(lambda: "call.ended" in types(receiver))
        had, before = receiver.seqs(frames.CALL), len(receiver.deliveries)
        name = named("call", receiver.url).endpoint

        def again():
            return [seq for delivery in list(receiver.deliveries)[before:] for seq in delivery.seqs]

        for body in ({}, {"endpoint": name}):
            told = await post(session, "/deliveries", since="2000-01-01T00:00:00Z", **body)
            assert told == (202, {"calls": 1, "endpoints": {name: 1}})
            await receiver.until(lambda: again()[-1:] == had[-1:])
            before = len(receiver.deliveries)
        assert (await post(session, "/deliveries", endpoint="call@0"))[0] == 400
