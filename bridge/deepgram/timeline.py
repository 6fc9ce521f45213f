"""What a moment of one socket's audio means in the call.

Deepgram counts the audio it was sent on this socket, from 0. That begins somewhere in the call, and where kept audio
turns out to be gone, what was sent goes on after the hole: from there on every time means a later moment.
"""

from bisect import bisect_left, bisect_right

from msgspec.structs import replace

from bridge.recognition import EagerEnd, Recognized, Result, SpeechStart, TurnEnd, TurnGoesOn, moved
from bridge.spans import Span


class Timeline:
    """Samples of the socket's audio in, samples of the call out."""

    def __init__(self, position: int) -> None:
        self.sent = 0
        """Samples sent on this socket."""
        self._begins = [0]  # samples of the socket at which a stretch begins
        self._shifts = [position]  # what to add to a position within it

    def advance(self, samples: int) -> None:
        """So much audio has gone out."""
        self.sent += samples

    def skip_to(self, position: int) -> None:
        """What goes out next is from `position` on."""
        begin, shift = self.sent, position - self.sent
        if begin == self._begins[-1]:
            self._shifts[-1] = shift
        else:
            self._begins.append(begin)
            self._shifts.append(shift)

    def start(self, position: int) -> int:
        """Where in the call something begins."""
        return position + self._shifts[max(0, bisect_right(self._begins, position) - 1)]

    def end(self, position: int) -> int:
        """Where in the call something ends: at the seam of two stretches, in the earlier one."""
        return position + self._shifts[max(0, bisect_left(self._begins, position) - 1)]

    def moved(self, message: Recognized) -> Recognized:
        """What is said of this socket's audio, at its place in the call."""
        match message:
            case Result():
                if self._is_the_calls(message):
                    return message
                return moved(message, self.place)
            case SpeechStart() | EagerEnd() | TurnGoesOn():
                return replace(message, at=self.start(message.at))
            case TurnEnd(last_word_end=ended):
                return message if ended is None else replace(message, last_word_end=self.end(ended))

    def _is_the_calls(self, result: Result) -> bool:
        """Whether a result has its place in the call already, as on the first socket of nearly every call."""
        sent = self.sent
        if len(self._shifts) > 1 or self._shifts[0] or not 0 <= result.span.start <= result.span.end <= sent:
            return False
        spans = [word.span for word in result.words]
        spans += [hit.span for hit in result.hits]
        return all(span.start <= span.end <= sent for span in spans)

    def place(self, span: Span) -> Span:
        """A span of the socket's audio in the call, as far as there was audio.

        What a recognizer says of audio that it was never sent is kept, at the nearest moment that was sent.
        """
        span = span.clipped(0, self.sent)
        start = self.start(span.start)
        # An empty span at a seam has two places; it begins where it ends.
        return Span(start, max(start, self.end(span.end)))
