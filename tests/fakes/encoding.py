"""Audio in any container, made by PyAV."""

import io
from fractions import Fraction
from functools import cache
from typing import Any

import av

from bridge.audio import SAMPLE_RATE, interleave, mulaw_to_pcm, resample

_KNOWN = {
    "mp3": ("mp3", "libmp3lame", 16_000),
    "ogg": ("ogg", "libopus", 48_000),
    "webm": ("webm", "libopus", 48_000),
    "flac": ("flac", "flac", 16_000),
    "aac": ("adts", "aac", 16_000),
    "wav": ("wav", "pcm_s24le", 8_000),
    "amr": ("amr", "libopencore_amrnb", 8_000),
}
"""Container, codec and rate in Hz of each kind of file."""


def _writes(codec):
    try:
        av.Codec(codec, "w")
    except av.codec.codec.UnknownCodecError:
        return False
    return True


FILES = {kind: file for kind, file in _KNOWN.items() if _writes(file[1])}
"""Those that this build of FFmpeg can write."""
_FRAME = 960


def frames(mulaw, rate):
    """Mu-law at 8 kHz, one or two interleaved channels, as frames of 16-bit PCM."""
    channels = len(mulaw)
    together = interleave(*mulaw) if channels == 2 else mulaw[0]
    pcm = resample(mulaw_to_pcm(together), SAMPLE_RATE, rate, channels)
    width = 2 * channels
    for at in range(0, len(pcm), _FRAME * width):
        piece = pcm[at : at + _FRAME * width]
        frame = av.AudioFrame(format="s16", layout="stereo" if channels == 2 else "mono", samples=len(piece) // width)
        frame.planes[0].update(piece.ljust(frame.planes[0].buffer_size, b"\0"))
        frame.sample_rate, frame.pts, frame.time_base = rate, at // width, Fraction(1, rate)
        yield frame


@cache
def encode(kind, *mulaw):
    """A file of a kind; `mulaw` is a channel each, at 8 kHz."""
    container, codec, rate = FILES[kind]
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=rate)
        stream.layout = "stereo" if len(mulaw) == 2 else "mono"
        for frame in frames(mulaw, rate):
            for packet in stream.encode(frame):
                output.mux(packet)
        for packet in stream.encode(None):
            output.mux(packet)
    return file.getvalue()


def packets(*mulaw):
    """Opus packets without a container."""
    codec = av.CodecContext.create("libopus", "w")
    codec.sample_rate, codec.format, codec.layout = 48_000, "s16", "stereo" if len(mulaw) == 2 else "mono"
    codec.time_base = Fraction(1, 48_000)
    found = [bytes(packet) for frame in frames(mulaw, 48_000) for packet in codec.encode(frame)]
    return found + [bytes(packet) for packet in codec.encode(None)]
