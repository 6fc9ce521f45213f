"""When a speaker's turn begins and ends, after what a recognizer hears: the state machine of Flux.

    INITIAL ──words: StartOfTurn──▶ ONGOING ──silence: EagerEndOfTurn──▶ AWAITING ──silence: EndOfTurn──▶ INITIAL
                                       ▲                                    │
                                       └──────other words: TurnResumed──────┘

Without an eager threshold a turn ends from ONGOING. Flux' own model judges what was said and how; here the confidence
that a turn is over is a matter of the silence after its last word, and is believed no sooner than the recognizer has
settled what was said. Positions are samples, and every decision falls at an exact one, however the audio was cut.
Source: https://developers.deepgram.com/docs/flux/state
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from math import ceil, exp2, inf, log2

from bridge.audio import SAMPLE_RATE, samples
from bridge.local.deepgram.flux.request import Thresholds
from bridge.local.recognition import Heard
from bridge.recognition import Result, SpeechStart, Word
from bridge.spans import Span
from bridge.writing import joined

SETTLES = 0.3
"""Seconds of silence after which the recognizer is to settle an utterance."""
INTERIM_EVERY = 0.25
"""Seconds of speech from one interim to the next."""
UPDATE = samples(0.25)
"""From one message to the next `Update`."""
_HALF_LIFE = 0.3  # seconds of silence that take half of the doubt away
_SUREST = 0.99


class State(Enum):
    """Where a turn stands, as drawn above."""

    INITIAL = "initial"
    ONGOING = "ongoing"
    AWAITING = "awaiting"


TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.INITIAL: frozenset({State.ONGOING}),
    State.ONGOING: frozenset({State.AWAITING, State.INITIAL}),
    State.AWAITING: frozenset({State.ONGOING, State.INITIAL}),
}


@dataclass(frozen=True, slots=True)
class TurnInfo:
    """One thing to tell of a turn."""

    event: str
    index: int
    window: Span
    """From where the turn could begin to where the audio has got."""
    words: tuple[Word, ...]
    confidence: float
    """That the turn is over, from 0 to 1."""
    trigger: str | None = None
    """Of an `EndOfTurn`: `model`, `timeout` or `manual`."""


def confidence_after(silence: float) -> float:
    """The confidence that a turn is over, after so many seconds without a word."""
    return min(_SUREST, 1 - exp2(-max(0.0, silence) / _HALF_LIFE))


def silence_for(threshold: float) -> float:
    """The seconds of silence after which the confidence reaches a threshold; infinite at 1."""
    return max(SETTLES, _HALF_LIFE * log2(1 / (1 - threshold))) if threshold < 1 else inf


class Turns:
    """Tells the turns of one stream. Feed it what is heard, in order, and how far the audio has got."""

    def __init__(self, thresholds: Thresholds) -> None:
        self.thresholds = thresholds
        """May be changed at any time."""
        self.state = State.INITIAL
        self._index = 0
        self._now = 0
        self._window_start = 0
        self._settled: list[Word] = []
        self._open: tuple[Word, ...] = ()
        """Words that the recognizer may still take back."""
        self._heard_until = 0
        """Where the newest result ended."""
        self._voice = False
        """There is speech, or a noise, and no word of it has come yet."""
        self._sure_from = 0
        """Before this, words may have begun that no result has told of yet."""
        self._told_at = 0

    def __repr__(self) -> str:
        return f"<Turns {self.state.value} turn {self._index} {len(self._words)} words {self._now / SAMPLE_RATE:.2f} s>"

    def hear(self, item: Heard) -> list[TurnInfo]:
        """A result, or the start of speech."""
        if isinstance(item, SpeechStart):
            told = self.pass_time(item.at)
            self._voice = True
            return told
        told = self.pass_time(item.span.end)
        before = self._text
        self._take(item)
        if self._text and self.state is State.INITIAL:
            told.append(self._move(State.ONGOING, "StartOfTurn"))
        elif self._text != before and self.state is State.AWAITING:
            told.append(self._move(State.ONGOING, "TurnResumed"))
        return told

    def pass_time(self, until: int) -> list[TurnInfo]:
        """The audio has got to `until`."""
        told: list[TurnInfo] = []
        while (due := self._due()) <= until:
            self._now = max(self._now, int(due))
            told.append(self._act())
        self._now = max(self._now, until)
        return told

    def end(self) -> list[TurnInfo]:
        """End the turn now; nothing if there is none."""
        return [] if self.state is State.INITIAL else [self._end("manual")]

    def close(self) -> list[TurnInfo]:
        """No more audio comes: an `Update` with all that was heard. The turn does not end."""
        return [] if self.state is State.INITIAL and self._told_at == self._now else [self._tell("Update")]

    @property
    def _words(self) -> tuple[Word, ...]:
        return (*self._settled, *self._open)

    @property
    def _text(self) -> str:
        return transcript(self._words)

    @property
    def _confidence(self) -> float:
        words = self._words
        if not words or self._voice:
            return 0.0
        until = self._heard_until if self._open else self._now
        return confidence_after((until - words[-1].span.end) / SAMPLE_RATE)

    def _take(self, result: Result) -> None:
        self._heard_until = result.span.end
        if not result.is_final:
            self._open = result.words
            return
        self._settled += result.words
        self._open, self._voice = (), False
        self._sure_from = result.span.end + (0 if result.ends_turn else samples(INTERIM_EVERY))

    def _due(self) -> float:
        """When there is something to tell, if nothing is heard before."""
        return min(self._told_at + UPDATE, self._eager_due(), self._end_due(), self._timeout_due())

    def _act(self) -> TurnInfo:
        """What is due now; of several, what is most of a change, but never an end before its eager one."""
        if self._now >= self._eager_due():
            return self._move(State.AWAITING, "EagerEndOfTurn")
        if self._now >= self._end_due():
            return self._end("model")
        if self._now >= self._timeout_due():
            return self._end("timeout")
        return self._tell("Update")

    def _eager_due(self) -> float:
        eager = self.thresholds.eager
        return inf if eager is None or self.state is not State.ONGOING else self._silent_for(silence_for(eager))

    def _end_due(self) -> float:
        return inf if self.state is State.INITIAL else self._silent_for(silence_for(self.thresholds.eot))

    def _timeout_due(self) -> float:
        """Unlike the others it comes in noise, too, but not before what was said has been settled."""
        if self.state is State.INITIAL or self._open:
            return inf
        return max(self._sure_from, self._settled[-1].span.end + samples(self.thresholds.timeout_ms / 1000))

    def _silent_for(self, seconds: float) -> float:
        """Where so many seconds of silence after the last word are certain."""
        if self._open or self._voice or seconds == inf:
            return inf
        return max(self._sure_from, self._settled[-1].span.end + ceil(seconds * SAMPLE_RATE))

    def _end(self, trigger: str) -> TurnInfo:
        told = self._move(State.INITIAL, "EndOfTurn", trigger)
        self._index += 1
        self._settled, self._open, self._window_start = [], (), self._now
        return told

    def _move(self, state: State, event: str, trigger: str | None = None) -> TurnInfo:
        assert state in TRANSITIONS[self.state], f"a turn cannot go from {self.state.value} to {state.value}"
        self.state = state
        return self._tell(event, trigger)

    def _tell(self, event: str, trigger: str | None = None) -> TurnInfo:
        self._told_at = self._now
        window = Span(self._window_start, self._now)
        return TurnInfo(event, self._index, window, self._words, self._confidence, trigger)


def transcript(words: Sequence[Word]) -> str:
    """The words as Flux writes them, with capitals and punctuation."""
    return joined(word.text for word in words)
