from bridge.config import load
from bridge.egress import Egress
from bridge.web import carriers


def names(mounts):
    return [mount.carrier.name for mount in mounts]


def test_every_carrier_is_mounted():
    assert "twilio" in names(carriers.mounts(load({}), b"secret"))


def test_twilio_is_asked_for_streams_where_there_is_an_account():
    whole = {"PUBLIC_URL": "https://x.example", "TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "t"}

    assert [list(asked) for asked in carriers.asked(load(whole), b"secret", Egress({}))] == [["twilio"]] * 2
    for name in whole:
        assert carriers.asked(load({**whole, name: ""}), b"secret", Egress({})) == ({}, {})


def test_the_secret_of_tokens_outlives_a_restart_where_there_is_an_auth_token():
    settings = load({"TWILIO_AUTH_TOKEN": "t"})

    assert carriers.token_secret(settings) == carriers.token_secret(settings)
    assert carriers.token_secret(load({})) != carriers.token_secret(load({}))


def test_every_carriers_dialect_is_one_per_socket():
    for mount in carriers.mounts(load({}), b"secret"):
        assert mount.carrier.path == f"/media/{mount.carrier.name}"
        assert list(mount.carrier.dialect().data_to_send()) == []
