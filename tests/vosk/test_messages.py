"""Vosk's answers, which do not say what they answer."""

import json
from random import Random

import pytest

from bridge.audio import AudioFormat, mulaw_to_pcm, seconds
from bridge.deepgram.exchange import Close, Connect, Finished, Send, SessionPolicy
from bridge.deepgram.extras import Model
from bridge.deepgram.messages import Metadata
from bridge.deepgram.session import Session
from bridge.errors import RemoteProtocolError
from bridge.local.script import CodedRecognizers, encode, random_script
from bridge.local.vosk import Listener
from bridge.recognition import Result
from bridge.spans import Span
from bridge.vosk.messages import Vosk

MONO = AudioFormat("mulaw", 8000, 1)
CHUNK = b"\xff" * 8000


def dialect(chunks=4):
    vosk = Vosk(MONO)
    vosk.opened()
    for _ in range(chunks):
        vosk.encode(CHUNK)
    return vosk


def partial(text):
    return json.dumps({"partial": text})


def final(*words):
    result = [{"word": text, "start": start, "end": start + 0.2, "conf": 0.8} for text, start in words]
    return json.dumps({"result": result, "text": " ".join(text for text, _ in words)} if words else {"text": ""})


def read(vosk, *frames):
    return [message for frame in frames for message in vosk.read(frame).messages]


def test_it_says_what_it_sends_and_sends_pcm():
    vosk = Vosk(MONO)

    assert json.loads(vosk.opened()[0]) == {"config": {"sample_rate": 8000, "words": True}}
    assert vosk.encode(b"\x10\xff") == mulaw_to_pcm(b"\x10\xff")
    assert Vosk(AudioFormat("linear16", 16_000, 1)).encode(b"abcd") == b"abcd"
    assert (vosk.closing, vosk.keep_alive, vosk.closed(1000)) == ('{"eof" : 1}', None, ())
    assert (vosk.finalize(0), vosk.settle(0)) == (None, None)
    assert vosk.model("") == Model("vosk", "")


def test_the_nth_answer_is_about_the_audio_up_to_the_end_of_the_nth_chunk():
    vosk = dialect()
    one, two, three, four = read(vosk, partial(""), partial("hello"), final(("hello", 1.1)), final())

    assert [one.span, two.span] == [Span(0, 8000), Span(4000, 16_000)]
    assert (three.span, three.is_final, three.ends_turn, three.text) == (Span(0, 22_400), True, True, "hello")
    assert [(word.word, word.span, word.confidence) for word in three.words] == [("hello", Span(8800, 10_400), 0.8)]
    assert (four.span, four.text, four.ends_turn) == (Span(22_400, 30_400), "", False)


def test_the_answer_to_the_end_is_the_last_whatever_it_says():
    vosk = dialect(1)
    _, last, end = read(vosk, partial("he"), final(("hello", 0.5)))

    assert (last.span, last.is_final, last.ends_turn, end) == (Span(0, 8000), True, False, Metadata())


def test_a_socket_begins_with_nothing_of_the_one_before():
    vosk = dialect()
    read(vosk, final(("hello", 0.5)))
    vosk.opened()
    vosk.encode(CHUNK)

    assert read(vosk, final(("hello", 0.5)))[0].span == Span(0, 6400)


@pytest.mark.parametrize("odd", ["no JSON", "[]", "{}", '{"text": 5}', '{"partial": null}'])
@pytest.mark.parametrize(("said", "start"), [(0.5, 0), (1.5, 8000), (None, 8000)])
def test_an_answer_that_cannot_be_read_is_told_by_the_next_final(odd, said, start):
    """It was no final if words that it would have taken come now; if none come, its audio stays uncovered."""
    vosk = dialect(2)
    with pytest.raises(RemoteProtocolError):
        vosk.read(odd)

    (found,) = read(vosk, final(("hello", said)) if said else final())
    assert found.span == Span(start, 14_400)


def test_of_several_answers_that_cannot_be_read_the_next_final_claims_the_least():
    vosk = dialect(4)
    for _ in range(2):
        with pytest.raises(RemoteProtocolError):
            vosk.read("?")
    silence, found = read(vosk, partial(""), final(("hello", 1.5)))

    assert silence.span == Span(16_000, 24_000), "before that there may have been words"
    assert found.span == Span(8000, 30_400)


def test_an_odd_word_costs_itself():
    vosk = dialect(1)
    reading = vosk.read(
        '{"result": [{"word": "a", "start": 0.1, "end": 0.2, "conf": 1}, {"word": "b"}, 7], "text": "a b"}'
    )
    (result,) = reading.messages

    assert [word.word for word in result.words] == ["a", "b"]
    assert reading.bad_words == 2


CHUNK_OF_CALL = 480
SCRIPT = random_script(9, 40.0)
AUDIO = encode(SCRIPT, 40.0)[0]


class Line:
    """One channel of a call between our session and the local engine's Vosk; positions are samples."""

    def __init__(self, script, audio, drops=(), spoil=lambda answer: False):
        """`drops`: chunks after which each socket is lost, with the answers to the newest of them. `spoil`: which
        answers cannot be read."""
        self.script, self.audio, self.drops, self.spoil = script, audio, list(drops), spoil
        self.ours = Session(SessionPolicy(format=MONO, speed=1000.0, burst=60.0), Random(1), dialect=Vosk(MONO))
        self.told, self.chunks, self.answers, self.now = [], 0, 0, 0.0
        self.theirs = None

    def run(self):
        self.ours.start(0.0)
        for start in range(0, len(self.audio), CHUNK_OF_CALL):
            self.now += CHUNK_OF_CALL / 8000
            self.ours.receive_audio(self.audio[start : start + CHUNK_OF_CALL], self.now)
            self._pump()
        self.ours.finish(self.now)
        while not any(isinstance(event, Finished) for event in self.told):
            self._pump()
            self.now += 0.05
        return self

    def _pump(self):
        due = self.ours.get_timer()
        if due is not None and due <= self.now:
            self.ours.handle_timer(self.now)
        while commands := self.ours.data_to_send():
            for command in commands:
                self._obey(command)
        self.told += self.ours.events_received()

    def _obey(self, command):
        match command:
            case Connect():
                self.theirs, self.chunks = Listener(CodedRecognizers(self.script)), 0
                self.ours.connected(None, self.now)
            case Send(bytes() as audio) if self.theirs:
                self.chunks += 1
                answer = self.theirs.hear(audio)
                if self.drops and self.chunks >= self.drops[0]:
                    self.drops.pop(0)
                    self.theirs = None
                    self.ours.closed(None, "", self.now)
                else:
                    self._answer(answer)
            case Send('{"eof" : 1}') if self.theirs:
                self._answer(self.theirs.end())
            case Close():
                self.theirs = None

    def _answer(self, answer):
        self.answers += 1
        self.ours.receive_text("?" if self.spoil(json.loads(answer)) else answer, self.now)

    @property
    def words(self):
        finals = [event for event in self.told if isinstance(event, Result) and event.is_final]
        return [
            (word.word, seconds(word.span.start), seconds(word.span.end)) for final in finals for word in final.words
        ]


@pytest.mark.parametrize("drops", [(), (1,), (70, 200), (151, 30, 300)])
def test_every_word_is_heard_once_whatever_becomes_of_the_sockets(drops):
    line = Line(SCRIPT, AUDIO, drops).run()

    assert line.words == [(word.word, word.start, word.end) for word in SCRIPT.channels[0]]
    assert line.told[-1] == Finished()


def test_partials_that_cannot_be_read_cost_nothing():
    line = Line(SCRIPT, AUDIO, spoil=lambda answer: "partial" in answer and answer["partial"]).run()

    assert line.words == [(word.word, word.start, word.end) for word in SCRIPT.channels[0]]


def test_what_a_final_said_that_cannot_be_read_is_named_and_no_more():
    spoilt = []

    def spoil(answer):
        if "result" in answer and not spoilt:
            spoilt.extend((word["word"], word["start"], word["end"]) for word in answer["result"])
            return True
        return False

    line = Line(SCRIPT, AUDIO, spoil=spoil).run()
    lacking = [span for _, span in line.told[-1].uncovered]

    assert sorted([*line.words, *spoilt], key=lambda word: word[1]) == [
        (word.word, word.start, word.end) for word in SCRIPT.channels[0]
    ]
    assert all(
        any(span.start / 8000 <= start and end <= span.end / 8000 for span in lacking) for _, start, end in spoilt
    )
