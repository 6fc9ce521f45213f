"""Signatures as the `standardwebhooks` library reads them, so that we cannot be wrong on both sides."""

import base64
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from bridge.delivery.signing import Signer, Verifier, format_secret, parse_secrets
from bridge.errors import ConfigError, LocalProtocolError, RemoteProtocolError

OLD, NEW, OTHER = (format_secret(bytes([n]) * 32) for n in (1, 2, 3))
BODY = '{"type":"call.events","text":"grüße"}'.encode()


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_either_secret_verifies_while_rotating(secret: str) -> None:
    headers = Signer(f"{NEW} {OLD}").headers("evt_CA1_1_2", BODY, time.time())
    assert Webhook(secret).verify(BODY, headers)["text"] == "grüße"


def test_no_other_secret_does() -> None:
    headers = Signer(OLD).headers("evt_CA1_1_2", BODY, time.time())
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(BODY + b" ", headers)


def test_the_timestamp_is_the_attempts() -> None:
    first, second = (Signer(OLD).headers("evt_CA1_1_2", BODY, now) for now in (1_800_000_000.9, 1_800_000_060.0))
    assert first["webhook-id"] == second["webhook-id"]
    assert (first["webhook-timestamp"], second["webhook-timestamp"]) == ("1800000000", "1800000060")
    assert first["webhook-signature"] != second["webhook-signature"]


def test_the_specifications_own_example() -> None:
    # spec/standard-webhooks.md gives a secret, an id, a time and a payload; the signature is the reference library's.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    payload = b'{"test": 2432232314}'
    headers = Signer(secret).headers("msg_p5jXN8AQM9LWM0D4loKWxJek", payload, 1614265330)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.binary(min_size=24, max_size=64), st.binary(max_size=200))
def test_any_secret_and_any_body(octets: bytes, body: bytes) -> None:
    signature = Signer(format_secret(octets)).headers("x", body, 1.0)["webhook-signature"]
    version, digits = signature.split(",")
    assert version == "v1" and len(base64.b64decode(digits, validate=True)) == 32
    assert parse_secrets(format_secret(octets)) == (octets,)


@pytest.mark.parametrize("words", [OLD.rstrip("="), f"  {OLD}\n", f"{OLD}\t{NEW}"])
def test_how_a_secret_may_be_written(words: str) -> None:
    assert parse_secrets(words)[0] == bytes([1]) * 32


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "at least one"),
        ("   ", "at least one"),
        (OLD.removeprefix("whsec_"), "1 of 1 does not begin with whsec_"),
        (f"{OLD} whpk_abc", "2 of 2 does not begin"),
        ("whsec_", "0 bytes"),
        ("whsec_not*base64", "not base64"),
        ("whsec_ä", "not base64"),
        ("whsec_A", "not base64"),
        (f"whsec_{'A' * 32}!!!!", "not base64"),
        (format_secret(b"x" * 23), "23 bytes"),
        (format_secret(b"x" * 65), "65 bytes"),
    ],
)
def test_a_bad_secret_is_named_and_not_shown(words: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        Signer(words)
    secret = words.split()[-1].removeprefix("whsec_") if words.split() else ""
    assert not secret or secret not in str(caught.value)


def test_a_signer_does_not_show_its_secrets() -> None:
    assert repr(Signer(f"{OLD} {NEW}")) == "<Signer 2 secrets>"


@pytest.mark.parametrize("message_id", ["", "a.b", "a b", "a\n", "ä", "x" * 257])
def test_an_id_that_could_be_read_in_two_ways_is_refused(message_id: str) -> None:
    with pytest.raises(LocalProtocolError):
        Signer(OLD).headers(message_id, b"", 1.0)


NOW = 1_800_000_000.0


def as_the_library_signs(secret: str, body: bytes = BODY, now: float = NOW) -> dict[str, str]:
    moment = datetime.fromtimestamp(now, UTC)
    signature = Webhook(secret).sign("evt_CA1_1_2", moment, body.decode())
    return {
        "Webhook-Id": "evt_CA1_1_2",
        "WEBHOOK-TIMESTAMP": str(int(now)),
        "webhook-signature": f"v1a,b3RoZXI= {signature}",
    }


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_what_the_library_signs_is_verified(secret: str) -> None:
    assert Verifier(f"{NEW} {OLD}").verify(as_the_library_signs(secret), BODY, NOW + 299) == "evt_CA1_1_2"


def test_what_we_sign_is_verified_by_either_secret() -> None:
    headers = Signer(f"{NEW} {OLD}").headers("x", BODY, NOW)
    assert [Verifier(secret).verify(headers, BODY, NOW) for secret in (OLD, NEW)] == ["x", "x"]


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_another_body_is_another_signature(body: bytes, other: bytes) -> None:
    headers = Signer(OLD).headers("x", body, NOW)
    if other != body:
        with pytest.raises(RemoteProtocolError, match="no secret of ours"):
            Verifier(OLD).verify(headers, other, NOW)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"webhook-signature": None}, "without the three headers"),
        ({"webhook-id": None}, "without the three headers"),
        ({"webhook-timestamp": None}, "without the three headers"),
        ({"webhook-timestamp": "soon"}, "is none"),
        ({"webhook-timestamp": "-1"}, "is none"),
        ({"webhook-timestamp": "9" * 400}, "is none"),
        ({"webhook-timestamp": str(int(NOW - 301))}, "too old or too new"),
        ({"webhook-timestamp": str(int(NOW + 301))}, "too old or too new"),
        ({"webhook-timestamp": str(int(NOW + 1))}, "no secret of ours"),
        ({"webhook-id": "evt_CA1_1_3"}, "no secret of ours"),
        ({"webhook-id": "evt.1"}, "is none"),
        ({"webhook-signature": ""}, "no secret of ours"),
        ({"webhook-signature": "v1,ä\udcff"}, "no secret of ours"),
        ({"webhook-signature": "v1"}, "no secret of ours"),
    ],
)
def test_what_is_not_signed_so(changes: dict[str, str | None], message: str) -> None:
    given = {**Signer(OLD).headers("evt_CA1_1_2", BODY, NOW), **changes}
    headers = {name: value for name, value in given.items() if value is not None}
    with pytest.raises(RemoteProtocolError, match=message):
        Verifier(OLD).verify(headers, BODY, NOW)


def test_a_signature_of_another_version_is_none() -> None:
    headers = Signer(OLD).headers("x", BODY, NOW)
    headers["webhook-signature"] = headers["webhook-signature"].replace("v1,", "v2,")
    with pytest.raises(RemoteProtocolError):
        Verifier(OLD).verify(headers, BODY, NOW)


def test_a_verifier_does_not_show_its_secrets() -> None:
    assert repr(Verifier(f"{OLD} {NEW}")) == "<Verifier 2 secrets>"
