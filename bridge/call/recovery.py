"""Calls that another process has left open: what is known of them, from the log and from their kept audio.

The last of a call's words may be on the disk without a final: they are transcribed from there once the call is over.
"""

import json
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bridge.audio import SAMPLE_RATE, samples, seconds
from bridge.call.note import Note
from bridge.call.projection import Projection, without
from bridge.errors import BridgeError, StoreError
from bridge.events import TRACKS, Stretch
from bridge.spans import Span
from bridge.store.base import CallAudio, EventLog, KeptAudio, Ownership, Query

log = logging.getLogger("bridge.call")


class RecoveryStore(EventLog, Ownership, Protocol):
    """What recovery asks of a store."""


@dataclass(frozen=True, slots=True)
class Adopted:
    """A call that this process goes on with."""

    header: str
    """As a `CallRow`'s."""
    epoch: int
    past: Projection
    audio: CallAudio | None


class Recovery:
    """Finds the abandoned calls, and takes them. One carrier's call may have several records of which one is open."""

    def __init__(self, store: RecoveryStore, audio: KeptAudio | None) -> None:
        self.left: dict[str, str] = {}
        """Those that are not taken yet: the record's id to the carrier's, the newest first."""
        self._store = store
        self._audio = audio

    async def find(self) -> None:
        """Look for them."""
        page = await self._store.abandoned()
        while page:
            self.left |= {row.id: json.loads(row.header)["carrier_call_id"] for row in page}
            page = await self._store.abandoned(before=page[-1].id)

    def record_of(self, call_id: str) -> str | None:
        """The newest record that was left open of a carrier's call."""
        return next((record for record, call in self.left.items() if call == call_id), None)

    async def adopt(self, record_id: str) -> Adopted | None:
        """Take a call over; None where another process has been quicker."""
        self.left.pop(record_id, None)
        row = await self._store.take(record_id)
        if row is None:
            return None
        past = await read_projection(self._store, record_id)
        if past.anchor is None:
            past.anchor = datetime.fromisoformat(past.started["started_at"]).timestamp()
        past.tracks = tuple(track for track in TRACKS if track in past.started["tracks"])
        audio = await self._reopen(record_id)
        past.audio_lost = audio is None
        if audio:
            _look_at(past, audio)
        leave_out_pauses(past)
        return Adopted(row.header, row.epoch, past, audio or open_audio(self._audio, record_id))

    async def _reopen(self, record_id: str) -> CallAudio | None:
        if self._audio is None or record_id not in self._audio.kept():
            return None
        try:
            return await self._audio.reopen(record_id)
        except StoreError as error:
            log.error("kept audio is lost", extra={"call_id": record_id, "reason": str(error)})
            return None


async def read_projection(store: EventLog, call_id: str) -> Projection:
    """Everything the log says of a call."""
    projection = Projection()
    while events := await store.read(Query(call_id), projection.seq):
        for event in events:
            projection.take(event.body)
    return projection


def open_audio(audio: KeptAudio | None, record_id: str) -> CallAudio | None:
    """A place for a call's audio; a call that cannot have one goes on without."""
    try:
        return audio.open(record_id) if audio else None
    except BridgeError as error:
        log.error("audio cannot be kept", extra={"call_id": record_id, "reason": str(error)})
        return None


def _look_at(past: Projection, audio: CallAudio) -> None:
    """What the kept audio adds: when the call began, where it ended, and what no final covers."""
    note = Note.load(audio.note)
    past.anchor = past.anchor if note.anchor is None else note.anchor
    # The first stream's are in the log; another may have carried others.
    past.tracks = note.tracks or past.tracks
    # After what was heard of a stream that was lost there is only our own silence.
    end = (audio.end if note.heard is None else min(note.heard, audio.end)) / SAMPLE_RATE
    past.latest = max(past.latest, end)
    if note.uncovered is not None:
        # The process before has left the call in order: it knew what finals without words had covered.
        past.uncovered = note.uncovered
        past.left_in_order = True
        past.silent = {track: min(since, samples(end)) for track, since in note.silent.items()}
        return
    past.uncovered += note.holes
    for track in TRACKS:
        # What was left to later before that process began is named already, and finals have come after it since.
        begin = max(past.settled[track], past.resumed_at, audio.settled / SAMPLE_RATE)
        if begin < end:
            past.uncovered.append(Stretch(track=track, from_=round(begin, 3), to=round(end, 3)))


def leave_out_pauses(past: Projection) -> None:
    """No one waits for the words of a pause, also of one that goes on."""
    spans = list(past.pauses)
    if past.paused is not None:
        spans.append(Span(past.paused, samples(past.latest)))
    for span in spans:
        past.uncovered = list(without(past.uncovered, seconds(span.start), seconds(span.end)))
