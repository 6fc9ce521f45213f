"""Where a webhook is: its URL taken apart for a request, with path and query exactly as they were given.

Signed URLs break when `%2F` becomes `/`, so nothing is quoted that needs no quoting: only what may not stand in a
request at all, letters outside of ASCII, is written as its UTF-8.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import quote

from yarl import URL

from bridge.errors import ConfigError

_PARTS = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?#]+)(?P<target>[^#]*)(?:#.*)?", re.IGNORECASE)
_VISIBLE = "".join(map(chr, range(0x21, 0x7F)))


@dataclass(frozen=True, slots=True)
class Address:
    """An http or https URL."""

    host: str
    """As it is looked up: international names in their ASCII form."""
    port: int
    secure: bool
    authority: str
    """The value of `Host`."""
    target: str = field(repr=False)
    """Path and query as they stand in the request; they may hold a token."""

    @property
    def absolute(self) -> str:
        """The request's target, if a proxy is asked."""
        return f"http{'s' if self.secure else ''}://{self.authority}{self.target}"


def parse_address(url: str) -> Address:
    """Raises ConfigError, which does not repeat the URL, if nothing can be posted there."""
    parts = _PARTS.fullmatch(url)
    host, port = _host_and_port(f"{parts['scheme']}://{parts['authority']}") if parts else (None, 0)
    if parts is None or not host or not port:
        raise ConfigError("the webhook's URL must be http:// or https:// with a host")
    if "@" in parts["authority"]:
        raise ConfigError("the webhook's URL must not carry a user name or a password")
    if not url.isprintable() or " " in url:
        raise ConfigError("the webhook's URL has a blank or a control character in it")
    secure = parts["scheme"].lower() == "https"
    bracketed = f"[{host}]" if ":" in host else host
    target = quote(parts["target"], safe=_VISIBLE)
    return Address(
        host=host,
        port=port,
        secure=secure,
        authority=bracketed if port == (443 if secure else 80) else f"{bracketed}:{port}",
        target=target if target.startswith("/") else f"/{target}",
    )


def _host_and_port(origin: str) -> tuple[str | None, int]:
    """No host where it makes no sense."""
    try:
        url = URL(origin)
        # An older yarl takes port 0 for none, and `port` for the scheme's.
        port = url.port if url.explicit_port is None else url.explicit_port
        return url.raw_host, port or 0
    except ValueError:
        return None, 0
