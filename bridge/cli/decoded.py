"""A recording's audio, decoded into a file, as kept audio: what backfilling a call asks for, and in better quality.

It is sent to Deepgram at 16 kHz, better than a telephone's; what is kept as a recording is a telephone's mu-law, as of
any call.
"""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bridge.audio import AudioFormat
from bridge.cli.sources import Source, SourceError
from bridge.errors import LocalProtocolError, StoreError
from bridge.spans import Span

_COPIED = 60 * 8000
"""Samples that are made a recording at a time."""


class DecodedAudio:
    """One recording's; nothing is added to it. Positions are samples per channel."""

    def __init__(self, path: Path, format: AudioFormat) -> None:
        """`path`: interleaved, without a header."""
        self.format = format
        self.settled = 0
        self.end = self.written = path.stat().st_size // format.block
        self.note: Mapping[str, Any] | None = None
        self._path = path

    def append(self, audio: bytes) -> None:
        """Never: a recording is whole."""
        raise LocalProtocolError("a recording takes no more audio")

    def leap(self, position: int) -> None:
        """Never."""
        raise LocalProtocolError("a recording takes no more audio")

    def settle(self, position: int) -> None:
        """Nothing goes before all of it is transcribed."""

    def write_note(self, note: dict[str, Any], *, at_once: bool = False) -> None:
        """Never."""
        raise LocalProtocolError("a recording has no note")

    async def read_on(self, start: int, samples: int) -> tuple[int, bytes]:
        """As any kept audio's."""
        try:
            audio = await asyncio.to_thread(self._read, start, samples)
        except OSError as error:
            raise StoreError(f"decoded audio cannot be read: {error.strerror}") from error
        return start, audio[: len(audio) // self.format.block * self.format.block]

    def _read(self, start: int, samples: int) -> bytes:
        with self._path.open("rb") as file:
            file.seek(start * self.format.block)
            return file.read(samples * self.format.block)

    def close(self) -> None:
        """It is opened for each reading."""

    async def finish(self, muted: Sequence[tuple[int, Span]] = ()) -> None:
        """It stays until its record is handed over."""

    async def discard(self) -> None:
        """Delete it: it is on no other disk."""
        await self.remove()

    async def remove(self) -> None:
        """Delete it."""
        self._path.unlink(missing_ok=True)

    def keep(self, path: Path) -> None:
        """Write it as calls' audio is kept. Blocks. Raises OSError."""
        new = path.with_suffix(".writing")
        with self._path.open("rb") as audio, new.open("wb") as recording:
            while piece := audio.read(_COPIED * self.format.block):
                recording.write(self.format.stereo(piece[: len(piece) // self.format.block * self.format.block]))
        new.rename(path)


class DecodedRecordings:
    """The recordings that are being imported, as a place of kept audio."""

    def __init__(self) -> None:
        self._audio: dict[str, DecodedAudio] = {}

    def add(self, call_id: str, audio: DecodedAudio) -> None:
        """One more."""
        self._audio[call_id] = audio

    def remove(self, call_id: str) -> None:
        """It is imported, or cannot be."""
        self._audio.pop(call_id, None)

    def open(self, call_id: str) -> DecodedAudio:
        """Never: nothing is recorded here."""
        raise LocalProtocolError("recordings are decoded, not opened")

    async def reopen(self, call_id: str) -> DecodedAudio:
        """One that was added."""
        if call_id not in self._audio:
            raise StoreError(f"{call_id} is not decoded")
        return self._audio[call_id]

    def kept(self) -> list[str]:
        """All."""
        return sorted(self._audio)

    async def has(self, call_id: str) -> bool:
        """One that was added."""
        return call_id in self._audio

    async def elsewhere(self) -> list[str]:
        """None: they are decoded here."""
        return []

    def is_open(self, call_id: str) -> bool:
        """Never: each reading opens it."""
        return False

    async def brought(self, call_id: str) -> None:
        """No other disk has it."""

    async def flush(self) -> None:
        """Everything is written."""


def decode(source: Source, to: Path, stop: threading.Event) -> DecodedAudio:
    """Decode a source into a file, unless that is there. Blocks. Raises SourceError, also once `stop` is set."""
    if not to.exists():
        new = to.with_suffix(".decoding")
        try:
            with new.open("wb") as file:
                for chunk in source.read():
                    if stop.is_set():
                        raise SourceError("it was stopped")
                    file.write(chunk)
        except OSError as error:
            raise SourceError(f"decoded audio cannot be kept: {error.strerror}") from None
        new.rename(to)
    audio = DecodedAudio(to, source.format)
    if not audio.end:
        to.unlink()
        raise SourceError("there is no audio in it")
    return audio
