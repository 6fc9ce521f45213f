"""A client of a running bridge's API: its address and token, requests, and a feed that reconnects.

It returns what the bridge answers; every failure is an error of one sentence. It prints nothing: messages for the
person who follows a feed go to `tell`.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from bridge.config import Settings
from bridge.errors import BridgeError, ConfigError, RemoteProtocolError
from bridge.event_stream import LARGEST, Parser, ServerSentEvent
from bridge.store.token import kept_token
from bridge.text import plain

Json = dict[str, Any]

_END = ServerSentEvent("end", "{}")


@dataclass(frozen=True, slots=True)
class ClientPolicy:
    """How patient a client is, and how much it takes at a time."""

    silence: float = 40.0
    """Seconds without an octet after which a connection is dead: the bridge sends a comment every 15."""
    pauses: tuple[float, ...] = (0.1, 0.5, 1.0, 2.0, 4.0, 8.0)
    """Seconds before each attempt to reconnect; the last one repeats."""
    page: int = 200
    """Calls in one answer."""
    message: int = LARGEST
    """Octets of the largest event of a feed."""


class ReadingError(BridgeError):
    """The bridge's record cannot be read."""


class Unreachable(ReadingError):
    """There was no answer, or half of one: another attempt may succeed."""


@dataclass(frozen=True, slots=True)
class BridgeAddress:
    """A bridge's address, and a token for its record."""

    url: str
    token: str = field(repr=False)


def find_bridge(settings: Settings, url: str | None) -> BridgeAddress:
    """The bridge at `url`, or the one with these settings on this machine. Raises ConfigError."""
    if url is None:
        if not settings.port:
            raise ConfigError("say where the bridge is: --url, because PORT=0 lets it take any port")
        url = f"http://127.0.0.1:{settings.port}"
    token = settings.read_tokens[0] if settings.read_tokens else kept_token(settings.data_dir)
    if not token:
        raise ConfigError(
            "no token: set BRIDGE_READ_TOKENS, or run this where the bridge keeps its record "
            f"(DATA_DIR, now {settings.data_dir})"
        )
    return BridgeAddress(_checked(url), token)


class BridgeClient:
    """`async with BridgeClient(address) as client`; every method raises ReadingError."""

    def __init__(self, address: BridgeAddress, policy: ClientPolicy | None = None) -> None:
        self._policy = policy or ClientPolicy()
        self._url = address.url
        self._token = address.token
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {address.token}"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10.0, sock_read=self._policy.silence),
        )
        self._random = Random()

    async def __aenter__(self) -> "BridgeClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def calls(self, wanted: Mapping[str, str], limit: int) -> AsyncIterator[Json]:
        """The newest calls, at most `limit`; `wanted` as in the query of `GET /calls`."""
        query = dict(wanted)
        while limit > 0:
            page = await self._json("/calls", {**query, "limit": str(min(limit, self._policy.page))})
            calls, following = page.get("calls"), page.get("next")
            if not isinstance(calls, list):
                raise self._no_bridge()
            for call in calls[:limit]:
                yield call
            limit -= len(calls)
            if not (calls and following):
                return
            query["before"] = following

    async def call(self, call_id: str) -> Json:
        """Everything about one call except its events."""
        return await self._json(f"/calls/{call_id}")

    async def transcript(self, call_id: str, form: str) -> bytes:
        """What was said, as the bridge renders it."""
        async with self._ask("GET", f"/calls/{call_id}/transcript.{form}") as response:
            return await response.read()

    async def delete(self, call_id: str) -> None:
        """Delete a call that has ended."""
        async with self._ask("DELETE", f"/calls/{call_id}"):
            pass

    async def control(self, call_id: str, body: Json) -> Json:
        """Ask something of a call that goes on; `body`: as `POST /calls/{id}/control` takes it. How the call stands."""
        async with self._ask("POST", f"/calls/{call_id}/control", body=body) as response:
            stands = _object(await response.read())
        if stands is None or not isinstance(stands.get("paused"), bool):
            raise self._no_bridge()
        return stands

    async def backup(self) -> AsyncIterator[bytes]:
        """A copy of the record's database, in pieces."""
        # The first octet comes when the copy is made, whatever time that takes.
        async with self._ask("GET", "/backup", timeout=aiohttp.ClientTimeout(sock_connect=10.0)) as response:
            if response.content_type != "application/vnd.sqlite3":
                raise self._no_bridge()
            async for piece in response.content.iter_any():
                yield piece

    async def deliver(self, call_id: str | None, after: int | None, endpoint: str | None = None) -> int:
        """Have an endpoint get what it lacks, or all events after `after`. Returns the number of calls. `call_id`: None
        for every call; `endpoint`: None for each.
        """
        said = {name: value for name, value in (("after", after), ("endpoint", endpoint)) if value is not None}
        path = "/deliveries" if call_id is None else f"/calls/{call_id}/deliveries"
        async with self._ask("POST", path, body=said or None) as response:
            calls = (_object(await response.read()) or {}).get("calls")
        if not isinstance(calls, int):
            raise self._no_bridge()
        return calls

    async def follow(
        self, path: str, tell: Callable[[str], None], *, whole: bool = True
    ) -> AsyncGenerator[ServerSentEvent, None]:
        """The messages of a feed, each once, up to its end; a connection that is lost is made again.

        `whole`: the feed begins with the first event, so that nothing is missed even if none had come yet.
        Raises ReadingError if the first connection fails, or whenever the bridge refuses.
        """
        last_id, resumed, begun, failures = "", False, False, 0
        lost: float | None = None
        while True:
            try:
                async with aclosing(self._connect(path, last_id)) as pieces:
                    async for position, messages in pieces:
                        last_id = position
                        if lost is not None:
                            reset = any(message.event == "reset" for message in messages)
                            tell(_back(time.monotonic() - lost, not reset and (whole or resumed)))
                        begun, lost = True, None
                        for message in messages:
                            if message.event == "end":
                                return
                            yield message
                            failures = 0
            except Unreachable:
                if not begun:
                    raise
            resumed = bool(last_id)
            if lost is None:
                lost = time.monotonic()
                tell("the connection is lost; reconnecting …")
            # Random, because a restart cuts all readers off at once.
            pauses = self._policy.pauses
            await asyncio.sleep(pauses[min(failures, len(pauses) - 1)] * self._random.uniform(0.75, 1.25))
            failures += 1

    async def _connect(self, path: str, last_id: str) -> AsyncGenerator[tuple[str, list[ServerSentEvent]], None]:
        """One connection's messages as they come, and the id to resume after; a keep-alive yields no message."""
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last_id} if last_id else {})}
        async with self._ask("GET", path, headers=headers) as response:
            if response.status == 204:  # everything is here already
                yield last_id, [_END]
                return
            if response.content_type != "text/event-stream":
                raise self._no_bridge()
            parser = Parser(last_id, largest=self._policy.message)
            async for octets in response.content.iter_any():
                messages = parser.receive(octets)
                yield parser.last_id, messages

    async def _json(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        async with self._ask("GET", path, query) as response:
            body = _object(await response.read())
        if body is None:
            raise self._no_bridge()
        return body

    @asynccontextmanager
    async def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Json | None = None,
        timeout: aiohttp.ClientTimeout | None = None,  # noqa: ASYNC109 - of the session, or another in its place
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A successful answer. Raises ReadingError for any other, and if the connection breaks while it is read."""
        url = self._url + path
        try:
            # A redirect is not followed: the token is for this address.
            async with self._session.request(
                method,
                url,
                params=query,
                headers=headers,
                json=body,
                allow_redirects=False,
                timeout=timeout or self._session.timeout,
            ) as response:
                if response.status >= 300:
                    raise await self._refusal(response)
                yield response
        except aiohttp.ClientConnectorCertificateError as error:
            raise ReadingError(f"the certificate of {self._url} is not trusted here") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"no bridge answers at {self._url}: is it running, and is --url its address?") from error
        except RemoteProtocolError as error:
            raise ReadingError(f"the bridge at {self._url} sent {error}") from error

    async def _refusal(self, response: aiohttp.ClientResponse) -> ReadingError:
        if response.status == 401:
            return ReadingError(
                f"the bridge at {self._url} does not take this token: BRIDGE_READ_TOKENS, "
                "or read-token in DATA_DIR, must be as it has them"
            )
        sentence = (_object(await response.content.read(10_000)) or {}).get("error")
        # What answers there may be no bridge, and quote what it was sent.
        said = plain(sentence.replace(self._token, "…").rstrip(".")) if isinstance(sentence, str) else ""
        if response.status == 429 or response.status >= 500:
            why = f": {said}" if said else ""
            return Unreachable(f"the bridge at {self._url} cannot answer now ({response.status}){why}")
        return ReadingError(said[:1].lower() + said[1:]) if said else self._no_bridge()

    def _no_bridge(self) -> ReadingError:
        return ReadingError(f"what answers at {self._url} is no bridge")


def _checked(url: str) -> str:
    """The URL without a trailing slash. Raises ConfigError, without the URL, since it may hold a password."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.username or parts.password or parts.query or parts.fragment or not url.isprintable():
        raise ConfigError("--url must be the bridge's address, such as https://calls.example.com")
    return url.rstrip("/")


def _object(octets: bytes) -> Json | None:
    """The JSON object in `octets`; None if there is none."""
    try:
        body = json.loads(octets)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _back(seconds: float, complete: bool) -> str:
    told = "nothing was missed" if complete else "what happened meanwhile may be missing"
    return f"back after {seconds:.1f} s; {told}"
