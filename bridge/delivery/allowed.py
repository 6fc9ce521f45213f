"""Which URLs a call may name for itself: prefixes of the operator's, compared as the request will be made.

    https://hooks.example.com/calls/     that host and port, paths that begin so
    https://*.example.com/               every host below example.com, not itself

A URL is taken apart by what will dial it, so that the two cannot read it differently. Pure; whether the host's address
may be dialled is `guard`'s judgement, as far as it is seen here, and again at every dial.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from bridge.delivery.address import Address, parse_address
from bridge.errors import ConfigError
from bridge.guard import Guard
from bridge.outlets import Named, named, pattern_of

_ANY = "*."
_LONGEST = 2048
_STAND_IN = "any."
"""Takes the place of the star while a prefix is parsed: a star stands in no host."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """A beginning that a URL may have."""

    host: str
    below: bool
    """Any host below that one."""
    port: int
    secure: bool
    path: str

    def matches(self, address: Address) -> bool:
        """Whether a URL begins so."""
        if (address.secure, address.port) != (self.secure, self.port):
            return False
        host, path = address.host, address.target.partition("?")[0]
        if not all(host.split(".")) or not (host.endswith(f".{self.host}") if self.below else host == self.host):
            return False
        return path.startswith(self.path) and (self.path.endswith("/") or path[len(self.path) :][:1] in ("", "/"))


def parse_prefix(text: str) -> Prefix:
    """Raises ConfigError, which does not repeat it."""
    scheme, mark, rest = text.partition("://")
    below = rest.startswith(_ANY)
    try:
        address = parse_address(f"{scheme}{mark}{_STAND_IN}{rest.removeprefix(_ANY)}" if below else text)
    except ConfigError:
        raise ConfigError("each must be the beginning of a URL, such as https://hooks.example.com/calls/") from None
    if "*" in address.host or "?" in address.target or "#" in text or _leaves(address.target):
        raise ConfigError("each must be the beginning of a URL, with a * only as its first label, without ?, # and ..")
    host = address.host.removeprefix(_STAND_IN) if below else address.host
    if below and "." not in host:
        raise ConfigError("a * needs at least two labels behind it, such as https://*.example.com/")
    return Prefix(host, below, address.port, address.secure, address.target)


class Allowed:
    """All that calls may name."""

    def __init__(
        self,
        patterns: Mapping[str, Sequence[Prefix]],
        guard: Guard,
        *,
        proxied: Callable[[str], bool] = lambda url: False,
    ) -> None:
        """`patterns`: the prefixes of each endpoint that allows URLs, by its name. `proxied`: whether a proxy looks up
        the host of a URL."""
        self._patterns = patterns
        self._guard = guard
        self._proxied = proxied

    def find(self, url: str) -> Named | str:
        """The endpoint that a URL is; or why it is none, in words of ours."""
        return self._find(url, self._patterns)

    def allows(self, endpoint: str, url: str) -> bool:
        """Whether an endpoint that was named once may still be: by its own pattern, whichever would take it now."""
        own = {name: prefixes for name, prefixes in self._patterns.items() if name == pattern_of(endpoint)}
        found = self._find(url, own)
        return isinstance(found, Named) and found.endpoint == endpoint

    def _find(self, url: str, patterns: Mapping[str, Sequence[Prefix]]) -> Named | str:
        if len(url) > _LONGEST:
            return "too long"
        try:
            address = parse_address(url)
        except ConfigError:
            return "no URL that can be posted to"
        if "#" in url or _leaves(address.target.partition("?")[0]):
            return "a path that leaves its place"
        for name, prefixes in patterns.items():
            if any(prefix.matches(address) for prefix in prefixes):
                proxied = self._proxied(url)
                refusal = self._guard.refusal_of_host(address.host, address.port, address.secure, proxied=proxied)
                return refusal or named(name, url)
        return "not in the allow-list"


def _leaves(path: str) -> bool:
    """Whether a path has a segment that a server may take for a way up, however it is written."""
    before = None
    while path != before:
        before, path = path, unquote(path).replace("\\", "/")
    return any(segment.strip().partition(";")[0] in (".", "..") for segment in path.split("/"))
