"""The recording that a URL names, for a pre-recorded request: bounded in octets, time and redirects.

Unlike Deepgram's, this server is on the machine of who asks it, and takes addresses that no other machine can reach. A
client on another machine is a stranger here: what it names must be public. Metadata services are reached for no one.
Source of the sentences: https://developers.deepgram.com/docs/errors
"""

import asyncio
import socket
from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

import aiohttp
from aiohappyeyeballs import AddrInfoType

from bridge.egress import DIRECT, Route
from bridge.errors import ConfigError
from bridge.guard import Guard
from bridge.local.deepgram.batch import TOO_LARGE
from bridge.local.deepgram.request import Refusal

SECONDS = 60.0
"""For all of a recording."""
_REDIRECTS = 5
_MEDIA = "The remote server hosting the media"


async def fetch(
    url: str,
    most: int,
    *,
    seconds: float = SECONDS,
    route: Callable[[str], Route] = lambda _: DIRECT,
    guard: Guard | None = None,
) -> bytes | Refusal:
    """The octets, or why there are none. `most`: how many at the most; `seconds`: until the last has come. `guard`:
    where the URL, and whatever it redirects to, may lead; by default as one of the operator's own.
    """
    try:
        parts = urlsplit(url)
        way = route(url)
    except (ValueError, ConfigError):
        return _refusal("Could not parse URL as a URI.")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return _refusal("Could not parse URL as a URI.")
    try:
        async with asyncio.timeout(seconds):
            return await _read(url, most, way, guard or Guard())
    except aiohttp.TooManyRedirects:
        return _refusal(f"{_MEDIA} returned too many redirects.")
    except aiohttp.InvalidURL:
        return _refusal("Could not parse URL as a URI.")
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return _refusal(f"{_MEDIA} failed to return valid data.")


def guard_for(client: str | None) -> Guard:
    """The rule for what a client names, by its address."""
    try:
        return Guard(own=ip_address(client or "").is_loopback)
    except ValueError:
        return Guard(own=False)


def sockets(guard: Guard) -> Callable[[AddrInfoType], socket.socket]:
    """Makes the socket of each attempt, once its address is known."""

    def make(found: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = found
        if refusal := guard.refusal(str(address[0]), int(address[1]), True):
            raise OSError(refusal)
        return socket.socket(family, kind, protocol)

    return make


async def _read(url: str, most: int, way: Route, guard: Guard) -> bytes | Refusal:
    # A proxy dials for itself, and has to do the blocking.
    connector = aiohttp.TCPConnector(ssl=way.tls or True, socket_factory=None if way.proxy else sockets(guard))
    async with aiohttp.ClientSession(connector=connector, proxy=way.proxy_url, trust_env=False) as session:
        async with session.get(url, max_redirects=_REDIRECTS) as response:
            if response.status >= 400:
                whose = "client" if response.status < 500 else "server"
                return _refusal(f"{_MEDIA} returned a {whose} error: {response.status} {response.reason}")
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > most:
                    return TOO_LARGE
            return bytes(body)


def _refusal(message: str) -> Refusal:
    return Refusal(400, "REMOTE_CONTENT_ERROR", message)
