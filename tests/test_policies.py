import pytest
from twilio.request_validator import RequestValidator

from bridge import policies
from bridge.config import load
from bridge.egress import Egress
from bridge.errors import ConfigError


def test_a_call_has_what_the_settings_say():
    settings = load(
        {
            "DEEPGRAM_API_KEY": "key",
            "PUBLIC_URL": "https://calls.example.com",
            "BRIDGE_CHUNK_MS": "40",
            "BRIDGE_HOLD_MS": "80",
            "BRIDGE_REPLAY_WINDOW": "30",
            "BRIDGE_REPLAY_SPEED": "2",
            "BRIDGE_FLUSH_TIMEOUT": "3",
            "BRIDGE_GRACE": "7",
            "BRIDGE_MAX_DURATION": "600",
            "BRIDGE_LABEL_INBOUND": "Ann",
        }
    )

    policy = policies.call_policy(settings)

    assert policy.public_url == "https://calls.example.com"
    assert (policy.align.chunk_ms, policy.align.hold_ms) == (40, 80)
    assert (policy.session.window, policy.session.speed, policy.session.flush) == (30, 2, 3)
    assert (policy.continuity.grace, policy.continuity.longest) == (7, 600)
    assert policy.labels == {"inbound": "Ann"}


def reached(urls, keys, environment=None):
    """As (url, key, proxy)."""
    settings = load({"DEEPGRAM_URL": urls, "DEEPGRAM_API_KEY": keys})
    origins = policies.deepgram_origins(settings, Egress(environment or {}, None))
    return [(each.url, each.key, each.route.proxy_url) for each in origins.all]


def test_one_key_is_for_all_origins_or_each_has_its_own():
    two = "wss://api.deepgram.com ws://127.0.0.1:9"

    assert reached(two, "key") == [("wss://api.deepgram.com", "key", None), ("ws://127.0.0.1:9", "key", None)]
    assert [key for _, key, _ in reached(two, "one two")] == ["one", "two"]
    assert reached("ws://127.0.0.1:9", "") == [("ws://127.0.0.1:9", "", None)]


def test_each_origin_has_its_own_way_out():
    environment = {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "eu.example"}
    found = reached("wss://api.deepgram.com wss://eu.example ws://127.0.0.1:9", "key", environment)

    assert [proxy for _, _, proxy in found] == ["http://proxy:3128", None, None]


def test_a_backfill_keeps_audio_for_days():
    settings = load({"BRIDGE_BACKFILL_TIMEOUT": "60", "BRIDGE_BACKFILL_DAYS": "2"})

    policy = policies.backfill_policy(settings)

    assert (policy.timeout, policy.keep) == (60, 2 * 86400)


def test_a_call_may_override_what_the_setting_names():
    options = policies.call_options(load({"DEEPGRAM_OPTIONS": "model=nova-3", "BRIDGE_DEEPGRAM_OVERRIDES": "keyterm"}))

    assert options.overrides == {"keyterm"}


def test_without_a_webhook_nothing_is_posted(tmp_path):
    settings = load({"DATA_DIR": str(tmp_path)})
    store = policies.event_store(settings)

    assert policies.posting(settings, store, Egress({}, None)).senders == {}


TWO = {
    "WEBHOOK_URL": "https://one.example/calls",
    "WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "BRIDGE_TWILIO_TRANSCRIPTION_URL": "https://two.example/transcription",
    "TWILIO_ACCOUNT_SID": "AC1",
    "TWILIO_AUTH_TOKEN": "new old",
}


def test_each_endpoint_has_its_lanes_and_its_route(tmp_path):
    settings = load({"DATA_DIR": str(tmp_path), **TWO})
    egress = Egress({"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "one.example"}, None)

    made = policies.posting(settings, policies.event_store(settings), egress).senders

    assert list(made) == list(policies.outlets(settings).names) == ["webhook", "twilio"]
    assert [sender.poster._route.proxy_url for sender in made.values()] == [None, "http://127.0.0.1:9"]


def test_the_endpoints_are_told_apart(tmp_path):
    settings = load({"BRIDGE_TWILIO_TRANSCRIPTION_URL": "https://two.example/", "DATA_DIR": str(tmp_path)})

    assert policies.outlets(settings).names == ("twilio",)
    made = policies.posting(settings, policies.event_store(settings), Egress({}, None))
    assert made.senders == {}, "it could not sign"


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("https://two.example/a%2Fb?c=d", "https://two.example/a%2Fb?c=d"),
        ("https://Two.example", "https://two.example/"),
        ("http://two.example:8080/grüße", "http://two.example:8080/gr%C3%BC%C3%9Fe"),
    ],
)
def test_what_goes_to_twilios_endpoint_is_signed_over_the_url_that_its_host_sees(tmp_path, given, seen):
    settings = load({"DATA_DIR": str(tmp_path), **TWO, "BRIDGE_TWILIO_TRANSCRIPTION_URL": given})
    sender = policies.posting(settings, policies.event_store(settings), Egress({}, None)).senders["twilio"]

    assert RequestValidator("new").validate(seen, {"a": "b"}, sender._format._sign({"a": "b"}))


@pytest.mark.parametrize(
    ("url", "server", "request_"),
    [
        ("ws://127.0.0.1:2700", "ws://127.0.0.1:2700", ""),
        ("wss://vosk.example/en", "wss://vosk.example", "/en"),
        ("ws://vosk.example:2700/?a=1&b=2", "ws://vosk.example:2700", "/?a=1&b=2"),
        ("WSS://vosk.example/?", "wss://vosk.example", "/"),
    ],
)
def test_a_vosk_server_is_asked_in_deepgrams_place(url, server, request_):
    settings = load({"BRIDGE_VOSK_URL": url, "DEEPGRAM_API_KEY": "key"})
    (origin,) = policies.deepgram_origins(settings, Egress({}, None)).all

    assert (origin.url, origin.key) == (server, "")
    assert policies.call_policy(settings).vosk_request == request_
    assert policies.backfill_policy(settings).vosk_request == request_


def test_flux_gets_the_chunks_that_suit_it_unless_told_otherwise():
    def chunk(**given):
        return policies.call_policy(load(given)).align.chunk_ms

    flux = {"DEEPGRAM_OPTIONS": "model=flux-general-en"}
    assert (chunk(), chunk(**flux), chunk(**flux, BRIDGE_CHUNK_MS="40")) == (60, 80, 40)


def test_redaction_is_off_unless_it_is_asked_for(tmp_path):
    assert not policies.redaction(load({}))
    rules = policies.redaction(load({"BRIDGE_REDACT": "email,card", "BRIDGE_REDACT_AUDIO": "true"}))

    assert (rules.names, rules.mute) == (["card", "email"], True)
    with pytest.raises(ConfigError, match="BRIDGE_REDACT: takes card, phone, email, digits"):
        load({"BRIDGE_REDACT": "cards"})


def test_own_patterns_are_read_from_their_file(tmp_path):
    path = tmp_path / "patterns"
    settings = load({"BRIDGE_REDACT_PATTERNS": str(path)})
    with pytest.raises(ConfigError, match="BRIDGE_REDACT_PATTERNS: the file cannot be read"):
        policies.redaction(settings)
    path.write_text("Nonsense")
    with pytest.raises(ConfigError, match="BRIDGE_REDACT_PATTERNS: line 1"):
        policies.redaction(settings)
    path.write_text("# none yet")
    assert policies.redaction(settings).patterns == ()


@pytest.mark.parametrize(
    ("recordings", "muted", "early"), [(True, False, True), (True, True, False), (False, True, False)]
)
def test_what_is_to_be_silent_is_not_heard_before_it_is(recordings, muted, early):
    settings = load({}, bridge_recordings=recordings, bridge_redact_audio=muted)

    assert policies.may_be_heard_early(settings) == early


def test_audio_goes_to_an_object_store_only_where_one_is_set(tmp_path):
    alone = policies.event_store(load({"DATA_DIR": str(tmp_path)}))
    assert policies.archive(load({}), alone) is None
    assert policies.archive(load({"BRIDGE_AUDIO_URL": f"file://{tmp_path}/calls", "DATA_DIR": str(tmp_path)}), alone)
    with pytest.raises(ConfigError, match="^BRIDGE_AUDIO_URL: the library can do nothing with this address"):
        policies.archive(load({"BRIDGE_AUDIO_URL": "az://calls"}), alone)
