"""The calls that are going on: which stream belongs to which call, how many there may be, and what was left open.

Streams that come while a call goes on are streams of that call. A stream of a call whose record has ended opens a
further record, `<call id>--2`, because a record ends exactly once. Here `call_id` is the carrier's id; in the logs and
everywhere else it is the record's.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from bridge.call import describe
from bridge.call.call import Call
from bridge.call.recovery import Recovery, open_audio
from bridge.call.services import Services
from bridge.call.stream import Stream
from bridge.carriers.messages import Started
from bridge.errors import BridgeError, StoreError
from bridge.events import EndReason
from bridge.store.base import CallFilter, KeptAudio

log = logging.getLogger("bridge.call")

T = TypeVar("T")

CloseStreams = Callable[[], Coroutine[Any, Any, None]]
"""Closes the sockets of all streams."""

_SHARE_OF_WORDS = 0.8  # of the time to stop: for the last words; the rest is for writing them


class CallRefused(BridgeError):
    """A stream may not come in now; the message is the reason."""


class StreamDenied(CallRefused):
    """A stream may not come in at all."""


class CallRegistry:
    """Opens calls, finds them, ends them or leaves them."""

    def __init__(
        self,
        services: Services,
        *,
        max_calls: int,
        audio: KeptAudio | None = None,
        on_uncovered: Callable[[str], object] = lambda call_id: None,
        had_token: Callable[[str], bool] = lambda call_id: False,
    ) -> None:
        """`audio`: where the audio of calls is kept. `on_uncovered` is told which records have ended with audio that is
        still to be transcribed. `had_token`: whether a call was given a token for its stream.
        """
        self.calls: dict[str, Call] = {}
        """By the carrier's call id."""
        self.counters: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        """What the calls that are over had counted, added up."""
        self.unkept = 0
        """Events that the store had not taken when the process stopped."""
        self._services = services
        self._audio = audio
        self._on_uncovered = on_uncovered
        self._had_token = had_token
        self._recovery = Recovery(services.store, audio)
        self._found = asyncio.Event()
        self._watched: dict[Call, asyncio.Task[None]] = {}
        """The calls that are not over, those that are ending too."""
        self._max_calls = max_calls
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing = False

    def __repr__(self) -> str:
        return f"<CallRegistry {len(self.calls)} of {self._max_calls} calls {dict(self.counters)}>"

    @property
    def interrupted(self) -> int:
        """Calls that Deepgram does not hear at this moment."""
        return sum(call.interrupted for call in self.calls.values())

    @property
    def full(self) -> bool:
        """Whether one more call would be too many."""
        return len(self.calls) >= self._max_calls

    @property
    def closed_to_all(self) -> bool:
        """It is full, and no call waits for a stream: any stream brings one call too many."""
        return self.full and not self._recovery.left and not any(call.waiting for call in self.calls.values())

    async def open(self, started: Started) -> Stream:
        """A place for a stream in its call; the call is made if there is none. Raises `CallRefused`."""
        opening = self._spawn(self._open(started))
        return await asyncio.shield(opening)  # half a call is none: a handler that gives up leaves a whole one

    async def recover(self) -> None:
        """Adopt the calls that another process has left open: each has its grace to come back, and then its one end.

        Streams are let in meanwhile; one of a call that was left open takes its call at once.
        """
        try:
            await self._recovery.find()
        finally:
            self._found.set()
        for record_id, call_id in list(self._recovery.left.items()):
            if self._closing:
                return
            try:
                async with self._lock(call_id):
                    await self._adopt(record_id, call_id)
            except StoreError as error:
                log.error("call not adopted", extra={"call_id": record_id, "reason": str(error)})

    async def end_all(
        self, seconds: float, reason: EndReason = "server_stopping", close_streams: CloseStreams | None = None
    ) -> None:
        """End every call with its last words, within so many seconds. `close_streams`: as `leave_all`'s."""
        await self._finish(lambda call: call.end(reason), seconds, close_streams)

    async def leave_all(self, seconds: float, close_streams: CloseStreams | None = None) -> None:
        """Leave every call open for the next process, with the words that come within so many seconds.

        `close_streams` is called once no audio is taken any more: what a carrier sends after that is heard by no one.
        """
        await self._finish(Call.leave, seconds, close_streams)

    async def fail_stream(self, carrier: str, call_id: str, stream_id: str | None, error: str) -> None:
        """Put a carrier's complaint into the record of its call.

        A call whose stream never reached us has no record; it gets one, so that a reader of the events learns that
        this call was not transcribed. A call that has ended keeps its end: the complaint is in the log only.
        """
        self.counters["stream_errors"] += 1
        store = self._services.store
        async with self._lock(call_id):
            call = self.calls.get(call_id)
            if call and call.reason is None:
                call.fail_stream(stream_id, error)
            elif call is None and not await store.calls(call_id=call_id, limit=1):
                await store.append(
                    describe.failed_call(carrier, call_id, stream_id, error, self._services.clock.wall())
                )

    # Opening.

    async def _open(self, started: Started) -> Stream:
        call_id = started.call_id
        await self._found.wait()
        async with self._lock(call_id):
            call = self.calls.get(call_id)
            if call is None or call.reason is not None:
                record_id = self._recovery.record_of(call_id)
                call = (record_id and await self._adopt(record_id, call_id)) or None
            self._check_token(started, call)
            if self._closing:
                raise CallRefused("the server is stopping")
            return (call or await self._new(started)).attach(started)

    def _check_token(self, started: Started, call: Call | None) -> None:
        """A call that was given a token has streams with one only: any other is a stranger's, who knows its id."""
        if started.token is None and (self._had_token(started.call_id) or (call and call.has_token)):
            raise StreamDenied("the streams of this call have a token")

    async def _new(self, started: Started) -> Call:
        call_id = started.call_id
        newest = await self._services.store.find(CallFilter(carrier_call_id=call_id), limit=1)
        before = newest[0].row.id if newest else None
        record_id = describe.further_record(before, call_id) if before else call_id
        # Asked last: from here to its place in `calls` nothing else comes in.
        if self._closing:
            raise CallRefused("the server is stopping")
        if self.full:
            raise CallRefused("too many calls at once")
        audio = open_audio(self._audio, record_id)
        self.counters["opened"] += 1
        log.info("call started", extra={"call_id": record_id, "stream_id": started.stream_id})
        call = Call(record_id, started, self._services, audio=audio, continues=before)
        self._watch(call_id, call)
        self.calls[call_id] = call
        return call

    async def _adopt(self, record_id: str, call_id: str) -> Call | None:
        """Go on with a call that was left open; None where there is no such call any more."""
        adopted = await self._recovery.adopt(record_id)
        if adopted is None:
            return None
        if self._closing:  # meanwhile the calls there were have been told; this one is left as it is
            if adopted.audio:
                adopted.audio.close()
            await self._services.store.release(record_id)
            return None
        self.counters["adopted"] += 1
        log.info("call adopted", extra={"call_id": record_id, "epoch": adopted.epoch})
        started = describe.started_again(call_id, adopted.header, adopted.past.started)
        call = Call(record_id, started, self._services, audio=adopted.audio, past=adopted.past)
        self._watch(call_id, call)
        if call_id in self.calls:
            call.end("bridge_restarted")  # a newer record of the same call goes on
            return None
        self.calls[call_id] = call
        return call

    # Ending.

    def _watch(self, call_id: str, call: Call) -> None:
        self._watched[call] = self._spawn(self._forget(call_id, call))

    async def _forget(self, call_id: str, call: Call) -> None:
        """Once a call is over, and only then."""
        await call.wait_over()
        self.ended.update(call.counts)
        self.unkept += call.unkept
        del self._watched[call]
        if self.calls.get(call_id) is call:
            del self.calls[call_id]
        if call.reason is None:
            await self._services.store.release(call.id)
        elif call.uncovered:
            self._on_uncovered(call.id)

    async def _finish(self, stop: Callable[[Call], None], seconds: float, close_streams: CloseStreams | None) -> None:
        """Wait for the last words, then let go of every call: nothing is closed that a call still uses."""
        self._closing = True
        clock = self._services.clock
        ends = clock.now() + seconds
        for call in list(self._watched):
            stop(call)
        hearing = [asyncio.ensure_future(call.wait_heard()) for call in self._watched]
        if hearing:
            await asyncio.wait(hearing, timeout=seconds * _SHARE_OF_WORDS)
        for call in list(self._watched):
            call.let_go()
        if close_streams:
            self._spawn(close_streams())
        while self._tasks and (left := ends - clock.now()) > 0:
            await asyncio.wait(self._tasks, timeout=left)
        for call in self._watched:
            self.unkept += call.unkept
            log.error("call cut off", extra={"call_id": call.id, "events_not_kept": call.unkept})
        for task in [*hearing, *self._tasks]:
            task.cancel()
        await asyncio.gather(*hearing, *self._tasks, return_exceptions=True)

    def _lock(self, call_id: str) -> asyncio.Lock:
        """One at a time may open or adopt the records of a carrier's call."""
        return self._locks.setdefault(call_id, asyncio.Lock())

    def _spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error and not isinstance(error, CallRefused):  # which the media handler tells
            log.error("a task of the registry failed", exc_info=error)
