"""A finished recording as one WAV file in the object store: how it is written, and how any part of it is heard.

Anyone who may read the bucket can play it as it is. Reading keeps one piece in memory, never the file.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bridge.audio import CHANNELS, SILENCE, wav_header
from bridge.errors import StoreError
from bridge.store.archive.base import Found, NoObject, Objects
from bridge.store.audio.segments import Segment, find

HEADER = len(wav_header(0))
"""Octets before the audio."""
_PIECE = 2**18  # octets that are read at once
_MOST = 2**32 - 2**10  # octets that a header can tell of; players read on to the end of the file


class Wav(NamedTuple):
    """A recording as a file."""

    octets: int
    pieces: Iterator[bytes]
    ended: float
    """When its newest audio was written, in seconds since 1970."""


def wav(folder: Path) -> Wav | None:
    """The file that a recording's folder is to be; None where there is no audio. Blocks, as each of its pieces does.
    Raises `OSError`."""
    segments = find(folder)
    if not segments:
        return None
    audio = segments[-1].end * CHANNELS
    ended = (folder / segments[-1].name).stat().st_mtime
    return Wav(HEADER + audio, _pieces(folder, segments, audio), ended)


def _pieces(folder: Path, segments: list[Segment], audio: int) -> Iterator[bytes]:
    yield wav_header(min(audio, _MOST))
    position = 0
    for segment in segments:
        yield from _silence((segment.start - position) * CHANNELS)
        position = max(position, segment.start)
        if position < segment.end:
            yield from _audio(folder / segment.name, (position - segment.start) * CHANNELS, segment)
            position = segment.end


def _silence(octets: int) -> Iterator[bytes]:
    for start in range(0, octets, _PIECE):
        yield SILENCE * min(_PIECE, octets - start)


def _audio(path: Path, start: int, segment: Segment) -> Iterator[bytes]:
    left = (segment.end - segment.start) * CHANNELS - start
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        while left:
            # Shorter than it was: the rest of it is lost, and what follows keeps its place.
            piece = file.read(min(_PIECE, left)) or SILENCE * min(_PIECE, left)
            left -= len(piece)
            yield piece


class ArchivedRecording:
    """A recording as it was when it was looked for. For one reader: it reads on ahead of who reads on."""

    def __init__(self, call_id: str, found: Found, objects: Objects) -> None:
        self.call_id = call_id
        self.samples = max(0, found.octets - HEADER) // CHANNELS
        """The length of each channel."""
        layout = f"{found.key} {found.octets}"
        self.version = hashlib.sha256(layout.encode()).hexdigest()[:16]
        """Another one for other audio."""
        self._key = found.key
        self._objects = objects
        self._start, self._piece = 0, b""  # what was read last, and where it begins

    def __repr__(self) -> str:
        return f"<ArchivedRecording {self.call_id} samples {self.samples}>"

    async def read(self, start: int, samples: int) -> bytes:
        """As in `Recorded`."""
        begin, end = start * CHANNELS, min(start + samples, self.samples) * CHANNELS
        if begin < end and not self._has(begin, end):
            # Who reads on where they were will go on; who leaps may leap again.
            ahead = begin <= self._start + len(self._piece) and begin > self._start
            self._piece = await self._read(begin, max(end - begin, _PIECE if ahead else 0))
            self._start = begin
        audio = self._piece[begin - self._start : end - self._start] if begin < end else b""
        return audio.ljust(samples * CHANNELS, SILENCE)

    def _has(self, begin: int, end: int) -> bool:
        return self._start <= begin and end <= self._start + len(self._piece)

    async def _read(self, begin: int, octets: int) -> bytes:
        octets = min(octets, self.samples * CHANNELS - begin)
        try:
            piece = await self._objects.read(self._key, HEADER + begin, octets)
        except NoObject:
            raise StoreError(f"the recording of {self.call_id} is gone") from None
        if len(piece) < octets:
            raise StoreError(f"the recording of {self.call_id} is not as it was")
        return piece
