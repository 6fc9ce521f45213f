"""A certificate for this machine and for some names that exist nowhere, signed by a private authority."""

import ssl
from pathlib import Path

_FOLDER = Path(__file__).parent / "tls"

AUTHORITY = _FOLDER / "authority.pem"


EXPIRED = _FOLDER / "expired.pem"
"""For this machine, by itself, up to January 2020."""

OTHER = _FOLDER / "other.pem"
"""For `other.invalid`, by itself."""


def serving(certificate=_FOLDER / "server.pem"):
    """For a server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def trusting(authority=AUTHORITY):
    """For a client that knows the authority."""
    return ssl.create_default_context(cafile=authority)
