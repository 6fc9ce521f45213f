"""What of a call is printed when, on paper that takes nothing back.

The live conversation holds a segment back until nobody else can have begun before it; here its finals are printed by
the time at which they began, each once, so one also waits for those that began before it and are still being said. What
comes below a line that began later is marked late. A machine without clock or paper, one per call: `now` is seconds of
any clock that only goes on, and by it nobody waits for long. How a line looks is the business of `conversation`, beside
this.
"""

from dataclasses import dataclass

from rich.text import Text

from bridge.events import Data, Transcript
from bridge.transcript.conversation import Conversation

WAIT = 3.0
"""Seconds for which a final waits for what the other speaker may have begun to say before it. So long it takes only
where there are no interims, or nobody goes on."""

SILENT = 10.0
"""Seconds without a revision after which nobody waits for a segment's final any more. Speech is revised every second,
but Deepgram may keep the end of a number to itself for three."""

_END = float("inf")


@dataclass(frozen=True, slots=True)
class Said:
    """A segment as it is shown."""

    transcript: Transcript
    late: bool = False
    """It began before what is printed above it."""


class Printout:
    """The paper of one call. Feed it the events that somebody spoke in, and notes of what else happened."""

    def __init__(self) -> None:
        self._conversation = Conversation()
        self._lines: dict[int, Transcript] = {}
        """By its place in the conversation: what is not printed."""
        self._notes: list[tuple[float, Text]] = []
        """With their time and in its order: what is not printed."""
        self._came: dict[tuple[str, int], float] = {}
        """By segment and revision: when what is not printed came."""
        self._latest = 0.0
        """When the newest of what is printed began."""
        self._ended = False
        self._timer: float | None = None
        self._printed: list[Said | Text] = []

    def __repr__(self) -> str:
        state = "ended" if self._ended else f"{len(self._came)} segments and {len(self._notes)} notes waiting"
        return f"<Printout up to {self._latest:.1f} s, {state}>"

    def receive(self, data: Data, now: float) -> None:
        """What an event says. Who knows that the call is over says `finish`."""
        self._conversation.receive(data)
        self._go_on(now)

    def note(self, note: Text, now: float, at: float | None = None) -> None:
        """What else happened; at a second of the call, it waits for what is known to have begun before."""
        if at is None:
            self._printed.append(note)
            return
        self._notes.append((at, note))
        self._notes.sort(key=lambda noted: noted[0])
        self._go_on(now)

    def finish(self) -> None:
        """Nobody waits any more, now or later, and words that may still change are no longer shown."""
        self._ended = True
        self._conversation.finish()
        self._go_on(_END)

    def get_timer(self) -> float | None:
        """When `handle_timer` may have something to print."""
        return self._timer

    def handle_timer(self, now: float) -> None:
        """It is `now`, and nothing came."""
        self._go_on(now)

    def items_received(self) -> list[Said | Text]:
        """What is to be printed since the last call, in order."""
        printed, self._printed = self._printed, []
        return printed

    @property
    def waiting(self) -> list[Said | Text]:
        """What is not printed, by time: finals, notes, and words that may still change."""
        items: list[tuple[float, Said | Text]] = [(said.start, self._said(said)) for said in self._unprinted()]
        return [item for _, item in sorted([*items, *self._notes], key=lambda timed: timed[0])]

    def _go_on(self, now: float) -> None:
        """Print whatever need not wait."""
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
        """What the conversation makes of what it heard."""
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
        """Until when a final waits for its place, and until when others wait for the final of an interim."""
        return self._came[_revision(said)] + (WAIT if said.final else SILENT)

    def _print_lines(self, now: float) -> None:
        """Finals by time, up to the first segment that is still being said."""
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
