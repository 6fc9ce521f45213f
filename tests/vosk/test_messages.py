"""Vosk's answers, which do not say what they answer."""

import json

import pytest

from bridge.audio import AudioFormat, mulaw_to_pcm
from bridge.deepgram.extras import Model
from bridge.deepgram.messages import Metadata
from bridge.errors import RemoteProtocolError
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
    assert (vosk.closing, vosk.keep_alive, vosk.finalize(0), vosk.closed(1000)) == ('{"eof" : 1}', None, None, ())
    assert vosk.model("") == Model("vosk", "")


def test_the_nth_answer_is_about_the_audio_up_to_the_end_of_the_nth_chunk():
    vosk = dialect()
    one, two, three, four = read(vosk, partial(""), partial("hello"), final(("hello", 1.1)), final())

    assert [one.span, two.span] == [Span(0, 8000), Span(4000, 16_000)]
    assert (three.span, three.is_final, three.ends_turn, three.text) == (Span(0, 24_000), True, True, "hello")
    assert [(word.word, word.span, word.confidence) for word in three.words] == [("hello", Span(8800, 10_400), 0.8)]
    assert (four.span, four.text, four.ends_turn) == (Span(24_000, 32_000), "", False)


def test_the_answer_to_the_end_is_the_last_whatever_it_says():
    vosk = dialect(1)
    _, last, end = read(vosk, partial("he"), final(("hello", 0.5)))

    assert (last.span, last.is_final, last.ends_turn, end) == (Span(0, 8000), True, False, Metadata())


def test_a_socket_begins_with_nothing_of_the_one_before():
    vosk = dialect()
    read(vosk, final(("hello", 0.5)))
    vosk.opened()
    vosk.encode(CHUNK)

    assert read(vosk, final(("hello", 0.5)))[0].span == Span(0, 8000)


@pytest.mark.parametrize("odd", ["no JSON", "[]", "{}", '{"text": 5}', '{"partial": null}'])
@pytest.mark.parametrize(("said", "start"), [(0.5, 0), (1.5, 8000), (None, 8000)])
def test_an_answer_that_cannot_be_read_is_told_by_the_next_final(odd, said, start):
    """It was no final if words that it would have taken come now; if none come, its audio stays uncovered."""
    vosk = dialect(2)
    with pytest.raises(RemoteProtocolError):
        vosk.read(odd)

    (found,) = read(vosk, final(("hello", said)) if said else final())
    assert found.span == Span(start, 16_000)


def test_an_odd_word_costs_itself():
    vosk = dialect(1)
    reading = vosk.read(
        '{"result": [{"word": "a", "start": 0.1, "end": 0.2, "conf": 1}, {"word": "b"}, 7], "text": "a b"}'
    )
    (result,) = reading.messages

    assert [word.word for word in result.words] == ["a", "b"]
    assert reading.bad_words == 2
