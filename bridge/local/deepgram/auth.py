"""Who is asking: the four ways to bring a Deepgram key to a WebSocket, and nothing about what a key may do.

`Authorization: Token <key>` or `Bearer <token>`, in any case; and for browsers, which cannot set that header,
`Sec-WebSocket-Protocol: token, <key>` or `bearer, <token>`, where more items may follow.
Source: https://developers.deepgram.com/docs/using-the-sec-websocket-protocol
"""

import hmac
from collections.abc import Mapping
from typing import NamedTuple

SCHEMES = ("token", "bearer")


class Credentials(NamedTuple):
    """A key, and how it came."""

    scheme: str
    """`token` or `bearer`."""
    key: str
    subprotocol: str | None
    """The scheme as it was offered as a subprotocol, to be confirmed in the answer."""


def read_credentials(headers: Mapping[str, str]) -> Credentials | None:
    """The key in the headers of an upgrade request; None: there is none."""
    offered = [item.strip() for item in headers.get("Sec-WebSocket-Protocol", "").split(",")]
    subprotocol = next((item for item in offered if item.lower() in SCHEMES), None)
    scheme, _, key = headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() in SCHEMES and key.strip():
        return Credentials(scheme.lower(), key.strip(), subprotocol)
    if subprotocol:
        after = offered[offered.index(subprotocol) + 1 :]
        if after and after[0]:
            return Credentials(subprotocol.lower(), after[0], subprotocol)
    return None


def is_accepted(credentials: Credentials | None, key: str | None) -> bool:
    """Whether these credentials are accepted: those with `key`, or any at all if `key` is None."""
    if credentials is None:
        return False
    # A header may hold octets that are no text.
    return key is None or hmac.compare_digest(credentials.key.encode(errors="surrogateescape"), key.encode())
