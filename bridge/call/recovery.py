"""Calls that another process has left open: what is known of them, from the log and from their kept audio.

The last of a call's words may be on the disk without a final: they are transcribed from there once the call is over.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bridge.align.seam import Tail
from bridge.audio import CHANNELS, SAMPLE_RATE, SAMPLES_PER_MS, samples, seconds
from bridge.call.note import Note
from bridge.call.overlap import TAIL, Handed
from bridge.call.projection import Projection, without
from bridge.errors import BridgeError, StoreError
from bridge.events import TRACKS, Stretch, Track
from bridge.spans import Span, SpanSet
from bridge.store.base import CallRow, EventLog, Ownership, Query
from bridge.store.handing import HandOvers
from bridge.store.kept import CallAudio, KeptAudio, Left

log = logging.getLogger("bridge.call")

_ELSEWHERE = 10.0
"""Seconds for kept audio to come from elsewhere: the call's stream waits for it."""

_PENDING = 10 * SAMPLE_RATE
"""Samples by which a final of one track may come later than one of the other that ends where it does."""

_ROUNDED = 2 * SAMPLES_PER_MS  # samples that two stretches may seem apart
_AGAIN = 30 * SAMPLE_RATE  # samples that are heard again at most; live words come late by that much


class RecoveryStore(EventLog, Ownership, Protocol):
    """What recovery asks of a store."""

    @property
    def hand_overs(self) -> HandOvers | None:
        """As a `Store`'s."""


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

    async def wait_left(self, call_id: str, wait_heard: Callable[[str], Awaitable[object]]) -> bool:
        """Until no other process is about to let go of a carrier's call: `HandOvers.wait_left`."""
        return self._store.hand_overs is not None and await self._store.hand_overs.wait_left(call_id, wait_heard)

    async def release(self, record_id: str, left: Left | None) -> None:
        """Let a call go to the process that takes it next, with what that needs of this disk."""
        try:
            if left and self._store.hand_overs:
                if self._audio:
                    await self._audio.brought(record_id)
                await self._store.hand_overs.leave(record_id, left)
        except StoreError as error:
            log.error("the end of a call is not handed over", extra={"call_id": record_id, "reason": str(error)})
        await self._store.release(record_id)

    async def record_of(self, call_id: str) -> str | None:
        """The newest record that was left open of a carrier's call."""
        if self._store.lease is not None:
            await self.find()  # its owner may have gone a moment ago
        return next((record for record, call in self.left.items() if call == call_id), None)

    async def adopt(
        self, record_id: str, *, heard: bool = False, on_taken: Callable[[], Awaitable[object]] | None = None
    ) -> Adopted | None:
        """Take a call over; None where another process has been quicker. `heard`: a stream of it waits, which may have
        been here before the other process let go. `on_taken` is awaited before anything is read of it."""
        self.left.pop(record_id, None)
        row = await self._store.take(record_id)
        if row is None:
            return None
        if on_taken:
            await on_taken()
        past = await read_projection(self._store, record_id)
        if past.anchor is None:
            past.anchor = datetime.fromisoformat(past.started["started_at"]).timestamp()
        past.tracks = tuple(track for track in TRACKS if track in past.started["tracks"])
        audio = await self._reopen(record_id, last_heard(past, self._store))
        if left := await self._left(row):
            audio = audio or open_audio(self._audio, record_id)
            _lay(audio, left)
        past.audio_lost = audio is None
        if audio:
            _look_at(past, audio)
        else:
            past.silent = _unheard(past)
        leave_out_unheard(past)
        leave_out_pauses(past)
        past.handed = await _handed(past, audio) if audio and heard else None
        return Adopted(row.header, row.epoch, past, audio or open_audio(self._audio, record_id))

    async def _left(self, row: CallRow) -> Left | None:
        try:
            return await self._store.hand_overs.left(row.id, row.epoch) if self._store.hand_overs else None
        except StoreError as error:
            log.error("the end of a call was not handed over", extra={"call_id": row.id, "reason": str(error)})
            return None

    async def _reopen(self, record_id: str, resumed: int) -> CallAudio | None:
        if self._audio is None:
            return None
        try:
            if record_id in self._audio.kept() and (file := await reopen(self._audio, record_id, resumed)):
                return file
            async with asyncio.timeout(_ELSEWHERE):
                found = await self._audio.has(record_id)
                return await reopen(self._audio, record_id, resumed) if found else None
        except (StoreError, TimeoutError) as error:
            reason = str(error) or "it is elsewhere, and was not brought here in time"
            log.error("kept audio is lost", extra={"call_id": record_id, "reason": reason})
            return None


async def read_projection(store: EventLog, call_id: str) -> Projection:
    """Everything the log says of a call."""
    projection = Projection()
    while events := await store.read(Query(call_id), projection.seq):
        for event in events:
            projection.take(event.body)
    return projection


def last_heard(past: Projection, owners: Ownership | None) -> int:
    """As `reopen`'s `resumed`. Processes that share one disk have the newest audio there in any case."""
    return past.resumed if owners and owners.lease is not None else 0


async def reopen(audio: KeptAudio, call_id: str, resumed: int) -> CallAudio | None:
    """The kept audio of a call that processes have gone on with so many times. What is here or elsewhere may be that of
    a process before the last, which has stood still and come back: its end is not the call's. It is deleted here, and
    the answer is None. Raises `StoreError` as `KeptAudio.reopen`."""
    file = await audio.reopen(call_id)
    if not is_earlier(file, resumed):
        return file
    log.warning("kept audio is of an earlier process", extra={"call_id": call_id})
    await file.discard()
    return None


async def reopen_last(audio: KeptAudio, call_id: str, resumed: int) -> CallAudio | None:
    """The same, from elsewhere where what is here is of an earlier process; None: there is no other."""
    for _ in range(2):
        if not await audio.has(call_id):
            break
        if file := await reopen(audio, call_id, resumed):
            return file
    return None


def is_earlier(audio: CallAudio, resumed: int) -> bool:
    """Whether it is of a process before the last of so many; not known of an older bridge's."""
    knew = Note.load(audio.note).resumed
    return knew is not None and knew < resumed


def open_audio(audio: KeptAudio | None, record_id: str) -> CallAudio | None:
    """A place for a call's audio; a call that cannot have one goes on without."""
    try:
        return audio.open(record_id) if audio else None
    except BridgeError as error:
        log.error("audio cannot be kept", extra={"call_id": record_id, "reason": str(error)})
        return None


def _lay(audio: CallAudio | None, left: Left) -> None:
    """Have kept audio end as it does on the disk of the process that has let go of the call, with the note there."""
    if audio is None:
        return
    audio.leap(left.start)
    if lacking := left.audio[(audio.end - left.start) * CHANNELS :]:
        audio.append(lacking)
    audio.write_note(dict(left.note))


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
        past.silent = {track: min(since, samples(past.latest)) for track, since in note.silent.items()}
        return
    past.uncovered += note.holes
    for track in TRACKS:
        # What was left to later before that process began is named already, and finals have come after it since.
        begin = max(past.settled[track], past.resumed_at, audio.settled / SAMPLE_RATE)
        if begin < end:
            past.uncovered.append(Stretch(track=track, from_=round(begin, 3), to=round(end, 3)))


def _unheard(past: Projection) -> dict[Track, int]:
    """From where on the gap of a track is told, of which no audio is left: where its own finals and gaps end. The other
    track's say nothing of it, but how long its next final can have been under way."""
    latest = samples(past.latest)
    ends = {track: samples(max(past.settled[track], past.missing[track], past.resumed_at)) for track in TRACKS}
    return {track: max(end, latest - _PENDING) for track, end in ends.items() if end < latest}


async def _handed(past: Projection, audio: CallAudio) -> Handed | None:
    """How to go on without a break, if a stream of the call has been here since before the audio ends. Audio of which a
    process that knew so has not had the words is heard again, up to a bound."""
    note, begin = Note.load(audio.note), max(0, audio.end - TAIL)
    start, octets = await audio.read_on(begin, audio.end - begin)
    if not octets or start + len(octets) // CHANNELS != audio.end:
        return None  # there is none, the disk had no room for it, or fails
    tail, knew = Tail(start, octets), note.clock is not None and past.left_in_order
    clock = (note.clock if knew else past.anchor) or 0.0
    if not knew:
        return Handed(tail, clock, (audio.end,) * CHANNELS, past.uncovered, knew=False)
    covered, uncovered = [], []
    for track in TRACKS:
        lacking = SpanSet()
        for one in past.uncovered:
            if one.track == track:
                lacking.add(samples(one.from_), min(samples(one.to), audio.end), _ROUNDED)
        last = list(lacking)[-1:]
        reaches = last and last[0].end >= audio.end - _ROUNDED
        covered.append(max(last[0].start, audio.end - _AGAIN) if reaches else audio.end)
        # A final without words may have taken back an interim of what is heard again.
        past.settled[track] = min(past.settled[track], covered[-1] / SAMPLE_RATE)
        lacking.remove(covered[-1], audio.end)
        uncovered += [Stretch(track=track, from_=seconds(span.start), to=seconds(span.end)) for span in lacking]
    return Handed(tail, clock, tuple(covered), uncovered, knew=True)


def leave_out_unheard(past: Projection) -> None:
    """What no one has heard before the process that was the last to resume the call is told by the next one at once,
    with what comes before it and is lost, too: no one waits for words of it, and the next gap begins after it."""
    told = []
    for stretch, why in past.unheard:
        track, end = stretch.track, samples(stretch.to)
        if (since := past.silent.get(track, end)) < end:
            past.silent[track] = end
            stretch = stretch.model_copy(update={"from_": min(stretch.from_, seconds(since))})
        past.uncovered = list(without(past.uncovered, stretch.from_, stretch.to, track))
        told.append((stretch, why))
    past.unheard = told


def leave_out_pauses(past: Projection) -> None:
    """No one waits for the words of a pause, also of one that goes on."""
    spans = list(past.pauses)
    if past.paused is not None:
        spans.append(Span(past.paused, samples(past.latest)))
    for span in spans:
        past.uncovered = list(without(past.uncovered, seconds(span.start), seconds(span.end)))
