"""Joins what a `Printout` prints to turns, so that a sentence is one line however a recognizer has cut it.

A turn is printed when it is over: the other speaker has the word, or a pause has passed in which nothing came. Until
then it grows, and is shown where lines can be changed. A machine, one per call: `now` is seconds of any monotonic
clock. What belongs to a turn is decided by `transcript.turns`, as in the exports.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from rich.text import Text

from bridge.cli.printout import Said
from bridge.events import Transcript
from bridge.transcript.turns import BACK_CHANNEL, PAUSE, Interval, goes_on


@dataclass(slots=True)
class Turn:
    """Segments of one speaker, to be printed as one line."""

    segments: list[Transcript]
    late: bool = False
    """It began before the line above it."""
    came: float = field(default=0.0, compare=False)
    """When its newest segment came."""

    @property
    def track(self) -> str:
        return self.segments[0].track

    @property
    def interval(self) -> Interval:
        return self.segments[0].start, max(segment.end for segment in self.segments)

    @property
    def over(self) -> float:
        """Seconds for which it was said over a turn that had begun before; a back-channel does not count."""
        overlaps = [(overlap, segment) for segment in self.segments for overlap in segment.overlaps]
        lengths = (overlap.end - overlap.start for overlap, segment in overlaps if overlap.start <= segment.start)
        return sum(length for length in lengths if round(length, 3) >= BACK_CHANNEL)


class Turns:
    """The turns of one call. Give it what its printout prints."""

    def __init__(self, pause: float = PAUSE) -> None:
        """`pause`: seconds without a word for which a turn is kept open."""
        self._pause = pause
        self._open: list[Turn] = []
        """In the order in which they are printed."""
        self._expected: Sequence[Transcript] = ()
        """What the printout holds back."""
        self._timer: float | None = None
        self._printed: list[Turn | Text] = []

    def __repr__(self) -> str:
        return f"<Turns {len(self._open)} open>"

    def receive(self, items: Iterable[Said | Text], waiting: Iterable[Said | Text], now: float) -> None:
        """Take what has been printed; `waiting`: what will be, and may go on with a turn that is open."""
        for item in items:
            if isinstance(item, Text):
                self.finish()
                self._printed.append(item)
            else:
                _add(self._open, item, now)
        self._expected = [item.transcript for item in waiting if isinstance(item, Said)]
        self.handle_timer(now)

    def finish(self) -> None:
        """Nothing goes on with what is open."""
        self._printed += self._open
        self._open = []
        self._timer = None

    def get_timer(self) -> float | None:
        """When `handle_timer` may have something to print."""
        return self._timer

    def handle_timer(self, now: float) -> None:
        """Print the turns that are over by `now`."""
        while self._open and self._is_over(self._open[0], now):
            self._printed.append(self._open.pop(0))
        self._timer = None
        if self._open and not self._is_expected(self._open[0]):
            self._timer = self._open[0].came + self._pause

    def turns_received(self) -> list[Turn | Text]:
        """The lines to print since the last call of this method, in order."""
        printed, self._printed = self._printed, []
        return printed

    def shown(self, waiting: Iterable[Said | Text]) -> list[Turn | Text]:
        """What is open, and what the printout holds back, as it would be printed now."""
        lines = [replace(turn, segments=list(turn.segments)) for turn in self._open]
        notes: list[Turn | Text] = []
        for item in waiting:
            if isinstance(item, Text):
                notes.append(item)
            else:
                _add(lines, item, 0.0)
        return [*lines, *notes]

    def _is_over(self, turn: Turn, now: float) -> bool:
        if any(other.track == turn.track for other in self._open if other is not turn):
            return True
        end = turn.interval[1]
        others = (segment for other in self._open if other.track != turn.track for segment in other.segments)
        if any(other.end > end and other.end - other.start >= BACK_CHANNEL for other in others):
            return True
        return now >= turn.came + self._pause and not self._is_expected(turn)

    def _is_expected(self, turn: Turn) -> bool:
        """Whether something is being said that goes on with it."""
        return any(said.track == turn.track and _belongs(said, turn, self._open) for said in self._expected)


def _add(turns: list[Turn], item: Said, now: float) -> None:
    """Add a segment to its speaker's last turn, or as a turn of its own."""
    said = item.transcript
    last = next((turn for turn in reversed(turns) if turn.track == said.track), None)
    if last and last.late == item.late and _belongs(said, last, turns):
        last.segments.append(said)
        last.came = now
    else:
        turns.append(Turn([said], item.late, now))


def _belongs(said: Transcript, turn: Turn, turns: Iterable[Turn]) -> bool:
    others = (segment for other in turns if other.track != turn.track for segment in other.segments)
    return goes_on(turn.interval, (said.start, said.end), ((other.start, other.end) for other in others))
