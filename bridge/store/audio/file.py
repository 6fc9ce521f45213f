"""The kept audio of one call, as the event loop has it: what is collected for the next flush, and what is known.

It opens, reads and deletes nothing itself: everything on the disk is done by the writer's thread.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bridge.audio import CHANNELS, TELEPHONE
from bridge.errors import LocalProtocolError
from bridge.spans import Span, SpanSet
from bridge.store.audio.flush import Flush, Then
from bridge.store.audio.segments import Segments
from bridge.store.audio.writer import AudioWriter


class AudioFile:
    """Made by `AudioStore.open` and `reopen`, used on their event loop.

    Positions are samples per channel since call time 0.
    """

    def __init__(
        self,
        call_id: str,
        segments: Segments,
        writer: AudioWriter,
        *,
        recording: Path | None,
        note: dict[str, Any] | None = None,
        on_leave: Callable[["AudioFile", Then], None],
        on_flushed: Callable[["AudioFile", Flush], None] = lambda file, flush: None,
        patience: int | None = None,
    ) -> None:
        """`recording`: where all of it goes once it is finished; None: settled audio goes away.

        `on_leave` is told when this is closed or removed, or has been moved; `on_flushed` of what came of each flush.
        `patience`: samples for which audio may be on this disk alone before it is settled; None: for ever.
        """
        self.call_id = call_id
        self.format = TELEPHONE
        self.start = segments.start
        """Position of the oldest sample there is, as far as is known."""
        self.end = segments.end
        """Position after the newest: where the next `append` goes."""
        self.written = self.end
        """All that was appended before this position is on the disk; it stops for good where some is lost."""
        self.settled = segments.dropped
        """Audio before this position is no longer needed."""
        self.lost = SpanSet(segments.gaps())
        """What was never written, or cannot be read: in order, and never touching each other."""
        self.note = note
        """What stands beside the audio, or will with the next flush."""
        self._segments = segments  # only the thread may use it now
        self._writer = writer
        self._recording = recording
        self._on_leave = on_leave
        self._on_flushed = on_flushed
        self._patience = patience
        self._buffer: list[bytes] = []
        self._taken = self.end  # position of the first sample in the buffer
        self._new_note: str | None = None
        self._then: Then = "go on"
        self._muted: tuple[tuple[int, Span], ...] = ()

    def __repr__(self) -> str:
        lost = self.lost.total
        return f"<AudioFile {self.call_id} {self.start}..{self.end} settled {self.settled} lost {lost} {self._then}>"

    @property
    def is_late(self) -> bool:
        """Whether there is audio that has waited too long for being settled."""
        return self._patience is not None and self.end - max(self.start, self.settled) > self._patience

    def append(self, audio: bytes) -> None:
        """More of the call: interleaved mu-law, whole samples, following on `end`. Costs no wait; is written soon."""
        samples, half = divmod(len(audio), CHANNELS)
        if half or self._then != "go on":
            raise LocalProtocolError(f"{self!r} cannot take {len(audio)} octets")
        if not self._buffer:
            self._writer.expect(self)
        self._buffer.append(audio)
        self.end += samples

    def leap(self, position: int) -> None:
        """The call goes on at `position`: there was no audio between `end` and that."""
        self._check_open()
        if position > self.end:
            if self._buffer:
                self._writer.hand_over([self])
            self.lost.add(self.end, position)
            if self.written == self.end:
                self.written = position
            self.end = self._taken = position

    def settle(self, position: int) -> None:
        """Audio before `position` is no longer needed: what lies wholly before it goes, unless all is kept."""
        self._check_open()
        if position > self.settled:
            self.settled = position
            self._writer.expect(self)

    def write_note(self, note: dict[str, Any], *, at_once: bool = False) -> None:
        """Put `note`, which JSON must be able to say, beside the audio, in the place of the last one; `at_once`: not
        with the next flush."""
        self._check_open()
        self._new_note = json.dumps(note)
        self.note = note
        if at_once:
            self._writer.hand_over([self])
        else:
            self._writer.expect(self)

    async def read(self, start: int, samples: int) -> bytes:
        """Audio from `start` on: `samples` of it, or fewer, up to the first that is lost, deleted or yet to come.

        Empty if there is nothing at `start`; `next_kept` tells where it goes on. What is closed can still be read,
        until the store is closed (`StoreError`).
        """
        if self._buffer and start + samples > self._taken:
            self._writer.hand_over([self])
        audio, unreadable = await self._writer.call(self._segments.read, start, samples)
        if unreadable:
            self._writer.counters["unreadable_samples"] += unreadable.end - unreadable.start
            self.lost.add(*unreadable)
        return audio

    async def read_on(self, start: int, samples: int) -> tuple[int, bytes]:
        """As `read`, but from the first position at or after `start` where anything can be read; with that position.

        What is lost costs no more than itself: nothing comes only where nothing is known to come after it.
        """
        while True:
            start = self.next_kept(start)
            audio = await self.read(start, samples)
            if audio or self.next_kept(start) == start:
                return start, audio

    def next_kept(self, position: int) -> int:
        """The first position from here on that is neither lost nor deleted, as far as is known; it may be `end`."""
        return self.lost.contiguous_end(max(position, self.start))

    def close(self) -> None:
        """Write what is there; the files stay."""
        if self._then == "go on":
            self._leave("close")

    async def finish(self, muted: Sequence[tuple[int, Span]] = ()) -> None:
        """None of it is needed any more: remove it, or move it to the recordings where audio is kept for good, with
        silence at `muted`, by channel.

        What cannot be moved, or muted, is logged and stays where it is, closed; another process will try it again.
        """
        self._muted = tuple(muted)
        if self._recording:
            self._check_open()
            await asyncio.shield(self._leave("move"))
        else:
            await self.remove()

    async def remove(self) -> None:
        """Delete the audio and the note. What cannot be deleted is logged; another process will find it again."""
        self._check_open()
        await asyncio.shield(self._leave("remove"))

    async def discard(self) -> None:
        """Delete them here, and leave what the archive has."""
        self._check_open()
        await asyncio.shield(self._leave("discard"))

    def take(self) -> Flush:
        """For the writer: what has come together since the last flush."""
        span, audio = Span(self._taken, self.end), self._buffer
        self._taken, self._buffer = self.end, []
        note, self._new_note = self._new_note, None
        then, late = self._then, self.is_late
        return Flush(self._segments, span, audio, self.settled, note, then, self._recording, self._muted, late)

    def flushed(self, flush: Flush) -> None:
        """For the writer: what came of it."""
        if flush.lost:
            self.lost.add(*flush.lost)
        elif flush.span.start == self.written:
            self.written = flush.span.end
        self.start = max(self.start, flush.start)
        if self._new_note is None:
            self._new_note = flush.note  # not written: the next flush tries again
        if flush.then == "move":
            self._on_leave(self, "move" if flush.moved else "close")
        self._on_flushed(self, flush)

    def _leave(self, how: Then) -> asyncio.Future[None]:
        self._then = how
        if how != "move":  # which may fail: the id is not free before it is done
            self._on_leave(self, how)
        return self._writer.hand_over([self])

    def _check_open(self) -> None:
        if self._then != "go on":
            raise LocalProtocolError(f"{self!r} is not open")
