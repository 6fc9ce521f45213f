"""Which network addresses a POST may go to: the judgement of an address, before it is dialled.

    public    reached by anyone, over https, at port 443, 80 or above 1023
    private   loopback, private and special networks: reached if the operator wrote the URL, or allows the network
    never     metadata services of clouds, link-local and multicast addresses: reached by no URL at all

An IPv6 address that leads to an IPv4 one is judged as both: mapped and NAT64 ones as the IPv4 address that they are,
6to4, Teredo, ISATAP, IPv4-compatible and translated ones as private at the best, because no webhook is there. Of IPv6
only global unicast is public, so that what is not known is private.

What is judged is the address that is really dialled, in numbers, at every attempt: whatever a name, an odd way to write
a number, or a second look-up has led to. Sources: IANA's special-purpose address registries, RFC 4291, 6052, 3056,
4380, 5214, 6890, 8215; the clouds' own pages for their metadata services.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from bridge.errors import ConfigError

Network = IPv4Network | IPv6Network

_NEVER: tuple[tuple[str, str], ...] = (
    ("169.254.0.0/16", "link-local"),  # the metadata service of most clouds, too
    ("100.100.100.200/32", "metadata"),  # Alibaba
    ("168.63.129.16/32", "metadata"),  # Azure; an address like any other but for that
    ("192.0.0.192/32", "metadata"),  # Oracle
    ("224.0.0.0/4", "multicast"),
    ("255.255.255.255/32", "broadcast"),
    ("fe80::/10", "link-local"),
    ("fd00:ec2::/32", "metadata"),  # Amazon
    ("fd20:ce::254/128", "metadata"),  # Google
    ("fd00:42::42/128", "metadata"),  # Scaleway
    ("ff00::/8", "multicast"),
)

_PRIVATE: tuple[tuple[str, str], ...] = (
    ("0.0.0.0/8", "this host"),
    ("127.0.0.0/8", "loopback"),
    ("10.0.0.0/8", "private"),
    ("172.16.0.0/12", "private"),
    ("192.168.0.0/16", "private"),
    ("100.64.0.0/10", "shared"),
    ("192.0.0.0/24", "reserved"),
    ("192.0.2.0/24", "documentation"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("192.88.99.0/24", "reserved"),  # relays of 6to4
    ("198.18.0.0/15", "benchmarks"),
    ("240.0.0.0/4", "reserved"),
    ("::/128", "this host"),
    ("::1/128", "loopback"),
    ("fc00::/7", "private"),
    ("fec0::/10", "private"),
    ("2001::/23", "reserved"),  # Teredo, benchmarks, ORCHID and more
    ("2001:db8::/32", "documentation"),
    ("2002::/16", "reserved"),  # 6to4
    ("3fff::/20", "documentation"),
)

_FORBIDDEN = tuple((ip_network(network), word) for network, word in _NEVER)
_SPECIAL = tuple((ip_network(network), word) for network, word in _PRIVATE)
_GLOBAL = ip_network("2000::/3")

_MAPPED, _NAT64 = ip_network("::ffff:0:0/96"), ip_network("64:ff9b::/96")
_LOCAL_NAT64, _TRANSLATED = ip_network("64:ff9b:1::/48"), ip_network("::ffff:0:0:0/96")
_COMPATIBLE, _SIX_TO_FOUR, _TEREDO = ip_network("::/96"), ip_network("2002::/16"), ip_network("2001::/32")
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)

_METADATA_NAMES = frozenset(
    (
        *("metadata", "metadata.google.internal", "metadata.goog"),
        *("instance-data", "instance-data.ec2.internal", "metadata.tencentyun.com"),
    )
)
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
"""A last label that makes a host an IPv4 address in the eyes of some resolver, however it is written."""

_LOW_PORTS, _HIGH_PORT = (80, 443), 1024


@dataclass(frozen=True, slots=True)
class Guard:
    """The rule for one URL."""

    own: bool = True
    """The operator wrote the URL, and is held to what is never reached only."""
    allowed: tuple[Network, ...] = ()
    """Private networks that any URL may lead to, by http and at any port."""

    @property
    def remedy(self) -> str:
        """What can be done about a refusal."""
        if self.own:
            return "post elsewhere: no setting allows this"
        return "it must be public https, or its network must stand in BRIDGE_EGRESS_ALLOW"

    def refusal(self, address: str, port: int, secure: bool) -> str | None:
        """Why a numeric address must not be dialled, in a word or two of ours; None: it may be."""
        try:
            ip = ip_address(address.partition("%")[0])
        except ValueError:
            return "not an address"
        worst = _worst(ip)
        if worst and worst.never:
            return worst.word
        if self.own or self._allows(ip):
            return None
        if worst:
            return worst.word
        if not secure:
            return "not https"
        return None if port in _LOW_PORTS or port >= _HIGH_PORT else "port"

    def refusal_of_host(self, host: str, port: int, secure: bool, *, proxied: bool = False) -> str | None:
        """Why a host must not be asked, as far as that is seen before it is looked up; None: its address decides.

        `proxied`: a proxy looks the name up and dials, so that this is all that is ever seen of it.
        """
        host = host.strip("[]").rstrip(".").lower()
        if host in _METADATA_NAMES:
            return "metadata"
        try:
            ip_address(host.partition("%")[0])
        except ValueError:
            pass
        else:
            return self.refusal(host, port, secure)
        if self.own:
            return None
        if _NUMBER.fullmatch(host.rpartition(".")[2]):
            return "an odd number"
        if (host == "localhost" or host.endswith(".localhost")) and not self.allowed:
            return "loopback"
        if not proxied:
            return None
        return "not https" if not secure else None if port in _LOW_PORTS or port >= _HIGH_PORT else "port"

    def _allows(self, ip: IPv4Address | IPv6Address) -> bool:
        """Whether a network is allowed in which the address lies, as it is written or as what it is."""
        candidates = [ip, *(v4 for v4, same in _embedded(ip) if same)]
        return any(one.version == network.version and one in network for one in candidates for network in self.allowed)


@dataclass(frozen=True, slots=True)
class _Special:
    word: str
    never: bool


def parse_networks(text: str) -> tuple[Network, ...]:
    """Networks separated by blanks or commas, `10.0.0.0/8 fd12::/16`. Raises ConfigError."""
    networks = []
    for word in text.replace(",", " ").split():
        try:
            networks.append(ip_network(word, strict=False))
        except ValueError:
            raise ConfigError("must be networks such as 10.0.0.0/8, separated by spaces") from None
    return tuple(networks)


def _worst(ip: IPv4Address | IPv6Address) -> _Special | None:
    """What is worst of all that an address is; None: it is public."""
    embedded = list(_embedded(ip))
    found = [_special(v4) for v4, _ in embedded]
    if not any(same for _, same in embedded):
        found.append(_special(ip))
        found += [_Special("embedded IPv4", False)] if embedded else []
    known = [special for special in found if special]
    return next((special for special in known if special.never), known[0] if known else None)


def _special(ip: IPv4Address | IPv6Address) -> _Special | None:
    for networks, never in ((_FORBIDDEN, True), (_SPECIAL, False)):
        for network, word in networks:
            if network.version == ip.version and ip in network:
                return _Special(word, never)
    return None if ip.version == 4 or ip in _GLOBAL else _Special("reserved", False)


def _embedded(ip: IPv4Address | IPv6Address) -> Iterator[tuple[IPv4Address, bool]]:
    """The IPv4 addresses that an IPv6 one may lead to. True: it is only another way to write it."""
    if ip.version == 4:
        return
    bits = int(ip)
    last = bits & 0xFFFF_FFFF
    if ip in _MAPPED or ip in _NAT64:
        yield IPv4Address(last), True
    elif ip in _LOCAL_NAT64:
        yield IPv4Address(last), False
        # RFC 6052 §2.2: behind a prefix of 48 bits, or of 64, with eight bits of zeros at 64.
        yield IPv4Address((bits >> 64 & 0xFFFF) << 16 | bits >> 40 & 0xFFFF), False
        yield IPv4Address(bits >> 24 & 0xFFFF_FFFF), False
    elif ip in _SIX_TO_FOUR:
        yield IPv4Address(bits >> 80 & 0xFFFF_FFFF), False
    elif ip in _TEREDO:
        yield IPv4Address(bits >> 64 & 0xFFFF_FFFF), False  # its server
        yield IPv4Address(last ^ 0xFFFF_FFFF), False  # who is behind it
    elif ip in _TRANSLATED or (ip in _COMPATIBLE and last > 1):
        yield IPv4Address(last), False
    if bits >> 32 & 0xFFFF_FFFF in _ISATAP:
        yield IPv4Address(last), False
