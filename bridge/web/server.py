"""The server's sockets: aiohttp's protocol with deadlines and bounds, so that strangers cannot take them all.

    head        10 s from the connect, or from the first octet of a further request
    body        10 s
    between     630 s, which is longer than a proxy keeps a connection that it may use again
    `start`     as the media handler says

A connection whose request is being answered works, and has no deadline here. `idle` says which one gives way when too
many wait.
"""

import asyncio
import logging
import os
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from errno import EADDRINUSE
from typing import Any

from aiohttp import web

from bridge.errors import ConfigError
from bridge.web.http import Handler, refusal
from bridge.web.idle import Idle, network

try:
    import resource
except ImportError:  # a system without such limits
    resource = None  # type: ignore[assignment]

log = logging.getLogger("bridge.connections")

HEAD, BODY, BETWEEN = 10.0, 10.0, 630.0
"""Seconds for which a peer is waited for."""

_LONGEST_LINE = 64 * 1024  # octets: a voice webhook that comes by GET has all its fields in the URL
_MOST_HEADERS = 64
_LINGERING = 2.0  # seconds for which the rest of a body is read that no one wants
_BACKLOG = 1024
_SHARES = hasattr(socket, "SO_REUSEPORT")

_MOST_WAITING = 1024
_SHARE_OF_CALLS = 0.75  # of the files that may be open; the rest is for connections that wait
_FILES_PER_CALL = 5  # its two sockets, of which one has two descriptors, and its audio
_ENOUGH_FILES = 65536
_FEWER_FILES = (10_240, 4096)


class Connections:
    """All connections, and the bounds of those that wait."""

    def __init__(self, of_one_address: int, files: int) -> None:
        """`files`: how many may be open."""
        self.idle: Idle[Connection] = Idle(
            of_one_address, min(_MOST_WAITING, max(1, int(files * (1 - _SHARE_OF_CALLS))))
        )
        self.open: set[Connection] = set()
        self.counters: Counter[str] = Counter()

    def give_way(self, connection: "Connection", to: str) -> None:
        """Close a connection of `connection.address`, because too many wait. `to`: the address of the newest."""
        self.counters["gave_way"] += 1
        of_one = connection.address == to and self.idle.of_one_address < self.idle.of_all
        remedy = (
            "raise BRIDGE_IDLE_CONNECTIONS if it is your proxy's address"
            if of_one
            else "a proxy in front can limit its clients; with more open files more may wait"
        )
        reason = "too many connections of one address wait" if of_one else "too many connections wait"
        log.warning("connection closed", extra={"reason": reason, "address": connection.address, "remedy": remedy})
        connection.drop()


class Connection(web.RequestHandler):
    """One connection; it waits for its peer, or works."""

    __slots__ = ("_connections", "_is_between", "_timer", "address")

    def __init__(self, connections: Connections, manager: web.Server, **options: Any) -> None:
        super().__init__(manager, **options)
        self.address = ""
        self._connections = connections
        self._is_between = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The head of the first request is waited for."""
        peer = transport.get_extra_info("peername")
        self.address = network(peer[0]) if isinstance(peer, tuple) else "unknown"
        super().connection_made(transport)
        self._connections.open.add(self)
        self.wait(HEAD)

    def data_received(self, data: bytes) -> None:
        """The hot path."""
        if self._is_between:
            self.wait(HEAD)
        web.RequestHandler.data_received(self, data)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """As any refusal; what cannot be read is not quoted, as the library would: it may hold a token."""
        super().handle_error(request, status, exc, message)  # logs it
        failed = status == web.HTTPInternalServerError.status_code
        sentence = "The bridge has failed; its log says why." if failed else "This request cannot be read."
        response = refusal(status, sentence)
        response.force_close()
        return response

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget it."""
        self.work()
        self._connections.open.discard(self)
        super().connection_lost(exc)

    def wait(self, seconds: float, between: bool = False) -> None:
        """The peer has so long for what it owes. `between`: that is nothing, before it begins another request."""
        self.work()
        if self.transport is None or self.transport.is_closing():
            return
        self._is_between = between
        self._timer = asyncio.get_running_loop().call_later(seconds, self._expire)
        if given_way := self._connections.idle.wait(self, self.address):
            self._connections.give_way(given_way, self.address)

    def work(self) -> None:
        """It waits no more."""
        self._is_between = False
        self._connections.idle.leave(self)
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def drop(self) -> None:
        """Close it; what the peer does not take any more is lost."""
        if self.transport is not None:
            if self.transport.get_write_buffer_size():
                self.transport.abort()
            else:
                self.transport.close()

    def _expire(self) -> None:
        self._connections.counters["timed_out"] += 1
        self.drop()


def wait_for(request: web.Request, seconds: float) -> None:
    """The handler waits for the peer, which may not yet be known."""
    if isinstance(request.protocol, Connection):
        request.protocol.wait(seconds)


def work(request: web.Request) -> None:
    """The handler waits no more."""
    if isinstance(request.protocol, Connection):
        request.protocol.work()


@web.middleware
async def read_in_time(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Read the request's body before it is handled; raises what refuses a body that is late, too large, or none."""
    wait_for(request, BODY + 1.0)
    try:
        if request.can_read_body and request.match_info.http_exception is None:
            await _read_body(request)
        work(request)
        return await handler(request)
    finally:
        if isinstance(request.protocol, Connection):
            request.protocol.wait(BETWEEN, between=True)


async def _read_body(request: web.Request) -> None:
    try:
        async with asyncio.timeout(BODY):
            await request.read()
    except TimeoutError:
        late = web.HTTPRequestTimeout(text="The body did not come in time.")
        late.force_close()
        raise late from None
    except (web.RequestPayloadError, ConnectionError):
        raise web.HTTPBadRequest(text="The body cannot be read.") from None


class Site(web.BaseSite):
    """Where a runner's application is reached, by `Connection`s. `::` is heard on IPv4 too."""

    __slots__ = ("_connections", "_host", "_port")

    def __init__(self, runner: web.AppRunner, connections: Connections, host: str, port: int) -> None:
        super().__init__(runner)
        self._connections = connections
        self._host = host
        self._port = port

    @property
    def name(self) -> str:
        """The URL by which this machine reaches it."""
        sockets = getattr(self._server, "sockets", ())
        host, port = sockets[0].getsockname()[:2] if sockets else (self._host, self._port)
        if host in ("0.0.0.0", "::"):
            host = "127.0.0.1"
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    async def start(self) -> None:
        """Listen. Raises OSError, also where another process listens there."""
        await check_free(self._host, self._port)
        await self.share()

    async def share(self) -> None:
        """Listen, also where another process of the same user does, as `Site`. Raises OSError."""
        await super().start()
        loop, manager = asyncio.get_running_loop(), self._runner.server
        assert manager
        options = {
            "loop": loop,
            "access_log": None,
            "lingering_time": _LINGERING,
            "max_line_size": _LONGEST_LINE,
            "max_headers": _MOST_HEADERS,
        }

        def connection() -> Connection:
            return Connection(self._connections, manager, **options)

        if self._host == "::" and socket.has_dualstack_ipv6():
            address, family = ("::", self._port), socket.AF_INET6
            listening = socket.create_server(address, family=family, dualstack_ipv6=True, reuse_port=_SHARES)
            self._server = await loop.create_server(connection, sock=listening, backlog=_BACKLOG)
        else:
            self._server = await loop.create_server(
                connection, self._host, self._port, backlog=_BACKLOG, reuse_port=_SHARES
            )


async def check_free(host: str, port: int) -> None:
    """Raise OSError where another process listens. What shares its address is not told so: it is asked without."""
    if not (port and _SHARES):
        return
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    for family, kind, _, _, address in found:
        try:
            probe = socket.socket(family, kind)
        except OSError:
            continue  # the system does not have the protocol: no one listens by it
        with probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, host != "::")
            probe.bind(address)


async def listen(
    stack: AsyncExitStack,
    application: web.Application,
    connections: Connections,
    host: str,
    port: int,
    may_share: Callable[[], Awaitable[bool]] | None = None,
    shared: bool = False,
    setting: str = "PORT",
) -> Site:
    """Start the application, and serve it here until the stack is left. Raises ConfigError.

    `may_share`: where another process listens, waits until this one may, too; False: it may not. `shared`: others are
    to listen there, too. `setting`: what says where.
    """
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=5.0)
    stack.push_async_callback(runner.cleanup)
    await runner.setup()
    site = Site(runner, connections, host, port)
    try:
        try:
            await (site.share() if shared else site.start())
        except OSError as error:
            if error.errno != EADDRINUSE or may_share is None or not await may_share():
                raise
            await site.share()
    except OSError as error:
        raise cannot_listen(host, port, setting, error) from error
    return site


def cannot_listen(host: str, port: int, setting: str, error: OSError) -> ConfigError:
    """What a person can do about it. `setting`: what says where."""
    remedy = f"; set {setting} to another one, or end what has it" if error.errno == EADDRINUSE else ""
    why = "there is no such host" if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
    return ConfigError(f"cannot listen at {host}:{port}: {why}{remedy}")


def file_limit() -> int:
    """How many files the process may have open."""
    if resource is None:
        return _ENOUGH_FILES
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _ENOUGH_FILES if soft == resource.RLIM_INFINITY else soft


def highest_file_limit() -> int:
    """How many files a server could have open, which raises its limit at the start."""
    if resource is None:
        return _ENOUGH_FILES
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(file_limit(), _ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH_FILES))


def enough_for_calls(files: int) -> int:
    """How many calls there may be with so many open files."""
    return int(files * _SHARE_OF_CALLS / _FILES_PER_CALL)


def raise_file_limit(calls: int) -> None:
    """Let the process open as many files as it may: the usual soft limit is meant for programs with a few.

    Logs it if they will be too few for so many calls.
    """
    if resource is None:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for files in (_ENOUGH_FILES, *_FEWER_FILES):
        wanted = files if hard == resource.RLIM_INFINITY else min(hard, files)
        if file_limit() >= wanted:
            break
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (ValueError, OSError):
            continue  # macOS has a bound that it does not tell
    if (enough := enough_for_calls(file_limit())) < calls:
        remedy = "raise the limit (ulimit -n, LimitNOFILE), or lower BRIDGE_MAX_CALLS"
        log.warning("too few open files", extra={"files": file_limit(), "enough_for_calls": enough, "remedy": remedy})
