"""Why a peer was not reached, or did not answer: a closed list of words, for logs, events and the record.

The text of an exception may hold a URL, a header or a password, and never gets here. The detail of a failure is safe
whatever the peer does: the name of an error number, of OpenSSL's reason, a status, or a word of ours.
"""

import errno
import re
import ssl
from dataclasses import dataclass
from socket import gaierror
from typing import Literal, get_args

Kind = Literal["timeout", "dns", "blocked", "connect", "proxy", "tls", "reset", "protocol"]

_OPENSSL_REASON = re.compile(r"[A-Z0-9_]{1,60}")

_CERTIFICATE = {
    9: "certificate not yet valid",
    10: "certificate expired",
    18: "self-signed certificate",
    19: "self-signed certificate in chain",
    20: "unknown issuer",
    21: "unknown issuer",
    62: "hostname mismatch",
    64: "address mismatch",
}
"""By OpenSSL's verify code (`X509_V_ERR_…`)."""

_PRIVATE = frozenset(_CERTIFICATE[code] for code in (18, 19, 20, 21))
"""Of these, what a private authority looks like to who does not know it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A try that came to nothing."""

    kind: Kind
    """`timeout`: too slow; `dns`: no such name; `blocked`: an address that we do not dial; `connect`: refused, or no
    way there; `proxy`: the proxy cannot be reached, or refuses; `tls`: no secure connection; `reset`: closed before the
    answer; `protocol`: no sensible answer.
    """
    detail: str | None = None

    def __str__(self) -> str:
        return f"{self.kind} ({self.detail})" if self.detail else self.kind


def advised(failure: Failure) -> str:
    """For a person at a terminal: with what makes a private authority trusted, where that may be missing."""
    if failure.detail in _PRIVATE:
        return f"{failure}: if its authority is your own, name that in SSL_CERT_FILE"
    return str(failure)


def read(text: str) -> Failure:
    """The failure that was written by its `str`; `protocol` for words that no failure has."""
    word, _, detail = text.partition(" (")
    kinds: tuple[Kind, ...] = get_args(Kind)
    return Failure(next((kind for kind in kinds if kind == word), "protocol"), detail.removesuffix(")") or None)


def failure(error: BaseException, otherwise: Kind) -> Failure:
    """What an exception of the network says; `otherwise`: the kind of those that only say that something went wrong."""
    match error:
        case TimeoutError():
            return Failure("timeout")
        case gaierror() | UnicodeError():  # the second: no name that could be looked up
            return Failure("proxy", "dns") if otherwise == "proxy" else Failure("dns")
        case ssl.SSLCertVerificationError():
            return Failure("tls", _CERTIFICATE.get(error.verify_code, "certificate not accepted"))
        case ssl.SSLError():
            reason = error.reason or ""
            return Failure("tls", reason if _OPENSSL_REASON.fullmatch(reason) else None)
        case OSError():
            return Failure(otherwise, errno.errorcode.get(error.errno or 0))
        case _:
            return Failure(otherwise)
