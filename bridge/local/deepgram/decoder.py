"""From the octets on the wire to mu-law at 8 kHz, one piece per channel: what recognizers are fed.

Single samples of any rate are decoded here; what has a header, or comes in packets, in `containers`.
"""

import math
from array import array
from collections.abc import Sequence
from typing import Protocol

from bridge.audio import SAMPLE_RATE, alaw_to_mulaw, mulaw_to_pcm, pcm_to_mulaw
from bridge.errors import RemoteProtocolError
from bridge.local.deepgram.request import ListenRequest
from bridge.local.deepgram.resampler import Resampler

_WIDTHS = {"mulaw": 1, "alaw": 1, "linear16": 2, "linear32": 4}
"""Octets of a sample."""


class Undecodable(RemoteProtocolError):
    """The octets are no audio that can be decoded."""


class Decoding(Protocol):
    """Cuts one connection's audio into channels."""

    @property
    def channels(self) -> int:
        """How many there are; 0: that is not known yet."""

    @property
    def duration(self) -> float:
        """Seconds of audio received."""

    @property
    def broken(self) -> int:
        """Packets that could not be decoded, and pieces that came after the end of a file. Each costs itself."""

    def feed(self, data: bytes) -> list[bytes]:
        """The next audio, one item per channel, all of the same length; none before channels are known. Raises
        Undecodable.
        """

    def end(self) -> list[bytes]:
        """What was held back, as no more will come. Raises Undecodable."""

    def close(self) -> None:
        """It is not needed any more; may be called twice."""


class SampleDecoder:
    """Samples whose encoding, rate and channels stand in the request. Remembers what did not yet make a whole frame."""

    def __init__(self, request: ListenRequest) -> None:
        self.channels = request.channels
        self._encoding = request.encoding or ""
        self._frame = request.channels * _WIDTHS[self._encoding]
        self._octets_per_second = self._frame * request.sample_rate
        same = request.sample_rate == SAMPLE_RATE
        self._resampler = None if same else Resampler(request.sample_rate, request.channels)
        self._rest = b""
        self.broken = 0
        self.octets = 0
        """Octets of whole frames received."""

    @property
    def duration(self) -> float:
        return self.octets / self._octets_per_second

    def feed(self, data: bytes) -> list[bytes]:
        if self._rest:
            data = self._rest + data
        whole = len(data) - len(data) % self._frame
        self._rest = data[whole:]
        self.octets += whole
        audio = data[:whole] if self._rest else data
        if self._resampler:
            mulaw = pcm_to_mulaw(self._resampler.feed(self._to_pcm(audio)))
        elif self._encoding in ("mulaw", "alaw"):
            mulaw = audio if self._encoding == "mulaw" else alaw_to_mulaw(audio)
        else:
            mulaw = pcm_to_mulaw(self._to_pcm(audio))
        return deinterleaved(mulaw, self.channels)

    def end(self) -> list[bytes]:
        return []  # half a sample is no sound

    def close(self) -> None:
        """There is nothing to give back."""

    def _to_pcm(self, audio: bytes) -> bytes:
        match self._encoding:
            case "linear16":
                return audio
            case "linear32":
                return _rounded(audio)
            case "alaw":
                return mulaw_to_pcm(alaw_to_mulaw(audio))
            case _:
                return mulaw_to_pcm(audio)


def deinterleaved(mulaw: bytes, channels: int) -> list[bytes]:
    """Each channel on its own."""
    return [mulaw] if channels == 1 else [mulaw[channel::channels] for channel in range(channels)]


def mixed(channels: Sequence[bytes]) -> bytes:
    """All channels as one, each as loud as the next."""
    if len(channels) == 1:
        return channels[0]
    pcm = [array("h", mulaw_to_pcm(channel)) for channel in channels]
    return pcm_to_mulaw(array("h", [sum(together) // len(pcm) for together in zip(*pcm, strict=True)]).tobytes())


def _rounded(floats: bytes) -> bytes:
    """Samples as floating-point numbers from -1 to 1 as 16-bit PCM; what is no number is silence."""
    return array("h", [_clipped(value) for value in array("f", floats)]).tobytes()


def _clipped(value: float) -> int:
    return 0 if math.isnan(value) else round(max(-1.0, min(1.0, value)) * 32767)
