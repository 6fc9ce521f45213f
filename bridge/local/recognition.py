"""What a recognizer is to the local Deepgram-compatible server: one per channel, fed mu-law, asked for what it heard.

Times are seconds of the audio this recognizer was fed, as Deepgram's are seconds of the socket's audio. A recognizer
is synchronous and may be slow: the server runs it beside its event loop.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class HeardWord:
    """One word, as heard."""

    word: str
    """Bare: lower case, no punctuation."""
    text: str
    """As Deepgram's `punctuated_word` would have it."""
    start: float
    end: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What is believed of the audio from `start` to `end`. No words: silence."""

    start: float
    end: float
    words: tuple[HeardWord, ...]
    is_final: bool
    """The span is settled; the next hypothesis starts at `end`."""
    speech_final: bool = False
    """The span ends because the speaker paused."""


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """The voice activity detector heard speech begin."""

    at: float


Heard = Hypothesis | SpeechBegan


class Recognizer(Protocol):
    """Listens to one channel."""

    def receive_audio(self, mulaw: bytes) -> Sequence[Heard]:
        """Feed the next audio, any length; interims come about once a second of speech, finals at pauses and at least
        every few seconds of speech, empty finals about every five seconds of silence."""

    def flush(self) -> Sequence[Heard]:
        """Settle all audio fed so far, as `Finalize` and `CloseStream` want it."""


@dataclass(frozen=True, slots=True)
class Listening:
    """How a recognizer is to listen: the parameters of the request that matter to it."""

    endpointing: float | None = 0.3
    """Seconds of silence after which a final is a `speech_final`; None: never."""
    interim_results: bool = True


RecognizerFactory = Callable[[int, Listening], Recognizer]
"""Makes the recognizer of a channel, counted from 0."""
