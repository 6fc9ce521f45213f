"""The ways to bring a key (facts: authentication)."""

import pytest

from bridge.local.deepgram.auth import Credentials, is_accepted, read_credentials


@pytest.mark.parametrize("scheme", ["Token", "token", "TOKEN"])
def test_authorization_token_in_any_case(scheme):
    assert read_credentials({"Authorization": f"{scheme} abc"}) == Credentials("token", "abc", None)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_authorization_bearer_in_any_case(scheme):
    assert read_credentials({"Authorization": f"{scheme} ey.J.wt"}) == Credentials("bearer", "ey.J.wt", None)


@pytest.mark.parametrize("scheme", ["token", "bearer"])
def test_browsers_bring_it_as_a_subprotocol_which_is_confirmed(scheme):
    credentials = read_credentials({"Sec-WebSocket-Protocol": f"{scheme}, abc"})
    assert credentials == Credentials(scheme, "abc", scheme)


def test_the_four_items_of_the_javascript_sdk():
    offered = "token,abc,x-deepgram-session-id,0f0e"
    assert read_credentials({"Sec-WebSocket-Protocol": offered}) == Credentials("token", "abc", "token")


def test_a_scheme_that_is_offered_beside_the_header_is_confirmed_too():
    headers = {"Authorization": "Token abc", "Sec-WebSocket-Protocol": "token, other"}
    assert read_credentials(headers) == Credentials("token", "abc", "token")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "abc"},
        {"Authorization": "Token"},
        {"Authorization": "Token "},
        {"Authorization": "Basic YTpi"},
        {"Sec-WebSocket-Protocol": "token"},
        {"Sec-WebSocket-Protocol": "token, "},
        {"Sec-WebSocket-Protocol": "chat, abc"},
    ],
)
def test_no_key(headers):
    assert read_credentials(headers) is None
    assert not is_accepted(read_credentials(headers), None)


def test_any_key_opens_the_door_unless_one_is_set():
    credentials = Credentials("token", "abc", None)
    assert is_accepted(credentials, None)
    assert is_accepted(credentials, "abc")
    assert not is_accepted(credentials, "abd")
    assert not is_accepted(Credentials("token", "ключ", None), "abd")
    assert not is_accepted(Credentials("token", "\udcff", None), "abd"), "octets that are no text"
