"""The certificates that all ways out trust: the system's, and those of a private authority in `SSL_CERT_FILE`."""

import ssl
from collections.abc import Mapping
from functools import cache

from bridge.errors import ConfigError


def trusted(environment: Mapping[str, str]) -> ssl.SSLContext:
    """One context for all connections, since each takes its time to make. Raises ConfigError for a useless file."""
    return _context(environment.get("SSL_CERT_FILE") or None)


@cache
def _context(path: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if path:
        try:
            context.load_verify_locations(path)
        except (OSError, ValueError):  # an SSLError is an OSError
            raise ConfigError("SSL_CERT_FILE must name a file with certificates that can be read (PEM)") from None
    return context
