"""The shell around a session: it opens Deepgram's sockets, moves frames, and arms one timer. It decides nothing.

One per call. `receive_audio` and `finish` never wait, so a slow Deepgram never slows the carrier's socket: what cannot
be written yet stays in a socket's outbox, and what the outbox holds is in the session's window too, for the next one.
Library: `websockets`, because it shows status, headers and body of a refused handshake.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from bridge.deepgram.breaker import CircuitBreaker
from bridge.deepgram.exchange import Close, Connect, Fetch, Finished, Send, SessionEvent
from bridge.deepgram.messages import DeepgramError, Refusal, parse_refusal
from bridge.deepgram.session import Session

log = logging.getLogger("bridge.deepgram")

_OPEN_TIMEOUT = 10.0  # seconds for DNS, TCP, TLS and the upgrade
_CLOSE_TIMEOUT = 1.0  # seconds for a close frame that is not needed any more
_LARGEST_MESSAGE = 4 * 2**20


class _Handshake(connect):
    """Asks where it was told to, and nowhere else: neither a call's audio nor the key follows a redirect."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


FetchAudio = Callable[[int, int], Awaitable[tuple[int, bytes]]]
"""Reads kept audio: position of the first sample and number of samples in; out, where the audio begins, later than
asked for if there is none of that, and the audio."""


class Client:
    """A session with a socket."""

    def __init__(
        self,
        session: Session,
        *,
        url: str,
        key: str,
        call_id: str,
        breaker: CircuitBreaker,
        on_event: Callable[[SessionEvent], None],
        fetch: FetchAudio | None = None,
        own_options: bool = False,
    ) -> None:
        """`url`: with path and query. `key`: the API key. `on_event` is called in order and must not wait.
        `own_options`: whether other calls ask for something else.
        """
        self.session = session
        self._url = url
        self._headers = {"Authorization": f"Token {key}"}
        self._call_id = call_id
        self._breaker = breaker
        self._on_event = on_event
        self._fetch = fetch
        self._own_options = own_options
        self._loop = asyncio.get_running_loop()
        self._timer: tuple[float, asyncio.Handle] | None = None  # uvloop's handles of what is due do not tell when
        self._socket: _Socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()
        self._complained = False  # an error of Deepgram's is in the log

    def __repr__(self) -> str:
        return f"<Client {self._call_id} {self._socket!r} {self.session!r}>"

    def start(self) -> None:
        """Begin to connect."""
        self.session.start(self._loop.time())
        self._pump()

    def receive_audio(self, chunk: bytes) -> None:
        """More of the call: interleaved mu-law."""
        now = self._loop.time()
        self.session.receive_audio(chunk, now)
        self._pump()
        if self._socket and self._socket.blocked_for(now) > self.session.policy.stall:
            log.warning("deepgram takes no audio", extra={"call_id": self._call_id})
            self._socket.abort()

    def finish(self, *, cut: bool = False) -> None:
        """No more audio comes; `wait_ended` waits for the last results. `cut`: as the session's."""
        self.session.finish(self._loop.time(), cut=cut)
        self._pump()

    def abort(self) -> None:
        """Wait for nothing more, and drop the socket."""
        self.session.abort()
        self._pump()

    async def wait_ended(self) -> None:
        """Until the session has ended and its sockets are gone."""
        await self._ended.wait()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _pump(self) -> None:
        """In this order always: do what the session asks, tell what it knows, arm the timer."""
        for command in self.session.data_to_send():
            match command:
                case Send(data):
                    if self._socket:
                        self._socket.send(data)
                case Connect():
                    self._spawn(self._serve_socket(_Socket(self._url, self._headers)))
                case Fetch(start, samples):
                    self._spawn(self._read_kept(start, samples))
                case Close():
                    if self._socket:
                        self._spawn(self._socket.close())
                        self._socket = None
        for event in self.session.events_received():
            if isinstance(event, DeepgramError):
                self._log_error(event)
                continue
            self._on_event(event)
            if isinstance(event, Finished):
                self._ended.set()
        self._arm_timer()

    def _log_error(self, error: DeepgramError) -> None:
        """Once: what Deepgram does not like in one KeepAlive it will not like in the next; all are counted."""
        if not self._complained:
            self._complained = True
            about = {"call_id": self._call_id, "code": error.code, "description": error.description}
            log.warning("deepgram reports an error", extra=about)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _arm_timer(self) -> None:
        """A timer that is armed for earlier stays: when it fires, the machine says when it wants the next."""
        due = self.session.get_timer()
        if due is None:
            return
        if self._timer:
            armed, handle = self._timer
            if armed <= due:
                return
            handle.cancel()
        self._timer = due, self._loop.call_at(due, self._handle_timer, due)

    def _handle_timer(self, due: float) -> None:
        self._timer = None
        self.session.handle_timer(max(due, self._loop.time()))
        self._pump()

    async def _serve_socket(self, socket: "_Socket") -> None:
        """One socket, from the handshake to its end; none ends without the session's being told."""
        self._socket = socket
        try:
            await self._run_socket(socket)
        except Exception as error:
            log.exception("a socket to deepgram failed", extra={"call_id": self._call_id})
            socket.abort()
            if self._socket is socket:
                self._socket = None
                reason, now = type(error).__name__, self._loop.time()
                self.session.closed(None, reason, now)
            self._pump()

    async def _run_socket(self, socket: "_Socket") -> None:
        refusal = self._breaker.ask(self._loop.time()) or await self._open(socket)
        if self._socket is not socket:
            socket.abort()  # given up meanwhile
            return
        if refusal:
            self._socket = None
            self.session.refused(refusal, self._loop.time())
            self._pump()
            return
        log.info("deepgram connected", extra={"call_id": self._call_id, "request_id": socket.request_id})
        self.session.connected(socket.request_id, self._loop.time())
        self._pump()
        await socket.read(self._receive_text)
        code, reason = socket.close_code, socket.close_reason
        log.info("deepgram closed", extra={"call_id": self._call_id, "code": code, "reason": reason})
        if self._socket is socket:
            self._socket = None
            self.session.closed(code, reason, self._loop.time())
            self._pump()

    def _receive_text(self, socket: "_Socket", text: str | bytes) -> None:
        if self._socket is socket:
            self.session.receive_text(text, self._loop.time())
            self._pump()

    async def _open(self, socket: "_Socket") -> Refusal | None:
        refusal = await socket.open()
        if refusal is None:
            self._breaker.succeeded()
            return None
        self._breaker.failed(refusal, self._loop.time(), own_options=self._own_options)
        log.warning(
            "deepgram refused",
            extra={
                "call_id": self._call_id,
                "status": refusal.status,
                "reason": refusal.reason,
                "request_id": refusal.request_id,
            },
        )
        return refusal

    async def _read_kept(self, start: int, samples: int) -> None:
        found, audio = await self._fetch(start, samples) if self._fetch else (start, b"")
        self.session.receive_fetched(start, found, audio, self._loop.time())
        self._pump()


class _Socket:
    """One WebSocket with a queue, so that what is to be sent never waits for it."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.request_id: str | None = None
        self._url = url
        self._headers = headers
        self._connection: ClientConnection | None = None
        self._outbox: deque[bytes | str] = deque()
        self._wake = asyncio.Event()
        self._writing_since: float | None = None

    def __repr__(self) -> str:
        return f"<_Socket outbox {len(self._outbox)}>"

    async def open(self) -> Refusal | None:
        """The handshake; None when it went well."""
        try:
            self._connection = await _Handshake(
                self._url,
                additional_headers=self._headers,
                compression=None,
                max_size=_LARGEST_MESSAGE,
                open_timeout=_OPEN_TIMEOUT,
                close_timeout=_CLOSE_TIMEOUT,
                # Deepgram's own timers watch for audio and text, not for pings; ours watch for answers.
                ping_interval=None,
            )
        except InvalidStatus as error:
            response = error.response
            headers = {name.lower(): value for name, value in response.headers.raw_items()}
            return parse_refusal(response.status_code, headers, bytes(response.body or b""))
        except (OSError, TimeoutError, InvalidHandshake) as error:
            return Refusal(None, f"{type(error).__name__}: {error}"[:200], None)
        except (InvalidURI, ValueError) as error:
            return Refusal(None, type(error).__name__, None)  # its words may hold the URL, options and all, or the key
        if self._connection.response:
            self.request_id = self._connection.response.headers.get("dg-request-id")
        return None

    async def read(self, receive_text: Callable[["_Socket", str | bytes], None]) -> None:
        """Write what is in the outbox and hand over what comes, until the socket is closed."""
        assert self._connection
        writer = asyncio.ensure_future(self._write(self._connection))
        try:
            async for message in self._connection:
                receive_text(self, message)
        except ConnectionClosed:
            pass  # how it closed is in `close_code` and `close_reason`
        finally:
            writer.cancel()

    async def _write(self, connection: ClientConnection) -> None:
        clock = asyncio.get_running_loop().time
        try:
            while True:
                while self._outbox:
                    self._writing_since = clock()
                    await connection.send(self._outbox.popleft())
                self._writing_since = None
                self._wake.clear()
                await self._wake.wait()
        except ConnectionClosed:
            pass  # the reader sees it too, and tells

    def send(self, data: bytes | str) -> None:
        self._outbox.append(data)
        self._wake.set()

    def blocked_for(self, now: float) -> float:
        """Seconds for which one frame has been waiting to be written."""
        return 0.0 if self._writing_since is None else now - self._writing_since

    @property
    def close_code(self) -> int | None:
        """None where there was no close frame to be had."""
        return self._connection.close_code if self._connection else None

    @property
    def close_reason(self) -> str:
        return (self._connection.close_reason or "") if self._connection else ""

    def abort(self) -> None:
        """Cut the connection, without a word."""
        if self._connection:
            self._connection.transport.abort()

    async def close(self) -> None:
        """Close in order, where there is something to close."""
        self._outbox.clear()
        if self._connection:
            await self._connection.close()
