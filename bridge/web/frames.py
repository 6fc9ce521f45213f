"""A carrier's frames, off its socket: in turns with the other sockets, and no faster than a call needs them.

A task that wakes for every message costs more than all that is done with one. So while the task waits for the next
frame, what a read of the socket brings is offered to a function that takes what is ordinary, at once; the task wakes
for the rest: the beginning, what is odd, and the end.

Library: aiohttp's WebSocket, its own parser and queue; `tests/web/test_frames.py` pins what of them this leans on.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from aiohttp import WSMessage, WSMsgType, web
from aiohttp._websocket.reader import WebSocketDataQueue
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import WebSocketReader
from aiohttp.http_websocket import WebSocketWriter

from bridge.call.relay import Said
from bridge.deepgram.delay import DelayMeter
from bridge.web.turn import Turn

log = logging.getLogger("bridge.media")

_WITH_DATA = frozenset({WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG})
_OF_STREAMS = frozenset({WSMsgType.TEXT, WSMsgType.BINARY})
_QUEUE = 2**16  # octets that wait for the task before the socket is read no further

Take = Callable[[Sequence[WSMessage], int], Sequence[WSMessage]]
"""Is given the frames that one read has brought, and its octets; returns those that it leaves, from the first of them
on. With `WAKE` before them the task wakes even if it leaves none."""

WAKE = WSMessage(WSMsgType.PONG, b"", None)
"""No frame of the peer's."""


class Together:
    """What all sockets have read within a millisecond is taken in one go: the processor does the same work for many
    calls faster than it goes to and fro between that and the kernel."""

    def __init__(self, delay: float = 0.001, meter: DelayMeter | None = None) -> None:
        """`delay`: seconds. `meter` is told since when what is given has waited."""
        self._delay = delay
        self._meter = meter or DelayMeter()
        self._since = 0.0
        self._queues: list[_Queue] = []

    def add(self, queue: "_Queue") -> None:
        """A queue has something to give."""
        if not self._queues:
            loop = asyncio.get_running_loop()
            self._since = loop.time()
            loop.call_later(self._delay, self._give)
        self._queues.append(queue)

    def _give(self) -> None:
        queues, self._queues = self._queues, []
        self._meter.since = self._since
        try:
            for queue in queues:
                queue.give()
        finally:
            self._meter.since = None


class MediaSocket(web.WebSocketResponse):
    """A WebSocket whose frames can be taken as they are read. Text comes as octets."""

    queue: "_Queue"
    """Holds what was not taken, for `receive`."""
    transport: asyncio.Transport | None = None

    def __init__(self, together: Together, **options: Any) -> None:
        """`options`: aiohttp's."""
        super().__init__(**options)
        self._together = together

    def _post_start(self, request: web.BaseRequest, protocol: str | None, writer: WebSocketWriter) -> None:
        self.transport = request.transport
        self._ws_protocol = protocol
        self._writer = writer
        self.queue = self._reader = _Queue(request.protocol, self._together)
        self._parser = WebSocketReader(self.queue, self._max_msg_size, compress=False, decode_text=False)
        request.protocol.set_parser(_Parser(self._parser, self.queue))  # type: ignore[arg-type]
        request.protocol.keep_alive(False)


class _Queue(WebSocketDataQueue):
    """What was read and not taken; the reading task waits here."""

    def __init__(self, protocol: BaseProtocol, together: Together) -> None:
        super().__init__(protocol, _QUEUE, loop=asyncio.get_running_loop())
        self.offer: Callable[[Sequence[WSMessage], int], Sequence[WSMessage]] | None = None
        """Is given what has been read, and its octets; returns what is for the task. None: everything is."""
        self._together = together
        self._read: list[WSMessage] = []
        self._octets = 0
        self._reading = False

    def begin_read(self) -> None:
        """What comes until `end_read` is offered, if there is an offer."""
        self._reading = self.offer is not None

    def feed_data(self, frame: WSMessage, size: int) -> None:  # type: ignore[override]
        """A frame, from the parser, or what aiohttp has to tell the task."""
        if self._reading:
            self._read.append(frame)
            return
        self.give()
        self._put(frame, size)

    def end_read(self, octets: int) -> None:
        """A read of so many octets is complete."""
        self._reading = False
        if self._read:
            if not self._octets:
                self._together.add(self)
            self._octets += octets

    def give(self) -> None:
        """Offer what has been read, and leave the rest to the task."""
        if not self._read:
            return
        read, octets = self._read, self._octets
        self._read, self._octets = [], 0
        for frame in self.offer(read, octets) if self.offer else read:
            self._put(frame, len(frame.data) if frame.type in _WITH_DATA else 0)

    def set_exception(self, *error: Any) -> None:
        """The parser cannot go on; what came before that counts."""
        self._reading = False
        self.give()
        super().set_exception(*error)

    def feed_eof(self) -> None:
        """The socket is closed."""
        self.give()
        super().feed_eof()

    def _put(self, frame: WSMessage, size: int) -> None:
        self.offer = None  # the task wakes: what comes now has to wait for its turn
        super().feed_data(frame, size)


class _Parser:
    """aiohttp's, with an end to each read."""

    def __init__(self, reader: WebSocketReader, queue: _Queue) -> None:
        self._reader = reader
        self._queue = queue

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """What came off the socket."""
        self._queue.begin_read()
        try:
            return self._reader.feed_data(data)
        finally:
            self._queue.end_read(len(data))

    def feed_eof(self) -> None:
        """The socket is closed."""
        self._queue.feed_eof()


class Frames:
    """Of one socket that does not answer pings by itself: they count, too."""

    def __init__(
        self, socket: MediaSocket, counters: Counter[str], again: Iterable[Said] = (), *, keeps: bool = False
    ) -> None:
        """`counters`: of the calls; a stream that is read more slowly is counted there once. `again`: what was read of
        the socket before, and comes first. `keeps`: what is read is kept for another process, up to `keep_none`."""
        self.again = deque(again)
        """What is left of it."""
        self.kept: list[Said] = []
        """What was read."""
        self.came = 0.0
        """The loop's time when the last frame was."""
        self._keeps = keeps
        self.call_id: str | None = None
        """Of the call, once that is known."""
        self._socket = socket
        self._counters = counters
        self._clock = asyncio.get_running_loop().time
        self._turn = Turn(self._clock())
        self._over = False
        """Its turn is."""
        self._slowed = False
        self._take: Take | None = None
        self._fault: Exception | None = None

    async def receive(self, take: Take | None = None) -> WSMessage | None:
        """The next that a stream is made of, or the one that says that the socket is closed. `take` is offered what
        each read brings while this waits; None: it asks for the task. Raises what `take` raised.
        """
        self._take = take
        if self.again:
            said = self.again.popleft()
            self._keep(said)
            return WSMessage(WSMsgType.BINARY if said.binary else WSMsgType.TEXT, said.data, None)
        queue = self._socket.queue
        while True:
            if self._over:
                self._over = False
                await self._wait_turn()  # with nothing in hand: who waits may be cancelled
            queue.offer = self._offer if take else None
            try:
                frame = await self._socket.receive()
            finally:
                queue.offer = None
            if self._fault:
                raise self._fault
            if frame is WAKE:
                return None
            kind = frame.type
            if kind not in _WITH_DATA:
                return frame
            if kind in _OF_STREAMS:
                self._keep(Said(frame.data, kind is WSMsgType.BINARY, self._clock()))
            self._over = self._turn.read(len(frame.data))
            if kind is WSMsgType.PING:
                await self._socket.pong(frame.data)
            elif kind is not WSMsgType.PONG:
                return frame

    def keep_none(self) -> None:
        """What is read is this process's own."""
        self._keeps = False
        self.kept.clear()

    def _keep(self, said: Said) -> None:
        self.came = said.at
        if self._keeps:
            self.kept.append(said)

    def _offer(self, read: Sequence[WSMessage], octets: int) -> Sequence[WSMessage]:
        """What of a read is for the task: all of it where that has to wait for its turn."""
        assert self._take
        if not self._turn.take(octets, len(read), self._clock()):
            return read
        try:
            return self._take(read, octets)
        except Exception as fault:  # noqa: BLE001  # raised in the task that waits
            self._fault = fault
            return [WAKE, *read]

    async def _wait_turn(self) -> None:
        seconds = self._turn.end(self._clock())
        if seconds and not self._slowed:
            self._slowed = True
            self._counters["streams_slowed"] += 1
            log.warning("a stream sends more than a call has, and is read more slowly", extra={"call_id": self.call_id})
        await asyncio.sleep(seconds)
