import re
from pathlib import Path

import pytest

from bridge.align import AlignPolicy
from bridge.config import Settings, examine, load
from bridge.errors import ConfigError


def test_the_defaults_stand():
    settings = load({})

    assert (settings.port, settings.host, settings.deepgram_url) == (8080, "0.0.0.0", "wss://api.deepgram.com")


def test_the_environment_is_read_by_name_and_empty_means_unset():
    settings = load({"PORT": "9000", "WEBHOOK_INTERIM": "true", "PUBLIC_URL": "", "HOME": "/root"})

    assert (settings.port, settings.webhook_interim, settings.public_url) == (9000, True, None)


def test_what_is_given_goes_before_the_environment():
    assert load({"PORT": "9000"}, port=1).port == 1


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("open", None),
        ("token", None),
        ("9100", ("10.0.0.1", 9100)),
        ("127.0.0.1:9100", ("127.0.0.1", 9100)),
        ("[::1]:9100", ("::1", 9100)),
    ],
)
def test_the_metrics_may_have_an_address_of_their_own(given, address):
    assert load({"HOST": "10.0.0.1", "BRIDGE_METRICS": given}).metrics_address == address


def test_a_process_does_all_unless_it_is_told_its_part():
    assert load({}).roles == load({"BRIDGE_ROLE": ""}).roles == {"media", "web", "worker"}
    assert load({"BRIDGE_ROLE": "web, Worker"}).roles == {"web", "worker"}
    assert [load({"BRIDGE_ROLE": role}).transcribes for role in ("media", "web", "worker")] == [True, False, True]


def test_what_programs_that_read_are_told_stops_no_start():
    """`BRIDGE_URL` and `BRIDGE_TOKEN`, exported for one of the examples."""
    assert load({"BRIDGE_URL": "https://calls.example.com", "BRIDGE_TOKEN": "t" * 20}) == load({})


def test_a_misspelt_setting_stops_the_start():
    with pytest.raises(ConfigError, match="BRIDGE_CHUNK_MSS"):
        load({"BRIDGE_CHUNK_MSS": "60"})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PORT", "http", "PORT"),
        ("PORT", "70000", "65535"),
        ("PUBLIC_URL", "http://calls.example.com", "https origin"),
        ("PUBLIC_URL", "https://calls.example.com/path", "no path"),
        ("PUBLIC_URL", "calls.example.com", "https origin"),
        ("DEEPGRAM_URL", "https://api.deepgram.com", "wss://"),
        ("DEEPGRAM_URL", "wss://api.deepgram.com/v1/listen", "no path"),
        ("DEEPGRAM_URL", "wss://api.deepgram.com?model=nova-3", "no query"),
        ("DEEPGRAM_URL", "wss://somebody:secret@api.deepgram.com", "no user name"),
        ("DEEPGRAM_URL", "wss://api.deepgram.com:port", "DEEPGRAM_URL"),
        ("DEEPGRAM_URL", "wss://api.deepgram.com,wss://api.eu.deepgram.com", "blanks"),
        ("DEEPGRAM_URL", "wss://api.deepgram.com wss://api.deepgram.com", "no origin twice"),
        ("DEEPGRAM_OPTIONS", "channels=1", "channels"),
        ("WEBHOOK_URL", "ftp://x", "https://"),
        ("WEBHOOK_URL", "https://user:secret@x.example", "user name"),
        ("WEBHOOK_INTERIM", "perhaps", "WEBHOOK_INTERIM"),
        ("TWILIO_SIGNATURE", "maybe", "strict"),
        ("BRIDGE_CHUNK_MS", "5", "20"),
        ("BRIDGE_HOLD_MS", "9", "10"),
        ("BRIDGE_HOLD_MS", "501", "500"),
        ("BRIDGE_MAX_CALLS", "0", "BRIDGE_MAX_CALLS"),
        ("BRIDGE_REQUIRE_TOKEN", "ture", "true or false"),
        ("BRIDGE_MAX_CALLS", "many", "whole number"),
        ("BRIDGE_GRACE", "nan", "number"),
        ("BRIDGE_GRACE", "-1", "0"),
        ("BRIDGE_GRACE", "1,5", "with a point"),
        ("HOST", "0.0.0.0 8080", "no blanks"),
        ("PUBLIC_URL", "https://ann:secret@calls.example.com", "no user name"),
        ("BRIDGE_TWILIO_API", "api.twilio.com", "https://"),
        ("TWILIO_ACCOUNT_SID", "SK0123", "AC and 32"),
        ("BRIDGE_DIAL", "mum", "dial target"),
        ("BRIDGE_LABEL_INBOUND", "x" * 401, "400"),
        ("BRIDGE_DEEPGRAM_OVERRIDES", "langauge", "did you mean language"),
        ("DEEPGRAM_API_KEY", "a1\nb2", "alone"),
        ("DEEPGRAM_API_KEY", "Token a1", "alone"),
        ("DEEPGRAM_API_KEY", "${DEEPGRAM_API_KEY}", "placeholder"),
        ("TWILIO_AUTH_TOKEN", "a1\u00a0b2", "one blank"),
        ("BRIDGE_READ_TOKENS", "short", "16"),
        ("BRIDGE_METRICS", "closed", "open, token"),
        ("BRIDGE_ROLE", "medium", "must be any of media, web, worker"),
        ("BRIDGE_METRICS", "70000", "port"),
        ("BRIDGE_METRICS", ":9100", "address:port"),
    ],
)
def test_a_value_that_cannot_work_is_one_sentence_with_its_name(name, value, said):
    with pytest.raises(ConfigError, match=said) as caught:
        load({name: value})

    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("around", ["{}\n", "  {} ", '"{}"', "'{}'\n", "{}\u00a0"])
def test_what_nobody_sees_around_a_value_is_no_part_of_it(around):
    settings = load(
        {
            "DEEPGRAM_API_KEY": around.format("a1b2"),
            "WEBHOOK_URL": around.format("https://x.example"),
            "PORT": around.format("9000"),
            "BRIDGE_REQUIRE_TOKEN": around.format("true"),
            "BRIDGE_STOP": around.format("end"),
            "DATA_DIR": around.format("/tmp/x"),
            "TWILIO_ACCOUNT_SID": around.format(""),
        }
    )

    assert settings.deepgram_api_key.get_secret_value() == "a1b2"
    assert (settings.webhook_url, settings.port, settings.bridge_stop) == ("https://x.example", 9000, "end")
    assert (settings.bridge_require_token, settings.data_dir) == (True, Path("/tmp/x"))
    assert settings.twilio_account_sid is None


def test_several_origins_have_one_key_or_one_each():
    two = {"DEEPGRAM_URL": "wss://api.deepgram.com\n  wss://api.eu.deepgram.com/"}
    one_key, each = load({**two, "DEEPGRAM_API_KEY": "k"}), load({**two, "DEEPGRAM_API_KEY": "k1 k2"})

    assert one_key.deepgram_origins == ("wss://api.deepgram.com", "wss://api.eu.deepgram.com")
    assert (one_key.deepgram_keys, each.deepgram_keys) == (("k", "k"), ("k1", "k2"))
    assert load(two).deepgram_keys == ()
    with pytest.raises(ConfigError, match="DEEPGRAM_API_KEY: .*each of DEEPGRAM_URL") as caught:
        load({**two, "DEEPGRAM_API_KEY": "sesame k2 k3"})
    assert "sesame" not in str(caught.value)


def test_every_secret_is_checked_before_it_is_used():
    """A new secret that takes a line end would carry it into a header, and the library's error into the log."""
    secret = [name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)]

    assert {"deepgram_api_key", "webhook_secret", "twilio_auth_token", "bridge_read_tokens"} <= set(secret)
    for name in secret:
        with pytest.raises(ConfigError, match=name.upper()) as caught:
            load({name.upper(): "sesame-sesame-se\x1bsame:x"})
        assert "sesame" not in str(caught.value)


def test_a_misspelt_name_is_told_without_its_value():
    with pytest.raises(ConfigError, match=r"WEBHOOK_URl.*did you mean WEBHOOK_URL") as caught:
        load({"WEBHOOK_URl": "https://x.example/sesame", "PORT": "http"})

    assert "PORT" in str(caught.value)
    assert "sesame" not in str(caught.value)


def test_names_of_other_programs_are_let_be():
    assert load({"WEBHOOK_URLS": "x", "WEBHOOK_URL": "", "PATH": "/bin", "POST": "1"}).webhook_url is None


def test_no_secret_shows_in_a_repr_or_an_error():
    settings = load({"DEEPGRAM_API_KEY": "sesame", "WEBHOOK_SECRET": "whsec_open", "TWILIO_AUTH_TOKEN": "tok"})

    assert not re.search("sesame|whsec_open|tok'", repr(settings) + str(settings))
    urls = load({"WEBHOOK_URL": "https://x.example/?key=sesame", "DATABASE_URL": "postgres://x:sesame@y/z"})
    assert "sesame" not in repr(urls)
    with pytest.raises(ConfigError) as caught:
        load({"WEBHOOK_URL": "https://user:sesame@x.example"})
    assert "sesame" not in str(caught.value)


def test_a_database_is_postgresql():
    two = "postgresql://ann:sesame@one:5432,two:5432/calls?target_session_attrs=read-write"
    assert load({"DATABASE_URL": two}).database_url.get_secret_value() == two
    with pytest.raises(ConfigError, match="DATABASE_URL: must begin with postgresql://") as caught:
        load({"DATABASE_URL": "mysql://ann:sesame@db/x"})
    assert "sesame" not in str(caught.value)


def test_signatures_are_checked_unless_somebody_says_otherwise():
    assert load({}).twilio_signature == "strict"
    assert load({"TWILIO_SIGNATURE": "warn"}).twilio_signature == "warn"


@pytest.mark.parametrize("milliseconds", [10, 500])
def test_a_missing_frame_is_waited_for_as_long_as_the_alignment_allows(milliseconds):
    settings = load({"BRIDGE_HOLD_MS": str(milliseconds)})

    assert AlignPolicy(hold_ms=settings.bridge_hold_ms).hold_ms == milliseconds


def test_auth_tokens_may_be_several_while_rotating():
    assert load({"TWILIO_AUTH_TOKEN": "new old"}).twilio_auth_tokens == ("new", "old")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("BRIDGE_TELNYX_SECRET", "short", "16"), ("BRIDGE_JAMBONZ_AUTH", "ann", "user:password")],
)
def test_a_secret_of_a_carrier_has_its_form(name, value, said):
    with pytest.raises(ConfigError, match=said):
        load({name: value})


def test_all_that_cannot_be_meant_is_named_and_the_rest_is_kept():
    given = {"PORT": "x", "BRIDGE_CHUNKS": "1", "BRIDGE_MAX_CALLS": "0", "BRIDGE_SAY": "Hello", "HOST": "::"}
    settings, faults = examine(given)

    assert [fault.partition(":")[0] for fault in faults[1:]] == ["PORT", "BRIDGE_MAX_CALLS"]
    assert "BRIDGE_CHUNKS" in faults[0]
    assert (settings.port, settings.bridge_say, settings.host) == (8080, "Hello", "::")


def test_a_value_that_is_wrong_only_beside_another_is_left_out_too():
    settings, faults = examine({"DEEPGRAM_URL": "nonsense", "DEEPGRAM_API_KEY": "one two"})

    assert settings.deepgram_api_key is None
    assert any("DEEPGRAM_URL" in fault for fault in faults)


def test_a_variable_that_the_file_of_endpoints_names_is_no_misspelt_setting(tmp_path):
    file = tmp_path / "endpoints.toml"
    named = ("BRIDGE_CRM_SECRET", "WEBHOOK_SECRETS", "PORT")
    file.write_text("".join(f'[[endpoint]]\nsecret_env = "{name}"\n' for name in named))
    given = {"BRIDGE_CRM_SECRET": "whsec_x", "WEBHOOK_SECRETS": "whsec_y", "PORT": "9000"}

    assert load({"BRIDGE_ENDPOINTS": f" {file}", **given}).port == 9000
    with pytest.raises(ConfigError, match="unknown setting BRIDGE_CHUNKS.*did you mean"):
        load({"BRIDGE_ENDPOINTS": str(file), **given, "BRIDGE_CHUNKS": "60"})
    for broken in ("no TOML", "endpoint = 1", "[[endpoint]]\nsecret_env = 1", "[endpoint]\nsecret_env = 'X'"):
        file.write_text(broken)
        with pytest.raises(ConfigError, match="unknown setting BRIDGE_CRM_SECRET"):
            load({"BRIDGE_ENDPOINTS": str(file), **given})
