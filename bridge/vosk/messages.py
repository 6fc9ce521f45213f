"""The Vosk server's WebSocket protocol: PCM in, one answer to every chunk out.

An answer does not say what audio it is about, but the server gives exactly one to each binary message, in order, and
one to the end: so the n-th answer is about the audio up to the end of the n-th chunk. A final covers all from the final
before it to there, and the recognizer begins again after it: nothing is left out, and nothing is claimed twice. What
follows a final's words by then is left to the next, for a socket that may be lost. An answer that cannot be read was a
final or not; the words of the next final tell.

It has no text that keeps a socket open or asks for a final, and needs none: its own pings keep the socket.

Source: https://github.com/alphacep/vosk-server, `websocket/asr_server.py`, which knows the end by its very text, blanks
included.
"""

import json
from collections import deque
from collections.abc import Sequence
from typing import Any

from bridge.audio import SAMPLE_RATE, AudioFormat, mulaw_to_pcm
from bridge.deepgram.dialect import Reading
from bridge.deepgram.extras import Model
from bridge.deepgram.messages import Message, Metadata
from bridge.deepgram.words import Oddities, clean, read_words
from bridge.errors import RemoteProtocolError
from bridge.recognition import Result, Word
from bridge.spans import Span

END = '{"eof" : 1}'
NAME = "vosk"
"""What records call its model: no message names one."""

_UNSURE = SAMPLE_RATE // 5
"""Samples at the end of a final, after its words, that are left to the next."""
_LEAST = SAMPLE_RATE // 2
"""Samples before a partial's first appearance in which its first word may have begun."""


def configuration(rate: int) -> str:
    """The first text on a socket. `rate`: samples a second."""
    return json.dumps({"config": {"sample_rate": rate, "words": True}})


class Vosk:
    """A `Dialect`."""

    keep_alive: str | None = None
    closing = END

    def __init__(self, format_: AudioFormat) -> None:
        """`format_`: of one channel."""
        self._format = format_
        self._unread: list[int] = []  # where the audio ends of answers that could not be read
        self._begin()

    def opened(self) -> Sequence[str]:
        """The rate, and that words are wanted with their times."""
        self._begin()
        return (configuration(self._format.rate),)

    def encode(self, chunk: bytes) -> bytes:
        """As 16-bit PCM, which is all that it takes."""
        self._sent += len(chunk) // self._format.block
        self._unanswered.append(self._sent)
        return mulaw_to_pcm(chunk) if self._format.encoding == "mulaw" else chunk

    def finalize(self, channel: int) -> str | None:
        """There is none."""
        return None

    def settle(self, channel: int) -> str | None:
        """There is none."""
        return None

    def read(self, frame: str | bytes) -> Reading:
        """One answer. Raises RemoteProtocolError for what is none; it is counted as one all the same."""
        is_last = not self._unanswered
        until = self._sent if is_last else self._unanswered.popleft()
        try:
            told = json.loads(frame)
        except (ValueError, RecursionError) as error:
            self._unread.append(until)
            raise RemoteProtocolError(f"not an answer of Vosk's: {type(error).__name__}") from None
        if not isinstance(told, dict) or not isinstance(told.get("partial", told.get("text")), str):
            self._unread.append(until)
            raise RemoteProtocolError("neither a partial nor a text")
        if "partial" in told:
            return Reading((self._partial(clean(told["partial"]), until),))
        odd = Oddities()
        final = self._final(told, until, odd, is_last=is_last)
        return Reading((final, Metadata()) if is_last else (final,), odd.words, odd.fields)

    def closed(self, code: int | None) -> Sequence[Message]:
        """Nothing: the answer to the end comes before."""
        return ()

    def model(self, frame: str | bytes) -> Model | None:
        """No message tells it."""
        return Model(NAME, "")

    def _begin(self) -> None:
        self._sent = 0
        self._unanswered: deque[int] = deque()  # where chunks end that have no answer yet
        self._covered = 0
        self._silent = 0  # nothing was heard up to here
        self._unread = []

    def _partial(self, text: str, until: int) -> Result:
        """Without words: a partial does not tell when they were said."""
        start = max(self._covered, self._silent - _LEAST)
        if not text:
            # What an answer said that could not be read is not known to be silence.
            self._silent, start = until, max([self._covered, *self._unread[-1:]])
        return Result(0, Span(min(start, until), until), text, 0.0, (), is_final=False)

    def _final(self, told: dict[str, Any], until: int, odd: Oddities, *, is_last: bool) -> Result:
        within = (self._covered / SAMPLE_RATE, until / SAMPLE_RATE)
        raw = told.get("result")
        words = read_words([_named(word) for word in raw] if isinstance(raw, list) else raw, within, 0.0, odd)
        start, self._unread = self._start(words), []
        # Who speaks on may have begun in the last chunk: a socket that is lost here is followed by one that hears it.
        sure = until if is_last else max(until - _UNSURE, max((word.span.end for word in words), default=0))
        start = min(start, sure)
        self._covered, self._silent = sure, until
        text = clean(told["text"])
        confidence = sum(word.confidence for word in words) / (len(words) or 1)
        return Result(
            0, Span(start, sure), text, confidence, words, is_final=True, ends_turn=not is_last and text != ""
        )

    def _start(self, words: Sequence[Word]) -> int:
        """Where a final begins: after the one before. That may be an answer that could not be read, unless a word lies
        before its end; the newest such is taken, which claims the least."""
        first = min((word.span.middle for word in words), default=self._sent)
        return max((end for end in self._unread if end <= first), default=self._covered)


def _named(word: object) -> object:
    """A word as Deepgram would tell it."""
    return {**word, "confidence": word.get("conf")} if isinstance(word, dict) else word
