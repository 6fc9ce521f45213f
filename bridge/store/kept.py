"""Kept audio, as its users see it: audio of a call that is still to be transcribed.

Values and protocols only; their contract suite is `tests/store/contract/test_kept_audio.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bridge.audio import AudioFormat
from bridge.spans import Span


@dataclass(frozen=True, slots=True)
class Left:
    """What a process that has let go of a call leaves to one that cannot reach its disk."""

    note: Mapping[str, Any]
    """As beside the call's kept audio."""
    start: int
    """Position of the first sample of `audio`; where that is empty, of the call's end."""
    audio: bytes
    """The last of the call, interleaved."""


class CallAudio(Protocol):
    """The kept audio of one call: interleaved, positions in samples per channel since call time 0."""

    @property
    def format(self) -> AudioFormat:
        """What is kept: mu-law of both tracks, unless it comes from elsewhere."""

    @property
    def settled(self) -> int:
        """Audio before this is transcribed. After `reopen` as far as it was deleted; what is missing then is lost."""

    @property
    def end(self) -> int:
        """After the newest sample: where the next `append` goes."""

    @property
    def written(self) -> int:
        """All audio before this that was appended can be read back; it stops for good where some is lost."""

    @property
    def note(self) -> Mapping[str, Any] | None:
        """What `write_note` was last given, by this process or by the one before."""

    def append(self, audio: bytes) -> None:
        """More of the call, following on `end`. Costs no wait; what cannot be written is counted, never raised."""

    def leap(self, position: int) -> None:
        """The call goes on at `position`: there was no audio between `end` and that."""

    def settle(self, position: int) -> None:
        """Audio before `position` is transcribed and need not be kept."""

    def write_note(self, note: dict[str, Any], *, at_once: bool = False) -> None:
        """Keep a note, of JSON, beside the audio, in the last one's place; `at_once`: not with the next flush."""

    async def read_on(self, start: int, samples: int) -> tuple[int, bytes]:
        """Up to `samples` from the first position at or after `start` that can be read, with that position.

        Empty where there is nothing more. Raises `StoreError` when the store is closed.
        """

    def close(self) -> None:
        """Write what is there and leave it, for `KeptAudio.reopen`."""

    async def finish(self, muted: Sequence[tuple[int, Span]] = ()) -> None:
        """All of it is transcribed: remove it, or make it a recording where audio is kept for good, with silence at
        `muted`, by channel."""

    async def remove(self) -> None:
        """Delete the audio and the note."""

    async def discard(self) -> None:
        """Delete what this disk has of them, and leave what other disks have."""


class KeptAudio(Protocol):
    """The audio of calls, for as long as some of it is to be transcribed."""

    def open(self, call_id: str) -> CallAudio:
        """Begin to keep a call. Raises `LocalProtocolError` if there is audio of it, or its id is no file name."""

    async def reopen(self, call_id: str) -> CallAudio:
        """Go on with one of `kept`, or with one that is elsewhere. Raises `StoreError` if there is none, or it cannot
        be read."""

    def kept(self) -> list[str]:
        """The calls of which there is audio and which are not open."""

    async def has(self, call_id: str) -> bool:
        """Whether `reopen` would find audio of a call that is not open, wherever it is kept. Raises `StoreError` where
        that cannot be told now."""

    async def elsewhere(self) -> list[str]:
        """The calls of which there is audio that is not on this disk, and so not in `kept`. Raises `StoreError`."""

    def is_open(self, call_id: str) -> bool:
        """Whether this call's audio is in use now."""

    async def brought(self, call_id: str) -> None:
        """Until audio of a call that was closed is where `reopen` finds it on another disk, where there is such a place
        and it can be brought there now."""

    async def flush(self) -> None:
        """Until what was appended so far is written, or lost."""
