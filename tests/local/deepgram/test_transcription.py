"""One channel: which message each result becomes, and when an utterance is said to have ended (facts 2.3)."""

import json
from collections.abc import Sequence
from typing import Any

from bridge.audio import silence
from bridge.local.deepgram.messages import Writer
from bridge.local.deepgram.request import ListenRequest, parse_request
from bridge.local.deepgram.transcription import Transcription
from bridge.local.features import Features
from bridge.local.recognition import Heard, Listening, result
from bridge.local.script import Script, ScriptWord, TimedRecognizers
from bridge.recognition import Result, SpeechStart, Word
from tests.fakes.speech import span


class Dictated:
    """A recognizer that says what the test wants, one item per call, and the last of them when flushed."""

    def __init__(self, *heard: Heard | None) -> None:
        self._heard = list(heard)

    def receive_audio(self, mulaw: bytes) -> Sequence[Heard]:
        item = self._heard.pop(0) if self._heard else None
        return () if item is None else (item,)

    def flush(self) -> Sequence[Heard]:
        return self.receive_audio(b"")


def request(**parameters: str) -> ListenRequest:
    defaults = {"encoding": "mulaw", "sample_rate": "8000", "interim_results": "true", "vad_events": "true"}
    parsed = parse_request((defaults | {"utterance_end_ms": "1000"} | parameters).items())
    assert isinstance(parsed, ListenRequest)
    return parsed


def transcription(*heard: Heard | None, **parameters: str) -> Transcription:
    asked = request(**parameters)
    return Transcription(0, asked, Dictated(*heard), Writer(asked, "id"))


def feed(transcription: Transcription, times: int, seconds: float = 0.5) -> list[dict[str, Any]]:
    """The messages of so many pieces of audio."""
    return [
        json.loads(message.text) for _ in range(times) for message in transcription.feed(silence(round(8000 * seconds)))
    ]


def types(messages: list[dict[str, Any]]) -> list[str]:
    return [message["type"] for message in messages]


def said(start: float, end: float, *words: tuple[float, float], final: bool = False) -> Result:
    heard = [Word("word", "word", span(begin, finish), 1.0) for begin, finish in words]
    return result(0, span(start, end), heard, is_final=final)


FINAL = said(0, 1.5, (0.2, 1.2), final=True)


def test_interims_and_finals_become_results():
    messages = feed(transcription(said(0, 1, (0.2, 1.0)), FINAL), 2)
    assert [(message["type"], message["is_final"]) for message in messages] == [
        ("Results", False),
        ("Results", True),
    ]


def test_a_recognizer_that_speaks_of_interims_unasked_is_not_passed_on():
    quiet = {"interim_results": "false", "utterance_end_ms": "1000"}
    asked = parse_request({"encoding": "mulaw", "sample_rate": "8000"}.items())
    assert isinstance(asked, ListenRequest), quiet
    channel = Transcription(0, asked, Dictated(said(0, 1, (0.2, 1.0)), FINAL), Writer(asked, "id"))
    assert [message["is_final"] for message in feed(channel, 2)] == [True]


def test_the_words_are_as_they_were_asked_for():
    channel = transcription(FINAL, FINAL, replace="word:other thing")
    (first,) = feed(channel, 1)
    channel.features = Features(profanity_filter=True)
    (second,) = feed(channel, 1)

    assert first["channel"]["alternatives"][0]["transcript"] == "other thing"
    assert second["channel"]["alternatives"][0]["transcript"] == "word"
    assert channel.features == Features(profanity_filter=True)


def test_speech_started_only_with_vad_events():
    assert feed(transcription(SpeechStart(0, 2000)), 1)[0]["timestamp"] == 0.25
    assert feed(transcription(SpeechStart(0, 2000), vad_events="false"), 1) == []


def test_finals_are_marked_because_faults_treat_them_differently():
    channel = transcription(said(0, 1, (0.2, 1.0)), FINAL)
    assert [message.final for _ in range(2) for message in channel.feed(b"")] == [False, True]


def test_only_the_final_of_a_finalize_is_from_finalize():
    channel = transcription(said(0, 1, (0.2, 1.0)), FINAL)
    assert [json.loads(message.text)["from_finalize"] for message in channel.flush(from_finalize=True)] == [False]
    assert [json.loads(message.text)["from_finalize"] for message in channel.flush(from_finalize=True)] == [True]


def test_utterance_end_needs_a_later_interim_to_prove_the_gap():
    channel = transcription(FINAL, said(1.5, 2.1), said(1.5, 2.2))
    assert types(feed(channel, 2)) == ["Results", "Results"]
    messages = feed(channel, 1)
    assert types(messages) == ["UtteranceEnd", "Results"]
    assert messages[0] == {"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": 1.2}


def test_utterance_end_comes_once():
    channel = transcription(FINAL, said(1.5, 2.5), said(1.5, 3.5), said(1.5, 6.5, final=True))
    assert types(feed(channel, 4)).count("UtteranceEnd") == 1


def test_words_that_follow_closely_keep_the_utterance_open():
    """The speaker went on before the time was over: the clock starts anew at the next final."""
    later = said(1.5, 4.0, (1.7, 3.5), final=True)
    channel = transcription(FINAL, said(1.5, 2.5, (1.7, 2.5)), later, said(4.0, 4.4), said(4.0, 4.5))
    messages = feed(channel, 5)
    assert types(messages).count("UtteranceEnd") == 1
    assert messages[-2]["last_word_end"] == 3.5


def test_utterance_end_comes_although_the_speaker_has_resumed_after_a_long_gap():
    channel = transcription(FINAL, said(1.5, 3.0, (2.3, 3.0)))
    assert types(feed(channel, 2)) == ["Results", "UtteranceEnd", "Results"]


def test_an_interim_that_came_to_nothing_does_not_swallow_it():
    channel = transcription(FINAL, said(1.5, 2.0, (1.6, 2.0)), said(1.5, 6.5, final=True))
    assert types(feed(channel, 3)) == ["Results", "Results", "UtteranceEnd", "Results"]


def test_a_gap_inside_one_final_ends_no_utterance():
    channel = transcription(said(0, 5, (0.2, 0.5), (4.0, 4.5), final=True))
    assert types(feed(channel, 1)) == ["Results"]


def test_a_recognizer_that_is_silent_in_silence_proves_the_gap_too():
    """At 3.2 s of audio it is a second late for the interim that words would have brought."""
    channel = transcription(FINAL)
    messages = [(step, message) for step in range(1, 9) for message in feed(channel, 1)]
    assert [(step, message["type"]) for step, message in messages] == [(1, "Results"), (7, "UtteranceEnd")]


def test_no_utterance_end_unless_asked_for():
    asked = parse_request({"encoding": "mulaw", "sample_rate": "8000", "interim_results": "true"}.items())
    assert isinstance(asked, ListenRequest)
    channel = Transcription(0, asked, Dictated(FINAL, said(1.5, 5.0)), Writer(asked, "id"))
    assert types(feed(channel, 12)) == ["Results", "Results"]


def test_with_a_real_recognizer_it_comes_about_a_second_after_the_last_word():
    script = Script(channels=((ScriptWord(word="hello", start=0.5, end=1.0),),))
    asked = request(endpointing="300")
    channel = Transcription(0, asked, TimedRecognizers(script)(0, Listening(0.3)), Writer(asked, "id"))
    at = next(step for step in range(200) for message in feed(channel, 1, 0.02) if message["type"] == "UtteranceEnd")
    assert 2.0 <= (at + 1) * 0.02 <= 3.1
