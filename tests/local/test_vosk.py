"""The local engine behind the Vosk server's protocol, as that server's own test program speaks it."""

import json

import pytest
from websockets.asyncio.client import connect

from bridge.audio import mulaw_to_pcm, samples
from bridge.local.recognition import result
from bridge.local.script import CodedRecognizers, encode, random_script
from bridge.local.vosk import Listener, LocalVosk
from bridge.recognition import SpeechStart, Word
from bridge.spans import Span
from bridge.vosk.messages import END

SCRIPT = random_script(3, 6.0)
AUDIO = encode(SCRIPT, 6.0)[0]
PCM = mulaw_to_pcm(AUDIO)
WORDS = [(word.word, word.start, word.end) for word in SCRIPT.channels[0]]


@pytest.fixture
async def server():
    async with LocalVosk(CodedRecognizers(SCRIPT)) as local:
        yield local


async def test_every_binary_message_has_one_answer_and_the_end_the_last(server):
    answers = []
    async with connect(server.url) as socket:
        await socket.send('{ "config" : { "sample_rate" : 8000, "words" : 1 } }')
        for start in range(0, len(PCM), 8000):
            await socket.send(PCM[start : start + 8000])
            answers.append(json.loads(await socket.recv()))
        await socket.send(END)
        answers += [json.loads(answer) async for answer in socket]
    finals = [answer for answer in answers if "text" in answer]
    words = [(word["word"], word["start"], word["end"]) for final in finals for word in final.get("result", ())]

    assert len(answers) == len(PCM) // 8000 + 1
    assert words == WORDS
    assert any(answer.get("partial") for answer in answers)
    assert all(answer.keys() <= {"partial", "text", "result"} for answer in answers)
    assert bytes(server.listeners[0].audio) == AUDIO


async def test_a_text_that_is_no_configuration_ends_the_socket(server):
    async with connect(server.url) as socket:
        await socket.send('{"config": 5}')
        assert [answer async for answer in socket] == []


def test_words_have_no_times_where_none_are_wanted():
    listener = Listener(CodedRecognizers(SCRIPT))
    listener.configure('{"config": {"words": false, "sample_rate": 16000.0}}')
    listener.hear(b"")
    listener.hear(b"\0\0" * 16_000)

    assert len(listener.audio) == 8000
    assert json.loads(listener.end()) == {"text": ""}


class AtABreath:
    """Settles a word at the end of the first message, as in speech that goes on; hears nothing in the next ones."""

    def __init__(self, channel, listening):
        self.heard = 0

    def receive_audio(self, mulaw):
        begun, self.heard = self.heard, self.heard + len(mulaw)
        if begun:
            return []
        word = Word("well", "well", Span(0, self.heard), 1.0)
        return [SpeechStart(0, 0), result(0, Span(0, self.heard), [word], is_final=True)]


def test_what_was_settled_at_a_breath_is_a_final_once_a_pause_follows():
    listener = Listener(AtABreath)
    answers = [json.loads(listener.hear(bytes(2 * samples(0.3)))) for _ in range(4)]

    assert [answer.get("text") for answer in answers] == [None, None, "well", None]
    assert [answer.get("partial") for answer in answers] == ["well", "well", None, ""]
