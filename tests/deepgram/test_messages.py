import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.deepgram.messages import (
    Blame,
    DeepgramError,
    Metadata,
    Other,
    Refusal,
    Results,
    ResultWord,
    SpeechStart,
    UtteranceEnd,
    parse,
    parse_refusal,
)
from bridge.errors import RemoteProtocolError

RESULTS = {
    "type": "Results",
    "channel_index": [1, 2],
    "start": 1.5,
    "duration": 2.0,
    "is_final": True,
    "speech_final": False,
    "from_finalize": False,
    "channel": {
        "alternatives": [
            {
                "transcript": "Hello there.",
                "confidence": 0.98,
                "words": [
                    {"word": "hello", "start": 1.6, "end": 1.9, "confidence": 0.99, "punctuated_word": "Hello"},
                    {"word": "there", "start": 2.0, "end": -1, "confidence": 0.9},
                ],
            }
        ]
    },
    "metadata": {"request_id": "r"},
}


def test_results():
    assert parse(json.dumps(RESULTS)) == Results(
        channel=1,
        start=1.5,
        end=3.5,
        text="Hello there.",
        confidence=0.98,
        words=(ResultWord("hello", "Hello", 1.6, 1.9, 0.99), ResultWord("there", "there", 2.0, 2.0, 0.9)),
        is_final=True,
        speech_final=False,
        from_finalize=False,
        language=None,
    )


def test_the_most_frequent_language_counts():
    results = json.loads(json.dumps(RESULTS))
    results["channel"]["alternatives"][0]["languages"] = ["es", "en"]

    assert parse(json.dumps(results)).language == "es"


def test_silence_has_no_words():
    results = {**RESULTS, "channel": {"alternatives": [{"transcript": "", "confidence": 0, "words": []}]}}

    assert parse(json.dumps(results)).words == ()


def test_results_without_alternatives_are_silence():
    assert parse(json.dumps({**RESULTS, "channel": {"alternatives": []}})).text == ""


def test_the_channel_is_an_array_in_utterance_end():
    assert parse('{"type":"UtteranceEnd","channel":[1,2],"last_word_end":2.395}') == UtteranceEnd(1, 2.395)


def test_speech_started():
    assert parse('{"type":"SpeechStarted","channel":[0,2],"timestamp":9.54}') == SpeechStart(0, 9.54)


def test_metadata():
    assert parse('{"type":"Metadata","request_id":"r","duration":12.5,"channels":2}') == Metadata()


def test_an_error_leaves_out_what_it_echoes():
    text = '{"type":"Error","variant":"SchemaError","description":"bad","message":"c2VjcmV0"}'

    assert parse(text) == DeepgramError("SchemaError", "bad")


def test_an_error_is_one_printable_line_of_bounded_length():
    code, description = "a\nb\x1b[31m\ud800" + "c" * 100, "first\r\nsecond\u2028" + "d" * 1000
    error = parse(json.dumps({"type": "Error", "code": code, "description": description}))

    assert error == DeepgramError("a b [31m " + "c" * 71, "first  second " + "d" * 186)
    assert parse('{"type":"Error"}') == DeepgramError("Error", "")


def test_types_we_do_not_know_are_tolerated():
    assert parse('{"type":"ConfigureSuccess","request_id":"r"}') == Other()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[]",
        "{}",
        '{"type":1}',
        '{"type":"Results"}',
        '{"type":"UtteranceEnd","channel":{},"last_word_end":1}',
        '{"type":"UtteranceEnd","channel":[-1,2],"last_word_end":1}',
        '{"type":"SpeechStarted","channel":["a"],"timestamp":1}',
        '{"type":"SpeechStarted","channel":[0,2],"timestamp":NaN}',
        '{"type":"UtteranceEnd","channel":[0,2],"last_word_end":1e999}',
        '{"type":"UtteranceEnd","channel":[0,2],"last_word_end":1e300}',
        '{"type":"UtteranceEnd","channel":[0,2],"last_word_end":' + "9" * 400 + "}",
    ],
)
def test_what_cannot_be_read_is_a_protocol_error(text):
    with pytest.raises(RemoteProtocolError):
        parse(text)


@given(st.sampled_from(sorted(RESULTS)), st.none() | st.integers() | st.text() | st.lists(st.none()))
def test_results_with_any_field_spoilt_are_read_or_refused(field, value):
    try:
        parse(json.dumps({**RESULTS, field: value}))
    except RemoteProtocolError:
        pass


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            {"err_code": "INVALID_AUTH", "err_msg": "Invalid credentials.", "request_id": "r1"},
            "INVALID_AUTH: Invalid credentials.",
        ),
        ({"category": "c", "message": "m", "details": "d", "request_id": "r1"}, "c: m"),
        ({"error_code": "Service Unavailable", "request_id": "r1"}, "Service Unavailable"),
    ],
)
def test_a_refusal_gives_deepgrams_own_reason(body, reason):
    assert parse_refusal(401, {}, json.dumps(body).encode()) == Refusal(401, reason, "r1")


def test_a_refusal_without_a_body_is_read_from_the_headers():
    assert parse_refusal(400, {"dg-error": "no such model", "dg-request-id": "r2"}, b"") == Refusal(
        400, "no such model", "r2"
    )


def test_a_refusal_by_somebody_else_has_its_status_for_a_reason():
    assert parse_refusal(502, {}, b"<html>") == Refusal(502, "HTTP 502", None)
    assert parse_refusal(502, {}, b"[]").reason == "HTTP 502"
    assert parse_refusal(502, {}, b"[" * 100_000).reason == "HTTP 502"


@pytest.mark.parametrize(
    ("status", "blame"),
    [
        (None, Blame.PASSING),
        (429, Blame.PASSING),
        (500, Blame.PASSING),
        (503, Blame.PASSING),
        (408, Blame.PASSING),
        (400, Blame.REQUEST),
        (401, Blame.ACCOUNT),
        (402, Blame.ACCOUNT),
        (403, Blame.ACCOUNT),
        (404, Blame.REQUEST),
    ],
)
def test_which_refusals_may_heal(status, blame):
    assert Refusal(status, "", None).blame is blame


def test_half_a_surrogate_pair_is_made_writable():
    said = """{"type": "Results", "channel_index": [0, 2], "start": 0, "duration": 1, "is_final": true, "channel":
        {"alternatives": [{"transcript": "a\\ud800b", "languages": ["e\\udfffn"], "words": [
            {"word": "a\\ud800b", "start": 0, "end": 1}]}]}}"""
    results = parse(said)

    assert (results.text, results.language, results.words[0].word, results.words[0].text) == (
        "a?b",
        "e?n",
        "a?b",
        "a?b",
    )


@pytest.mark.parametrize(
    ("statuses", "blame"),
    [
        ((None, 408, 429, 500, 503, 599), Blame.PASSING),
        ((200, 301, 302, 307, 308, 401, 402, 403), Blame.ACCOUNT),
        ((400, 404, 405, 410, 413, 426), Blame.REQUEST),
    ],
)
def test_what_a_refusal_is_blamed_on(statuses, blame):
    assert {Refusal(status, "", None).blame for status in statuses} == {blame}
