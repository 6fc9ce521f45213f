"""The shell around a session: it opens Deepgram's sockets, moves frames, and arms one timer. It decides nothing.

At which origin a socket is opened is the choice's business. A call that goes back to a better one has two sockets for a
moment: the new one takes over once it is open.

One per call. `receive_audio` and `finish` never wait, so a slow Deepgram never slows the carrier's socket: what cannot
be written yet stays in a socket's outbox, and what the outbox holds is in the session's window too, for the next one.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from bridge.deepgram.choice import Choice
from bridge.deepgram.configuring import Configuration
from bridge.deepgram.exchange import Close, Command, Connect, Fetch, Finished, Send, SessionEvent
from bridge.deepgram.messages import Blame, DeepgramError, Refusal
from bridge.deepgram.origins import Origins
from bridge.deepgram.session import Session
from bridge.deepgram.socket import Socket
from bridge.deepgram.states import State
from bridge.text import hide
from bridge.traces import NO_TRACES, Traces

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
        origins: Origins,
        request: str,
        call_id: str,
        on_event: Callable[[SessionEvent], None],
        fetch: FetchAudio | None = None,
        fallback: str | None = None,
        traces: Traces = NO_TRACES,
    ) -> None:
        """`request`: what is asked of an origin, as path and query. `on_event` is called in order and must not wait.
        `fallback`: asks for what other calls do, where this one asks for something of its own.
        """
        self.session = session
        self._origins = origins
        self._choice = Choice(origins, call_id)
        self._request = request
        self._call_id = call_id
        self._on_event = on_event
        self._fetch = fetch
        self._fallback = fallback
        self._traces = traces
        self._loop = asyncio.get_running_loop()
        self._timer: tuple[float, asyncio.Handle] | None = None  # uvloop's handles of what is due do not tell when
        self._socket: Socket | None = None
        self._returning = False  # a socket is being opened beside that one
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
        data = self.session.pass_on(chunk, now)
        if data is None:
            self.session.receive_audio(chunk, now)
            self._pump()
        elif self._socket:
            self._socket.send(data)
        socket = self._socket
        if socket and not socket.is_flowing and socket.blocked_for(now) > self.session.policy.stall:
            log.warning("deepgram takes no audio", extra={"call_id": self._call_id})
            socket.abort()

    def spare(self, kept: int) -> None:
        """As the session's."""
        self.session.spare(kept)

    def pause(self) -> None:
        """The carrier sends nothing for now: as the session's."""
        self.session.pause(self._loop.time())
        self._pump()

    @property
    def settles(self) -> bool:
        """Whether `finalize` can do anything."""
        return self.session.asking.settles

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
                turned_away = self._choice.next(self._loop.time())
                place = self._choice.place
                self._socket = socket = self._make_socket(place)
                self.session.origin = self._choice.origin.name
                self._spawn(self._serve_socket(socket, partial(self._run_socket, socket, place, turned_away)))
            case Fetch(start, samples):
                self._spawn(self._read_kept(start, samples))
            case Close():
                if self._socket:
                    self._spawn(self._socket.close())
                    self._socket = None
                self._tell_loss(deaf=True)

    def _make_socket(self, place: int) -> Socket:
        origin = self._origins.all[place]
        return Socket(f"{origin.url}{self._request}", origin.key, origin.route)

    def _tell_loss(self, code: int | None = None, *, deaf: bool = False) -> None:
        """An open socket is gone: unless that was its end, it was lost."""
        if self.session.state is State.WAITING:
            now = self._loop.time()
            self._choice.lost(now, code, deaf=deaf)
            if self._choice.is_fresh(now):
                self.session.retries.hasten(now)

    def _log_error(self, error: DeepgramError) -> None:
        """Once: what Deepgram does not like in one KeepAlive it will not like in the next; all are counted."""
        if not self._complained:
            self._complained = True
            code, description = (hide(text, self._choice.origin.key) for text in (error.code, error.description))
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

    async def _serve_socket(self, socket: Socket, work: Callable[[], Awaitable[None]]) -> None:
        """One socket, from the handshake to its end; none ends without the session's being told."""
        try:
            await work()
        except Exception:
            log.exception("a socket to deepgram failed", extra={"call_id": self._call_id})
            socket.abort()
            if self._socket is socket:
                self._socket = None
                self.session.closed(None, "a fault of the bridge", self._loop.time())
            self._pump()
        finally:
            socket.span.end()

    async def _run_socket(self, socket: Socket, place: int, turned_away: Refusal | None) -> None:
        refusal = turned_away or await self._open(socket, place)
        if refusal and not turned_away:
            self._choice.refused(place, refusal, self._loop.time(), own_options=self._fallback is not None)
        if self._socket is not socket:
            socket.abort()  # given up meanwhile
        elif refusal:
            self._socket = None
            self._tell_refusal(refusal, asked=not turned_away)
            self._pump()
        else:
            self.session.connected(socket.request_id, self._loop.time())
            self._pump()
            await self._read(socket, place)

    def _tell_refusal(self, refusal: Refusal, *, asked: bool) -> None:
        now = self._loop.time()
        if own := asked and self._give_way(refusal):  # else it is about what another call has asked for
            self._choice.ask_again()
        elsewhere = self._choice.is_left if refusal.blame is Blame.REQUEST else self._choice.is_elsewhere
        self.session.refused(refusal, now, own=own, elsewhere=elsewhere)
        if self._choice.is_fresh(now):
            self.session.retries.hasten(now)

    async def _read(self, socket: Socket, place: int) -> None:
        """To its end, which the session is told of if it has no other socket by then."""
        name = self._origins.all[place].name
        about = {"call_id": self._call_id, "origin": name}
        log.info("deepgram connected", extra={**about, "request_id": socket.request_id})
        self._origins.sockets[name] += 1
        try:
            await socket.read(self._receive_text)
        finally:
            self._origins.sockets[name] -= 1
        code, reason = socket.close_code, socket.close_reason
        log.info("deepgram closed", extra={**about, "code": code, "reason": reason})
        socket.span.note({"bridge.close_code": code})
        if self._socket is socket:
            self._socket = None
            self.session.closed(code, reason, self._loop.time())
            self._tell_loss(code)
            self._pump()

    def _receive_text(self, socket: Socket, text: str | bytes) -> None:
        if self._socket is socket:
            self.session.receive_text(text, self._loop.time())
            self._pump()
            if self._choice.place and not self._returning and self.session.movable:
                self._go_back()

    def _go_back(self) -> None:
        """To a better origin, if there is one and the moment is good."""
        place = self._choice.better(self._loop.time(), quiet=self.session.quiet)
        if place is not None and self._socket:
            self._returning = True
            socket = self._make_socket(place)
            self._spawn(self._serve_socket(socket, partial(self._return, socket, place, self._socket)))

    async def _return(self, socket: Socket, place: int, old: Socket) -> None:
        """Open a socket at a better origin, and give up the old one for it."""
        try:
            refusal = await self._open(socket, place)
        finally:
            self._returning = False
        if refusal:
            self._choice.refused(place, refusal, self._loop.time(), own_options=self._fallback is not None)
        elif self._socket is not old or not self.session.movable:
            await socket.close()
        else:
            self._socket = socket
            self._choice.returned(place)
            self.session.origin = self._choice.origin.name
            self.session.moved(socket.request_id, self._loop.time())
            self._spawn(old.close())
            self._pump()
            await self._read(socket, place)

    async def _open(self, socket: Socket, place: int) -> Refusal | None:
        about = {"bridge.origin": self._origins.all[place].name}
        socket.span = self._traces.begin("deepgram socket", self._call_id, about, asks=True)
        # Where there is another origin, a slow one is not waited for.
        refusal = await (socket.open(self._origins.policy.handshake) if len(self._origins) > 1 else socket.open())
        if refusal is None:
            socket.span.note({"bridge.deepgram.request_id": socket.request_id})
            self._origins.succeeded(place)
            return None
        socket.span.note({"http.response.status_code": refusal.status})
        socket.span.end("refused")
        log.warning(
            "deepgram refused",
            extra={
                "call_id": self._call_id,
                "origin": self._origins.all[place].name,
                "status": refusal.status,
                "reason": refusal.reason,
                "request_id": refusal.request_id,
            },
        )
        return refusal

    def _give_way(self, refusal: Refusal) -> bool:
        """Whether the call's own options are refused, and it goes on with everybody's."""
        if self._fallback is None or not refusal.may_be_over_options:
            return False
        self._request, self._fallback = self._fallback, None
        return True

    async def _read_kept(self, start: int, samples: int) -> None:
        found, audio = await self._fetch(start, samples) if self._fetch else (start, b"")
        self.session.receive_fetched(start, found, audio, self._loop.time())
        self._pump()
