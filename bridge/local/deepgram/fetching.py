"""The recording that a URL names, for a pre-recorded request: bounded in octets, time and redirects.

Unlike Deepgram's, this server is on the machine of who asks it, and takes addresses that no other machine can reach.
Source of the sentences: https://developers.deepgram.com/docs/errors
"""

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

import aiohttp

from bridge.egress import DIRECT, Route
from bridge.errors import ConfigError
from bridge.local.deepgram.batch import TOO_LARGE
from bridge.local.deepgram.request import Refusal

SECONDS = 60.0
"""For all of a recording."""
_REDIRECTS = 5
_MEDIA = "The remote server hosting the media"


async def fetch(
    url: str, most: int, *, seconds: float = SECONDS, route: Callable[[str], Route] = lambda _: DIRECT
) -> bytes | Refusal:
    """The octets, or why there are none. `most`: how many at the most; `seconds`: until the last has come."""
    try:
        parts = urlsplit(url)
        way = route(url)
    except (ValueError, ConfigError):
        return _refusal("Could not parse URL as a URI.")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return _refusal("Could not parse URL as a URI.")
    try:
        async with asyncio.timeout(seconds):
            return await _read(url, most, way)
    except aiohttp.TooManyRedirects:
        return _refusal(f"{_MEDIA} returned too many redirects.")
    except aiohttp.InvalidURL:
        return _refusal("Could not parse URL as a URI.")
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return _refusal(f"{_MEDIA} failed to return valid data.")


async def _read(url: str, most: int, way: Route) -> bytes | Refusal:
    connector = aiohttp.TCPConnector(ssl=way.tls or True)
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
