"""Figures of a call: who talked how long and how fast, over whom, and how soon they answered.

All of them follow from the runs of speech (`speech`), so they do not depend on how a recognizer cut its segments, nor
on the order in which finals came. A `Tally` takes finals one by one while a call goes on: it keeps two numbers, 16
octets, for each run, and no words. Pure; what the figures mean stands at `bridge.events.Figures`.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise
from statistics import median

from bridge.audio import SAMPLE_RATE, samples, seconds
from bridge.events import Figures, TranscriptFinal
from bridge.spans import Span, SpanSet
from bridge.transcript.speech import PAUSE, SHORTEST_OVERLAP, runs, said

__all__ = ["Figures", "Tally", "figures"]

_BREATH = samples(PAUSE) - 1
"""Samples without a word, at most, that do not part two spans of talk."""

_Talk = tuple[Span, str]
"""A span of talk, and its track."""


class Tally:
    """What the figures of one call are made of."""

    def __init__(self, speakers: Mapping[str, str]) -> None:
        """`speakers` maps tracks to labels; two tracks may share one."""
        self._speakers = dict(speakers)
        self._words: Counter[str] = Counter()
        self._runs: dict[str, array[int]] = {}
        """By track: start, end, start, end, … in samples; an array is a tenth of the size of spans."""
        self._unheard = SpanSet()

    def __repr__(self) -> str:
        return f"<Tally {dict(self._words)} words>"

    def add(self, final: TranscriptFinal) -> None:
        """One segment, in any order, each once."""
        ends = self._runs.setdefault(final.track, array("q"))
        for run in runs(final):
            ends.extend((samples(run.start), samples(run.end)))
            self._words[final.track] += len(run.pieces)

    def leave_out(self, start: float, end: float) -> None:
        """No one has heard the call between two seconds of it: there it was not silent, as far as is known."""
        self._unheard.add(samples(start), samples(end))

    @property
    def heard(self) -> float:
        """Seconds of the call up to the end of the newest words."""
        return seconds(max((max(ends[1::2]) for ends in self._runs.values() if ends), default=0))

    def figures(self, duration: float) -> Figures:
        """The figures of a call of `duration` seconds, as far as its finals are in."""
        tracks = dict.fromkeys([*self._speakers, *self._runs])
        talk = {track: self._talk(track) for track in tracks}
        everybody = sorted((span, track) for track, spans in talk.items() for span in spans)
        talk_time, words, answers = Counter[str](), Counter[str](), dict[str, list[int]]()
        answered = _answers(everybody)
        for track in tracks:
            label = self._speakers.get(track, track)
            talk_time[label] += talk[track].total
            words[label] += self._words[track]
            answers.setdefault(label, []).extend(answered.get(track, ()))
        return Figures(
            talk_time={label: seconds(time) for label, time in talk_time.items()},
            words=dict(words),
            words_per_minute={
                label: round(60 * SAMPLE_RATE * words[label] / time, 1) if time else 0.0
                for label, time in talk_time.items()
            },
            talk_over=seconds(_talk_over(everybody)),
            longest_silence=seconds(_longest_silence(everybody, self._unheard, samples(duration))),
            response_time={label: seconds(round(median(times))) if times else None for label, times in answers.items()},
        )

    def _talk(self, track: str) -> SpanSet:
        """One track's spans of talk, those without a pause between them joined."""
        ends = self._runs.get(track, array("q"))
        talk = SpanSet()
        for start, end in sorted(zip(ends[::2], ends[1::2], strict=True)):
            talk.add(start, end, seam=_BREATH)
        return talk


def figures(finals: Iterable[TranscriptFinal], duration: float, speakers: Mapping[str, str]) -> Figures:
    """The figures of a call of `duration` seconds whose finals are these; `speakers` maps tracks to labels."""
    tally = Tally(speakers)
    for final in said(finals):
        tally.add(final)
    return tally.figures(duration)


def _talk_over(talk: list[_Talk]) -> int:
    """Samples in which the second of two, or more, talked at once; `talk` in order."""
    total = 0
    heard = 0
    for span, _ in talk:
        both = min(heard, span.end) - span.start
        total += both if both >= samples(SHORTEST_OVERLAP) else 0
        heard = max(heard, span.end)
    return total


def _longest_silence(talk: list[_Talk], unheard: SpanSet, duration: int) -> int:
    """Samples of the longest stretch of the call without talk; `talk` in order."""
    silence = SpanSet([(0, duration)])
    for span in (*(span for span, _ in talk), *unheard):
        silence.remove(*span)
    return max((span.length for span in silence), default=0)


def _answers(talk: list[_Talk]) -> dict[str, list[int]]:
    """By track, samples from the end of another's turn to the start of one's own; `talk` in order.

    What lies within another's talk ("mhm") is no turn: it neither answers nor is answered.
    """
    heard = 0
    turns: list[_Talk] = []
    for span, track in talk:
        if span.end > heard:
            turns.append((span, track))
            heard = span.end
    answers: dict[str, list[int]] = {}
    for (before, asked), (span, track) in pairwise(turns):
        if asked != track:
            answers.setdefault(track, []).append(max(0, span.start - before.end))
    return answers
