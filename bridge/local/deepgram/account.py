"""The account behind the key: who may come in, tokens that let others in for a while, and the project.

Four of Deepgram's requests that programs make before they stream: `GET /v1/auth/token`, which says whether a key is
any good, `POST /v1/auth/grant`, which makes a token for a browser, `GET /v1/projects`, and a project's balances; each
in its least shape.
Source: https://developers.deepgram.com/reference/auth/tokens/grant, docs/authenticating, reference/manage/projects,
reference/manage/billing/list
"""

import json
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import jwt
from aiohttp import web

from bridge.events import timestamp
from bridge.local.deepgram.answers import Answers
from bridge.local.deepgram.auth import Credentials, is_accepted, read_credentials
from bridge.local.deepgram.request import REFUSALS, Refusal

TTL = 30.0
"""Seconds that a token is good for, unless the request says otherwise."""
TTLS = (1, 3600)
SCOPES = ["usage:write"]
FORBIDDEN = Refusal(403, "INSUFFICIENT_PERMISSIONS", "User does not have sufficient permissions.")
NO_PROJECT = Refusal(404, "PROJECT_NOT_FOUND", "Project not found.")
_ALGORITHM = "HS256"


class Keys:
    """Who is let in: with the key, or with any if there is none, and with a token that was made here."""

    def __init__(self, key: str | None, now: Callable[[], float] = time.time) -> None:
        self._key, self._now = key, now
        self._secret = secrets.token_bytes(32)

    def is_let_in(self, credentials: Credentials | None) -> bool:
        """Whether these credentials are good for transcription."""
        if credentials and (expires := self._expires(credentials)) is not None:
            return self._now() < expires
        return is_accepted(credentials, self._key)

    def is_token(self, credentials: Credentials) -> bool:
        """Whether it is a token that was made here: good for transcription, and for nothing else."""
        return self._expires(credentials) is not None

    def grant(self, ttl: float) -> str:
        """A token that is good for so many seconds."""
        return jwt.encode({"exp": self._now() + ttl, "scp": SCOPES}, self._secret, algorithm=_ALGORITHM)

    def _expires(self, credentials: Credentials) -> float | None:
        """When a token ends that was made here; None: it is none."""
        if credentials.scheme != "bearer":
            return None
        try:
            # By the clock that made it, not by the library's.
            claims = jwt.decode(
                credentials.key,
                self._secret,
                algorithms=[_ALGORITHM],
                options={"verify_exp": False, "verify_iat": False},
            )
        except (jwt.InvalidTokenError, UnicodeError):
            return None
        return float(claims["exp"])


def read_ttl(body: bytes) -> float | Refusal:
    """The seconds that a token is asked for."""
    try:
        message = json.loads(body) if body else {}
    except (ValueError, RecursionError):
        return Refusal(400, "Bad Request", "The body is no JSON.")
    ttl = message.get("ttl_seconds") if isinstance(message, dict) else message
    if ttl is None:
        return TTL
    if type(ttl) not in (int, float) or not TTLS[0] <= ttl <= TTLS[1]:
        return Refusal(400, "Bad Request", f"ttl_seconds must be a number between {TTLS[0]} and {TTLS[1]}.")
    return float(ttl)


class Account:
    """The four requests."""

    def __init__(self, keys: Keys, answers: Answers, balance: Callable[[], float | None]) -> None:
        """`balance`: US dollars; None: the key may not read it."""
        self._keys, self._answers, self._balance = keys, answers, balance
        self._balance_id = str(uuid.uuid4())
        self._created = timestamp(time.time())
        self._key_id = str(uuid.uuid4())

    def routes(self) -> list[web.RouteDef]:
        """What to serve."""
        return [
            web.get("/v1/auth/token", self._token),
            web.post("/v1/auth/grant", self._grant),
            web.get("/v1/projects", self._projects),
            web.get("/v1/projects/{id}/balances", self._balances),
        ]

    async def _token(self, request: web.Request) -> web.Response:
        about = {"api_key_id": self._key_id, "comment": "local", "scopes": ["member"], "created": self._created}
        return self._answer(request, about)

    async def _grant(self, request: web.Request) -> web.Response:
        ttl = read_ttl(await request.read())
        if isinstance(ttl, Refusal):
            return self._answer(request, ttl)
        return self._answer(request, {"access_token": self._keys.grant(ttl), "expires_in": ttl})

    async def _projects(self, request: web.Request) -> web.Response:
        return self._answer(request, {"projects": [{"project_id": self._answers.project_id, "name": "local"}]})

    async def _balances(self, request: web.Request) -> web.Response:
        amount = self._balance()
        if amount is None:
            return self._answer(request, FORBIDDEN)
        if request.match_info["id"] != self._answers.project_id:
            return self._answer(request, NO_PROJECT)
        entry = {"balance_id": self._balance_id, "amount": amount, "units": "usd", "purchase_order_id": "local"}
        return self._answer(request, {"balances": [entry]})

    def _answer(self, request: web.Request, outcome: Mapping[str, Any] | Refusal) -> web.Response:
        request_id = str(uuid.uuid4())
        outcome = self._turn_away(request.headers) or outcome
        if isinstance(outcome, Refusal):
            return self._answers.refusal(request_id, outcome)
        return web.json_response(outcome, headers=self._answers.headers(request_id))

    def _turn_away(self, headers: Mapping[str, str]) -> Refusal | None:
        credentials = read_credentials(headers)
        if credentials is None or not self._keys.is_let_in(credentials):
            return REFUSALS[401]
        return FORBIDDEN if self._keys.is_token(credentials) else None
