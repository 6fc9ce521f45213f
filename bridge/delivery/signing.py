"""Standard Webhooks 1.0.0, the signing side: the three headers of a delivery.

Pure: the time of the attempt is an argument. Verifying is the receiver's business and deliberately not here; the tests
verify with the `standardwebhooks` library, so that the two sides cannot be wrong together.

Source: github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md.
"""

import base64
import binascii
import hmac
import re

from bridge.errors import ConfigError, LocalProtocolError

PREFIX = "whsec_"

MIN_SECRET = 24
MAX_SECRET = 64
"""Octets of a secret, as the specification has them."""

_SAFE = re.compile(r"[A-Za-z0-9_-]{1,256}")


def format_secret(octets: bytes) -> str:
    """24 to 64 random octets, written as `WEBHOOK_SECRET` takes them."""
    return PREFIX + base64.b64encode(octets).decode()


def parse_secrets(text: str) -> tuple[bytes, ...]:
    """The octets of one or more `whsec_…` secrets, separated by spaces.

    Raises `ConfigError`, which says which of them is wrong and how, and never shows it.
    """
    words = text.split()
    if not words:
        raise ConfigError("a webhook needs at least one secret of the form whsec_…")
    return tuple(_parse_secret(word, f"webhook secret {n} of {len(words)}") for n, word in enumerate(words, 1))


def _parse_secret(word: str, name: str) -> bytes:
    if not word.startswith(PREFIX):
        raise ConfigError(f"{name} does not begin with {PREFIX}")
    digits = word.removeprefix(PREFIX).rstrip("=")
    try:
        # Shown secrets often lose their padding on the way.
        octets = base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ConfigError(f"{name} is not base64 after {PREFIX}") from None
    if not MIN_SECRET <= len(octets) <= MAX_SECRET:
        raise ConfigError(f"{name} has {len(octets)} bytes; Standard Webhooks asks for {MIN_SECRET} to {MAX_SECRET}")
    return octets


class Signer:
    """Signs with every secret it has: while rotating, the old and the new one both verify."""

    def __init__(self, secrets: str) -> None:
        """`secrets`: `whsec_…`, several separated by spaces. Raises `ConfigError`."""
        self._keys = parse_secrets(secrets)

    def headers(self, message_id: str, body: bytes, now: float) -> dict[str, str]:
        """The headers of one attempt; `now`: seconds since 1970, of this attempt and not of the first.

        The signed text is `id.timestamp.body`, so an id with a dot in it could be read in two ways: only letters,
        digits, `_` and `-` are let through (`LocalProtocolError`).
        """
        if not _SAFE.fullmatch(message_id):
            raise LocalProtocolError("a webhook-id is made of letters, digits, _ and - only")
        timestamp = str(int(now))
        signed = b"%b.%b.%b" % (message_id.encode(), timestamp.encode(), body)
        return {
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(_signature(key, signed) for key in self._keys),
        }

    def __repr__(self) -> str:
        return f"<Signer {len(self._keys)} secrets>"


def _signature(key: bytes, signed: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
