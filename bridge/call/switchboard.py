"""The calls that are going on: which stream belongs to which call, how many there may be, and what a crash left open.

A carrier's call id names one record. A second stream of a call that is going on takes the call over; a stream of a
call whose record has ended opens a further record, `<call id>--2`, because a record ends exactly once.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from random import Random
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from bridge.call import describe
from bridge.call.call import Call
from bridge.call.digest import Digest
from bridge.call.orphans import Orphans
from bridge.call.policy import CallPolicy
from bridge.call.stream import Stream
from bridge.call.wishes import Wishes
from bridge.carriers.messages import Started
from bridge.deepgram.gate import Gate
from bridge.errors import BridgeError
from bridge.events import EndReason
from bridge.store.audio import AudioFile, AudioStore
from bridge.store.base import CallRow, Store
from twiml.document import TOKEN

log = logging.getLogger("bridge.switchboard")

T = TypeVar("T")

Refork = Callable[[str, Mapping[str, str]], Awaitable[str | None]]
"""Asks the carrier to send a call's audio here once more: the carrier's call id and parameters for the stream in; out,
None if it will, or why it will not."""

_REFORK_PAUSE = 4.0  # seconds between two times the carrier is asked


class CallRefused(BridgeError):
    """There is no place for one more call now."""


class Switchboard:
    """Opens calls, finds them, ends them."""

    def __init__(
        self,
        store: Store,
        policy: CallPolicy,
        *,
        wishes: Wishes,
        gate: Gate,
        max_calls: int,
        wall: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
        random: Random,
        audio: AudioStore | None = None,
        on_uncovered: Callable[[str], object] = lambda call_id: None,
        refork: Refork | None = None,
    ) -> None:
        """`wall` tells seconds since 1970, `clock` those of a clock that is never set. `audio`: where the audio of
        calls is kept. `on_uncovered` is told which records have ended with audio that is still to be transcribed.
        `refork`: where the carrier can be asked for a stream.
        """
        self.calls: dict[str, Call] = {}
        """By the carrier's call id."""
        self.counters: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        """What the calls that have ended had counted, added up."""
        self.gate = gate
        self._store = store
        self._policy = policy
        self._wishes = wishes
        self._audio = audio
        self._on_uncovered = on_uncovered
        self._refork = refork
        self._orphans = Orphans(store, audio, wall)
        self._max_calls = max_calls
        self._wall = wall
        self._clock = clock
        self._random = random
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Switchboard {len(self.calls)} of {self._max_calls} calls {dict(self.counters)}>"

    @property
    def interrupted(self) -> int:
        """Calls that Deepgram does not hear at this moment."""
        return sum(call.session.interruption is not None for call in self.calls.values())

    @property
    def full(self) -> bool:
        """Whether one more call would be too many."""
        return len(self.calls) >= self._max_calls

    @property
    def closed_to_all(self) -> bool:
        """It is full, and no call waits for a stream: whoever comes brings one call too many."""
        return self.full and not self._orphans.rows and not any(call.waiting for call in self.calls.values())

    async def open(self, started: Started) -> Stream:
        """The stream's hold on its call; the call is made if there is none. Raises `CallRefused`."""
        opening = self._spawn(self._open(started))
        return await asyncio.shield(opening)  # half a call is none: who gives up waiting leaves a whole one behind

    async def _open(self, started: Started) -> Stream:
        async with self._lock(started.call_id):
            live = self.calls.get(started.call_id)
            if live and live.reason is None:
                return live.attach(started)
            call = await self._adopted(started) or await self._new(started)
            self.calls[started.call_id] = call
            self._spawn(self._forget(started.call_id, call))
            if self._closing.is_set():
                call.end("server_stopping")
            return call.stream

    async def close(self, reason: EndReason) -> None:
        """End every call and wait for the last words."""
        self._closing.set()
        for call in list(self.calls.values()):
            call.end(reason)
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def recover(self) -> None:
        """Find the calls that a crash cut off: each has its grace to come back, and then its one end."""
        await self._orphans.find()
        for row in list(self._orphans.rows.values()):
            self._spawn(self._await_orphan(row))

    async def fail_stream(self, call_id: str, stream_id: str | None, error: str) -> None:
        """Put a carrier's complaint into the record of its call.

        A call whose stream never reached us has no record; it gets one, so that whoever reads the events learns that
        this call was not transcribed. A call that has ended keeps its end: the complaint is in the log only.
        """
        self.counters["stream_errors"] += 1
        async with self._lock(call_id):
            call = self.calls.get(call_id)
            if call and call.reason is None:
                call.fail_stream(stream_id, error)
            elif call is None and not await self._store.calls(call_id=call_id, limit=1):
                await self._store.append(describe.failed_call(call_id, stream_id, error, self._wall()))

    async def _free_record(self, call_id: str) -> str:
        """The carrier's id, or with a number behind it where records of that id have ended."""
        number = 1
        while await self._store.calls(call_id=describe.record_id(call_id, number), limit=1):
            number += 1
        return describe.record_id(call_id, number)

    async def _new(self, started: Started) -> Call:
        record_id = await self._free_record(started.call_id)
        if self.full or self._closing.is_set():  # asked last: from here to its place in `calls` nobody else comes in
            raise CallRefused("the server is stopping" if self._closing.is_set() else "too many calls at once")
        audio = self._open_audio(record_id)
        self.counters["opened"] += 1
        log.info("call started", extra={"call_id": record_id, "stream_id": started.stream_id})
        return self._make(record_id, started, started.parameters, audio, None)

    async def _adopted(self, started: Started) -> Call | None:
        """A call that another process has begun, if this stream is of one."""
        adopted = await self._orphans.adopt(started.call_id)
        if adopted is None:
            return None
        row, past, audio = adopted
        self.counters["resumed"] += 1
        log.info("call resumed", extra={"call_id": row.id, "stream_id": started.stream_id})
        return self._make(row.id, started, past.parameters, audio, past)

    def _make(
        self,
        record_id: str,
        started: Started,
        parameters: Mapping[str, str],
        audio: AudioFile | None,
        past: Digest | None,
    ) -> Call:
        return Call(
            record_id,
            started,
            options=self._wishes.of(record_id, parameters),
            policy=self._policy,
            store=self._store,
            gate=self.gate,
            wall=self._wall,
            clock=self._clock,
            random=self._random,
            audio=audio,
            past=past,
            on_lost=lambda call: self._spawn(self._ask_for_stream(started.call_id, call)),
        )

    def _open_audio(self, record_id: str) -> AudioFile | None:
        """A place for the call's audio; a call that cannot have one goes on without."""
        try:
            return self._audio.open(record_id) if self._audio else None
        except BridgeError as error:
            log.error("audio cannot be kept", extra={"call_id": record_id, "reason": str(error)})
            return None

    async def _forget(self, call_id: str, call: Call) -> None:
        await call.wait_ended()
        self.ended.update(call.counts)
        if self.calls.get(call_id) is call:
            del self.calls[call_id]
        if call.uncovered:
            self._on_uncovered(call.id)

    # Streams that were lost.

    async def _ask_for_stream(self, call_id: str, call: Call) -> None:
        """While a call waits for its stream, ask the carrier for another."""
        parameters = {name: value for name, value in call.started.parameters.items() if name != TOKEN}
        while self._refork and call.waiting and not await self._asked(call_id, parameters):
            await self._pause(_REFORK_PAUSE)

    async def _await_orphan(self, row: CallRow) -> None:
        """A call of another process: ask for its stream, wait for it, and end the call if it does not come."""
        call_id, parameters = describe.carriers_call_id(row.id), describe.stream_parameters(row.header)
        ends = asyncio.get_running_loop().time() + self._policy.grace
        asked = self._refork is None
        while (left := ends - asyncio.get_running_loop().time()) > 0 and row.id in self._orphans.rows:
            asked = asked or await self._asked(call_id, parameters)
            if await self._pause(left if asked else min(left, _REFORK_PAUSE)):
                break
        async with self._lock(call_id):  # its stream may be on its way in
            uncovered = await self._orphans.end(row.id)
        if uncovered:
            self._on_uncovered(row.id)

    def _lock(self, call_id: str) -> asyncio.Lock:
        """One at a time may open or end the records of a carrier's call."""
        return self._locks.setdefault(call_id, asyncio.Lock())

    async def _asked(self, call_id: str, parameters: Mapping[str, str]) -> bool:
        assert self._refork
        if reason := await self._refork(call_id, parameters):
            log.warning("no new stream", extra={"call_id": call_id, "reason": reason})
            return False
        self.counters["streams_asked_for"] += 1
        log.info("asked for a new stream", extra={"call_id": call_id})
        return True

    async def _pause(self, seconds: float) -> bool:
        """Wait so long; True, at once, when the switchboard closes."""
        try:
            async with asyncio.timeout(seconds):
                return await self._closing.wait()
        except TimeoutError:
            return False

    def _spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
