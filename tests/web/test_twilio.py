"""What lets a stream of Twilio's in; over a socket in `test_media.py`."""

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from bridge.carriers.messages import Started
from bridge.web.arriving import StreamRefused
from bridge.web.twilio import TwilioAccess
from twiml import signature, token

URL = "https://calls.example.com"
SECRET = b"s" * 32


def access(**changes):
    return TwilioAccess(**{"public_url": URL, "clock": lambda: 1000.0, "auth_tokens": ("key",), **changes})


def request(signed=None):
    headers = {"X-Twilio-Signature": signed} if signed else {}
    return make_mocked_request("GET", "/media/twilio", headers=headers)


def started(given=None, **parameters):
    return Started("CA1", "MZ1", (), "audio/x-mulaw", 8000, parameters, carrier="twilio", token=given)


def test_a_signature_over_the_public_url_is_let_in():
    access().authenticate(request(signature.sign_url("key", "wss://calls.example.com/media/twilio")))


@pytest.mark.parametrize("changes", [{}, {"auth_tokens": ()}, {"public_url": None}])
def test_without_one_or_without_what_it_is_checked_with_the_door_is_shut(changes):
    with pytest.raises(web.HTTPForbidden):
        access(**changes).authenticate(request())


def test_off_does_not_look():
    access(signature_mode="off", auth_tokens=()).authenticate(request())


def test_a_token_is_good_for_its_call_and_its_time():
    checks = access(token_secret=SECRET)

    good = started(token.make(SECRET, "CA1", 1001))
    assert checks.check_start(good) is good
    for made, why in (("CA1", "expired"), ("CA2", "wrong call")):
        given = token.make(SECRET, made, 999 if why == "expired" else 1001)
        with pytest.raises(StreamRefused, match=why):
            checks.check_start(started(given))
        with pytest.raises(StreamRefused, match=why):
            checks.check_start(started(token=given))


def test_one_can_be_required():
    assert access().check_start(started()) == started()
    with pytest.raises(StreamRefused, match="the stream has no token"):
        access(require_token=True).check_start(started(token="crm-42"))


def test_one_under_its_former_name_is_taken_for_what_it_is():
    given = token.make(SECRET, "CA1", 1001)

    assert access(token_secret=SECRET).check_start(started(token=given, a="b")) == started(given, a="b")


@pytest.mark.parametrize("own", ["crm-42", "", token.make(b"another", "CA1", 1001), "a.b.c"])
def test_a_developers_own_parameter_of_that_name_is_no_token(own):
    assert access(token_secret=SECRET).check_start(started(token=own)) == started(token=own)
    given = token.make(SECRET, "CA1", 1001)
    assert access(token_secret=SECRET).check_start(started(given, token=own)) == started(given, token=own)


def test_no_secret_is_shown():
    assert "key" not in repr(access(token_secret=SECRET)).replace("token_secret", "")
