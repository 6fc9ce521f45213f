"""Tokens: what is made is valid for its call until its time; whatever else is tried is not."""

import base64
import hashlib
import hmac
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twiml.token import Outcome, make, verify

SECRET = b"a secret of the server"
CALL = "CA" + "0123456789abcdef" * 2
NOW = 1_700_000_000.0
TOKEN = make(SECRET, CALL, NOW + 300)

call_ids = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)


@given(st.binary(min_size=1), call_ids, st.floats(0, 1e12))
def test_a_token_is_valid_for_its_call_until_it_expires(secret: bytes, call_id: str, expires: float) -> None:
    token = make(secret, call_id, expires)
    assert verify(secret, token, call_id, int(expires) - 0.5) is Outcome.VALID
    assert verify(secret, token, call_id, expires) is Outcome.EXPIRED


def test_it_is_short_and_safe_in_a_url_and_in_xml() -> None:
    assert re.fullmatch(r"[A-Za-z0-9._-]+", TOKEN)
    assert len(TOKEN) == 34 + 1 + 10 + 1 + 43
    assert len(make(SECRET, "x" * 64, 999_999_999_999_999)) <= 124


def test_what_the_secret_signs_elsewhere_is_no_token() -> None:
    claim = f"{CALL}.{int(NOW) + 300}"
    digest = hmac.new(SECRET, claim.encode(), hashlib.sha256).digest()
    elsewhere = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert verify(SECRET, f"{claim}.{elsewhere}", CALL, NOW) is Outcome.FORGED


def test_another_call_may_not_use_it() -> None:
    assert verify(SECRET, TOKEN, "CA" + "f" * 32, NOW) is Outcome.WRONG_CALL


def test_another_secret_is_told_from_another_call() -> None:
    assert verify(b"the other server's", TOKEN, CALL, NOW) is Outcome.FORGED


def test_a_forged_token_is_not_called_expired() -> None:
    forged = TOKEN.replace(str(int(NOW) + 300), str(int(NOW) - 300))
    assert verify(SECRET, forged, CALL, NOW) is Outcome.FORGED


@given(st.integers(0, len(TOKEN) - 1), st.characters())
def test_no_character_can_be_changed(place: int, character: str) -> None:
    tampered = TOKEN[:place] + character + TOKEN[place + 1 :]
    outcome = verify(SECRET, tampered, CALL, NOW)
    if tampered == TOKEN:
        assert outcome is Outcome.VALID
    else:
        assert outcome in (Outcome.FORGED, Outcome.MALFORMED)


@given(st.integers(0, len(TOKEN)), st.text(min_size=1, max_size=5))
def test_nothing_can_be_put_in_or_cut_off(place: int, more: str) -> None:
    assert verify(SECRET, TOKEN[:place] + more + TOKEN[place:], CALL, NOW) is not Outcome.VALID
    if place < len(TOKEN):
        assert verify(SECRET, TOKEN[:place], CALL, NOW) is not Outcome.VALID


@given(st.text())
def test_any_text_is_an_outcome(text: str) -> None:
    assert verify(SECRET, text, CALL, NOW) in (Outcome.MALFORMED, Outcome.FORGED)


def test_rubbish_is_malformed() -> None:
    for text in ("", "..", "CA1", f"{TOKEN}\n", f" {TOKEN}", f"{TOKEN}=", "é" * 60, "\ud800", TOKEN * 2):
        assert verify(SECRET, text, CALL, NOW) is Outcome.MALFORMED


@given(call_ids, call_ids)
def test_ids_and_times_do_not_run_into_each_other(first: str, second: str) -> None:
    if first != second:
        assert verify(SECRET, make(SECRET, first, NOW + 1), second, NOW) is Outcome.WRONG_CALL


@pytest.mark.parametrize("call_id", ["", "a.b", "a b", "é", "x" * 65, "CA1\n"])
def test_a_call_id_that_would_not_fit_is_our_mistake(call_id: str) -> None:
    with pytest.raises(ValueError, match="call id"):
        make(SECRET, call_id, NOW)


def test_an_empty_secret_is_our_mistake() -> None:
    with pytest.raises(ValueError, match="empty secret"):
        make(b"", CALL, NOW)
    with pytest.raises(ValueError, match="empty secret"):
        verify(b"", TOKEN, CALL, NOW)
