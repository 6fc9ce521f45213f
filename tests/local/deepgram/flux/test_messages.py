"""The JSON of Flux, both ways, in the shapes of Deepgram's own types."""

import json

import pytest
from deepgram.listen.v2.types import ListenV2ConfigureSuccess, ListenV2TurnInfo

from bridge.local.deepgram.flux.messages import (
    CloseStream,
    Configure,
    Failure,
    ForceEndTurn,
    Unparsable,
    Writer,
    configured,
    read_text,
)
from bridge.local.deepgram.flux.request import FluxRequest, Thresholds, parse_flux_request
from bridge.local.deepgram.flux.turns import TurnInfo
from bridge.recognition import Word
from bridge.spans import Span


def request(model: str = "flux-general-en", *more: tuple[str, str]) -> FluxRequest:
    parsed = parse_flux_request((("model", model), ("encoding", "mulaw"), ("sample_rate", "8000"), *more))
    assert isinstance(parsed, FluxRequest)
    return parsed


def change(**fields: object) -> Configure:
    read = read_text(json.dumps({"type": "Configure", **fields}))
    assert isinstance(read, Configure)
    return read


def test_what_clients_say():
    assert read_text('{"type":"CloseStream"}') == CloseStream()
    assert read_text('{"type":"ForceEndTurn"}') == ForceEndTurn()
    read = change(thresholds={"eot_threshold": 0.8, "eager_eot_threshold": None}, keyterms=["a"], numerals=True)
    assert read == Configure({"eot_threshold": 0.8}, ("a",), None, True)


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"KeepAlive"}',
        '{"type":"Finalize"}',
        "not JSON",
        "[]",
        "[" * 100_000,
        '{"type":"Configure","thresholds":{"eot_threshold":"high"}}',
        '{"type":"Configure","thresholds":{"eot":0.7}}',
        '{"type":"Configure","thresholds":{"eot_timeout_ms":true}}',
        '{"type":"Configure","thresholds":[1]}',
        '{"type":"Configure","keyterms":"a"}',
        '{"type":"Configure","language_hints":[1]}',
        '{"type":"Configure","numerals":"true"}',
        '{"type":"CloseStream","more":' + "1" * 5000 + "}",
    ],
)
def test_what_flux_cannot_read(text):
    assert read_text(text) == Unparsable()


def test_a_configure_changes_what_it_names():
    before = request("flux-general-multi", ("keyterm", "Acme"), ("eager_eot_threshold", "0.5"))
    after = configured(before, change(thresholds={"eot_timeout_ms": 9000}, language_hints=["es"], keyterms=[]))
    assert isinstance(after, FluxRequest)
    assert after.thresholds == Thresholds(eager=0.5, eot=0.7, timeout_ms=9000)
    assert (after.keyterms, after.language_hints) == ((), ("es",))
    assert configured(before, change(language_hints=None)) == before


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"thresholds": {"eot_threshold": 0.2}}, "INVALID_THRESHOLD"),
        ({"thresholds": {"eager_eot_threshold": 0.8}}, "INVALID_THRESHOLD"),
        ({"keyterms": ["x"] * 101}, "INVALID_KEYTERM"),
        ({"language_hints": ["es"]}, "INVALID_LANGUAGE_HINT"),
    ],
)
def test_a_configure_that_has_no_effect(fields, code):
    outcome = configured(request(), change(**fields))
    assert isinstance(outcome, Failure)
    assert outcome.code == code
    answer = json.loads(Writer("id").configure_answer(outcome))
    assert (answer["type"], answer["code"], answer["request_id"]) == ("ConfigureFailure", code, "id")


def test_a_success_says_all_that_is_in_force():
    asked = request("flux-general-multi", ("language_hint", "fr"), ("eager_eot_threshold", "0.5"))
    answer = json.loads(Writer("id").configure_answer(asked))
    assert answer == {
        "type": "ConfigureSuccess",
        "request_id": "id",
        "thresholds": {"eager_eot_threshold": 0.5, "eot_threshold": 0.7, "eot_timeout_ms": 5000},
        "keyterms": [],
        "language_hints": ["fr"],
        "numerals": False,
        "sequence_id": 0,
    }
    assert set(answer) <= set(ListenV2ConfigureSuccess.model_fields)
    plain = json.loads(Writer("id").configure_answer(request()))
    assert "eager_eot_threshold" not in plain["thresholds"]
    assert "language_hints" not in plain


def test_a_turn_info():
    told = TurnInfo("EndOfTurn", 3, Span(8000, 16000), (Word("hi", "Hi.", Span(9000, 10000), 0.91),), 0.7, "model")
    writer = Writer("id")
    assert json.loads(writer.connected()) == {"type": "Connected", "request_id": "id", "sequence_id": 0}
    message = json.loads(writer.turn_info(told, request()))
    assert message == {
        "type": "TurnInfo",
        "request_id": "id",
        "event": "EndOfTurn",
        "turn_index": 3,
        "audio_window_start": 1.0,
        "audio_window_end": 2.0,
        "transcript": "Hi.",
        "words": [{"word": "Hi.", "confidence": 0.91, "start": 1.125, "end": 1.25}],
        "end_of_turn_confidence": 0.7,
        "trigger": "model",
        "sequence_id": 1,
    }
    multi = json.loads(writer.turn_info(told, request("flux-general-multi", ("language_hint", "en"))))
    assert (multi["languages"], multi["languages_hinted"]) == (["en"], ["en"])
    assert set(multi) <= set(ListenV2TurnInfo.model_fields)


def test_the_error_is_that_of_deepgram():
    assert json.loads(Writer("id").unparsable()) == {
        "type": "Error",
        "code": "UNPARSABLE_CLIENT_MESSAGE",
        "description": "Text message received from client did not match any of the formats we expect.",
        "sequence_id": 0,
    }
