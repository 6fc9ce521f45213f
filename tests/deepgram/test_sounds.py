"""Where something could be heard, after the audio is gone."""

import math
import struct

import pytest

from bridge.audio import pcm_to_mulaw
from bridge.deepgram.sounds import PIECE, Sounds, audible
from bridge.spans import Span

SILENCE, SOUND = b"\xff", b"\x10"


def stereo(left, right):
    return b"".join(bytes(pair) for pair in zip(left, right, strict=True))


def test_each_channel_by_itself_and_where_it_was():
    sounds = Sounds()
    sounds.note(1000, stereo(SILENCE * PIECE + SOUND * PIECE + SILENCE * PIECE, SILENCE * 3 * PIECE))

    assert sounds.any_in(0, Span(1000, 1000 + 3 * PIECE))
    assert not sounds.any_in(0, Span(1000, 1000 + PIECE))
    assert sounds.any_in(0, Span(1000 + 3 * PIECE // 2, 1000 + 3 * PIECE))
    assert not sounds.any_in(0, Span(1000 + 3 * PIECE // 2 + 1, 1000 + 3 * PIECE)), "the end of what was said before"
    assert not sounds.any_in(0, Span(1000 + 2 * PIECE, 1000 + 3 * PIECE))
    assert not sounds.any_in(1, Span(0, 10_000))


def test_a_short_word_in_a_long_silence():
    word = SOUND * (PIECE // 2)
    assert audible(SILENCE * 10 * PIECE + word + SILENCE * 10 * PIECE, 5) == [Span(5 + 10 * PIECE, 5 + 11 * PIECE)]
    assert audible(word) == [Span(0, PIECE // 2)], "the rest, too"
    assert audible(b"") == []


@pytest.mark.parametrize("frequency", [250, 500, 1000, 2000, 4000 / 3])
def test_a_tone(frequency):
    pcm = struct.pack(f"<{PIECE}h", *(round(2000 * math.sin(math.tau * frequency * n / 8000)) for n in range(PIECE)))
    assert audible(pcm_to_mulaw(pcm)) == [Span(0, PIECE)]


def test_what_is_forgotten():
    sounds = Sounds()
    sounds.note(0, stereo(SOUND * 3 * PIECE, SILENCE * 3 * PIECE))
    sounds.forget(2 * PIECE)

    assert not sounds.any_in(0, Span(0, 2 * PIECE))
    assert sounds.any_in(0, Span(0, 3 * PIECE))
