"""Calls that another process has left open: each waits for its stream to come back, and is ended if it does not.

What is known of such a call stands in the log and in its kept audio. The last of its words may be on the disk without
a final: whoever goes on with the call, or ends it, leaves them to be transcribed from there.
"""

import logging
from collections.abc import Callable

from bridge.audio import SAMPLE_RATE
from bridge.call import describe
from bridge.call.digest import Digest
from bridge.call.ledger import Ledger
from bridge.errors import StoreError
from bridge.events import TRACKS, CallEnded, Stretch, timestamp
from bridge.store.audio import AudioFile, AudioStore
from bridge.store.base import CallRow, Query, Store

log = logging.getLogger("bridge.switchboard")


async def read_digest(store: Store, call_id: str) -> Digest:
    """Everything the log says of a call."""
    digest = Digest()
    while events := await store.read(Query(call_id), digest.seq):
        for event in events:
            digest.take(event.body)
    return digest


class Orphans:
    """Found once, at the start; by the carrier's call id."""

    def __init__(self, store: Store, audio: AudioStore | None, wall: Callable[[], float]) -> None:
        """`wall` tells seconds since 1970."""
        self.rows: dict[str, CallRow] = {}
        self._store = store
        self._audio = audio
        self._wall = wall

    async def find(self) -> None:
        """Look for them."""
        page = await self._store.calls(open_only=True)
        while page:
            self.rows |= {describe.carriers_call_id(row.id): row for row in page}
            page = await self._store.calls(open_only=True, before=page[-1].id)

    async def adopt(self, call_id: str) -> tuple[CallRow, Digest, AudioFile | None] | None:
        """The carrier's stream is back: the call's record and its kept audio, to go on with."""
        row = self.rows.pop(call_id, None)
        return (row, *await self._open(row)) if row else None

    async def end(self, call_id: str) -> str | None:
        """Give a call its one end; the id of its record if audio is left to be transcribed."""
        row = self.rows.pop(call_id, None)
        if row is None:
            return None
        digest, audio = await self._open(row)
        ledger = Ledger(row.id, self._store, self._wall, digest.seq)
        ledger.add(self._end_of(digest, audio))
        ledger.commit()
        await ledger.written()
        log.warning("call closed after a restart", extra={"call_id": row.id})
        if audio and digest.uncovered:
            audio.close()
            return row.id
        if audio:
            await audio.finish()
        return None

    async def _open(self, row: CallRow) -> tuple[Digest, AudioFile | None]:
        digest = await read_digest(self._store, row.id)
        audio = None
        if self._audio and row.id in self._audio.kept():
            try:
                audio = await self._audio.reopen(row.id)
            except StoreError as error:
                log.error("kept audio is lost", extra={"call_id": row.id, "reason": str(error)})
        if audio:
            _look_at(digest, audio)
        return digest, audio

    def _end_of(self, digest: Digest, audio: AudioFile | None) -> CallEnded:
        duration = max(digest.latest, audio.end / SAMPLE_RATE if audio else 0.0)
        return CallEnded(
            reason="bridge_restarted",
            duration=round(duration, 3),
            ended_at=timestamp(self._wall()),
            # Without its audio nobody knows what was said last.
            flush="complete" if audio and not digest.uncovered else "timed_out",
            missing=describe.missing(digest.uncovered),
            uncovered=digest.uncovered,
            counts=dict(digest.counters),
        )


def _look_at(digest: Digest, audio: AudioFile) -> None:
    """What the kept audio adds: when the call began, and what no final covers."""
    anchor = (audio.note or {}).get("anchor")
    if isinstance(anchor, int | float):
        digest.anchor = float(anchor)
    end = audio.end / SAMPLE_RATE
    for track in TRACKS:
        # What was left to later before that process began is named already, and finals have come behind it since.
        begin = max(digest.settled[track], digest.resumed_at, audio.start / SAMPLE_RATE)
        if begin < end:
            digest.uncovered.append(Stretch(track=track, from_=round(begin, 3), to=round(end, 3)))
