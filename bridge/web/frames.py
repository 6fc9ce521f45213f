"""A carrier's frames, off its socket: in turns with the other sockets, and no faster than a call needs them."""

import asyncio
import logging
from collections import Counter

from aiohttp import WSMessage, WSMsgType, web

from bridge.web.turn import Turn

log = logging.getLogger("bridge.media")

_WITH_DATA = frozenset({WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG})


class Frames:
    """Of one socket that does not answer pings by itself: they count, too."""

    def __init__(self, socket: web.WebSocketResponse, counters: Counter[str]) -> None:
        """`counters`: of the calls; a stream that is read more slowly is counted there once."""
        self.call_id: str | None = None
        """Of the call, once that is known."""
        self._socket = socket
        self._counters = counters
        self._clock = asyncio.get_running_loop().time
        self._turn = Turn(self._clock())
        self._slowed = False

    async def receive(self) -> WSMessage:
        """The next that a stream is made of, or the one that says that the socket is closed."""
        while True:
            frame = await self._socket.receive()
            kind = frame.type
            if kind not in _WITH_DATA:
                return frame
            if self._turn.read(len(frame.data)):
                await self._wait_turn()
            if kind is WSMsgType.PING:
                await self._socket.pong(frame.data)
            elif kind is not WSMsgType.PONG:
                return frame

    async def _wait_turn(self) -> None:
        seconds = self._turn.end(self._clock())
        if seconds and not self._slowed:
            self._slowed = True
            self._counters["streams_slowed"] += 1
            log.warning("a stream sends more than a call has, and is read more slowly", extra={"call_id": self.call_id})
        await asyncio.sleep(seconds)
