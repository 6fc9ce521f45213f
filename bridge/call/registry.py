"""The calls that are going on: which stream belongs to which call, how many there may be, and what was left open.

Streams that come while a call goes on are streams of that call. A stream of a call whose record has ended opens a
further record, `<call id>--2`, because a record ends exactly once. Here `call_id` is the carrier's id; in the logs and
everywhere else it is the record's.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from bridge.call import describe
from bridge.call.admission import Admission
from bridge.call.backlog import Backlog
from bridge.call.beginnings import DIRECTLY, Beginnings, Coming, NotHere
from bridge.call.call import Call
from bridge.call.openings import Openings
from bridge.call.recovery import Recovery, open_audio
from bridge.call.services import Services
from bridge.call.stream import CallRefused, Stream
from bridge.call.stream_ends import StreamEnds
from bridge.call.turned_away import TurnedAway
from bridge.carriers.messages import Started
from bridge.errors import StoreError
from bridge.events import EndReason
from bridge.store.kept import KeptAudio
from bridge.store.relaying import Keepers

log = logging.getLogger("bridge.call")
T = TypeVar("T")

CloseStreams = Callable[[], Coroutine[Any, Any, None]]
"""Closes the sockets of all streams."""

_SHARE_OF_WORDS = 0.8  # of the time to stop: for the last words; the rest is for writing them


class CallRegistry:
    """Opens calls, finds them, ends them or leaves them."""

    def __init__(
        self,
        services: Services,
        *,
        max_calls: int,
        audio: KeptAudio | None = None,
        keepers: Keepers | None = None,
        on_uncovered: Callable[[str], object] = lambda call_id: None,
        had_token: Callable[[str], bool] = lambda call_id: False,
    ) -> None:
        """`audio`: where the audio of calls is kept. `keepers`: as `Beginnings` has it. `on_uncovered` is told which
        records have ended with audio that is still to be transcribed. `had_token`: whether a call was given a token for
        its stream."""
        self.calls: dict[str, Call] = {}  # by the carrier's call id
        self.counters: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        """What the calls that are over had counted, added up."""
        self.unkept = 0
        """Events that the store had not taken when the process stopped."""
        self._services = services
        self._audio = audio
        self._on_uncovered = on_uncovered
        self._admission = Admission(services.policy.max_streams, had_token)
        self.relays = keepers is not None
        """Whether streams may be another process's to hear."""
        self._recovery = Recovery(services.store, audio)
        self._beginnings = Beginnings(services, keepers)
        self._found = asyncio.Event()
        self._watched: dict[Call, asyncio.Task[None]] = {}
        """The calls that are not over, those that are ending too."""
        self._ends = StreamEnds()
        self._turned_away = TurnedAway(services)
        self._max_calls = max_calls
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing = False
        self.openings = Openings()
        self.on_early: Callable[[str], object] = self.openings.hear
        """Is told that a stream brings audio of a call that cannot be opened yet."""
        self.taking = True
        """Whether streams are let in; calls go on without."""

    def __repr__(self) -> str:
        return f"<CallRegistry {len(self.calls)} of {self._max_calls} calls {dict(self.counters)}>"

    def of_record(self, record_id: str) -> Call | None:
        """The call that goes on in this record."""
        return next((call for call in self.calls.values() if call.id == record_id), None)

    @property
    def interrupted(self) -> int:
        """Calls that Deepgram does not hear at this moment."""
        return sum(call.interrupted for call in self.calls.values())

    @property
    def backlog(self) -> Backlog:
        """What waits for the store."""
        return self._services.backlog

    @property
    def full(self) -> bool:
        """Whether one more call would be too many."""
        return len(self.calls) >= self._max_calls

    @property
    def refusal(self) -> str | None:
        """Why one more call would not be taken now; None: it would."""
        if not self.taking:
            return "the server is stopping"
        if self.full:
            return "too many calls at once"
        trouble = self._services.store.trouble
        if trouble and not (trouble.passes and trouble.answers):
            return trouble.reason
        if self._services.backlog.is_high:
            return "too much waits for the store"
        return None

    @property
    def room(self) -> int:
        """For how many streams there is a place: that of a further call, or of a call that waits for a stream."""
        waiting = len(self._recovery.left) + sum(call.continuity.waiting for call in self.calls.values())
        further = 0 if self.refusal else self._max_calls - len(self.calls)
        return further + waiting if self.taking else 0

    def takes(self, call_id: str) -> bool:
        """Whether streams of a call that come to other processes may be relayed to this one."""
        call = self.calls.get(call_id)
        here = call_id in self.openings or (call is not None and call.reason is None and len(call.streams) > 0)
        return here and self.taking and not self._closing

    async def open(self, started: Started, coming: Coming = DIRECTLY) -> Stream:
        """A place for a stream in its call; the call is made if there is none. Raises `CallRefused`."""
        opening = self._spawn(self._open(started, coming))
        self.openings.begin(started.call_id)
        try:
            return await asyncio.shield(opening)  # half a call is none: a handler that gives up leaves a whole one
        except StoreError:
            self._turned_away.ask(started)
            raise CallRefused("the record cannot be read") from None
        finally:
            self.openings.end(started.call_id)

    async def recover(self) -> None:
        """Adopt the calls that another process has left open: each has its grace to come back, and then its one end.

        Streams are let in meanwhile; one of a call that was left open takes its call at once.
        """
        try:
            await self._recovery.find()
        finally:
            self._found.set()
        # A stream that has waited for its call takes it, before the carrier is asked for one.
        for record_id, call_id in sorted(self._recovery.left.items(), key=lambda one: one[1] in self.openings):
            await self.openings.wait_over(call_id)
            if self._closing or not self.taking:
                return
            try:
                async with self._lock(call_id):
                    if record_id in self._recovery.left:
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
        self._ends.fail(call_id, stream_id or "")
        store = self._services.store
        async with self._lock(call_id):
            if call := self.calls.get(call_id):
                if call.reason is None:
                    call.fail_stream(stream_id, error)
                return
            try:
                if not await store.calls(call_id=call_id, limit=1):
                    now = self._services.clock.wall()
                    await store.append(describe.failed_call(carrier, call_id, stream_id, error, now))
            except StoreError as fault:
                log.error("a stream's error is not kept", extra={"call_id": call_id, "reason": str(fault)})

    def stop_stream(self, call_id: str, stream_id: str) -> None:
        """The carrier says beside the stream that it has stopped: a call that has lost it waits for nothing more."""
        call = self.calls.get(call_id)
        if call and self._ends.stop(call_id, stream_id) and call.continuity.waiting:
            log.info("lost stream has stopped", extra={"call_id": call.id, "stream_id": stream_id})
            call.end("stopped")

    def end_of(self, started: Started, reason: EndReason) -> EndReason:
        """Why a stream is over whose socket is gone for this reason, after all that its carrier has said of it."""
        return self._ends.end(started.call_id, started.stream_id, reason)

    # Opening.

    async def _open(self, started: Started, coming: Coming) -> Stream:
        call_id, came, waited = started.call_id, self._services.clock.wall(), not self._found.is_set()
        await self._found.wait()
        async with self._lock(call_id):
            call = await self._here(call_id)
            while not (call or self._closing):
                await self._beginnings.look_elsewhere(started, coming)
                waited |= await self._recovery.wait_left(call_id, self.openings.wait_heard)
                if (record_id := await self._recovery.record_of(call_id)) is None:
                    await self._beginnings.look_elsewhere(started, coming, again=waited)
                    break
                call = await self._adopt(record_id, call_id)  # another may be quicker, or lock its row
            if self._closing or not self.taking:
                raise NotHere("the server is stopping")
            self._admission.check(started, call, self._services.clock.now())
            call = call or await self._new(started, came, coming, waited=waited)
            self._ends.attach(call_id)
            return self._services.traced(call.attach(started), call.id, started.carrier)

    async def _here(self, call_id: str) -> Call | None:
        """The call that takes one more stream. Of one that is let go of nothing is here any more, once that is done."""
        call = self.calls.get(call_id)
        if call and call.continuity.leaving and not self._closing:
            await asyncio.wait({self._watched[call]})
            call = self.calls.get(call_id)
        return None if call is None or call.reason is not None else call

    async def _new(self, started: Started, came: float, coming: Coming, *, waited: bool) -> Call:
        """`came`, `waited`: as `Beginnings` has them."""
        call_id = started.call_id
        if reason := self.refusal:
            raise CallRefused(reason)
        new = await self._beginnings.choose(started, came, coming, waited=waited)
        # Asked last: from here to its place in `calls` nothing else comes in.
        if reason := "the server is stopping" if self._closing else self.refusal:
            raise CallRefused(reason)
        audio = open_audio(self._audio, new.record_id)
        self.counters["opened"] += 1
        log.info("call started", extra={"call_id": new.record_id, "stream_id": started.stream_id})
        call = Call(new.record_id, new.started, self._services, audio=audio, continues=new.before, came=came)
        self._watch(call_id, call)
        self.calls[call_id] = call
        return call

    async def _adopt(self, record_id: str, call_id: str) -> Call | None:
        """Go on with a call that was left open; None where there is no such call any more."""
        lose = partial(self._lose, record_id)
        adopted = await self._recovery.adopt(record_id, heard=call_id in self.openings, on_taken=lose)
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
        if (other := self.calls.get(call_id)) and other.id != record_id:
            call.end("bridge_restarted")  # a newer record of the same call goes on
            return None
        self.calls[call_id] = call
        return call

    # Ending.

    async def _lose(self, record_id: str) -> None:
        """Another process has had a call of this one: what that still hears of it is not to be written, and what is on
        its way to the store is read with the rest."""
        if call := self.of_record(record_id):
            call.control.lose()
            call.end("bridge_restarted")
            await call.control.written()

    def _watch(self, call_id: str, call: Call) -> None:
        self._watched[call] = self._spawn(self._forget(call_id, call))

    async def _forget(self, call_id: str, call: Call) -> None:
        """Once a call is over, and only then."""
        left = await call.wait_over()
        self.ended.update(call.counts)
        self.ended["events_not_kept"] += call.unkept
        self.unkept += call.unkept
        del self._watched[call]
        if self.calls.get(call_id) is call:
            del self.calls[call_id]
            self._ends.forget(call_id)
        if call.reason is None:
            await self._recovery.release(call.id, left)
        elif call.uncovered:
            self._on_uncovered(call.id)

    async def _finish(self, stop: Callable[[Call], None], seconds: float, close_streams: CloseStreams | None) -> None:
        """Wait for the last words, then let go of every call: nothing is closed that a call still uses."""
        self._closing = True
        self._turned_away.close()
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
        if isinstance(error, StoreError):
            log.error("the store failed a call", extra={"reason": str(error)})
        elif error and not isinstance(error, CallRefused):  # which the media handler tells
            log.error("a task of the registry failed", exc_info=error)
