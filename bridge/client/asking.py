"""A running bridge's HTTP API, as JSON: requests, and a feed that reconnects.

It returns what the bridge answers; every failure is an error of one sentence. `reading` makes objects of it for
consumers, the commands print it.
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

import aiohttp

from bridge.errors import ConfigError, ReadingError, RemoteProtocolError, Unreachable
from bridge.event_stream import LARGEST, Parser, ServerSentEvent
from bridge.failure import advised, failure
from bridge.text import plain

Json = dict[str, Any]

_END = ServerSentEvent("end", "{}")
_CALL_ID = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class ClientPolicy:
    """How patient a client is, and how much it takes at a time."""

    silence: float = 40.0
    """Seconds without an octet after which a connection is dead: the bridge sends a comment every 15."""
    pauses: tuple[float, ...] = (0.1, 0.5, 1.0, 2.0, 4.0, 8.0)
    """Seconds before each attempt to reconnect; the last one repeats."""
    page: int = 200
    """Calls, or entries of the audit log, in one answer."""
    message: int = LARGEST
    """Octets of the largest event of a feed."""


@dataclass(frozen=True, slots=True)
class BridgeAddress:
    """A bridge's address, and a token for its record."""

    url: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection of a feed is lost, or there is none yet; it is tried again and again."""


@dataclass(frozen=True, slots=True)
class Connected:
    """The feed is connected."""

    after: float | None
    """Seconds without a connection; None: it is the first."""
    complete: bool
    """Whether nothing was missed meanwhile."""


Told = Callable[[Lost | Connected], None]


class Asking:
    """`async with Asking(address) as asking`; every method raises ReadingError."""

    named: ClassVar[str] = "that"
    """What the address is called where it may be wrong."""

    def __init__(self, address: BridgeAddress, policy: ClientPolicy | None = None) -> None:
        self._policy = policy or ClientPolicy()
        self._url = address.url
        self._token = address.token
        self._opened: aiohttp.ClientSession | None = None
        self._random = Random()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close its connections."""
        if self._opened is not None:
            await self._opened.close()

    @property
    def _session(self) -> aiohttp.ClientSession:
        """Made with the first request: there is a loop by then, which there need not be before."""
        if self._opened is None:
            self._opened = aiohttp.ClientSession(
                headers={"Authorization": f"Bearer {self._token}"},
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=10.0, sock_read=self._policy.silence),
            )
        return self._opened

    def calls(self, wanted: Mapping[str, str], limit: int) -> AsyncIterator[Json]:
        """The newest calls, at most `limit`; `wanted` as in the query of `GET /calls`."""
        return self._newest("/calls", "calls", wanted, limit)

    def audit(self, wanted: Mapping[str, str], limit: int) -> AsyncIterator[Json]:
        """The newest entries of the audit log, at most `limit`; `wanted` as in the query of `GET /audit`."""
        return self._newest("/audit", "entries", wanted, limit)

    async def call(self, call_id: str) -> Json:
        """Everything about one call except its events."""
        return await self._json(path_of(call_id))

    async def events(self, call_id: str, wanted: Mapping[str, str]) -> tuple[list[Json], int, bool]:
        """Some events, the `seq` to go on after, and whether that was all of a call that has ended; `wanted` as in the
        query of `GET /calls/{id}/events`.
        """
        page = await self._json(path_of(call_id, "/events"), wanted)
        events, following, ended = page.get("events"), page.get("next_after"), page.get("ended")
        if not isinstance(events, list) or not isinstance(following, int) or not isinstance(ended, bool):
            raise self._no_bridge()
        return events, following, ended

    async def link(self, call_id: str, expires_in: float) -> Json:
        """A link to a call for a reader without a token, for so many seconds."""
        async with self._ask("POST", path_of(call_id, "/links"), body={"expires_in": expires_in}) as response:
            link = json_object(await response.read())
        if link is None or not all(isinstance(link.get(name), str) for name in ("url", "token", "expires_at")):
            raise self._no_bridge()
        return link

    async def transcript(self, call_id: str, form: str) -> bytes:
        """What was said, as the bridge renders it."""
        async with self._ask("GET", path_of(call_id, f"/transcript.{form}")) as response:
            return await response.read()

    async def delete(self, call_id: str) -> None:
        """Delete a call that has ended."""
        async with self._ask("DELETE", path_of(call_id)):
            pass

    async def control(self, call_id: str, body: Json) -> Json:
        """Ask something of a call that goes on; `body`: as `POST /calls/{id}/control` takes it. How the call stands."""
        async with self._ask("POST", path_of(call_id, "/control"), body=body) as response:
            stands = json_object(await response.read())
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

    async def deliver(
        self, call_id: str | None, after: int | None, endpoint: str | None = None, *, since: str | None = None
    ) -> tuple[int, dict[str, int]]:
        """Have an endpoint get what it lacks, or all events after `after`, or `since` a time. Returns the number of
        calls, and that of each endpoint. `call_id`: None for every call; `endpoint`: None for each.
        """
        asked = (("after", after), ("endpoint", endpoint), ("since", since))
        said = {name: value for name, value in asked if value is not None}
        path = "/deliveries" if call_id is None else path_of(call_id, "/deliveries")
        async with self._ask("POST", path, body=said or None) as response:
            answer = json_object(await response.read()) or {}
        calls, endpoints = answer.get("calls"), answer.get("endpoints") or {}
        if not isinstance(calls, int) or not isinstance(endpoints, dict):
            raise self._no_bridge()
        return calls, endpoints

    async def follow(
        self, path: str, told: Told, *, whole: bool = True, last_id: str = "", patient: bool = False
    ) -> AsyncGenerator[ServerSentEvent, None]:
        """The messages of a feed, each once, up to its end; a connection that is lost is made again.

        `whole`: the feed begins with the first event, so that nothing is missed even if none had come yet. `last_id`:
        what to go on after. `patient`: a bridge that is not there yet is waited for. Raises ReadingError whenever the
        bridge refuses, and, unless `patient`, if the first connection fails.
        """
        resumed, begun, failures = bool(last_id), False, 0
        lost: float | None = None
        while True:
            try:
                async with aclosing(self._connect(path, last_id)) as pieces:
                    async for position, messages in pieces:
                        last_id = position
                        if lost is not None or not begun:
                            reset = any(message.event == "reset" for message in messages)
                            after = time.monotonic() - lost if lost is not None and begun else None
                            told(Connected(after, not reset and (whole or resumed)))
                        begun, lost = True, None
                        for message in messages:
                            if message.event == "end":
                                return
                            yield message
                            failures = 0
            except Unreachable:
                if not begun and not patient:
                    raise
            resumed = bool(last_id)
            if lost is None:
                lost = time.monotonic()
                told(Lost())
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

    async def _newest(self, path: str, what: str, wanted: Mapping[str, str], limit: int) -> AsyncIterator[Json]:
        """Up to `limit` of what is told in pages, the newest first, under the name `what`."""
        query = dict(wanted)
        while limit > 0:
            page = await self._json(path, {**query, "limit": str(min(limit, self._policy.page))})
            found, following = page.get(what), page.get("next")
            if not isinstance(found, list):
                raise self._no_bridge()
            for each in found[:limit]:
                yield each
            limit -= len(found)
            if not (found and following):
                return
            query["before"] = following

    async def _json(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        async with self._ask("GET", path, query) as response:
            body = json_object(await response.read())
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
            why = advised(failure(error.certificate_error, "tls"))
            raise ReadingError(f"the certificate of {self._url} is not trusted here: {why}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(
                f"no bridge answers at {self._url}: start one with `bridge serve`, or say with {self.named} where it is"
            ) from error
        except RemoteProtocolError as error:
            raise ReadingError(f"the bridge at {self._url} sent {error}") from error

    async def _refusal(self, response: aiohttp.ClientResponse) -> ReadingError:
        if response.status == 401:
            return ReadingError(
                f"the bridge at {self._url} does not take this token: BRIDGE_READ_TOKENS, "
                "or read-token in DATA_DIR, must be as it has them"
            )
        sentence = (json_object(await response.content.read(10_000)) or {}).get("error")
        # What answers there may be no bridge, and quote what it was sent.
        said = plain(sentence.replace(self._token, "…").rstrip(".")) if isinstance(sentence, str) else ""
        if response.status == 429 or response.status >= 500:
            why = f": {said}" if said else ""
            return Unreachable(f"the bridge at {self._url} cannot answer now ({response.status}){why}")
        begins = said[:2] if said[:2].isupper() else said[:2].lower()  # a setting's name stays as it is
        return ReadingError(begins + said[2:] if said else str(self._no_bridge()))

    def _no_bridge(self) -> ReadingError:
        return ReadingError(f"what answers at {self._url} is no bridge")


def checked(url: str, name: str) -> str:
    """The URL of a bridge without a trailing slash. Raises ConfigError, with what the argument is called and without
    the URL, since it may hold a password.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.username or parts.password or parts.query or parts.fragment or not url.isprintable():
        raise ConfigError(f"{name} must be the bridge's address, such as https://calls.example.com")
    return url.rstrip("/")


def path_of(call_id: str, below: str = "") -> str:
    """A call's path, or one below it. Raises ReadingError for an id that would lead elsewhere."""
    if not _CALL_ID.fullmatch(call_id):
        raise ReadingError("a call's id is letters, digits, - and _")
    return f"/calls/{call_id}{below}"


def json_object(octets: bytes | str) -> Json | None:
    """The JSON object in `octets`; None if there is none."""
    try:
        body = json.loads(octets)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
