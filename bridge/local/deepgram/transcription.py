"""One channel's way from audio to messages: its recognizer, and what its results become on the wire, as they were asked
for.

Remembers the last finalised word, because `UtteranceEnd` is about the silence after it. Everything else is
the recognizer's business.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from bridge.audio import SAMPLE_RATE, samples
from bridge.local.deepgram import asking
from bridge.local.deepgram.messages import Writer
from bridge.local.deepgram.request import ListenRequest
from bridge.local.features import Features, Rendering
from bridge.local.recognition import Heard, Recognizer
from bridge.recognition import Result, SpeechStart

INTERIM_CADENCE = SAMPLE_RATE
"""Samples in which a recognizer that hears words says so; after that, saying nothing proves silence."""


class Message(NamedTuple):
    """One text for the client."""

    text: str
    final: bool = False


class Transcriber(Protocol):
    """One channel's way from audio to messages."""

    @property
    def features(self) -> Features:
        """What is wanted of the words; may change on the way."""

    @features.setter
    def features(self, features: Features) -> None: ...

    def feed(self, mulaw: bytes) -> list[Message]:
        """The next audio, and what there is to say about it."""

    def flush(self, *, from_finalize: bool) -> list[Message]:
        """Settle all audio fed so far."""


class Transcription:
    """Turns one channel's audio into `Results`, `SpeechStarted` and `UtteranceEnd`."""

    def __init__(self, channel: int, request: ListenRequest, recognizer: Recognizer, writer: Writer) -> None:
        self._channel = channel
        self._request = request
        self._utterance_end = None if request.utterance_end is None else samples(request.utterance_end)
        self._recognizer = recognizer
        self._writer = writer
        self._rendering = Rendering(asking.features(request), punctuated=request.punctuated)
        self._position = 0  # samples
        self._last_word_end: int | None = None
        """Of the last finalised word, until the end of its utterance has been announced."""
        self._silence_due = float("inf")
        """Samples at which it is certain, even without an interim, that there was no speech since."""

    @property
    def features(self) -> Features:
        """What is wanted of the words; may change on the way."""
        return self._rendering.features

    @features.setter
    def features(self, features: Features) -> None:
        self._rendering.features = features

    def feed(self, mulaw: bytes) -> list[Message]:
        """The next audio, and what there is to say about it."""
        self._position += len(mulaw)
        heard = self._recognizer.receive_audio(mulaw)
        if not heard and self._position < self._silence_due:
            return []
        messages = self._write(heard, from_finalize=False)
        if self._position >= self._silence_due:
            messages += self._silent_until(self._position - INTERIM_CADENCE)
        return messages

    def flush(self, *, from_finalize: bool) -> list[Message]:
        """Settle all audio fed so far."""
        return self._write(self._recognizer.flush(), from_finalize=from_finalize)

    def _write(self, heard: Iterable[Heard], *, from_finalize: bool) -> list[Message]:
        messages: list[Message] = []
        for item in heard:
            if isinstance(item, SpeechStart):
                if self._request.vad_events:
                    messages.append(Message(self._writer.speech_started(item)))
            else:
                messages += self._result(item, from_finalize)
        return messages

    def _result(self, heard: Result, from_finalize: bool) -> Iterator[Message]:
        yield from self._silent_until(heard.words[0].span.start if heard.words else heard.span.end)
        if heard.is_final or self._request.interim_results:
            rendered = self._rendering.render(heard)
            yield Message(
                self._writer.results(rendered, from_finalize=from_finalize and heard.is_final), heard.is_final
            )
        if heard.words:
            self._expect_silence(heard.words[-1].span.end if heard.is_final else None)

    def _expect_silence(self, last_word_end: int | None) -> None:
        """There was speech: finalised up to `last_word_end`, or not yet, which proves no silence."""
        needed = self._utterance_end
        self._silence_due = float("inf")
        if last_word_end is not None and needed is not None:
            self._last_word_end = last_word_end
            self._silence_due = last_word_end + needed + INTERIM_CADENCE

    def _silent_until(self, until: int) -> Iterator[Message]:
        """There was no speech on this channel from its last finalised word until then."""
        end, needed = self._last_word_end, self._utterance_end
        if end is not None and needed is not None and until - end >= needed:
            self._last_word_end, self._silence_due = None, float("inf")
            yield Message(self._writer.utterance_end(self._channel, end))
