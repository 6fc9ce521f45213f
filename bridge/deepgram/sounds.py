"""Where there was something to hear in audio that memory no longer holds.

A socket that is lost, and the end of a call, ask whether a stretch without a final may hold a word. What is silent
lacks nothing.
"""

from bridge.audio import CHANNELS, SAMPLE_RATE, is_audible
from bridge.spans import Span, SpanSet

PIECE = SAMPLE_RATE // 10
"""Samples that are looked at together: over a long silence a short word would be averaged away."""


class Sounds:
    """By channel. Positions are samples of the call."""

    def __init__(self) -> None:
        self._heard = [SpanSet() for _ in range(CHANNELS)]

    def __repr__(self) -> str:
        return f"<Sounds {self._heard}>"

    def note(self, start: int, audio: bytes) -> None:
        """Interleaved audio from a position on will be held no longer."""
        for channel, heard in enumerate(self._heard):
            for span in audible(audio[channel::CHANNELS], start):
                heard.add(*span)

    def any_in(self, channel: int, span: Span) -> bool:
        """Whether there was something to hear in a span, as far as it was noted."""
        return bool(self._heard[channel].common(*span))

    def forget(self, until: int) -> None:
        """No one asks for what lies before a position any more."""
        for heard in self._heard:
            if heard:
                heard.remove(0, until)


def audible(audio: bytes, start: int = 0) -> list[Span]:
    """The pieces of one channel's audio in which there is something to hear; it begins at `start`."""
    return [
        Span(start + at, start + min(at + PIECE, len(audio)))
        for at in range(0, len(audio), PIECE)
        if is_audible(audio[at : at + PIECE])
    ]
