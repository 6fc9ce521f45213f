"""One odd field at a time; the dialects' own messages are tested with them."""

import json

import msgspec
import pytest

from bridge.carriers.fields import body, decode_leniently, items, mapping, rate
from bridge.errors import RemoteProtocolError


class Frame(msgspec.Struct):
    event: str
    number: int | None = None
    inner: dict[str, int] | None = None


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ({"event": "a", "number": "7"}, Frame("a", 7)),
        ({"event": "a", "number": [], "inner": {"x": 1}}, Frame("a", None, {"x": 1})),
        ({"event": "a", "number": 7, "inner": {"x": "soon"}, "more": 1}, Frame("a", 7)),
    ],
)
def test_what_fits_is_read(said, read):
    assert decode_leniently(json.dumps(said), Frame) == read


@pytest.mark.parametrize("text", ["[]", "7", "{}", '{"event": 7}', "no", '{"number": 7}'])
def test_what_is_no_frame_is_refused(text):
    with pytest.raises(msgspec.MsgspecError):
        decode_leniently(text, Frame)


def test_what_is_of_another_kind_is_nothing():
    assert (mapping([1]), mapping({"a": 1})) == ({}, {"a": 1})
    assert (items("ab"), items([1])) == ((), (1,))
    assert [rate(value, 8000) for value in ("16000", 8000.0, None, "x", float("inf"), [])] == [16000, *[8000] * 5]
    with pytest.raises(RemoteProtocolError):
        body(None)
