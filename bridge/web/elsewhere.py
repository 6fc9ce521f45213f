"""What other processes do and this one does not: its paths are known here, and answered with 503 and a sentence.

Not with 404, which a consumer would take for a call that there is not; and a balancer that is told so asks another one.
"""

import logging
from collections.abc import Iterable, Iterator

from aiohttp import web

from bridge.roles import OF_CARRIERS, ROLES, Role, of_path

log = logging.getLogger("bridge.requests")


def here(roles: frozenset[Role], routes: Iterable[web.RouteDef]) -> Iterator[web.RouteDef]:
    """The routes, of which those that are other roles' are refused."""
    for route in routes:
        if (role := of_path(route.path)) in roles:
            yield route
        elif role != "media":
            yield web.RouteDef(route.method, route.path, _Elsewhere(roles, role).refuse, route.kwargs)
    if "media" not in roles:  # whatever carriers ask for: which paths there are depends on settings of that role
        for beginning in OF_CARRIERS:
            yield web.route("*", beginning + "/{rest:.*}", _Elsewhere(roles, "media").refuse)


class _Elsewhere:
    def __init__(self, has: frozenset[Role], lacks: Role) -> None:
        self._has = " and ".join(role for role in ROLES if role in has)
        self._lacks = lacks

    async def refuse(self, request: web.Request) -> web.StreamResponse:
        """Raises HTTPServiceUnavailable."""
        if self._lacks == "media":  # the carrier tells its owner a number only
            said = {"roles": self._has, "remedy": "send what begins with /media and /twiml to processes of role media"}
            log.warning("a carrier asks a process that takes no calls", extra=said)
        sentence = f"This process is {self._has}, and this is served by those with the role {self._lacks}."
        raise web.HTTPServiceUnavailable(text=sentence)
