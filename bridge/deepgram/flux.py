"""Flux, Deepgram's `/v2/listen`: one channel on a socket, and the turns of who speaks on it.

A turn is told again and again while it lasts, and once more when it is over: interims and a final. Its early end, and
that it goes on after all, are told where they were asked for. A final covers all audio since the one before it, since
Flux hears that as nothing; in silence, empty finals say so. What Flux has heard may lag behind what it says of
the audio, so the newest second is left to what follows.

Flux has no text that keeps a socket open or asks for a final, and takes one of `/v1/listen`'s for a fault that ends the
stream. It closes a socket without a last message and without a code, and its last turn is then told as it stood.

Sources: https://developers.deepgram.com/reference/speech-to-text/listen-flux, and the pages docs/flux/state and
docs/flux/close-stream beside it.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from bridge.audio import SAMPLE_RATE, AudioFormat, samples
from bridge.deepgram.dialect import Reading
from bridge.deepgram.extras import Model
from bridge.deepgram.messages import CLOSE_STREAM, Message, Metadata, Other, parse
from bridge.deepgram.words import Oddities, clean, languages, moment, read_words, share
from bridge.errors import RemoteProtocolError
from bridge.recognition import EagerEnd, Result, SpeechStart, TurnEnd, TurnGoesOn, Word
from bridge.spans import Span
from bridge.writing import joined

_UNSURE = SAMPLE_RATE
"""Samples at the end of what was heard in which a word may have begun that is not told yet."""
_STEP = SAMPLE_RATE
"""Samples of silence that are worth an empty final."""
_IN_ORDER = (1000, 1005)
"""Close codes of a stream that was closed because it was asked to; 1005 stands for none."""
_FORCE_END_TURN = '{"type":"ForceEndTurn"}'
_NO_LETTER = re.compile(r"^\W+|\W+$")
_EVENTS = ("Update", "StartOfTurn", "EagerEndOfTurn", "TurnResumed", "EndOfTurn")


class Flux:
    """A `Dialect`."""

    keep_alive: str | None = None
    closing = CLOSE_STREAM

    def __init__(self, model: str, format_: AudioFormat) -> None:
        """`model`: the one that is asked for, which no message names. `format_`: of one channel."""
        self._model = model
        self._block = format_.block
        self._begin()

    def opened(self) -> Sequence[str]:
        """Nothing to say; the first turn of this socket begins."""
        self._begin()
        return ()

    def encode(self, chunk: bytes) -> bytes:
        """As it is."""
        self._sent += len(chunk) // self._block
        return chunk

    def finalize(self, channel: int) -> str | None:
        """There is none: `ForceEndTurn` would end a turn that goes on, and a self-hosted Flux does not know it."""
        return None

    def settle(self, channel: int) -> str | None:
        """Who asks for it wants the turn to end."""
        return _FORCE_END_TURN

    def read(self, frame: str | bytes) -> Reading:
        """One message. Raises RemoteProtocolError for a turn that cannot be understood."""
        try:
            told = json.loads(frame)
        except (ValueError, RecursionError) as error:
            raise RemoteProtocolError(f"not a Flux message: {type(error).__name__}") from None
        kind = told.get("type") if isinstance(told, dict) else None
        if kind == "TurnInfo":
            odd = Oddities()
            return Reading(tuple(self._turn(told, odd)), odd.words, odd.fields)
        if kind == "Error":
            self._failed = True
            return Reading((parse(frame).message,))
        if not isinstance(kind, str):
            raise RemoteProtocolError("type is not a string")
        return Reading((Other(),))

    def closed(self, code: int | None) -> Sequence[Message]:
        """The last turn as it stood, and the end, if Flux has closed because it was asked to."""
        if code not in _IN_ORDER or self._failed:
            return ()
        # Its last message is about all that it was sent, or nearly: it tells no more of less than a step.
        complete = self._sent - self._heard <= _UNSURE
        return (self._final(self._sent if complete else self._heard, self._shown), Metadata())

    def model(self, frame: str | bytes) -> Model | None:
        """The one that was asked for."""
        return Model(self._model, "")

    def _begin(self) -> None:
        self._sent = 0
        self._heard = 0
        self._covered = 0
        self._failed = False
        self._shown = _SILENCE  # of the turn that goes on

    def _turn(self, told: dict[str, Any], odd: Oddities) -> Iterator[Message]:
        event, end = told.get("event"), moment(told.get("audio_window_end"))
        if event not in _EVENTS:
            yield Other()  # one that is new
            return
        if end is None:
            raise RemoteProtocolError("audio_window_end cannot be read")
        said, until = self._read(told, end, odd), samples(end)
        self._heard = max(self._heard, until)
        if event == "EndOfTurn":
            yield from self._over(said, until, told.get("trigger"))
            return
        if event == "StartOfTurn":
            yield SpeechStart(0, said.words[0].span.start if said.words else until)
        if not said.text and not self._shown.text and until - _UNSURE - self._covered >= _STEP:
            yield self._final(until - _UNSURE, _SILENCE)
        self._shown = said
        yield _result(said, Span(min(self._covered, until), until), is_final=False)
        if event == "EagerEndOfTurn":
            yield EagerEnd(0, until, said.text, share(told.get("end_of_turn_confidence")) or 0.0)
        elif event == "TurnResumed":
            yield TurnGoesOn(0, until)

    def _over(self, said: "_Said", until: int, trigger: object) -> Iterator[Message]:
        """The turn has ended; why decides what else is told."""
        last = said.words[-1].span.end if said.words else None
        timed_out = trigger == "timeout" and last is not None
        sure = max(until - _UNSURE, last or 0, self._covered)
        yield self._final(sure, said, ends_turn=not timed_out, from_finalize=trigger == "manual")
        if timed_out:
            yield TurnEnd(0, last)

    def _final(self, until: int, said: "_Said", *, ends_turn: bool = False, from_finalize: bool = False) -> Result:
        span = Span(min(self._covered, until), until)
        self._covered, self._shown = max(self._covered, until), _SILENCE
        return _result(said, span, is_final=True, ends_turn=ends_turn, from_finalize=from_finalize)

    def _read(self, told: dict[str, Any], end: float, odd: Oddities) -> "_Said":
        raw = told.get("words")
        within = (min(self._covered / SAMPLE_RATE, end), end)
        found = Oddities()
        words = read_words([_named(word) for word in raw] if isinstance(raw, list) else raw, within, 0.0, found)
        # Flux gives words a time since June 2026, where it is hosted; before, and elsewhere, that is nothing odd.
        timed = isinstance(raw, list) and any(isinstance(word, dict) and "start" in word for word in raw)
        odd.words += found.words if timed or not words else 0
        text = told.get("transcript")
        odd.fields += not isinstance(text, str)
        text = clean(text) if isinstance(text, str) else joined(word.text for word in words)
        return _Said(text, words, languages(told.get("languages"), odd))


class _Said(NamedTuple):
    """What a turn holds so far."""

    text: str
    words: tuple[Word, ...]
    languages: tuple[str, ...]


_SILENCE = _Said("", (), ())


def _named(word: object) -> object:
    """A word as `/v1/listen` would tell it: Flux gives its written form alone."""
    if not isinstance(word, dict) or not isinstance(word.get("word"), str):
        return word
    written = word["word"]
    return {**word, "word": _NO_LETTER.sub("", written).lower() or written, "punctuated_word": written}


def _result(said: _Said, span: Span, *, is_final: bool, ends_turn: bool = False, from_finalize: bool = False) -> Result:
    confidence = sum(word.confidence for word in said.words) / (len(said.words) or 1)
    return Result(
        channel=0,
        span=span,
        text=said.text,
        confidence=confidence,
        words=said.words,
        is_final=is_final,
        ends_turn=ends_turn,
        from_finalize=from_finalize,
        languages=said.languages,
    )
