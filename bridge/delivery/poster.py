"""One POST at a time to one URL: aiohttp, its limits, and what became of it as an `Outcome`.

Nothing here decides what an outcome means. Redirects are not followed, proxies and credentials of the environment not
used, cookies not kept; of an answer's body at most 64 KB are read, only to keep the connection. Neither bodies nor
URLs go to a log: they carry transcripts and sometimes secrets.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from yarl import URL

from bridge import __version__
from bridge.delivery.lane import Answered, Outcome, Unanswered, parse_retry_after
from bridge.errors import ConfigError

MAX_READ = 65_536
"""Octets of an answer's body."""


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
    """`async with Poster(url) as poster:`. Raises `ConfigError` if nothing can be posted to this URL."""

    def __init__(self, url: str, timeouts: Timeouts | None = None) -> None:
        self._url = _checked(url)
        self._timeouts = timeouts or Timeouts()

    async def __aenter__(self) -> "Poster":
        self._session = aiohttp.ClientSession(
            # How many go out at a time is the breaker's decision, not the pool's.
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30, ttl_dns_cache=30),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._timeouts.connect),
            headers={
                "Content-Type": "application/json",
                "User-Agent": f"media-stream-bridge/{__version__}",
                "Accept-Encoding": "identity",
            },
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def post(self, body: bytes, headers: Mapping[str, str], now: float) -> Outcome:
        """Post once; `now`, in seconds since 1970, is what a date in a Retry-After is compared with."""
        outcome = await self._post(body, headers, now)
        if outcome == Unanswered("reset"):
            # Mostly the other side closed an idle connection just as this POST went out; that says nothing about it.
            # The webhook-id makes it safe to say it again at once, on a new connection.
            outcome = await self._post(body, headers, now)
        return outcome

    async def _post(self, body: bytes, headers: Mapping[str, str], now: float) -> Outcome:
        try:
            async with asyncio.timeout(self._timeouts.total):
                response = await self._session.post(self._url, data=body, headers=headers, allow_redirects=False)
        except TimeoutError:
            return Unanswered("timeout")
        except aiohttp.ClientConnectorDNSError:
            return Unanswered("dns")
        except (aiohttp.ClientSSLError, ssl.SSLError):
            return Unanswered("tls")
        except aiohttp.ClientConnectorError:
            return Unanswered("connect")
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, OSError):
            return Unanswered("reset")
        except aiohttp.ClientError:
            return Unanswered("protocol")
        await self._drain(response)
        return Answered(
            response.status,
            parse_retry_after(response.headers.get("Retry-After"), now),
            _host(response.headers.get("Location")) if 300 <= response.status < 400 else None,
        )

    async def _drain(self, response: aiohttp.ClientResponse) -> None:
        """A body that is read to its end leaves the connection for the next POST; one without end is not worth it."""
        octets = 0
        try:
            async with asyncio.timeout(self._timeouts.body):
                async for chunk in response.content.iter_any():
                    octets += len(chunk)
                    if octets > MAX_READ:
                        break
        except (TimeoutError, aiohttp.ClientError, OSError):
            pass  # its status has said everything; only the connection is lost
        finally:
            # At its end the connection is back in the pool already, and this does nothing.
            response.close()


def _checked(text: str) -> URL:
    try:
        url = URL(text)
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigError("the webhook's URL must be http:// or https:// with a host")
    return url


def _host(location: str | None) -> str | None:
    """Whom a redirect names, without the path, which may carry a token."""
    if location is None:
        return None
    try:
        return URL(location).host
    except ValueError:
        return None
