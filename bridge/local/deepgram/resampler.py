"""16-bit PCM at any rate as PCM at 8 kHz, in pieces between which no seam is heard.

As `audio.resample`, which has the whole: halved, with what lies above the new half rate smoothed away, until less than
twice the rate is left.
"""

from bridge.audio import SAMPLE_RATE, resample_on, smooth


class Resampler:
    """Feed it whole frames."""

    def __init__(self, rate: int, channels: int) -> None:
        """`rate` in Hz."""
        self._channels = channels
        self._halvings = 0
        while rate >= 2 * SAMPLE_RATE << self._halvings:
            self._halvings += 1
        self._rate = rate
        self._before = [bytes(4 * channels)] * self._halvings  # two frames of silence come before the first
        self._states: list[object] = [None] * (self._halvings + 1)

    def feed(self, pcm: bytes) -> bytes:
        """The next audio, at 8 kHz."""
        frame = 2 * self._channels
        for place in range(self._halvings):
            # The smoothing looks at a frame before and one after: it is a frame late.
            held = self._before[place] + pcm
            self._before[place] = held[-2 * frame :]
            pcm = self._convert(place, smooth(held, self._channels)[frame:-frame], 2, 1)
        return self._convert(-1, pcm, self._rate, SAMPLE_RATE << self._halvings)

    def _convert(self, place: int, pcm: bytes, rate: int, to: int) -> bytes:
        pcm, self._states[place] = resample_on(pcm, rate, to, self._channels, self._states[place])
        return pcm
