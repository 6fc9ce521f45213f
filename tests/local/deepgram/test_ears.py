"""What one connection's audio goes through, from octets to messages."""

import json
from typing import Any

import pytest

from bridge.audio import interleave, wav_header
from bridge.deepgram.messages import parse
from bridge.local.deepgram.decoder import Undecodable
from bridge.local.deepgram.ears import Ears
from bridge.local.deepgram.messages import Configure
from bridge.local.deepgram.request import ListenRequest, parse_request
from bridge.local.deepgram.transcription import Message
from bridge.local.script import CodedRecognizers, Script, ScriptWord, encode
from bridge.recognition import Result

SCRIPT = Script(
    channels=(
        (
            ScriptWord(word="nine", start=0.2, end=0.6, voice=1, language="en", instead="mine"),
            ScriptWord(word="hundred", start=0.6, end=1.0, voice=0, language="es"),
        ),
        (ScriptWord(word="hi", text="Hi.", start=1.5, end=1.9, voice=0),),
    )
)
AUDIO = interleave(*encode(SCRIPT, 3.0))
RAW = {"encoding": "mulaw", "sample_rate": "8000", "channels": "2", "multichannel": "true"}


def ears(**parameters: str) -> Ears:
    request = parse_request(({"model": "nova-3"} | parameters).items())
    assert isinstance(request, ListenRequest), request
    return Ears(request, CodedRecognizers(SCRIPT), "id")


def read(messages: list[Message]) -> list[dict[str, Any]]:
    return [json.loads(message.text) for message in messages]


def texts(messages: list[Message]) -> list[str]:
    said = [message["channel"]["alternatives"][0]["transcript"] for message in read(messages)]
    return [text for text in said if text]


def test_samples_are_heard_at_once_in_the_channels_that_were_named():
    hearing = ears(**RAW)
    assert (hearing.channels, hearing.received, hearing.duration) == (2, 0.0, 0.0)
    said = hearing.feed(AUDIO)

    assert texts(said) == ["nine hundred", "hi"]
    assert (hearing.received, hearing.duration) == (3.0, 3.0)


def test_channels_that_are_not_asked_for_are_received_and_not_heard():
    hearing = ears(**RAW | {"multichannel": "false"})

    assert hearing.feed(AUDIO) == []
    assert (hearing.channels, hearing.received, hearing.duration) == (0, 3.0, 0.0)


def test_a_file_tells_its_channels():
    hearing = ears(multichannel="true")
    assert hearing.channels == 0
    said = hearing.feed(wav_header(len(AUDIO)) + AUDIO) + hearing.end()

    assert texts(said) == ["nine hundred", "hi"]
    assert {tuple(message["channel_index"]) for message in read(said)} == {(0, 2), (1, 2)}
    assert (hearing.channels, hearing.duration) == (2, 3.0)
    hearing.close()


def test_what_is_no_audio_is_told_while_it_comes_and_is_nothing_at_its_end():
    with pytest.raises(Undecodable):
        ears().feed(b"no audio" * 3000)
    hearing = ears()
    assert hearing.feed(b"OggS") == []
    assert hearing.end() == []


def test_all_that_a_script_tells_arrives():
    hearing = ears(**RAW, diarize="true", language="multi", alternatives="2", numerals="true", search="hundred")
    first = read(hearing.feed(AUDIO))[0]
    best, second = first["channel"]["alternatives"]
    (word,) = best["words"]

    assert hearing.warning() is None
    assert (word["word"], word["speaker"], word["language"]) == ("900", 1, "en")
    assert second["transcript"] == "mine hundred"
    assert first["channel"]["search"][0]["hits"][0]["snippet"] == "900"


def test_our_own_reader_of_deepgrams_messages_finds_all_of_it():
    asked = {"diarize": "true", "language": "multi", "alternatives": "2", "detect_entities": "true", "search": "nine"}
    hearing = ears(**RAW, **asked, redact="ssn", replace="hundred:thousand")
    found = next(parse(message.text).message for message in hearing.feed(AUDIO) if message.final)

    assert isinstance(found, Result)
    assert [(word.word, word.speaker, word.language) for word in found.words] == [
        ("nine", 1, "en"),
        ("thousand", 0, "es"),
    ]
    assert found.languages == ("en", "es")
    assert [entity.value for entity in found.entities] == ["9000"]
    assert [hit.snippet for hit in found.hits] == ["nine"]
    assert [other.text for other in found.alternatives] == ["mine thousand"]


def test_what_is_only_pretended():
    warning = ears(**RAW, redact="phi").warning()

    assert warning
    assert json.loads(warning)["type"] == "Warning"


@pytest.mark.parametrize(("channel", "finals"), [(None, 2), (0, 1), (1, 1)])
def test_one_channel_or_all_are_settled(channel, finals):
    hearing = ears(**RAW, endpointing="false")
    hearing.feed(AUDIO[: 16000 * 2])
    said = hearing.finalize(channel)

    assert said
    assert [message["from_finalize"] for message in read(said)] == [True] * finals


def test_there_is_no_such_channel():
    assert ears(**RAW).finalize(2) is None
    assert ears().finalize(None) == []


def test_features_change_on_the_way_where_they_may():
    hearing = ears(**RAW | {"model": "nova-2"}, endpointing="10")
    refused = json.loads(hearing.configure(Configure(("NINE",), numerals=True)))
    assert refused["type"] == "ConfigureFailure"
    assert texts(hearing.feed(AUDIO[: 16000 * 2]))[0] == "nine hundred"

    assert json.loads(hearing.configure(Configure(None, numerals=True)))["type"] == "ConfigureSuccess"
    assert texts(hearing.feed(AUDIO))[0] in ("hi", "900")


def test_what_was_configured_before_the_header_holds_for_the_channels_too():
    hearing = ears(multichannel="true")
    hearing.configure(Configure(("HUNDRED",), numerals=None))

    assert texts(hearing.feed(wav_header(len(AUDIO)) + AUDIO) + hearing.end())[0] == "nine HUNDRED"
