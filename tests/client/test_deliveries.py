"""What a consumer makes of a POST: signed by the bridge's signer and by the reference library, forged, and broken."""

import json
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook as Reference

from bridge.client import Refused, TranscriptFinal, Webhook, parse
from bridge.delivery.envelope import envelope
from bridge.delivery.signing import Signer, format_secret
from bridge.errors import ConfigError, RemoteProtocolError
from bridge.outbox import call_header
from tests.fakes import words

OLD, NEW, OTHER = (format_secret(bytes([n]) * 32) for n in (1, 2, 3))
NOW = 1_800_000_000.0
SAID = words.conversation(finals=2)
BODY = envelope(call_header(SAID[0]), [event.to_json() for event in SAID], skipped=[9])


def webhook(secrets: str = NEW, **how) -> Webhook:
    return Webhook(secrets, wall=lambda: NOW, **how)


def refused(body: bytes, headers: dict[str, str], secrets: str = NEW) -> int:
    with pytest.raises(Refused) as caught:
        webhook(secrets).receive(body, headers)
    return caught.value.status


@pytest.mark.parametrize("secrets", [OLD, NEW, f"{OLD} {NEW}", f"{OTHER} {NEW}"])
def test_a_delivery_while_secrets_change(secrets):
    delivery = webhook(secrets).receive(BODY, Signer(f"{NEW} {OLD}").headers("evt_CA1_1_4", BODY, NOW))
    assert (delivery.id, delivery.call.id, delivery.skipped) == ("evt_CA1_1_4", "CA1", (9,))
    assert [event.seq for event in delivery.events] == [1, 2, 3, 4]
    assert [event.data.text for event in delivery.events if isinstance(event.data, TranscriptFinal)] == [
        "words of 2",
        "words of 3",
    ]


def test_a_delivery_that_the_reference_library_signs():
    signature = Reference(NEW).sign("msg_1", datetime.fromtimestamp(NOW, UTC), BODY.decode())
    headers = {"Webhook-Id": "msg_1", "Webhook-Timestamp": str(int(NOW)), "Webhook-Signature": signature}
    assert webhook().receive(BODY, headers).id == "msg_1"


def test_what_is_forged():
    assert refused(BODY, Signer(OTHER).headers("x", BODY, NOW)) == 401
    assert refused(BODY + b" ", Signer(NEW).headers("x", BODY, NOW)) == 401
    assert refused(BODY, Signer(NEW).headers("x", BODY, NOW - 301)) == 401
    assert refused(BODY, {}) == 401


def test_a_tolerance_of_ones_own():
    headers = Signer(NEW).headers("x", BODY, NOW - 301)
    assert webhook(tolerance=400).receive(BODY, headers).call.id == "CA1"


def test_what_is_signed_and_no_envelope():
    assert refused(b"{}", Signer(NEW).headers("x", b"{}", NOW)) == 422


def test_no_secret():
    with pytest.raises(ConfigError):
        Webhook("")


def test_a_body_that_another_has_verified():
    assert parse(BODY).call.from_ == "+15550001"
    with pytest.raises(RemoteProtocolError):
        parse(json.dumps({"type": "call.events"}).encode())
