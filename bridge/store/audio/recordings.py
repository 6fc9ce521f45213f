"""The recordings: finished calls whose audio is kept for good. It reads and deletes them; `AudioFile.finish` puts them
there, each in one step, and nothing in them changes after that. Where there is an archive they go on to that, and are
read and deleted there.

Nothing here is known in advance: each question about a call, or about what is too old, goes to the disk, in a thread
and in short pieces, so that 100,000 recordings hold up neither the event loop nor a server that wants to stop.
What was never written is silence; what is there and cannot be read is an error.
"""

import asyncio
import hashlib
import heapq
import logging
import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from bridge.audio import CHANNELS, SILENCE
from bridge.errors import StoreError
from bridge.store.archive.base import ArchiveError, AudioArchive, Found, Recorded
from bridge.store.audio.segments import Segment, find, remove_folder
from bridge.store.audio.store import CALL_ID, FOLDER, RECORDINGS

log = logging.getLogger(__name__)

_HASTE = 2.0  # seconds for the archive to say whether there is a recording
_AT_ONCE = 200  # recordings that are looked at in one go: some hundredths of a second, while a server that stops waits


class Recording:
    """The audio of one call, as it was when `Recordings.open` looked."""

    def __init__(
        self,
        call_id: str,
        folders: list[Path],
        segments: list[Segment],
        changed: int,
        archived: Callable[[], Awaitable[Recorded | None]] | None = None,
    ) -> None:
        """`folders`: where its files are, and then where they may have been moved. `changed`: when, in ns. `archived`
        finds it in the archive, where it may be by then."""
        self.call_id = call_id
        self.samples = segments[-1].end
        """Position after the newest sample: the length of each channel, as far as the files say."""
        layout = f"{call_id} {changed} {[(segment.start, segment.end) for segment in segments]}"
        self.version = hashlib.sha256(layout.encode()).hexdigest()[:16]
        """Another one for other audio; the same wherever it lies."""
        self._folders = folders
        self._segments = segments
        self._archived = archived
        self._moved: Recorded | None = None

    def __repr__(self) -> str:
        return f"<Recording {self.call_id} samples {self.samples} files {len(self._segments)}>"

    async def read(self, start: int, samples: int) -> bytes:
        """Interleaved mu-law, exactly `samples` per channel from `start` on, with silence where there is no audio.

        Raises `StoreError` for what is there and cannot be read, as when the recording was deleted meanwhile.
        """
        if not self._moved:
            try:
                return await asyncio.to_thread(self._read, start, samples)
            except _NotHere:
                self._moved = await self._archived() if self._archived else None
                if not self._moved:
                    raise
        return await self._moved.read(start, samples)

    def _read(self, start: int, samples: int) -> bytes:
        stop = start + samples
        parts: list[bytes] = []
        for segment in self._segments:
            begin, end = max(start, segment.start), min(stop, segment.end)
            if begin < end:
                parts.append(_silence(begin - start))
                parts.append(self._read_segment(segment, begin, end))
                start = end
        parts.append(_silence(stop - start))
        return b"".join(parts)

    def _read_segment(self, segment: Segment, start: int, stop: int) -> bytes:
        octets = (stop - start) * CHANNELS
        reason, kind = None, StoreError
        for folder in self._folders:
            try:
                with (folder / segment.name).open("rb", buffering=0) as file:
                    audio = os.pread(file.fileno(), octets, (start - segment.start) * CHANNELS)
                    return audio.ljust(octets, SILENCE)
            except OSError as error:
                reason = error.strerror
                kind = _NotHere if isinstance(error, FileNotFoundError) else StoreError
                if kind is StoreError:
                    break
        raise kind(f"cannot read the recording of {self.call_id}: {reason}")


class _NotHere(StoreError):
    """It was deleted meanwhile, or brought to the archive."""


_Entry = tuple[float, int, str, str]
"""A recording among others: when it ended, in seconds since 1970, how many octets it has, whose it is, and its key in
the archive, if it is there.

A bare tuple: the garbage collector stops looking at it, and a hundred thousand of others would hold up everything.
"""


class Recordings:
    """All of a `DATA_DIR`. It opens nothing that must be closed, and may be made whether audio is kept or not."""

    def __init__(self, data_dir: str | Path, *, unfinished: bool = True, archive: AudioArchive | None = None) -> None:
        """`unfinished`: whether what has still to be transcribed will be a recording; where audio is not kept for
        good it is not to be heard. `archive`: where recordings go, open while this is used."""
        self._folder = Path(data_dir) / RECORDINGS
        self._unfinished = Path(data_dir) / FOLDER if unfinished else None
        self._archive = archive
        self._archived = 0, 0  # recordings in the archive, and their octets, by the last look

    async def open(self, call_id: str) -> Recorded | None:
        """A finished recording, or else what is there of a call that has still to be transcribed; None for neither.

        Any string will do as `call_id`. Raises `StoreError` for what cannot be read.
        """
        if not CALL_ID.fullmatch(call_id):
            return None
        try:
            recording = await asyncio.to_thread(self._open, call_id)
        except OSError as error:
            raise StoreError(f"cannot read the recording of {call_id}: {error.strerror}") from error
        return await self._archive.recording(call_id) if self._archive and not recording else recording

    async def has(self, call_id: str) -> bool:
        """Whether there is a recording that can be heard now, as far as the archive says so at once. Raises
        `StoreError` for what cannot be read here."""
        try:
            async with asyncio.timeout(_HASTE if self._archive else None):
                return await self.open(call_id) is not None
        except (ArchiveError, TimeoutError):
            return False

    async def remove(self, call_id: str) -> bool:
        """Delete a finished recording, and all that the archive has of the call; whether there was any. Raises
        `StoreError` if it cannot be deleted: then it can be tried again.

        Audio that has still to be transcribed is the `AudioStore`'s: `reopen` and `remove` it there.
        """
        if not CALL_ID.fullmatch(call_id):
            return False
        there = await self.drop(call_id)
        if self._archive:
            there = await self._archive.erase(call_id) or there
        if there:
            log.info("recording deleted", extra={"call_id": call_id, "reason": "asked for"})
        return there

    async def drop(self, call_id: str) -> bool:
        """Delete a finished recording that is on this disk, whatever the archive has; whether there was one. Raises
        `StoreError` if it cannot be deleted."""
        try:
            return bool(CALL_ID.fullmatch(call_id)) and await asyncio.to_thread(self._remove, call_id)
        except OSError as error:
            raise StoreError(f"cannot delete the recording of {call_id}: {error.strerror}") from error

    async def sweep(self, now: float, max_age: float | None, max_octets: int | None, *, everywhere: bool = True) -> int:
        """Delete recordings that ended over `max_age` seconds before `now`, seconds since 1970, and then the oldest,
        until the audio of all of them is within `max_octets`. None: no bound. `everywhere`: those in the archive, too,
        which are counted then. How many were deleted.

        A recording's end is when its newest segment was last written. What cannot be deleted is logged, and found again
        by the next sweep.
        """
        archived = await self._look_into_archive() if everywhere else []
        if max_age is None and max_octets is None:
            return 0
        if not everywhere:
            self._archived = 0, 0  # told by the process that has looked
        oldest, octets, deleted = now - max_age if max_age is not None else 0.0, 0, 0
        call_ids = await asyncio.to_thread(self._call_ids)
        batches = [*archived]
        octets += self._archived[1]
        for first in range(0, len(call_ids), _AT_ONCE):
            batches.append(await asyncio.to_thread(self._measure, call_ids[first : first + _AT_ONCE]))
            octets += sum(size for _, size, *_ in batches[-1])
        # Merged as far as is needed: to sort all of them would hold up the event loop, in whatever thread.
        for ended, size, call_id, key in heapq.merge(*batches):
            too_many = max_octets is not None and octets > max_octets
            if ended >= oldest and not too_many:
                break
            if await self._expire(call_id, "too old" if ended < oldest else "no room", key):
                octets -= size
                deleted += 1
        return deleted

    async def size(self) -> tuple[int, int]:
        """How many there are, and their octets; those in the archive by the last sweep. What cannot be read is logged.
        Raises `OSError`."""
        archived, octets = self._archived
        call_ids = await asyncio.to_thread(self._call_ids)
        for first in range(0, len(call_ids), _AT_ONCE):
            batch = await asyncio.to_thread(self._measure, call_ids[first : first + _AT_ONCE])
            octets += sum(size for _, size, *_ in batch)
        return len(call_ids) + archived, octets

    async def _look_into_archive(self) -> list[list[_Entry]]:
        """Its recordings, in pieces that are in order each; none where that cannot be seen now."""
        pieces: list[list[_Entry]] = []
        try:
            if self._archive:
                pieces = [sorted(map(_archived, piece)) async for piece in self._archive.recordings()]
        except StoreError as error:
            log.error("the archive cannot be looked through", extra={"reason": str(error)})
        self._archived = sum(map(len, pieces)), sum(size for piece in pieces for _, size, *_ in piece)
        return pieces

    async def _expire(self, call_id: str, reason: str, key: str) -> bool:
        try:
            if key and self._archive:
                await self._archive.remove(key)
            else:
                await asyncio.to_thread(self._remove, call_id)
        except (OSError, StoreError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            log.error("recording cannot be deleted", extra={"call_id": call_id, "reason": why})
            return False
        log.info("recording deleted", extra={"call_id": call_id, "reason": reason})
        return True

    # In a thread, each.

    def _open(self, call_id: str) -> Recording | None:
        finished = self._folder / call_id
        looks = [[finished]]
        if self._unfinished:
            # The finished one once more at the end: it may have been moved between the first two looks.
            looks += [[self._unfinished / call_id, finished], [finished]]
        for folders in looks:
            try:
                if segments := find(folders[0]):
                    changed = (folders[0] / segments[-1].name).stat().st_mtime_ns
                    archived = partial(self._archive.recording, call_id) if self._archive else None
                    return Recording(call_id, folders, segments, changed, archived)
            except FileNotFoundError:
                pass
        return None

    def _remove(self, call_id: str) -> bool:
        folder = self._folder / call_id
        there = folder.is_dir()
        remove_folder(folder)
        return there

    def _call_ids(self) -> list[str]:
        try:
            with os.scandir(self._folder) as entries:
                return [entry.name for entry in entries if CALL_ID.fullmatch(entry.name) and entry.is_dir()]
        except FileNotFoundError:
            return []

    def _measure(self, call_ids: list[str]) -> list[_Entry]:
        return sorted(entry for call_id in call_ids if (entry := self._entry(call_id)))

    def _entry(self, call_id: str) -> _Entry | None:
        folder = f"{self._folder}/{call_id}"  # a `Path` of each would take a third of the time
        try:
            segments = find(folder)
            # What a deletion that was cut short has left without audio is as old as that.
            newest = f"{folder}/{segments[-1].name}" if segments else folder
            octets = sum(segment.end - segment.start for segment in segments) * CHANNELS
            return os.stat(newest).st_mtime, octets, call_id, ""
        except FileNotFoundError:
            return None  # deleted meanwhile
        except OSError as error:
            log.error("recording cannot be read", extra={"call_id": call_id, "reason": error.strerror})
            return None


def _archived(found: Found) -> _Entry:
    return found.ended or 0.0, found.octets, found.call_id, found.key


def _silence(samples: int) -> bytes:
    return SILENCE * (samples * CHANNELS)
