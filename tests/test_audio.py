import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import audio
from bridge.audio import TELEPHONE, AudioFormat, pcm_to_mulaw


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=1), st.binary(min_size=1, max_size=1)), max_size=200))
def test_channels_take_turns(frames):
    left, right = (b"".join(frame[channel] for frame in frames) for channel in range(2))

    assert audio.interleave(left, right) == b"".join(left + right for left, right in frames)


def test_left_comes_first():
    assert audio.interleave(b"ab", b"xy") == b"axby"


def test_silence_is_silent():
    assert audio.mulaw_to_pcm(audio.silence(3)) == bytes(6)


@given(st.binary(max_size=200))
def test_mulaw_survives_pcm(mulaw):
    # 0x7f and 0xff are both zero: the one value that has two names.
    assert audio.pcm_to_mulaw(audio.mulaw_to_pcm(mulaw)) == mulaw.replace(b"\x7f", b"\xff")


def test_resampling_keeps_the_duration():
    assert abs(len(audio.resample(bytes(16000), 8000, 16000)) - 32000) <= 4
    assert audio.resample(b"ab", 8000, 8000) == b"ab"


def test_what_no_telephone_carries_does_not_come_back_as_a_whistle():
    def tone(hertz):
        return struct.pack("<1600h", *(round(10_000 * math.sin(2 * math.pi * hertz * n / 16_000)) for n in range(1600)))

    assert audio.rms(audio.resample(tone(1000), 16_000, 8000)) > 6000
    assert audio.rms(audio.resample(tone(7000), 16_000, 8000)) < 500


def test_loudness():
    assert audio.rms(b"") == 0
    assert audio.rms(struct.pack("<2h", 1000, -1000)) == 1000


@pytest.mark.parametrize(
    ("encoding", "tag", "bits", "size"), [(audio.WAVE_FORMAT_MULAW, 7, 8, 58), (audio.WAVE_FORMAT_PCM, 1, 16, 44)]
)
def test_a_wav_header_tells_players_what_follows(encoding, tag, bits, size):
    header = audio.wav_header(1600, encoding=encoding)

    assert len(header) == size
    assert header[:4] == b"RIFF"
    assert struct.unpack("<I", header[4:8])[0] == size - 8 + 1600
    assert struct.unpack("<HHII", header[20:32]) == (tag, 2, 8000, 8000 * 2 * bits // 8)
    assert struct.unpack("<HH", header[32:36]) == (2 * bits // 8, bits)
    assert header[-8:] == b"data" + struct.pack("<I", 1600)


@given(st.binary(max_size=200))
def test_a_law_becomes_the_mu_law_of_the_same_sound(alaw):
    assert audio.alaw_to_mulaw(alaw) == audio.pcm_to_mulaw(audio.audioop.alaw2lin(alaw, 2))


def test_a_stereo_stream_is_split_left_first():
    assert audio.split_channels(b"abxyABXY") == (b"abAB", b"xyXY")


@given(st.integers(0, 2**40), st.integers(0, 7))
def test_seconds_are_the_nearest_number_of_three_decimals(milliseconds, samples):
    position = 8 * milliseconds + samples
    assert audio.seconds(position) == round(position / 8000, 3)


def test_seconds_are_told_to_the_millisecond_and_samples_are_the_nearest():
    assert (audio.seconds(12_001), audio.samples(1.5), audio.samples(6.0699997)) == (1.5, 12_000, 48_560)


LINEAR = AudioFormat("linear16", 16_000, 2)


def test_a_format_counts_positions_at_eight_kilohertz():
    assert (TELEPHONE.block, LINEAR.block, AudioFormat("linear16", 8000, 1).block) == (2, 8, 2)


def test_a_formats_channels_as_mulaw_an_octet_a_position():
    assert TELEPHONE.mulaw(b"abcd", 1) == b"bd"
    assert TELEPHONE.mulaw(b"abcdefgh", 1, every=3) == b"bh"
    pcm = struct.pack("<8h", 1000, -1000, 9, 9, 2000, -2000, 9, 9)  # two positions of two samples of two channels
    assert LINEAR.mulaw(pcm, 0) == pcm_to_mulaw(struct.pack("<2h", 1000, 2000))
    assert LINEAR.mulaw(pcm, 1) == pcm_to_mulaw(struct.pack("<2h", -1000, -2000))


def test_a_format_tells_sound_from_silence():
    assert not TELEPHONE.is_audible(b"\xff" * 100)
    assert TELEPHONE.is_audible(b"\x10" * 100)
    assert not LINEAR.is_audible(bytes(800))
    assert LINEAR.is_audible(struct.pack("<100h", *[1000, -1000] * 50))


def test_a_format_takes_channels_apart():
    assert (TELEPHONE.mono, TELEPHONE.apart(b"aAbB")) == (AudioFormat("mulaw", 8000, 1), [b"ab", b"AB"])
    assert AudioFormat("linear16", 16_000, 2).apart(b"aaAAbbBB") == [b"aabb", b"AABB"]


def test_a_format_as_a_calls_audio_is_kept():
    pcm = struct.pack("<8h", *[1000, -1000] * 4)  # two positions of two samples of two channels

    assert TELEPHONE.stereo(b"abcd") == b"abcd"
    assert LINEAR.stereo(pcm) == pcm_to_mulaw(struct.pack("<4h", *[1000, -1000] * 2))
    assert AudioFormat("linear16", 8000, 1).stereo(struct.pack("<h", 1000)) == pcm_to_mulaw(struct.pack("<h", 1000)) + (
        audio.SILENCE
    )


def test_a_formats_wav_header_names_it():
    header = AudioFormat("linear16", 16_000, 1).wav_header(640)

    assert struct.unpack("<HHIIHH", header[20:36]) == (audio.WAVE_FORMAT_PCM, 1, 16_000, 32_000, 2, 16)
    assert TELEPHONE.wav_header(640) == audio.wav_header(640)
