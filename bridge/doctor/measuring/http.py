"""One request, one upgrade, one TLS handshake, one look-up of a name: each with its own connection and its time.

No redirect is followed: what was measured is what was named, and no key goes elsewhere.
"""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any, Literal
from urllib.parse import urlsplit

import aiohappyeyeballs
import aiohttp
from yarl import URL

from bridge import __version__
from bridge.deepgram.dialing import ProxyFailed, dial
from bridge.deepgram.prerecorded import failure_of, open_session, read_body
from bridge.delivery.connection import Sockets
from bridge.doctor.judging.network import Answer, Lifetime
from bridge.egress import DIRECT, Route
from bridge.failure import Failure, failure
from bridge.guard import Guard

PATIENCE = 5.0
"""Seconds for each of them."""

_MOST = 2**16  # octets of a body
_NEXT_ADDRESS = 0.25  # seconds after which the next address is tried beside the one before
_HALF = 0.5  # seconds: a date tells whole ones
_AGENT = {"User-Agent": f"media-stream-bridge/{__version__}"}
_OWN = Guard()
_FAILURES = (OSError, aiohttp.ClientError, ValueError)


async def ask(
    url: str,
    route: Route = DIRECT,
    headers: Mapping[str, str] | None = None,
    patience: float = PATIENCE,
    wall: Callable[[], float] = time.time,
) -> Answer | Failure:
    """GET a URL. `wall`: seconds since 1970, which the date of the answer is compared with."""
    try:
        async with asyncio.timeout(patience), open_session(route) as session:
            begun = wall()
            given = {**_AGENT, **(headers or {})}
            async with session.get(URL(url, encoded=True), headers=given, allow_redirects=False) as response:
                skew = _skew(response.headers.get("Date"), (begun + wall()) / 2)
                body = await read_body(response, _MOST)
    except _FAILURES as error:
        return failure_of(error)
    return Answer(
        response.status,
        response.content_type.lower() if "Content-Type" in response.headers else "",
        body,
        _origin(url, response.headers.get("Location")),
        _code(response.headers.get("ngrok-error-code", "")),
        skew,
    )


async def upgrade(
    url: str, route: Route = DIRECT, headers: Mapping[str, str] | None = None, patience: float = PATIENCE
) -> int | Failure:
    """Open a WebSocket, and close it at once: the status; 101 where it opened."""
    try:
        async with asyncio.timeout(patience), open_session(route) as session:
            given = {**_AGENT, **(headers or {})}
            timeout = aiohttp.ClientWSTimeout(ws_close=1.0)
            async with session.ws_connect(url, headers=given, timeout=timeout):
                return 101
    except aiohttp.WSServerHandshakeError as refused:
        return refused.status if refused.status != 101 else Failure("protocol")
    except _FAILURES as error:
        return failure_of(error)


async def certificate(
    url: str, route: Route = DIRECT, patience: float = PATIENCE, guard: Guard = _OWN
) -> Lifetime | Failure:
    """How long the certificate of an https or wss URL's server lives, if it is trusted. `guard`: where the URL may
    lead."""
    shown = await _shaken(url, route, patience, guard, route.tls or True)
    if isinstance(shown, Failure):
        return shown
    if "notAfter" not in shown:
        return Failure("tls")
    return Lifetime(*(ssl.cert_time_to_seconds(shown[name]) for name in ("notBefore", "notAfter")))


async def speaks_tls(url: str, route: Route = DIRECT, patience: float = PATIENCE, guard: Guard = _OWN) -> bool:
    """Whether the port of a URL without TLS speaks it, with whatever certificate: nothing is said there."""
    anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anyone.check_hostname = False
    anyone.verify_mode = ssl.CERT_NONE
    return not isinstance(await _shaken(url, route, patience, guard, anyone), Failure)


async def _shaken(
    url: str, route: Route, patience: float, guard: Guard, tls: ssl.SSLContext | Literal[True]
) -> dict[str, Any] | Failure:
    """What the certificate of a URL's server says, after a TLS handshake there."""
    ends = asyncio.get_running_loop().time() + patience
    stream = await _connected(url, route, ends, guard)
    if isinstance(stream, Failure):
        return stream
    try:
        async with asyncio.timeout_at(ends):
            transport, _ = await asyncio.get_running_loop().create_connection(
                asyncio.Protocol, sock=stream, ssl=tls, server_hostname=urlsplit(url).hostname
            )
    except (OSError, ValueError) as error:
        _close(stream)
        return failure(error, "tls")
    except BaseException:
        _close(stream)
        raise
    shown: dict[str, Any] = transport.get_extra_info("peercert") or {}
    transport.abort()
    return shown


def _close(stream: socket.socket) -> None:
    with contextlib.suppress(OSError):  # uvloop before 0.22 has closed it by itself
        stream.close()


async def connection(
    url: str, route: Route = DIRECT, patience: float = PATIENCE, guard: Guard = _OWN
) -> Failure | None:
    """Whether there is a way to an http or https URL's server; None: there is. Nothing is said there."""
    stream = await _connected(url, route, asyncio.get_running_loop().time() + patience, guard)
    if isinstance(stream, Failure):
        return stream
    stream.close()
    return None


async def _connected(url: str, route: Route, ends: float, guard: Guard) -> socket.socket | Failure:
    """`ends`: the loop's time, at which it is given up."""
    parts = urlsplit(url)
    secure = parts.scheme in ("https", "wss")
    port = parts.port or (443 if secure else 80)
    make = Sockets(guard, secure)
    try:
        async with asyncio.timeout_at(ends):
            if route.proxy:
                return await dial(f"wss://{parts.hostname}:{port}", route.proxy)
            found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
            return await aiohappyeyeballs.start_connection(
                found, happy_eyeballs_delay=_NEXT_ADDRESS, interleave=1, socket_factory=make
            )
    except ProxyFailed as error:
        return error.why
    except (OSError, UnicodeError) as error:
        return Failure("blocked", make.blocked) if make.blocked else failure(error, "connect")


async def addresses(host: str, patience: float = PATIENCE) -> tuple[str, ...] | Failure:
    """Those that a name has, or the address that it is."""
    try:
        return (str(ip_address(host)),)
    except ValueError:
        pass  # a name
    try:
        async with asyncio.timeout(patience):
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return failure(error, "dns")
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


def _skew(date: str | None, now: float) -> float | None:
    """By how many seconds `now` is ahead of an answer's date."""
    try:
        return now - parsedate_to_datetime(date).timestamp() - _HALF if date else None
    except (ValueError, TypeError, OverflowError):
        return None


def _origin(asked: str, location: str | None) -> str | None:
    """Where a redirect leads, without the path, which may carry a token."""
    try:
        there = URL(asked, encoded=True).join(URL(location)) if location else None
        return str(there.origin()) if there and there.raw_host and str(there.origin()).isprintable() else None
    except ValueError:
        return None


def _code(text: str) -> str:
    """A tunnel's own word for what is wrong."""
    return text if text.isascii() and text.replace("_", "").isalnum() and len(text) <= 40 else ""
