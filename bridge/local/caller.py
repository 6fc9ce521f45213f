"""The caller: plays a recording to a media socket as Twilio would, in real time or faster, one call or many at once.

A thin shell over `stream`, which makes the messages: it connects, keeps the time and says how it went. What goes wrong
on the way is part of the summary, not an exception. Twilio never listens on a `<Start>` stream, so whatever the server
sends is counted against it.
"""

import asyncio
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from math import inf

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.protocol import State

from bridge.errors import ConfigError
from bridge.failure import advised, failure
from bridge.local.stream import NO_FAULTS, CallerFaults, CallerOptions, messages
from bridge.local.wav import Recording
from twiml.signature import SIGNATURE_HEADER, sign_url

CLOSE_TIMEOUT = 5.0
"""Seconds the server has to answer a close."""

BURST = 64
"""Messages to write at most before the server gets its turn."""

Frames = Iterable[tuple[float, bytes]]
"""Seconds since the stream began, and the WebSocket frame that is due then."""

_NO_SOCKET = "what answers there is no media socket; a bridge has one for Twilio at /media/twilio"


@dataclass(slots=True)
class Summary:
    """How a call went; complete once `play` has returned it."""

    call_id: str
    messages: int = 0
    """Messages sent, of every kind."""
    seconds: float = 0.0
    """From the first message to the last."""
    behind: float = 0.0
    """The most that a message went out after it was due, in seconds. More than a few hundredths: this machine is too
    slow for so many calls."""
    unexpected: int = 0
    """Messages from the server; Twilio would warn of each (31924)."""
    close_code: int | None = None
    """None: there was no socket; 1006: it broke."""
    close_reason: str = ""
    error: str | None = None
    """Why the call did not reach its end; None when it did."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to call, and how fast."""

    url: str
    """`ws://` or `wss://`."""
    speed: float = 1.0
    """1: as people talk. 0 or infinite: as fast as the server reads."""
    auth_token: str | None = None
    """Signs the upgrade, as Twilio does with the token of the account."""
    signed_url: str | None = None
    """What to sign where it is not `url`: the address that Twilio would have been given."""

    @property
    def headers(self) -> dict[str, str]:
        if self.auth_token is None:
            return {}
        # On an upgrade Twilio writes the name in lower case.
        return {SIGNATURE_HEADER.lower(): sign_url(self.auth_token, self.signed_url or self.url)}


class Tape:
    """A call whose messages are made once and played many times, under ids of their own: what makes load must cost
    less than what carries it."""

    def __init__(
        self, recording: Recording, options: CallerOptions | None = None, faults: CallerFaults = NO_FAULTS
    ) -> None:
        self._options = options or CallerOptions()
        self._frames = list(_framed(recording, self._options, faults))

    def frames(self, options: CallerOptions) -> Iterator[tuple[float, bytes]]:
        """The tape under the ids of `options`, which must be as long as the ones it was made with."""
        renamed = [
            (old.encode(), new.encode())
            for old, new in (
                (self._options.call_id, options.call_id),
                (self._options.stream_id, options.stream_id),
            )
        ]
        if any(len(old) != len(new) for old, new in renamed):
            raise ConfigError("The calls of one tape need ids of one length.")
        (old_call, call), (old_stream, stream) = renamed
        for due, data in self._frames:
            yield due, data.replace(old_stream, stream).replace(old_call, call)

    def another(self) -> CallerOptions:
        """The options of the tape under new ids."""
        new = CallerOptions()
        return replace(self._options, call_id=new.call_id, stream_id=new.stream_id)


async def play(
    target: Target,
    recording: Recording,
    options: CallerOptions | None = None,
    faults: CallerFaults = NO_FAULTS,
) -> Summary:
    """Play one call to its end, or until the server ends it."""
    options = options or CallerOptions()
    return await _call(target, _framed(recording, options, faults), options.call_id)


async def play_many(target: Target, tape: Tape, calls: int, stagger: float = 0.0) -> list[Summary]:
    """Play a tape `calls` times at once, each `stagger` seconds after the one before."""

    async def one(place: int) -> Summary:
        await asyncio.sleep(place * stagger)
        options = tape.another()
        return await _call(target, tape.frames(options), options.call_id)

    return await asyncio.gather(*map(one, range(calls)))


def frame(text: str) -> bytes:
    """A text message as a client's WebSocket frame (RFC 6455, section 5.2).

    The mask is zero: it is there to protect proxies from scripts in a browser, and a frame that is not bound to one
    socket can be made once for all calls.
    """
    data = text.encode()
    size = len(data)
    if size < 126:
        head = struct.pack(">BB", 0x81, 0x80 | size)
    elif size < 1 << 16:
        head = struct.pack(">BBH", 0x81, 0x80 | 126, size)
    else:
        head = struct.pack(">BBQ", 0x81, 0x80 | 127, size)
    return head + bytes(4) + data


def _framed(recording: Recording, options: CallerOptions, faults: CallerFaults) -> Iterator[tuple[float, bytes]]:
    return ((due, frame(text)) for due, text in messages(recording, options, faults))


async def _call(target: Target, frames: Frames, call_id: str) -> Summary:
    summary = Summary(call_id)
    try:
        async with connect(
            target.url,
            additional_headers=target.headers,
            compression=None,
            ping_interval=None,
            close_timeout=CLOSE_TIMEOUT,
            proxy=None,
        ) as socket:
            listener = asyncio.create_task(listen(socket))
            try:
                await _send(socket, frames, target.speed, summary)
            finally:
                await socket.close()
                summary.unexpected = await listener
        summary.close_code, summary.close_reason = socket.close_code, socket.close_reason or ""
    except (OSError, InvalidHandshake, InvalidURI) as error:
        summary.error = refusal(error)
    return summary


async def _send(socket: ClientConnection, frames: Frames, speed: float, summary: Summary) -> None:
    """Send what is due when it is due, counted from the first message so that no delay adds up.

    Messages that do not end in `stop` end in a broken socket. The frames bypass the connection's own `send`, which
    costs six times as much: nothing but this writes to the socket, and without compression there is nothing to add.
    """
    loop = asyncio.get_running_loop()
    begun = loop.time()
    pace = 1 / speed if 0 < speed < inf else 0.0
    burst: list[bytes] = []
    data = b""
    for due, data in frames:
        wait = begun + due * pace - loop.time()
        if wait > 0 or len(burst) >= BURST:
            _write(socket, burst, summary)
            if wait <= 0 or socket.transport.get_write_buffer_size():
                await _let_read(socket)
            if wait > 0:
                await asyncio.sleep(begun + due * pace - loop.time())
        if pace:
            summary.behind = max(summary.behind, loop.time() - begun - due * pace)
        if socket.state is not State.OPEN:
            summary.error = "the server ended the call before it was over"
            break
        burst.append(data)
    else:
        _write(socket, burst, summary)
        if b'"event":"stop"' not in data:
            socket.transport.abort()
    summary.seconds = loop.time() - begun


def _write(socket: ClientConnection, burst: list[bytes], summary: Summary) -> None:
    socket.transport.write(b"".join(burst))
    summary.messages += len(burst)
    burst.clear()


async def _let_read(socket: ClientConnection) -> None:
    """Give the server its turn, as long as it takes to read what is on its way."""
    with suppress(ConnectionError):  # the socket's state tells
        await socket.drain()
    await asyncio.sleep(0)


async def listen(socket: ClientConnection) -> int:
    """Count what the server says until the socket closes."""
    heard = 0
    with suppress(ConnectionClosed):
        async for _ in socket:
            heard += 1
    return heard


def refusal(error: Exception) -> str:
    """Why there was no socket, in a sentence: what the server answered, or what came in between."""
    if isinstance(error, InvalidStatus):
        if error.response.status_code < 300:  # a page, or the like
            return f"no connection: {_NO_SOCKET}"
        body = (error.response.body or b"").decode(errors="replace").strip()
        return f"the server refused the call with {error.response.status_code}: {body[:200]}".removesuffix(": ")
    if isinstance(error, InvalidURI):
        return f"no connection: {error.uri} is no ws:// or wss:// address"
    if isinstance(error, InvalidHandshake):
        return f"no connection: {_NO_SOCKET}"
    return f"no connection: {advised(failure(error, 'connect'))}"
