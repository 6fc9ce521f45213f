"""A test event, as the receiver gets it."""

import json
from functools import partial
from urllib.parse import parse_qsl

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.doctor.measuring import endpoint
from bridge.egress import DIRECT
from bridge.errors import ConfigError
from bridge.events import EVENT_TYPES
from bridge.failure import Failure
from bridge.local.receiver import Receiver
from tests.fakes.running import WEBHOOK_SECRET
from twiml.signature import sign_form, verify_form


async def test_a_receiver_verifies_it_and_knows_it_for_what_it_is():
    events = []
    async with Receiver(WEBHOOK_SECRET, on_event=lambda call, event: events.append((call, event))) as receiver:
        answer, took = await endpoint.post_event(receiver.url, WEBHOOK_SECRET, DIRECT, "doctor")

    ((call, event),) = events
    assert (answer.status, took > 0) == (204, True)
    assert event["type"] == "webhook.test" and event["data"] == {"by": "doctor"} and "seq" not in event
    assert call["id"] in event["id"] and call["carrier"] == "test"
    assert receiver.counters["unverified"] == 0 and not receiver.order.violations


def test_the_envelope_is_that_of_every_post():
    webhook_id, body = endpoint.sample_event("webhook test", 1e9)
    said = json.loads(body)

    assert webhook_id == "test_test-1000000000000"
    assert said["type"] == "call.events"
    assert said["call"].keys() == {
        *("id", "carrier", "carrier_call_id", "continues", "from", "to", "direction", "speakers", "started_at"),
        "parameters",
    }
    assert EVENT_TYPES[said["events"][0]["type"]].model_validate(said["events"][0]["data"])


async def test_a_wrong_secret_is_noticed():
    async with Receiver(WEBHOOK_SECRET) as receiver:
        answer, _ = await endpoint.post_event(receiver.url, "whsec_" + "A" * 43, DIRECT, "doctor")

    assert answer.status == 401


async def test_twilios_form_is_signed_as_twilio_signs():
    got = []

    async def take(request):
        got.append((dict(parse_qsl(await request.text())), request.headers["X-Twilio-Signature"]))
        return web.Response(text="<p>", content_type="text/html")

    app = web.Application()
    app.add_routes([web.post("/rtt", take)])
    async with TestServer(app) as there:
        url = f"http://127.0.0.1:{there.port}/rtt"
        answer, _ = await endpoint.post_form(url, "AC1", partial(sign_form, "token", url), DIRECT)

    ((form, signature),) = got
    assert (answer.status, answer.media_type) == (200, "text/html")
    assert form["TranscriptionEvent"] == "webhook.test"
    assert verify_form("token", url, form, signature)


async def test_what_cannot_be_posted_is_said():
    posted, _ = await endpoint.post_event("http://127.0.0.1:1/", WEBHOOK_SECRET, DIRECT, "doctor")
    assert posted == Failure("connect", "ECONNREFUSED")

    with pytest.raises(ConfigError):
        await endpoint.post_event("http://127.0.0.1:1/", "whsec_no", DIRECT, "doctor")
