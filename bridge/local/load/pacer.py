"""Sends every frame when it is due: the shell that keeps the time of a load.

A sleep of the event loop ends in whole milliseconds. So the pacer sleeps until shortly before a frame is due, and then
lets the loop turn, which serves the sockets, until it is: exact to a turn of the loop, at the price of the whole core.
"""

import asyncio
from collections.abc import Iterator
from heapq import heappop, heappush
from time import monotonic
from typing import Protocol

from bridge.local.load.tally import Delays

_MARGIN = 0.0015  # seconds before a frame at which sleep ends
_LONGEST = 0.01  # seconds: another line may have joined
_LOOK = 8  # frames that may go out without a look at the sockets, when they are late

Frames = Iterator[tuple[float, bytes]]
"""Seconds since the stream began, and the WebSocket frame that is due then."""


class Socket(Protocol):
    """Where frames go."""

    def write(self, frame: bytes) -> bool:
        """Send it; False if no more can be sent."""


class Pacer:
    """All that is being sent. `run` is a task; it goes on until it is cancelled."""

    def __init__(self) -> None:
        self.late = Delays()
        """How late frames went out."""
        self._waiting: list[tuple[float, int, bytes, _Playing]] = []
        self._added = 0
        self._some = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Pacer with {len(self._waiting)} streams, {self.late.count} frames sent>"

    async def play(self, frames: Frames, socket: Socket, begins: float) -> bool:
        """Send all frames; `begins` on the monotonic clock. False if the socket took them only in part."""
        playing = _Playing(frames, socket, begins)
        self._push(playing)
        return await playing.done

    async def run(self) -> None:
        """Send what is due."""
        sent = 0
        while True:
            if not self._waiting:
                self._some.clear()
                await self._some.wait()
            due, _, frame, playing = self._waiting[0]
            if (wait := due - monotonic()) > 0:
                await asyncio.sleep(min(_LONGEST, wait - _MARGIN) if wait > _MARGIN else 0)
                continue
            heappop(self._waiting)
            self.late.add(monotonic() - due)
            if playing.socket.write(frame):
                self._push(playing)
            else:
                playing.finish(False)
            sent += 1
            if sent % _LOOK == 0:
                await asyncio.sleep(0)

    def _push(self, playing: "_Playing") -> None:
        """Line up the next frame of a stream."""
        following = next(playing.frames, None)
        if following is None:
            playing.finish(True)
            return
        due, frame = following
        self._added += 1
        heappush(self._waiting, (playing.begins + due, self._added, frame, playing))
        self._some.set()


class _Playing:
    """A stream of which something is still to be sent."""

    def __init__(self, frames: Frames, socket: Socket, begins: float) -> None:
        self.frames, self.socket, self.begins = frames, socket, begins
        self.done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def finish(self, whole: bool) -> None:
        """Nothing is sent any more."""
        if not self.done.done():
            self.done.set_result(whole)
