"""Who may read the record: a reader with a token, or with a session or link that a token was exchanged for.

    Authorization: Bearer <token>      servers and commands
    the session cookie                 the page, after POST /login {"token": …}
    ?access=<link token>               one call, for reading, until it expires: POST /calls/{id}/links

An address alone never gives access, be it loopback or a proxy's. Sessions and links are signed and not stored, each
with the key of its token: they survive a restart, and end when the token is removed from the settings. What is stored
is which sessions were logged out.
"""

import asyncio
import base64
import functools
import hashlib
import hmac
import logging
import secrets
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from aiohttp import web

from bridge.errors import StoreError
from bridge.store.sessions import EndedSessions
from bridge.web.attempts import Attempts
from bridge.web.http import HEADERS, digits, json_field, refusal
from bridge.web.idle import network
from bridge.web.server import BODY, wait_for

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = logging.getLogger("bridge.readers")

COOKIE = "bridge_session"

SESSION = 7 * 86400.0
"""Seconds for which a login lasts."""

LONGEST_LINK = 90 * 86400.0
"""Seconds."""

_SAFE = frozenset(("GET", "HEAD"))


class Access:
    """Checks requests for the record, and issues sessions and links."""

    def __init__(
        self,
        tokens: Sequence[str],
        public_url: str | None,
        wall: Callable[[], float],
        ended: EndedSessions | None = None,
    ) -> None:
        """`tokens`: at least one. `public_url`: where https ends. `wall` returns seconds since 1970. `ended`: the
        sessions that were logged out.
        """
        self.counters: Counter[str] = Counter()
        self._ended = ended or EndedSessions(None, 0.0)
        self._attempts = Attempts()
        self._open: defaultdict[str, set[asyncio.Transport]] = defaultdict(set)
        """The connections on which each session is being answered; a feed's is for as long as it is read."""
        self._keys = {hashlib.sha256(token.encode()).digest(): _key(token) for token in tokens}
        self._first = _key(tokens[0])
        self._public = urlsplit(public_url) if public_url else None
        self._wall = wall

    def __repr__(self) -> str:
        return f"<Access with {len(self._keys)} tokens>"

    def routes(self) -> list[web.RouteDef]:
        """Login and logout; without authentication."""
        return [web.post("/login", self.login), web.post("/logout", self.logout)]

    def only(self, handler: Handler) -> Handler:
        """The handler, for clients with a token or a session."""
        return self._guarded(handler, links=False)

    def of_call(self, handler: Handler) -> Handler:
        """The handler, for the same clients, and for reading by those with a link to the call `{id}`."""
        return self._guarded(handler, links=True)

    async def login(self, request: web.Request) -> web.Response:
        """Exchange a token for a cookie that scripts cannot read and other sites cannot send."""
        token = await json_field(request, "token")
        key = self._key_of(token) if isinstance(token, str) else None
        if key is None:
            await self._fail(request)
            return refusal(401, "This token is not valid.")
        response = web.json_response({"expires_in": round(SESSION)}, headers=HEADERS)
        session = secrets.token_urlsafe(12)
        response.set_cookie(
            COOKIE,
            f"{session}.{_signed(key, f'session {session}', self._wall() + SESSION)}",
            max_age=round(SESSION),
            httponly=True,
            samesite="Strict",
            secure=self.origin(request).startswith("https:"),
        )
        return response

    async def logout(self, request: web.Request) -> web.Response:
        """End the session, wherever its cookie is, with all feeds that were opened with it."""
        response = web.Response(status=204, headers=HEADERS)
        if session := self._session(request):
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

    def is_page(self, request: web.Request) -> bool:
        """Whether a request that was let in has its access from a session, as the page's have."""
        return not self._has_token(request)

    def link(self, call_id: str, seconds: float) -> tuple[str, float]:
        """A token for one call, and when it expires in seconds since 1970. `seconds`: its lifetime."""
        expires = self._wall() + seconds
        return _signed(self._first, f"link {call_id}", expires), expires

    def origin(self, request: web.Request) -> str:
        """The origin that the reader used: the public one if `Host` names it, else the request's own."""
        if self._public and request.host == self._public.netloc:
            return f"{self._public.scheme}://{self._public.netloc}"
        return f"{request.scheme}://{request.host}"

    def _guarded(self, handler: Handler, links: bool) -> Handler:
        @functools.wraps(handler)
        async def guarded(request: web.Request) -> web.StreamResponse:
            if refused := self._refused(request, links):
                if _bearer(request):
                    await self._fail(request)
                return refused
            session, connection = self._session(request), request.transport
            if session is None or connection is None:
                return await _answered(handler, request)
            self._open[session].add(connection)
            try:
                return await _answered(handler, request)
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
        reason = "the token is none of BRIDGE_READ_TOKENS"
        log.warning("login failed", extra={"address": address, "failures": failures, "reason": reason})
        wait_for(request, seconds + BODY)
        await asyncio.sleep(seconds)

    def _refused(self, request: web.Request, links: bool) -> web.Response | None:
        if self._has_token(request) or (links and self._has_link(request)):
            return None
        if self._session(request) is None:
            return refusal(401, "This needs a token: see BRIDGE_READ_TOKENS.", {"WWW-Authenticate": "Bearer"})
        if not self._is_from_our_page(request):
            return refusal(403, "A session is for the bridge's own page; others send a token.")
        return None

    def _has_token(self, request: web.Request) -> bool:
        return self._key_of(_bearer(request)) is not None

    def _session(self, request: web.Request) -> str | None:
        """The id of the session whose cookie the request has, if it goes on."""
        session, _, signed = request.cookies.get(COOKIE, "").partition(".")
        return session if self._is_signed(signed, f"session {session}") and session not in self._ended else None

    def _has_link(self, request: web.Request) -> bool:
        if request.method not in _SAFE:
            return False
        return self._is_signed(request.query.get("access", ""), f"link {request.match_info['id']}")

    def _is_from_our_page(self, request: web.Request) -> bool:
        """Browsers attach the cookie to other sites' requests too: to write, or open a socket, it must be our page."""
        origin = request.headers.get("Origin")
        if origin is not None:
            host = origin.partition("://")[2]  # an origin ends with its host; a longer one matches no host
            return host != "" and host in (request.host, self._public.netloc if self._public else None)
        return request.method in _SAFE and request.headers.get("Sec-Fetch-Site", "none") in ("same-origin", "none")

    def _key_of(self, token: str) -> bytes | None:
        hashed = hashlib.sha256(token.encode(errors="replace")).digest()
        return next((key for known, key in self._keys.items() if hmac.compare_digest(known, hashed)), None)

    def _is_signed(self, given: str, what: str) -> bool:
        expires = digits(given.partition(".")[0])
        if expires is None or expires <= self._wall():
            return False
        return any(
            hmac.compare_digest(_signed(key, what, expires).encode(), given.encode(errors="replace"))
            for key in self._keys.values()
        )


async def _answered(handler: Handler, request: web.Request) -> web.StreamResponse:
    try:
        return await handler(request)
    except StoreError as error:
        log.error("the record cannot be read", extra={"path": request.path, "reason": str(error)})
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
