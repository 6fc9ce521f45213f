"""Captions: a finished call cut into cues that can be read at the speed of the talk.

A cue is at most two lines of 42 columns and seven seconds, of one turn of one speaker; a pause ends it, and the end
of a sentence does where there is a choice. The times of the words are the times of the cues, so where people talk over
each other cues overlap too, and players show one above the other. Pure, and writes no format: that is `render`.
"""

import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bridge.events import TranscriptFinal
from bridge.transcript.speech import Piece, join
from bridge.transcript.turns import Turn, turns
from bridge.writing import cut, width

LINES = 2

LINE = 42
"""Columns of a line, the speaker's name included; an ideograph takes two."""

SHORTEST = 800
"""Milliseconds a cue stands if its speaker does not go on; no one reads faster. It may reach into the other's cue."""

LONGEST = 7000
"""Milliseconds."""

_FLASH = 100
"""Milliseconds a cue stands in any case, even if the times of its words are all the same."""

_PAUSE = 1.0
"""Seconds without a word that end a cue."""

_LABEL = 20
"""Columns of a speaker's name within a line."""

_SENTENCE_ENDS = (".", "?", "!", "…", "。", "？", "！", "।", "။", "។", "۔", "؟")


@dataclass(frozen=True, slots=True)
class Cue:
    """What is shown of one speaker for a while; those of one speaker do not overlap."""

    start: int
    """Milliseconds of the call."""
    end: int
    speaker: str
    lines: tuple[str, ...]


class _Channel:
    """What is left to show of one track."""

    def __init__(self) -> None:
        self.blocks: deque[tuple[str, deque[Piece]]] = deque()
        """Each with its speaker; a cue is made of one, the next one first."""
        self.free = 0
        """Milliseconds of the call at which the last cue ends."""

    @property
    def start(self) -> int:
        """When the next cue begins, in milliseconds; without a next one, never."""
        return max(self.free, _milliseconds(self.blocks[0][1][0].start)) if self.blocks else sys.maxsize

    def next_cue(self, last_speaker: str | None, *, named: bool) -> Cue:
        """Take as much as is read at once."""
        speaker, block = self.blocks[0]
        start = self.start
        label = f"{_short(speaker)}: " if named and speaker != last_speaker else ""
        shown = [block.popleft() for _ in range(_fitting(label, block, start))]
        if not block:
            self.blocks.popleft()
        end = max(_milliseconds(piece.end) for piece in shown)
        end = max(end, min(start + SHORTEST, self.start), start + _FLASH)
        self.free = min(end, start + LONGEST)
        return Cue(start, self.free, speaker, _lines(label, shown))


def cues(finals: Iterable[TranscriptFinal], *, named: bool = False) -> list[Cue]:
    """A finished call's cues in the order of their start, every word in one of them.

    `named`: where the speaker changes the first line begins with a label, `caller: `. Words that are longer than a line
    are broken, as an address without spaces has to be.
    """
    channels: dict[str, _Channel] = {}
    for turn in turns(finals):
        channel = channels.setdefault(turn.track, _Channel())
        channel.blocks.extend((turn.speaker, block) for block in _blocks(turn))
    found: list[Cue] = []
    while any(channel.blocks for channel in channels.values()):
        channel = min(channels.values(), key=lambda channel: channel.start)
        found.append(channel.next_cue(found[-1].speaker if found else None, named=named))
    return found


def _blocks(turn: Turn) -> Iterator[deque[Piece]]:
    """The turn's pieces, parted where the speaker paused; none of them longer than a line."""
    block: deque[Piece] = deque()
    for piece in turn.pieces:
        if block and piece.start - block[-1].end >= _PAUSE:
            yield block
            block = deque()
        block.extend(_broken(piece))
    yield block


def _broken(piece: Piece) -> Iterator[Piece]:
    """The piece in parts that fit on a line, each with its share of the time."""
    if width(piece.text) <= LINE:
        yield piece
        return
    at, letters = 0, len(piece.text)
    for text in cut(piece.text, LINE):
        start, end = (
            round(piece.start + (piece.end - piece.start) * place / letters, 3) for place in (at, at + len(text))
        )
        yield Piece(text, start, end, piece.spaced and at == 0)
        at += len(text)


def _fitting(label: str, block: deque[Piece], start: int) -> int:
    """How many of the block's pieces a cue takes that begins at `start`, in milliseconds."""
    taken = width(label)
    lines = 1
    count = 0
    for piece in block:
        needed = width(piece.text) + (piece.spaced and count > 0)
        if taken + needed > LINE:
            lines += 1
            taken, needed = 0, width(piece.text)
        if lines > LINES or (count and _milliseconds(piece.end) > start + LONGEST):
            break
        taken += needed
        count += 1
    else:
        return count
    # There is more to say: rather stop at a sentence's end than go on with the next one's first words.
    return next((n for n in range(count, count // 2, -1) if block[n - 1].text.endswith(_SENTENCE_ENDS)), count)


def _lines(label: str, pieces: Sequence[Piece]) -> tuple[str, ...]:
    """A cue's text on one line, or on two that are about as long as each other."""
    whole = label + join(pieces)
    if width(whole) <= LINE:
        return (whole,)
    pairs = [((label + join(pieces[:n])).rstrip(), join(pieces[n:])) for n in range(len(pieces))]
    # As both fit in some way, they do in the most even one.
    return min(pairs, key=lambda pair: abs(width(pair[0]) - width(pair[1])))


def _short(speaker: str) -> str:
    return speaker if width(speaker) <= _LABEL else f"{cut(speaker, _LABEL - 1)[0]}…"


def _milliseconds(seconds: float) -> int:
    return max(0, round(seconds * 1000))
