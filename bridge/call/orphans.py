"""Calls that another process has left open: each waits for its stream to come back, and is ended if it does not.

What is known of such a call stands in the log and in its kept audio. The last of its words may be on the disk without
a final: whoever goes on with the call, or ends it, leaves them to be transcribed from there.
"""

import logging
from collections.abc import Callable
from datetime import datetime

from bridge.audio import SAMPLE_RATE
from bridge.call import describe
from bridge.call.digest import Digest
from bridge.call.ledger import Ledger
from bridge.errors import BridgeError, StoreError
from bridge.events import TRACKS, CallEnded, Stretch, timestamp
from bridge.store.audio import AudioFile, AudioStore
from bridge.store.base import CallRow, EventLog, Query, Store
from bridge.transcript.assembler import Assembler

log = logging.getLogger("bridge.switchboard")


async def read_digest(store: EventLog, call_id: str) -> Digest:
    """Everything the log says of a call."""
    digest = Digest()
    while events := await store.read(Query(call_id), digest.seq):
        for event in events:
            digest.take(event.body)
    return digest


class Orphans:
    """Found once, at the start. One carrier's call may have several records, of which the newest can go on."""

    def __init__(self, store: Store, audio: AudioStore | None, wall: Callable[[], float]) -> None:
        """`wall` tells seconds since 1970."""
        self.rows: dict[str, CallRow] = {}
        """By the record's id, the newest first."""
        self._store = store
        self._audio = audio
        self._wall = wall

    async def find(self) -> None:
        """Look for them."""
        page = await self._store.abandoned()
        while page:
            self.rows |= {row.id: row for row in page}
            page = await self._store.abandoned(before=page[-1].id)

    async def adopt(self, call_id: str) -> tuple[CallRow, Digest, AudioFile | None] | None:
        """The carrier's stream is back: the call's record and its kept audio, to go on with."""
        row = next((row for row in self.rows.values() if describe.carriers_call_id(row.id) == call_id), None)
        if row is None or not await self._take(row.id):
            return None
        digest, audio = await self._open(row)
        return row, digest, audio or self._begin_audio(row.id)

    async def end(self, record_id: str) -> bool:
        """Give a record its one end; whether audio is left to be transcribed."""
        row = self.rows.get(record_id)
        if row is None or not await self._take(record_id):
            return False
        digest, audio = await self._open(row)
        ledger = Ledger(row.id, self._store, self._wall, digest.seq)
        assembler = Assembler(row.id, digest.speakers, progress=digest.progress)
        assembler.finish()
        for turn in assembler.events_received():  # what was said of it must not be missed by who reads turns only
            ledger.add(turn)
        ledger.add(self._end_of(digest, audio))
        ledger.commit()
        await ledger.written()
        log.warning("call closed after a restart", extra={"call_id": row.id})
        if audio and digest.uncovered:
            audio.close()
            return True
        if audio:
            await audio.finish()
        return False

    async def _take(self, record_id: str) -> bool:
        """Make the record this process's own; False where another one has been quicker."""
        taken = await self._store.take(record_id)
        self.rows.pop(record_id, None)
        return taken is not None

    async def _open(self, row: CallRow) -> tuple[Digest, AudioFile | None]:
        digest = await read_digest(self._store, row.id)
        audio = None
        if self._audio and row.id in self._audio.kept():
            try:
                audio = await self._audio.reopen(row.id)
            except StoreError as error:
                log.error("kept audio is lost", extra={"call_id": row.id, "reason": str(error)})
        if digest.anchor is None:
            digest.anchor = datetime.fromisoformat(digest.started["started_at"]).timestamp()
        if audio:
            _look_at(digest, audio)
        return digest, audio

    def _begin_audio(self, record_id: str) -> AudioFile | None:
        """Of a call that was cut off before any of its audio was on the disk."""
        try:
            return self._audio.open(record_id) if self._audio else None
        except BridgeError as error:
            log.error("audio cannot be kept", extra={"call_id": record_id, "reason": str(error)})
            return None

    def _end_of(self, digest: Digest, audio: AudioFile | None) -> CallEnded:
        return CallEnded(
            reason="bridge_restarted",
            duration=round(digest.latest, 3),
            ended_at=timestamp(self._wall()),
            # Without its audio nobody knows what was said last.
            flush="complete" if audio and not digest.uncovered else "timed_out",
            missing=describe.missing(digest.uncovered),
            uncovered=digest.uncovered,
            counts=dict(digest.counters),
        )


def _look_at(digest: Digest, audio: AudioFile) -> None:
    """What the kept audio adds: when the call began, where it ended, and what no final covers."""
    note = audio.note or {}
    if isinstance(note.get("anchor"), int | float):
        digest.anchor = float(note["anchor"])
    # Behind what was heard of a stream that was lost there is only our own silence.
    heard = note.get("heard")
    end = (min(heard, audio.end) if isinstance(heard, int) else audio.end) / SAMPLE_RATE
    digest.latest = max(digest.latest, end)
    for track in TRACKS:
        # What was left to later before that process began is named already, and finals have come behind it since.
        begin = max(digest.settled[track], digest.resumed_at, audio.start / SAMPLE_RATE)
        if begin < end:
            digest.uncovered.append(Stretch(track=track, from_=round(begin, 3), to=round(end, 3)))
