"""What is said in a run, and what it sounds like: every word has a name that no other word of any call has.

So a word that is lost, doubled, on the wrong side or in the wrong call is seen by its name alone. Pure: a plan gives
the same words and the same octets each time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.audio import SAMPLES_PER_MS, silence
from bridge.local.script import Script, ScriptWord, random_script
from bridge.local.script.coding import encode_word
from bridge.local.wav import Recording
from tests.chaos.scenario import CallPlan


@dataclass(frozen=True, slots=True)
class Word:
    """A word that somebody says; times are seconds since the call's first frame was due."""

    name: str
    channel: int
    start: float
    end: float


class Speech:
    """The words of all calls of a run."""

    def __init__(self, plans: Sequence[CallPlan]) -> None:
        channels: list[tuple[ScriptWord, ...]] = []
        said = 0
        self._first: dict[int, int] = {}
        self._words: dict[int, tuple[Word, ...]] = {}
        for plan in plans:
            self._first[plan.number] = said
            words: list[Word] = []
            for channel, lane in enumerate(_lanes(plan)):
                named = [_named(word, f"c{plan.number}w{place}") for place, word in enumerate(lane, len(words))]
                said += len(named)
                channels.append(tuple(named))
                words += [Word(word.word, channel, word.start, word.end) for word in named]
            self._words[plan.number] = tuple(words)
        self.script = Script(channels=tuple(channels))
        """For the recognizers: coded audio tells a word's place in it."""

    def words(self, plan: CallPlan) -> tuple[Word, ...]:
        """What is said in one call."""
        return self._words[plan.number]

    def sound(self, plan: CallPlan) -> Recording:
        """The whole call."""
        tracks = [bytearray(silence(round(plan.seconds * 1000) * SAMPLES_PER_MS)) for _ in range(2)]
        for index, word in enumerate(self._words[plan.number], self._first[plan.number]):
            start, end = round(word.start * 1000), round(word.end * 1000)
            tracks[word.channel][start * SAMPLES_PER_MS : end * SAMPLES_PER_MS] = encode_word(index, end - start)
        return Recording(*map(bytes, tracks))


def _lanes(plan: CallPlan) -> list[list[ScriptWord]]:
    """Both tracks' words; the other party says nothing before its track begins."""
    inbound, outbound = random_script(plan.seed, plan.seconds - 0.2).channels
    return [list(inbound), [word for word in outbound if word.start >= plan.late]]


def _named(word: ScriptWord, name: str) -> ScriptWord:
    return word.model_copy(update={"word": name, "text": name})
