"""The files of one call's kept audio, one after the other, each named by the position of its first sample.

Positions are samples per channel since call time 0; a sample of both channels is two octets. Everything here blocks;
`Segments` is used by one thread at a time, the writer's. There is no fsync: what was written survives the end of the
process, however it ends, but not a power cut. Who writes when, and what is told of a failure, is no business of this
module.
"""

import errno
import json
import logging
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from bridge.audio import CHANNELS, SAMPLE_RATE, SILENCE
from bridge.spans import Span

log = logging.getLogger(__name__)

NOTE = "call.json"

SHORT = 10 * SAMPLE_RATE
"""Samples after which a segment is full whose audio must soon be elsewhere too."""

_AFRESH = os.O_WRONLY | os.O_CREAT | os.O_TRUNC

_NAME = re.compile(r"(\d{12})\.ulaw", re.ASCII)
_DROPPED = re.compile(r"(\d{12})\.dropped", re.ASCII)
"""An empty file that says how far audio has been deleted because it was settled; what else is missing is lost."""


class NoRoom(OSError):
    """The audio of all calls together has reached its bound."""

    def __init__(self) -> None:
        super().__init__(errno.EDQUOT, "the bound for kept audio is reached")


class NotMoved(OSError):
    """A finished call has to stay where it is, complete."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.errno, f"not moved to the recordings: {error.strerror}")


@dataclass(slots=True)
class Room:
    """How much of the disk the audio of all calls may take; counted in octets of audio, not in blocks."""

    limit: int
    used: int = 0


@dataclass(slots=True)
class Segment:
    """One file: samples from `start` up to `end`."""

    start: int
    end: int

    @property
    def name(self) -> str:
        return f"{self.start:012d}.ulaw"


def find(folder: Path | str) -> list[Segment]:
    """The segments in a call's folder, in order. Half a sample at the end of a file does not count.

    Raises `FileNotFoundError` where there is no such folder, or it goes away meanwhile.
    """
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if (match := _NAME.fullmatch(entry.name)) and entry.is_file():
                start = int(match[1])
                found.append(Segment(start, start + entry.stat().st_size // CHANNELS))
    return sorted((segment for segment in found if segment.end > segment.start), key=lambda segment: segment.start)


def remove_folder(folder: Path) -> None:
    """Delete a call's folder, the note last, if there is one. Raises `OSError`."""
    try:
        for path in sorted(folder.iterdir()):  # digits stand before letters
            path.unlink(missing_ok=True)
        folder.rmdir()
    except FileNotFoundError:
        pass  # another thread or process was faster


def mute(path: Path, start: int, spans: Iterable[tuple[int, Span]]) -> None:
    """Write silence over parts of a file of audio, which begins at `start`, by channel; it is on the disk then, also
    after a power cut. Raises `OSError`."""
    with path.open("r+b") as file:
        end = start + os.fstat(file.fileno()).st_size // CHANNELS
        for channel, span in spans:
            begin, until = max(span.start, start), min(span.end, end)
            if begin < until:
                file.seek((begin - start) * CHANNELS)
                audio = bytearray(file.read((until - begin) * CHANNELS))
                audio[channel::CHANNELS] = SILENCE * len(audio[channel::CHANNELS])
                file.seek((begin - start) * CHANNELS)
                file.write(audio)
        file.flush()
        os.fsync(file.fileno())


def _write_all(file: int, octets: bytes) -> None:
    while octets:
        octets = octets[os.write(file, octets) :]


class Segments:
    """The audio of one call: segments in the order of their positions, with gaps where audio was lost."""

    def __init__(self, folder: Path, room: Room, length: int) -> None:
        """`length`: samples after which a segment is full. Touches nothing; `load` looks what is there."""
        self._folder = folder
        self._room = room
        self._length = length
        self.dropped = 0
        """Audio before this position was settled, and has been deleted."""
        self.late = False
        """What is not settled must soon be elsewhere too: files are short."""
        self._segments: list[Segment] = []
        self._released = 0  # segments, from the first, that take no room any more
        self._file: int | None = None  # the newest segment, where it may still grow

    def __repr__(self) -> str:
        return f"<Segments {self.start}..{self.end} files {len(self._segments)}>"

    @property
    def start(self) -> int:
        """Position of the oldest sample."""
        return self._segments[0].start if self._segments else 0

    @property
    def end(self) -> int:
        """Position after the newest."""
        return self._segments[-1].end if self._segments else 0

    @property
    def octets(self) -> int:
        """What takes room."""
        return sum(segment.end - segment.start for segment in self._segments[self._released :]) * CHANNELS

    def load(self) -> None:
        """Find what another process has written."""
        if self._folder.is_dir():
            self._segments = find(self._folder)
            self.dropped = max(map(int, _DROPPED.findall(" ".join(os.listdir(self._folder)))), default=0)

    def gaps(self) -> list[Span]:
        """What is missing up to the newest sample, and was not settled."""
        ends = [self.dropped, *(segment.end for segment in self._segments)]
        starts = [segment.start for segment in self._segments]
        return [Span(end, start) for end, start in zip(ends, starts, strict=False) if end < start]

    def write(self, start: int, audio: bytes) -> None:
        """Keep whole samples from `start` on, which is not before `end`.

        Raises `OSError`; what could be written before that is kept, and `end` tells how far it reaches.
        """
        if self._room.used + len(audio) > self._room.limit:
            raise NoRoom
        file, segment = self._segment_for(start)
        written = 0
        try:
            while written < len(audio):
                written += os.write(file, audio[written:])
        except OSError:
            self.close()  # half a sample may stand there; what comes next begins a new segment
            raise
        finally:
            segment.end += written // CHANNELS
            self._room.used += written // CHANNELS * CHANNELS
            if segment.end == segment.start:
                self._delete(self._segments.pop())

    def _segment_for(self, start: int) -> tuple[int, Segment]:
        """The newest segment, or a new one where that is full, closed, or followed by a gap."""
        if self._file is not None:
            newest = self._segments[-1]
            length = min(self._length, SHORT) if self.late else self._length
            if start == newest.end and newest.end - newest.start < length:
                return self._file, newest
            self.close()
        self._make_folder()
        segment = Segment(start, start)
        # Never appended to what another process wrote: its last octet may be half a sample.
        self._file = os.open(self._path(segment), _AFRESH, 0o600)
        self._segments.append(segment)
        return self._file, segment

    def read(self, start: int, samples: int) -> tuple[bytes, Span | None]:
        """Audio from `start` on: `samples`, or fewer, up to the first that is not there.

        With it, what should be there and cannot be read: from where the audio ends to the end of that segment.
        """
        parts: list[bytes] = []
        stop = start + samples
        for segment in self._segments:
            if segment.start <= start < min(stop, segment.end):
                part = self._read_segment(segment, start, min(stop, segment.end))
                parts.append(part)
                start += len(part) // CHANNELS
                if start < min(stop, segment.end):
                    return b"".join(parts), Span(start, segment.end)
        return b"".join(parts), None

    def _read_segment(self, segment: Segment, start: int, stop: int) -> bytes:
        """Whole samples; fewer than there should be if the file is damaged, which is logged."""
        path = self._path(segment)
        try:
            with path.open("rb") as file:
                file.seek((start - segment.start) * CHANNELS)
                audio = file.read((stop - start) * CHANNELS)
        except OSError as error:
            log.error("kept audio cannot be read", extra={**self._about(path), "reason": error.strerror})
            return b""
        if len(audio) < (stop - start) * CHANNELS:
            log.error("kept audio is shorter than it was", extra=self._about(path))
        return audio[: len(audio) // CHANNELS * CHANNELS]

    def drop(self, position: int) -> int:
        """Delete the segments wholly before `position`, but for the newest, which tells where the call stands.

        How many that were. Raises `OSError`; whatever is still there can be dropped later.
        """
        dropped = list(takewhile(lambda segment: segment.end <= position, self._segments[:-1]))
        if dropped:
            self._mark_dropped(dropped[-1].end)
        for segment in dropped:
            self._delete(segment)
            self._segments.remove(segment)
        return len(dropped)

    def _mark_dropped(self, position: int) -> None:
        """Before they go: the next process must not take them for lost."""
        before, after = (self._folder / f"{end:012d}.dropped" for end in (self.dropped, position))
        after.touch(mode=0o600)
        before.unlink(missing_ok=True)
        self.dropped = position

    def release(self, position: int) -> None:
        """What `drop` would delete stays, and takes no room: only the recording needs it."""
        while self._released < len(self._segments) - 1 and self._segments[self._released].end <= position:
            segment = self._segments[self._released]
            self._room.used -= (segment.end - segment.start) * CHANNELS
            self._released += 1

    def remove(self) -> None:
        """Delete everything, the note last. Raises `OSError`."""
        self.close()
        while len(self._segments) > self._released:
            self._delete(self._segments[-1])
            self._segments.pop()
        self._segments = []  # what else there is goes with the folder
        remove_folder(self._folder)

    def move(self, folder: Path, muted: Sequence[tuple[int, Span]] = ()) -> None:
        """Give everything another place, in one step, with silence at `muted`, by channel; it counts here no more.
        Raises `NotMoved`.

        What has no audio is removed instead.
        """
        self.close()
        if not self._segments:
            self.remove()
            return
        try:
            for segment in self._segments if muted else ():
                mute(self._path(segment), segment.start, muted)
            folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.rename(folder)
        except OSError as error:
            raise NotMoved(error) from error
        self._room.used -= self.octets
        self._folder = folder

    def close(self) -> None:
        """Let go of the open file; a further write begins a new segment."""
        if self._file is not None:
            file, self._file = self._file, None
            os.close(file)

    def write_note(self, text: str) -> None:
        """Put the note in the place of the last one: a reader finds one or the other. Raises `OSError`."""
        note, octets = f"{self._folder}/{NOTE}", text.encode()
        try:
            file = os.open(f"{note}.new", _AFRESH, 0o600)
        except FileNotFoundError:  # nearly always there is the folder of the audio
            self._make_folder()
            file = os.open(f"{note}.new", _AFRESH, 0o600)
        try:
            _write_all(file, octets)
        finally:
            os.close(file)
        os.replace(f"{note}.new", note)

    def _about(self, path: Path) -> dict[str, str]:
        """For a log line: the folder is named by the call."""
        return {"call_id": self._folder.name, "file": str(path)}

    def read_note(self) -> dict[str, Any] | None:
        """The note, if there is one that can be read."""
        path = self._folder / NOTE
        try:
            note = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not JSON"
            log.error("the note beside kept audio cannot be read", extra={**self._about(path), "reason": reason})
            return None
        return note if isinstance(note, dict) else None

    def _make_folder(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _path(self, segment: Segment) -> Path:
        return self._folder / segment.name

    def _delete(self, segment: Segment) -> None:
        self._path(segment).unlink(missing_ok=True)
        self._room.used -= (segment.end - segment.start) * CHANNELS
