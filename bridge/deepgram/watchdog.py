"""Whether a socket is still alive: Deepgram answers speech, so nothing after speech means a dead one.

A KeepAlive, or a socket that takes audio, proves nothing. The clock is an argument.
"""

from bridge.audio import TELEPHONE, AudioFormat


class Watchdog:
    """Of one call; starts again with every socket."""

    def __init__(self, patience: float, format_: AudioFormat = TELEPHONE) -> None:
        """`patience`: seconds without any answer, with speech in the later half of them."""
        self._patience = patience
        self._format = format_
        self._answered_at = 0.0
        self._unanswered = 0.0  # seconds of audible audio sent since then, once that is long ago

    def answered(self, now: float) -> None:
        """Deepgram has said something, or a socket has opened."""
        self._answered_at = now
        self._unanswered = 0.0

    def sent(self, chunk: bytes, now: float) -> None:
        """A chunk of audio has gone out."""
        if now - self._answered_at > self._patience / 2 and self._format.is_audible(chunk):
            self._unanswered += len(chunk) / self._format.octets

    def rests(self, now: float) -> bool:
        """Whether an answer is so new that `sent` need not be told."""
        return now - self._answered_at <= self._patience / 2

    def put_off(self, until: float) -> None:
        """Conclude nothing before that: answers may be there that were not read."""
        self._answered_at = max(self._answered_at, until - self._patience)

    def is_deaf(self, now: float) -> bool:
        """Nothing has been answered for too long, although there was something to answer."""
        return now - self._answered_at > self._patience and self._unanswered > self._patience / 4
