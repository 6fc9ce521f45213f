"""Whether there is speech, frame by frame: loudness against a noise floor that follows the line.

A machine; time is counted in frames of 20 ms. Digital silence is silence, a hum that stays becomes the floor, and a
click is too short to be speech.
"""

from bridge.audio import SAMPLES_PER_MS, mulaw_to_pcm, rms

FRAME_MS = 20
FRAME = FRAME_MS * SAMPLES_PER_MS
"""Samples."""

_QUIETEST = 60.0  # of 32767: below this nothing is speech, whatever the floor
_ABOVE = 3.0  # times the floor: this loud is speech
_RISE = 1.01  # how fast the floor follows a louder line: doubles in 1.4 s of steady noise
_LOUDEST_FLOOR = 1000.0


class VoiceActivity:
    """Feed it frames; it says which are speech."""

    def __init__(self) -> None:
        self._floor = _QUIETEST / _ABOVE

    def is_speech(self, frame: bytes) -> bool:
        """Whether this frame of mu-law is louder than the line."""
        level = float(rms(mulaw_to_pcm(frame)))
        if level < self._floor:
            self._floor = max(level, _QUIETEST / _ABOVE)
        else:
            self._floor = min(self._floor * _RISE, _LOUDEST_FLOOR, max(level, _QUIETEST / _ABOVE))
        return level > max(_QUIETEST, _ABOVE * self._floor)
