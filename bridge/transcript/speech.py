"""What was said when: finals taken apart into pieces with times, and put together again as runs of speech.

A recognizer cuts its segments by its own rules: one may hold a pause in which the other speaker said a whole sentence.
So code that asks who spoke when looks at runs: the words of one segment between two pauses. Pure, and knows
nothing of turns, captions or figures, which are made of these.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import NamedTuple

from bridge.events import Transcript, TranscriptFinal
from bridge.text import plain
from bridge.writing import slices, spaced, unbroken, units

PAUSE = 0.5
"""Seconds without a word that part two runs; less is how people breathe."""

SHORTEST_OVERLAP = 0.1
"""Seconds of talk-over that count; less is how people take turns."""


class Piece(NamedTuple):
    """A word as it is written: no white space in it, and its times in seconds of the call."""

    text: str
    start: float
    end: float
    spaced: bool
    """Whether a blank stands before it, if something does; Chinese, for one, has none."""
    voice: int | None = None
    """The `speaker` of its word."""


@dataclass(frozen=True, slots=True)
class Run:
    """Words of one segment and one voice without a pause among them."""

    final: Transcript
    pieces: tuple[Piece, ...]
    start: float
    end: float
    voice: int | None = None
    """Who of those on the track, where the recognizer tells them apart."""

    @property
    def who(self) -> tuple[str, int | None]:
        """Whose words they are: no two people have the same track and voice."""
        return self.final.track, self.voice

    @property
    def text(self) -> str:
        return join(self.pieces)


class TalkOver(NamedTuple):
    """A stretch, in seconds of the call, in which two speakers spoke at once."""

    first: Run
    second: Run
    """The one that began later."""
    start: float
    end: float


def said(finals: Iterable[TranscriptFinal]) -> list[TranscriptFinal]:
    """The finals that say something, each segment once, in the order of their start."""
    segments = {final.segment_id: final for final in finals if plain(final.text)}
    return sorted(segments.values(), key=lambda final: (final.start, final.channel, final.end, final.segment_id))


def join(pieces: Iterable[Piece]) -> str:
    """Pieces as a text; no space before the first."""
    return "".join(f" {piece.text}" if piece.spaced else piece.text for piece in pieces).removeprefix(" ")


def chained(runs: Iterable[Run]) -> list[Piece]:
    """The pieces of several runs as one text: between two finals a blank stands where their script has one."""
    found: list[Piece] = []
    last = None
    for run in runs:
        first, *rest = run.pieces
        if found and run.final is not last:
            first = first._replace(spaced=spaced(found[-1].text, first.text))
        found += [first, *rest]
        last = run.final
    return found


class Share(NamedTuple):
    """What one voice says in one go."""

    voice: int | None
    start: float
    text: str


def shares(transcript: Transcript) -> list[Share]:
    """A segment's text by the voices in it, in order; one share where the recognizer tells none apart."""
    if all(word.speaker is None for word in transcript.words):
        return [Share(None, transcript.start, plain(transcript.text))] if plain(transcript.text) else []
    return [Share(said[0].voice, said[0].start, join(chained(said))) for said in by_voice(runs(transcript))]


def by_voice(runs: Iterable[Run]) -> list[list[Run]]:
    """Runs that follow one another and are of one voice, together."""
    return [list(group) for _, group in groupby(runs, key=lambda run: run.voice)]


def runs(final: Transcript) -> list[Run]:
    """A segment's runs of speech, in their order; none if it says nothing."""
    found: list[list[Piece]] = []
    for piece in _voiced(pieces(final)):
        last = found[-1][-1] if found else None
        if last and piece.start - last.end < PAUSE and last.voice == piece.voice:
            found[-1].append(piece)
        else:
            found.append([piece])
    return [Run(final, tuple(run), run[0].start, max(piece.end for piece in run), run[0].voice) for run in found]


def _voiced(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The pieces, those without a voice with that of the one before."""
    voice: int | None = None
    for piece in pieces:
        if piece.voice is None and voice is not None:
            yield piece._replace(voice=voice)
        else:
            voice = piece.voice
            yield piece


def timeline(finals: Iterable[TranscriptFinal]) -> list[Run]:
    """All runs of a call in the order of their start."""
    found = [run for final in said(finals) for run in runs(final)]
    return sorted(found, key=lambda run: (run.start, run.final.channel))


def talk_over(timeline: Iterable[Run]) -> Iterator[TalkOver]:
    """Where speakers spoke at once, stretch by stretch, in the order of its beginning; `timeline` in order."""
    going_on: list[Run] = []
    for run in timeline:
        going_on = [other for other in going_on if other.end > run.start]
        for other in going_on:
            end = min(other.end, run.end)
            if other.final.track != run.final.track and round(end - run.start, 3) >= SHORTEST_OVERLAP:
                yield TalkOver(other, run, run.start, end)
        going_on.append(run)


def pieces(final: Transcript) -> list[Piece]:
    """A segment's text with the times of its words, and none of the text left out.

    Where the words cannot be found in the text they are believed and the text is not; where there are none, the text is
    spread over the segment by its length.
    """
    if final.text.isprintable() and final.text.split() == [word.text for word in final.words]:
        # As nearly always; the rest of this is for the other times.
        return [Piece(word.text, word.start, word.end, True, word.speaker) for word in final.words]
    if not plain(final.text):
        return []
    words = [word for word in final.words if plain(word.text)]
    if not words:
        return _spread(final.text, final.start, final.end)
    texts = [word.text for word in words]
    found: list[Piece] = []
    blank = True
    for part, word in zip(slices(unbroken(final.text), texts) or _written(texts), words, strict=True):
        # What stands around a word belongs to it, but not words that the recognizer gave no time.
        whole = _letters(part) == _letters(word.text)
        first, *rest = _spread(part, word.start, word.end, whole=whole)
        first = first._replace(spaced=blank or part[0].isspace())
        found += [piece._replace(voice=word.speaker) for piece in (first, *rest)]
        blank = part[-1].isspace()
    return found


def _written(words: Sequence[str]) -> list[str]:
    """Words with the blanks that their script puts before them."""
    blanks = (" " if spaced(before, word) else "" for before, word in pairwise(words))
    return [words[0], *(blank + word for blank, word in zip(blanks, words[1:], strict=True))]


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))


def _spread(text: str, start: float, end: float, *, whole: bool = False) -> list[Piece]:
    """The text at its white space, each piece with its share of the time by its length.

    Unless it is `whole`, one word, it is also cut where ideographs stand without blanks.
    """
    parts = [
        (unit, at == 0) for part in plain(text).split() for at, unit in enumerate([part] if whole else units(part))
    ]
    if len(parts) == 1:
        return [Piece(parts[0][0], start, end, True)]
    letters = sum(len(part) for part, _ in parts)
    found = []
    before = 0
    for part, blank in parts:
        begin = start + (end - start) * before / letters
        before += len(part)
        found.append(Piece(part, round(begin, 3), round(start + (end - start) * before / letters, 3), blank))
    return found
