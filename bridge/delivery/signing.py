"""Standard Webhooks 1.0.0: the three headers of a delivery, and whether they are true.

Pure: the time is an argument. The tests and the local receiver verify with the `standardwebhooks` library, and what it
signs is verified here, so that the two sides cannot be wrong together. `Verifier` is for consumers, through
`bridge.client`, which need no further package for it.

Source: github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Iterable
from typing import Protocol

from bridge.errors import ConfigError, LocalProtocolError, RemoteProtocolError

PREFIX = "whsec_"

MIN_SECRET = 24
MAX_SECRET = 64
"""Octets of a secret, as the specification has them."""

TOLERANCE = 300.0
"""Seconds by which the two clocks may differ, in either direction; the reference libraries have the same."""

_SAFE = re.compile(r"[A-Za-z0-9_-]{1,256}")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


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
        signed = _signed(message_id, timestamp, body)
        return {
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(_signature(key, signed) for key in self._keys),
        }

    def __repr__(self) -> str:
        return f"<Signer {len(self._keys)} secrets>"


class Headers(Protocol):
    """A request's, in any case, as every web framework has them."""

    def items(self) -> Iterable[tuple[str, str]]: ...


class Verifier:
    """Verifies with every secret it has: while rotating, what either has signed is let in."""

    def __init__(self, secrets: str, tolerance: float = TOLERANCE) -> None:
        """`secrets`: `whsec_…`, several separated by spaces. `tolerance`: seconds. Raises `ConfigError`."""
        self._keys = parse_secrets(secrets)
        self._tolerance = tolerance

    def verify(self, headers: Headers, body: bytes, now: float) -> str:
        """The webhook-id of what one of the secrets has signed; `body` as it came, `now` in seconds since 1970.

        Raises `RemoteProtocolError`. A signature of another version than `v1` is passed over, as the specification
        asks.
        """
        given = {name.lower(): value for name, value in headers.items()}
        try:
            message_id, timestamp, told = (given[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
        except KeyError:
            raise RemoteProtocolError("a delivery without the three headers of Standard Webhooks") from None
        if not _TIMESTAMP.fullmatch(timestamp) or not _SAFE.fullmatch(message_id):
            raise RemoteProtocolError("a delivery whose webhook-id or webhook-timestamp is none")
        if abs(now - int(timestamp)) > self._tolerance:
            raise RemoteProtocolError("a delivery that is too old or too new: it is sent again, or a clock is wrong")
        signed = _signed(message_id, timestamp, body)
        signatures = [signature.encode(errors="replace") for signature in told.split(" ")]
        for key in self._keys:
            expected = _signature(key, signed).encode()
            if any(hmac.compare_digest(expected, signature) for signature in signatures):
                return message_id
        raise RemoteProtocolError("a delivery that no secret of ours has signed")

    def __repr__(self) -> str:
        return f"<Verifier {len(self._keys)} secrets>"


def _signed(message_id: str, timestamp: str, body: bytes) -> bytes:
    return b"%b.%b.%b" % (message_id.encode(), timestamp.encode(), body)


def _signature(key: bytes, signed: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
