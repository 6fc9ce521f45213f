"""Handlers for the delivery: they post to the webhook again what it did not take, or has lost since.

    POST /deliveries              all calls: what was given up, or waits for its next try, is due now; also after a 410
    POST /calls/{id}/deliveries   one call; with `{"after": 12}` everything after that `seq`, delivered or not

The answer is 202 and how many calls it concerns; `GET /calls/{id}` shows the progress, under `delivery`. Events are
posted in order and with the ids they had: a consumer that keeps the ids sees nothing twice.
"""

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

    def __init__(self, resume: Resume | None, store: CallIndex, access: Access) -> None:
        """`resume`: None without a webhook."""
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
        return await self._resumed(None, None)

    async def one_call(self, request: web.Request) -> web.Response:
        """Deliver one call's events: those that are not delivered, or those after `after`."""
        after = None
        if request.body_exists:
            given = await json_field(request, "after")
            if not isinstance(given, int) or isinstance(given, bool) or given < 0:
                return refusal(400, "after must be the seq of an event, or 0 for all, in a body of application/json.")
            after = given
        call_id = request.match_info["id"]
        if not await self._store.calls(call_id=call_id):
            return no_such_call()
        return await self._resumed(call_id, after)

    async def _resumed(self, call_id: str | None, after: int | None) -> web.Response:
        if self._resume is None:
            return refusal(409, "There is no webhook: set WEBHOOK_URL.")
        return web.json_response({"calls": await self._resume(call_id, after=after)}, status=202, headers=HEADERS)
