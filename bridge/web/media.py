"""The door for media: a carrier's WebSocket, from the upgrade to the last frame. It only ever reads.

Trust comes first: the signature before the 101, the token with `start`, and only then a call, which is what opens a
Deepgram session. After `stop` the socket stays ours to read until the carrier closes it: Twilio logs an error (31921)
when a server closes first. Nothing is ever sent on a `<Start>` stream (31924).
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import WSCloseCode, WSMsgType, web

from bridge.call import CallRefused, Stream, Switchboard
from bridge.carriers import twilio
from bridge.carriers.messages import Digit, Media, Message, Started, Stopped
from bridge.errors import RemoteProtocolError
from bridge.events import EndReason
from twiml import signature, token
from twiml.document import TOKEN

log = logging.getLogger("bridge.media")

TWILIO_PATH = "/media/twilio"

_LARGEST_MESSAGE = 64 * 1024  # octets; an ordinary frame has under 400
_EARLY_MESSAGES = 1024  # kept until the call is there: ten seconds of both tracks
_CLOSE_WAIT = 10.0  # seconds a carrier gets to close after `stop`


@dataclass(frozen=True, slots=True)
class MediaPolicy:
    """Whom the door lets in, and for how long."""

    public_url: str | None
    """https origin that Twilio reaches us at."""
    auth_tokens: tuple[str, ...] = field(default=(), repr=False)
    signature_mode: Literal["strict", "warn", "off"] = "strict"
    token_secret: bytes = field(default=b"", repr=False)
    require_token: bool = False
    start_timeout: float = 10.0
    """Seconds from the upgrade to `start`."""
    idle_timeout: float = 60.0
    """Seconds without any message after which the stream counts as lost; a live one sends fifty a second."""


class MediaDoor:
    """Lets streams in and keeps hold of their sockets."""

    def __init__(self, switchboard: Switchboard, policy: MediaPolicy, wall: Callable[[], float]) -> None:
        """`wall` tells seconds since 1970."""
        self._switchboard = switchboard
        self._policy = policy
        self._wall = wall
        self._sockets: set[web.WebSocketResponse] = set()

    def routes(self) -> list[web.RouteDef]:
        """One path per carrier."""
        return [web.get(TWILIO_PATH, self.handle)]

    async def close(self) -> None:
        """Tell every carrier that the server is going away."""
        for socket in list(self._sockets):
            await socket.close(code=WSCloseCode.GOING_AWAY)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """One socket of the carrier."""
        self._check_signature(request)
        if self._switchboard.closed_to_all:
            log.warning("stream refused", extra={"reason": "too many calls"})
            raise web.HTTPServiceUnavailable(text="too many calls at once\n")
        socket = web.WebSocketResponse(compress=False, max_msg_size=_LARGEST_MESSAGE, timeout=1.0)
        await socket.prepare(request)
        self._sockets.add(socket)
        try:
            await _Reader(socket, self._policy, self._check_token, self._switchboard.open).run()
        except _Refused as refusal:
            log.warning("stream refused", extra={"call_id": refusal.call_id, "reason": str(refusal)})
            await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=str(refusal).encode())
        except CallRefused as refusal:
            log.warning("stream refused", extra={"reason": str(refusal)})
            await socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=str(refusal).encode())
        finally:
            self._sockets.discard(socket)
        return socket

    def _check_signature(self, request: web.Request) -> None:
        """Before the 101, over the URL the TwiML gave; `Host` and forwarded headers are not asked."""
        policy = self._policy
        if policy.signature_mode == "off":
            return
        url = f"{(policy.public_url or '').replace('http', 'ws', 1)}{request.path}"
        signed = request.headers.get(signature.SIGNATURE_HEADER)
        if signature.verify_upgrade(policy.auth_tokens, url, signed):
            return
        log.warning(
            "the upgrade's signature is not valid",
            extra={"url": url, "present": signed is not None, "mode": policy.signature_mode},
        )
        if policy.signature_mode == "strict":
            raise web.HTTPForbidden(text="X-Twilio-Signature does not match\n")

    def _check_token(self, started: Started) -> None:
        given = started.parameters.get(TOKEN)
        if given is None:
            if self._policy.require_token:
                raise _Refused("the stream has no token", started.call_id)
        else:
            outcome = token.verify(self._policy.token_secret, given, started.call_id, self._wall())
            if outcome is not token.Outcome.VALID:
                raise _Refused(f"the stream's token is not valid: {outcome.value}", started.call_id)


class _Refused(Exception):
    """The stream may not go on; the message is the reason in the close frame."""

    def __init__(self, reason: str, call_id: str | None = None) -> None:
        super().__init__(reason)
        self.call_id = call_id


class _Reader:
    """Reads one socket to its end."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        policy: MediaPolicy,
        check_token: Callable[[Started], None],
        open_stream: Callable[[Started], Coroutine[Any, Any, Stream]],
    ) -> None:
        self._socket = socket
        self._policy = policy
        self._check_token = check_token
        self._open_stream = open_stream
        self._loop = asyncio.get_running_loop()
        self._messages = 0
        self._bad = 0
        self._watchdog: asyncio.TimerHandle
        self._first_at: float | None = None
        """The loop's time when the first frame came."""
        self._end: EndReason | None = None
        """Why the stream is over."""

    async def run(self) -> None:
        """From `connected` to the close. Raises _Refused where the stream may not go on."""
        early: list[Media | Digit] = []
        started = await self._read_start(early)
        if started is None:
            log.info("socket closed before start")
            return
        self._check_token(started)
        self._look_after(-1)
        try:
            await self._feed(await self._open_call(started, early), early)
        finally:
            self._watchdog.cancel()
        await self._read_to_close()

    async def _feed(self, stream: Stream, early: list[Media | Digit]) -> None:
        """Everything to the call, until the stream is over."""
        try:
            for message in early:
                stream.receive(message)
            while (following := await self._next()) is not None:
                stream.receive(following)
        finally:
            stream.end(self._end or "server_stopping", self._bad)

    async def _read_start(self, early: list[Media | Digit]) -> Started | None:
        """Skips to `start`; media that comes before it is kept, it belongs to the call all the same."""
        try:
            async with asyncio.timeout(self._policy.start_timeout):
                while True:
                    match await self._receive():
                        case Started() as started:
                            return started
                        case Media() | Digit() as message if len(early) < _EARLY_MESSAGES:
                            self._first_at = self._first_at or self._loop.time()
                            early.append(message)
                        case Stopped() | None:
                            return None
        except TimeoutError:
            raise _Refused("no start message came") from None

    async def _open_call(self, started: Started, early: list[Media | Digit]) -> Stream:
        """Reads on while the call is made, so that the store's pace is not the carrier's."""
        opening = self._loop.create_task(self._open_stream(started))
        try:
            while not opening.done() and len(early) < _EARLY_MESSAGES:
                message = await self._next()
                if message is None:
                    break
                early.append(message)
            stream = await opening
            if self._first_at is not None:
                stream.late = self._loop.time() - self._first_at
            return stream
        except asyncio.CancelledError:
            opening.cancel()
            raise

    async def _next(self) -> Media | Digit | None:
        """The next message for the call; None when the stream is over."""
        while self._end is None:
            message = await self._receive()
            if type(message) is Media or type(message) is Digit:
                if self._first_at is None and type(message) is Media:
                    self._first_at = self._loop.time()
                return message
            if message is None:
                self._end = self._end or "carrier_disconnected"
            elif isinstance(message, Stopped):
                self._end = "stopped"
            elif isinstance(message, Started):
                self._bad += 1  # a stream starts once
        return None

    async def _receive(self) -> Message | None:
        """The next message that can be read; None when the socket is closed."""
        while True:
            frame = await self._socket.receive()
            self._messages += 1
            if frame.type is WSMsgType.TEXT:
                try:
                    return twilio.parse(frame.data)
                except RemoteProtocolError as error:
                    self._count_bad(str(error))
            elif frame.type is WSMsgType.BINARY:
                self._count_bad("a binary frame")
            else:
                return None

    def _count_bad(self, reason: str) -> None:
        self._bad += 1
        if self._bad == 1:  # once a stream: a carrier that sends rubbish sends a lot of it
            log.warning("message not readable", extra={"reason": reason})

    def _look_after(self, seen: int) -> None:
        """Called once an idle time: a socket that has carried nothing since is lost."""
        if self._messages == seen:
            self._end = self._end or "carrier_silent"
            self._closing = self._loop.create_task(self._socket.close())
        else:
            self._watchdog = self._loop.call_later(self._policy.idle_timeout, self._look_after, self._messages)

    async def _read_to_close(self) -> None:
        """After `stop` whatever comes is ignored, until the carrier closes."""
        if self._end != "stopped":
            return
        try:
            async with asyncio.timeout(_CLOSE_WAIT):
                while await self._receive() is not None:
                    pass
        except TimeoutError:
            log.info("carrier left the socket open after stop")
