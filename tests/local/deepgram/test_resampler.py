"""Audio at 8 kHz from any other rate, in pieces."""

import math
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.audio import rms
from bridge.local.deepgram.resampler import Resampler


def tone(hertz: float, rate: int, seconds: float = 0.5, channels: int = 1) -> bytes:
    wave = [round(8000 * math.sin(2 * math.pi * hertz * at / rate)) for at in range(round(rate * seconds))]
    return array("h", [value if channel == 0 else 0 for value in wave for channel in range(channels)]).tobytes()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 900), max_size=20), st.sampled_from([6000, 11025, 16000, 44100]))
def test_the_size_of_the_pieces_changes_nothing(sizes, rate):
    pcm = tone(440, rate, 0.1, channels=2)
    pieces, whole = Resampler(rate, 2), Resampler(rate, 2)
    found, at = b"", 0
    for size in [*sizes, len(pcm)]:
        found += pieces.feed(pcm[4 * at : 4 * (at + size)])
        at += size

    assert found == whole.feed(pcm)


@pytest.mark.parametrize("rate", [4000, 8001, 11025, 16000, 22050, 48000, 192_000])
def test_a_tone_of_the_line_stays_and_so_does_time(rate):
    found = Resampler(rate, 1).feed(tone(440, rate))

    assert abs(len(found) // 2 - 4000) <= 4
    assert rms(found) == pytest.approx(rms(tone(440, rate)), rel=0.1)


@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_what_a_line_cannot_carry_does_not_come_back_as_a_whistle(rate):
    found = Resampler(rate, 1).feed(tone(7600, rate))

    assert rms(found) < rms(tone(7600, rate)) / 5


def test_channels_stay_apart():
    found = Resampler(16_000, 2).feed(tone(440, 16_000, channels=2))

    assert not any(array("h", found)[1::2])
    assert rms(array("h", found)[0::2].tobytes()) > 5000
