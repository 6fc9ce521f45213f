"""When a recognizer speaks up: cuts a channel's words into interims and finals, as Deepgram does.

It knows neither audio nor script: the caller tells it that a word has begun and how far the audio has got. All
positions are samples of the channel, and every decision falls at an exact one, so what comes out does not depend on how
the audio was cut into messages.

A segment becomes final when the speaker has paused for the endpointing time, when it has grown long (then at
a word's border: no word is cut in two), and after a while of silence.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from msgspec.structs import replace

from bridge.audio import SAMPLE_RATE
from bridge.local.recognition import Heard, Listening, result
from bridge.local.script.format import ScriptWord
from bridge.recognition import Alternative, Result, SpeechStart, Word
from bridge.spans import Span
from bridge.writing import joined

LONGEST = 5 * SAMPLE_RATE
"""From a segment's first word to its final, without a pause."""
QUIET = 5 * SAMPLE_RATE
"""From one empty final to the next, without speech."""
VAD_PAUSE = SAMPLE_RATE * 3 // 10
"""Silence after which the next word is reported as the beginning of speech."""


@dataclass(slots=True, eq=False)
class Hearing:
    """One word while it is heard."""

    said: ScriptWord
    start: int
    end: int
    """As far as it has been heard; may lie ahead where the end is known beforehand."""
    over: int
    """Where the word ends if nothing more of it is lost: no final before."""
    heard: int
    """Milliseconds of it that were heard."""
    total: int
    """Milliseconds that it has."""

    def at(self, now: int) -> Word:
        """The word as it stands when the audio has got to `now`."""
        span = Span(self.start, min(self.end, now))
        said = self.said
        return Word(said.word, said.text, span, self.heard / self.total, said.voice, said.language)


class Segmenter:
    """The words of one channel, cut into results."""

    def __init__(self, listening: Listening, channel: int = 0) -> None:
        self._channel = channel
        endpointing = listening.endpointing
        self._endpointing = None if endpointing is None else round(endpointing * SAMPLE_RATE)
        self._interims = listening.interim_results
        self._interim = round(listening.interim_every * SAMPLE_RATE)
        self._most = listening.alternatives - 1
        self._now = 0
        self._start = 0
        self._words: list[Hearing] = []
        self._latest: Hearing | None = None
        self._interim_due = self._interim
        self._final_due = QUIET
        self.due = 0
        """Nothing will be said before the audio has got this far."""
        self.plan()

    @property
    def open_word(self) -> Hearing | None:
        """The newest word that is in no final yet."""
        return self._words[-1] if self._words else None

    def begin(self, hearing: Hearing) -> list[Heard]:
        """A word has begun. All that was due before must have been said already."""
        hearing.start = max(hearing.start, self._start)
        before, self._latest = self._latest, hearing
        self._words.append(hearing)
        self.plan()
        if before is None or hearing.start - before.over >= VAD_PAUSE:
            return [SpeechStart(self._channel, hearing.start)]
        return []

    def plan(self) -> None:
        """Work out when there is something to say; call it when `over` of a word has changed."""
        if self._words:
            first, last = self._words[0], self._words[-1]
            # A single word that is longer is waited for; of several, the last goes to the next segment.
            self._final_due = max(first.start + LONGEST, last.over if last is first else 0)
            if self._endpointing is not None:
                self._final_due = min(self._final_due, last.over + self._endpointing)
        else:
            self._final_due = self._start + QUIET
        self.due = min(self._final_due, self._interim_due) if self._interims else self._final_due

    def pass_time(self, until: int) -> list[Heard]:
        """The audio has got to `until`: what there is to say up to there."""
        said: list[Heard] = []
        while self.due <= until:
            self._now = max(self._now, self.due)
            if self._final_due <= self._now:
                said.append(self._final())
            else:
                said.append(self._result(self._now, self._words, is_final=False))
            self._interim_due = self._now + self._interim
            self.plan()
        self._now = max(self._now, until)
        return said

    def flush(self, until: int) -> list[Heard]:
        """Settle everything up to `until`, a half-heard word too; nothing if there is nothing to settle."""
        said = self.pass_time(until)
        if until > self._start:
            said.append(self._cut(until, len(self._words), ends_turn=False))
            self._interim_due = until + self._interim
            self.plan()
        return said

    def _final(self) -> Result:
        if not self._words:
            return self._cut(self._now, 0, ends_turn=False)
        last = self._words[-1]
        if self._now < last.over:
            return self._cut(last.start, len(self._words) - 1, ends_turn=False)
        paused = self._endpointing is not None and self._now - last.over >= self._endpointing
        return self._cut(self._now, len(self._words), ends_turn=paused)

    def _cut(self, end: int, words: int, *, ends_turn: bool) -> Result:
        """Make a final of the first so many words; the next segment starts at `end`."""
        final = self._result(end, self._words[:words], is_final=True, ends_turn=ends_turn)
        del self._words[:words]
        self._start = end
        return final

    def _result(self, end: int, words: Sequence[Hearing], *, is_final: bool, ends_turn: bool = False) -> Result:
        said = [hearing.at(end) for hearing in words]
        found = result(self._channel, Span(self._start, end), said, is_final=is_final, ends_turn=ends_turn)
        if self._most < 1 or not is_final:
            return found
        return replace(found, alternatives=tuple(islice(self._alternatives(words, found.confidence), self._most)))

    def _alternatives(self, words: Sequence[Hearing], confidence: float) -> Iterator[Alternative]:
        """What else may have been said: one word otherwise in each."""
        texts = [hearing.said.text for hearing in words]
        for place, hearing in enumerate(words):
            if hearing.said.instead:
                other = joined([*texts[:place], hearing.said.instead, *texts[place + 1 :]])
                yield Alternative(other, confidence / 2)
