"""The shell around a session: it opens Deepgram's sockets, moves frames, and arms one timer. It decides nothing.

One per call. `receive_audio` and `finish` never wait, so a slow Deepgram never slows the carrier's socket: what cannot
be written yet stays in a socket's outbox, and what the outbox holds is in the session's window too, for the next one.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bridge.deepgram.breaker import CircuitBreaker
from bridge.deepgram.configuring import Configuration
from bridge.deepgram.exchange import Close, Command, Connect, Fetch, Finished, Send, SessionEvent
from bridge.deepgram.messages import DeepgramError, Refusal
from bridge.deepgram.session import Session
from bridge.deepgram.socket import Socket
from bridge.egress import DIRECT, Route
from bridge.text import hide

log = logging.getLogger("bridge.deepgram")

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
        fallback_url: str | None = None,
        route: Route = DIRECT,
    ) -> None:
        """`url`: with path and query. `key`: the API key. `on_event` is called in order and must not wait.
        `fallback_url`: asks for what other calls do, where this one asks for something of its own.
        """
        self.session = session
        self._url = url
        self._key = key
        self._route = route
        self._call_id = call_id
        self._breaker = breaker
        self._on_event = on_event
        self._fetch = fetch
        self._fallback_url = fallback_url
        self._loop = asyncio.get_running_loop()
        self._timer: tuple[float, asyncio.Handle] | None = None  # uvloop's handles of what is due do not tell when
        self._socket: Socket | None = None
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

    def spare(self, kept: int) -> None:
        """As the session's."""
        self.session.spare(kept)

    def pause(self) -> None:
        """The carrier sends nothing for now: as the session's."""
        self.session.pause(self._loop.time())
        self._pump()

    def finalize(self, position: int) -> None:
        """Have everything settled that was said before `position`, in samples of the call."""
        self.session.asking.finalize(position)
        self._ask()

    def configure(self, configuration: Configuration) -> None:
        """Have Deepgram change its options; `Configured` tells what it answers."""
        self.session.asking.configure(configuration)
        self._ask()

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

    def _ask(self) -> None:
        self.session.ask(self._loop.time())
        self._pump()

    def _pump(self) -> None:
        """In this order always: do what the session asks, tell what it knows, arm the timer."""
        for command in self.session.data_to_send():
            if type(command) is Send:  # as nearly always
                if self._socket:
                    self._socket.send(command.data)
            else:
                self._obey(command)
        for event in self.session.events_received():
            if isinstance(event, DeepgramError):
                self._log_error(event)
                continue
            self._on_event(event)
            if isinstance(event, Finished):
                self._ended.set()
        self._arm_timer()

    def _obey(self, command: Command) -> None:
        match command:
            case Connect():
                self._socket = Socket(self._url, self._key, self._route)
                self._spawn(self._serve_socket(self._socket))
            case Fetch(start, samples):
                self._spawn(self._read_kept(start, samples))
            case Close() if self._socket:
                self._spawn(self._socket.close())
                self._socket = None

    def _log_error(self, error: DeepgramError) -> None:
        """Once: what Deepgram does not like in one KeepAlive it will not like in the next; all are counted."""
        if not self._complained:
            self._complained = True
            code, description = (hide(text, self._key) for text in (error.code, error.description))
            about = {"call_id": self._call_id, "code": code, "description": description}
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

    async def _serve_socket(self, socket: Socket) -> None:
        """One socket, from the handshake to its end; none ends without the session's being told."""
        try:
            await self._run_socket(socket)
        except Exception:
            log.exception("a socket to deepgram failed", extra={"call_id": self._call_id})
            socket.abort()
            if self._socket is socket:
                self._socket = None
                self.session.closed(None, "a fault of the bridge", self._loop.time())
            self._pump()

    async def _run_socket(self, socket: Socket) -> None:
        refusal = self._breaker.ask(self._loop.time()) or await self._open(socket)
        if self._socket is not socket:
            socket.abort()  # given up meanwhile
            return
        if refusal:
            self._socket = None
            self.session.refused(refusal, self._loop.time(), own=self._give_way(refusal))
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

    def _receive_text(self, socket: Socket, text: str | bytes) -> None:
        if self._socket is socket:
            self.session.receive_text(text, self._loop.time())
            self._pump()

    async def _open(self, socket: Socket) -> Refusal | None:
        refusal = await socket.open()
        if refusal is None:
            self._breaker.succeeded()
            return None
        self._breaker.failed(refusal, self._loop.time(), own_options=self._fallback_url is not None)
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

    def _give_way(self, refusal: Refusal) -> bool:
        """Whether the call's own options are refused, and it goes on with everybody's."""
        if self._fallback_url is None or not refusal.may_be_over_options:
            return False
        self._url, self._fallback_url = self._fallback_url, None
        return True

    async def _read_kept(self, start: int, samples: int) -> None:
        found, audio = await self._fetch(start, samples) if self._fetch else (start, b"")
        self.session.receive_fetched(start, found, audio, self._loop.time())
        self._pump()
