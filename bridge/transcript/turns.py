"""The finished conversation: a call's finals in the order in which people spoke, and their turns.

For a call whose finals are all there, whenever they came: what was transcribed long after the call stands where it was
said. What is shown while a call goes on is the business of `conversation`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from bridge.events import Overlap, TranscriptFinal
from bridge.text import plain
from bridge.transcript.speech import Run, said, talk_over, timeline


@dataclass(frozen=True, slots=True)
class Turn:
    """What one speaker said until the other spoke: runs that follow each other, of one segment or of several.

    A segment in whose pause the other spoke belongs to two turns, each with its share of the words.
    """

    runs: tuple[Run, ...]
    over: tuple[str, ...]
    """Speakers who had not finished when this one began."""

    @property
    def speaker(self) -> str:
        return speaker(self.runs[0].final)

    @property
    def track(self) -> str:
        return self.runs[0].final.track

    @property
    def start(self) -> float:
        return self.runs[0].start

    @property
    def end(self) -> float:
        return max(run.end for run in self.runs)

    @property
    def text(self) -> str:
        return " ".join(run.text for run in self.runs)

    @property
    def segment_ids(self) -> list[str]:
        """The segments it has words of, in order."""
        return list(dict.fromkeys(run.final.segment_id for run in self.runs))


def speaker(final: TranscriptFinal) -> str:
    """The label on one line; the track's name where there is none."""
    return plain(final.speaker) or final.track


def ordered(finals: Iterable[TranscriptFinal]) -> list[TranscriptFinal]:
    """A finished call's finals by the time of their first word, with all of their talk-over, marked on both.

    A final as it was sent knows only what had been heard of the other speaker by then. Of a segment that is given twice
    the later one counts; finals that say nothing are left out.
    """
    finals = said(finals)
    overlaps: dict[str, list[Overlap]] = {final.segment_id: [] for final in finals}
    for found in talk_over(timeline(finals)):
        one, other = found.first.final.segment_id, found.second.final.segment_id
        overlaps[one].append(Overlap(segment_id=other, start=found.start, end=found.end))
        overlaps[other].append(Overlap(segment_id=one, start=found.start, end=found.end))
    return [final.model_copy(update={"overlaps": overlaps[final.segment_id]}) for final in finals]


def turns(finals: Iterable[TranscriptFinal]) -> list[Turn]:
    """A finished call's turns, in the order of their start."""
    runs = timeline(finals)
    over: dict[int, list[str]] = {}
    for found in talk_over(runs):
        over.setdefault(id(found.second), []).append(speaker(found.first.final))
    grouped: list[list[Run]] = []
    for run in runs:
        if grouped and grouped[-1][-1].final.track == run.final.track:
            grouped[-1].append(run)
        else:
            grouped.append([run])
    return [Turn(tuple(group), tuple(dict.fromkeys(over.get(id(group[0]), ())))) for group in grouped]
