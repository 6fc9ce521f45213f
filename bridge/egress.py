"""The way out: through which proxy, and with which certificates, a URL is reached. One rule for all that goes out.

    https:// and wss://   `HTTPS_PROXY`, else `ALL_PROXY`
    http:// and ws://     `HTTP_PROXY`, else `ALL_PROXY`
    directly              this machine itself, always; and what `NO_PROXY` names: hosts with all that is below them,
                          `host:port`, addresses, networks such as `10.0.0.0/8`; `*` is everything

The names are also read in small letters, which come first. A proxy is `http://[user:password@]host[:port]`.
"""

import base64
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from urllib.parse import SplitResult, unquote, urlsplit

from bridge.errors import ConfigError

_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
_PROXY_PORT = 80


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, and who we are to it."""

    host: str
    port: int
    url: str = field(repr=False)
    """As libraries take it, with user and password."""
    authorization: str | None = field(default=None, repr=False)
    """The value of `Proxy-Authorization`."""


@dataclass(frozen=True, slots=True)
class Route:
    """How one peer is reached."""

    proxy: Proxy | None = None
    tls: ssl.SSLContext | None = None
    """None: as Python does by default."""

    @property
    def proxy_url(self) -> str | None:
        """For libraries that take a URL; None: directly."""
        return self.proxy.url if self.proxy else None


DIRECT = Route()


class Egress:
    """The routes to all peers, by an environment."""

    def __init__(self, environment: Mapping[str, str], tls: ssl.SSLContext | None = None) -> None:
        """`tls`: of all secure connections."""
        self._environment = environment
        self._tls = tls

    def route(self, url: str) -> Route:
        """How to reach a URL. Raises ConfigError if its proxy cannot be used; the message names only the variable."""
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError:
            return Route(None, self._tls)  # no address; the one that asks there says so
        name = "HTTPS_PROXY" if parts.scheme in ("https", "wss") else "HTTP_PROXY"
        for variable in (name, "ALL_PROXY"):
            if value := self._read(variable):
                return Route(None if self._is_direct(parts) else _proxy(variable, value), self._tls)
        return Route(None, self._tls)

    def _read(self, name: str) -> str:
        return self._environment.get(name.lower(), self._environment.get(name, "")).strip()

    def _is_direct(self, parts: SplitResult) -> bool:
        host = (parts.hostname or "").rstrip(".")
        if _is_loopback(host):
            return True
        port = str(parts.port or _PORTS.get(parts.scheme))
        return any(_names(entry, host, port) for entry in self._read("NO_PROXY").replace(",", " ").split())


def _proxy(variable: str, value: str) -> Proxy:
    """Raises ConfigError without the value, which may hold a password."""
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        port = parts.port or _PROXY_PORT
        host = parts.hostname
        value.encode("ascii")
    except ValueError:
        host, port = None, 0
    else:
        if parts.scheme != "http" or parts.path not in ("", "/") or parts.query or parts.fragment:
            host = None
    if not host or not value.isprintable() or " " in value:
        raise ConfigError(f"{variable} must be http://host:port or http://user:password@host:port")
    where = f"{f'[{host}]' if ':' in host else host}:{port}"
    if parts.username is None:
        return Proxy(host, port, f"http://{where}")
    user = parts.netloc.rpartition("@")[0]
    known_as = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
    # A name alone is allowed; websockets wants the colon behind it.
    url = f"http://{user if ':' in user else f'{user}:'}@{where}"
    return Proxy(host, port, url, f"Basic {base64.b64encode(known_as).decode()}")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _names(entry: str, host: str, port: str) -> bool:
    """Whether an entry of `NO_PROXY` names this host, given in small letters."""
    if entry == "*":
        return True
    try:
        return ip_address(host) in ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        pass  # one of the two is a name, or the entry has a port
    name, colon, only_port = entry.lower().rpartition(":")
    if not colon or not only_port.isdigit():
        name, only_port = entry.lower(), port
    name = name.strip("[]").removeprefix("*").strip(".")
    return only_port == port and bool(name) and (host == name or host.endswith(f".{name}"))
