"""Where there was something to hear in audio that memory no longer holds.

A socket that is lost, and the end of a call, ask whether a stretch without a final may hold a word. What is silent
lacks nothing.
"""

from bridge.audio import SAMPLE_RATE, TELEPHONE, AudioFormat, is_audible
from bridge.spans import Span, SpanSet

PIECE = SAMPLE_RATE // 5
"""Samples that are looked at together: over a long silence a short word would be averaged away."""


_EVERY = 7  # of so many samples one is looked at: that tells how loud a piece is, a tone of 1 kHz too


class Sounds:
    """By channel. Positions are samples of the call."""

    def __init__(self, format_: AudioFormat = TELEPHONE) -> None:
        self._format = format_
        self._heard = [SpanSet() for _ in range(format_.channels)]

    def __repr__(self) -> str:
        return f"<Sounds {self._heard}>"

    def note(self, start: int, audio: bytes) -> None:
        """Interleaved audio from a position on will be held no longer."""
        for channel, heard in enumerate(self._heard):
            for span in audible(audio, start, self._format, channel):
                heard.add(*span)

    def any_in(self, channel: int, span: Span) -> bool:
        """Whether there was something to hear in a span, as far as it was noted: more than the end of what was said
        before it, in a piece that lies across its start."""
        return any(part.length >= PIECE // 2 for part in self._heard[channel].common(*span))

    def forget(self, until: int) -> None:
        """No one asks for what lies before a position any more."""
        for heard in self._heard:
            if heard:
                heard.remove(0, until)


def audible(audio: bytes, start: int = 0, format_: AudioFormat = TELEPHONE.mono, channel: int = 0) -> list[Span]:
    """Where there is something to hear in a channel of audio that begins at `start`: whole pieces."""
    found: list[Span] = []
    begin: int | None = None
    block, end = format_.block, start + len(audio) // format_.block
    for at in range(start, end, PIECE):
        piece = audio[(at - start) * block : (at - start + PIECE) * block]
        if not is_audible(format_.mulaw(piece, channel, _EVERY)):
            if begin is not None:
                found.append(Span(begin, at))
            begin = None
        elif begin is None:
            begin = at
    if begin is not None:
        found.append(Span(begin, end))
    return found
