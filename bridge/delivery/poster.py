"""One POST at a time to one URL, over kept connections, and what became of it as an `Outcome`.

Nothing here decides what an outcome means. Redirects are not followed, cookies not kept, and an answer counts from its
status line on: no library's client takes a 2xx with a head that it dislikes. Neither bodies nor URLs go to a log: they
carry transcripts and sometimes secrets.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from bridge import __version__
from bridge.answer import AnswerReader
from bridge.delivery.address import parse_address
from bridge.delivery.connection import Connection, Resolver, Unreachable, connect
from bridge.delivery.lane import Answered, Outcome, parse_retry_after
from bridge.egress import DIRECT, Route
from bridge.errors import ConfigError
from bridge.failure import Failure
from bridge.guard import Guard

_KEEP = 30.0  # seconds for which an idle connection is kept
_PROXY_REFUSES = 407
_HOST = re.compile(r"[A-Za-z0-9._:-]{1,255}")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """In seconds."""

    connect: float = 5.0
    """For the TCP and TLS handshakes, too."""
    total: float = 15.0
    """From the start of a POST to the head of its answer."""
    body: float = 1.0
    """For the body of an answer whose status is known: worth waiting for only to keep the connection."""
    interim: float = 5.0
    """For the whole POST of an interim, which is worth less than the newer one that waits for it."""


class Poster:
    """`async with Poster(url) as poster:`. Raises `ConfigError` if nothing can be posted to this URL.

    `guard`: where it may lead; by default as the operator wrote it.
    """

    def __init__(
        self,
        url: str,
        timeouts: Timeouts | None = None,
        route: Route = DIRECT,
        content_type: str = "application/json",
        guard: Guard | None = None,
    ) -> None:
        self._address = address = parse_address(url)
        self._guard = guard or Guard()
        proxied = route.proxy is not None
        if reason := self._guard.refusal_of_host(address.host, address.port, address.secure, proxied=proxied):
            raise ConfigError(f"the webhook's URL leads to where no webhook may be ({reason}); {self._guard.remedy}")
        self._content_type = content_type
        self._timeouts = timeouts or Timeouts()
        self._route = route
        self._head = self._fixed_head()
        first = route.proxy or self._address
        self._resolver = Resolver(first.host, first.port)
        self._connections: set[Connection] = set()
        self._idle: list[Connection] = []
        # How many go out at a time is the breaker's decision, not made here.

    @property
    def origin(self) -> str:
        """Scheme and host, which are no secret."""
        return f"http{'s' if self._address.secure else ''}://{self._address.authority}"

    async def __aenter__(self) -> "Poster":
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in self._connections:
            connection.abort()
        await asyncio.gather(*(connection.closed for connection in self._connections))

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._connections)

    async def post(self, body: bytes, headers: Mapping[str, str], now: float) -> Outcome:
        """Post once; `now`, in seconds since 1970, is what a date in a Retry-After is compared with."""
        lines = [f"{name}: {value}" for name, value in headers.items()]
        request = "\r\n".join([self._head, *lines, f"Content-Length: {len(body)}", "", ""]).encode() + body
        try:
            async with asyncio.timeout(self._timeouts.total):
                answer = await self._ask(request)
        except TimeoutError:
            return Failure("timeout")
        except Unreachable as error:
            return error.why
        assert answer.status is not None
        if answer.status == _PROXY_REFUSES and self._route.proxy:
            return Failure("proxy", f"status {answer.status}")
        return Answered(
            answer.status,
            parse_retry_after(answer.field("retry-after"), now),
            _host(answer.field("location")) if 300 <= answer.status < 400 else None,
            (answer.field("content-type") or "").partition(";")[0].strip().lower() or None,
        )

    async def _ask(self, request: bytes) -> AnswerReader:
        """Raises Unreachable."""
        if self._idle:
            try:
                return await self._idle.pop().exchange(request, self._timeouts.body)
            except Unreachable:
                # Mostly the other side closed an idle connection just as this POST went out, which says nothing about
                # it. The webhook-id makes it safe to say it again at once, on a new connection.
                pass
        connection = await self._connect()
        return await connection.exchange(request, self._timeouts.body)

    async def _connect(self) -> Connection:
        try:
            async with asyncio.timeout(self._timeouts.connect):
                connection = await connect(self._address, self._route, self._keep, self._resolver, self._guard)
        except TimeoutError:
            raise Unreachable(Failure("timeout")) from None
        self._connections.add(connection)
        connection.closed.add_done_callback(lambda _: self._forget(connection))
        return connection

    def _keep(self, connection: Connection) -> None:
        connection.close_after(_KEEP)
        self._idle.append(connection)

    def _forget(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def _fixed_head(self) -> str:
        """The head of every request, up to what is its own."""
        address, proxy = self._address, self._route.proxy
        through = proxy if not address.secure else None  # a secure request goes through a tunnel, and sees no proxy
        lines = [
            f"POST {address.absolute if through else address.target} HTTP/1.1",
            f"Host: {address.authority}",
            f"Content-Type: {self._content_type}",
            f"User-Agent: media-stream-bridge/{__version__}",
            "Accept: */*",
            "Accept-Encoding: identity",
        ]
        if through and through.authorization:
            lines.append(f"Proxy-Authorization: {through.authorization}")
        return "\r\n".join(lines)


def _host(location: str | None) -> str | None:
    """Whom a redirect names, without the path, which may carry a token."""
    try:
        host = urlsplit(location or "").hostname
    except ValueError:
        return None
    return host if host and _HOST.fullmatch(host) else None
