"""What is read in one step, held against what is read field by field."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.deepgram.messages import Parsed, parse, parse_odd
from bridge.deepgram.usual import read_usual
from bridge.errors import RemoteProtocolError
from tests.deepgram.test_messages import RESULTS
from tests.fakes.json import paths, spoil

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([10**9, 10**9 + 1, 2**70, 0.0, 1.0, 1.5, 2.5, 4.5, 4.6, -0.1, 1e9, 2e9, 1e400, float("nan")]),
    st.sampled_from(["", " ", "yes", "é", "\ud800", "\u2028", "1.5", "true", "en", "Results", "SpeechStarted"]),
    st.lists(st.sampled_from([0, 1, -1, "en", "", None, {}]), max_size=3),
    st.dictionaries(st.sampled_from(["word", "start", "alternatives"]), st.integers(), max_size=2),
)


def spoilt(places):
    return st.tuples(st.sampled_from(places), ODD).map(lambda one: spoil(RESULTS, *one))


@settings(max_examples=600)
@given(spoilt(list(paths(RESULTS))), st.sampled_from(["", "x", "[", "  "]))
@example(RESULTS, "")
@example({**RESULTS, "type": "UtteranceEnd"}, "")
def test_what_is_read_in_one_step_is_read_as_field_by_field(message, after):
    text = json.dumps(message) + after
    usual = read_usual(text)

    assert usual == read_usual(text.encode())
    if usual:
        assert parse_odd(text) == Parsed(usual)
        assert parse(text) == Parsed(usual)
    else:
        assert outcome(parse, text) == outcome(parse_odd, text)


def outcome(read, text):
    try:
        return read(text)
    except RemoteProtocolError as error:
        return str(error)


@pytest.mark.parametrize(
    "fields",
    [{}, {"is_final": False}, {"speech_final": True}, {"from_finalize": True}, {"metadata": None}, {"unknown": [1]}],
)
def test_an_ordinary_result_is_read_in_one_step(fields):
    assert read_usual(json.dumps({**RESULTS, **fields}))


def test_silence_is_read_in_one_step():
    silence = {"transcript": "", "confidence": 0.0, "words": []}

    assert read_usual(json.dumps({**RESULTS, "channel": {"alternatives": [silence]}})).text == ""


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "null", b"\xff", '{"type":"Results"', "[" * 100_000])
def test_what_is_no_result_is_left_to_the_other(text):
    assert read_usual(text) is None
