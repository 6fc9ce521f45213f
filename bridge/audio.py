"""Arithmetic on octets and milliseconds of telephone audio: mu-law, 8 kHz, one octet a sample.

Without memory: what remembers where the audio has got to is `align`.
"""

import struct
import warnings
from array import array
from dataclasses import dataclass
from typing import Literal

with warnings.catch_warnings():
    # 3.11 and 3.12 warn that their own audioop will go; from 3.13 on audioop-lts stands in.
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

SAMPLE_RATE = 8000
"""Samples, and with mu-law octets, per second and channel."""

SAMPLES_PER_MS = 8

CHANNELS = 2

STEREO_RATE = SAMPLE_RATE * CHANNELS
"""Octets per second of interleaved two-channel audio."""

_AUDIBLE = 200  # of 32767: speech on a telephone line has ten times that

SILENCE = b"\xff"
"""One sample of mu-law silence."""

WAVE_FORMAT_PCM = 1
WAVE_FORMAT_MULAW = 7


def samples(moment: float) -> int:
    """Seconds of the call as the nearest sample."""
    return round(moment * SAMPLE_RATE)


def seconds(position: int) -> float:
    """Samples of the call as seconds, to the millisecond: what stands in events."""
    if position % SAMPLES_PER_MS == SAMPLES_PER_MS // 2:
        return round(position / SAMPLE_RATE, 3)  # which way half a millisecond goes, only this tells
    return round(position / SAMPLES_PER_MS) / 1000  # the same in half the time


def silence(samples: int) -> bytes:
    """Mu-law silence for one channel."""
    return SILENCE * samples


def interleave(left: bytes | bytearray, right: bytes | bytearray) -> bytes:
    """Two channels of equal length, in octets, as one: left, right, left, right."""
    stereo = bytearray(2 * len(left))
    stereo[0::2] = left
    stereo[1::2] = right
    return bytes(stereo)


def mulaw_to_pcm(mulaw: bytes) -> bytes:
    """Mu-law as 16-bit little-endian PCM."""
    return audioop.ulaw2lin(mulaw, 2)


def pcm_to_mulaw(pcm: bytes) -> bytes:
    """16-bit little-endian PCM as mu-law."""
    return audioop.lin2ulaw(pcm, 2)


_ALAW_TO_MULAW = audioop.lin2ulaw(audioop.alaw2lin(bytes(range(256)), 2), 2)
"""Each octet of one is an octet of the other, so that a table translates."""


def alaw_to_mulaw(alaw: bytes) -> bytes:
    """A-law (G.711, most of the world) as mu-law."""
    return alaw.translate(_ALAW_TO_MULAW)


def split_channels(stereo: bytes) -> tuple[bytes, bytes]:
    """Interleaved 16-bit PCM of two channels, in whole samples, as the left and the right one."""
    return audioop.tomono(stereo, 2, 1, 0), audioop.tomono(stereo, 2, 0, 1)


def resample(pcm: bytes, rate: int, to: int, channels: int = 1) -> bytes:
    """16-bit PCM at `rate` Hz as 16-bit PCM at `to` Hz."""
    while rate >= 2 * to:
        # What lies above the new half rate must go first, or it comes back as a whistle among the words.
        pcm = audioop.ratecv(smooth(pcm, channels), 2, channels, rate, rate // 2, None)[0]
        rate //= 2
    return pcm if rate == to else audioop.ratecv(pcm, 2, channels, rate, to, None)[0]


def resample_on(pcm: bytes, rate: int, to: int, channels: int, state: object) -> tuple[bytes, object]:
    """A piece of 16-bit PCM at another rate, and the state to go on with; None at first. It does not smooth."""
    return audioop.ratecv(pcm, 2, channels, rate, to, state)  # type: ignore[arg-type]


def smooth(pcm: bytes, channels: int) -> bytes:
    """Each sample with half of it from its neighbours: 1, 2, 1."""
    step = 2 * channels
    before, after = pcm[:step] + pcm[:-step], pcm[step:] + pcm[-step:]
    neighbours = audioop.add(audioop.mul(before, 2, 0.25), audioop.mul(after, 2, 0.25), 2)
    return audioop.add(audioop.mul(pcm, 2, 0.5), neighbours, 2)


def rms(pcm: bytes) -> int:
    """Loudness of 16-bit PCM: the root mean square of its samples, 0 to 32767."""
    return audioop.rms(pcm, 2) if pcm else 0


def is_audible(mulaw: bytes) -> bool:
    """Whether there is more in it than the noise of a line: any channels, one verdict."""
    return audioop.rms(audioop.ulaw2lin(mulaw, 2), 2) > _AUDIBLE if mulaw else False


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """What a recognizer is sent: channels interleaved, mu-law or 16-bit little-endian PCM.

    Positions count `SAMPLE_RATE` a second whatever the rate, which is a multiple of it.
    """

    encoding: Literal["mulaw", "linear16"]
    rate: int
    """Samples a second and channel."""
    channels: int

    @property
    def block(self) -> int:
        """Octets of one position."""
        return self.rate // SAMPLE_RATE * self.channels * (1 if self.encoding == "mulaw" else 2)

    @property
    def octets(self) -> int:
        """Octets of one second."""
        return self.block * SAMPLE_RATE

    @property
    def mono(self) -> "AudioFormat":
        """The same of one channel."""
        return AudioFormat(self.encoding, self.rate, 1)

    def apart(self, audio: bytes) -> list[bytes]:
        """Each channel's audio, whole positions, in the format `mono`."""
        if self.encoding == "mulaw":
            return [audio[channel :: self.channels] for channel in range(self.channels)]
        interleaved = array("h", audio)
        return [interleaved[channel :: self.channels].tobytes() for channel in range(self.channels)]

    def mulaw(self, audio: bytes, channel: int, every: int = 1) -> bytes:
        """One channel's audio as mu-law, an octet of every so many positions; samples between them are left out."""
        step = self.rate // SAMPLE_RATE * self.channels * every
        if self.encoding == "mulaw":
            return audio[channel::step]
        return pcm_to_mulaw(array("h", audio)[channel::step].tobytes())

    def stereo(self, audio: bytes) -> bytes:
        """Any of it as a call's audio is kept: two channels of mu-law; what is not there is silence."""
        if self.encoding == "linear16":
            audio = pcm_to_mulaw(resample(audio, self.rate, SAMPLE_RATE, self.channels))
        return audio if self.channels > 1 else interleave(audio, silence(len(audio)))

    def wav_header(self, octets: int) -> bytes:
        """The header of a WAV file that holds `octets` of it."""
        encoding = WAVE_FORMAT_MULAW if self.encoding == "mulaw" else WAVE_FORMAT_PCM
        return wav_header(octets, channels=self.channels, encoding=encoding, rate=self.rate)

    def is_audible(self, audio: bytes) -> bool:
        """Whether there is more in it than the noise of a line, in any channel."""
        if self.encoding == "mulaw":
            return is_audible(audio)
        return rms(audio) > _AUDIBLE


TELEPHONE = AudioFormat("mulaw", SAMPLE_RATE, CHANNELS)
"""Both tracks of a call, as Deepgram is sent them."""


def wav_header(
    octets: int, *, channels: int = CHANNELS, encoding: int = WAVE_FORMAT_MULAW, rate: int = SAMPLE_RATE
) -> bytes:
    """The header of a WAV file at `rate` Hz that holds `octets` of mu-law or of 16-bit PCM.

    Mu-law goes under format tag 7; players that take it for 8-bit PCM play noise, so the tag matters. A format
    other than PCM has a `fact` chunk with the samples per channel (Microsoft's multimedia registration, 1994).
    """
    width = 1 if encoding == WAVE_FORMAT_MULAW else 2
    block = channels * width
    layout = struct.pack("<HHIIHH", encoding, channels, rate, rate * block, block, 8 * width)
    if encoding == WAVE_FORMAT_PCM:
        chunks = b"fmt " + struct.pack("<I", 16) + layout
    else:
        chunks = b"fmt " + struct.pack("<I", 18) + layout + b"\0\0"
        chunks += b"fact" + struct.pack("<II", 4, octets // block)
    chunks += b"data" + struct.pack("<I", octets)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks) + octets + (octets & 1)) + b"WAVE" + chunks
