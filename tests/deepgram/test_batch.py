"""What is asked of the pre-recorded API, and what is made of its answers, good and bad."""

import json
from urllib.parse import parse_qs, parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.audio import TELEPHONE, interleave
from bridge.deepgram import batch, options
from bridge.deepgram.batch import Transcribed
from bridge.deepgram.extras import Model
from bridge.errors import RemoteProtocolError
from bridge.local.wav import parse_wav
from bridge.recognition import Result, Word
from tests.fakes.json import paths, spoil
from tests.fakes.speech import span

HELLO = {"word": "hello", "start": 1.6, "end": 1.9, "confidence": 0.99, "punctuated_word": "Hello"}
THERE = {"word": "there", "start": 2.0, "end": 2.4, "confidence": 0.9}
UTTERANCE = {
    "start": 1.6,
    "end": 2.4,
    "confidence": 0.98,
    "channel": 1,
    "transcript": "Hello there",
    "words": [HELLO, THERE],
    "id": "u",
}
FINAL = Result(
    channel=1,
    span=span(1.6, 2.4),
    text="Hello there",
    confidence=0.98,
    words=(Word("hello", "Hello", span(1.6, 1.9), 0.99), Word("there", "there", span(2.0, 2.4), 0.9)),
    is_final=True,
    ends_turn=True,
)


def asked(text):
    return parse_qs(batch.query(options.parse(text)))


def answer(*utterances, **results):
    body = {"metadata": {"request_id": "r", "duration": 10.0}, "results": {"utterances": list(utterances), **results}}
    return json.dumps(body).encode()


def finals(*utterances):
    return batch.parse(answer(*utterances), 10.0).results


# The request


def test_the_defaults_ask_for_both_channels_utterances_and_the_same_words():
    assert asked("") == {
        "multichannel": ["true"],
        "utterances": ["true"],
        "model": ["nova-3"],
        "smart_format": ["true"],
        "utt_split": ["0.3"],
    }


def test_what_this_api_has_too_is_asked_as_it_was_live():
    text = (
        "language=multi&language_hint=en&language_hint=es&keyterm=Acme&keyterm=hot+line%2B&punctuate=true&redact=pci"
        "&redact=numbers&replace=a:b&search=x&tag=t&extra=k:v&mip_opt_out=true&numerals=true&dictation=true"
        "&profanity_filter=true&filler_words=true&detect_entities=true&diarize_model=latest&version=latest&new_one=1"
    )
    query = parse_qsl(batch.query(options.parse(text)))

    assert [pair for pair in parse_qsl(text) if pair not in query] == []


@pytest.mark.parametrize(
    "name",
    [
        *("interim_results", "endpointing", "utterance_end_ms", "vad_events", "no_delay"),
        *("encoding", "sample_rate", "channels"),
    ],
)
def test_what_is_for_live_audio_only_is_not_asked(name):
    text = "no_delay=true&interim_results=true&utterance_end_ms=1000"

    assert name not in asked(text)


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("endpointing=500", "0.5"),
        ("endpointing=1000", "1"),
        ("endpointing=false", "1"),
        ("endpointing=100", "0.1"),
        ("endpointing=99", "1"),
        ("endpointing=false&utterance_end_ms=1500", "1.5"),
        ("endpointing=&utterance_end_ms=", None),
        ("endpointing=300&utt_split=0.8", "0.8"),
    ],
)
def test_utterances_are_split_where_a_turn_ends_live(text, split):
    assert asked(text).get("utt_split") == (split and [split])


def test_utterances_cannot_be_switched_off():
    assert asked("utterances=false&utt_split=2")["utterances"] == ["true"]


@pytest.mark.parametrize(
    ("origin", "url"),
    [
        ("wss://api.eu.deepgram.com", "https://api.eu.deepgram.com/v1/listen?"),
        ("ws://localhost:8080", "http://localhost:8080/v1/listen?"),
        ("wss://example.com/deepgram", "https://example.com/deepgram/v1/listen?"),
    ],
)
def test_the_live_origin_is_the_origin(origin, url):
    parsed = options.parse("keyterm=a+b")

    assert batch.url(origin, parsed) == url + batch.query(parsed)


def test_the_body_is_a_wav_file_of_both_channels():
    left, right = bytes(range(100)), bytes(range(100, 200))

    assert parse_wav(TELEPHONE.wav_header(200) + interleave(left, right)) == (left, right)


# The answer


def test_an_utterance_is_a_final_that_ends_a_turn():
    assert batch.parse(answer(UTTERANCE), 10.0) == Transcribed((FINAL,), "r", 0)


def test_finals_come_in_the_order_of_their_start_whatever_the_channel():
    given = [{**UTTERANCE, "start": start, "channel": channel} for channel, start in ((0, 0.1), (0, 2.0), (1, 1.0))]

    assert [(final.channel, final.span.start) for final in finals(*given)] == [(0, 800), (1, 8000), (0, 16_000)]


def test_the_most_frequent_language_counts():
    assert finals({**UTTERANCE, "languages": ["es", "en"]})[0].language == "es"


def test_without_utterances_a_channel_is_one_final():
    channels = [
        {"alternatives": [{"transcript": "", "confidence": 0, "words": []}]},
        {"alternatives": [{"transcript": "Hello there", "confidence": 0.98, "words": [HELLO, THERE]}, UTTERANCE]},
        {"alternatives": []},
    ]
    body = json.dumps({"results": {"channels": channels}}).encode()

    assert batch.parse(body, 10.0) == Transcribed((FINAL,), None, 0)


def test_silence_is_a_transcript_too():
    body = {"metadata": {}, "results": {"channels": [], "utterances": []}}

    assert batch.parse(json.dumps(body).encode(), 10.0) == Transcribed((), None, 0)


def test_what_an_utterance_does_not_say_its_words_say():
    (final,) = finals({"channel": 1, "words": [HELLO, THERE]})

    assert (final.span, final.text, final.confidence) == (span(1.6, 2.4), "Hello there", 0.0)


def test_an_utterance_without_words_keeps_its_text():
    assert finals({"start": 1, "end": 2, "transcript": "Hello"})[0].text == "Hello"


def test_an_utterance_without_a_channel_is_of_the_first():
    assert finals({"start": 1, "end": 2, "transcript": "Hello"})[0].channel == 0


def test_a_word_may_begin_with_the_audio():
    (final,) = finals({**UTTERANCE, "start": 0.0, "words": [{**HELLO, "start": 0.0}]})

    assert final.words[0].span == span(0.0, 1.9)


def test_no_more_than_eighty_characters_of_a_request_id_are_taken():
    body = {"metadata": {"request_id": "r" * 81}, "results": {"utterances": []}}

    assert batch.parse(json.dumps(body).encode(), 10.0).request_id == "r" * 80


def test_no_moment_lies_outside_of_the_audio_that_was_sent():
    late = {**THERE, "end": 10.0000004}
    early = {**HELLO, "start": -1, "end": -1}
    (final,) = finals({**UTTERANCE, "start": -0.5, "end": 1e8, "words": [early, late]})

    assert final.span == span(0.0, 10.0)
    assert [word.span for word in final.words] == [span(2 / 3, 4 / 3), span(2.0, 10.0)]


@pytest.mark.parametrize("bad", [{}, None, 5, {"start": 1, "end": 2}])
def test_a_bad_word_does_not_cost_the_others(bad):
    transcribed = batch.parse(answer({**UTTERANCE, "words": [HELLO, bad, THERE]}), 10.0)

    assert transcribed.results == (FINAL,)
    assert transcribed.skipped == 1


@pytest.mark.parametrize("odd", [{"start": None}, {"end": "x"}, {"confidence": "high"}, {"speaker": "a"}])
def test_an_odd_word_is_counted_and_keeps_its_place(odd):
    transcribed = batch.parse(answer({**UTTERANCE, "words": [HELLO, {**THERE, **odd}]}), 10.0)

    assert [word.text for word in transcribed.results[0].words] == ["Hello", "there"]
    assert transcribed.skipped == 1


@pytest.mark.parametrize(
    "bad", [None, "utterance", {**UTTERANCE, "channel": 2}, {**UTTERANCE, "channel": "1"}, {"transcript": "when?"}]
)
def test_a_bad_utterance_does_not_cost_the_others(bad):
    transcribed = batch.parse(answer(bad, UTTERANCE), 10.0)

    assert transcribed.results == (FINAL,)
    assert transcribed.skipped == 1


@pytest.mark.parametrize("odd", [{"start": "soon"}, {"end": 10**400}, {"words": 5}, {"confidence": float("nan")}])
def test_an_odd_field_does_not_cost_its_utterance(odd):
    (final,) = finals({**UTTERANCE, **odd})

    assert (final.text, final.span) == (FINAL.text, FINAL.span)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"\xff\xfe\x00",
        b"[]",
        b"null",
        b"{}",
        b'{"request_id":"r"}',
        b'{"results":{}}',
        b'{"results":[]}',
        b'{"results":{"utterances":5}}',
        b'{"results":{"channels":5}}',
        b'{"results":{"channels":[{}]}}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_transcript_is_a_protocol_error(body):
    with pytest.raises(RemoteProtocolError, match="not a transcript"):
        batch.parse(body, 10.0)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


WHOLE = json.loads(answer({**UTTERANCE, "languages": ["en"]}))
CHANNELS_ONLY = {"metadata": {"request_id": "r"}, "results": {"channels": [{"alternatives": [UTTERANCE]}]}}


@given(
    st.sampled_from([(whole, path) for whole in (WHOLE, CHANNELS_ONLY) for path in paths(whole)]),
    JSON,
)
def test_an_answer_with_anything_spoilt_is_read_or_refused(place, junk):
    whole, path = place
    try:
        transcribed = batch.parse(json.dumps(spoil(whole, path, junk)).encode(), 10.0)
    except RemoteProtocolError:
        return
    for final in transcribed.results:
        assert isinstance(final.text, str)
        assert final.language is None or isinstance(final.language, str)
        assert 0 <= final.span.start <= final.span.end <= 80_000
        assert all(0 <= word.span.start <= word.span.end <= 80_000 for word in final.words)
        assert all(word.text and isinstance(word.text, str) for word in final.words)


@given(st.binary(max_size=200))
def test_any_octets_are_read_or_refused(body):
    try:
        batch.parse(body, 10.0)
    except RemoteProtocolError:
        pass


# Beside the words


def test_hits_entities_and_the_model_of_a_recording():
    hit = {"confidence": 0.9, "start": 5.1, "end": 5.3, "snippet": "there"}
    later = {**UTTERANCE, "start": 5.0, "end": 6.0, "words": [{**HELLO, "start": 5.0, "end": 5.5, "speaker": 1}]}
    entity = {"label": "GREETING", "value": "Hello", "raw_value": "hello", "confidence": 0.8}
    heard = {
        "search": [{"query": "there", "hits": [hit, {**hit, "start": 9.0, "end": 9.1}]}],
        "alternatives": [
            {
                "words": [HELLO, THERE, HELLO],
                "entities": [{**entity, "start_word": 2, "end_word": 3}, {**entity, "start_word": 0, "end_word": 2}],
            },
            {"transcript": "of the whole channel"},
        ],
    }
    body = json.loads(answer(later, UTTERANCE, channels=[{"alternatives": []}, heard]))
    body["metadata"]["model_info"] = {"u": {"name": "general-nova-3", "version": "v", "arch": "nova-3"}}
    found = batch.parse(json.dumps(body).encode(), 10.0)
    first, second = found.results

    assert found.model == Model("general-nova-3", "v")
    assert (first.hits, [hit.snippet for hit in second.hits]) == ((), ["there"])
    assert [entity.words for entity in first.entities] == [(0, 2)]
    assert [entity.words for entity in second.entities] == [(0, 1)], "of its own words"
    assert second.words[0].speaker == 1
    assert found.skipped == 0


@pytest.mark.parametrize("channels", [None, 7, [], [7], [{}, {"alternatives": 7}], [{}, {"alternatives": [7]}]])
def test_channels_that_say_nothing_of_it_cost_nothing(channels):
    assert batch.parse(answer(UTTERANCE, channels=channels), 10.0) == Transcribed((FINAL,), "r", 0)


def test_entities_that_count_other_words_are_left_out():
    heard = {
        "alternatives": [{"words": [HELLO], "entities": [{"label": "X", "value": "y", "start_word": 0, "end_word": 1}]}]
    }
    found = batch.parse(answer(UTTERANCE, channels=[{}, heard]), 10.0)

    assert found.results == (FINAL,)
    assert found.skipped == 1
