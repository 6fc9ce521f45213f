"""What one process tells another of a stream that it relays there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import RemoteProtocolError
from bridge.web.mark import preface, read_preface, sign, verify

PATH = "/media/twilio"


def test_a_mark_names_the_call():
    assert verify("key", sign("key", "CA1", PATH), PATH) == "CA1"


@pytest.mark.parametrize(
    ("key", "header", "path"),
    [
        ("other", sign("key", "CA1", PATH), PATH),
        ("key", sign("key", "CA1", PATH), "/media/telnyx"),
        ("key", sign("key", "CA1", PATH).replace("CA1", "CA2"), PATH),
        ("key", "CA1", PATH),
        ("key", "CA1 ", PATH),
        ("key", "", PATH),
        ("", sign("", "CA1", PATH), PATH),
    ],
)
def test_any_other_names_none(key, header, path):
    assert verify(key, header, path) is None


@given(st.text())
def test_no_header_is_too_odd(header):
    assert verify("key", header, PATH) is None


@pytest.mark.parametrize("waited", [None, 0.0, 0.25, 59.5])
def test_the_preface_says_since_when_the_first_frame_waits(waited):
    assert read_preface(preface(waited)) == waited


@pytest.mark.parametrize(
    "text",
    [b"", b"\xff", b"[]", b"{}", b'{"waited": -1}', b'{"waited": 1e9}', b'{"waited": "1"}', b'{"waited": NaN}'],
)
def test_what_is_no_preface_is_refused(text):
    with pytest.raises(RemoteProtocolError):
        read_preface(text)
