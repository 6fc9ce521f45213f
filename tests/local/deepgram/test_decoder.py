"""From the wire to mu-law per channel."""

import math
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.audio import alaw_to_mulaw, audioop, interleave, mulaw_to_pcm, pcm_to_mulaw, resample
from bridge.local.deepgram.decoder import SampleDecoder, deinterleaved, mixed
from bridge.local.deepgram.request import ListenRequest, parse_request
from bridge.local.script import encode, random_script

LEFT, RIGHT = encode(random_script(3, 2), 2.0)


def decoder(encoding: str = "mulaw", rate: int = 8000, channels: int = 2) -> SampleDecoder:
    request = parse_request(
        {
            "encoding": encoding,
            "sample_rate": str(rate),
            "channels": str(channels),
            "multichannel": "true",
        }.items()
    )
    assert isinstance(request, ListenRequest)
    return SampleDecoder(request)


def feed(decoder: SampleDecoder, data: bytes, sizes: list[int]) -> list[bytes]:
    """Everything that comes out, the data cut into pieces of these sizes."""
    out = [b""] * len(decoder.feed(b""))
    at = 0
    for size in [*sizes, len(data)]:
        out = [old + new for old, new in zip(out, decoder.feed(data[at : at + size]), strict=True)]
        at += size
    return out


def test_mono_mulaw_passes_as_it_is():
    mono = decoder(channels=1)
    assert mono.feed(LEFT) == [LEFT]
    assert mono.duration == 2.0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 700), max_size=20))
def test_two_channels_are_taken_apart_wherever_the_messages_end(sizes):
    stereo = decoder()
    assert feed(stereo, interleave(LEFT, RIGHT), sizes) == [LEFT, RIGHT]
    assert stereo.duration == 2.0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 1700), max_size=20))
def test_linear16_becomes_mulaw(sizes):
    stereo = decoder("linear16")
    assert feed(stereo, mulaw_to_pcm(interleave(LEFT, RIGHT)), sizes) == [LEFT, RIGHT]
    assert stereo.duration == 2.0


def test_twenty_channels():
    channels = [bytes([channel]) * 50 for channel in range(20)]
    wire = b"".join(bytes(range(20)) for _ in range(50))
    assert decoder(channels=20).feed(wire) == channels


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 700), max_size=20))
def test_alaw_becomes_mulaw(sizes):
    stereo = decoder("alaw")
    alaw = audioop.lin2alaw(mulaw_to_pcm(interleave(LEFT, RIGHT)), 2)
    left, right = feed(stereo, alaw, sizes)

    assert (left, right) == (alaw_to_mulaw(alaw)[0::2], alaw_to_mulaw(alaw)[1::2])
    assert stereo.duration == 2.0


@settings(max_examples=6, deadline=None)
@given(st.lists(st.integers(0, 3400), max_size=20))
def test_linear32_is_of_floating_point_numbers(sizes):
    pcm = array("h", mulaw_to_pcm(interleave(LEFT, RIGHT)))
    stereo = decoder("linear32")
    floats = array("f", [sample / 32767 for sample in pcm]).tobytes()

    assert feed(stereo, floats, sizes) == [LEFT, RIGHT]
    assert stereo.duration == 2.0


def test_floating_point_numbers_out_of_range_are_clipped_and_what_is_none_is_silent():
    floats = array("f", [2.0, -2.0, math.inf, -math.inf, math.nan, 0.0]).tobytes()
    pcm = array("h", [32767, -32767, 32767, -32767, 0, 0]).tobytes()

    assert decoder("linear32", channels=1).feed(floats) == [pcm_to_mulaw(pcm)]


@pytest.mark.parametrize("encoding", ["mulaw", "alaw", "linear16", "linear32"])
def test_half_a_sample_at_the_end_is_no_sound(encoding):
    stereo = decoder(encoding)
    stereo.feed(b"\0")

    assert stereo.end() == []
    assert stereo.duration == 0
    stereo.close()


def test_channels_that_are_mixed():
    loud, quiet = pcm_to_mulaw(array("h", [8000, -8000, 0]).tobytes()), pcm_to_mulaw(array("h", [0, 0, 0]).tobytes())

    assert mixed([LEFT]) == LEFT
    assert mixed([loud, quiet]) == pcm_to_mulaw(array("h", [4000, -4000, 0]).tobytes())
    assert deinterleaved(interleave(loud, quiet), 2) == [loud, quiet]


@pytest.mark.parametrize("rate", [1000, 8001, 11025, 12000, 16000, 22050, 44100, 48000, 96000])
def test_other_rates_become_8_khz_without_losing_time(rate):
    pcm = resample(mulaw_to_pcm(LEFT), 8000, rate)
    wide = decoder("linear16", rate, channels=1)
    (mulaw,) = feed(wide, pcm, [700] * 400)
    assert abs(len(mulaw) - len(LEFT)) <= 8
    assert wide.duration == pytest.approx(2.0, abs=0.001)


def test_mulaw_at_another_rate():
    wide = decoder("mulaw", 16000, channels=1)
    (mulaw,) = wide.feed(pcm_to_mulaw(resample(mulaw_to_pcm(LEFT), 8000, 16000)))
    assert abs(len(mulaw) - len(LEFT)) <= 2
