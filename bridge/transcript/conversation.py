"""The live conversation: both speakers' segments merged into one view that only ever grows at its end.

The recognizer knows nothing of the other channel, so what was said first may be heard of last. A machine without clock
or socket, one per reader of a call, that holds a segment back until nobody else can have begun before it, gives it its
place, and never moves it again. A segment gets its place with its first interim; its later revisions and its final
replace what stands there, and a final without words takes it away. So the hold-back counts from a segment's first word,
and only short ones ever wait.

What arrives too late for its place (words transcribed after an outage, or a recognizer that dawdled) is shown at the
end, marked late: a reader who looks at the bottom of the page sees it, and nothing above it jumps. In the finished view
(`ordered`, `turns`) it stands where it was said.

It is not a record: of a segment that is closed it keeps the id, and no words.
"""

from dataclasses import dataclass, replace

from bridge.events import TRACKS, CallEnded, Data, SpeechStarted, Transcript
from bridge.transcript.turns import Turn, ordered, turns

__all__ = ["HOLD", "Conversation", "Line", "Turn", "ordered", "turns"]

HOLD = 1.5
"""Seconds: an interim a second, and what the recognizer takes for it. Who gets finals only wants ten."""


@dataclass(frozen=True, slots=True)
class Line:
    """One segment in the view, new or changed."""

    place: int
    """From 0, without holes, for ever: the next one appends, a known one replaces."""
    turn: int
    """From 0: the lines of one speaker until the other speaks. What is late has turns of its own."""
    late: bool
    """Said before lines that stand above it."""
    transcript: Transcript
    """Its newest revision; an empty text takes the line away, and leaves its place empty."""


class Conversation:
    """The merged view of one call. Feed it every event of the call in the order of arrival.

    It measures time by what has been recognized, so it waits as long as an outage lasts; `advance` is for a quiet line.
    """

    def __init__(self, hold: float = HOLD) -> None:
        """`hold`: seconds of recognized audio for which a segment's first word waits for the other speakers'."""
        self._hold = hold
        self._position = 0.0
        self._settled: dict[str, float] = dict.fromkeys(TRACKS, 0.0)
        """By track, in seconds of the call: nothing new of it begins before."""
        self._waiting: dict[str, Transcript] = {}
        """Segments without a place."""
        self._open: dict[str, Line] = {}
        """Segments with a place whose final is not there yet."""
        self._closed: set[str] = set()
        self._lines: list[Line] = []
        self._last: Line | None = None
        """The line at the end of the view."""
        self._latest = 0.0
        """Where the newest of the lines that are not late began."""

    def __repr__(self) -> str:
        return (
            f"<Conversation at {self._position:.1f} s: {len(self._waiting)} waiting, "
            f"{len(self._open)} open, {len(self._closed)} closed>"
        )

    def receive(self, data: Data) -> None:
        """What an event says. Events that nobody spoke in are let pass; `call.ended` is the end."""
        match data:
            case Transcript():
                self._receive_transcript(data)
            case SpeechStarted():
                self.advance(data.at)
            case CallEnded():
                self.finish()
            case _:
                pass

    def advance(self, position: float) -> None:
        """The recognizer has heard the call up to `position`, in seconds of the call, whether anybody spoke or not."""
        self._position = max(self._position, position)
        self._release()

    def finish(self) -> None:
        """Nothing more comes of what is not here yet: nothing needs to wait."""
        self.advance(float("inf"))

    def get_timer(self) -> float | None:
        """The position at which the next line is shown even if nothing more is heard; None: no line waits."""
        return min((waiting.start + self._hold for waiting in self._waiting.values()), default=None)

    def lines_received(self) -> list[Line]:
        """Lines that are new or have changed since the last call, in order."""
        lines, self._lines = self._lines, []
        return lines

    def _receive_transcript(self, transcript: Transcript) -> None:
        segment = transcript.segment_id
        line = self._open.get(segment)
        known = line.transcript if line else self._waiting.get(segment)
        if segment in self._closed or (known and known.revision >= transcript.revision):
            return
        if line:
            self._show(replace(line, transcript=transcript))
        elif transcript.text:
            self._waiting[segment] = transcript
        else:
            self._waiting.pop(segment, None)
            if transcript.final:
                self._closed.add(segment)
        if transcript.source == "live":
            self._take_time(transcript)
        self._release()

    def _take_time(self, transcript: Transcript) -> None:
        """What one channel's segment says of the time: the next one of that channel begins where it ends."""
        settled = transcript.end if transcript.final and transcript.text else transcript.start
        self._settled[transcript.track] = max(self._settled[transcript.track], settled)
        self._position = max(self._position, transcript.end)

    def _release(self) -> None:
        """Give a place to those whose turn has come, the earliest first."""
        for transcript in sorted(self._waiting.values(), key=lambda waiting: (waiting.start, waiting.channel)):
            if not self._is_due(transcript):
                return
            del self._waiting[transcript.segment_id]
            self._append(transcript)

    def _is_due(self, transcript: Transcript) -> bool:
        """Whether it can go nowhere but to the end: too late, waited long enough, or nobody can have begun before."""
        start = transcript.start
        if start < self._latest or self._position >= start + self._hold:
            return True
        return all(settled >= start for track, settled in self._settled.items() if track != transcript.track)

    def _append(self, transcript: Transcript) -> None:
        late = transcript.start < self._latest
        self._latest = max(self._latest, transcript.start)
        last = self._last
        if last is None:
            self._last = Line(0, 0, late, transcript)
        else:
            goes_on = last.late == late and last.transcript.track == transcript.track
            self._last = Line(last.place + 1, last.turn if goes_on else last.turn + 1, late, transcript)
        self._show(self._last)

    def _show(self, line: Line) -> None:
        self._lines.append(line)
        segment = line.transcript.segment_id
        if line.transcript.final:
            self._open.pop(segment, None)
            self._closed.add(segment)
        else:
            self._open[segment] = line
