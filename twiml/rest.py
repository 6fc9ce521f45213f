"""Twilio's REST API as far as this project needs it: two verbs, and every failure as one error with one sentence.

It uses aiohttp instead of `twilio.rest`, which is slow to import, blocks, and supports no address but Twilio's own. It
retries nothing: its callers are commands that a person runs again, and calls that have their own schedule.
"""

import base64
import json
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp

from twiml.errors import TwilioError, TwilioUnknown, TwilioUnreached

SID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Fit to stand in a path."""

_LONGEST_REASON = 300  # characters
_LONGEST_LINE = 2**16  # octets of a header


@dataclass(frozen=True, slots=True)
class TwilioAccount:
    """An account and how to reach it. Raises `TwilioError` without usable credentials."""

    sid: str
    auth_token: str = field(repr=False)
    base_url: str = "https://api.twilio.com"
    timeout: float = 10.0
    """Seconds for a whole request."""
    proxy: str | None = field(default=None, repr=False)
    """Its URL, with user and password; None: none, whatever the environment says."""
    tls: ssl.SSLContext | None = None
    """None: Python's own."""

    def __post_init__(self) -> None:
        if not SID.fullmatch(self.sid) or not self.auth_token:
            raise TwilioError("Set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN; the Twilio Console's first page has both.")

    async def get(self, path: str, query: Mapping[str, str], about: str) -> dict[str, Any]:
        """GET `path` below the account. `about` is what a 404 is about, for its sentence."""
        return await self._request("GET", path, about, query=query)

    async def post(self, path: str, form: Mapping[str, str], about: str) -> dict[str, Any]:
        """POST a form to `path` below the account; as `get` otherwise."""
        return await self._request("POST", path, about, form=form)

    async def _request(
        self,
        method: str,
        path: str,
        about: str,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        async with self._asked(method, path, aiohttp.ClientTimeout(self.timeout), query, form) as response:
            status, body = response.status, await response.read()
        return self._understand(status, body, about)

    async def download(self, path: str, query: Mapping[str, str], about: str, to: Path) -> None:
        """GET what is no JSON, as long as it comes, into a file; as `get` otherwise. Raises OSError if that fails."""
        patience = aiohttp.ClientTimeout(total=None, sock_connect=self.timeout, sock_read=6 * self.timeout)
        async with self._asked("GET", path, patience, query) as response:
            if response.status != 200:
                self._understand(response.status or 500, await response.read(), about)
                raise TwilioError(f"{self._host} answered with {response.status}, and no {about}.")
            with to.open("wb") as file:
                async for piece in response.content.iter_any():
                    file.write(piece)

    @asynccontextmanager
    async def _asked(
        self,
        method: str,
        path: str,
        patience: aiohttp.ClientTimeout,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        url = f"{self.base_url.rstrip('/')}/2010-04-01/Accounts/{self.sid}/{quote(path)}"
        # By hand: aiohttp's own way to say this changes with 3.14.
        headers = {"Authorization": f"Basic {self._credentials}"}
        try:
            async with (
                self._session(headers, patience) as session,
                # A redirect would carry the credentials to another host.
                session.request(method, url, params=query, data=form, allow_redirects=False) as response,
            ):
                yield response
        except TimeoutError:
            raise TwilioUnreached(f"{self._host} did not answer within {self.timeout:g} seconds; try again.") from None
        except aiohttp.ClientError as error:
            raise TwilioUnreached(f"{self._host} cannot be reached ({_why(error)}); check the network.") from None
        except ValueError:
            raise TwilioUnreached(f"{self._host} cannot be asked: the API's address must be an origin.") from None

    def _session(self, headers: Mapping[str, str], patience: aiohttp.ClientTimeout) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self.tls or True),
            headers=headers,
            timeout=patience,
            proxy=self.proxy,
            trust_env=False,
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
        )

    @property
    def _credentials(self) -> str:
        return base64.b64encode(f"{self.sid}:{self.auth_token}".encode()).decode()

    @property
    def _host(self) -> str:
        return self.base_url.partition("://")[2].split("/")[0].rpartition("@")[2]

    def _understand(self, status: int, body: bytes, about: str) -> dict[str, Any]:
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        if not 200 <= status < 300:
            said = _refusal(status, answer if isinstance(answer, dict) else {}, about)
            for secret in (self.auth_token, self._credentials):  # of a peer that quotes what it was sent
                said = said.replace(secret, "…")
            raise (TwilioUnknown if status == 404 else TwilioError)(said[:_LONGEST_REASON])
        if not isinstance(answer, dict):
            raise TwilioUnreached(f"{self._host} answered with something that is not JSON; is this Twilio's API?")
        return answer


def _why(error: aiohttp.ClientError) -> str:
    """A failure in words of ours: those of the library may repeat the URL, or a proxy's password."""
    match error:
        case aiohttp.InvalidURL():
            return "no such address"
        case aiohttp.ClientHttpProxyError():
            return f"the proxy refuses with {error.status}"
        case aiohttp.ClientProxyConnectionError():
            return "the proxy does not answer"
        case aiohttp.ClientConnectorDNSError():
            return "no such name"
        case aiohttp.ClientSSLError():
            return "its certificate is not trusted, or it speaks no TLS"
        case aiohttp.ClientConnectorError():
            return "no connection"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | aiohttp.ClientPayloadError():
            return "the connection broke"
        case _:
            return "no sensible answer"


def _refusal(status: int, answer: dict[str, Any], about: str) -> str:
    """A refusal in one sentence. Twilio's own comes as `code`, `message`, `more_info`, `status`."""
    if status == 401:
        return (
            "Twilio refused the account SID and the auth token (401); correct TWILIO_ACCOUNT_SID and "
            "TWILIO_AUTH_TOKEN: the Console's first page has both, and a subaccount has its own pair."
        )
    if status == 407:
        return "The proxy wants to know who we are (407); check the user and the password in its URL."
    if status == 404:
        return f"Twilio knows no {about} on this account (404)."
    if status == 429 or status >= 500:
        return f"Twilio is busy or failing ({status}); try again in a minute."
    code = answer.get("code")
    said = answer.get("message") or "without a reason"
    return f"Twilio refused ({status}{f', error {code}' if code else ''}): {said}"
