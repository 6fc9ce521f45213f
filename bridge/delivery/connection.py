"""One connection to a webhook: opened through a proxy or not, one request at a time, its answer as far as it matters.

It knows neither what is posted nor what an answer means. How an answer is read is `answer`'s business.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import cast

import aiohappyeyeballs
from aiohappyeyeballs import AddrInfoType

from bridge.answer import AnswerReader
from bridge.delivery.address import Address
from bridge.egress import Route
from bridge.errors import RemoteProtocolError
from bridge.failure import Failure, failure
from bridge.guard import Guard
from bridge.tunnel import Tunnel

_NEXT_ADDRESS = 0.25  # seconds after which the next address of a host is tried beside the one before (RFC 8305)
_KEEP_ADDRESSES = 30.0  # seconds
_PROXY_READ = 4_096


class Unreachable(Exception):
    """A request was not answered."""

    def __init__(self, why: Failure) -> None:
        super().__init__(str(why))
        self.why = why


class Blocked(OSError):
    """An address is not dialled."""


class Connection(asyncio.Protocol):
    """Made by `connect`. `exchange` returns as soon as the head of the answer is there; the body is read beside it."""

    def __init__(self, on_free: Callable[["Connection"], None]) -> None:
        """`on_free`: called when an answer has been read and the connection can take the next request."""
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._on_free = on_free
        self._reader: AnswerReader | None = None
        self._answer: asyncio.Future[AnswerReader] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._patience: float  # of the last exchange

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one, and does not say so

    async def exchange(self, request: bytes, patience: float) -> AnswerReader:
        """Send a request, and return what its answer's head says. Raises Unreachable.

        `patience`: seconds for what follows the status line, which has said what matters.
        """
        self._rest()
        if self._transport.is_closing():
            raise Unreachable(Failure("reset"))
        self._patience = patience
        self._reader = AnswerReader()
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            return await self._answer
        except BaseException:
            self._transport.abort()
            raise

    def close_after(self, seconds: float) -> None:
        """Close, unless another request is sent before."""
        self._rest()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.abort)

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """What comes without having been asked for would be taken for the next answer: the connection is not kept."""
        if self._reader is None:
            self.abort()
            return
        try:
            self._reader.receive(data)
        except RemoteProtocolError:
            self._fail(Failure("protocol"))  # upon which `exchange` cuts the connection
            return
        self._tell()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._reader:
            self._reader.receive_eof()
            self._tell()
            self._fail(failure(exc, "reset") if exc else Failure("reset"))
        self._rest()
        if not self.closed.done():
            self.closed.set_result(None)

    def _tell(self) -> None:
        reader = self._reader
        assert reader
        if reader.has_head and self._answer and not self._answer.done():
            self._answer.set_result(reader)
        if reader.ended and not self._transport.get_write_buffer_size():
            self._reader = None
            self._rest()
            self._on_free(self)
        elif reader.ended or reader.hopeless:  # the first: it has answered before it had the whole request
            self.abort()
        elif reader.status is not None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._patience, self.abort)

    def _rest(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _fail(self, why: Failure) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(Unreachable(why))


class Resolver:
    """The addresses of one host, looked up now and then: some receivers close after every answer."""

    def __init__(self, host: str, port: int) -> None:
        self._asked = (host, port)
        self._found: Sequence[AddrInfoType] = []
        self._until: float  # when they are looked up again

    async def addresses(self, now: float) -> Sequence[AddrInfoType]:
        """`now`: seconds on a clock that is never set."""
        if not self._found or now >= self._until:
            self._found = await asyncio.get_running_loop().getaddrinfo(*self._asked, type=socket.SOCK_STREAM)
            self._until = now + _KEEP_ADDRESSES
        return self._found

    def forget(self) -> None:
        """They have led nowhere."""
        self._found = []


async def connect(
    address: Address, route: Route, on_free: Callable[[Connection], None], resolver: Resolver, guard: Guard
) -> Connection:
    """Open a connection. `resolver`: of the proxy, where there is one. Raises Unreachable.

    `guard` judges every address that is dialled; a proxy dials for itself, and has to do the blocking.
    """
    proxy = route.proxy
    make = _plain_socket if proxy else Sockets(guard, address.secure)
    try:
        stream = await _open(await resolver.addresses(asyncio.get_running_loop().time()), make)
    except (OSError, UnicodeError) as error:
        resolver.forget()
        if isinstance(make, Sockets) and make.blocked:
            raise Unreachable(Failure("blocked", make.blocked)) from None
        raise Unreachable(failure(error, "proxy" if proxy else "connect")) from None
    try:
        if proxy and address.secure:
            await _through(stream, Tunnel(proxy, address.host, address.port))
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(on_free),
            sock=stream,
            ssl=(route.tls or True) if address.secure else None,
            server_hostname=address.host if address.secure else None,
        )
    except OSError as error:
        stream.close()
        raise Unreachable(failure(error, "tls" if address.secure else "reset")) from None
    except BaseException:
        stream.close()
        raise
    return connection


class Sockets:
    """Makes the socket of each attempt, once it knows the address: nothing comes between the judgement and the dial."""

    def __init__(self, guard: Guard, secure: bool) -> None:
        """`secure`: TLS is spoken there."""
        self._guard = guard
        self._secure = secure
        self.blocked: str | None = None
        """Why an address was not dialled, the last one."""

    def __call__(self, found: AddrInfoType) -> socket.socket:
        host, port = found[4][:2]
        if refusal := self._guard.refusal(str(host), int(port), self._secure):
            self.blocked = refusal
            raise Blocked(refusal)
        return _plain_socket(found)


def _plain_socket(found: AddrInfoType) -> socket.socket:
    family, kind, protocol, _, _ = found
    return socket.socket(family, kind, protocol)


async def _open(addresses: Sequence[AddrInfoType], make: Callable[[AddrInfoType], socket.socket]) -> socket.socket:
    """As aiohttp does: a host whose IPv6 leads nowhere is reached by IPv4. uvloop would wait for the one that does."""
    return await aiohappyeyeballs.start_connection(
        addresses, happy_eyeballs_delay=_NEXT_ADDRESS, interleave=1, socket_factory=make
    )


async def _through(stream: socket.socket, tunnel: Tunnel) -> None:
    """Have a proxy connect us. Raises Unreachable."""
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_sendall(stream, tunnel.request)
        while not tunnel.ended:
            tunnel.receive(await loop.sock_recv(stream, _PROXY_READ))
    except OSError as error:
        raise Unreachable(failure(error, "proxy")) from None
    if tunnel.failure:
        raise Unreachable(tunnel.failure)
