"""A token that ties a media socket to the one call it was made for.

Twilio's signature on the upgrade covers no time and no call, so an upgrade that was overheard can be replayed. The
token travels as a `<Parameter>`, which only Twilio and we see, and is checked against `start.callSid`. Tokens are not
stored: each is valid any number of times until it expires, so that a stream that starts again is accepted again.
"""

import base64
import hashlib
import hmac
import re
from enum import Enum

PURPOSE = b"stream token 1\n"
"""Keeps a signature that the same secret made for something else from passing as a token."""

CALL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")

SHAPE = re.compile(r"([A-Za-z0-9_-]{1,64})\.([0-9]{1,15})\.([A-Za-z0-9_-]{43})")
"""Call id, seconds since 1970, HMAC-SHA256 in base64url without padding."""


class Outcome(Enum):
    """The result of verifying a token."""

    VALID = "valid"
    EXPIRED = "expired"
    WRONG_CALL = "wrong call"
    """Ours, but made for another call."""
    FORGED = "forged"
    """Not ours, or made with another secret: check that every server has the same one."""
    MALFORMED = "malformed"


def make(secret: bytes, call_id: str, expires: float) -> str:
    """A token for `call_id` that is good until `expires`, seconds since 1970 of which a fraction is dropped.

    At most 124 characters, all safe in a URL. `call_id` is letters, digits, `-` and `_`, at most 64.
    """
    if not CALL_ID.fullmatch(call_id):
        raise ValueError("a call id is 1 to 64 letters, digits, - and _")
    claim = f"{call_id}.{int(expires)}"
    return f"{claim}.{_signature(secret, claim)}"


def verify(secret: bytes, token: str, call_id: str, now: float) -> Outcome:
    """Whether `token` lets a stream of `call_id` in at `now`. Any text is an outcome, never an exception."""
    match = SHAPE.fullmatch(token)
    if match is None:
        return Outcome.MALFORMED
    made_for, expires, signature = match.groups()
    if not hmac.compare_digest(_signature(secret, f"{made_for}.{expires}"), signature):
        return Outcome.FORGED
    if made_for != call_id:
        return Outcome.WRONG_CALL
    return Outcome.VALID if now < int(expires) else Outcome.EXPIRED


def _signature(secret: bytes, claim: str) -> str:
    if not secret:
        raise ValueError("an empty secret signs nothing")
    mac = hmac.new(secret, PURPOSE + claim.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
