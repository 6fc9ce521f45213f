import math
import random
import struct

import pytest

from bridge import audio
from bridge.local.voice_activity import FRAME, VoiceActivity


def tone(level, frames=1):
    samples = [round(level * math.sin(0.3 * n)) for n in range(FRAME * frames)]
    return audio.pcm_to_mulaw(struct.pack(f"<{len(samples)}h", *samples))


def hiss(level, frames, seed=1):
    chance = random.Random(seed)
    samples = [chance.randrange(-level, level + 1) for _ in range(FRAME * frames)]
    return audio.pcm_to_mulaw(struct.pack(f"<{len(samples)}h", *samples))


def verdicts(mulaw, activity=None):
    activity = activity or VoiceActivity()
    return [activity.is_speech(mulaw[start : start + FRAME]) for start in range(0, len(mulaw), FRAME)]


def test_digital_silence_is_silence():
    assert not any(verdicts(audio.silence(FRAME * 500)))


@pytest.mark.parametrize("level", [500, 3000, 20_000])
def test_a_voice_is_heard_at_once(level):
    assert all(verdicts(tone(level, 20)))


def test_the_hiss_of_a_line_is_not_speech():
    assert not any(verdicts(hiss(60, 500)))


def test_a_louder_hum_becomes_the_floor():
    found = verdicts(hiss(400, 500))

    assert not any(found[-100:])


def test_a_voice_stands_out_of_the_hiss():
    activity = VoiceActivity()
    verdicts(hiss(200, 300), activity)

    assert all(verdicts(tone(4000, 10), activity))


def test_after_a_voice_silence_is_silence_again():
    activity = VoiceActivity()
    verdicts(tone(8000, 100), activity)

    assert not any(verdicts(audio.silence(FRAME * 10), activity))
