"""Posts a test event to an endpoint, by the very code that posts events, and takes the time."""

import time
from collections.abc import Callable, Mapping
from typing import Literal
from urllib.parse import urlencode

from bridge.delivery.envelope import envelope
from bridge.delivery.lane import Answered
from bridge.delivery.poster import Poster, Timeouts
from bridge.delivery.signing import Signer
from bridge.delivery.twilio import SIGNATURE_HEADER
from bridge.doctor.judging.network import Answer
from bridge.egress import Route
from bridge.events import CallStarted, Event, WebhookTest, timestamp
from bridge.failure import Failure
from bridge.guard import Guard
from bridge.outbox import call_header

_OWN = Guard()

Headers = Callable[[float], Mapping[str, str]]
"""Those of an attempt, whose time it is given in seconds since 1970."""


def sample_event(by: Literal["doctor", "webhook test"], now: float) -> tuple[str, bytes]:
    """A webhook-id and the envelope that it is of, as events come. `now`: seconds since 1970."""
    call_id, time_ = f"test-{int(now * 1000)}", timestamp(now)
    started = CallStarted(
        carrier="test",
        carrier_call_id=call_id,
        stream_id="",
        speakers={"inbound": "caller", "outbound": "callee"},
        tracks=["inbound", "outbound"],
        parameters={},
        media_format=None,
        started_at=time_,
    )
    event = Event(call_id, None, f"{call_id}-1", time_, WebhookTest(by=by))
    header = call_header(Event(call_id, 1, f"{call_id}-0", time_, started))
    return f"test_{call_id}", envelope(header, [event.to_json()])


async def post_event(
    url: str,
    secrets: str,
    route: Route,
    by: Literal["doctor", "webhook test"],
    guard: Guard = _OWN,
    timeouts: Timeouts | None = None,
) -> "Posted":
    """Post a test event, signed with `secrets`. `guard`: where the URL may lead. `timeouts`: by default those of
    deliveries. Raises ConfigError for a URL or a secret that cannot be used."""
    webhook_id, body = sample_event(by, time.time())
    signer = Signer(secrets)
    poster = Poster(url, timeouts, route, guard=guard)
    return await _post(poster, body, lambda now: signer.headers(webhook_id, body, now))


async def post_form(
    url: str, account: str, sign: Callable[[Mapping[str, str]], str], route: Route, guard: Guard = _OWN
) -> "Posted":
    """Post what Twilio might of a call that there is not, of a kind that no program knows. Raises ConfigError."""
    form = {
        "LanguageCode": "en-US",
        "TranscriptionSid": "GT" + "0" * 32,
        "TranscriptionEvent": WebhookTest.type,
        "CallSid": "CA" + "0" * 32,
        "AccountSid": account,
        "Timestamp": timestamp(time.time()),
        "SequenceId": "1",
    }
    poster = Poster(url, route=route, content_type="application/x-www-form-urlencoded", guard=guard)
    return await _post(poster, urlencode(form).encode(), lambda now: {SIGNATURE_HEADER: sign(form)})


Posted = tuple[Answer | Failure, float]
"""What was answered, and the seconds that it took."""


async def _post(poster: Poster, body: bytes, headers: Headers) -> Posted:
    begun, now = time.perf_counter(), time.time()
    async with poster:
        outcome = await poster.post(body, headers(now), now)
    took = time.perf_counter() - begun
    if isinstance(outcome, Answered):
        return Answer(outcome.status, outcome.media_type or "", location=outcome.location), took
    return outcome, took
