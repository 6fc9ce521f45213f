import pytest

from bridge.checks import check_for_serving, doubts, faults
from bridge.config import load
from bridge.errors import ConfigError
from tests.fakes.running import WEBHOOK_SECRET

SERVABLE = {
    "DEEPGRAM_API_KEY": "key",
    "TWILIO_AUTH_TOKEN": "token",
    "PUBLIC_URL": "https://calls.example.com",
}
VOICE = {
    "BRIDGE_REQUIRE_TOKEN": "true",
    "BRIDGE_DIAL": "+15550100",
    "BRIDGE_SAY": "Hello",
    "BRIDGE_CALLER_ID": "+15550100",
}
"""Settings of the voice webhook."""


def test_a_full_set_of_settings_serves():
    check_for_serving(load(SERVABLE), {})


@pytest.mark.parametrize(
    ("changes", "environment", "said"),
    [
        ({"DEEPGRAM_API_KEY": ""}, {}, "DEEPGRAM_API_KEY, or start with --local"),
        ({"TWILIO_AUTH_TOKEN": ""}, {}, "TWILIO_AUTH_TOKEN"),
        ({"PUBLIC_URL": ""}, {}, "PUBLIC_URL"),
        ({"WEBHOOK_URL": "https://x.example"}, {}, "WEBHOOK_SECRET"),
        ({"BRIDGE_WEBHOOK_ALLOW": "https://x.example"}, {}, "WEBHOOK_SECRET"),
        ({"BRIDGE_ENDPOINTS": f"{__file__}/none"}, {}, "BRIDGE_ENDPOINTS: the file cannot be read"),
        ({"BRIDGE_TWILIO_TRANSCRIPTION_URL": "https://x.example"}, {}, "TWILIO_ACCOUNT_SID, which they name"),
        (
            {
                "BRIDGE_TWILIO_TRANSCRIPTION_URL": "https://x.example",
                "TWILIO_ACCOUNT_SID": "AC1",
                "TWILIO_AUTH_TOKEN": "",
                "TWILIO_SIGNATURE": "off",
            },
            {},
            "TWILIO_AUTH_TOKEN, with which its posts are signed",
        ),
        ({}, {"DYNO": "web.1"}, "wipes its disk"),
        ({"BRIDGE_ROLE": "web"}, {}, "a record in SQLite is one process's; set DATABASE_URL, or leave BRIDGE_ROLE"),
        ({"BRIDGE_AUDIO_URL": "az://calls"}, {}, "BRIDGE_AUDIO_URL: the library can do nothing with this address"),
        ({"WEBHOOK_SECRET": "whsec_short"}, {}, "webhook secret"),
        ({"DATA_DIR": __file__}, {}, "DATA_DIR: .* is a file"),
        ({"DATA_DIR": f"{__file__}/data"}, {}, "DATA_DIR: .* is a file"),
        *(
            (
                {"TWILIO_AUTH_TOKEN": "", "TWILIO_SIGNATURE": "off", "PUBLIC_URL": "", name: value},
                {},
                f"{name} needs PUBLIC",
            )
            for name, value in VOICE.items()
        ),
        *(
            ({"TWILIO_AUTH_TOKEN": "", "BRIDGE_TELNYX_SECRET": "s" * 16, name: value}, {}, f"{name} needs TWILIO_AUTH")
            for name, value in VOICE.items()
        ),
    ],
)
def test_a_server_that_could_not_do_its_work_does_not_start(changes, environment, said):
    with pytest.raises(ConfigError, match=said):
        check_for_serving(load(SERVABLE | changes), environment)


def test_everything_that_would_stop_a_start_can_be_told_at_once():
    told = list(faults(load({"WEBHOOK_URL": "https://x.example", "BRIDGE_SAY": "Hello"}), {"DYNO": "web.1"}))

    for said in ("DEEPGRAM_API_KEY", "TWILIO_AUTH_TOKEN", "WEBHOOK_SECRET", "wipes its disk", "BRIDGE_SAY needs"):
        assert [sentence for sentence in told if said in sentence], said
    assert list(faults(load(SERVABLE), {})) == []


@pytest.mark.parametrize(
    ("role", "lacks"),
    [
        ("media", {"DEEPGRAM_API_KEY", "TWILIO_AUTH_TOKEN"}),
        ("web", set()),
        ("worker", {"DEEPGRAM_API_KEY"}),
        ("web,worker", {"DEEPGRAM_API_KEY"}),
    ],
)
def test_each_role_needs_its_own_settings(role, lacks, monkeypatch):
    monkeypatch.setattr("bridge.checks.lacking_driver", lambda: None)
    given = {"BRIDGE_ROLE": role, "DATABASE_URL": "postgresql://db/x", "BRIDGE_SAY": "Hello" if role == "web" else ""}
    told = list(faults(load(given), {}))

    assert {
        name for name in ("DEEPGRAM_API_KEY", "TWILIO_AUTH_TOKEN") for said in told if f"set {name}" in said
    } == lacks
    assert len(told) == len(lacks)


@pytest.mark.parametrize("role", ["media", "media,web"])
def test_interims_are_posted_by_who_hears_the_call(role):
    given = SERVABLE | {"WEBHOOK_URL": "https://x.example", "WEBHOOK_SECRET": WEBHOOK_SECRET, "WEBHOOK_INTERIM": "true"}

    assert list(doubts(load(given | {"BRIDGE_ROLE": role}))) == [
        "WEBHOOK_INTERIM does nothing in a process that hears calls and does not deliver: interims are posted by who "
        "does both"
    ]
    for others in ("worker", "media,worker", "web"):
        assert list(doubts(load(given | {"BRIDGE_ROLE": others}))) == []


def test_where_a_webhook_leads_is_told_before_the_start_finds_it():
    given = {"WEBHOOK_SECRET": WEBHOOK_SECRET, "WEBHOOK_URL": "http://[::ffff:169.254.169.254]/secret"}
    (said,) = faults(load(SERVABLE | given), {})
    told = "endpoint webhook: the webhook's URL leads to where no webhook may be (link-local)"
    assert said == f"{told}; post elsewhere: no setting allows this"

    twilio = {"TWILIO_ACCOUNT_SID": "AC1", "BRIDGE_TWILIO_TRANSCRIPTION_URL": "https://127.0.0.1/"}
    (said,) = faults(load(SERVABLE | twilio | {"BRIDGE_EGRESS_STRICT": "true"}), {})
    told = "endpoint twilio: the webhook's URL leads to where no webhook may be (loopback)"
    assert said == f"{told}; it must be public https, or its network must stand in BRIDGE_EGRESS_ALLOW"


def test_a_database_needs_its_driver_and_spares_the_disk(monkeypatch):
    given = SERVABLE | {"DATABASE_URL": "postgresql://ann:sesame@db/x"}
    monkeypatch.setattr("bridge.checks.lacking_driver", lambda: None)
    check_for_serving(load(given), {"DYNO": "web.1"})
    monkeypatch.setattr("bridge.checks.lacking_driver", lambda: "DATABASE_URL needs the driver")
    with pytest.raises(ConfigError, match="DATABASE_URL needs the driver"):
        check_for_serving(load(given), {})


def test_recordings_of_several_processes_need_a_place_that_all_of_them_see(monkeypatch, tmp_path):
    monkeypatch.setattr("bridge.checks.lacking_driver", lambda: None)
    given = SERVABLE | {"DATABASE_URL": "postgresql://ann:sesame@db/x", "BRIDGE_RECORDINGS": "true"}
    (said,) = faults(load(given), {})
    assert said.startswith("BRIDGE_RECORDINGS with DATABASE_URL needs BRIDGE_AUDIO_URL, since any process")
    assert "set BRIDGE_AUDIO_URL to s3://" in said and "sesame" not in said
    check_for_serving(load(given | {"BRIDGE_AUDIO_URL": f"file://{tmp_path}/calls"}), {})
    check_for_serving(load(SERVABLE | {"BRIDGE_RECORDINGS": "true"}), {})


def test_what_works_leaves_no_doubt():
    assert list(doubts(load(SERVABLE | VOICE))) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"DEEPGRAM_OPTIONS": "language=multi&redact=pci"}, "DEEPGRAM_OPTIONS: redact=pci"),
        ({"WEBHOOK_INTERIM": "true"}, "WEBHOOK_URL"),
        ({"WEBHOOK_SECRET": "whsec_x"}, "WEBHOOK_URL"),
        ({"BRIDGE_TWILIO_PARTIAL_RESULTS": "true"}, "BRIDGE_TWILIO_TRANSCRIPTION_URL"),
        ({"TWILIO_ACCOUNT_SID": "AC1", "PUBLIC_URL": ""}, "TWILIO_ACCOUNT_SID"),
        ({"TWILIO_SIGNATURE": "off"}, "TWILIO_AUTH_TOKEN checks no stream"),
        ({"BRIDGE_CALLER_ID": "+15550100"}, "BRIDGE_DIAL"),
        ({"BRIDGE_PAUSE": "60", "BRIDGE_DIAL": "+15550100"}, "BRIDGE_PAUSE"),
        ({"BRIDGE_AUDIO_LIMIT": "0", "BRIDGE_BACKFILL_DAYS": "3"}, "BRIDGE_BACKFILL_DAYS"),
        ({"BRIDGE_AUDIO_LIMIT": "0", "BRIDGE_AUDIO_URL": "gs://calls"}, "BRIDGE_AUDIO_URL does nothing without kept"),
        ({"TWILIO_ACCOUNT_SID": "AC1", "BRIDGE_GRACE": "0"}, "TWILIO_ACCOUNT_SID"),
        ({"BRIDGE_REPLAY_SPEED": "2"}, "BRIDGE_REPLAY_SPEED"),
        ({"BRIDGE_VOSK_URL": "ws://127.0.0.1:2700"}, "DEEPGRAM_API_KEY does nothing with BRIDGE_VOSK_URL"),
        ({"DEEPGRAM_OPTIONS": "model=flux-general-en&diarize=true"}, "diarize is not sent"),
    ],
)
def test_what_may_not_work_is_for_the_log(changes, said):
    (doubt,) = doubts(load(SERVABLE | changes))

    assert said in doubt


def test_a_vosk_server_needs_no_key_of_deepgrams():
    check_for_serving(load({"BRIDGE_VOSK_URL": "ws://127.0.0.1:2700", "TWILIO_SIGNATURE": "off"}), {})


def test_an_account_that_posts_name_does_something():
    twilio = {"TWILIO_ACCOUNT_SID": "AC1", "BRIDGE_TWILIO_TRANSCRIPTION_URL": "https://x.example", "BRIDGE_GRACE": "0"}
    check_for_serving(load(SERVABLE | twilio), {})

    assert list(doubts(load(SERVABLE | twilio))) == []


def test_unsigned_streams_are_taken_only_when_asked_for():
    check_for_serving(load({"DEEPGRAM_API_KEY": "key", "TWILIO_SIGNATURE": "off"}), {})


@pytest.mark.parametrize("own", [{"BRIDGE_TELNYX_SECRET": "s" * 16}, {"BRIDGE_JAMBONZ_AUTH": "ann:pass"}])
def test_a_server_for_other_carriers_alone_needs_nothing_of_twilios(own):
    environment = {"DEEPGRAM_API_KEY": "key", **own}
    check_for_serving(load(environment), environment)

    assert not load(environment).answers_twilio
    assert "s" * 16 not in repr(load(environment))
    assert "ann:pass" not in repr(load(environment))
