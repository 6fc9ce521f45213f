import pytest

from bridge.spelling import misspelt, nearest

KNOWN = ("WEBHOOK_URL", "TWILIO_AUTH_TOKEN", "PUBLIC_URL", "DATA_DIR", "HOST", "PORT", "BRIDGE_DIAL", "BRIDGE_SAY")


def said(*names):
    return list(misspelt(names, KNOWN, prefix="BRIDGE_", common=("HOST", "PORT")))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("WEBHOOK_URl", "WEBHOOK_URL"),
        ("webhook_url", "WEBHOOK_URL"),
        ("WEBHOOK-URL", "WEBHOOK_URL"),
        ("WEBHOOK_URL ", "WEBHOOK_URL"),
        ("WEBHOOKURL", "WEBHOOK_URL"),
        ("WEBHOK_URL", "WEBHOOK_URL"),
        ("TWILIO_AUTHTOKEN", "TWILIO_AUTH_TOKEN"),
        ("TWILIO_AUHT_TOKEN", "TWILIO_AUTH_TOKEN"),
        ("PUBLICURL", "PUBLIC_URL"),
        ("DATADIR", "DATA_DIR"),
        ("BRIDGE_DAIL", "BRIDGE_DIAL"),
        ("BRIDGE_SYA", "BRIDGE_SAY"),
        ("Port", "PORT"),
    ],
)
def test_a_misspelt_name_is_told_what_it_was_meant_to_be(name, meant):
    (sentence,) = said(name)

    assert name.strip() in sentence
    assert f"did you mean {meant}?" in sentence


@pytest.mark.parametrize(
    "name",
    [
        *("PATH", "HOSTNAME", "POST", "PORTS", "HOME", "PUBLIC_KEY", "PUBLIC_IP", "XDG_DATA_DIRS"),
        *("TWILIO_API_KEY", "WEBHOOK_PORT", "REDIS_URL", "NO_PROXY"),
    ],
)
def test_names_of_others_are_let_be(name):
    assert said(name) == []


def test_a_name_that_is_set_was_not_meant_by_another():
    assert said("WEBHOOK_URLS", "WEBHOOK_URL") == []


def test_every_name_with_our_prefix_is_ours():
    assert said("BRIDGE_XYZZY") == ["unknown setting BRIDGE_XYZZY; bridge/docs/settings.md lists them all"]
    assert said("BRIDGE_DAIL", "BRIDGE_DIAL") == ["unknown setting BRIDGE_DAIL; bridge/docs/settings.md lists them all"]


def test_a_name_cannot_write_to_the_terminal():
    assert "\x1b" not in said("WEBHOOK_URL\x1b")[0]


def test_the_nearest_is_none_where_none_is_near():
    assert nearest("modle", ["model", "mode_x"]) == "model"
    assert nearest("brand_new", ["model", "language"]) is None
