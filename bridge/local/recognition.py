"""What a recognizer is to the local Deepgram-compatible server: one per channel, fed mu-law, asked for what it heard.

Positions are samples of the audio that this recognizer was fed. A recognizer is synchronous and may be slow: the server
runs it beside its event loop.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bridge.recognition import Result, SpeechStart, Word
from bridge.spans import Span
from bridge.writing import joined

Heard = Result | SpeechStart
"""In the words of every recognizer. A final's span begins where the one before it ended; no words: silence."""


def result(channel: int, span: Span, words: Sequence[Word], *, is_final: bool, ends_turn: bool = False) -> Result:
    """What is believed of a span, from its words."""
    confidence = sum(word.confidence for word in words) / (len(words) or 1)
    text = joined(word.text for word in words)
    return Result(channel, span, text, confidence, tuple(words), is_final, ends_turn)


class Recognizer(Protocol):
    """Listens to one channel."""

    def receive_audio(self, mulaw: bytes) -> Sequence[Heard]:
        """Feed the next audio, any length; interims come as often as the request wants them, finals at pauses and at
        least every few seconds of speech, empty finals about every five seconds of silence."""

    def flush(self) -> Sequence[Heard]:
        """Settle all audio fed so far, as `Finalize` and `CloseStream` want it."""


@dataclass(frozen=True, slots=True)
class Listening:
    """How a recognizer is to listen: the parameters of the request that matter to it."""

    endpointing: float | None = 0.3
    """Seconds of silence after which a final ends the turn; None: never."""
    interim_results: bool = True
    alternatives: int = 1
    """How many transcripts of the same speech, at the most."""
    interim_every: float = 1.0
    """Seconds of speech from one interim to the next."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a recognizer really does of what can be asked of one; the rest is only pretended, and said to be."""

    voices: bool = False
    """It tells the people on one channel apart."""
    languages: bool = False
    """It tells which language a word is of."""
    only_english: bool = False
    alternatives: bool = False
    """It can say what else may have been said."""


def abilities(recognizers: object) -> Abilities:
    """Of the recognizers that a factory makes: its attribute `abilities`; none without one."""
    known = getattr(recognizers, "abilities", None)
    return known if isinstance(known, Abilities) else Abilities()


RecognizerFactory = Callable[[int, Listening], Recognizer]
"""Makes the recognizer of a channel, counted from 0."""
