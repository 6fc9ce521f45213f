"""Which calls have audio on the disk: those that are open now, and those that this or another process has left.

    DATA_DIR/audio/<call id>/000000000000.ulaw   interleaved mu-law, named by the position of the first sample
                             000000480000.ulaw
                             call.json           the note
    DATA_DIR/recordings/<call id>/…              the same, once a call is finished and where audio is kept for good

One process at a time uses a `DATA_DIR`; the SQLite store's lock sees to that.
"""

import re
from collections import Counter
from pathlib import Path
from typing import Any

from bridge.audio import SAMPLE_RATE
from bridge.errors import LocalProtocolError, StoreError
from bridge.store.archive.base import AudioArchive
from bridge.store.audio.file import AudioFile
from bridge.store.audio.flush import Flush, Then
from bridge.store.audio.segments import Room, Segments
from bridge.store.audio.writer import BACKLOG, AudioWriter

FOLDER = "audio"

PATIENCE = 30.0
"""Seconds that audio may wait for its words before it must outlive this disk, where there is an archive."""

RECORDINGS = "recordings"

CALL_ID = re.compile(r"[A-Za-z0-9_-]{1,80}", re.ASCII)

_BRINGING = 3.0  # seconds for audio of a call that goes on elsewhere to get to the archive

_PROBE = ".probe"  # the id of no call


class AudioStore:
    """`async with AudioStore(data_dir, limit=…) as audio:` opens it, or says in a `StoreError` why it cannot."""

    def __init__(
        self,
        data_dir: str | Path,
        *,
        limit: int,
        keep: bool = False,
        segment_seconds: float = 60,
        flush_interval: float = 0.25,
        backlog: int = BACKLOG,
        archive: AudioArchive | None = None,
    ) -> None:
        """`limit`: octets on the disk over all calls; beyond it new audio is lost, until there is room again.

        A call that is settled as it goes takes up to two segments, 2 MB; in an outage 1 MB a minute more. `keep`:
        settled audio stays too, and counts no more; once a call is finished it goes to the recordings.
        `backlog`: octets over all calls that may wait for a slow disk. `archive`: where audio goes that must outlive
        this one, open before and after this.
        """
        self.counters: Counter[str] = Counter()
        self._folder = Path(data_dir) / FOLDER
        self._recordings = Path(data_dir) / RECORDINGS if keep else None
        self._room = Room(limit)
        self._segment = round(segment_seconds * SAMPLE_RATE)
        self._interval = flush_interval
        self._backlog = backlog
        self._archive = archive
        self._open: dict[str, AudioFile] = {}
        self._left: set[str] = set()
        self._opening: set[str] = set()  # of those that were left
        self._writer: AudioWriter | None = None

    async def __aenter__(self) -> "AudioStore":
        self._writer = AudioWriter(self.counters, self._interval, self._backlog)
        try:
            self._left = await self._writer.call(self._scan)
        except OSError as error:
            await self._writer.close()
            raise StoreError(f"cannot open {error.filename or self._folder}: {error.strerror}") from error
        if self._archive:
            for call_id in self._left:
                self._archive.left_here(call_id)
        return self

    async def __aexit__(self, *_: object) -> None:
        for file in list(self._open.values()):
            file.close()
        if self._writer:
            await self._writer.close()

    def __repr__(self) -> str:
        return (
            f"<AudioStore open {len(self._open)} kept {len(self._left)} used {self.used} of {self._room.limit} "
            f"waiting {self.waiting} lost {self.counters['lost_samples']}>"
        )

    @property
    def used(self) -> int:
        """Octets of audio on the disk."""
        return self._room.used

    @property
    def limit(self) -> int:
        """Octets that there may be."""
        return self._room.limit

    @property
    def most_waiting(self) -> int:
        """Octets that may be on their way to the disk."""
        return self._backlog

    @property
    def waiting(self) -> int:
        """Octets of audio on their way to the disk."""
        return self._writer.waiting if self._writer else 0

    def kept(self) -> list[str]:
        """The calls of which there is something and which are not open."""
        return sorted(self._left)

    async def has(self, call_id: str) -> bool:
        """Whether there is audio of a call that is not open, here or in the archive. Raises `StoreError`."""
        if call_id in self._left:
            return True
        elsewhere = self._archive and CALL_ID.fullmatch(call_id) and not self.is_open(call_id)
        return bool(elsewhere and self._archive and await self._archive.has(call_id))

    async def elsewhere(self) -> list[str]:
        """The calls of which there is audio in the archive, and none here. Raises `StoreError`."""
        found = await self._archive.kept() if self._archive else []
        return [call_id for call_id in found if not self.is_open(call_id) and call_id not in self._left]

    def is_open(self, call_id: str) -> bool:
        """Whether this call's audio is open now."""
        return call_id in self._open or call_id in self._opening

    def open(self, call_id: str) -> AudioFile:
        """Begin to keep a call of which there is nothing yet; `call_id` must do as the name of a folder."""
        if not CALL_ID.fullmatch(call_id):
            raise LocalProtocolError(f"{call_id!r} is no call id")
        if self.is_open(call_id) or call_id in self._left:
            raise LocalProtocolError(f"there is audio of {call_id} already")
        return self._add(call_id, self._segments(call_id))

    async def reopen(self, call_id: str) -> AudioFile:
        """Go on with one of `kept`, or with one that is in the archive: its `end` is where the files end.

        Raises `StoreError` if there is none, or it cannot be read.
        """
        if call_id not in self._left and not await self._restore(call_id):
            raise StoreError(f"there is no audio of {call_id} to go on with")
        segments = self._segments(call_id)
        self._left.remove(call_id)  # at once: who asks next is told that it is taken
        self._opening.add(call_id)
        try:
            note = await self._running.call(_load, segments)
        except BaseException as error:
            self._left.add(call_id)
            if isinstance(error, OSError):
                raise StoreError(f"cannot read the audio of {call_id}: {error.strerror}") from error
            raise
        finally:
            self._opening.remove(call_id)
        return self._add(call_id, segments, note)

    async def brought(self, call_id: str) -> None:
        """Until audio of a call that was closed is in the archive, if there is one and it works."""
        if self._archive:
            await self.flush()
            await self._archive.drain(_BRINGING, call_id)

    async def flush(self) -> None:
        """Until what all calls have appended so far is written, or lost."""
        await self._running.flush()

    @property
    def _running(self) -> AudioWriter:
        if self._writer is None:
            raise StoreError("the audio store is not open")
        return self._writer

    async def _restore(self, call_id: str) -> bool:
        """Bring the audio of a call here from the archive; whether there is some. Raises `StoreError`."""
        if not self._archive or self.is_open(call_id) or not CALL_ID.fullmatch(call_id):
            return False
        self._opening.add(call_id)
        try:
            if await self._archive.restore(call_id, self._folder / call_id):
                self._room.used += await self._running.call(self._octets, call_id)
                self._left.add(call_id)
        finally:
            self._opening.remove(call_id)
        return call_id in self._left

    def _flushed(self, file: AudioFile, flush: Flush) -> None:
        """What must outlive this disk is told to the archive."""
        if not self._archive or flush.then == "discard":
            return
        if flush.then == "remove" or flush.moved:
            self._archive.let_go(file.call_id)
        elif flush.then != "go on":
            self._archive.keep(file.call_id)
        elif flush.late:
            self._archive.keep(file.call_id, flush.settled, grows=True)

    def _octets(self, call_id: str) -> int:
        segments = self._segments(call_id)
        segments.load()
        return segments.octets

    def _segments(self, call_id: str) -> Segments:
        return Segments(self._folder / call_id, self._room, self._segment)

    def _add(self, call_id: str, segments: Segments, note: dict[str, Any] | None = None) -> AudioFile:
        recording = self._recordings / call_id if self._recordings else None
        file = AudioFile(
            call_id,
            segments,
            self._running,
            recording=recording,
            note=note,
            on_leave=self._leave,
            on_flushed=self._flushed,
            patience=round(PATIENCE * SAMPLE_RATE) if self._archive else None,
        )
        self._open[call_id] = file
        return file

    def _leave(self, file: AudioFile, how: Then) -> None:
        del self._open[file.call_id]
        if how == "close":
            self._left.add(file.call_id)

    def _scan(self) -> set[str]:
        """In the thread: which calls there are, and how much room they take. Raises `OSError`."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._recordings:
            self._try_to_move(self._recordings)
        found = {path.name for path in self._folder.iterdir() if CALL_ID.fullmatch(path.name) and path.is_dir()}
        for call_id in found:
            self._room.used += self._octets(call_id)
        return found

    def _try_to_move(self, recordings: Path) -> None:
        """A place that takes no folder of ours, such as another file system, is said at the start, not after a call."""
        recordings.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = self._folder / _PROBE
        probe.mkdir(mode=0o700, exist_ok=True)
        try:
            probe.rename(recordings / _PROBE).rmdir()
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(recordings)) from error


def _load(segments: Segments) -> dict[str, Any] | None:
    segments.load()
    return segments.read_note()
