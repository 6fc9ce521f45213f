from bridge import policies
from bridge.config import load
from bridge.egress import Egress


def test_a_call_has_what_the_settings_say():
    settings = load(
        {
            "DEEPGRAM_URL": "ws://127.0.0.1:9",
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

    policy = policies.call_policy(settings, Egress({}, None))

    assert (policy.deepgram_url, policy.deepgram_key) == ("ws://127.0.0.1:9", "key")
    assert policy.public_url == "https://calls.example.com"
    assert (policy.align.chunk_ms, policy.align.hold_ms) == (40, 80)
    assert (policy.session.window, policy.session.speed, policy.session.flush) == (30, 2, 3)
    assert (policy.continuity.grace, policy.continuity.longest) == (7, 600)
    assert policy.labels == {"inbound": "Ann"}


def test_a_backfill_keeps_audio_for_days():
    settings = load({"BRIDGE_BACKFILL_TIMEOUT": "60", "BRIDGE_BACKFILL_DAYS": "2"})

    policy = policies.backfill_policy(settings, Egress({}, None))

    assert (policy.timeout, policy.keep) == (60, 2 * 86400)


def test_a_call_may_override_what_the_setting_names():
    options = policies.call_options(load({"DEEPGRAM_OPTIONS": "model=nova-3", "BRIDGE_DEEPGRAM_OVERRIDES": "keyterm"}))

    assert options.overrides == {"keyterm"}


def test_without_a_webhook_nothing_is_posted(tmp_path):
    settings = load({"DATA_DIR": str(tmp_path)})
    store = policies.event_store(settings)

    assert policies.webhook_sender(settings, store, Egress({}, None)) is None


def test_flux_gets_the_chunks_that_suit_it_unless_told_otherwise():
    def chunk(**given):
        return policies.call_policy(load(given), Egress({}, None)).align.chunk_ms

    flux = {"DEEPGRAM_OPTIONS": "model=flux-general-en"}
    assert (chunk(), chunk(**flux), chunk(**flux, BRIDGE_CHUNK_MS="40")) == (60, 80, 40)
