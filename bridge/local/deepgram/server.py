"""A server that speaks Deepgram's API on this machine: live connections to `/v1/listen` and `/v2/listen`, and
recordings that are posted.

    async with LocalDeepgram(CodedRecognizers(script)) as server:
        …connect to server.url…
        assert server.connections[0].close_code == 1000
        …post to server.http_url…
        assert server.requests[0].answer

What a request means is `request`'s and `batch`'s business, what is said on a connection `session`'s.
"""

import asyncio
import logging
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from aiohttp import web

from bridge.egress import DIRECT, Route
from bridge.events import timestamp
from bridge.local.deepgram.account import Account, Keys
from bridge.local.deepgram.answers import Answers
from bridge.local.deepgram.auth import read_credentials
from bridge.local.deepgram.batch import parse_batch_request
from bridge.local.deepgram.connection import Connection
from bridge.local.deepgram.containers import missing
from bridge.local.deepgram.faults import NO_FAULTS, Faults
from bridge.local.deepgram.flux.request import FluxRequest, parse_flux_request
from bridge.local.deepgram.flux.session import FluxSession
from bridge.local.deepgram.prerecorded import Posted, Prerecorded
from bridge.local.deepgram.pump import Pump, PumpOptions
from bridge.local.deepgram.recording import Recording
from bridge.local.deepgram.request import REFUSALS, Refusal, parse_request
from bridge.local.deepgram.session import LIMITS, Limits, Session
from bridge.local.recognition import RecognizerFactory

log = logging.getLogger(__name__)

FLUX_PATH = "/v2/listen"

_SHUTDOWN_TIMEOUT = 0.5
"""Seconds: who still sends a body that was refused is not waited for."""


class LocalDeepgram:
    """The server; open between `async with` and its end, or `start` and `stop`.

    `recognizers` makes the recognizer of a channel; unless it has an attribute `in_thread` that is false,
    recognizers work in threads. `key` is the only key accepted; None: any. `save_dir` is where live audio is kept.
    `remember` keeps all that passed in `connections` and `requests`, for tests; without it only open ones are there.
    `notices` speaks the texts of Deepgram's streaming test suite, serves any path and asks for no key unless
    one is set. `route`: how the addresses of recordings are reached.
    """

    def __init__(
        self,
        recognizers: RecognizerFactory,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        key: str | None = None,
        save_dir: Path | None = None,
        faults: Faults = NO_FAULTS,
        limits: Limits = LIMITS,
        remember: bool = True,
        notices: bool = False,
        route: Callable[[str], Route] = lambda _: DIRECT,
    ) -> None:
        self.faults = faults
        """The faults of the connections to come; may be changed at any time."""
        self.faults_of: dict[int, Faults] = {}
        """Faults of single connections, by their index; these go first."""
        self.connections: list[Connection] = []
        self.accepted = 0
        """Connections so far; the index of the next one."""
        self.request_faults: Faults | None = None
        """The faults of the pre-recorded requests to come; None: as `faults`. They have indices of their own."""
        self.balance: float | None = 200.0
        """US dollars that the project has left; None: the key may not read it."""
        self.requests: list[Posted] = []
        """Pre-recorded requests, as `connections`."""
        self.posted = 0
        """Pre-recorded requests so far; the index of the next one."""
        self._recognizers, self._limits = recognizers, limits
        self._host, self.port = host, port
        self._save_dir, self._notices = save_dir, notices
        self._open_to_all = notices and key is None
        self._keys, self._answers = Keys(key), Answers(str(uuid.uuid4()))
        self._executors = (
            # Of their own, since live audio must not wait until long recordings are done.
            {what: ThreadPoolExecutor(os.cpu_count(), what) for what in ("live", "recordings")}
            if getattr(recognizers, "in_thread", True)
            else {}
        )
        self._options = PumpOptions(self._executors.get("live"), remember, limits.goodbye)
        self._prerecorded = Prerecorded(recognizers, self._executors.get("recordings"), limits.body, route)
        self._tasks: set[asyncio.Task[object]] = set()
        self._arrived = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it listens: `ws://host:port`."""
        return f"ws://{self._host}:{self.port}"

    @property
    def http_url(self) -> str:
        """The same for recordings: `http://host:port`."""
        return f"http://{self._host}:{self.port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; a port of 0 becomes a free one."""
        app = web.Application()
        app.router.add_routes(Account(self._keys, self._answers, lambda: self.balance).routes())
        app.router.add_get(FLUX_PATH, self._listen)
        app.router.add_get("/{path:.*}" if self._notices else "/v1/listen", self._listen)
        app.router.add_post("/v1/listen", self._transcribe)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_TIMEOUT)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self.port).start()
        self.port = self._runner.addresses[0][1]
        log.info("listening", extra={"url": self.url})

    async def stop(self) -> None:
        """Cut what is open, then stop listening."""
        for task in self._tasks:
            task.cancel()
        if self._runner:
            await self._runner.cleanup()
        for executor in self._executors.values():
            executor.shutdown(wait=False, cancel_futures=True)

    async def connection(self, index: int) -> Connection:
        """The connection of that index, as soon as there is one."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.connections) > index)
        return self.connections[index]

    async def _listen(self, request: web.Request) -> web.StreamResponse:
        """One handshake, and the connection if it succeeds."""
        connection = Connection(self.accepted, str(uuid.uuid4()), tuple(request.query.items()), request.headers)
        self.accepted += 1
        async with self._arrived:
            self.connections.append(connection)
            self._arrived.notify_all()
        try:
            with self._cancellable():
                return await self._serve(connection, request)
        finally:
            connection.ended.set()
            if not self._options.remember:
                self.connections.remove(connection)

    @contextmanager
    def _cancellable(self) -> Iterator[None]:
        """What goes on in here is cut off by `stop`."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            yield
        finally:
            self._tasks.discard(task)

    async def _serve(self, connection: Connection, request: web.Request) -> web.StreamResponse:
        faults = self.faults_of.get(connection.index, self.faults.of_connection(connection.index))
        if faults.handshake_delay:
            await asyncio.sleep(faults.handshake_delay)
        connection.refusal = self._judge(connection, faults, flux=request.path == FLUX_PATH)
        if connection.refusal:
            return self._answers.refusal(connection.request_id, connection.refusal)
        credentials = read_credentials(request.headers)
        subprotocol = credentials.subprotocol if credentials else None
        protocols = (subprotocol,) if subprotocol else ()
        ws = web.WebSocketResponse(protocols=protocols, compress=False, autoclose=False, autoping=False)
        ws.headers.update(self._answers.headers(connection.request_id))
        try:
            await ws.prepare(request)
        except ConnectionError:
            return ws  # the client has left before the 101
        if request.transport is None:
            return ws
        session = self._open(connection, faults)
        await Pump(ws, request.transport, session, connection, self._options).run()
        log.info("closed", extra={"connection": connection.index, "code": connection.close_code})
        return ws

    async def _transcribe(self, request: web.Request) -> web.StreamResponse:
        """One pre-recorded request, answered or refused."""
        posted = Posted(self.posted, str(uuid.uuid4()), tuple(request.query.items()), request.headers)
        self.posted += 1
        self.requests.append(posted)
        try:
            with self._cancellable():
                return await self._answer(posted, request)
        finally:
            posted.ended.set()
            if not self._options.remember:
                self.requests.remove(posted)

    async def _answer(self, posted: Posted, request: web.Request) -> web.StreamResponse:
        faults = (self.faults if self.request_faults is None else self.request_faults).of_connection(posted.index)
        await asyncio.sleep(faults.handshake_delay)
        outcome = self._turn_away(posted.headers, faults) or parse_batch_request(posted.query)
        if not isinstance(outcome, Refusal):
            posted.request = outcome
            transcript = await self._prerecorded.transcribe(posted, request, faults)
            if transcript is None:
                return web.Response()  # the client has gone
            if not isinstance(transcript, Refusal):
                posted.answer = transcript
                log.info("transcribed", extra={"request_id": posted.request_id, "octets": len(posted.body)})
                return web.json_response(transcript, headers=self._answers.headers(posted.request_id))
            outcome = transcript
        posted.refusal = outcome
        return self._answers.refusal(posted.request_id, outcome)

    def _judge(self, connection: Connection, faults: Faults, *, flux: bool) -> Refusal | None:
        """Why the handshake is refused, if it is; otherwise the connection has its request."""
        parse = parse_flux_request if flux else parse_request
        outcome = self._turn_away(connection.headers, faults) or parse(connection.query)
        if isinstance(outcome, Refusal):
            return outcome
        if isinstance(outcome, FluxRequest):
            connection.flux, outcome = outcome, outcome.listen
        if lacking := missing(outcome):
            return lacking
        connection.request = outcome
        return None

    def _turn_away(self, headers: Mapping[str, str], faults: Faults) -> Refusal | None:
        """Why a client is refused, whatever it asks for."""
        if faults.refuse:
            return REFUSALS[faults.refuse]
        return None if self._open_to_all or self._keys.is_let_in(read_credentials(headers)) else REFUSALS[401]

    def _open(self, connection: Connection, faults: Faults) -> Session:
        """The session of an accepted connection, and the files it is kept in."""
        assert connection.request is not None
        started = time.time()
        if self._save_dir:
            moment = datetime.fromtimestamp(started, UTC)
            name = f"{moment:%Y%m%d_%H%M%S}_{connection.request_id[:8]}"
            try:
                connection.recording = Recording(self._save_dir, name, connection.request)
            except OSError as error:
                log.error("audio cannot be kept", extra={"file": name, "reason": error.strerror})
        if connection.request.heard_channels == 0:
            log.warning(
                "channels without multichannel=true: nothing will be heard",
                extra={"connection": connection.index},
            )
        now = asyncio.get_running_loop().time()
        if connection.flux:
            return FluxSession(
                connection.flux,
                self._recognizers,
                request_id=connection.request_id,
                created=timestamp(started),
                now=now,
                faults=faults,
                limits=self._limits,
            )
        return Session(
            connection.request,
            self._recognizers,
            request_id=connection.request_id,
            created=timestamp(started),
            now=now,
            faults=faults,
            limits=self._limits,
            with_notices=self._notices,
            filename=str(connection.recording.path) if connection.recording else None,
        )


async def serve(
    recognizers: RecognizerFactory,
    *,
    host: str,
    port: int,
    key: str | None = None,
    save_dir: Path | None = None,
    faults: Faults = NO_FAULTS,
    notices: bool = False,
    route: Callable[[str], Route] = lambda _: DIRECT,
    ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve until cancelled; `ready` is told the URL. The arguments are those of `LocalDeepgram`."""
    server = LocalDeepgram(
        recognizers,
        host=host,
        port=port,
        key=key,
        save_dir=save_dir,
        faults=faults,
        remember=False,
        notices=notices,
        route=route,
    )
    async with server:
        ready(server.url)
        await asyncio.Event().wait()
