"""The words of the archive: what its objects are called, what is asked of an object store, and what of the archive.

    <call id>/audio/000000000000.ulaw   kept audio, in files as `DATA_DIR/audio/<call id>` has them
                    call.json           the note beside it
              recording-1795946538.wav  a finished recording: both tracks, with silence where there was nothing; the
                                        name says when the call ended, which no copy of the object changes, and
                                        where several processes share a record, by eight digits which has written it

A key begins with the call's id, and says nothing else of the call but that: no number, and no name.
"""

import hashlib
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from bridge.errors import StoreError

AUDIO = "audio/"

_RECORDING = re.compile(r"recording-(\d{1,12})(?:-[0-9a-f]{8})?\.wav", re.ASCII)


class ArchiveError(StoreError):
    """The object store did not do what it was asked; the message says why, in our words."""


class NoObject(ArchiveError):
    """There is no such object."""


class Found(NamedTuple):
    """An object, as a list of them has it."""

    key: str
    octets: int

    @property
    def call_id(self) -> str:
        """The call that it is of, if it is of one."""
        return self.key.partition("/")[0]

    @property
    def name(self) -> str:
        """What it is called below its call."""
        return self.key.partition("/")[2]

    @property
    def ended(self) -> float | None:
        """When the call ended, in seconds since 1970, if this is a recording; else None."""
        match = _RECORDING.fullmatch(self.name)
        return float(match[1]) if match else None


def recording_name(ended: float, owner: str = "") -> str:
    """What a recording is called below its call. `ended`: seconds since 1970. `owner`: a process that shares the record
    with others, none of which writes over what another has written."""
    mark = f"-{hashlib.sha256(owner.encode()).hexdigest()[:8]}" if owner else ""
    return f"recording-{max(0, round(ended))}{mark}.wav"


class Objects(Protocol):
    """An object store. Everything raises `ArchiveError`; what is written is there whole, or not at all."""

    async def put(self, key: str, content: bytes | Iterable[bytes]) -> None:
        """Write an object, in the place of what there was. What is iterated is never whole in memory; an
        `OSError` of it goes through."""

    async def read(self, key: str, start: int, octets: int) -> bytes:
        """Some of an object: fewer octets at its end. Raises `NoObject`."""

    async def fetch(self, key: str, to: Path) -> None:
        """Write an object into a file, in pieces. Raises `NoObject`, and `OSError`."""

    async def look(self, key: str) -> Found | None:
        """What is known of an object."""

    def list(self, call_id: str | None = None) -> AsyncIterator[Sequence[Found]]:
        """All objects, or those of a call, in pieces and in no order."""

    async def remove(self, keys: Sequence[str]) -> None:
        """Delete objects; those that are not there are no trouble."""


class Recorded(Protocol):
    """A recording that can be heard, wherever it lies."""

    call_id: str
    version: str
    """Another one for other audio."""

    async def read(self, start: int, samples: int) -> bytes:
        """Interleaved mu-law, exactly `samples` per channel from `start` on, with silence where there is no audio.
        Raises `StoreError`."""


class AudioArchive(Protocol):
    """Where audio goes that must outlive this machine's disk. What it is told costs no wait and never fails."""

    def keep(self, call_id: str, settled: int = 0, *, grows: bool = False) -> None:
        """The kept audio of a call, from `settled` on, must outlive this disk. `grows`: its newest file does."""

    def let_go(self, call_id: str) -> None:
        """There is no kept audio of a call any more: it is transcribed, or has become a recording."""

    def left_here(self, call_id: str) -> None:
        """Another process has left kept audio of a call on this disk; there may be objects of it."""

    async def drain(self, seconds: float, call_id: str | None = None) -> None:
        """Until nothing is left to do, for one call or for all, or that cannot be done now; so long at most."""

    async def has(self, call_id: str) -> bool:
        """Whether there is kept audio of a call. Raises `ArchiveError`."""

    async def restore(self, call_id: str, folder: Path) -> bool:
        """Put the kept audio of a call into a folder that is not there; False: there is none. Raises `ArchiveError`."""

    async def kept(self) -> list[str]:
        """The calls of which there is kept audio, but for those that this process knows. Raises `ArchiveError`."""

    async def recording(self, call_id: str) -> Recorded | None:
        """A finished recording. Raises `ArchiveError`."""

    def recordings(self) -> AsyncIterator[Sequence[Found]]:
        """All of them, in pieces and in no order. Raises `ArchiveError`."""

    async def remove(self, recording: str) -> None:
        """Delete a finished recording, by its key. Raises `ArchiveError`."""

    async def erase(self, call_id: str) -> bool:
        """Delete every object of a call; whether there were any. Nothing of it comes back then. Raises
        `ArchiveError`."""
