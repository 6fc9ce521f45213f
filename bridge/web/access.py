"""Who may read the record: a reader with a token, or with a session or link that a token was exchanged for.

    Authorization: Bearer <token>      servers and commands
    the session cookie                 the page, after POST /login {"token": …}
    ?access=<link token>               one call, for reading, until it expires: POST /calls/{id}/links

An address alone never gives access, be it loopback or a proxy's. Sessions and links are signed and not stored, each
with the key of its token: they survive a restart, and end when the token is removed from the settings. What is stored
is which sessions were logged out.

What a reader may do, and with the calls of which numbers, is `bridge.rights`'. A call that is not the reader's is not
there for them; what concerns all calls needs a token without numbers.
"""

import asyncio
import base64
import functools
import hashlib
import hmac
import json
import logging
import secrets
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from aiohttp import web
from typing_extensions import TypedDict

from bridge.contract.operation import JSON, Answer, documented
from bridge.errors import StoreError
from bridge.rights import RIGHTS, Reader, Right
from bridge.store import CallIndex
from bridge.store.sessions import EndedSessions
from bridge.web.attempts import Attempts
from bridge.web.http import HEADERS, Handler, digits, json_field, no_such_call, refusal
from bridge.web.idle import network
from bridge.web.server import BODY, wait_for

log = logging.getLogger("bridge.readers")

COOKIE = "bridge_session"

SESSION = 7 * 86400.0
"""Seconds for which a login lasts."""

LONGEST_LINK = 90 * 86400.0
"""Seconds."""

_SAFE = frozenset(("GET", "HEAD"))


class Login(TypedDict):
    """A token, for a session."""

    token: str


class Session(TypedDict):
    """A session that has begun; its cookie cannot be read by scripts."""

    expires_in: int
    """Seconds."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who sends a request."""

    reader: Reader
    via: Literal["token", "session", "link"]


VISITOR = web.RequestKey("visitor", Visitor)
"""Who was let in."""

Refused = Callable[[Visitor, web.Request], Awaitable[web.Response | None]]
"""Why a visitor does not get what they ask for; None: they get it. Raises StoreError."""


class Access:
    """Checks requests for the record, and issues sessions and links."""

    def __init__(
        self,
        readers: Sequence[Reader],
        public_url: str | None,
        wall: Callable[[], float],
        ended: EndedSessions | None = None,
        *,
        index: CallIndex | None = None,
    ) -> None:
        """`readers`: at least one. `public_url`: where https ends. `wall` returns seconds since 1970. `ended`: the
        sessions that were logged out. `index`: tells whose a call is, where a reader has numbers.
        """
        self.counters: Counter[str] = Counter()
        self._ended = ended or EndedSessions(None, 0.0)
        self._attempts = Attempts()
        self._open: defaultdict[str, set[asyncio.Transport]] = defaultdict(set)
        """The connections on which each session is being answered; a feed's is for as long as it is read."""
        self._readers = {hashlib.sha256(reader.token.encode()).digest(): reader for reader in readers}
        self._keys = {reader.name: _key(reader.token) for reader in readers}
        self._index = index
        self._public = urlsplit(public_url) if public_url else None
        self._wall = wall

    def __repr__(self) -> str:
        return f"<Access for {len(self._readers)} readers>"

    def routes(self) -> list[web.RouteDef]:
        """Login and logout; without authentication."""
        return [web.post("/login", self.login), web.post("/logout", self.logout)]

    def only(self, handler: Handler, right: Right = "read") -> Handler:
        """The handler, for readers with a token or a session, of the calls of every number, who have the right."""

        async def refused(visitor: Visitor, request: web.Request) -> web.Response | None:
            if visitor.reader.numbers:
                return refusal(403, "This token is for the calls of some numbers only.")
            return _without(right, visitor)

        return self._guarded(handler, refused)

    def listed(self, handler: Handler) -> Handler:
        """The handler, for all who may read; it shows each the calls that are theirs, as `numbers` or `shows` say."""

        async def refused(visitor: Visitor, request: web.Request) -> web.Response | None:
            return _without("read", visitor)

        return self._guarded(handler, refused)

    def of_call(self, handler: Handler, right: Right = "read") -> Handler:
        """The handler, for readers of the call `{id}` who have the right; a link to it gives that of reading."""

        async def refused(visitor: Visitor, request: web.Request) -> web.Response | None:
            if not await self.shows(request, request.match_info["id"]):
                return no_such_call()
            return _without(right, visitor)

        return self._guarded(handler, refused, links=right == "read")

    def numbers(self, request: web.Request) -> tuple[str, ...]:
        """Those whose calls the sender of a request that was let in may see; empty: all."""
        return request[VISITOR].reader.numbers

    def rights(self, request: web.Request) -> list[Right]:
        """What the sender of a request that was let in may do with a call; a link gives the right to read."""
        visitor = request[VISITOR]
        return ["read"] if visitor.via == "link" else [right for right in RIGHTS if right in visitor.reader.rights]

    async def shows(self, request: web.Request, call_id: str) -> bool:
        """Whether the sender of a request that was let in may see the call. Raises StoreError."""
        reader = request[VISITOR].reader
        if not reader.numbers or self._index is None:
            return not reader.numbers
        rows = await self._index.calls(call_id=call_id)
        header = json.loads(rows[0].header) if rows else {}
        return reader.sees(header.get("from"), header.get("to"))

    @documented(
        "POST /login",
        "login",
        tag="access",
        guard="open",
        body=Login,
        body_required=True,
        answers={200: Answer("The session has begun.", {JSON: Session}, {"Set-Cookie": "The session's."})},
        refuses={401: "The token is not valid."},
    )
    async def login(self, request: web.Request) -> web.Response:
        """Exchange a token for a cookie that scripts cannot read and other sites cannot send."""
        token = await json_field(request, "token")
        reader = self._reader_of(token) if isinstance(token, str) else None
        if reader is None:
            await self._fail(request)
            return refusal(401, "This token is not valid.", {"WWW-Authenticate": "Bearer"})
        request[VISITOR] = Visitor(reader, "session")
        begun: Session = {"expires_in": round(SESSION)}
        response = web.json_response(begun, headers=HEADERS)
        session = secrets.token_urlsafe(12)
        response.set_cookie(
            COOKIE,
            f"{session}.{_signed(self._keys[reader.name], f'session {session}', self._wall() + SESSION)}",
            max_age=round(SESSION),
            httponly=True,
            samesite="Strict",
            secure=self.origin(request).startswith("https:"),
        )
        return response

    @documented(
        "POST /logout",
        "logout",
        tag="access",
        guard="open",
        answers={204: Answer("The session is over.")},
        refuses={503: "The session is over until the bridge is restarted."},
    )
    async def logout(self, request: web.Request) -> web.Response:
        """End the session, wherever its cookie is, with all feeds that were opened with it."""
        response = web.Response(status=204, headers=HEADERS)
        session, reader = self._session(request)
        if session and reader:
            request[VISITOR] = Visitor(reader, "session")
            expires = digits(request.cookies[COOKIE].split(".")[1]) or 0
            try:
                await self._ended.add(session, expires, self._wall())
            except StoreError as error:
                log.error("a session may come back after a restart", extra={"reason": str(error)})
                response = refusal(503, "You are logged out until the bridge is restarted; its log says why.")
            for connection in self._open.get(session, ()):
                connection.abort()
        response.del_cookie(COOKIE, httponly=True, samesite="Strict")
        return response

    def link(self, request: web.Request, call_id: str, seconds: float) -> tuple[str, float]:
        """A token for one call, and when it expires in seconds since 1970; it ends with the token of the reader who
        asks for it. `seconds`: its lifetime.
        """
        expires = self._wall() + seconds
        return _signed(self._keys[request[VISITOR].reader.name], f"link {call_id}", expires), expires

    def origin(self, request: web.Request) -> str:
        """The origin that the reader used: the public one if `Host` names it, else the request's own."""
        if self._public and request.host == self._public.netloc:
            return f"{self._public.scheme}://{self._public.netloc}"
        return f"{request.scheme}://{request.host}"

    def _guarded(self, handler: Handler, refused: Refused, links: bool = False) -> Handler:
        @functools.wraps(handler)
        async def guarded(request: web.Request) -> web.StreamResponse:
            visitor = self._visitor(request, links)
            if isinstance(visitor, web.Response):
                if _bearer(request):
                    await self._fail(request)
                return visitor
            request[VISITOR] = visitor

            async def answered() -> web.StreamResponse:
                return await refused(visitor, request) or await handler(request)

            session, connection = self._session(request)[0], request.transport
            if session is None or connection is None:
                return await _answered(answered, request)
            self._open[session].add(connection)
            try:
                return await _answered(answered, request)
            finally:
                self._open[session].discard(connection)
                if not self._open[session]:
                    del self._open[session]

        return guarded

    async def _fail(self, request: web.Request) -> None:
        """Hold up the answer to a token that is not valid."""
        self.counters["failed_logins"] += 1
        address = network(request.remote or "")
        failures, seconds = self._attempts.fail(address, asyncio.get_running_loop().time())
        reason = "the token is not one of BRIDGE_READ_TOKENS, or of BRIDGE_TOKENS_FILE"
        log.warning("login failed", extra={"address": address, "failures": failures, "reason": reason})
        wait_for(request, seconds + BODY)
        await asyncio.sleep(seconds)

    def _visitor(self, request: web.Request, links: bool) -> Visitor | web.Response:
        """Who sends the request; a refusal for a stranger."""
        if reader := self._reader_of(_bearer(request)):
            return Visitor(reader, "token")
        if links and (reader := self._link(request)):
            return Visitor(reader, "link")
        reader = self._session(request)[1]
        if reader is None:
            return refusal(401, "This needs a token: see BRIDGE_READ_TOKENS.", {"WWW-Authenticate": "Bearer"})
        if not self._is_from_our_page(request):
            return refusal(403, "A session is for the bridge's own page; others send a token.")
        return Visitor(reader, "session")

    def _session(self, request: web.Request) -> tuple[str | None, Reader | None]:
        """The id of the session whose cookie the request has, if it goes on, and whose it is."""
        session, _, signed = request.cookies.get(COOKIE, "").partition(".")
        reader = self._signer(signed, f"session {session}") if session not in self._ended else None
        return (session, reader) if reader else (None, None)

    def _link(self, request: web.Request) -> Reader | None:
        """Who has made the link that the request has."""
        if request.method not in _SAFE:
            return None
        return self._signer(request.query.get("access", ""), f"link {request.match_info['id']}")

    def _is_from_our_page(self, request: web.Request) -> bool:
        """Browsers attach the cookie to other sites' requests too: to write, or open a socket, it must be our page."""
        origin = request.headers.get("Origin")
        if origin is not None:
            host = origin.partition("://")[2]  # an origin ends with its host; a longer one matches no host
            return host != "" and host in (request.host, self._public.netloc if self._public else None)
        return request.method in _SAFE and request.headers.get("Sec-Fetch-Site", "none") in ("same-origin", "none")

    def _reader_of(self, token: str) -> Reader | None:
        hashed = hashlib.sha256(token.encode(errors="replace")).digest()
        return next((one for known, one in self._readers.items() if hmac.compare_digest(known, hashed)), None)

    def _signer(self, given: str, what: str) -> Reader | None:
        """The reader with whose key `what` was signed, until it expires."""
        expires = digits(given.partition(".")[0])
        if expires is None or expires <= self._wall():
            return None
        for reader in self._readers.values():
            signed = _signed(self._keys[reader.name], what, expires)
            if hmac.compare_digest(signed.encode(), given.encode(errors="replace")):
                return reader
        return None


def _without(right: Right, visitor: Visitor) -> web.Response | None:
    """The refusal for a reader who lacks the right."""
    if right in visitor.reader.rights:
        return None
    return refusal(403, f"This token has not the right to {right}.")


async def _answered(handler: Callable[[], Awaitable[web.StreamResponse]], request: web.Request) -> web.StreamResponse:
    try:
        return await handler()
    except StoreError as error:
        about = {"call_id": request.match_info.get("id"), "path": request.path, "reason": str(error)}
        log.error("the record cannot be read", extra=about)
        return refusal(503, "The record cannot be read now; the bridge's log says why.")


def _bearer(request: web.Request) -> str:
    """The token that the request has in its head; empty: none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _key(token: str) -> bytes:
    return hashlib.sha256(b"readers\n" + token.encode()).digest()


def _signed(key: bytes, what: str, expires: float) -> str:
    mac = hmac.digest(key, f"{what}\n{int(expires)}".encode(), "sha256")
    return f"{int(expires)}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
