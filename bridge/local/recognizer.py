"""Real recognition from the sound, one channel at a time: PocketSphinx, with a small model of telephone talk.

Each stretch of speech is one utterance of the decoder. It begins a little before the voice was heard, so that no first
consonant is clipped, and ends when the speaker pauses for as long as the request's endpointing says, or, in speech
that does not pause, at the first breath after some seconds. Work is done per frame of 20 ms, so the size of the chunks
the audio comes in changes nothing.

A pause shorter than one between sentences ends nothing, whatever the endpointing (Deepgram's default is 10 ms): words
are heard by what stands around them, and an utterance cut at every breath made ten times the errors.
"""

import importlib.util
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import ClassVar

from msgspec.structs import replace

from bridge.audio import mulaw_to_pcm, samples
from bridge.installing import with_extra
from bridge.local import telephone
from bridge.local.punctuation import Punctuation
from bridge.local.recognition import Abilities, Heard, Listening, result
from bridge.local.voice_activity import FRAME, FRAME_MS, VoiceActivity
from bridge.recognition import Alternative, Result, SpeechStart, Word
from bridge.spans import Span

_SECONDS = FRAME_MS / 1000
_ONSET = 3  # frames of voice in a row that make speech
_BEFORE = round(0.5 / _SECONDS)  # frames of audio from before the onset that belong to the utterance
_BREATH = 0.16  # seconds of silence at which long speech may be cut
_LONG = 5.0  # seconds of speech after which a breath will do
_LONGEST = 12.0  # seconds after which it is cut wherever it is
_SILENCE = 5.0  # seconds between empty finals
_SEARCHED = 50  # hypotheses among which further ones are looked for; most differ in their silences only
_PAUSE = 0.3  # seconds of silence that end an utterance, at the least


ABOUT = "PocketSphinx with a small model: a few hundred words of telephone talk and no others, to try the bridge with"
"""What it is, for a person who wonders at what it hears."""


def available() -> str | None:
    """Why recognition cannot run here, in one line; None if it can."""
    if importlib.util.find_spec("pocketsphinx") is None:
        return f"PocketSphinx is not installed: `{with_extra('local')}`, if this Python has a wheel"
    return None


class SphinxRecognizer:
    """Listens to one channel; see `recognition.Recognizer`."""

    abilities: ClassVar[Abilities] = Abilities(only_english=True, alternatives=True)

    def __init__(self, channel: int, listening: Listening) -> None:
        self._channel = channel
        self._interims = listening.interim_results
        self._interim_every = listening.interim_every
        self._endpointing = listening.endpointing
        self._alternatives = listening.alternatives - 1
        self._pause = max(_PAUSE, listening.endpointing or 0.0)
        self._decoder = telephone.decoder()
        self._punctuation = Punctuation()
        self._activity = VoiceActivity()
        self._pending = b""
        self._before: deque[bytes] = deque(maxlen=_BEFORE)
        self._frames = 0  # heard so far
        self._settled = 0  # sample where the last final ended
        self._began: int | None = None  # frame at which the open utterance began
        self._voiced = 0  # frames of voice in a row
        self._quiet = 0  # frames of silence in a row
        self._told_at = 0  # frame of the last interim

    def receive_audio(self, mulaw: bytes) -> Sequence[Heard]:
        self._pending += mulaw
        heard: list[Heard] = []
        while len(self._pending) >= FRAME:
            frame, self._pending = self._pending[:FRAME], self._pending[FRAME:]
            heard += self._hear(frame)
        return heard

    def flush(self) -> Sequence[Heard]:
        rest, self._pending = self._pending, b""
        if self._began is not None:
            if rest:
                self._decode(rest)
            heard = [self._end(self._now + len(rest), ends_turn=False)]
        else:
            heard = [self._silence(self._now + len(rest))]
        # The decoder hears whole frames only; what is left over has been settled as part of the last one.
        self._frames += len(rest) // FRAME
        return [final for final in heard if final.span.length]

    @property
    def _now(self) -> int:
        """Samples heard so far."""
        return self._frames * FRAME

    def _hear(self, frame: bytes) -> Iterator[Heard]:
        speech = self._activity.is_speech(frame)
        self._voiced, self._quiet = (self._voiced + 1, 0) if speech else (0, self._quiet + 1)
        self._frames += 1
        if self._began is None:
            self._before.append(frame)
            if self._voiced >= _ONSET:
                yield self._begin()
            elif self._now - self._settled >= samples(_SILENCE) + _BEFORE * FRAME:
                # Not up to now: what may yet turn out to be the beginning of a word is not settled.
                yield self._silence(self._now - _BEFORE * FRAME)
            return
        self._decode(frame)
        if self._is_over():
            paused = self._endpointing is not None and self._quiet * _SECONDS >= self._pause
            yield self._end(self._now, ends_turn=paused)
        elif self._interims and (self._frames - self._told_at) * _SECONDS >= self._interim_every:
            self._told_at = self._frames
            yield result(self._channel, Span(self._settled, self._now), self._words(), is_final=False)

    def _begin(self) -> SpeechStart:
        self._began = self._frames - len(self._before)
        self._told_at = self._frames
        self._decoder.start_utt()
        for frame in self._before:
            self._decode(frame)
        self._before.clear()
        return SpeechStart(self._channel, self._now - _ONSET * FRAME)

    def _decode(self, mulaw: bytes) -> None:
        self._decoder.process_raw(mulaw_to_pcm(mulaw))

    def _is_over(self) -> bool:
        quiet = self._quiet * _SECONDS
        spoken = (self._frames - (self._began or 0)) * _SECONDS
        return quiet >= self._pause or (spoken >= _LONG and quiet >= _BREATH) or spoken >= _LONGEST

    def _end(self, now: int, *, ends_turn: bool) -> Result:
        self._decoder.end_utt()
        words = self._words(settled=True, pause=ends_turn)
        final = result(self._channel, Span(self._settled, now), words, is_final=True, ends_turn=ends_turn)
        if self._alternatives > 0:
            final = replace(final, alternatives=self._others(final))
        self._settled, self._began = now, None
        return final

    def _others(self, final: Result) -> tuple[Alternative, ...]:
        """What else may have been said, bare, the likeliest first. The score is of the whole: with a final's own
        confidence for the best one, it gives theirs.
        """
        found: dict[str, float] = {}
        spoken = " ".join(word.word for word in final.words)
        for hypothesis in islice(self._decoder.nbest(), _SEARCHED):
            text = " ".join(word.partition("(")[0] for word in hypothesis.hypstr.split()) if hypothesis else ""
            if text and text != spoken:
                found.setdefault(text, float(hypothesis.score))
            if len(found) == self._alternatives:
                break
        best = max(found.values(), default=1.0)
        return tuple(Alternative(text, final.confidence / 2 * score / best) for text, score in found.items())

    def _silence(self, until: int) -> Result:
        silence = result(self._channel, Span(self._settled, until), (), is_final=True)
        self._settled = until
        return silence

    def _words(self, *, settled: bool = False, pause: bool = False) -> tuple[Word, ...]:
        """What the decoder believes now, written as sentences."""
        began = (self._began or 0) * FRAME
        segments = [
            segment for segment in self._decoder.seg() or () if segment.word[0] not in "<["
        ]  # silence and noise
        words = [segment.word.partition("(")[0] for segment in segments]
        texts = self._punctuation.write(words, settled=settled, pause=pause)
        return tuple(
            Word(
                word=word,
                text=text,
                span=Span(
                    max(self._settled, began + samples(segment.start_frame / 100)),
                    max(self._settled, began + samples((segment.end_frame + 1) / 100)),
                ),
                confidence=min(1.0, float(self._decoder.get_logmath().exp(segment.prob))) if pause else 0.5,
            )
            for segment, word, text in zip(segments, words, texts, strict=True)
        )
