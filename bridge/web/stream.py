"""One stream of a carrier, off its socket: from the first message to the close.

The token is checked with `start`, and only then is a call made, which opens a Deepgram session. After `stop` the socket
is read until the carrier closes it: carriers log an error when a server closes first.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence

from aiohttp import WSCloseCode, WSMessage, WSMsgType

from bridge.call import CallRegistry, Stream
from bridge.call.beginnings import NotHere
from bridge.call.relay import Said
from bridge.carriers.dialect import Dialect
from bridge.carriers.messages import Digit, Failed, Media, Message, Started, Stopped, UnsupportedMedia
from bridge.errors import RemoteProtocolError
from bridge.events import EndReason
from bridge.web.arriving import Arrival, MediaPolicy, Mount, StreamRefused
from bridge.web.early import Early
from bridge.web.frames import WAKE, Frames, MediaSocket
from bridge.web.mark import BROKEN
from bridge.web.silence import Silence
from bridge.web.wakeups import Wakeup, Wakeups

log = logging.getLogger("bridge.media")

LARGEST_START = 1024 * 1024
"""Octets of `start` and all before it: 99 parameters of 500 characters, of which JSON may spell each with twelve."""

CLOSE_WAIT = 10.0
"""Seconds a carrier gets to close after `stop`."""

_LARGEST_MESSAGE = 64 * 1024  # octets of any other than `start`; an ordinary one has under 400
_TEXT, _BINARY = WSMsgType.TEXT, WSMsgType.BINARY
_EARLY_MESSAGES = 1024  # kept before `start`: ten seconds of both tracks


class StreamReader:
    """Reads one socket to its end."""

    def __init__(
        self,
        socket: MediaSocket,
        mount: Mount,
        policy: MediaPolicy,
        registry: CallRegistry,
        wakeups: Wakeups,
        on_start: Callable[[], None],
        arrival: Arrival,
    ) -> None:
        """`on_start` is called when the stream is let in."""
        self._arrival = arrival
        self._on_start = on_start
        self._socket = socket
        self._mount = mount
        self._dialect: Dialect = mount.carrier.dialect()
        self._policy = policy
        self._registry = registry
        self._loop = asyncio.get_running_loop()
        self._frames = Frames(socket, registry.counters, arrival.again, keeps=registry.relays)
        self._wakeups = wakeups
        self._wakeup: Wakeup | None = None
        self._heard = 0  # messages for the call
        self._bad = 0
        self._early_octets = 0  # of messages that came before the call was made
        self._reading: asyncio.Task[Media | Digit | None] | None = None
        """The read that was still waiting when the call had been made."""
        self._pending: deque[Message] = deque()
        """Messages that came in one frame with the one before."""
        self._answers: list[str | bytes] = []
        self._started: Started | None = None
        self._stream: Stream | None = None
        """What is fed, once all that came before is in it."""
        self._silence = Silence(policy.idle_timeout)
        self._first_at = arrival.first_at
        """The loop's time when the first frame came."""
        self._end: EndReason | None = None
        """Why the stream is over."""
        self._let_go = False
        """The call wanted no more of it, before it was over."""
        self._head = 0

    @property
    def call_id(self) -> str | None:
        """The carrier's, once that is known."""
        return self._started.call_id if self._started else None

    @property
    def read(self) -> tuple[list[Said], list[Said]]:
        """What was read of a stream that another process takes: up to `start`, and since."""
        return self._frames.kept[: self._head], [*self._frames.kept[self._head :], *self._frames.again]

    async def run(self) -> None:
        """Read from `connected` to the close. Raises StreamRefused if the stream may not go on, and CallRefused."""
        early = Early()
        if (started := await self._read_start(early)) is None:
            log.info("socket closed before start")
            return
        self._started = started = self._mount.check_start(started)
        self._arrival.check(started)
        self._head = len(self._frames.kept)
        self._frames.call_id = started.call_id
        self._on_start()
        self._check_idle(self._loop.time())
        try:
            await self._feed(await self._open_call(started, early), early)
        finally:
            self._watchdog.cancel()
            if self._reading:
                self._reading.cancel()
                await asyncio.gather(self._reading, return_exceptions=True)  # another may read the socket next
        if self._let_go and self._arrival.coming.relayed:
            await self._socket.close(code=WSCloseCode.GOING_AWAY, message=b"the call is not here any more")
        else:
            await self._read_to_close()

    async def _feed(self, stream: Stream, early: Early) -> None:
        """Hand every message to the call, until the stream is over."""
        try:
            openings, call_id = self._registry.openings, self.call_id or ""
            with openings.burst(call_id, early.is_burst):
                await early.feed(stream, openings, call_id, self._first_at)
                following = await (self._reading or self._next())
                for _ in range(len(early) if early.is_burst else 0):
                    if following is None or not early.is_behind(following, self._loop.time()):
                        break
                    stream.receive(following)
                    following = await self._next()
            if not len(early) and self._first_at is not None:
                stream.late = self._loop.time() - self._first_at
            self._stream, self._wakeup = stream, self._wakeups.open(self._socket.transport)
            while following is not None and not stream.is_over:
                stream.receive(following)
                following = await self._next()
            if stream.is_over:
                self._let_go = self._end is None
                self._end = "stopped"  # the call is over: what still comes is read, and not heard
        finally:
            assert self._started
            self._stream = None
            if self._wakeup:
                self._wakeup.give_up()
                self._wakeup.close()
            stream.end(self._registry.end_of(self._started, self._end or "server_stopping"), self._bad)
        if stream.is_lost:
            raise NotHere("the call goes on at another process")

    async def _read_start(self, early: Early) -> Started | None:
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
                            self._first_at = self._first_at or self._frames.came
                            early.add(message, self._frames.came)
                        case Media() | Digit():
                            self._count_bad("too much before start")
                        case Stopped() | None:
                            return None
        except TimeoutError:
            raise StreamRefused("no start message came") from None

    async def _open_call(self, started: Started, early: Early) -> Stream:
        """Make the call, and read on meanwhile, so that a slow store does not hold up the carrier."""
        opening = self._loop.create_task(self._admit(started, early))
        try:
            while not opening.done() and not early.is_full:
                self._reading = self._reading or self._loop.create_task(self._next())
                # Neither waits for the other: the carrier may send nothing for a while, or all at once.
                await asyncio.wait({opening, self._reading}, return_when=asyncio.FIRST_COMPLETED)
                if self._reading.done():
                    message, self._reading = self._reading.result(), None
                    if message is None:
                        break
                    early.add(message, self._frames.came)
                    if len(early) == 1:
                        self._registry.on_early(started.call_id)
            stream = await opening
            self._frames.keep_none()
            return stream
        except asyncio.CancelledError:
            opening.cancel()
            raise

    async def _admit(self, started: Started, early: Early) -> Stream:
        stream = await self._registry.open(started, self._arrival.coming)
        if not early.is_burst:  # else it goes beside the others
            await self._registry.openings.wait_through(started.call_id)
        return stream

    async def _next(self) -> Media | Digit | None:
        """The next message for the call; None when the stream is over."""
        while self._end is None:
            message = await self._receive()
            if type(message) is Media:
                self._heard += message.payload != b""
                if self._first_at is None:
                    self._first_at = self._frames.came
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
            frame = await self._frames.receive(self._take if self._stream else None)
            if frame is None:
                await self._answer()
                continue
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
            await self._answer()
            if not messages and frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return None
            self._pending.extend(messages)
        return self._pending.popleft()

    def _take(self, read: Sequence[WSMessage], octets: int) -> Sequence[WSMessage]:
        """The hot path: give the call the audio of one read, up to a frame that says something else."""
        stream, dialect = self._stream, self._dialect
        if stream is None or stream.is_over or (octets > _LARGEST_MESSAGE and any(map(_is_large, read))):
            return read
        texts = [data for kind, data, _ in read if kind is _TEXT]
        media = dialect.receive_media(texts) if len(texts) == len(read) else []
        left: Sequence[WSMessage] = self._take_others(read[len(media) :], media) if len(media) < len(read) else ()
        if not left and (answers := dialect.data_to_send()):
            self._answers += answers
            left = [WAKE]
        if media:
            self._heard += 1 if media[0].payload else any(frame.payload for frame in media)
            lacking = stream.receive_media(media)
            if self._wakeup:
                self._wakeup.read(octets, media, 0 if left else lacking, self._loop.time())
        return left

    def _take_others(self, read: Sequence[WSMessage], media: list[Media]) -> Sequence[WSMessage]:
        """Read frames one by one, and add what audio they have. Returns what is left for the task, from the first that
        says something else on."""
        for place, (kind, data, _) in enumerate(read):
            try:
                if kind is _TEXT:
                    messages = self._dialect.receive_text(data)
                elif kind is _BINARY:
                    messages = self._dialect.receive_binary(data)
                else:
                    return read[place:]
            except RemoteProtocolError as error:
                self._count_bad(str(error))
                continue
            if messages and type(messages[0]) is not Media:  # then none of them is
                self._pending.extend(messages)
                return [WAKE, *read[place + 1 :]]
            media += messages  # type: ignore[arg-type]
        return ()

    async def _answer(self) -> None:
        """Send the carrier what its dialect has for it."""
        answers = [*self._answers, *self._dialect.data_to_send()]
        self._answers.clear()
        for data in answers:
            await (self._socket.send_str(data) if isinstance(data, str) else self._socket.send_bytes(data))

    def _count_early(self, frame: WSMessage) -> None:
        """Before `start` the peer may be anyone. Raises StreamRefused for more than a stream can begin with."""
        if frame.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            self._early_octets += len(frame.data)
            if self._early_octets > LARGEST_START:
                raise StreamRefused("more than 1 MB came before start")

    def _read(self, frame: WSMessage) -> Sequence[Message]:
        """The messages of one frame. Raises RemoteProtocolError."""
        if self._started and _is_large(frame):
            raise RemoteProtocolError("a frame of more than 64 kB")
        if frame.type is WSMsgType.TEXT:
            return self._dialect.receive_text(frame.data)
        if frame.type is WSMsgType.BINARY:
            return self._dialect.receive_binary(frame.data)
        broken = frame.type is not WSMsgType.CLOSE or (self._arrival.coming.relayed and frame.data == BROKEN)
        return self._dialect.receive_close(None if broken else frame.data)

    async def _record_failure(self, error: str) -> None:
        """Write the carrier's complaint about this stream to the record of its call."""
        started = self._started
        assert started  # before `start` such a message is skipped
        await self._registry.fail_stream(started.carrier, started.call_id, started.stream_id, error)

    def _count_bad(self, reason: str) -> None:
        self._bad += 1
        if self._bad == 1:  # once a stream: a carrier that sends one such message sends many
            log.warning("message not readable", extra={"call_id": self.call_id, "reason": reason})

    def _check_idle(self, due: float) -> None:
        """Close the socket if it is silent."""
        again = self._silence.look(self._heard, max(due, self._loop.time()), due)  # the loop may be early
        if again is None:
            self._end = self._end or "carrier_silent"
            self._closing = self._loop.create_task(self._socket.close())
        else:
            self._watchdog = self._loop.call_at(again, self._check_idle, again)

    async def _read_to_close(self) -> None:
        """Ignore what comes after `stop`, until the carrier closes."""
        if self._end != "stopped":
            return
        try:
            async with asyncio.timeout(CLOSE_WAIT):
                while await self._receive() is not None:
                    pass
        except TimeoutError:
            log.info("carrier left the socket open after stop", extra={"call_id": self.call_id})


def _is_large(frame: WSMessage) -> bool:
    """Whether it is to be refused."""
    return frame.type in (_TEXT, _BINARY) and len(frame.data) > _LARGEST_MESSAGE
