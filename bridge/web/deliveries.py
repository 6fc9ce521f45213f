"""Handlers for the delivery: they post to an endpoint again what it did not take, or has lost since.

    POST /deliveries              all calls: what was given up, or waits for its next try, is due now; also after a 410
    POST /calls/{id}/deliveries   one call; with `{"after": 12}` everything after that `seq`, delivered or not

Both post to every endpoint; with `{"endpoint": "webhook"}`, or `"twilio"`, to that one. The answer is 202, how many
calls it concerns, and of how many each endpoint had something left; `GET /calls/{id}` shows the progress, under
`delivery` and `deliveries`. Events are posted in order and with the ids they had: a consumer that keeps the ids sees
nothing twice.
"""

from collections.abc import Mapping
from typing import Protocol

from aiohttp import web

from bridge.store import CallIndex
from bridge.web.access import Access
from bridge.web.http import HEADERS, json_field, no_such_call, refusal


class Resume(Protocol):
    """The signature of `Sender.resume`."""

    async def __call__(self, call_id: str | None = None, *, after: int | None = None) -> int: ...


class DeliveryHandlers:
    """`POST /deliveries` and `POST /calls/{id}/deliveries`."""

    def __init__(self, resume: Mapping[str, Resume], store: CallIndex, access: Access) -> None:
        """`resume`: by the endpoint's name."""
        self._resume = resume
        self._store = store
        self._access = access

    def routes(self) -> list[web.RouteDef]:
        """Both require a token or a session; a share link is not enough."""
        return [
            web.post("/deliveries", self._access.only(self.all_calls)),
            web.post("/calls/{id}/deliveries", self._access.only(self.one_call)),
        ]

    async def all_calls(self, request: web.Request) -> web.Response:
        """Deliver everything that is not delivered, now."""
        endpoint = await json_field(request, "endpoint") if request.body_exists else None
        return await self._resumed(None, None, endpoint)

    async def one_call(self, request: web.Request) -> web.Response:
        """Deliver one call's events: those that are not delivered, or those after `after`."""
        after = endpoint = None
        if request.body_exists:
            given, endpoint = [await json_field(request, name) for name in ("after", "endpoint")]
            if given is not None or endpoint is None:
                if not isinstance(given, int) or isinstance(given, bool) or given < 0:
                    wanted = "after must be the seq of an event, or 0 for all, in a body of application/json."
                    return refusal(400, wanted)
                after = given
        call_id = request.match_info["id"]
        if not await self._store.calls(call_id=call_id):
            return no_such_call()
        return await self._resumed(call_id, after, endpoint)

    async def _resumed(self, call_id: str | None, after: int | None, endpoint: object) -> web.Response:
        if not self._resume:
            return refusal(409, "There is no webhook: set WEBHOOK_URL.")
        if endpoint is not None and endpoint not in self._resume:
            return refusal(400, f"endpoint must be {' or '.join(self._resume)}.")
        wanted = [name for name in self._resume if endpoint in (None, name)]
        told = {name: await self._resume[name](call_id, after=after) for name in wanted}
        return web.json_response({"calls": max(told.values()), "endpoints": told}, status=202, headers=HEADERS)
