import base64

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from bridge.web.secrets import by_password, by_secret

SECRETS = ("old-secret-of-ours", "new-secret-of-ours")
PAIRS = ("ann:pass:word", "bob:ü")


def request(path="/media/x", *, secret=None, **headers):
    return make_mocked_request("GET", path, headers=headers, match_info={"secret": secret} if secret else {})


@pytest.mark.parametrize("given", SECRETS)
def test_a_secret_may_come_four_ways(given):
    check = by_secret(SECRETS, "SETTING", "x-token")

    check(request(**{"X-Token": given}))
    check(request(Authorization=f"Bearer {given}"))
    check(request(f"/media/x?token={given}"))
    check(request(f"/media/x/{given}", secret=given))


def test_without_a_secret_the_log_says_what_to_set(caplog):
    with pytest.raises(web.HTTPForbidden):
        by_secret((), "SETTING", "x-token")(request())

    assert vars(caplog.records[0])["remedy"] == "set SETTING"


@pytest.mark.parametrize("given", ["", "wrong", "old-secret-of-our", "old-secret-of-ours new-secret-of-ours", "\udcff"])
def test_any_other_is_refused(given):
    check = by_secret(SECRETS, "SETTING", "x-token")

    with pytest.raises(web.HTTPForbidden) as refused:
        check(request(secret=given))
    assert "SETTING" in refused.value.text


@pytest.mark.parametrize("none", [(), ("",)])
def test_a_carrier_without_a_secret_is_closed_and_says_what_to_set(none):
    for check in (by_secret(none, "SETTING", "x-token"), by_password(none, "SETTING")):
        with pytest.raises(web.HTTPForbidden) as refused:
            check(request(Authorization="Bearer ", **{"X-Token": ""}))
        assert refused.value.text == "set SETTING to take streams here\n"


def basic(pair):
    return "Basic " + base64.b64encode(pair.encode()).decode()


@pytest.mark.parametrize("pair", PAIRS)
def test_a_pair_is_let_in(pair):
    by_password(PAIRS, "SETTING")(request(Authorization=basic(pair)))


@pytest.mark.parametrize(
    "header", ["", "Basic", "Basic !!", "Basic /w==", basic("ann:"), basic("ann:pass"), "Bearer x"]
)
def test_any_other_is_asked_for_one(header):
    with pytest.raises(web.HTTPUnauthorized) as refused:
        by_password(PAIRS, "SETTING")(request(Authorization=header))
    assert refused.value.headers["WWW-Authenticate"].startswith("Basic")
