"""Recordings of calls: WAV files in, mu-law at 8 kHz out, a track for each party.

Reads what telephone recordings come as: 16-bit PCM at any rate and mu-law (format tag 7, which the standard `wave`
module does not read). It plays nothing and writes nothing; `bridge.audio` makes the headers of the files we write.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bridge.audio import (
    SAMPLE_RATE,
    SILENCE,
    WAVE_FORMAT_MULAW,
    WAVE_FORMAT_PCM,
    mulaw_to_pcm,
    pcm_to_mulaw,
    resample,
)
from bridge.errors import ConfigError

WAVE_FORMAT_EXTENSIBLE = 0xFFFE
"""The real tag stands in the first two octets of the sub-format, 24 octets into the chunk."""


class Recording(NamedTuple):
    """What two parties said, in mu-law at 8 kHz. The tracks begin together; one may be empty."""

    inbound: bytes
    outbound: bytes = b""

    @property
    def seconds(self) -> float:
        return max(len(self.inbound), len(self.outbound)) / SAMPLE_RATE


class _Format(NamedTuple):
    tag: int
    channels: int
    rate: int
    bits: int


def load_recording(*paths: Path | str) -> Recording:
    """A two-channel file, inbound first; or two mono files, inbound first; or one mono file, which is inbound alone.

    The shorter track is padded with silence, as a carrier sends silence until the call ends. Raises ConfigError for
    what cannot be read as such.
    """
    tracks = [(path, read_wav(path)) for path in paths]
    if len(tracks) == 2:
        for path, channels in tracks:
            if len(channels) != 1:
                raise ConfigError(f"{path} has {len(channels)} channels; of two files each must have one.")
    elif len(tracks) != 1:
        raise ConfigError(f"A call is one recording or two, not {len(tracks)}.")
    audio = [channel for _, channels in tracks for channel in channels]
    if len(audio) > 2:
        raise ConfigError(f"{paths[0]} has {len(audio)} channels; a call has one or two.")
    longest = max(map(len, audio))
    return Recording(*(track.ljust(longest, SILENCE) for track in audio))


def read_wav(path: Path | str) -> tuple[bytes, ...]:
    """The channels of a WAV file. Raises ConfigError, with the path, for what cannot be read."""
    try:
        return parse_wav(Path(path).read_bytes())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None
    except ConfigError as error:
        raise ConfigError(f"{path} is no recording to play: {error}") from None


def parse_wav(data: bytes) -> tuple[bytes, ...]:
    """The channels of a WAV file, each as mu-law at 8 kHz.

    A file that was cut off, or whose writer never came back to fill in the lengths, gives what is there. Raises
    ConfigError for another kind of file and for another encoding.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ConfigError("it is not a WAV file.")
    layout: _Format | None = None
    for name, body in _chunks(data):
        if name == b"fmt ":
            layout = _format(body)
        elif name == b"data":
            if layout is None:
                raise ConfigError("its audio comes before the format.")
            return tuple(_to_mulaw(channel, layout) for channel in _split(body, layout))
    raise ConfigError("it has no audio.")


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and body; a body that claims to be longer than the file ends with the file."""
    at = 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        if name == b"data" and size == 0:
            size = len(data)  # written to a pipe: the length was not known yet
        yield name, data[at + 8 : at + 8 + size]
        at += 8 + size + (size & 1)


def _format(body: bytes) -> _Format:
    if len(body) < 16:
        raise ConfigError("its format is cut off.")
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if tag == WAVE_FORMAT_EXTENSIBLE and len(body) >= 26:
        (tag,) = struct.unpack_from("<H", body, 24)
    layout = _Format(tag, channels, rate, bits)
    if (tag, bits) not in ((WAVE_FORMAT_PCM, 16), (WAVE_FORMAT_MULAW, 8)):
        raise ConfigError(f"its encoding is format {tag} of {bits} bits; it must be PCM (1) of 16 bits or mu-law (7).")
    if not channels or not rate:
        raise ConfigError(f"it claims {channels} channels at {rate} Hz.")
    return layout


def _split(body: bytes, layout: _Format) -> Iterator[bytes]:
    """One channel after the other; a sample that is cut off is dropped."""
    width = layout.bits // 8
    whole = len(body) - len(body) % (width * layout.channels)
    samples = memoryview(body)[:whole].cast("h" if width == 2 else "B")
    for channel in range(layout.channels):
        yield samples[channel :: layout.channels].tobytes()


def _to_mulaw(channel: bytes, layout: _Format) -> bytes:
    if layout.tag == WAVE_FORMAT_MULAW:
        if layout.rate == SAMPLE_RATE:
            return channel
        channel = mulaw_to_pcm(channel)
    return pcm_to_mulaw(resample(channel, layout.rate, SAMPLE_RATE))
