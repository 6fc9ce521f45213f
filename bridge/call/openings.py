"""Which calls' streams are being opened, or were a moment ago."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Openings:
    """Counts them by call; times are the event loop's."""

    def __init__(self) -> None:
        self._going_on: Counter[str] = Counter()
        self._over: dict[str, asyncio.Event] = {}
        self._opened: dict[str, float] = {}  # when one was last
        self._heard: dict[str, asyncio.Event] = {}
        self._bursts: dict[str, list[asyncio.Event]] = {}

    def __len__(self) -> int:
        return len(self._going_on)

    def __contains__(self, call_id: str) -> bool:
        return call_id in self._going_on

    def begin(self, call_id: str) -> None:
        """A stream of the call is being opened."""
        self._going_on[call_id] += 1

    def end(self, call_id: str) -> None:
        """It is there, or was refused."""
        self._going_on -= Counter([call_id])
        now = asyncio.get_running_loop().time()
        recent = {one: at for one, at in self._opened.items() if now - at < 1.0}
        self._opened = {**recent, call_id: now}
        if call_id not in self:
            self._heard.pop(call_id, None)
            if over := self._over.pop(call_id, None):
                over.set()

    def hear(self, call_id: str) -> None:
        """A stream that is being opened brings audio."""
        if call_id in self:
            self._heard.setdefault(call_id, asyncio.Event()).set()

    async def wait_heard(self, call_id: str) -> None:
        """Until a stream of the call that is being opened has brought audio."""
        await self._heard.setdefault(call_id, asyncio.Event()).wait()

    async def wait_over(self, call_id: str) -> None:
        """Until no stream of the call is being opened."""
        if call_id in self:
            await self._over.setdefault(call_id, asyncio.Event()).wait()

    def is_gathering(self, call_id: str, seconds: float) -> bool:
        """Whether a stream of the call is being opened, or was less than so many seconds ago, at most one."""
        opened = self._opened.get(call_id)
        return call_id in self or (opened is not None and asyncio.get_running_loop().time() - opened < seconds)

    @contextmanager
    def burst(self, call_id: str, goes_on: bool) -> Iterator[None]:
        """What a stream of the call has brought long ago is handed over meanwhile, if it has."""
        if not goes_on:
            yield
            return
        bursts = self._bursts.setdefault(call_id, [])
        bursts.append(through := asyncio.Event())
        try:
            yield
        finally:
            through.set()
            bursts.remove(through)
            if not bursts:
                self._bursts.pop(call_id, None)

    async def wait_through(self, call_id: str) -> None:
        """Until no such burst of the call goes on: what comes now would take the places of what it brings."""
        while bursts := self._bursts.get(call_id):
            await bursts[0].wait()
