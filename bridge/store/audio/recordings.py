"""The recordings: finished calls whose audio is kept for good. It reads and deletes them; `AudioFile.finish` puts them
there, each in one step, and nothing in them changes after that.

Nothing here is known in advance: each question about a call, or about what is too old, goes to the disk, in a thread
and in short pieces, so that 100,000 recordings hold up neither the event loop nor a server that wants to stop.
What was never written is silence; what is there and cannot be read is an error.
"""

import asyncio
import hashlib
import heapq
import logging
import os
from pathlib import Path

from bridge.audio import CHANNELS, SILENCE
from bridge.errors import StoreError
from bridge.store.audio.segments import Segment, find, remove_folder
from bridge.store.audio.store import CALL_ID, FOLDER, RECORDINGS

log = logging.getLogger(__name__)

_AT_ONCE = 200  # recordings that are looked at in one go: some hundredths of a second, while a server that stops waits


class Recording:
    """The audio of one call, as it was when `Recordings.open` looked."""

    def __init__(self, call_id: str, folders: list[Path], segments: list[Segment], changed: int) -> None:
        """`folders`: where its files are, and then where they may have been moved. `changed`: when, in ns."""
        self.call_id = call_id
        self.samples = segments[-1].end
        """Position after the newest sample: the length of each channel, as far as the files say."""
        layout = f"{call_id} {changed} {[(segment.start, segment.end) for segment in segments]}"
        self.version = hashlib.sha256(layout.encode()).hexdigest()[:16]
        """Another one for other audio; the same wherever it lies."""
        self._folders = folders
        self._segments = segments

    def __repr__(self) -> str:
        return f"<Recording {self.call_id} samples {self.samples} files {len(self._segments)}>"

    async def read(self, start: int, samples: int) -> bytes:
        """Interleaved mu-law, exactly `samples` per channel from `start` on, with silence where there is no audio.

        Raises `StoreError` for what is there and cannot be read, as when the recording was deleted meanwhile.
        """
        return await asyncio.to_thread(self._read, start, samples)

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
        reason = None
        for folder in self._folders:
            try:
                with (folder / segment.name).open("rb", buffering=0) as file:
                    audio = os.pread(file.fileno(), octets, (start - segment.start) * CHANNELS)
                    return audio.ljust(octets, SILENCE)
            except OSError as error:
                reason = error.strerror
                if not isinstance(error, FileNotFoundError):
                    break
        raise StoreError(f"cannot read the recording of {self.call_id}: {reason}")


_Entry = tuple[float, int, str]
"""A recording among others: when it ended, in seconds since 1970, how many octets it has, and whose it is.

A bare tuple: the garbage collector stops looking at it, and a hundred thousand of others would hold up everything.
"""


class Recordings:
    """All of a `DATA_DIR`. It opens nothing that must be closed, and may be made whether audio is kept or not."""

    def __init__(self, data_dir: str | Path, *, unfinished: bool = True) -> None:
        """`unfinished`: whether what has still to be transcribed will be a recording; where audio is not kept for
        good it is not to be heard."""
        self._folder = Path(data_dir) / RECORDINGS
        self._unfinished = Path(data_dir) / FOLDER if unfinished else None

    async def open(self, call_id: str) -> Recording | None:
        """A finished recording, or else what is there of a call that has still to be transcribed; None for neither.

        Any string will do as `call_id`. Raises `StoreError` for what cannot be read.
        """
        if not CALL_ID.fullmatch(call_id):
            return None
        try:
            return await asyncio.to_thread(self._open, call_id)
        except OSError as error:
            raise StoreError(f"cannot read the recording of {call_id}: {error.strerror}") from error

    async def remove(self, call_id: str) -> bool:
        """Delete a finished recording; whether there was one. Raises `StoreError` if it cannot be deleted.

        Audio that has still to be transcribed is the `AudioStore`'s: `reopen` and `remove` it there.
        """
        if not CALL_ID.fullmatch(call_id):
            return False
        try:
            there = await asyncio.to_thread(self._remove, call_id)
        except OSError as error:
            raise StoreError(f"cannot delete the recording of {call_id}: {error.strerror}") from error
        if there:
            log.info("recording deleted", extra={"call_id": call_id, "reason": "asked for"})
        return there

    async def sweep(self, now: float, max_age: float | None, max_octets: int | None) -> int:
        """Delete recordings that ended over `max_age` seconds before `now`, seconds since 1970, and then the oldest,
        until the audio of all of them is within `max_octets`. None: no bound. How many were deleted.

        A recording's end is when its newest segment was last written. What cannot be deleted is logged.
        """
        if max_age is None and max_octets is None:
            return 0
        oldest, octets, deleted = now - max_age if max_age is not None else 0.0, 0, 0
        call_ids = await asyncio.to_thread(self._call_ids)
        batches = []
        for first in range(0, len(call_ids), _AT_ONCE):
            batches.append(await asyncio.to_thread(self._measure, call_ids[first : first + _AT_ONCE]))
            octets += sum(size for _, size, _ in batches[-1])
        # Merged as far as is needed: to sort all of them would hold up the event loop, in whatever thread.
        for ended, size, call_id in heapq.merge(*batches):
            too_many = max_octets is not None and octets > max_octets
            if ended >= oldest and not too_many:
                break
            if await self._expire(call_id, "too old" if ended < oldest else "no room"):
                octets -= size
                deleted += 1
        return deleted

    async def _expire(self, call_id: str, reason: str) -> bool:
        try:
            await asyncio.to_thread(self._remove, call_id)
        except OSError as error:
            log.error("recording cannot be deleted", extra={"call_id": call_id, "reason": error.strerror})
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
                    return Recording(call_id, folders, segments, changed)
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
            return os.stat(newest).st_mtime, octets, call_id
        except FileNotFoundError:
            return None  # deleted meanwhile
        except OSError as error:
            log.error("recording cannot be read", extra={"call_id": call_id, "reason": error.strerror})
            return None


def _silence(samples: int) -> bytes:
    return SILENCE * (samples * CHANNELS)
