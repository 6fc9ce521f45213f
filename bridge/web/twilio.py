"""Authenticates Twilio's streams: by its signature on the upgrade, and by the call's token in `start`."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from aiohttp import web

from bridge.carriers.messages import Started
from bridge.web.arriving import StreamRefused
from twiml import signature, token

log = logging.getLogger("bridge.media")

_FORMER_TOKEN = "token"
"""What the parameter with the call's token was called before; a developer may have one of this name."""


@dataclass(frozen=True, slots=True)
class TwilioAccess:
    """The checks of `/media/twilio`."""

    public_url: str | None
    """https origin that Twilio reaches us at."""
    clock: Callable[[], float]
    """Seconds since 1970."""
    auth_tokens: tuple[str, ...] = field(default=(), repr=False)
    signature_mode: Literal["strict", "warn", "off"] = "strict"
    token_secret: bytes = field(default=b"", repr=False)
    require_token: bool = False

    def authenticate(self, request: web.Request) -> None:
        """Check the signature, over the URL in the TwiML, not `Host` or forwarded headers. Raises HTTPForbidden."""
        if self.signature_mode == "off":
            return
        url = f"{(self.public_url or '').replace('http', 'ws', 1)}{request.path}"
        signed = request.headers.get(signature.SIGNATURE_HEADER)
        if self.auth_tokens and self.public_url and signature.verify_upgrade(self.auth_tokens, url, signed):
            return
        log.warning(
            "the upgrade's signature is not valid",
            extra={
                "url": url,
                "present": signed is not None,
                "mode": self.signature_mode,
                "remedy": "PUBLIC_URL must be the address in the TwiML, and TWILIO_AUTH_TOKEN that of the account",
            },
        )
        if self.signature_mode == "strict":
            raise web.HTTPForbidden(text="X-Twilio-Signature does not match\n")

    def check_start(self, started: Started) -> Started:
        """Check the token. Returns the stream with what is its own; a missing token counts only if required.

        Raises StreamRefused.
        """
        started = self._with_former_token(started)
        if started.token is None:
            if self.require_token:
                raise StreamRefused("the stream has no token", started.call_id)
            return started
        outcome = self._verify(started.token, started.call_id)
        if outcome is not token.Outcome.VALID:
            raise StreamRefused(f"the stream's token is not valid: {outcome.value}", started.call_id)
        return started

    def _with_former_token(self, started: Started) -> Started:
        """The stream with its token, if that came under its former name: one that we have signed is no one else's."""
        given = started.parameters.get(_FORMER_TOKEN, "")
        if started.token or self._verify(given, started.call_id) in (token.Outcome.FORGED, token.Outcome.MALFORMED):
            return started
        others = {name: value for name, value in started.parameters.items() if name != _FORMER_TOKEN}
        return replace(started, token=given, parameters=others)

    def _verify(self, given: str, call_id: str) -> token.Outcome:
        return token.verify(self.token_secret, given, call_id, self.clock())
