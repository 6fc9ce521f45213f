"""The file of endpoints, and what it says when it cannot be used: what to change, and never what stands there."""

from pathlib import Path
from typing import Any

import pytest

from bridge.config import load
from bridge.endpoints import Endpoint, endpoints, named_guard, outlets, own_guard
from bridge.errors import ConfigError
from bridge.events import SpeechStarted, TranscriptInterim, TurnEagerEnd, TurnResumed
from bridge.guard import Guard, parse_networks
from bridge.outlets import Outlet

ONE = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TWO = "whsec_" + "AfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

WHOLE = f"""
[[endpoint]]
name = "crm"
url = "https://crm.example.com/calls?token=hidden"
secret = ["{ONE}", "{TWO}"]
events = ["call.started", "call.ended"]
transcript = true
numbers = ["+1 555 0101"]

[[endpoint]]
name = "screen"
url = "http://screen:8000/"
secret_env = "SCREEN_SECRET"
interim = true
speech_started = true
numbers = "others"

[[endpoint]]
name = "tenants"
allow = ["https://*.example.net/hooks/"]
secret = "{TWO}"
"""


def read(path: Path, text: str, environment: dict[str, str] | None = None, **given: Any) -> tuple[Endpoint, ...]:
    file = path / "endpoints.toml"
    file.write_text(text)
    return endpoints(load({}, bridge_endpoints=file, **given), environment or {})


def test_a_file_says_everything_about_its_endpoints(tmp_path: Path) -> None:
    crm, screen, tenants = read(tmp_path, WHOLE, {"SCREEN_SECRET": ONE})

    assert (crm.name, crm.url) == ("crm", "https://crm.example.com/calls?token=hidden")
    assert (crm.secrets, crm.events) == (f"{ONE} {TWO}", {"call.started", "call.ended"})
    assert (crm.interims, crm.transcript, crm.outlet) == ((), True, Outlet("crm", frozenset({"15550101"})))
    assert (screen.secrets, screen.events, screen.transcript) == (ONE, None, False)
    assert screen.interims == (TranscriptInterim, TurnEagerEnd, TurnResumed, SpeechStarted)
    assert screen.outlet == Outlet("screen", "others")
    assert (tenants.url, tenants.outlet) == (None, Outlet("tenants", is_pattern=True))
    assert "hidden" not in repr(crm) and ONE not in repr(crm)


def test_the_single_webhook_needs_no_file_and_stands_beside_one(tmp_path: Path) -> None:
    given = {"webhook_url": "https://one.example/", "webhook_secret": ONE, "webhook_transcript": True}
    settings = load({}, **given, bridge_webhook_allow="https://a.example/ https://b.example/", webhook_interim=True)

    webhook, call = endpoints(settings, {})
    assert (webhook.name, webhook.url, webhook.transcript) == ("webhook", "https://one.example/", True)
    assert webhook.outlet == Outlet("webhook", is_usual=True)
    assert (call.name, call.url, len(call.allow), call.secrets) == ("call", None, 2, ONE)
    assert [each.name for each in read(tmp_path, WHOLE, {"SCREEN_SECRET": ONE}, **given)][:2] == ["webhook", "crm"]
    assert endpoints(load({}), {}) == ()


def test_the_store_knows_them_all_and_twilios(tmp_path: Path) -> None:
    file = tmp_path / "endpoints.toml"
    file.write_text(WHOLE)
    settings = load({}, bridge_endpoints=file, bridge_twilio_transcription_url="https://two.example/")
    found = outlets(settings, {"SCREEN_SECRET": ONE})

    assert (found.names, found.patterns) == (("crm", "screen", "twilio"), ("tenants",))


BASE = {"name": '"crm"', "url": '"https://crm.example.com/secret-path"', "secret": f'"{ONE}"'}


def table(**changed: str | None) -> str:
    values = {name: value for name, value in {**BASE, **changed}.items() if value is not None}
    return "[[endpoint]]\n" + "\n".join(f"{name} = {value}" for name, value in values.items())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("secret-path = = 1", "the file is no TOML (line 1)"),
        ("", "the file must have [[endpoint]] tables and nothing else"),
        ("[endpoint]\nname = 'crm'", "the file must have [[endpoint]] tables and nothing else"),
        ("secret-path = 1\n" + table(), "the file must have [[endpoint]] tables and nothing else"),
        ("endpoint = ['secret-path']", "endpoint number 1: it must be a table: [[endpoint]]"),
        (table(name=None), "endpoint number 1: name is missing"),
        (table(name='"secret-path/1"'), "endpoint number 1: name must be up to 32 small letters, digits, _ and -"),
        (table(name='"a@b"'), "endpoint number 1: name must be up to 32 small letters, digits, _ and -"),
        (table(name='"secret_path_AfKQ9r8GKYqrTwjUPD8"'), "endpoint number 1: name must be up to 32 small letters, "),
        (table(secret_path_AfKQ9r8GKYqrTwjUPD8="1"), "endpoint crm: there is no such name; there are name, url, "),
        (table(numbers="[" + "1" * 5_000 + "]"), "the file is no TOML"),
        (table(name='"crm-1"', secret="1"), "endpoint crm-1: secret has the wrong type"),
        (table(name="1"), "endpoint number 1: name has the wrong type"),
        (
            table(name='"twilio"'),
            "endpoint twilio: name must be another one: twilio is that of BRIDGE_TWILIO_TRANSCRIPTION_URL",
        ),
        (table() + "\n" + table(), "there is an endpoint crm already"),
        (table(url=None), "endpoint crm: must have a url, or allow for URLs that calls name, and not both"),
        (
            table(allow='["https://a.example/"]'),
            "endpoint crm: must have a url, or allow for URLs that calls name, and not both",
        ),
        (table(url='"secret-path"'), "endpoint crm: url must be an https:// or http:// URL such as "),
        (table(url='"https://u:secret-path@a.example/"'), "endpoint crm: url must "),
        (table(url=None, allow='["secret-path"]'), "endpoint crm: allow each must be the beginning of a URL, such as "),
        (table(secret=None), "endpoint crm: must have a secret, or secret_env with the name of the variable"),
        (table(secret_env='"A"'), "endpoint crm: must have a secret, or secret_env with the name of the variable"),
        (table(secret=None, secret_env='"A"'), "endpoint crm: secret_env names a variable that is not set"),
        (table(secret='"secret-path"'), "endpoint crm: secret: webhook secret 1 of 1 does not begin with whsec_"),
        (table(secret="[]"), "endpoint crm: secret: a webhook needs at least one secret of the form whsec_…"),
        (table(secret="1"), "endpoint crm: secret has the wrong type"),
        (
            table(events='["secret-path"]'),
            "endpoint crm: events must be types of events, as bridge/docs/events.md lists them",
        ),
        (
            table(events='["transcript.interim"]'),
            "endpoint crm: events must be types that have a seq; for the others there are interim and speech_started",
        ),
        (table(events="[]"), "endpoint crm: events must name at least one type; without it the endpoint gets all"),
        (table(interim='"yes"'), "endpoint crm: interim has the wrong type"),
        (table(numbers="[]"), 'endpoint crm: numbers must be called numbers, such as ["+15550123"], or "others"'),
        (table(numbers='"secret-path"'), "endpoint crm: numbers has the wrong type"),
        (
            table(url=None, allow='["https://a.example/"]', numbers='"others"'),
            "endpoint crm: numbers do nothing with allow: the calls that name a URL get it",
        ),
        (table(secrets='"x"'), "endpoint crm: there is no secrets; there are name, url, allow, secret, secret_env, "),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence_that_repeats_nothing(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, text)
    assert str(refused.value).startswith(f"BRIDGE_ENDPOINTS: {sentence}")
    assert "secret-path" not in str(refused.value) and "secret_path" not in str(refused.value)
    assert ONE not in str(refused.value)


def test_what_editors_and_env_files_leave_is_no_fault(tmp_path: Path) -> None:
    (crm,) = read(tmp_path, "\ufeff" + table(secret=None, secret_env='"A"'), {"A": f'"{ONE}"\r\n'})

    assert crm.secrets == ONE


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the file cannot be read"):
        endpoints(load({}, bridge_endpoints=tmp_path / "nowhere"), {})
    with pytest.raises(ConfigError, match="the file is too large"):
        read(tmp_path, "#" * 1_000_001)
    (tmp_path / "latin").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="the file is no TOML$"):
        endpoints(load({}, bridge_endpoints=tmp_path / "latin"), {})


def test_the_operators_urls_are_held_to_the_rules_of_others_only_where_it_is_asked_for() -> None:
    networks = parse_networks("10.0.0.0/8")

    assert own_guard(load({})) == Guard()
    assert own_guard(load({"BRIDGE_EGRESS_ALLOW": "10.0.0.0/8", "BRIDGE_EGRESS_STRICT": "true"})) == Guard(
        own=False, allowed=networks
    )
    assert named_guard(load({"BRIDGE_EGRESS_ALLOW": "10.0.0.0/8"})) == Guard(own=False, allowed=networks)
