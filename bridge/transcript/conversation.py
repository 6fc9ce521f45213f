"""The live conversation: both speakers' segments merged into one view that only ever grows at its end.

The recognizer knows nothing of the other channel, so what was said first may be heard of last. A machine without clock
or socket, one per reader of a call, that holds a segment back until no other segment can begin before it, gives it its
place, and never moves it again. A segment gets its place with its first interim; its later revisions and its final
replace what stands there, and a final without words takes it away. So the hold-back counts from a segment's first word,
and only short ones ever wait.

What arrives too late for its place (words transcribed after an outage, or a recognizer that dawdled) is shown at the
end, marked late: a reader who looks at the bottom of the page sees it, and nothing above it jumps. In the finished view
(`ordered`, `turns`) it stands where it was said.

It is not a record: of a segment that is closed it keeps the id, and no words.
"""

from dataclasses import dataclass, replace

from bridge.events import TRACKS, CallEnded, CallResumed, Data, SpeechStarted, Transcript
from bridge.transcript.turns import Turn, ordered, turns

__all__ = ["FINALS_HOLD", "HOLD", "Conversation", "Line", "Turn", "ordered", "turns"]

HOLD = 1.5
"""Seconds: an interim a second, and what the recognizer takes for it."""

FINALS_HOLD = 10.0
"""Seconds where no interim has come: of a segment nothing is heard before all of it was said."""


@dataclass(frozen=True, slots=True)
class Line:
    """One segment in the view, new or changed."""

    place: int
    """From 0, without a number left out, for ever: the next one appends, a known one replaces."""
    turn: int
    """From 0: the lines of one speaker until the other speaks. What is late has turns of its own."""
    late: bool
    """Said before lines that stand above it."""
    transcript: Transcript
    """Its newest revision; an empty text takes the line away, and leaves its place empty."""


class Conversation:
    """The merged view of one call. Feed it every event of the call in the order of arrival.

    It measures time by what has been recognized, so it waits as long as an outage lasts, or a silence; a reader with a
    clock, who will not, says `release`.
    """

    def __init__(self, hold: float | None = None) -> None:
        """`hold`: seconds of recognized audio for which a segment's first word waits for the other speakers'; by
        default `HOLD`, and until there are interims `FINALS_HOLD`."""
        self._hold = FINALS_HOLD if hold is None else hold
        self._adapts = hold is None
        self._position = 0.0
        """How far the call has been recognized."""
        self._released = 0.0
        """Who began no later waits no longer."""
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
            f"<Conversation at {self._position:.1f} s: {len(self._waiting)} waiting for {self._hold:g} s, "
            f"{len(self._open)} open, {len(self._closed)} closed>"
        )

    def receive(self, data: Data) -> None:
        """What an event says. Events without speech are let pass; `call.ended` is the end."""
        match data:
            case Transcript():
                self._receive_transcript(data)
            case SpeechStarted():
                self._position = max(self._position, data.at)
            case CallResumed(reason="bridge_restarted" | "handed_over"):
                self._abandon()
            case CallEnded():
                self.finish()
            case _:
                pass
        self._give_places()

    @property
    def waiting(self) -> list[Transcript]:
        """Segments that have no place yet, in the order in which they will get one if no other comes between."""
        return sorted(self._waiting.values(), key=lambda waiting: (waiting.start, waiting.channel))

    def release(self, start: float) -> None:
        """Segments that began at `start`, or before, have waited long enough. In seconds of the call."""
        self._released = max(self._released, start)
        self._give_places()

    def finish(self) -> None:
        """Nothing more comes of what is not here yet: nothing needs to wait."""
        self.release(float("inf"))

    def lines_received(self) -> list[Line]:
        """Lines that are new or have changed since the last call, in order."""
        lines, self._lines = self._lines, []
        return lines

    def _receive_transcript(self, transcript: Transcript) -> None:
        segment = transcript.segment_id
        line = self._open.get(segment)
        known = line.transcript if line else self._waiting.get(segment)
        if segment in self._closed or (known and _rank(known) >= _rank(transcript)):
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

    def _take_time(self, transcript: Transcript) -> None:
        """What one channel's segment says of the time: the next one of that channel begins where it ends."""
        if self._adapts and not transcript.final:
            self._hold = HOLD
        settled = transcript.end if transcript.final and transcript.text else transcript.start
        self._settled[transcript.track] = max(self._settled[transcript.track], settled)
        self._position = max(self._position, transcript.end)

    def _abandon(self) -> None:
        """Who revised the open segments is gone: no final comes of them, and their ids are given once more."""
        self._waiting = {segment: waiting for segment, waiting in self._waiting.items() if waiting.final}
        for line in self._open.values():
            nothing = line.transcript.model_copy(update={"text": "", "words": [], "overlaps": []})
            self._lines.append(replace(line, transcript=nothing))
        self._open.clear()

    def _give_places(self) -> None:
        """To those whose turn has come, the earliest first."""
        for transcript in self.waiting:
            if not self._is_due(transcript):
                return
            del self._waiting[transcript.segment_id]
            self._append(transcript)

    def _is_due(self, transcript: Transcript) -> bool:
        """Whether it can go nowhere but to the end: too late, waited long enough, or no other can begin before."""
        start = transcript.start
        if start < self._latest or start <= self._released or self._position >= start + self._hold:
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


def _rank(transcript: Transcript) -> tuple[bool, int]:
    """Of two revisions of a segment the higher counts; no interim counts against a final."""
    return transcript.final, transcript.revision
