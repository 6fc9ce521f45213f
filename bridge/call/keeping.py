"""The kept audio of one call: what is let go of as finals cover it, the note beside it, and what becomes of it at last.

A call whose audio cannot be kept goes on without: then nothing is done here.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from bridge.audio import CHANNELS
from bridge.call import describe
from bridge.call.note import Note
from bridge.call.overlap import TAIL
from bridge.call.projection import BY_PROCESSES
from bridge.call.record import Record
from bridge.deepgram.exchange import Uncovered
from bridge.errors import StoreError
from bridge.events import ResumeReason, Stretch, Track
from bridge.store.kept import CallAudio, Left


class Keeping:
    """Made by a call, for itself."""

    def __init__(self, audio: CallAudio | None, note: Note, record: Record) -> None:
        self.note = note
        self.tail = 0
        """Samples at the end that stay though finals cover them: another process is to find by them where to go on."""
        self._audio = audio
        self._record = record

    @property
    def end(self) -> int:
        """Where the kept audio ends, in samples of the call."""
        return self._audio.end if self._audio else 0

    @property
    def keeps(self) -> bool:
        """Whether there is a place for the audio."""
        return self._audio is not None

    def add_tracks(self, tracks: tuple[Track, ...], heard: int | None, resumes: ResumeReason | None = None) -> None:
        """A stream of these tracks is here. `heard`: as `write`'s. `resumes`: why the call goes on with it, which the
        log is told after this: audio that it says an earlier process has left is not read."""
        self.note.add_tracks(tracks)
        if by_process := resumes in BY_PROCESSES:
            self.note.resumed = (self.note.resumed or 0) + 1
        self.write(heard, at_once=by_process)

    def write(self, heard: int | None, *, at_once: bool = False) -> None:
        """Write the note again. `heard`: where the audio of the lost streams ended; None while one is heard."""
        if self._audio:
            self.note.anchor, self.note.heard = self._record.anchor, heard
            self._audio.write_note(self.note.dump(), at_once=at_once)

    def settle(self, settled: int, holes: Sequence[Uncovered], heard: int | None) -> None:
        """Let go of audio that finals cover up to `settled`; the `holes` that they have left are noted for the next
        process."""
        if not self._audio:
            return
        if not self._record.uncovered:
            self._audio.settle(max(0, self._record.settled(settled) - self.tail))
        found: list[Stretch] = describe.stretches(holes)
        if found != self.note.holes:
            self.note.holes = found
            self.write(heard, at_once=True)  # with the final, which after a crash would say that all is covered

    async def leave(
        self, silent: Mapping[Track, int] | None, heard: int | None, clock: float | None = None, *, away: bool = False
    ) -> Left | None:
        """The next process goes on with the call. `silent`: where the audio ended of tracks that are silent now, if
        there was any. `clock`: as the note's. `away`: it may be one that cannot reach this disk; then what it needs of
        it is returned, if anything is kept."""
        if not self._audio:
            return None
        record = self._record
        unkept = record.events.waiting + record.events.unkept
        self.note.uncovered = None if unkept else record.uncovered  # words that are in no log are uncovered
        self.note.clock = clock
        if silent is not None:
            self.note.silent = dict(silent)
        self.write(heard)
        left = Left(self.note.dump(), *await self._tail(self._audio)) if away else None
        self._audio.close()
        return left

    async def _tail(self, audio: CallAudio) -> tuple[int, bytes]:
        """The last of it; nothing, at its end, where that is not to be had."""
        begin = max(0, audio.end - TAIL)
        with suppress(StoreError):  # it is closed: the process stops
            start, octets = await audio.read_on(begin, audio.end - begin)
            if start + len(octets) // CHANNELS == audio.end:
                return start, octets
        return audio.end, b""

    async def finish(self) -> None:
        """The call is over: its audio goes, unless something is still to be transcribed from it."""
        if not self._audio:
            return
        events = self._record.events
        if self._record.uncovered or events.waiting + events.unkept:
            self._audio.close()  # words that are in no log are in the audio only
        else:
            await self._audio.finish(self._record.muted)
