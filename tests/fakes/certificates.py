"""A certificate for this machine and for some names that exist nowhere, signed by a private authority."""

import ssl
from pathlib import Path

_FOLDER = Path(__file__).parent / "tls"

AUTHORITY = _FOLDER / "authority.pem"


def serving():
    """For a server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_FOLDER / "server.pem")
    return context


def trusting():
    """For a client that knows the authority."""
    return ssl.create_default_context(cafile=AUTHORITY)
