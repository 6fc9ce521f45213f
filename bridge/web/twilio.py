"""Authenticates Twilio's streams: by its signature on the upgrade, and by the call's token in `start`."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from aiohttp import web

from bridge.carriers.messages import Started
from twiml import signature, token

log = logging.getLogger("bridge.media")


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
            extra={"url": url, "present": signed is not None, "mode": self.signature_mode},
        )
        if self.signature_mode == "strict":
            raise web.HTTPForbidden(text="X-Twilio-Signature does not match\n")

    def check_start(self, started: Started) -> str | None:
        """Check the token. Returns why the stream is refused, or None; a missing token counts only if required."""
        if started.token is None:
            return "the stream has no token" if self.require_token else None
        outcome = token.verify(self.token_secret, started.token, started.call_id, self.clock())
        return None if outcome is token.Outcome.VALID else f"the stream's token is not valid: {outcome.value}"
