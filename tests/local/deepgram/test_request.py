"""Parameters of `/v1/listen`: what is understood, what is refused at the handshake, and what is let through."""

from urllib.parse import parse_qsl

import pytest

from bridge.local.deepgram.request import DECODED, ListenRequest, Refusal, keyterm_tokens, parse_request
from bridge.local.recognition import Listening

AUDIO = "encoding=mulaw&sample_rate=8000"


def read(query: str) -> ListenRequest:
    request = parse_request(parse_qsl(query, keep_blank_values=True))
    assert isinstance(request, ListenRequest), request
    return request


def refused(query: str) -> Refusal:
    refusal = parse_request(parse_qsl(query, keep_blank_values=True))
    assert isinstance(refusal, Refusal), refusal
    assert refusal.status == 400
    return refusal


def test_the_minimal_url_of_a_phone_bridge():
    request = read(
        "model=nova-3&encoding=mulaw&sample_rate=8000&channels=2&multichannel=true&interim_results=true"
        "&endpointing=300&utterance_end_ms=1000&vad_events=true&smart_format=true"
    )
    assert (request.model, request.encoding, request.sample_rate) == ("nova-3", "mulaw", 8000)
    assert (request.channels, request.multichannel, request.heard_channels) == (2, True, 2)
    assert (request.vad_events, request.punctuated, request.utterance_end) == (True, True, 1.0)
    assert request.listening == Listening(0.3, True)


def test_the_defaults_are_deepgrams():
    request = read("")
    assert (request.encoding, request.channels, request.heard_channels) == (None, 1, 1)
    assert request.listening == Listening(endpointing=0.01, interim_results=False)
    assert request.utterance_end is None
    assert not request.vad_events
    assert not request.punctuated
    assert request.language == "en"


def test_unknown_keys_are_ignored():
    read(f"{AUDIO}&utterances=true&tier=enhanced&alternatives=2&frobnicate=1")


def test_any_model_is_let_through_but_those_that_are_known_not_to_exist():
    read("model=nova-9-whatever")
    read("model=nova-2-phonecall")
    read("model=nova-2-atc&language=en-US")
    read("model=nova-3&language=multi")
    for query in (
        "model=nova-3-phonecall",
        "model=nova-2-phonecall&language=de",
        "model=base&language=multi",
        "model=nova-3&language=en_US",
    ):
        assert refused(query).message == "Bad Request: No such model/language/tier combination found.", query


def test_an_unknown_encoding_is_refused_with_the_list():
    refusal = refused("encoding=ulaw&sample_rate=8000")
    assert refusal.code == "INVALID_QUERY_PARAMETER"
    assert refusal.message.startswith(
        "Failed to deserialize query parameters: unknown variant `ulaw`, expected one of `linear16`, "
    )


def test_an_encoding_that_only_the_real_service_decodes_is_refused_honestly():
    message = refused("encoding=g729&sample_rate=8000").message
    assert message == f"Bad Request: this local server hears {', '.join(DECODED)}, but not g729."


@pytest.mark.parametrize("encoding", DECODED)
def test_encodings_that_are_heard(encoding):
    request = read(f"encoding={encoding}&sample_rate=16000&channels=2")
    assert request.is_pcm is (encoding in ("mulaw", "alaw", "linear16", "linear32"))
    assert request.heard_channels == (0 if request.is_pcm else 2)


def test_an_encoding_needs_a_sample_rate_and_the_other_way_round():
    assert "encoding=mulaw needs a sample_rate" in refused("encoding=mulaw").message
    assert "together with encoding" in refused("sample_rate=8000").message


@pytest.mark.parametrize("rate", ["0", "999", "384001", "-8000", "8e3", "", "9" * 5000])
def test_bad_sample_rates(rate):
    refused(f"encoding=mulaw&sample_rate={rate}")


def test_channels_are_1_to_20_and_only_read_with_an_encoding():
    assert read(f"{AUDIO}&channels=20&multichannel=true").heard_channels == 20
    assert "channels must be between 1 and 20" in refused(f"{AUDIO}&channels=21").message
    assert "channels must be between 1 and 20" in refused(f"{AUDIO}&channels=0").message
    assert "invalid digit" in refused(f"{AUDIO}&channels=two").message
    assert read("channels=99").channels == 1


def test_two_channels_without_multichannel_are_a_known_mistake_that_is_heard_as_nothing():
    assert read(f"{AUDIO}&channels=2").heard_channels == 0


@pytest.mark.parametrize("name", ["multichannel", "interim_results", "vad_events", "smart_format", "numerals"])
def test_booleans_are_lower_case(name):
    read(f"{name}=true")
    read(f"{name}=false")
    for value in ("True", "1", "yes", ""):
        assert f"{name}: provided string was not `true` or `false`" in refused(f"{name}={value}").message


def test_endpointing_in_milliseconds_or_not_at_all():
    assert read("endpointing=300").endpointing == 0.3
    assert read("endpointing=0").endpointing == 0.0
    assert read("endpointing=false").endpointing is None
    assert "invalid digit" in refused("endpointing=soon").message


def test_utterance_end_needs_interims_and_a_second():
    assert read("utterance_end_ms=5000&interim_results=true").utterance_end == 5.0
    assert "needs interim_results=true" in refused("utterance_end_ms=1000").message
    for value in ("999", "5001"):
        assert "must be between 1000 and 5000" in refused(f"utterance_end_ms={value}&interim_results=true").message


def test_keyterm_is_for_nova_3_and_keywords_for_the_others():
    read("model=nova-3-medical&keyterm=Acme&keyterm=Hot+Line")
    read("model=nova-2&keywords=acme:2")
    assert "keyterm is only supported for Nova-3" in refused("model=nova-2&keyterm=Acme").message
    assert "keyterm is only supported for Nova-3" in refused("keyterm=Acme").message
    assert "keywords are not supported for Nova-3" in refused("model=nova-3&keywords=acme:2").message


def test_a_keyterm_list_that_is_too_long_kills_the_handshake():
    fits = "&".join(f"keyterm=term{k:03d}" for k in range(250))
    assert read(f"model=nova-3&{fits}")
    refusal = refused(f"model=nova-3&{fits}&keyterm=one")
    assert refusal.message == "Keyterm limit exceeded. The maximum number of tokens across all keyterms is 500."


def test_tokens_are_pieces_of_words():
    assert keyterm_tokens(["Acme", "telephone", "a b"]) == 1 + 3 + 2


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("&".join(["keywords=a"] * 101), "at most 100 keywords"),
        ("&".join(["search=a"] * 51), "at most 50 search"),
        (f"tag={'x' * 129}", "tag is longer than 128"),
        (f"extra=k:{'x' * 2048}", "extra is longer than 2048"),
        ("extra=novalue", "extra must have the form key:value"),
        ("redact=pci&redact=percent", "percent is not a valid value of redact"),
        ("alternatives=0", "alternatives must be between 1 and 10"),
        ("alternatives=two", "invalid digit"),
        ("diarize_model=v2", "diarize_model must be latest or v1"),
        ("model=nova-3&language=multi&language_hint=x1", "unknown language_hint `x1`"),
        ("callback=https://example.com", "not to a callback"),
    ],
)
def test_further_refusals(query, complaint):
    assert complaint in refused(query).message


def test_what_asks_for_speakers():
    assert read("diarize=true").diarize
    assert read("diarize_model=v1").diarize
    assert not read("").diarize


def test_alternatives_go_to_the_recognizer():
    assert read("alternatives=3").listening.alternatives == 3
    assert read("").listening.alternatives == 1


def test_flags_that_were_asked_for():
    assert read("numerals=true&numerals=false&dictation=true").asks("dictation")
    assert not read("numerals=true&numerals=false").asks("numerals")


def test_extra_of_the_same_key_the_last_wins():
    assert read("extra=call:1&extra=who:a:b&extra=call:2").extra == {"call": "2", "who": "a:b"}


def test_the_query_is_kept_as_it_came():
    assert read("model=nova-3&tag=a&tag=b").query == (("model", "nova-3"), ("tag", "a"), ("tag", "b"))
