"""The door to the delivery: what the webhook did not take, or has lost since, is posted to it again.

    POST /deliveries              all calls: what was given up, or waits for its next try, is due now; also after a 410
    POST /calls/{id}/deliveries   one call; with `{"after": 12}` everything behind that `seq`, delivered or not

The answer is 202 and how many calls it concerns: how it goes on stands in `GET /calls/{id}`, under `delivery`. What
comes again comes in order and with the ids it had: a consumer that keeps them sees nothing twice.
"""

from typing import Protocol

from aiohttp import web

from bridge.store import CallIndex
from bridge.web.access import Access
from bridge.web.http import HEADERS, json_field, no_such_call, refusal


class Resume(Protocol):
    """As `Sender.resume`."""

    async def __call__(self, call_id: str | None = None, *, after: int | None = None) -> int: ...


class DeliveryHandlers:
    """For readers with a token."""

    def __init__(self, resume: Resume | None, store: CallIndex, readers: Access) -> None:
        """`resume`: None without a webhook."""
        self._resume = resume
        self._store = store
        self._readers = readers

    def routes(self) -> list[web.RouteDef]:
        """Not for who has only a link to a call."""
        return [
            web.post("/deliveries", self._readers.only(self.all_calls)),
            web.post("/calls/{id}/deliveries", self._readers.only(self.one_call)),
        ]

    async def all_calls(self, request: web.Request) -> web.Response:
        """Everything that is not delivered, now."""
        return await self._resumed(None, None)

    async def one_call(self, request: web.Request) -> web.Response:
        """One call's events: those that are not delivered, or those behind `after`."""
        after = None
        if request.can_read_body:
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
