"""Origins of Deepgram, for tests that have one or a few."""

from bridge.deepgram.origins import Origin, Origins, OriginsPolicy
from bridge.egress import DIRECT


def at(*urls, key="key", route=DIRECT, breaker=None, **policy):
    """Preferred in this order. `breaker`: the policy of each one's; `policy`: fields of the origins'."""
    return Origins([Origin(url, key, route) for url in urls], OriginsPolicy(**policy), breaker)
