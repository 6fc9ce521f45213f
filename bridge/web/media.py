"""Handlers for media: a carrier's WebSocket, from the upgrade to the last frame.

Authentication comes first: the upgrade is checked before the 101, the token with `start`, and only then is a call made,
which opens a Deepgram session. After `stop` the socket is read until the carrier closes it: carriers log an error when
a server closes first.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from bridge.call import CallRefused, CallRegistry, Stream
from bridge.carriers.dialect import Carrier, Dialect
from bridge.carriers.messages import Digit, Failed, Media, Message, Started, Stopped, UnsupportedMedia
from bridge.errors import RemoteProtocolError
from bridge.events import EndReason
from bridge.web.frames import Frames
from bridge.web.server import wait_for, work
from bridge.web.starting import Starting

log = logging.getLogger("bridge.media")

# Octets of `start` and all before it: 99 parameters of 500 characters, of which JSON may spell each with twelve.
_LARGEST_START = 1024 * 1024
_LARGEST_MESSAGE = 64 * 1024  # octets of any other; an ordinary one has under 400
_EARLY_MESSAGES = 1024  # kept until the call is made: ten seconds of both tracks
_LONGEST_REASON = 123  # octets that a close frame can hold
_CLOSE_WAIT = 10.0  # seconds a carrier gets to close after `stop`


class StreamRefused(Exception):
    """The stream may not go on; the message is the reason in the close frame."""

    def __init__(self, reason: str, call_id: str | None = None) -> None:
        super().__init__(reason)
        self.call_id = call_id


@dataclass(frozen=True, slots=True)
class Mount:
    """A carrier, and the checks of its streams."""

    carrier: Carrier
    authenticate: Callable[[web.Request], None]
    """Checks the upgrade. Raises the HTTP error to answer with."""
    check_start: Callable[[Started], Started] = lambda started: started
    """Checks the `start` message. Returns the stream as it is let in; raises StreamRefused."""


@dataclass(frozen=True, slots=True)
class MediaPolicy:
    """How long a socket may be silent, in seconds."""

    start_timeout: float = 10.0
    """From the upgrade to `start`."""
    idle_timeout: float = 60.0
    """Without audio or a key, until the stream counts as lost; a live one sends fifty frames a second."""


class MediaHandlers:
    """Accepts streams, and closes their sockets when the server stops."""

    def __init__(self, registry: CallRegistry, mounts: Sequence[Mount], policy: MediaPolicy) -> None:
        self._registry = registry
        self._mounts = mounts
        self._policy = policy
        self._sockets: set[web.WebSocketResponse] = set()
        self._starting: Starting[web.WebSocketResponse] = Starting()
        self._closing: set[asyncio.Task[bool]] = set()

    def routes(self) -> list[web.RouteDef]:
        """Each carrier's path, with or without a slash, and the same with a secret after it."""
        return [
            web.get(mount.carrier.path + ending, partial(self._handle, mount))
            for mount in self._mounts
            for ending in ("", "/", "/{secret}")
        ]

    async def close(self) -> None:
        """Tell every carrier that the server is going away."""
        await asyncio.gather(*(socket.close(code=WSCloseCode.GOING_AWAY) for socket in self._sockets))

    async def _handle(self, mount: Mount, request: web.Request) -> web.WebSocketResponse:
        mount.authenticate(request)
        carrier, clock = mount.carrier, asyncio.get_running_loop().time
        try:
            self._starting.check(self._registry.room, clock())
        except CallRefused as refusal:
            reason = self._registry.refusal or str(refusal)
            log.warning("stream refused", extra={"carrier": carrier.name, "reason": reason})
            raise web.HTTPServiceUnavailable(text=f"{reason}\n") from None
        offered = request.headers.get("Sec-WebSocket-Protocol", "") if carrier.echoes_subprotocol else ""
        protocols = tuple(name.strip() for name in offered.split(",") if name.strip())
        socket = web.WebSocketResponse(
            compress=False, max_msg_size=_LARGEST_START, timeout=1.0, protocols=protocols[:1], autoping=False
        )
        await socket.prepare(request)
        self._sockets.add(socket)
        wait_for(request, self._policy.start_timeout + _CLOSE_WAIT)
        if given_way := self._starting.enter(socket, self._registry.room, clock()):
            log.warning("stream refused", extra={"carrier": carrier.name, "reason": "silent, and too many calls"})
            self._close_soon(given_way)

        def started() -> None:
            self._starting.leave(socket)
            work(request)

        try:
            await _StreamReader(socket, mount, self._policy, self._registry, started).run()
        except StreamRefused as refusal:
            log.warning(
                "stream refused",
                extra={"carrier": carrier.name, "call_id": refusal.call_id, "reason": str(refusal)},
            )
            await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=_reason(refusal))
        except CallRefused as refusal:
            log.warning("stream refused", extra={"carrier": carrier.name, "reason": str(refusal)})
            await socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=_reason(refusal))
        finally:
            self._sockets.discard(socket)
            self._starting.leave(socket)
        return socket

    def _close_soon(self, socket: web.WebSocketResponse) -> None:
        task = asyncio.create_task(socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"no start message came"))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def _reason(refusal: Exception) -> bytes:
    """As much of the reason as a close frame holds, cut between characters."""
    return str(refusal).encode()[:_LONGEST_REASON].decode(errors="ignore").encode()


class _StreamReader:
    """Reads one socket to its end."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        mount: Mount,
        policy: MediaPolicy,
        registry: CallRegistry,
        on_start: Callable[[], None],
    ) -> None:
        """`on_start` is called when the stream is let in."""
        self._on_start = on_start
        self._socket = socket
        self._mount = mount
        self._dialect: Dialect = mount.carrier.dialect()
        self._policy = policy
        self._registry = registry
        self._loop = asyncio.get_running_loop()
        self._frames = Frames(socket, registry.counters)
        self._heard = 0
        """Messages for the call."""
        self._bad = 0
        self._early_octets = 0
        """Of messages that came before the call was made."""
        self._reading: asyncio.Task[Media | Digit | None] | None = None
        """The read that was still waiting when the call had been made."""
        self._pending: deque[Message] = deque()
        """Messages that came in one frame with the one before."""
        self._started: Started | None = None
        self._watchdog: asyncio.TimerHandle
        self._first_at: float | None = None
        """The loop's time when the first frame came."""
        self._end: EndReason | None = None
        """Why the stream is over."""

    async def run(self) -> None:
        """Read from `connected` to the close. Raises StreamRefused if the stream may not go on."""
        early: list[Media | Digit] = []
        started = await self._read_start(early)
        if started is None:
            log.info("socket closed before start")
            return
        self._started = started = self._mount.check_start(started)
        self._frames.call_id = started.call_id
        self._on_start()
        self._check_idle(-1)
        try:
            await self._feed(await self._open_call(started, early), early)
        finally:
            self._watchdog.cancel()
            if self._reading:
                self._reading.cancel()
        await self._read_to_close()

    async def _feed(self, stream: Stream, early: list[Media | Digit]) -> None:
        """Hand every message to the call, until the stream is over."""
        try:
            for message in early:
                stream.receive(message)
            following = await (self._reading or self._next())
            while following is not None and not stream.is_over:
                stream.receive(following)
                following = await self._next()
            if stream.is_over:
                self._end = "stopped"  # the call is over: what still comes is read, and not heard
        finally:
            assert self._started
            stream.end(self._registry.end_of(self._started, self._end or "server_stopping"), self._bad)

    async def _read_start(self, early: list[Media | Digit]) -> Started | None:
        """Read up to `start`; media that comes before it is kept in `early`, since it belongs to the call, too."""
        try:
            async with asyncio.timeout(self._policy.start_timeout):
                while True:
                    match await self._receive():
                        case Started() as started:
                            return started
                        case Media(payload=audio) if len(audio) > _LARGEST_MESSAGE:
                            self._count_bad("a media frame of more than 64 kB")
                        case Media() | Digit() as message if len(early) < _EARLY_MESSAGES:
                            self._first_at = self._first_at or self._loop.time()
                            early.append(message)
                        case Media() | Digit():
                            self._count_bad("too much before start")
                        case Stopped() | None:
                            return None
        except TimeoutError:
            raise StreamRefused("no start message came") from None

    async def _open_call(self, started: Started, early: list[Media | Digit]) -> Stream:
        """Make the call, and read on meanwhile, so that a slow store does not hold up the carrier."""
        opening = self._loop.create_task(self._registry.open(started))
        try:
            while not opening.done() and len(early) < _EARLY_MESSAGES and self._early_octets < _LARGEST_START:
                self._reading = self._reading or self._loop.create_task(self._next())
                # Neither waits for the other: the carrier may send nothing for a while, or all at once.
                await asyncio.wait({opening, self._reading}, return_when=asyncio.FIRST_COMPLETED)
                if self._reading.done():
                    message, self._reading = self._reading.result(), None
                    if message is None:
                        break
                    early.append(message)
                    self._early_octets += len(message.payload) if type(message) is Media else 0
            stream = await opening
        except asyncio.CancelledError:
            opening.cancel()
            raise
        if self._first_at is not None:
            stream.late = self._loop.time() - self._first_at
        return stream

    async def _next(self) -> Media | Digit | None:
        """The next message for the call; None when the stream is over."""
        while self._end is None:
            message = await self._receive()
            if type(message) is Media:
                self._heard += message.payload != b""
                if self._first_at is None:
                    self._first_at = self._loop.time()
                return message
            if type(message) is Digit:
                self._heard += 1
                return message
            if message is None:
                self._end = self._end or "carrier_disconnected"
            elif isinstance(message, Stopped):
                self._end = "stopped"
            elif isinstance(message, Started):
                self._bad += 1  # a stream starts once
            elif isinstance(message, Failed):
                await self._record_failure(message.error)
        return None

    async def _receive(self) -> Message | None:
        """The next readable message; None when the socket is closed. Unreadable ones are counted and skipped."""
        while not self._pending:
            frame = await self._frames.receive()
            if self._started is None:
                self._count_early(frame)
            try:
                messages = self._read(frame)
            except UnsupportedMedia as error:
                if self._started is None:
                    raise StreamRefused(str(error)) from None
                self._count_bad(str(error))
                continue
            except RemoteProtocolError as error:
                self._count_bad(str(error))
                continue
            for data in self._dialect.data_to_send():
                await (self._socket.send_str(data) if isinstance(data, str) else self._socket.send_bytes(data))
            if len(messages) == 1:
                return messages[0]
            if not messages and frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return None
            self._pending.extend(messages)
        return self._pending.popleft()

    def _count_early(self, frame: WSMessage) -> None:
        """Before `start` the peer may be anyone. Raises StreamRefused for more than a stream can begin with."""
        if frame.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            self._early_octets += len(frame.data)
            if self._early_octets > _LARGEST_START:
                raise StreamRefused("more than 1 MB came before start")

    def _read(self, frame: WSMessage) -> Sequence[Message]:
        """The messages of one frame. Raises RemoteProtocolError."""
        if frame.type is WSMsgType.TEXT:
            if self._started and len(frame.data) > _LARGEST_MESSAGE:
                raise RemoteProtocolError("a text frame of more than 64 kB")
            return self._dialect.receive_text(frame.data)
        if frame.type is WSMsgType.BINARY:
            if len(frame.data) > _LARGEST_MESSAGE:
                raise RemoteProtocolError("a binary frame of more than 64 kB")
            return self._dialect.receive_binary(frame.data)
        return self._dialect.receive_close(frame.data if frame.type is WSMsgType.CLOSE else None)

    async def _record_failure(self, error: str) -> None:
        """Write the carrier's complaint about this stream to the record of its call."""
        started = self._started
        assert started  # before `start` such a message is skipped
        await self._registry.fail_stream(started.carrier, started.call_id, started.stream_id, error)

    def _count_bad(self, reason: str) -> None:
        self._bad += 1
        if self._bad == 1:  # once a stream: a carrier that sends one such message sends many
            log.warning("message not readable", extra={"reason": reason})

    def _check_idle(self, heard: int) -> None:
        """Called once per idle timeout: close the socket if nothing was heard since (`heard`: how much was then)."""
        if self._heard == heard:
            self._end = self._end or "carrier_silent"
            self._closing = self._loop.create_task(self._socket.close())
        else:
            self._watchdog = self._loop.call_later(self._policy.idle_timeout, self._check_idle, self._heard)

    async def _read_to_close(self) -> None:
        """Ignore what comes after `stop`, until the carrier closes."""
        if self._end != "stopped":
            return
        try:
            async with asyncio.timeout(_CLOSE_WAIT):
                while await self._receive() is not None:
                    pass
        except TimeoutError:
            log.info("carrier left the socket open after stop")
