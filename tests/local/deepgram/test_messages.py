"""The JSON of both directions, in Deepgram's own field names and wordings."""

import json

import pytest
from msgspec.structs import replace

from bridge.local.deepgram import messages
from bridge.local.deepgram.asking import Pretence
from bridge.local.deepgram.messages import (
    CloseStream,
    Configure,
    Finalize,
    KeepAlive,
    Unreadable,
    Writer,
    configure_answer,
    read_text,
    schema_error,
)
from bridge.local.deepgram.request import REFUSALS, ListenRequest, parse_request
from bridge.local.recognition import result
from bridge.recognition import Alternative, Hit, SpeechStart, Word
from tests.fakes.speech import span

WORDS = (Word("hello", "Hello,", span(0.5, 0.9), 0.75), Word("you", "you.", span(0.9, 1.1), 1.0))
FINAL = result(0, span(0.0, 1.4), WORDS, is_final=True, ends_turn=True)
SILENCE = result(0, span(1.4, 2.0), (), is_final=False)


def request(**parameters: str) -> ListenRequest:
    defaults = {
        "model": "nova-3",
        "encoding": "mulaw",
        "sample_rate": "8000",
        "channels": "2",
        "multichannel": "true",
    }
    parsed = parse_request((defaults | parameters).items())
    assert isinstance(parsed, ListenRequest)
    return parsed


def writer(**parameters: str) -> Writer:
    return Writer(request(**parameters), "the-id")


# From the client


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"type":"KeepAlive"}', KeepAlive()),
        ('{"type": "KeepAlive", "more": 1}', KeepAlive()),
        ('{"type":"Sync"}', KeepAlive()),
        ('{"type":"CloseStream"}', CloseStream()),
        ('{"type":"Finalize"}', Finalize(None)),
        ('{"type":"Finalize","channel":1}', Finalize(1)),
        ('{"type":"Configure","features":{"numerals":true}}', Configure(None, True)),
        ('{"type":"Configure","features":{"numerals":false},"keyterms":["a"]}', Configure(("a",), False)),
        ('{"type":"Configure","features":{}}', Configure(None)),
        ('{"type":"Configure","keyterms":null}', Configure(None)),
        ('{"type":"Configure","keyterms":["a","b c"]}', Configure(("a", "b c"))),
        ('{"type":"Configure","keyterms":[]}', Configure(())),
    ],
)
def test_texts_of_clients(text, message):
    assert read_text(text) == message


def test_base64_as_text_the_classic_mistake():
    assert read_text("//7+/v7+") == Unreadable("expected value at line 1 column 1")


def test_an_unknown_type_is_answered_with_the_known_ones():
    assert read_text('{"type": "KeepAlive "}') == Unreadable(
        "unknown variant `KeepAlive `, expected one of `CloseStream`, `Configure`, `Sync`, `KeepAlive`, "
        "`Finalize` at line 1 column 22"
    )


def test_configure_with_a_wrong_key():
    answer = read_text('{"type":"Configure","keyterm":["a"]}')
    assert isinstance(answer, Unreadable)
    assert answer.description.startswith(
        "unknown field `keyterm`, expected one of `features`, `processors`, `keyterms`, `language_hints`"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "5",
        "null",
        '"KeepAlive"',
        "{}",
        '{"type":null}',
        '{"type":["KeepAlive"]}',
        '{"type":"Finalize","channel":' + "1" * 5000 + "}",
        '{"type":"Finalize","channel":"0"}',
        '{"type":"Finalize","channel":-1}',
        '{"type":"Finalize","channel":true}',
        '{"type":"Configure","keyterms":"a"}',
        '{"type":"Configure","features":{"numerals":"yes"}}',
        '{"type":"Configure","features":[1]}',
        '{"type":"Configure","keyterms":[1]}',
        "[" * 100_000,
    ],
)
def test_rubbish_is_unreadable_and_nothing_worse(text):
    assert isinstance(read_text(text), Unreadable)


def test_the_error_repeats_the_offending_text():
    assert json.loads(schema_error("//7+", "expected value at line 1 column 1")) == {
        "type": "Error",
        "variant": "SchemaError",
        "description": "Could not deserialize last text message: expected value at line 1 column 1",
        "message": "//7+",
    }


# To the client


def test_results_have_every_field_that_any_sdk_wants():
    message = json.loads(writer(smart_format="true").results(replace(FINAL, channel=1)))
    assert message == {
        "type": "Results",
        "channel_index": [1, 2],
        "duration": 1.4,
        "start": 0.0,
        "is_final": True,
        "speech_final": True,
        "channel": {
            "alternatives": [
                {
                    "transcript": "Hello, you.",
                    "confidence": 0.875,
                    "words": [
                        {
                            "word": "hello",
                            "start": 0.5,
                            "end": 0.9,
                            "confidence": 0.75,
                            "punctuated_word": "Hello,",
                        },
                        {
                            "word": "you",
                            "start": 0.9,
                            "end": 1.1,
                            "confidence": 1.0,
                            "punctuated_word": "you.",
                        },
                    ],
                }
            ]
        },
        "metadata": {
            "request_id": "the-id",
            "model_info": {"name": "nova-3", "version": "local", "arch": "nova-3"},
            "model_uuid": message["metadata"]["model_uuid"],
        },
        "from_finalize": False,
    }


def test_without_punctuation_words_are_bare():
    (alternative,) = json.loads(writer().results(FINAL))["channel"]["alternatives"]
    assert alternative["transcript"] == "hello you"
    assert "punctuated_word" not in alternative["words"][0]


def test_silence_has_an_empty_transcript_and_no_confidence():
    message = json.loads(writer().results(SILENCE))
    assert message["channel"] == {"alternatives": [{"transcript": "", "confidence": 0.0, "words": []}]}
    assert (message["start"], message["duration"], message["is_final"]) == (1.4, 0.6, False)


def test_mono_is_channel_0_of_1():
    message = json.loads(writer(channels="1", multichannel="false").results(FINAL))
    assert message["channel_index"] == [0, 1]


def test_the_model_uuid_depends_on_the_model_only():
    def uuid(model: str) -> str:
        return json.loads(writer(model=model).results(SILENCE))["metadata"]["model_uuid"]

    assert uuid("nova-3") == uuid("nova-3") != uuid("nova-2")
    info = json.loads(writer(model="nova-2-phonecall").results(SILENCE))["metadata"]["model_info"]
    assert info["arch"] == "nova-2"


def test_code_switching_adds_languages_and_the_hints():
    (alternative,) = json.loads(writer(language="multi", language_hint="es").results(FINAL))["channel"]["alternatives"]
    assert alternative["languages"] == ["en"]
    assert alternative["languages_hinted"] == ["es"]
    assert alternative["words"][0]["language"] == "en"
    assert "languages_hinted" not in writer(model="nova-2", language="multi").results(FINAL)


def test_languages_are_those_of_the_words_the_most_frequent_first():
    words = [
        Word(word, word, span(0, 1), 1.0, None, language) for word, language in (("a", "es"), ("b", None), ("c", None))
    ]
    heard = result(0, span(0, 1), words, is_final=True)
    (alternative,) = json.loads(writer(language="multi").results(heard))["channel"]["alternatives"]
    assert alternative["languages"] == ["en", "es"]
    assert [word["language"] for word in alternative["words"]] == ["es", "en", "en"]


def test_speakers_are_told_where_they_were_asked_for():
    words = [Word(word, word, span(0, 1), 1.0, speaker) for word, speaker in (("a", 1), ("b", None))]
    heard = result(0, span(0, 1), words, is_final=True)
    message = json.loads(writer(diarize="true").results(heard))
    assert [word["speaker"] for word in message["channel"]["alternatives"][0]["words"]] == [1, 0]
    assert message["metadata"]["diarize_info"]["arch"] == "local"
    assert "speaker" not in writer().results(heard)
    about = writer(diarize="true").about(sha256="s", created="c", duration=1.0, channels=2)
    assert about["diarize_info"] == message["metadata"]["diarize_info"]


def test_further_alternatives_and_hits_stand_beside_the_first():
    heard = replace(
        FINAL,
        alternatives=(Alternative("hollow you", 0.25),),
        hits=(Hit("you", span(0.9, 1.1), 1.0, "you"),),
    )
    channel = json.loads(writer(search="you").results(heard))["channel"]
    assert channel["alternatives"][1] == {"transcript": "hollow you", "confidence": 0.25, "words": []}
    assert channel["search"] == [
        {"query": "you", "hits": [{"confidence": 1.0, "start": 0.9, "end": 1.1, "snippet": "you"}]}
    ]


def test_a_warning_has_the_shape_of_the_other_endpoint():
    warning = json.loads(messages.pretended("the-id", [Pretence("diarize", "it does nothing")]))
    assert warning == {
        "type": "Warning",
        "request_id": "the-id",
        "code": "ONLY_PRETENDED",
        "description": "This local server only pretends a part of what was asked for. diarize: it does nothing.",
    }


def test_entities_are_on_finals_only():
    assert json.loads(writer(detect_entities="true").results(FINAL))["entities"] == []
    assert "entities" not in writer(detect_entities="true").results(SILENCE)


def test_extra_is_echoed_in_results_and_metadata():
    echo = writer(extra="call_sid:CA1")
    assert json.loads(echo.results(FINAL))["metadata"]["extra"] == {"call_sid": "CA1"}
    metadata = json.loads(echo.metadata(sha256="s", created="c", duration=1.0, channels=2))
    assert metadata["extra"] == {"call_sid": "CA1"}


def test_speech_started_and_utterance_end_have_a_list_as_channel():
    assert json.loads(writer().speech_started(SpeechStart(1, 76_320))) == {
        "type": "SpeechStarted",
        "channel": [1, 2],
        "timestamp": 9.54,
    }
    assert json.loads(writer().utterance_end(0, 19_160)) == {
        "type": "UtteranceEnd",
        "channel": [0, 2],
        "last_word_end": 2.395,
    }


def test_metadata_has_its_models_under_their_uuids():
    metadata = json.loads(writer().metadata(sha256="e3", created="2026-01-01T00:00:00.000Z", duration=2.5, channels=2))
    (uuid,) = metadata.pop("models")
    assert metadata == {
        "type": "Metadata",
        "transaction_key": "deprecated",
        "request_id": "the-id",
        "sha256": "e3",
        "created": "2026-01-01T00:00:00.000Z",
        "duration": 2.5,
        "channels": 2,
        "model_info": {uuid: {"name": "nova-3", "version": "local", "arch": "nova-3"}},
    }


def test_configure_is_answered_by_exactly_one_of_two():
    def answer(keyterms: tuple[str, ...] | None, model: str = "nova-3") -> dict[str, object]:
        return json.loads(configure_answer(request(model=model), "the-id", Configure(keyterms)))

    assert answer(None) == {"type": "ConfigureSuccess", "request_id": "the-id"}
    assert answer(("a",)) == {"type": "ConfigureSuccess", "request_id": "the-id", "keyterms": ["a"]}
    assert answer(("a",), "nova-2")["code"] == "CONFIGURE_KEYTERMS_NOT_SUPPORTED"
    assert answer(("word",) * 501)["code"] == "CONFIGURE_KEYTERM_LIMIT_EXCEEDED"
    assert answer(("word",) * 501)["type"] == "ConfigureFailure"
    for keyterms, model in ((None, "nova-2"), (("a",), "nova-3"), (("a",), "nova-2"), (("word",) * 501, "nova-3")):
        works = answer(keyterms, model)["type"] == "ConfigureSuccess"
        assert messages.is_configurable(request(model=model), Configure(keyterms)) is works


def test_a_refusal_has_a_body():
    assert messages.refusal_body(REFUSALS[401], "the-id") == {
        "err_code": "INVALID_AUTH",
        "err_msg": "Invalid credentials.",
        "request_id": "the-id",
    }


def test_the_close_reasons_are_the_sentences_of_the_wire_and_fit_into_a_close_frame():
    assert messages.NET_0000.endswith("dpgr.am/net0000")
    assert messages.NET_0001.endswith("dpgr.am/net0001")
    assert (len(messages.NET_0000), len(messages.NET_0001)) == (98, 108)
    assert "DATA-0000" in messages.DATA_0000
    assert len(messages.DATA_0000) <= 123
