"""From the octets on the wire to mu-law at 8 kHz, one piece per channel: what recognizers are fed.

Remembers only what did not yet make a whole frame. Mu-law and 16-bit PCM at any rate; other encodings are
refused at the handshake, and without an encoding the bytes cannot be read at all.
"""

from math import gcd

from bridge.audio import SAMPLE_RATE, mulaw_to_pcm, pcm_to_mulaw, resample
from bridge.local.deepgram.request import ListenRequest


class Decoder:
    """Cuts one connection's audio into channels."""

    def __init__(self, request: ListenRequest) -> None:
        self._channels = request.channels
        self._linear = request.encoding == "linear16"
        self._rate = request.sample_rate
        self._frame = request.channels * (2 if self._linear else 1)
        # A whole number of samples comes out only if blocks of this many frames go in.
        self._block = self._frame * (self._rate // gcd(self._rate, SAMPLE_RATE))
        self._octets_per_second = self._frame * self._rate
        self._rest = b""
        self.octets = 0
        """Octets of whole frames received."""

    @property
    def duration(self) -> float:
        """Seconds of audio received."""
        return self.octets / self._octets_per_second

    def feed(self, data: bytes) -> list[bytes]:
        """The next audio, one item per channel, all of the same length."""
        if self._rest:
            data = self._rest + data
        whole = len(data) - len(data) % self._block
        self._rest = data[whole:]
        self.octets += whole
        audio = data[:whole] if self._rest else data
        if self._rate != SAMPLE_RATE:
            pcm = audio if self._linear else mulaw_to_pcm(audio)
            audio = pcm_to_mulaw(resample(pcm, self._rate, SAMPLE_RATE, self._channels))
        elif self._linear:
            audio = pcm_to_mulaw(audio)
        if self._channels == 1:
            return [audio]
        return [audio[channel :: self._channels] for channel in range(self._channels)]
