"""Gives the calls of this process to the one that waits for them, while both hear.

The carrier is asked for each call's stream once more, and sends it to the other process. Once that hears a call, and
both have heard something by which it can find its place, this one may let go of it; then the carrier is asked to stop
the stream that was here, as one that is closed by us counts as an error there.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from bridge.call import describe
from bridge.call.call import Call
from bridge.call.overlap import Overlap
from bridge.call.registry import CallRegistry
from bridge.call.services import Services
from bridge.carriers.messages import Started
from bridge.events import TRACKS

log = logging.getLogger("bridge.call")

_LOOK = 0.5  # seconds between two looks at what both have heard
_LOOKS = 8  # for something by which a place can be found; then the clock tells it
_AGAIN = 3.0  # seconds for which a stream is waited for that the carrier said it would send
_REFUSED = 1.0  # seconds until it is asked again where it would not
_SOON = 0.1  # seconds until it is asked again for one that it could not open; doubles up to the above
_TRIES = 3
_LAST_WORDS = 5.0  # for those of a call that is let go of by itself


class Giving:
    """Made with the registry, used once."""

    def __init__(
        self,
        registry: CallRegistry,
        services: Services,
        *,
        one_by_one: bool = False,
        is_alone: Callable[[], bool] = lambda: False,
    ) -> None:
        """`one_by_one`: the other processes share the record, and can go on with a call as soon as this one has let go
        of it. Else all calls wait for each other. `is_alone`: whether there is none any more."""
        self._registry = registry
        self._services = services
        self._one_by_one = one_by_one
        self._is_alone = is_alone
        self._unasked: set[asyncio.Task[None]] = set()
        self._unheard: list[tuple[Started, str]] = []  # streams of calls that were let go of, until they are stopped
        self.leaving = False
        """Whether other processes may have any call, and not only one that has no stream here."""
        self.has_stopped = False
        """Whether a carrier was asked to stop a stream, which it then closes."""
        self._heard: dict[str, asyncio.Event] = {}
        self._overlaps: dict[str, Overlap] = {}

    def __repr__(self) -> str:
        shared = sum(overlap.since is not None for overlap in self._overlaps.values())
        return f"<Giving {shared} of {len(self._overlaps)} calls are heard by both>"

    def hears(self, call_id: str) -> bool:
        """The other process hears a call, by the carrier's id. Whether this one lets go of it."""
        if overlap := self._overlaps.get(call_id):
            overlap.share()
            self._heard[call_id].set()
            return True
        call = self._registry.calls.get(call_id)
        if call is None or not self._one_by_one or not (self.leaving or call.continuity.waiting):
            return False
        # The carrier has sent the stream by itself, or was asked for it before.
        if not self.leaving:
            overlap = None  # there is nothing that both hear
        else:
            self._heard[call_id] = heard = asyncio.Event()
            heard.set()
            if overlap := call.share():
                self._overlaps[call_id] = overlap
                overlap.share()
        self._unasked.add(task := asyncio.create_task(self._let_go(call, overlap)))
        task.add_done_callback(self._unasked.discard)
        return True

    async def wait_for_others(self, seconds: float, hurry: asyncio.Event) -> None:
        """Until the calls are over whose carriers cannot be asked for a stream, or for so long; `hurry` ends it too."""
        ends = asyncio.get_running_loop().time() + seconds
        while self._others() and (left := ends - asyncio.get_running_loop().time()) > 0:
            await _wait(min(left, _LOOK), hurry)
            if hurry.is_set():
                return

    async def share(self, seconds: float) -> None:
        """Until the other process hears every call that can be asked for, and knows where to go on, at most so long."""
        sharing = []
        for call_id, call in self._registry.calls.items():
            if call_id in self._heard:
                continue
            if call.started.carrier in self._services.reforks and (overlap := call.share()):
                self._heard[call_id], self._overlaps[call_id] = asyncio.Event(), overlap
                sharing.append(asyncio.create_task(self._share(call_id, call, overlap)))
        if not sharing:
            return
        done, late = await asyncio.wait(sharing, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        heard = sum(event.is_set() for event in self._heard.values())
        log.info(
            "calls are heard by the next process", extra={"calls": len(sharing), "heard": heard, "late": len(late)}
        )
        for task in done:
            task.result()

    async def send_elsewhere(self, relayed: Sequence[Started]) -> None:
        """Have the carrier send streams to the other processes that go through this one to them, and stop these."""
        await asyncio.gather(*map(self._send_elsewhere, relayed))

    async def _send_elsewhere(self, started: Started) -> None:
        if started.carrier not in self._services.reforks:
            return  # its socket is closed at the end, and the call waits for another
        if await self._services.ask_for_stream(started.call_id, started, describe.tracks(started) or TRACKS):
            await asyncio.sleep(_AGAIN)
            self.has_stopped = True
            await self._services.stop_stream(started, started.stream_id)

    def streams(self) -> list[tuple[Started, str]]:
        """Those that are still here of the calls that the other process may hear."""
        calls = [call for call_id, call in self._registry.calls.items() if call_id in self._overlaps]
        return [*self._unheard, *(stream for call in calls for stream in _streams(call))]

    async def stop(self, streams: list[tuple[Started, str]]) -> None:
        """Have the carrier stop streams that no one hears any more, of calls that the other process hears by now."""
        heard = [call_id for call_id, event in self._heard.items() if event.is_set()]
        streams = [stream for stream in streams if stream[0].call_id in heard]
        self.has_stopped = self.has_stopped or bool(streams)
        stopping = [self._services.stop_stream(started, stream_id) for started, stream_id in streams]
        await asyncio.gather(*stopping)

    def _others(self) -> list[Call]:
        return [call for call in self._registry.calls.values() if call.started.carrier not in self._services.reforks]

    async def _share(self, call_id: str, call: Call, overlap: Overlap) -> None:
        heard, failed = self._heard[call_id], call.asking.failed
        tries, pause = 0, _SOON
        while tries < _TRIES and not (heard.is_set() or call.reason is not None or self._is_alone()):
            failed.clear()
            sent = await self._services.ask_for_stream(call.id, call.started, call.tracks)
            await _wait(_AGAIN if sent else _REFUSED, heard, failed)
            if failed.is_set():  # as where a balancer has not seen yet that this process stops
                await _wait(pause, heard)
                pause = min(_REFUSED, 2 * pause)
            else:
                tries += 1
        if heard.is_set() and self._one_by_one:
            await self._let_go(call, overlap)
        elif heard.is_set():
            await _hear_something(call, overlap)

    async def _let_go(self, call: Call, overlap: Overlap | None) -> None:
        """Of one call, once the other process knows where to go on. It is released by the registry."""
        if overlap:
            await _hear_something(call, overlap)
        streams = _streams(call)
        call.leave()
        try:
            async with asyncio.timeout(_LAST_WORDS):
                await call.wait_heard()
        except TimeoutError:
            pass  # what has no words by then is heard again
        if call.reason is None:
            call.let_go()
            self._unheard += streams
            await self.stop(streams)
            self._unheard = [stream for stream in self._unheard if stream not in streams]


def _streams(call: Call) -> list[tuple[Started, str]]:
    return [(call.started, stream.id) for stream in call.streams.values()]


async def _hear_something(call: Call, overlap: Overlap) -> None:
    """Both tracks are looked at now and then: to look at each chunk of each call would take the time of others."""
    for _ in range(_LOOKS):
        if call.reason is not None or overlap.is_distinctive:
            return
        await asyncio.sleep(_LOOK)


async def _wait(seconds: float, *events: asyncio.Event) -> None:
    """For one of them, or so long."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
