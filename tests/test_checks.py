import pytest

from bridge.checks import check_for_serving, doubts
from bridge.config import load
from bridge.errors import ConfigError

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
        ({"DATABASE_URL": "postgres://x"}, {}, "DATABASE_URL"),
        ({}, {"DYNO": "web.1"}, "wipes its disk"),
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
