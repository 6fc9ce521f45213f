"""One thread that owns the files of all calls, and the timer that brings it what they have collected.

Everything is done in the order it was handed over. Only so much audio may wait for a slow disk; what would come on top
is lost. This counts, and logs each trouble once; what is collected, and what a loss means, is the sources' business.
"""

import asyncio
import errno
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol, TypeVar

from bridge.audio import CHANNELS
from bridge.errors import StoreError
from bridge.store.audio.flush import Flush
from bridge.store.audio.segments import NoRoom, NotMoved

log = logging.getLogger(__name__)

T = TypeVar("T")

BACKLOG = 32 * 2**20
"""Octets that may wait for the disk: twenty seconds of a hundred calls."""

SHARE = 4
"""One call may have the fourth part of that."""


class Behind(OSError):
    """The disk is so slow that too much waits for it."""

    def __init__(self) -> None:
        super().__init__(errno.EBUSY, "too much audio waits for the disk")


_COUNTERS: dict[type[OSError], str] = {NoRoom: "over_limit", Behind: "too_slow", NotMoved: "not_moved"}


class Source(Protocol):
    """One call's audio on the event loop."""

    call_id: str

    def take(self) -> Flush:
        """What has come together since the last time."""

    def flushed(self, flush: Flush) -> None:
        """What came of it."""


class AudioWriter:
    """Made, used and closed on one event loop."""

    def __init__(self, counters: Counter[str], interval: float, backlog: int = BACKLOG) -> None:
        """`interval`: seconds from the first chunk that is collected to the job that writes it."""
        self.waiting = 0
        """Octets on their way to the disk."""
        self.counters = counters
        self._interval = interval
        self._backlog = backlog
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "store-audio")
        self._expected: dict[Source, None] = {}
        self._waiting: Counter[Source] = Counter()
        self._timer: asyncio.TimerHandle | None = None
        self._troubles: dict[Source, str] = {}

    def expect(self, source: Source) -> None:
        """The source has something for the next flush."""
        self._expected[source] = None
        if self._timer is None:
            self._timer = self._loop.call_later(self._interval, self._handle_timer)

    async def flush(self) -> None:
        """Until everything that was there before is written, or lost."""
        await asyncio.shield(self.hand_over(list(self._expected)))

    def call(self, function: Callable[..., T], *arguments: object) -> asyncio.Future[T]:
        """Call a function in the thread, after everything that was handed over. Raises `StoreError` if closed."""
        try:
            return self._loop.run_in_executor(self._thread, function, *arguments)
        except RuntimeError as error:
            raise StoreError("the audio store is closed") from error

    def hand_over(self, sources: Iterable[Source]) -> asyncio.Future[None]:
        """Bring to the thread what these have collected, as one job."""
        flushes: dict[Source, Flush] = {}
        for source in sources:
            self._expected.pop(source, None)
            flush = source.take()
            own = self._waiting[source] + flush.octets
            if self.waiting + flush.octets > self._backlog or own > self._backlog // SHARE:
                flush.refuse(Behind())
                if flush.then == "go on":
                    self._receive(source, flush)  # nothing queues for a disk that hangs
                    continue
            self.waiting += flush.octets
            self._waiting[source] = own
            flushes[source] = flush
        self.counters["jobs"] += 1
        job = self.call(_run, list(flushes.values()))
        job.add_done_callback(partial(self._finish, flushes))
        return job

    async def close(self) -> None:
        """Write what is there, then end the thread."""
        if self._timer:
            self._timer.cancel()
        await self.flush()
        await asyncio.to_thread(self._thread.shutdown)

    def _handle_timer(self) -> None:
        self._timer = None
        self.hand_over(list(self._expected))

    def _finish(self, flushes: dict[Source, Flush], job: asyncio.Future[None]) -> None:
        for source, flush in flushes.items():
            self.waiting -= flush.octets
            self._waiting[source] -= flush.octets
            if not self._waiting[source]:
                del self._waiting[source]
            self._receive(source, flush)
        job.result()  # only a bug of ours raises here, and the loop tells it

    def _receive(self, source: Source, flush: Flush) -> None:
        """Count what came of a flush, and tell it to its source."""
        lost = flush.lost.length if flush.lost else 0
        if lost:
            self.counters["lost_samples"] += lost
        if flush.audio:
            self.counters["written_samples"] += flush.octets // CHANNELS - lost
        if flush.dropped:
            self.counters["dropped_segments"] += flush.dropped
        if flush.error:
            self.counters[_COUNTERS.get(type(flush.error), "disk_errors")] += 1
        if flush.error or self._troubles:
            self._tell(source, flush)
        source.flushed(flush)

    def _tell(self, source: Source, flush: Flush) -> None:
        """A trouble is said when the first call has it, and its end when the last has it no more."""
        error = flush.error
        if not error and not flush.audio and flush.then == "go on":
            return  # nothing was tried
        reason = (error.strerror or type(error).__name__) if error else None
        if reason and reason not in self._troubles.values():
            log.error("audio cannot be kept", extra={"call_id": source.call_id, "reason": reason})
        before = self._troubles.pop(source, None)
        if reason and flush.then == "go on":
            self._troubles[source] = reason
        if before and before != reason and before not in self._troubles.values():
            log.info("audio is kept again", extra={"call_id": source.call_id, "reason": before})


def _run(flushes: list[Flush]) -> None:
    for flush in flushes:
        flush.run()
