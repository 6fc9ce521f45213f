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
from typing import NamedTuple

from bridge.events import Figures, TranscriptFinal
from bridge.transcript.speech import PAUSE, SHORTEST_OVERLAP, runs, said

__all__ = ["Figures", "Tally", "figures"]

_MS = 1000


class _Span(NamedTuple):
    """A stretch of talk, in milliseconds of the call."""

    start: int
    end: int
    track: str


class Tally:
    """What the figures of one call are made of."""

    def __init__(self, speakers: Mapping[str, str]) -> None:
        """`speakers` maps tracks to labels; two tracks may share one."""
        self._speakers = dict(speakers)
        self._words: Counter[str] = Counter()
        self._spans: dict[str, array[int]] = {}
        """By track: start, end, start, end, … in milliseconds."""

    def __repr__(self) -> str:
        return f"<Tally {dict(self._words)} words>"

    def add(self, final: TranscriptFinal) -> None:
        """One segment, in any order, each once."""
        spans = self._spans.setdefault(final.track, array("q"))
        for run in runs(final):
            spans.extend((round(run.start * _MS), round(run.end * _MS)))
            self._words[final.track] += len(run.pieces)

    @property
    def heard(self) -> float:
        """Seconds of the call up to the end of the newest words."""
        return max((max(spans[1::2]) for spans in self._spans.values() if spans), default=0) / _MS

    def figures(self, duration: float) -> Figures:
        """The figures of a call of `duration` seconds, as far as its finals are in."""
        tracks = dict.fromkeys([*self._speakers, *self._spans])
        talk = {track: _merged(track, self._spans.get(track, array("q"))) for track in tracks}
        everybody = sorted(span for spans in talk.values() for span in spans)
        talk_time, words, answers = Counter[str](), Counter[str](), dict[str, list[int]]()
        answered = _answers(everybody)
        for track in tracks:
            label = self._speakers.get(track, track)
            talk_time[label] += sum(span.end - span.start for span in talk[track])
            words[label] += self._words[track]
            answers.setdefault(label, []).extend(answered.get(track, ()))
        return Figures(
            talk_time={label: time / _MS for label, time in talk_time.items()},
            words=dict(words),
            words_per_minute={
                label: round(60 * _MS * words[label] / time, 1) if time else 0.0 for label, time in talk_time.items()
            },
            talk_over=_talk_over(everybody) / _MS,
            longest_silence=_longest_silence(everybody, round(duration * _MS)) / _MS,
            response_time={label: round(median(times) / _MS, 3) if times else None for label, times in answers.items()},
        )


def figures(finals: Iterable[TranscriptFinal], duration: float, speakers: Mapping[str, str]) -> Figures:
    """The figures of a call of `duration` seconds whose finals are these; `speakers` maps tracks to labels."""
    tally = Tally(speakers)
    for final in said(finals):
        tally.add(final)
    return tally.figures(duration)


def _merged(track: str, ends: "array[int]") -> list[_Span]:
    """One track's spans in order, those without a pause between them joined."""
    merged: list[_Span] = []
    for start, end in sorted(zip(ends[::2], ends[1::2], strict=True)):
        if merged and start - merged[-1].end < PAUSE * _MS:
            merged[-1] = merged[-1]._replace(end=max(merged[-1].end, end))
        else:
            merged.append(_Span(start, end, track))
    return merged


def _talk_over(spans: list[_Span]) -> int:
    """Milliseconds in which the second of two, or more, talked at once; `spans` in order."""
    total = 0
    heard = 0
    for span in spans:
        both = min(heard, span.end) - span.start
        total += both if both >= SHORTEST_OVERLAP * _MS else 0
        heard = max(heard, span.end)
    return total


def _longest_silence(spans: list[_Span], duration: int) -> int:
    """Milliseconds of the longest stretch of the call without talk; `spans` in order."""
    longest = heard = 0
    for span in spans:
        longest = max(longest, span.start - heard)
        heard = max(heard, span.end)
    return max(longest, duration - heard)


def _answers(spans: list[_Span]) -> dict[str, list[int]]:
    """By track, milliseconds from the end of another's turn to the start of one's own; `spans` in order.

    What lies within another's talk ("mhm") is no turn: it neither answers nor is answered.
    """
    heard = 0
    floor: list[_Span] = []
    for span in spans:
        if span.end > heard:
            floor.append(span)
            heard = span.end
    answers: dict[str, list[int]] = {}
    for before, span in pairwise(floor):
        if before.track != span.track:
            answers.setdefault(span.track, []).append(max(0, span.start - before.end))
    return answers
