"""What one process tells another of a stream that it relays there: by a header of the upgrade, and a first message.

The header names the call, signed with the key of the process that it goes to, which only those know who share the
record. It lets no one in: the carrier's own headers are sent along, and checked as if it had come by itself. It says
that the stream is of a call there, so that it is let in where no further call would be, and is relayed no farther.
"""

import hmac
import json

from bridge.errors import RemoteProtocolError

HEADER = "Bridge-Relayed"

BROKEN = 4006
"""The code of the close of a stream whose carrier has not closed it: its socket broke."""

_LONGEST = 3600.0  # seconds; what would have waited longer was not waited for


def sign(key: str, call_id: str, path: str) -> str:
    """The header of a stream of a carrier's call, which comes to this path."""
    return f"{call_id} {_signature(key, call_id, path)}"


def verify(key: str, header: str, path: str) -> str | None:
    """The call that a header names; None: it was not made with this key, for this path."""
    call_id, _, signature = header.partition(" ")
    valid = hmac.compare_digest(signature.encode(), _signature(key, call_id, path).encode())
    return call_id if key and valid else None


def preface(waited: float | None) -> bytes:
    """The first message. `waited`: seconds since the first frame came; None: none has come."""
    return json.dumps({"waited": waited}).encode()


def read_preface(text: bytes) -> float | None:
    """Raises RemoteProtocolError."""
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    match said:
        case {"waited": None}:
            return None
        case {"waited": int() | float() as waited} if 0.0 <= waited <= _LONGEST:
            return float(waited)
    raise RemoteProtocolError("no preface of a relayed stream")


def _signature(key: str, call_id: str, path: str) -> str:
    return hmac.new(key.encode(), f"{call_id}\n{path}".encode(), "sha256").hexdigest()
