"""The calls that are going on: which stream belongs to which call, how many there may be, and what a crash left open.

A carrier's call id names one record. A second stream of a call that is going on takes the call over; a stream of a
call whose record has ended opens a further record, `<call id>-2`, because a record ends exactly once.
"""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable
from random import Random

from bridge.call import describe
from bridge.call.call import Call, CallPolicy, Stream
from bridge.carriers.messages import Started
from bridge.deepgram import options as deepgram_options
from bridge.deepgram.gate import Gate
from bridge.deepgram.options import Options
from bridge.errors import ConfigError
from bridge.events import CallEnded, Event, timestamp
from bridge.store.base import CallRow, Query, Store

log = logging.getLogger("bridge.switchboard")

_MOMENTS = ("end", "at")
"""Names of moments of the call in any event. `to` is one in a gap, but in `call.started` it is a number."""


class Switchboard:
    """Opens calls, finds them, ends them."""

    def __init__(
        self,
        store: Store,
        policy: CallPolicy,
        *,
        options: Options,
        overrides: frozenset[str],
        max_calls: int,
        wall: Callable[[], float],
        random: Random,
    ) -> None:
        self.calls: dict[str, Call] = {}
        """By the carrier's call id."""
        self.counters: Counter[str] = Counter()
        self.gate = Gate()
        self._store = store
        self._policy = policy
        self._options = options
        self._overrides = overrides
        self._max_calls = max_calls
        self._wall = wall
        self._random = random
        self._opening = asyncio.Lock()
        self._watchers: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Switchboard {len(self.calls)} of {self._max_calls} calls {dict(self.counters)}>"

    @property
    def full(self) -> bool:
        """Whether one more call would be too many."""
        return len(self.calls) >= self._max_calls

    async def open(self, started: Started) -> Stream:
        """The stream's hold on its call; the call is made if there is none."""
        async with self._opening:
            live = self.calls.get(started.call_id)
            if live and live.reason is None:
                return live.attach(started)
            record_id = await self._free_record(started.call_id)
            call = Call(
                record_id,
                started,
                options=self._call_options(record_id, started),
                policy=self._policy,
                store=self._store,
                gate=self.gate,
                wall=self._wall,
                random=self._random,
            )
            self.calls[started.call_id] = call
            self.counters["opened"] += 1
            log.info("call started", extra={"call_id": record_id, "stream_id": started.stream_id})
            watcher = asyncio.create_task(self._forget(started.call_id, call))
            self._watchers.add(watcher)
            watcher.add_done_callback(self._watchers.discard)
            return call.stream

    async def close(self, reason: str) -> None:
        """End every call and wait for the last words."""
        for call in list(self.calls.values()):
            call.end(reason)
        if self._watchers:
            await asyncio.wait(self._watchers)

    async def recover(self) -> None:
        """Give every call that a crash cut off its one end."""
        while rows := await self._store.calls(open_only=True):
            for row in rows:
                await self._store.append([await self._end_of(row)])
                log.warning("call closed after a restart", extra={"call_id": row.id})

    async def fail_stream(self, call_id: str, stream_id: str | None, error: str) -> None:
        """Put a carrier's complaint into the record of its call.

        A call whose stream never reached us has no record; it gets one, so that whoever reads the events learns that
        this call was not transcribed. A call that has ended keeps its end: the complaint is in the log only.
        """
        self.counters["stream_errors"] += 1
        async with self._opening:
            call = self.calls.get(call_id)
            if call and call.reason is None:
                call.fail_stream(stream_id, error)
            elif call is None and not await self._store.calls(call_id=call_id, limit=1):
                await self._store.append(describe.failed_call(call_id, stream_id, error, self._wall()))

    async def _free_record(self, call_id: str) -> str:
        """The carrier's id, or with a number behind it where records of that id have ended."""
        record_id, number = call_id, 1
        while await self._store.calls(call_id=record_id, limit=1):
            number += 1
            record_id = f"{call_id}-{number}"
        return record_id

    def _call_options(self, call_id: str, started: Started) -> Options:
        """The call's own wishes, or the operator's where they cannot be granted: no call fails over an option."""
        try:
            return deepgram_options.override(self._options, started.parameters, self._overrides)
        except ConfigError as error:
            log.warning("options of the call ignored", extra={"call_id": call_id, "reason": str(error)})
            return self._options

    async def _forget(self, call_id: str, call: Call) -> None:
        await call.wait_ended()
        if self.calls.get(call_id) is call:
            del self.calls[call_id]

    async def _end_of(self, row: CallRow) -> Event:
        ended = CallEnded(
            reason="bridge_restarted",
            duration=await self._last_moment(row),
            ended_at=timestamp(self._wall()),
            flush="timed_out",
            missing=0.0,
            counts={},
        )
        return describe.event(row.id, row.tip + 1, self._wall(), ended)

    async def _last_moment(self, row: CallRow) -> float:
        """The latest moment of the call that any of its events names."""
        latest, after = 0.0, 0
        while events := await self._store.read(Query(row.id), after):
            after = events[-1].seq
            for event in events:
                data = json.loads(event.body)["data"]
                latest = max(latest, *(float(data.get(name) or 0.0) for name in _MOMENTS))
        return latest
