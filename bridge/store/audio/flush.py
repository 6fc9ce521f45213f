"""What is done on the disk for one call in one go, and what came of it.

Filled by the event loop, run in the writer's thread, looked at by the event loop again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bridge.audio import CHANNELS
from bridge.spans import Span
from bridge.store.audio.segments import Segments

Then = Literal["go on", "close", "remove", "discard", "move"]


@dataclass(slots=True, eq=False)
class Flush:
    """What is to be done for one call in one go, and, from `lost` on, what came of it."""

    segments: Segments
    span: Span
    """Where `audio` belongs."""
    audio: list[bytes]
    settled: int
    """Segments wholly before this position can go."""
    note: str | None
    """The new note; None once it is written."""
    then: Then
    recording: Path | None = None
    """Where "move" moves it; with it, what can go stays, and takes no room."""
    muted: tuple[tuple[int, Span], ...] = ()
    """What is made silent before that, by channel."""
    late: bool = False
    """The audio must soon be elsewhere too."""

    lost: Span | None = None
    """What was not written of `span`."""
    dropped: int = 0
    """Segments."""
    start: int = 0
    """Position of the oldest sample on the disk."""
    error: OSError | None = None
    """The last trouble."""
    moved: bool = False

    @property
    def octets(self) -> int:
        return (self.span.end - self.span.start) * CHANNELS if self.audio else 0

    def run(self) -> None:
        """In the thread. A trouble with one step does not keep the others from being done."""
        if self.then in ("remove", "discard"):
            self._try(self.segments.remove)
            return
        self._try(self._drop)  # first, because it makes room
        self.segments.late = self.late
        if self.audio:
            self._try(self._write)
        if self.note is not None:
            self._try(self._write_note)
        if self.then == "close":
            self._try(self.segments.close)
        elif self.then == "move":
            self._try(self._move)
        self.start = self.segments.start

    def refuse(self, error: OSError) -> None:
        """Do not write the audio."""
        self.audio, self.lost, self.error = [], self.span, error

    def _try(self, step: Callable[[], None]) -> None:
        try:
            step()
        except OSError as error:
            self.error = error

    def _drop(self) -> None:
        if self.recording:
            self.segments.release(self.settled)
            return
        self.dropped = self.segments.drop(self.settled)

    def _write(self) -> None:
        try:
            self.segments.write(self.span.start, b"".join(self.audio))
        except OSError:
            self.lost = Span(max(self.span.start, self.segments.end), self.span.end)
            raise

    def _write_note(self) -> None:
        assert self.note is not None
        self.segments.write_note(self.note)
        self.note = None

    def _move(self) -> None:
        assert self.recording is not None
        self.segments.move(self.recording, self.muted)
        self.moved = True
