"""A pre-recorded request as values: its query, its body as channels, its words as utterances, its answer."""

import json
import struct
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from bridge.audio import WAVE_FORMAT_PCM, interleave, mulaw_to_pcm, resample, seconds, silence, wav_header
from bridge.local.deepgram import batch
from bridge.local.deepgram.batch import (
    CORRUPT,
    NO_JSON,
    TOO_LARGE,
    BatchRequest,
    Hearing,
    answer,
    decode,
    parse_batch_request,
    read_json,
    split,
    whole,
)
from bridge.local.deepgram.decoder import mixed
from bridge.local.deepgram.messages import Writer
from bridge.local.deepgram.request import ListenRequest, Refusal
from bridge.local.recognition import Abilities, Heard, Listening, result
from bridge.local.script import CodedRecognizers, encode, random_script
from bridge.recognition import Alternative, Result, Word
from bridge.spans import Span
from tests.fakes.saying import EACH, said
from tests.fakes.speech import span

LACKING = Refusal(400, "Bad Request", "It is not there.")

SECONDS = 25.0
SCRIPT = random_script(3, SECONDS)
LEFT, RIGHT = encode(SCRIPT, SECONDS)
RAW = {"encoding": "mulaw", "sample_rate": "8000", "channels": "2", "multichannel": "true"}


def request(**parameters: str) -> BatchRequest:
    parsed = parse_batch_request(({"model": "nova-3"} | parameters).items())
    assert isinstance(parsed, BatchRequest)
    return parsed


def refusal(**parameters: str) -> Refusal:
    parsed = parse_batch_request(({"model": "nova-3"} | parameters).items())
    assert isinstance(parsed, Refusal)
    return parsed


def channels_of(body: bytes, **parameters: str) -> tuple[ListenRequest, Sequence[bytes]]:
    decoded = decode(request(**parameters).listen, body)
    assert not isinstance(decoded, Refusal)
    return decoded


def heard(**parameters: str) -> Hearing:
    asked = request(**RAW, **parameters)
    hearing = Hearing(asked, (LEFT, RIGHT), CodedRecognizers(SCRIPT))
    while hearing.hear():
        pass
    return hearing


def word(start: float, end: float) -> Word:
    return Word("word", "Word", span(start, end), 1.0)


# The query


def test_what_a_live_request_has_too_is_read_alike():
    asked = request(**RAW, smart_format="true", extra="call_sid:CA1")
    assert (asked.listen.model, asked.listen.encoding, asked.listen.channels) == ("nova-3", "mulaw", 2)
    assert asked.listen.punctuated
    assert asked.listen.extra == {"call_sid": "CA1"}
    assert (asked.utterances, asked.utt_split) == (False, 0.8)


def test_utterances_and_where_to_split_them():
    asked = request(utterances="true", utt_split="1.25")
    assert (asked.utterances, asked.utt_split) == (True, 1.25)


@pytest.mark.parametrize("name", ["interim_results", "endpointing", "utterance_end_ms", "vad_events", "no_delay"])
def test_what_is_for_live_audio_only_is_ignored(name):
    assert request(**{name: "nonsense"}) == request()


@pytest.mark.parametrize("diarizer", ["latest", "v1", "v2"])
def test_every_diarizer_is_for_recordings(diarizer):
    assert request(diarize_model=diarizer) == request(diarize="true")


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"utterances": "True"}, "utterances: provided string was not `true` or `false`: `True`"),
        ({"utt_split": "long"}, "utt_split: invalid float literal: `long`"),
        ({"utt_split": "-1"}, "utt_split must be"),
        ({"utt_split": "nan"}, "utt_split must be"),
        ({"diarize_model": "v3"}, "diarize_model must be"),
        ({"keywords": "hello"}, "keywords are not supported"),
        ({"language": "en_US"}, "No such model"),
        ({"sample_rate": "8000"}, "encoding, which is missing"),
        ({"callback": "https://example.com"}, "not to a callback"),
    ],
)
def test_refusals(parameters, words):
    refused = refusal(**parameters)
    assert refused.status == 400
    assert words in refused.message


# The body


def test_raw_mulaw_is_taken_apart_by_the_query():
    listen, channels = channels_of(interleave(LEFT, RIGHT), **RAW)
    assert list(channels) == [LEFT, RIGHT]
    assert listen.heard_channels == 2


def test_raw_pcm_at_another_rate():
    pcm = resample(mulaw_to_pcm(LEFT), 8000, 16000)
    _, (channel,) = channels_of(pcm, encoding="linear16", sample_rate="16000")
    assert abs(len(channel) - len(LEFT)) < 8


@pytest.mark.parametrize("multichannel", ["true", "false"])
def test_a_wav_file_says_its_format_itself(multichannel):
    body = wav_header(2 * len(LEFT)) + interleave(LEFT, RIGHT)
    listen, channels = channels_of(body, multichannel=multichannel)
    assert len(channels) == (2 if multichannel == "true" else 1)
    assert multichannel == "false" or tuple(channels) == (LEFT, RIGHT)
    assert (listen.encoding, listen.sample_rate, listen.channels) == ("mulaw", 8000, len(channels))
    assert listen.heard_channels == len(channels)


@pytest.mark.parametrize("multichannel", ["true", "false"])
def test_a_wav_file_needs_no_library(multichannel, monkeypatch):
    monkeypatch.setattr(batch, "missing", lambda _: LACKING)
    body = wav_header(2 * len(LEFT)) + interleave(LEFT, RIGHT)
    _, channels = channels_of(body, multichannel=multichannel)

    assert list(channels) == ([LEFT, RIGHT] if multichannel == "true" else [mixed([LEFT, RIGHT])])
    assert decode(request().listen, b"ID3 no WAV file") == LACKING
    assert decode(request().listen, b"RIFF no WAV file either") == CORRUPT


def test_more_audio_than_is_taken(monkeypatch):
    monkeypatch.setattr(batch, "LONGEST", 1000)

    assert decode(request().listen, wav_header(len(LEFT), channels=1) + LEFT) == TOO_LARGE


def test_a_wav_file_of_one_pcm_channel():
    pcm = mulaw_to_pcm(LEFT)
    body = wav_header(len(pcm), channels=1, encoding=WAVE_FORMAT_PCM) + pcm
    listen, channels = channels_of(body)
    assert list(channels) == [LEFT]
    assert listen.heard_channels == 1


def lying(channels: int, rate: int) -> bytes:
    header = bytearray(wav_header(1000))
    struct.pack_into("<HI", header, 22, channels, rate)
    return bytes(header) + silence(1000)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"ID3\x04 this is no WAV file",
        b"RIFF",
        wav_header(1000)[:30],
        wav_header(0),
        b'{"url": "https://example.com/a.wav"}',
        lying(0, 8000),
        lying(21, 8000),
        lying(2, 4_000_000_000),
    ],
)
def test_bodies_that_are_no_audio(body):
    assert decode(request().listen, body) == CORRUPT


@pytest.mark.parametrize("body", [b"", b"\xff"])
def test_raw_bodies_without_a_single_sample(body):
    assert decode(request(**RAW).listen, body) == CORRUPT


@given(st.binary(max_size=120), st.integers(0, 60))
def test_any_octets_are_audio_or_refused(junk, keep):
    body = wav_header(len(junk))[:keep] + junk
    decoded = decode(request().listen, body)
    assert decoded == CORRUPT or decoded[1][0]


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        (b'{"url": 5}', NO_JSON),
        (b"[]", NO_JSON),
        (b"RIFF", NO_JSON),
        (b"\xff\xfe", NO_JSON),
        (b"[" * 100_000, NO_JSON),
    ],
)
def test_json_bodies_are_refused_with_the_reason(body, refused):
    assert read_json(body) is refused


def test_a_json_body_names_a_url():
    assert read_json(b'{"url": "https://example.com/a.wav"}') == "https://example.com/a.wav"


# The words


def test_every_word_is_heard_on_its_channel_at_its_time():
    for channel, finals in enumerate(heard().finals):
        words = whole(channel, finals).words
        assert [(word.word, *map(seconds, word.span)) for word in words] == [
            (word.word, word.start, word.end) for word in SCRIPT.channels[channel]
        ]


def test_recognizers_are_fed_in_stretches_and_flushed_once():
    fed: list[tuple[int, int]] = []

    class Recognizer:
        def __init__(self, channel: int, listening: Listening) -> None:
            assert (listening.endpointing, listening.interim_results) == (0.5, False)
            self.channel = channel

        def receive_audio(self, mulaw: bytes) -> Sequence[Heard]:
            fed.append((self.channel, len(mulaw)))
            return (result(0, span(0, 1), (word(0, 1),), is_final=False),)

        def flush(self) -> Sequence[Heard]:
            fed.append((self.channel, -1))
            return (result(0, span(0, 1), (word(0, 1),), is_final=True),)

    hearing = Hearing(request(**RAW, utt_split="0.5"), (LEFT, RIGHT), Recognizer)
    assert [hearing.hear() for _ in range(3)] == [True, True, False]
    stretches = [80_000, 80_000, 40_000, -1]
    assert [octets for channel, octets in fed if channel == 0] == stretches
    assert [octets for channel, octets in fed if channel == 1] == stretches
    assert [len(finals) for finals in hearing.finals] == [1, 1]  # interims do not count


def test_nothing_is_heard_of_channels_that_are_not_asked_for():
    hearing = Hearing(request(**RAW | {"multichannel": "false"}), (LEFT, RIGHT), CodedRecognizers(SCRIPT))
    assert not hearing.hear()
    assert hearing.finals == []


def test_a_pause_longer_than_the_split_parts_utterances():
    words = [word(0.0, 0.5), word(0.6, 1.0), word(1.8, 2.0), word(2.81, 3.0)]
    assert [len(utterance) for utterance in split(words, 0.8)] == [3, 1]
    assert [len(utterance) for utterance in split(words, 0.2)] == [2, 1, 1]
    assert split([], 0.8) == []


def test_another_speaker_begins_another_utterance():
    words = [structs.replace(word(at, at + 0.4), speaker=speaker) for at, speaker in ((0.0, 0), (0.5, 0), (1.0, 1))]
    assert [len(utterance) for utterance in split(words, 0.8)] == [2, 1]


# The answer


def final(*words: Word, others: Sequence[Alternative] = ()) -> Result:
    end = words[-1].span.end if words else 0
    return structs.replace(result(0, Span(0, end), words, is_final=True), alternatives=tuple(others))


def answered(
    asked: BatchRequest, heard: list[list[Result]], duration: float = 1.0, abilities: Abilities | None = None
) -> dict[str, Any]:
    able = abilities or Abilities(voices=True, languages=True, alternatives=True)
    writer = Writer(asked.listen, "id")
    return answer(asked, writer, heard, abilities=able, sha256="s", created="c", duration=duration)


def test_all_finals_of_a_channel_are_one_result_and_so_are_their_alternatives():
    one = final(word(0, 1), others=[Alternative("Ward", 0.4), Alternative("Lord", 0.2)])
    other = final(word(2, 3), others=[Alternative("World", 0.2)])
    both = whole(1, [one, other])

    assert (both.channel, both.text, both.span) == (1, "Word Word", (0, 24000))
    assert [(each.text, round(each.confidence, 6)) for each in both.alternatives] == [
        ("Ward World", 0.3),
        ("Lord Word", 0.2),
    ]
    assert whole(0, []) == result(0, Span(0, 0), (), is_final=True)


def test_features_are_computed_over_the_whole_channel():
    """A number is one, wherever a final has cut it in two."""
    asked = request(**RAW, redact="ssn", detect_entities="true", search="number", alternatives="2", diarize="true")
    finals = [
        final(*said("my number is five five five two two", 0, speaker=0), others=[Alternative("my lumber", 0.1)]),
        final(*said("one one one one. yes", 8 * EACH, speaker=1)),
    ]
    results = answered(asked, [finals])["results"]
    (channel,) = results["channels"]
    best, second = channel["alternatives"]

    assert best["transcript"] == "my number is [SSN_1]. yes"
    assert [entity["value"] for entity in best["entities"]] == ["[SSN_1]"]
    assert [word["speaker"] for word in best["words"]] == [0, 0, 0, 0, 1]
    assert [hit["snippet"] for hit in channel["search"][0]["hits"]] == ["number"]
    assert second["transcript"].startswith("my lumber")
    assert "five" not in json.dumps(results)


def test_utterances_have_a_speaker_and_what_was_asked_for():
    asked = request(**RAW, numerals="true", diarize="true", utterances="true")
    finals = [final(*said("nine hundred", 0, speaker=1), *said("okay", 3 * EACH, speaker=0))]
    utterances = answered(asked, [finals])["results"]["utterances"]

    assert [(each["transcript"], each["speaker"]) for each in utterances] == [("900", 1), ("okay", 0)]


def test_what_is_only_pretended_is_said():
    asked = request(**RAW, diarize="true", summarize="v2")
    metadata = answered(asked, [[]], abilities=Abilities())["metadata"]

    assert [(each["parameter"], each["message"]) for each in metadata["warnings"]] == [
        ("diarize", "every word is given to speaker 0"),
        ("summarize", "it is not computed"),
    ]
    assert metadata["diarize_info"]["arch"] == "local"
    assert "warnings" not in answered(request(**RAW), [[]])["metadata"]


def test_the_answer_has_deepgrams_shape():
    asked = request(**RAW, utterances="true", smart_format="true", extra="call_sid:CA1")
    words = [[word(0.5, 1.0), word(3.0, 3.5)], [word(1.5, 2.0)]]
    said = answered(asked, [[final(*channel)] for channel in words], duration=4.0)
    metadata, results = said["metadata"], said["results"]
    (uuid,) = metadata.pop("models")
    assert metadata == {
        "transaction_key": "deprecated",
        "request_id": "id",
        "sha256": "s",
        "created": "c",
        "duration": 4.0,
        "channels": 2,
        "model_info": {uuid: {"name": "nova-3", "version": "local", "arch": "nova-3"}},
        "extra": {"call_sid": "CA1"},
    }
    first = {"word": "word", "start": 0.5, "end": 1.0, "confidence": 1.0, "punctuated_word": "Word"}
    assert results["channels"][0]["alternatives"][0]["words"][0] == first
    assert [channel["alternatives"][0]["transcript"] for channel in results["channels"]] == ["Word Word", "Word"]
    assert results["utterances"][0].pop("id")
    assert results["utterances"][0] == {
        "start": 0.5,
        "end": 1.0,
        "channel": 0,
        "transcript": "Word",
        "confidence": 1.0,
        "words": [first],
    }
    assert [(each["channel"], each["start"]) for each in results["utterances"]] == [(0, 0.5), (0, 3.0), (1, 1.5)]


def test_utterances_are_there_only_if_asked_for():
    asked = request(**RAW, detect_entities="true")
    said = answered(asked, [[], []])
    assert set(said["results"]) == {"channels"}
    assert said["results"]["channels"][0]["alternatives"] == [
        {"transcript": "", "confidence": 0.0, "words": [], "entities": []}
    ]


def test_channels_that_are_not_heard_have_no_duration():
    asked = request(**RAW | {"multichannel": "false"})
    said = answered(asked, [])
    assert (said["metadata"]["channels"], said["metadata"]["duration"]) == (0, 0.0)
    assert said["results"]["channels"] == []


def test_a_stretch_is_a_whole_number_of_milliseconds():
    assert batch.STRETCH % 8 == 0
