"""The finished conversation: a call's finals in the order in which people spoke, and their turns.

For a call whose finals are all there, whenever they came: what was transcribed long after the call stands where it was
said. What is shown while a call goes on is the business of `conversation`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from bridge.events import Overlap, Transcript, TranscriptFinal
from bridge.text import plain
from bridge.transcript.speech import Piece, Run, TalkOver, chained, join, said, talk_over, timeline

PAUSE = 2.0
"""Seconds without a word after which the same speaker begins another turn."""

LONGEST = 60.0
"""Seconds of a turn: who talks on begins another one, so that a reader sees where they are."""

BACK_CHANNEL = 1.0
"""Seconds of talk-over that count: shorter, it is an "mhm" that says "go on", and takes no turn."""


Interval = tuple[float, float]
"""Start and end, in seconds of the call."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one speaker said until the other spoke, or until a pause: runs of one segment or of several.

    A segment in whose pause the other spoke belongs to two turns, each with its share of the words.
    """

    runs: tuple[Run, ...]
    over: tuple[str, ...]
    """Speakers in whose turn this one began, or went on, and who did not stop for it."""

    @property
    def speaker(self) -> str:
        return speaker(self.runs[0])

    @property
    def voice(self) -> int | None:
        """As a run's."""
        return self.runs[0].voice

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
        return join(self.pieces)

    @property
    def pieces(self) -> list[Piece]:
        """Its words, as they are written one after the other."""
        return chained(self.runs)

    @property
    def segment_ids(self) -> list[str]:
        """The segments it has words of, in order."""
        return list(dict.fromkeys(run.final.segment_id for run in self.runs))


def speaker(run: Run) -> str:
    """Whose words they are, on one line."""
    return named(run.final, run.voice)


def named(transcript: Transcript, voice: int | None) -> str:
    """The label on one line, or the track's name where there is none; of several on one track with a number from 1."""
    label = plain(transcript.speaker) or transcript.track
    return label if voice is None else f"{label} {voice + 1}"


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


def goes_on(turn: Interval, said: Interval, others: Iterable[Interval]) -> bool:
    """Whether what is said belongs to its speaker's last turn: no long pause lies between, and no word of the other
    speakers but what was said over it.
    """
    (begin, end), (start, until) = turn, said
    if start - end > PAUSE or until - begin > LONGEST:
        return False
    return start <= end or all(
        their_end <= end or (their_end - their_start < BACK_CHANNEL and (their_start < end or their_end > start))
        for their_start, their_end in others
    )


def turns(finals: Iterable[TranscriptFinal]) -> list[Turn]:
    """A finished call's turns, in the order of their start."""
    runs = timeline(finals)
    grouped: list[list[Run]] = []
    open_turns: dict[tuple[str, int | None], list[Run]] = {}
    near: list[Run] = []
    for run in runs:
        near = [other for other in near if other.end > run.start - PAUSE]
        turn = open_turns.get(run.who)
        others = ((other.start, other.end) for other in near if other.who != run.who)
        if turn and goes_on((turn[0].start, max(part.end for part in turn)), (run.start, run.end), others):
            turn.append(run)
        else:
            open_turns[run.who] = [run]
            grouped.append(open_turns[run.who])
        near.append(run)
    over = _over(grouped, talk_over(runs))
    return [Turn(tuple(turn), tuple(over.get(place, ()))) for place, turn in enumerate(grouped)]


def _over(grouped: list[list[Run]], stretches: Iterable[TalkOver]) -> dict[int, dict[str, None]]:
    """By the place of a turn: who spoke at once with it, in a turn that had begun before."""
    places = {id(run): place for place, turn in enumerate(grouped) for run in turn}
    over: dict[int, dict[str, None]] = {}
    for first, second, start, end in stretches:
        if round(end - start, 3) >= BACK_CHANNEL:
            earlier, later = sorted((places[id(first)], places[id(second)]))
            over.setdefault(later, {})[speaker(grouped[earlier][0])] = None
    return over
