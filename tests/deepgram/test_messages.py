import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.deepgram.messages import (
    CLOSE_STREAM,
    KEEP_ALIVE,
    Blame,
    ConfigureAnswer,
    DeepgramError,
    Metadata,
    Other,
    Refusal,
    parse_refusal,
)
from bridge.deepgram.messages import parse as parsed
from bridge.errors import RemoteProtocolError
from bridge.recognition import Alternative, Entity, Hit, Result, SpeechStart, TurnEnd, Word
from bridge.spans import Span
from tests.fakes.json import paths, spoil
from tests.fakes.speech import span

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
                    {
                        "word": "hello",
                        "start": 1.6,
                        "end": 1.9,
                        "confidence": 0.99,
                        "punctuated_word": "Hello",
                        "speaker": 2,
                        "language": "en",
                    },
                    {"word": "there", "start": 2.0, "end": 2.4, "confidence": 0.9},
                ],
            }
        ]
    },
    "metadata": {"request_id": "r"},
}


def parse(text):
    return parsed(text).message


def odd(**fields):
    """The message with other fields, and with other fields of its alternative: those named `best_…`."""
    best = {name[5:]: value for name, value in fields.items() if name.startswith("best_")}
    rest = {name: value for name, value in fields.items() if not name.startswith("best_")}
    (alternative,) = RESULTS["channel"]["alternatives"]
    return json.dumps({**RESULTS, "channel": {"alternatives": [{**alternative, **best}]}, **rest})


def test_what_we_send_is_json():
    assert parse(KEEP_ALIVE) == parse(CLOSE_STREAM) == Other()
    assert [json.loads(text) for text in (KEEP_ALIVE, CLOSE_STREAM)] == [{"type": "KeepAlive"}, {"type": "CloseStream"}]


def test_results():
    assert parsed(json.dumps(RESULTS)) == (
        Result(
            channel=1,
            span=span(1.5, 3.5),
            text="Hello there.",
            confidence=0.98,
            words=(
                Word("hello", "Hello", span(1.6, 1.9), 0.99, 2, "en"),
                Word("there", "there", span(2.0, 2.4), 0.9),
            ),
            is_final=True,
            ends_turn=False,
            from_finalize=False,
        ),
        0,
        0,
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"best_confidence": "high"},
        {"best_languages": [{"a": 1}]},
        {"best_languages": {"a": 1}},
        {"speech_final": "no"},
        {"from_finalize": 1},
        {"start": None},
        {"start": -5.0},
        {"duration": "long"},
        {"best_transcript": None},
        {"best_transcript": ["Hello"]},
    ],
)
def test_an_odd_field_is_counted_and_costs_itself_only(fields):
    message, bad_words, bad_fields = parsed(odd(**fields))

    assert [word.text for word in message.words] == ["Hello", "there"]
    assert message.text in ("Hello there.", "Hello there")
    assert (message.ends_turn, message.from_finalize, message.languages) == (False, False, ())
    assert (bad_words, bad_fields) == (0, 1)


@pytest.mark.parametrize(("confidence", "words"), [(0.98, 0.98), (None, 0.0), ("high", 0.0)])
def test_a_word_without_a_readable_confidence_has_its_results(confidence, words):
    message = parse(odd(best_confidence=confidence, best_words=[{"word": "hello", "confidence": "high"}]))

    assert (message.confidence, message.words[0].confidence) == (words, words)


@pytest.mark.parametrize("fields", [{"start": None}, {"start": -5.0}, {"start": 1e300}, {"duration": None}])
def test_a_result_without_a_place_is_where_its_words_are(fields):
    assert parse(odd(**fields)).span == span(1.6, 2.4)


def test_a_result_of_no_length_with_words_is_where_its_words_are():
    assert parse(odd(duration=0)).span == span(1.6, 2.4)
    assert parse(odd(duration=0, best_words=[], best_transcript="")).span == span(1.5, 1.5)


@pytest.mark.parametrize("value", ["true", "false", 1, None, [], {}])
def test_only_what_is_surely_a_final_is_one(value):
    assert parse(odd(is_final=value)).is_final is False


def test_json_in_octets_is_read_too():
    assert parsed(json.dumps(RESULTS).encode()) == parsed(json.dumps(RESULTS))


@pytest.mark.parametrize(
    "fields",
    [
        {"channel": None},
        {"channel": {"alternatives": [None]}},
        {"channel": {"alternatives": [{}]}},
        {"channel": {"alternatives": "none"}},
        {"channel_index": None},
        {"channel_index": []},
        {"channel_index": [True, 2]},
        {"channel_index": ["0", 2]},
        {"start": None, "best_words": []},
        {"best_transcript": None, "best_words": None},
    ],
)
def test_results_that_cannot_be_understood_cover_nothing(fields):
    with pytest.raises(RemoteProtocolError):
        parsed(odd(**fields))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(list(paths(RESULTS))), JSON)
def test_results_with_anything_spoilt_at_any_depth_are_read_or_refused(path, junk):
    try:
        message, _, _ = parsed(json.dumps(spoil(RESULTS, path, junk)))
    except RemoteProtocolError:
        return
    if isinstance(message, Result):
        assert 0 <= message.span.start <= message.span.end
        assert isinstance(message.text, str)
        assert 0.0 <= message.confidence <= 1.0
        assert all(isinstance(tag, str) for tag in message.languages)
        for word in message.words:
            assert 0 <= word.span.start <= word.span.end
            assert word.text and word.word and 0.0 <= word.confidence <= 1.0
            assert word.speaker is None or word.speaker >= 0


@given(st.sampled_from([path for path in paths(RESULTS) if "words" in path and len(path) > 4]), JSON)
def test_whatever_is_spoilt_in_the_words_the_sentence_is_whole(path, junk):
    message, bad_words, _ = parsed(json.dumps(spoil(RESULTS, path, junk)))

    assert (message.text, message.span, message.is_final) == ("Hello there.", span(1.5, 3.5), True)
    assert len(message.words) == 2 or bad_words


def test_the_most_frequent_language_counts():
    results = json.loads(json.dumps(RESULTS))
    results["channel"]["alternatives"][0]["languages"] = ["es", "en"]

    assert parse(json.dumps(results)).language == "es"


def test_silence_has_no_words():
    results = {**RESULTS, "channel": {"alternatives": [{"transcript": "", "confidence": 0, "words": []}]}}

    assert parse(json.dumps(results)).words == ()


def test_results_without_alternatives_are_silence():
    assert parse(json.dumps({**RESULTS, "channel": {"alternatives": []}})).text == ""


def test_alternatives_after_the_best_are_not_looked_at():
    (best,) = RESULTS["channel"]["alternatives"]

    assert parse(json.dumps({**RESULTS, "channel": {"alternatives": [best, None]}})).text == "Hello there."


def test_the_channel_is_an_array_in_utterance_end():
    assert parse('{"type":"UtteranceEnd","channel":[1,2],"last_word_end":2.395}') == TurnEnd(1, 19_160)


@pytest.mark.parametrize(("at", "end"), [(0, 0), (0.5, 4000)])
def test_a_turn_may_end_in_the_first_second(at, end):
    assert parse(json.dumps({"type": "UtteranceEnd", "channel": [0, 2], "last_word_end": at})) == TurnEnd(0, end)


def test_a_turn_that_has_been_ended_already_has_no_end():
    assert parse('{"type":"UtteranceEnd","channel":[1,2],"last_word_end":-1}') == TurnEnd(1, None)


def test_speech_started():
    assert parse('{"type":"SpeechStarted","channel":[0,2],"timestamp":9.54}') == SpeechStart(0, 76_320)


def test_metadata():
    assert parsed('{"type":"Metadata","request_id":"r","duration":12.5,"channels":2}') == (Metadata(), 0, 0)


def test_an_error_leaves_out_what_it_echoes():
    text = '{"type":"Error","variant":"SchemaError","description":"bad","message":"c2VjcmV0"}'

    assert parse(text) == DeepgramError("SchemaError", "bad")


def test_an_error_is_one_printable_line_of_bounded_length():
    code, description = "a\nb\x1b[31m\ud800" + "c" * 100, "first\r\nsecond\u2028" + "d" * 1000
    error = parse(json.dumps({"type": "Error", "code": code, "description": description}))

    assert error == DeepgramError("a b [31m " + "c" * 71, "first  second " + "d" * 186)
    assert parse('{"type":"Error"}') == DeepgramError("Error", "")


def test_types_we_do_not_know_are_tolerated():
    assert parse('{"type":"SomethingNew","request_id":"r"}') == Other()


def test_the_answers_to_a_change_of_options():
    failure = {"type": "ConfigureFailure", "request_id": "r", "code": "ALREADY_PENDING", "description": "No\nx"}

    assert parse('{"type":"ConfigureSuccess","request_id":"r","keyterms":["a"]}') == ConfigureAnswer("r")
    assert parse(json.dumps(failure)) == ConfigureAnswer("r", "ALREADY_PENDING", "No x")
    assert parse('{"type":"ConfigureFailure"}') == ConfigureAnswer(None, "ConfigureFailure", "")


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


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"type":"UtteranceEnd","channel":[0,2]}', "last_word_end"),
        ('{"type":"SpeechStarted","channel":[0,2]}', "timestamp"),
        ('{"type":"UtteranceEnd","last_word_end":1}', "channel"),
    ],
)
def test_what_a_message_lacks_is_named(text, name):
    with pytest.raises(RemoteProtocolError, match=f"^{name} cannot be read"):
        parse(text)


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


def test_a_refusal_is_told_in_bounded_length():
    body = json.dumps({"err_msg": "m" * 301, "request_id": "r" * 81}).encode()

    assert parse_refusal(400, {}, body) == Refusal(400, "m" * 300, "r" * 80)


def test_a_refusal_by_somebody_else_has_its_status_for_a_reason():
    assert parse_refusal(502, {}, b"<html>") == Refusal(502, "HTTP 502", None)
    assert parse_refusal(502, {}, b"[]").reason == "HTTP 502"
    assert parse_refusal(502, {}, b"[" * 100_000).reason == "HTTP 502"


def test_a_refusal_that_echoes_the_key_does_not_tell_it():
    body = {"err_code": "INVALID_AUTH", "err_msg": "no such key: sesame-open", "request_id": "sesame-open"}
    refusal = parse_refusal(401, {}, json.dumps(body).encode(), "sesame-open")
    assert refusal == Refusal(401, "INVALID_AUTH: no such key: …", "…")
    assert "sesame" not in parse_refusal(400, {"dg-error": "x" * 295 + "sesame-open"}, b"", "sesame-open").reason


def test_a_proxy_that_wants_to_know_us_is_no_fault_of_the_request():
    refusal = parse_refusal(407, {"dg-error": "proxy says: Basic …"}, b"<html>")
    assert refusal == Refusal(407, "proxy (status 407)", None)
    assert refusal.blame is Blame.ACCOUNT


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
def test_a_refusal_in_words_of_ours(status, blame):
    said = Refusal(status, "theirs", None).in_short

    assert "theirs" not in said
    assert status in (None, 401, 402, 403, 407) or f"({status})" in said


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


def test_what_stands_beside_the_words_is_read():
    best = RESULTS["channel"]["alternatives"][0]
    first = best["words"][0]
    words = [{**first, "speaker": 1, "language": "es"}, *best["words"][1:]]
    channel = {
        "alternatives": [
            {**best, "words": words, "languages": ["es", "en"]},
            {"transcript": "yellow bear", "confidence": 0.2},
        ],
        "search": [{"query": "hello", "hits": [{"confidence": 0.9, "start": 1.6, "end": 1.9, "snippet": "hello"}]}],
    }
    entities = [
        {"label": "X", "value": "there", "raw_value": "there", "confidence": 0.5, "start_word": 1, "end_word": 2}
    ]
    message, bad_words, bad_fields = parsed(json.dumps({**RESULTS, "channel": channel, "entities": entities}))

    assert (bad_words, bad_fields) == (0, 0)
    assert (message.words[0].speaker, message.words[0].language, message.languages) == (1, "es", ("es", "en"))
    assert message.alternatives == (Alternative("yellow bear", 0.2),)
    assert message.hits == (Hit("hello", span(1.6, 1.9), 0.9, "hello"),)
    assert message.entities == (Entity("X", "there", "there", 0.5, Span(1, 2)),)


def test_entities_are_not_believed_where_a_word_is_missing():
    best = RESULTS["channel"]["alternatives"][0]
    channel = {"alternatives": [{**best, "words": [{}, *best["words"][1:]]}]}
    entities = [{"label": "X", "value": "there", "start_word": 0, "end_word": 1}]
    message, bad_words, bad_fields = parsed(json.dumps({**RESULTS, "channel": channel, "entities": entities}))

    assert (message.entities, bad_words, bad_fields) == ((), 1, 1)
