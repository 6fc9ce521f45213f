"""Relays streams to the process that has their call, and lets those in that others relay here.

The other process is asked as the carrier has asked this one: the same path and headers, and a mark that says what it is
(`mark`). What goes on, what is kept, and when a stream comes back is decided by `call/relay`; this is its shell.

Library: aiohttp's client, whose sockets pass octets on as they are.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, Literal

from aiohttp import ClientError, ClientSession, ClientTimeout, ClientWebSocketResponse, TraceConfig, WSMsgType, web
from yarl import URL

from bridge.call.beginnings import KeptElsewhere
from bridge.call.relay import Begin, Close, CloseCarrier, Command, Ping, Relay, RelayPolicy, Said, Send, State
from bridge.carriers.messages import Started
from bridge.egress import Egress
from bridge.errors import ConfigError, RemoteProtocolError
from bridge.web import mark
from bridge.web.arriving import StreamRefused
from bridge.web.frames import Frames, MediaSocket

log = logging.getLogger("bridge.media")

_Socket = ClientWebSocketResponse[Literal[False]]

_DIAL = 5.0  # seconds for the other process to let a stream in
_STALLED = 10.0  # seconds for which a socket may take nothing
_CLOSES = 1.0  # seconds for the end of a socket that is not needed any more
_LARGEST = 64 * 1024  # octets of what a process tells a carrier
_OF_ONE_HOP = frozenset(
    {"host", "connection", "upgrade", "content-length", "transfer-encoding", "keep-alive", "te", "trailer", "expect"}
)


class Relays:
    """Made once."""

    def __init__(
        self, key: str | None, egress: Egress, counters: Counter[str], policy: RelayPolicy | None = None
    ) -> None:
        """`key`: with which others mark what they relay here; None: there are none."""
        self._key = key or ""
        self._egress = egress
        self._counters = counters
        self._policy = policy
        self.going_on: dict[Relay, Started] = {}
        """Streams that are relayed at this moment."""

    def call_of(self, request: web.Request) -> str | None:
        """The call of a stream that another process relays here; None: it comes by itself. Raises HTTPForbidden."""
        header = request.headers.get(mark.HEADER)
        if header is None:
            return None
        call_id = mark.verify(self._key, header, request.path)
        if call_id is None:
            log.warning("the mark of a relayed stream is not valid")
            raise web.HTTPForbidden(text="the mark of a relayed stream is not valid\n")
        return call_id

    async def read_preface(self, socket: MediaSocket, seconds: float) -> float | None:
        """The loop's time when the first frame of a relayed stream was there; None: it is still to come. Raises
        StreamRefused."""
        try:
            async with asyncio.timeout(seconds):
                frame = await socket.receive()
            waited = mark.read_preface(frame.data if frame.type is WSMsgType.TEXT else b"")
        except (TimeoutError, RemoteProtocolError) as error:
            raise StreamRefused(str(error) or "no preface of a relayed stream came") from None
        return None if waited is None else asyncio.get_running_loop().time() - waited

    async def relay(
        self,
        socket: MediaSocket,
        request: web.Request,
        kept: KeptElsewhere,
        read: tuple[Sequence[Said], Sequence[Said]],
    ) -> Relay:
        """Until the stream is over, or comes back. `read`: as the relay's arguments."""
        relay, started = Relay(*read, self._policy), kept.started
        self._counters["relayed"] += 1
        where = {"call_id": started.call_id, "url": kept.keeper.url}
        log.info("a stream is relayed to the process that has its call", extra=where)
        headers = [*_end_to_end(request), (mark.HEADER, mark.sign(kept.keeper.key, started.call_id, request.path))]
        url = f"{kept.keeper.url}{request.raw_path}"
        self.going_on[relay] = started
        try:
            link = _Link(relay, Frames(socket, self._counters), socket)
            await link.run(self._egress, url, headers, _protocols(request))
        finally:
            del self.going_on[relay]
        if relay.state is State.BACK:
            self._counters["relays_broken"] += 1
            log.warning("a relayed stream comes back", extra={**where, "reason": relay.reason})
        return relay


class _Link:
    """One stream's, from the dial to the end."""

    def __init__(self, relay: Relay, frames: Frames, socket: MediaSocket) -> None:
        self._relay = relay
        self._frames = frames
        self._socket = socket
        self._now: Callable[[], float] = asyncio.get_running_loop().time
        self._news = asyncio.Event()
        self._room = asyncio.Event()

    async def run(self, egress: Egress, url: str, headers: list[tuple[str, str]], protocols: Sequence[str]) -> None:
        """Do what the relay asks for, until it is done."""
        reading = asyncio.create_task(self._read())
        try:
            async with _session() as session:
                if link := await self._dial(session, egress, url, headers, protocols):
                    await self._talk(link)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _dial(
        self, session: ClientSession, egress: Egress, url: str, headers: Any, protocols: Sequence[str]
    ) -> _Socket | None:
        relay = self._relay
        try:
            route = egress.route(url)
            async with asyncio.timeout(_DIAL):
                link = await session.ws_connect(
                    URL(url, encoded=True),
                    headers=headers,
                    protocols=protocols,
                    proxy=route.proxy_url,
                    autoping=False,
                    decode_text=False,
                    max_msg_size=_LARGEST,
                    ssl=True if route.tls is None else route.tls,
                )
        except (ClientError, ConfigError, OSError, TimeoutError, ValueError) as error:
            status = getattr(error, "status", None)
            relay.refused(f"it does not take the stream ({status})" if status else "it cannot be reached")
            return None
        relay.opened(self._now())
        return link

    async def _talk(self, link: _Socket) -> None:
        hearing = asyncio.create_task(self._hear(link))
        try:
            while True:
                self._news.clear()
                for command in self._relay.data_to_send():
                    async with asyncio.timeout(_STALLED):
                        await self._do(link, command)
                if self._relay.is_done:
                    break
                await self._wait()
        except (ClientError, OSError, TimeoutError, RuntimeError):
            self._relay.broken("it takes nothing", self._now())
        finally:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSES):
                    await link.close(code=mark.BROKEN)  # unless it is closed by now

    async def _do(self, link: _Socket, command: Command) -> None:
        match command:
            case Begin(waited):
                await link.send_frame(mark.preface(waited), WSMsgType.TEXT)
            case Send(said):
                await link.send_frame(said.data, WSMsgType.BINARY if said.binary else WSMsgType.TEXT)
            case Ping(number):
                await link.ping(b"%d" % number)
            case Close(code):
                await link.close(code=mark.BROKEN if code is None else code or 1000)
                self._closed(link)
            case CloseCarrier(code, reason):
                await self._socket.close(code=code, message=reason.encode())

    async def _wait(self) -> None:
        """Until there is something to do."""
        due = self._relay.get_timer()
        if due is None:
            await self._news.wait()
            return
        try:
            async with asyncio.timeout_at(due):
                await self._news.wait()
        except TimeoutError:
            self._relay.handle_timer(max(due, self._now()))

    async def _read(self) -> None:
        """What the carrier sends."""
        while not self._relay.is_done:
            while self._relay.is_full:
                self._room.clear()
                await self._room.wait()
            frame = await self._frames.receive()
            if frame is not None and frame.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                self._relay.receive(Said(frame.data, frame.type is WSMsgType.BINARY, self._frames.came))
            elif frame is not None:
                code = frame.data if frame.type is WSMsgType.CLOSE else None
                self._relay.end(code, self._now())
                self._news.set()
                return
            self._news.set()

    async def _hear(self, link: _Socket) -> None:
        """What the other process says."""
        while True:
            frame = await link.receive()
            match frame.type:
                case WSMsgType.TEXT | WSMsgType.BINARY:
                    with suppress(ConnectionError, RuntimeError):  # the carrier has closed
                        await self._socket.send_frame(frame.data, frame.type)
                case WSMsgType.PONG:
                    self._relay.answered(int(frame.data))
                    self._room.set()
                case WSMsgType.CLOSING:
                    return  # from here
                case WSMsgType.CLOSE:
                    self._relay.closed(frame.data, frame.extra or "", self._now())
                    self._news.set()
                    return
                case _:
                    self._relay.broken("the connection to it is lost", self._now())
                    self._news.set()
                    return

    def _closed(self, link: _Socket) -> None:
        """The other process has answered the close, or not."""
        if link.close_code in (None, 1006):
            self._relay.broken("it has not answered the close", self._now())
        else:
            self._relay.closed(link.close_code or 1000, "", self._now())


def _session() -> ClientSession:
    """Follows no redirect: neither the audio nor the carrier's proof goes anywhere else."""
    trace = TraceConfig()
    trace.on_request_redirect.append(_refuse_redirect)
    return ClientSession(timeout=ClientTimeout(total=None), trace_configs=[trace], auto_decompress=False)


async def _refuse_redirect(session: ClientSession, context: SimpleNamespace, params: Any) -> None:
    raise ClientError("a redirect")


def _end_to_end(request: web.Request) -> Iterator[tuple[str, str]]:
    """The headers with which the carrier shows what it is."""
    for name, value in request.headers.items():
        lower = name.lower()
        if lower not in _OF_ONE_HOP and not lower.startswith(("sec-websocket-", "proxy-", "bridge-")):
            yield name, value


def _protocols(request: web.Request) -> list[str]:
    offered = request.headers.get("Sec-WebSocket-Protocol", "")
    return [name.strip() for name in offered.split(",") if name.strip()]
