"""Which connections wait for their peers, and which of them gives way when too many do: a machine without a socket.

A connection waits while the peer owes it something: a request's head or body, the next request, a stream's `start`.
Anyone can have such connections, so there are bounds, for one address and for all. Beyond them the oldest gives way: a
peer that means something sends it at once, and is never among the oldest.
"""

from collections import defaultdict
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Generic, TypeVar

C = TypeVar("C")


class Idle(Generic[C]):
    """The connections that wait, the oldest first."""

    def __init__(self, of_one_address: int, of_all: int) -> None:
        """How many may wait."""
        self.of_one_address = min(of_one_address, of_all)
        self.of_all = of_all
        self._addresses: dict[C, str] = {}
        self._waiting: defaultdict[str, dict[C, None]] = defaultdict(dict)

    def __repr__(self) -> str:
        return f"<Idle {len(self._addresses)} connections of {len(self._waiting)} addresses>"

    def __len__(self) -> int:
        return len(self._addresses)

    def wait(self, connection: C, address: str) -> C | None:
        """The connection waits from now on. Returns the one that gives way to it, if one must."""
        self.leave(connection)
        self._addresses[connection] = address
        of_address = self._waiting[address]
        of_address[connection] = None
        if len(of_address) > self.of_one_address:
            return self._leave_first(of_address)
        if len(self._addresses) > self.of_all:
            return self._leave_first(self._addresses)
        return None

    def leave(self, connection: C) -> None:
        """The connection waits no more."""
        address = self._addresses.pop(connection, None)
        if address is not None:
            del self._waiting[address][connection]
            if not self._waiting[address]:
                del self._waiting[address]

    def _leave_first(self, connections: dict[C, None] | dict[C, str]) -> C:
        first = next(iter(connections))
        self.leave(first)
        return first


def network(peer: str) -> str:
    """Whom a peer's address counts for: IPv6 hands out whole networks, and writes IPv4 in its own way."""
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    if not isinstance(address, IPv6Address):
        return peer
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ip_network((int(address), 64), strict=False))
