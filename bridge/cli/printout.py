"""Decides when each line of a call is printed, where a printed line cannot be changed.

`transcript.conversation` holds a segment back until no other can have begun before it; here finals are printed in the
order in which they began, each once, so a final also waits for segments that began before it and are still being
spoken. A line below one that began later is marked late. A machine, one per call: `now` is seconds of any monotonic
clock, and limits every wait. `conversation` decides how a line looks.
"""

from dataclasses import dataclass

from rich.text import Text

from bridge.events import Data, Transcript
from bridge.transcript.conversation import Conversation

WAIT = 3.0
"""Seconds for which a final waits for earlier speech of the other speaker. It waits so long only if there are no
interims, or no more speech."""

SILENT = 10.0
"""Seconds without a revision after which a segment's final is not waited for any more. Speech is revised every second,
but Deepgram may hold back the end of a number for three."""

_END = float("inf")


@dataclass(frozen=True, slots=True)
class Said:
    """A segment to be printed."""

    transcript: Transcript
    late: bool = False
    """It began before the line above it."""


class Printout:
    """The lines of one call. Give it the events of its speech, and notes of everything else."""

    def __init__(self, wait: float = WAIT, silent: float = SILENT) -> None:
        self._wait, self._silent = wait, silent
        self._conversation = Conversation()
        self._lines: dict[int, Transcript] = {}
        """Unprinted lines, by their place in the conversation."""
        self._notes: list[tuple[float, Text]] = []
        """Unprinted notes, in the order of their times."""
        self._came: dict[tuple[str, int], float] = {}
        """When each unprinted segment came, by segment and revision."""
        self._latest = 0.0
        """The start of the latest printed segment."""
        self._ended = False
        self._timer: float | None = None
        self._printed: list[Said | Text] = []

    def __repr__(self) -> str:
        state = "ended" if self._ended else f"{len(self._came)} segments and {len(self._notes)} notes waiting"
        return f"<Printout up to {self._latest:.1f} s, {state}>"

    def receive(self, data: Data, now: float) -> None:
        """Take an event of speech. At the end of the call use `finish`."""
        self._conversation.receive(data)
        self._go_on(now)

    def note(self, note: Text, now: float, at: float | None = None) -> None:
        """Take a note. With `at`, seconds of the call, it waits for segments that began before."""
        if at is None:
            self._printed.append(note)
            return
        self._notes.append((at, note))
        self._notes.sort(key=lambda noted: noted[0])
        self._go_on(now)

    def finish(self) -> None:
        """Print everything without waiting, from now on, and drop words that may still change."""
        self._ended = True
        self._conversation.finish()
        self._go_on(_END)

    def get_timer(self) -> float | None:
        """When `handle_timer` may have something to print."""
        return self._timer

    def handle_timer(self, now: float) -> None:
        """Print what has waited long enough by `now`."""
        self._go_on(now)

    def items_received(self) -> list[Said | Text]:
        """The lines to print since the last call of this method, in order."""
        printed, self._printed = self._printed, []
        return printed

    @property
    def waiting(self) -> list[Said | Text]:
        """Everything unprinted, by time: finals, notes, and words that may still change."""
        items: list[tuple[float, Said | Text]] = [(said.start, self._said(said)) for said in self._unprinted()]
        return [item for _, item in sorted([*items, *self._notes], key=lambda timed: timed[0])]

    def _go_on(self, now: float) -> None:
        """Print everything that need not wait."""
        if self._ended:
            now = _END
        self._take_lines(now)
        overdue = [said.start for said in self._conversation.waiting if said.final and self._deadline(said) <= now]
        if overdue:
            self._conversation.release(max(overdue))
            self._take_lines(now)
        self._print_lines(now)
        unprinted = self._unprinted()
        awaited = [said.start for said in unprinted if said.final or self._deadline(said) > now]
        self._print_notes(min(awaited, default=_END))
        self._came = {_revision(said): self._came[_revision(said)] for said in unprinted}
        self._timer = min((due for said in unprinted if (due := self._deadline(said)) > now), default=None)

    def _take_lines(self, now: float) -> None:
        """Take the lines that the conversation has changed."""
        for line in self._conversation.lines_received():
            if line.transcript.text:
                self._lines[line.place] = line.transcript
            else:
                self._lines.pop(line.place, None)
        for said in self._unprinted():
            self._came.setdefault(_revision(said), now)

    def _unprinted(self) -> list[Transcript]:
        return [*self._lines.values(), *self._conversation.waiting]

    def _deadline(self, said: Transcript) -> float:
        """When a final stops waiting for its place, or when others stop waiting for the final of this interim."""
        return self._came[_revision(said)] + (self._wait if said.final else self._silent)

    def _print_lines(self, now: float) -> None:
        """Print finals by time, up to the first segment that is still being spoken."""
        for place, said in sorted(self._lines.items(), key=lambda line: (line[1].start, line[0])):
            if said.final:
                del self._lines[place]
                self._print(said)
            elif self._ended:
                del self._lines[place]
            elif self._deadline(said) > now:
                break

    def _print(self, final: Transcript) -> None:
        self._print_notes(final.start)
        self._printed.append(self._said(final))
        self._latest = max(self._latest, final.start)

    def _said(self, transcript: Transcript) -> Said:
        return Said(transcript, late=transcript.start < self._latest)

    def _print_notes(self, until: float) -> None:
        while self._notes and self._notes[0][0] <= until:
            self._printed.append(self._notes.pop(0)[1])


def _revision(transcript: Transcript) -> tuple[str, int]:
    return transcript.segment_id, transcript.revision
