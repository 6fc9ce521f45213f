"""One WebSocket to Deepgram: its handshake, its outbox, and how it ended.

Library: `websockets`, because it shows status, headers and body of a refused handshake. A frame is written to its
transport at once, where its protocol writes, too: no task wakes to write one. Only what the peer does not take in time
is left to a task. What comes is handed over as it is read; a task waits for the end.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidStatus,
    WebSocketException,
)
from websockets.frames import DATA_OPCODES, Frame, Opcode
from websockets.protocol import Event, State

from bridge.deepgram.dialing import ProxyFailed, dial
from bridge.deepgram.masking import masked
from bridge.deepgram.messages import Refusal, parse_refusal
from bridge.egress import Route
from bridge.failure import Failure, failure
from bridge.text import hide
from bridge.traces import NO_SPAN

_OPEN_TIMEOUT = 10.0  # seconds for DNS, TCP, TLS and the upgrade
_CLOSE_TIMEOUT = 1.0  # seconds for a close frame that is not needed any more
_LARGEST_MESSAGE = 4 * 2**20
_MOST_UNTAKEN = 2**15  # octets that may wait in the transport


class _Handshake(connect):
    """Asks where it was told to, and nowhere else: neither a call's audio nor the key follows a redirect."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class _Connection(ClientConnection):
    """Hands over text as it is read: a task that wakes for every message costs more than reading it."""

    hear: Callable[[bytes], None] | None
    """None: what comes waits for the task, from a message in fragments on, so that all stays in order."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """As the library's."""
        super().__init__(*args, **options)
        self.early: list[bytes] = []
        """What came before anyone read."""
        self.fault: Exception | None = None
        self.hear = self.early.append

    def process_event(self, event: Event) -> None:
        """The hot path: one frame."""
        if self.hear and type(event) is Frame and event.opcode in DATA_OPCODES:
            if event.opcode is Opcode.TEXT and event.fin:
                try:
                    self.hear(bytes(event.data))
                except Exception as fault:  # noqa: BLE001 - raised where the socket is read
                    self.fault, self.hear = fault, _ignore
                    self.transport.abort()
                return
            self.hear = None
        super().process_event(event)


def _ignore(_: bytes) -> None:
    """What comes after a fault of our own."""


class Socket:
    """A queue before it, so that what is to be sent never waits for it."""

    def __init__(self, url: str, key: str, route: Route) -> None:
        self.request_id: str | None = None
        self.span = NO_SPAN
        """Of a call's trace, where its user has begun one; it is over when the user is done with the socket."""
        self._url = url
        self._key = key
        self._route = route
        self._connection: _Connection | None = None
        self._outbox: deque[bytes | str] = deque()
        self.is_flowing = False
        """What is sent is written at once: nothing waits in the outbox, and no one writes."""
        self._writer: asyncio.Task[None] | None = None
        self._writing_since: float | None = None

    def __repr__(self) -> str:
        return f"<Socket outbox {len(self._outbox)}>"

    async def open(self, patience: float = _OPEN_TIMEOUT) -> Refusal | None:
        """The handshake; None when it went well. `patience`: seconds it may take."""
        if not self._key.isascii() or not self._key.isprintable():
            return Refusal(None, str(Failure("protocol")), None)  # it would end the header, and show in a peer's log
        try:
            async with asyncio.timeout(patience):
                self._connection = await self._connect()
        except InvalidStatus as error:
            response = error.response
            headers = {name.lower(): value for name, value in response.headers.raw_items()}
            return parse_refusal(response.status_code, headers, bytes(response.body or b""), self._key)
        except (OSError, WebSocketException, ProxyFailed, ValueError) as error:
            return Refusal(None, str(self._failure(error)), None)
        if self._connection.response:
            self.request_id = hide(self._connection.response.headers.get("dg-request-id", ""), self._key)[:80] or None
        return None

    async def _connect(self) -> _Connection:
        proxy = self._route.proxy
        connection = await _Handshake(
            self._url,
            create_connection=_Connection,
            sock=await dial(self._url, proxy) if proxy else None,
            additional_headers={"Authorization": f"Token {self._key}"} if self._key else None,
            proxy=None,
            ssl=(self._route.tls or True) if self._url.startswith("wss:") else None,
            compression=None,
            max_size=_LARGEST_MESSAGE,
            open_timeout=None,
            close_timeout=_CLOSE_TIMEOUT,
            # Deepgram's own timers watch for audio and text, not for pings; ours watch for answers.
            ping_interval=None,
        )
        assert isinstance(connection, _Connection)
        return connection

    def _failure(self, error: Exception) -> Failure:
        """Without the words of the exception, which may hold the URL, options and all, a password or the key."""
        match error:
            case ProxyFailed():
                return error.why
            case ConnectionClosed():
                return Failure("reset")
            case InvalidHandshake() if isinstance(error.__cause__, EOFError | ConnectionError):
                return Failure("reset")
            case OSError() | UnicodeError():
                through = self._route.proxy  # then there was a connection already
                return failure(error, ("tls" if self._url.startswith("wss:") else "reset") if through else "connect")
            case _:
                return Failure("protocol")

    async def read(self, receive_text: Callable[["Socket", str | bytes], None]) -> None:
        """Write what is in the outbox and hand over what comes, until the socket is closed."""
        connection = self._connection
        assert connection
        if connection.hear:
            connection.hear = partial(receive_text, self)
        self._begin_writing(connection)
        try:
            for text in connection.early:
                receive_text(self, text)
            async for message in connection:
                receive_text(self, message)
        except ConnectionClosed:
            pass  # how it closed is in `close_code` and `close_reason`
        finally:
            if self._writer:
                self._writer.cancel()
        if connection.fault:
            raise connection.fault

    def send(self, data: bytes | str) -> None:
        """Send a frame, octets as binary, a string as text, after those that the peer has not taken yet."""
        connection = self._connection
        if connection is None or not self.is_flowing:
            self._outbox.append(data)
            return
        transport = connection.transport
        if transport.get_write_buffer_size() > _MOST_UNTAKEN:
            self._outbox.append(data)
            self._begin_writing(connection)
        elif connection.protocol.state is State.OPEN:
            transport.write(masked(data))

    def _begin_writing(self, connection: ClientConnection) -> None:
        self.is_flowing = False
        self._writer = asyncio.ensure_future(self._write(connection))

    async def _write(self, connection: ClientConnection) -> None:
        """Empty the outbox, as fast as the peer takes it."""
        clock = asyncio.get_running_loop().time
        try:
            while self._outbox:
                self._writing_since = clock()
                await connection.send(self._outbox.popleft())
            self.is_flowing = True
        except ConnectionClosed:
            pass  # the reader sees it too, and tells
        finally:
            self._writing_since = None

    def blocked_for(self, now: float) -> float:
        """Seconds for which one frame has been waiting to be written."""
        return 0.0 if self._writing_since is None else now - self._writing_since

    @property
    def close_code(self) -> int | None:
        """None where there was no close frame to be had."""
        return self._connection.close_code if self._connection else None

    @property
    def close_reason(self) -> str:
        return hide(self._connection.close_reason or "", self._key) if self._connection else ""

    def abort(self) -> None:
        """Cut the connection, without a word."""
        if self._connection:
            self._connection.transport.abort()

    async def close(self) -> None:
        """Close in order, where there is something to close."""
        self._outbox.clear()
        if self._connection:
            await self._connection.close()
