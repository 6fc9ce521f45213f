"""Imports recordings: each is named, decoded, transcribed as the kept audio of a call is, and handed to the record.

What is done so far stands in a store of its own, in `DATA_DIR/imports/work`: whatever ends this process, the next one
goes on after the last piece that was transcribed. In the record there is nothing of a recording before all of it is.
"""

import asyncio
import math
import time
from collections import defaultdict
from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from random import Random
from typing import Protocol

from bridge.audio import SAMPLE_RATE
from bridge.call import handover, imported
from bridge.call.backfill import Backfill, BackfillPolicy
from bridge.call.call_options import CallOptions
from bridge.call.handover import Terms
from bridge.call.recovery import read_projection
from bridge.cli.decoded import DecodedAudio, DecodedRecordings
from bridge.cli.handing import known, taken_in
from bridge.cli.readying import WORK, Ready, Readying, Wanted
from bridge.cli.recordings import Recording
from bridge.cli.sources import SourceError
from bridge.config import Settings
from bridge.deepgram.messages import Blame, Refusal
from bridge.egress import Egress
from bridge.errors import BridgeError, StoreError, StoreInUse
from bridge.events import Event, TranscriptFinal, TranscriptionBackfilled
from bridge.outlets import Named
from bridge.policies import deepgram_origins, redaction
from bridge.store.base import EventLog, ManagedStore, Query, StoredEvent
from bridge.store.opening import open_store
from twiml.errors import TwilioError

_LONGEST_OF_VOICES = 3600 * SAMPLE_RATE
"""Samples in one request where voices are told apart: their numbers begin again with each."""


class ImportFailed(BridgeError):
    """Nothing more can be imported now."""


class Told(Protocol):
    """Who is told what becomes of each recording."""

    def imported(self, name: str, call_id: str, seconds: float, words: int) -> None:
        """It is in the record."""

    def known(self, name: str, call_id: str) -> None:
        """It has been before."""

    def failed(self, name: str, reason: str) -> None:
        """It cannot be imported."""

    def broken(self, name: str, packets: int) -> None:
        """So many packets of it cannot be decoded, and are left out."""

    def transcribed(self, seconds: float) -> None:
        """So much more audio is."""

    def waits(self, reason: str) -> None:
        """Deepgram is busy, or away."""


@dataclass(slots=True)
class Counts:
    """How it went."""

    imported: int = 0
    known: int = 0
    failed: int = 0


class Importing:
    """One run over some recordings."""

    def __init__(self, settings: Settings, egress: Egress, policy: BackfillPolicy, wanted: Wanted, told: Told) -> None:
        """`policy`: how Deepgram is asked; its patience is `wanted`'s."""
        self.counts = Counts()
        self._settings = settings
        voices = wanted.options.get("diarize") == "true" or wanted.options.get("diarize_model") is not None
        longest = _LONGEST_OF_VOICES if voices else policy.longest
        self._policy = replace(policy, timeout=0.0, keep=math.inf, at_once=wanted.at_once, longest=longest)
        self._wanted = wanted
        self._told = told
        self._folder = settings.data_dir / handover.FOLDER
        self._audio = DecodedRecordings()
        self._origins = deepgram_origins(settings, egress)
        self._refusals: dict[str, Refusal] = {}
        self._readying = Readying(settings, egress, wanted)
        self._denied, self._denial = asyncio.Event(), ""

    async def run(self, recordings: Sequence[Recording], stop: asyncio.Event) -> bool:
        """Whether it came to its end; `stop` ends it before. Raises BridgeError where going on makes no sense."""
        store = open_store(self._folder / WORK)
        try:
            # Audio and words of calls: for the owner only.
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            async with store, AsyncExitStack() as stack:
                stack.callback(self._readying.stopped.set)
                backfill = await stack.enter_async_context(self._backfill(store))
                work = asyncio.ensure_future(self._all(recordings, store, backfill))
                ends = [asyncio.ensure_future(event.wait()) for event in (stop, self._denied)]
                await asyncio.wait({work, *ends}, return_when=asyncio.FIRST_COMPLETED)
                whole = work.done()
                for task in (*ends, *([] if whole else [work])):
                    task.cancel()
                await asyncio.gather(work, *ends, return_exceptions=True)
        except OSError as error:
            raise ImportFailed(f"cannot use {self._folder}: {error.strerror}") from None
        except StoreInUse:
            raise ImportFailed("another `bridge import` is at work in this DATA_DIR") from None
        if self._denied.is_set():
            raise ImportFailed(f"Deepgram refuses it: {self._denial}")
        if whole:
            await work
        return whole

    def _backfill(self, store: EventLog) -> Backfill:
        options = CallOptions(self._wanted.options, redaction=redaction(self._settings))
        log = _Progress(store, self._told)
        return Backfill(
            log,
            self._audio,
            self._origins,
            self._policy,
            options,
            wall=time.time,
            random=Random(),
            on_refusal=self._refused,
        )

    def _refused(self, call_id: str, refusal: Refusal) -> None:
        self._refusals[call_id] = refusal
        if refusal.blame is Blame.PASSING:
            self._told.waits(sentence(refusal))
        elif refusal.blame is Blame.ACCOUNT:  # a person must mend it: to wait is no use
            self._denial = sentence(refusal)
            self._denied.set()

    async def _all(self, recordings: Sequence[Recording], store: ManagedStore, backfill: Backfill) -> None:
        named: dict[str, Recording] = {}
        again: dict[str, list[Recording]] = defaultdict(list)  # the same under other names
        for recording in recordings:
            call_id = await self._spared(recording, self._readying.name(recording))
            if call_id in named:
                again[call_id].append(recording)
            elif call_id:
                named[call_id] = recording
        there = await known(self._settings, named) if named else set()
        for call_id in there:
            recording = named.pop(call_id)
            self._tell_known(recording, call_id)
            await self._tidy(call_id, recording, store)
            self._settle(again[call_id], call_id, recording, is_in=True)
        slots = asyncio.Semaphore(self._wanted.at_once)

        async def one(call_id: str, recording: Recording) -> None:
            async with slots:
                done = await self._spared(recording, self._import(call_id, recording, store, backfill))
            self._settle(again[call_id], call_id, recording, is_in=done is not None)

        try:
            async with asyncio.TaskGroup() as group:
                for call_id, recording in named.items():
                    group.create_task(one(call_id, recording))
        except BaseExceptionGroup as errors:  # one ends all
            raise errors.exceptions[0] from None

    def _tell_known(self, recording: Recording, call_id: str) -> None:
        self.counts.known += 1
        self._told.known(recording.name, call_id)

    def _settle(self, others: Sequence[Recording], call_id: str, recording: Recording, *, is_in: bool) -> None:
        """Those that are the same as one of which it is known now whether it is in the record."""
        for other in others:
            self._readying.forget(call_id, other)
            if is_in:
                self._tell_known(other, call_id)
            else:
                self.counts.failed += 1
                self._told.failed(other.name, f"it is the same as {recording.name}")

    async def _tidy(self, call_id: str, recording: Recording, store: ManagedStore) -> None:
        """It is in the record: nothing of it is needed here."""
        if await store.calls(call_id=call_id, limit=1):
            await store.delete(call_id)
        self._readying.forget(call_id, recording)

    async def _spared(self, recording: Recording, work: Awaitable[str]) -> str | None:
        """A recording that cannot be imported does not cost the others."""
        try:
            return await work
        except (SourceError, TwilioError) as error:
            self.counts.failed += 1
            self._told.failed(recording.name, str(error))
        except OSError as error:
            self.counts.failed += 1
            self._told.failed(recording.name, f"it cannot be read, or kept meanwhile: {error.strerror}")
        return None

    async def _import(self, call_id: str, recording: Recording, store: ManagedStore, backfill: Backfill) -> str:
        try:
            ready = await self._readying.ready(call_id, recording)
            if ready.broken:
                self._told.broken(recording.name, ready.broken)
            await self._transcribe(ready, store, backfill)
        except SourceError:
            self._readying.forget(call_id, recording)  # it may be another one when it is tried again
            raise
        words = await self._hand_over(call_id, store, ready.audio)
        await self._tidy(call_id, recording, store)
        self.counts.imported += 1
        self._told.imported(recording.name, call_id, ready.seconds, words)
        return call_id

    async def _transcribe(self, ready: Ready, store: ManagedStore, backfill: Backfill) -> None:
        await _begin(store, ready)
        self._audio.add(ready.call_id, ready.audio)
        try:
            if not await backfill.offer(ready.call_id, self._wanted.patience):
                raise self._failure(ready.call_id)
        finally:
            self._audio.remove(ready.call_id)

    def _failure(self, call_id: str) -> BridgeError:
        """Of one recording if it is that one's fault, or else of all."""
        refusal = self._refusals.get(call_id)
        if refusal is None:
            return ImportFailed("what is transcribed cannot be kept: is the disk full?")
        if refusal.blame is Blame.REQUEST:
            return SourceError(f"Deepgram refuses it: {sentence(refusal)}")
        return ImportFailed(f"Deepgram does not transcribe now: {sentence(refusal)}")

    async def _hand_over(self, call_id: str, store: ManagedStore, audio: DecodedAudio) -> int:
        """How many words it has."""
        logged = handover.parsed(call_id, [stored.body for stored in await _log(store, call_id)])
        events = imported.finished(logged, time.time(), self._settings.public_url)
        terms = Terms(self._wanted.deliver, self._settings.public_url)
        try:
            if self._wanted.keep:
                await asyncio.to_thread(audio.keep, self._folder / f"{call_id}{handover.AUDIO}")
            await asyncio.to_thread(handover.hand_over, self._folder, events, terms)
        except OSError as error:
            raise StoreError(f"cannot write in {self._folder}: {error.strerror}") from error
        await taken_in(self._settings, call_id)
        return sum(len(event.data.words) for event in events if isinstance(event.data, TranscriptFinal))


class _Progress:
    """A log that tells how much more is transcribed."""

    def __init__(self, store: EventLog, told: Told) -> None:
        self._store = store
        self._told = told
        self.read, self.log, self.position = store.read, store.log, store.position

    def append(
        self,
        events: Sequence[Event],
        interims: Sequence[Event] = (),
        *,
        deliver: bool = True,
        named: Named | None = None,
    ) -> Awaitable[None]:
        """As the store's."""
        for event in events:
            if isinstance(done := event.data, TranscriptionBackfilled):
                self._told.transcribed(done.to - done.from_)
        return self._store.append(events, interims, deliver=deliver, named=named)


def sentence(refusal: Refusal) -> str:
    """Why, in Deepgram's words."""
    return refusal.reason + (f" (request {refusal.request_id})" if refusal.request_id else "")


async def _begin(store: ManagedStore, ready: Ready) -> None:
    """Go on with what there is of it, or begin; what was begun in another way is done again."""
    past = await read_projection(store, ready.call_id)
    new = ready.started.model_dump(mode="json", by_alias=True)
    if past.seq and (past.started | {"started_at": ""} != new | {"started_at": ""}):
        await store.delete(ready.call_id)
        past.seq = 0
    if not past.seq:
        begun = [ready.started, imported.lacking(ready.started, ready.seconds)]
        await store.append(imported.numbered(ready.call_id, begun, time.time()))


async def _log(store: EventLog, call_id: str) -> list[StoredEvent]:
    events: list[StoredEvent] = []
    while page := await store.read(Query(call_id), events[-1].seq if events else 0, 1000):
        events += page
    return events
