"""Handlers for the delivery: how it stands, and posting to an endpoint again what it did not take, or has lost since.

    GET /deliveries               how each endpoint does, and the calls that are stuck, dead letters first; `endpoint=`,
                                  `limit=` (of the calls)
    POST /deliveries              all calls: what was given up, or waits for its next try, is due now; also after a 410.
                                  With `{"since": "2026-11-20T10:00:00Z"}` every event of that time or later once more
    POST /calls/{id}/deliveries   one call; with `{"after": 12}` everything after that `seq`, delivered or not; with
                                  `{"seq": 12}` that one event, at once and beside all others, if it had its turn

All post to every endpoint that gets the call; with `{"endpoint": "webhook"}`, or another's name, to that one. The
answer is 202, how many calls it concerns, and of how many each endpoint had something left; of one event 200, and what
each endpoint answered. `GET /calls/{id}` shows the progress, under `delivery` and `deliveries`. Events are posted in
order and with the ids they had: a consumer that keeps the ids sees nothing twice. `standing` says what the fields mean.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Protocol

from aiohttp import web
from pydantic import Field
from typing_extensions import TypedDict

from bridge.contract.operation import JSON, Answer, documented, text, whole
from bridge.delivery.posting import Posting
from bridge.events import timestamp
from bridge.outbox import TWILIO, WEBHOOK
from bridge.rights import Right
from bridge.store import CallIndex, CallRow, Outbox
from bridge.web import record, standing
from bridge.web.access import Access
from bridge.web.http import LARGEST, BadRequest, answer, json_object, no_such_call, number, refusal
from bridge.web.standing import EndpointStands, Posted, StuckCall

_AT_ONCE = 100  # calls that are resumed in one commit

Resumptions = dict[str, list[str]]
"""By the name of an endpoint: the ids of the calls of which it had something left."""


class Deliveries(TypedDict):
    """How the delivery stands."""

    endpoints: list[EndpointStands]
    calls: list[StuckCall]
    """Those that are stuck, dead letters first."""
    more: bool
    """Whether there are more of them than `limit`."""
    may: list[Right]
    """What the client may do: to have anything delivered it needs `control`."""


class AllAgain(TypedDict, total=False):
    """To which endpoint; every one, if it is not said."""

    endpoint: str | None
    """An endpoint's name, such as `webhook` or `twilio`."""
    since: str
    """Every event of that time or later once more, delivered or not: ISO 8601."""


class Again(TypedDict, total=False):
    """What is to be posted again, and to which endpoint; without `after` and `seq` what is not delivered."""

    endpoint: str | None
    """As of all calls."""
    after: Annotated[int, Field(ge=0, le=LARGEST)]
    """Everything after this `seq`, delivered or not."""
    seq: Annotated[int, Field(ge=1, le=LARGEST)]
    """This one event, at once and beside all others, if it had its turn."""


class Resumed(TypedDict):
    """What is posted now."""

    calls: int
    """How many calls it concerns, each counted once, to however many endpoints it goes."""
    endpoints: dict[str, int]
    """Of how many each endpoint had something left."""


class PostedAgain(TypedDict):
    """What became of one event that was posted again."""

    endpoints: dict[str, Posted | None]
    """What each endpoint answered that had the event; null: it is told nothing of such an event."""


_LIMIT = whole("limit", "Calls that are stuck, at most.", default=50, least=1, most=200)
_ENDPOINT = text("endpoint", "Only this endpoint.")
_NO_OBJECT = "The body must be an object of application/json, such as {}."
_RESUMED = {202: Answer("It is on its way.", {JSON: Resumed})}
_REFUSES = {400: "The body cannot be understood, or there is no such endpoint.", 409: "There is no webhook."}


class DeliveryStore(CallIndex, Outbox, Protocol):
    """What is needed of a store."""


class DeliveryHandlers:
    """`/deliveries` and `POST /calls/{id}/deliveries`."""

    def __init__(self, posting: Posting, store: DeliveryStore, access: Access, wall: Callable[[], float]) -> None:
        """`wall` returns seconds since 1970."""
        self._posting = posting
        self._store = store
        self._access = access
        self._wall = wall

    def routes(self) -> list[web.RouteDef]:
        """All require a token or a session; a share link is not enough."""
        return [
            web.get("/deliveries", self._access.only(self.index)),
            web.post("/deliveries", self._access.only(self.all_calls, "control")),
            web.post("/calls/{id}/deliveries", self._access.of_call(self.one_call, "control")),
        ]

    @documented(
        "GET /deliveries",
        "listDeliveries",
        tag="delivery",
        takes=[_ENDPOINT, _LIMIT],
        answers={200: Deliveries},
        refuses={400: "The query cannot be understood."},
    )
    async def index(self, request: web.Request) -> web.Response:
        """How each endpoint does, and what is stuck."""
        only = request.query.get(_ENDPOINT.name)
        try:
            limit = number(request, _LIMIT)
        except BadRequest as error:
            return refusal(400, str(error))
        now, posting = self._wall(), self._posting
        backlogs = {backlog.endpoint: backlog for backlog in await self._store.backlogs()}
        names = dict.fromkeys([*posting.senders, *sorted(posting.named), *backlogs])
        endpoints: list[EndpointStands] = []
        for name in names if only is None else [only] if only in names else []:
            async with posting.sender(name) as sender:
                endpoints.append(standing.endpoint(name, sender, backlogs.get(name), now))
        lanes = await self._store.stuck(only, limit=limit + 1)
        calls = [standing.stuck(lane, now) for lane in lanes[:limit]]
        stands: Deliveries = {
            "endpoints": endpoints,
            "calls": calls,
            "more": len(lanes) > limit,
            "may": self._access.rights(request),
        }
        return answer(stands)

    @documented("POST /deliveries", "deliverAll", tag="delivery", body=AllAgain, answers=_RESUMED, refuses=_REFUSES)
    async def all_calls(self, request: web.Request) -> web.Response:
        """Deliver everything that is not delivered, now; or everything since a time."""
        asked = await json_object(request) if request.body_exists else {}
        if asked is None:
            return refusal(400, _NO_OBJECT)
        try:
            only = asked.get("endpoint")
            since = _since(asked["since"]) if "since" in asked else None
            names = self._chosen(await self._named(only, await self._posting.undelivered()), only)
        except BadRequest as error:
            return refusal(409 if self._posting.empty else 400, str(error))
        if since is None:
            return _resumed({name: await self._resume(name, None, None) for name in names})
        told: Resumptions = {name: [] for name in (names if only else self._posting.senders)}
        calls = await self._store.since(since)
        for at in range(0, len(calls), _AT_ONCE):
            page = calls[at : at + _AT_ONCE]
            for resumed in await asyncio.gather(*(self._once_more(*call, only) for call in page)):
                for name, ids in resumed.items():
                    told.setdefault(name, []).extend(ids)
        return _resumed(told)

    async def _named(self, endpoint: object, names: Sequence[str]) -> Sequence[str]:
        """These names, and the endpoint that is asked for, if calls have named it."""
        if not isinstance(endpoint, str) or endpoint in names or await self._store.named_url(endpoint) is None:
            return names
        return [*names, endpoint]

    async def _once_more(self, call_id: str, after: int, only: object) -> Resumptions:
        """Have a call's events after this `seq` delivered once more, to each endpoint that gets some."""
        names = [name for name in await self._posting.of_call(call_id) if only in (None, name)]
        return {name: await self._resume(name, call_id, after) for name in names}

    @documented(
        "POST /calls/{id}/deliveries",
        "deliverCall",
        tag="delivery",
        body=Again,
        answers={**_RESUMED, 200: Answer("One event was posted again.", {JSON: PostedAgain})},
        refuses={
            400: _REFUSES[400],
            404: "There is no such call.",
            409: "There is no webhook, or the event has not had its turn.",
        },
    )
    async def one_call(self, request: web.Request) -> web.Response:
        """Deliver one call's events: those that are not delivered, those after `after`, or the one of `seq`."""
        asked = await json_object(request) if request.body_exists else {}
        if asked is None:
            return refusal(400, _NO_OBJECT)
        call_id = request.match_info["id"]
        try:
            after, seq = _places(asked)
            found = await self._store.calls(call_id=call_id)
            if not found:
                return no_such_call()
            names = self._chosen(await self._posting.of_call(call_id), asked.get("endpoint"))
        except BadRequest as error:
            return refusal(409 if self._posting.empty else 400, str(error))
        if seq is not None:
            return await self._again(found[0], names, seq)
        return _resumed({name: await self._resume(name, call_id, after) for name in names})

    async def _again(self, call: CallRow, names: Sequence[str], seq: int) -> web.Response:
        """Post one event once more, to those that had it."""
        lanes = await self._store.deliveries(call.id)
        had = [name for name in names if name in lanes and lanes[name].cursor >= seq]
        if not had:
            return refusal(409, "That event has not had its turn: deliver the call, which keeps the order.")
        told: dict[str, Posted | None] = {}
        for name in had:
            async with self._posting.sender(name) as sender:
                last = await sender.post_again(call.id, call.header, seq) if sender else None
                told[name] = standing.attempt(last)
        posted: PostedAgain = {"endpoints": told}
        return answer(posted)

    async def _resume(self, name: str, call_id: str | None, after: int | None) -> list[str]:
        async with self._posting.sender(name) as sender:
            return await sender.resume(call_id, after=after) if sender else []

    def _chosen(self, names: Sequence[str], endpoint: object) -> Sequence[str]:
        """Those that are meant. Raises BadRequest."""
        if not names and (self._posting.empty or endpoint is not None):
            raise BadRequest("There is no webhook: set WEBHOOK_URL.")
        if endpoint is not None and endpoint not in names:
            missing = "" if endpoint in [*self._posting.senders] else _missing(endpoint)
            raise BadRequest(f"{missing}endpoint must be {' or '.join(names)}.")
        return [name for name in names if endpoint in (None, name)]


def _places(asked: Mapping[str, object]) -> tuple[int | None, int | None]:
    """`after` and `seq`. Raises BadRequest."""
    if {"after", "seq"} <= asked.keys():
        raise BadRequest("after says from where on, seq which one: ask for one of them.")
    places = []
    for name, least, what in (("after", 0, "the seq of an event, or 0 for all"), ("seq", 1, "the seq of an event")):
        given = asked.get(name)
        is_seq = isinstance(given, int) and not isinstance(given, bool) and least <= given <= LARGEST
        if name in asked and not is_seq:
            raise BadRequest(f"{name} must be {what}, in a body of application/json.")
        places.append(given if isinstance(given, int) else None)
    return places[0], places[1]


def _missing(endpoint: object) -> str:
    """The setting without which this endpoint is not there."""
    setting = {WEBHOOK: "WEBHOOK_URL", TWILIO: "BRIDGE_TWILIO_TRANSCRIPTION_URL"}.get(str(endpoint))
    return f"{setting} is not set: " if setting else ""


def _since(text: object) -> str:
    """A time as events write it. Raises BadRequest."""
    try:
        return timestamp(record.seconds(text if isinstance(text, str) else ""))
    except (ValueError, OverflowError):
        raise BadRequest("since must be a time such as 2026-11-20T10:00:00Z.") from None


def _resumed(told: Resumptions) -> web.Response:
    calls = {call_id for ids in told.values() for call_id in ids}
    resumed: Resumed = {"calls": len(calls), "endpoints": {name: len(ids) for name, ids in told.items()}}
    return answer(resumed, 202)
