"""Kept audio at a Vosk server."""

import pytest

from bridge.audio import interleave, seconds
from bridge.call.vosk import transcribe
from bridge.deepgram.batch import Transcribed
from bridge.deepgram.extras import Model
from bridge.deepgram.messages import Blame, Refusal
from bridge.deepgram.origins import Origin
from bridge.local.script import CodedRecognizers, encode, random_script
from bridge.local.vosk import LocalVosk, VoskFaults

SCRIPT = random_script(5, 12.0)
AUDIO = interleave(*encode(SCRIPT, 12.0))


@pytest.fixture
async def server():
    async with LocalVosk(CodedRecognizers(SCRIPT)) as local:
        yield local


async def test_a_recording_is_heard_on_both_channels(server):
    heard = await transcribe(Origin(server.url, ""), "", AUDIO, call_id="CA1")

    assert isinstance(heard, Transcribed)
    assert (heard.model, heard.request_id, heard.skipped) == (Model("vosk", ""), None, 0)
    for channel in range(2):
        words = [word for result in heard.results if result.channel == channel for word in result.words]
        assert [(word.word, seconds(word.span.start)) for word in words] == [
            (word.word, round(word.start, 3)) for word in SCRIPT.channels[channel]
        ]


async def test_a_server_that_hangs_up_has_not_heard_it(server):
    server.faults = VoskFaults(first=1, drop_after=2.0)
    refusal = await transcribe(Origin(server.url, ""), "", AUDIO, call_id="CA1")

    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.blame) == (None, Blame.PASSING)


async def test_a_server_that_is_not_there_may_be_there_later():
    async with LocalVosk(CodedRecognizers(SCRIPT)) as server:
        pass
    refusal = await transcribe(Origin(server.url, ""), "", AUDIO, call_id="CA1")

    assert isinstance(refusal, Refusal)
    assert refusal.blame is Blame.PASSING


async def test_it_is_not_waited_for_for_ever(server):
    refusal = await transcribe(Origin(server.url, ""), "", AUDIO, call_id="CA1", patience=0.001)

    assert refusal == Refusal(None, "no answer within 0.001 seconds", None)
