"""Handlers for the live feed: one call's events, or those of all calls, as they become durable.

    GET /calls/{id}/events   JSON, a page; a stream to `Accept: text/event-stream`, or to a WebSocket's upgrade
    GET /calls/live          all calls; always a stream

Server-sent events carry a cursor as `id`, interims none. A client that comes back with `Last-Event-ID` or `?after=`
gets history first and then live events, without a hole or a repeat. An `event: reset` says that the cursor was of
another record, `event: end` that the call is over. A WebSocket carries the same events, each message one event's JSON.
"""

import asyncio
import struct
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from random import Random
from socket import SO_LINGER, SOL_SOCKET

from aiohttp import WSCloseCode, web

from bridge.contract.operation import JSON, Answer, Parameter, documented
from bridge.event_stream import COMMENT, encode
from bridge.live import Follower, Item, Live
from bridge.store import CallFilter, CallIndex
from bridge.web.access import Access
from bridge.web.calls import AFTER, EVENTS, EventPage
from bridge.web.http import (
    HEADERS,
    TYPES,
    BadRequest,
    Handler,
    check_upgrade,
    digits,
    no_such_call,
    number,
    refusal,
    types,
)

_RESET = encode(event="reset", data="{}")
_END = encode(event="end", data="{}")

_EVENT_STREAM = {"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}

LAST_ID = Parameter(
    "Last-Event-ID",
    "The `id` after which to go on: in a stream, and newer than `after`.",
    {"type": "string"},
    "header",
)
_STREAM = {"text/event-stream": {"type": "string", "description": "Server-sent events; `/asyncapi.json` has them."}}
_SOCKET = Answer("A WebSocket: one event a message; `/asyncapi.json` has them.")
_BAD_CURSOR = "The cursor, or a type of events, cannot be understood."

_SMALL = 16 * 1024  # octets: a smaller write to an empty buffer does not wait for the reader
_LARGEST_MESSAGE = 4096  # octets of a reader's message; all of them are ignored

_REMEMBERED = 1024  # calls: more than go on at once with any reader

_Batches = AsyncIterator[list[Item]]
_Choose = Callable[[list[Item]], Awaitable[list[Item]]]


@dataclass(frozen=True, slots=True)
class FeedPolicy:
    """In seconds."""

    silence: float = 15.0
    """After so long a comment is sent; proxies cut a connection that is silent for a minute."""
    stall: float = 20.0
    """For so long a reader may take nothing, before the connection is cut."""


class FeedHandlers:
    """Streams events to readers."""

    def __init__(
        self,
        live: Live,
        store: CallIndex,
        access: Access,
        page: Handler,
        random: Random,
        policy: FeedPolicy | None = None,
    ) -> None:
        """`page`: handler for clients that did not ask for a stream."""
        self._policy = policy or FeedPolicy()
        self._live = live
        self._store = store
        self._access = access
        self._page = page
        self._random = random

    def routes(self) -> list[web.RouteDef]:
        """Both require access; a share link is enough for the events of its call."""
        return [
            web.get("/calls/live", self._access.listed(self.all_calls)),
            web.get("/calls/{id}/events", self._access.of_call(self.one_call)),
        ]

    @documented(
        "GET /calls/live",
        "followCalls",
        tag="live",
        takes=[AFTER, TYPES, LAST_ID],
        answers={101: _SOCKET, 200: Answer("The events as they come, without end.", _STREAM)},
        refuses={400: _BAD_CURSOR},
    )
    async def all_calls(self, request: web.Request) -> web.StreamResponse:
        """Every call's events after a cursor; or from now on, preceded by the `call.started` of those that go on."""
        try:
            return await self._stream(request, None, _cursor(request), types(request))
        except BadRequest as error:
            return refusal(400, str(error))

    @documented(
        "GET /calls/{id}/events",
        "getEvents",
        tag="live",
        guard="link",
        takes=[AFTER, EVENTS, TYPES, LAST_ID],
        answers={
            101: _SOCKET,
            200: Answer("A page of them; to `Accept: text/event-stream` as they come.", {JSON: EventPage, **_STREAM}),
            204: Answer("To a client that comes back for a stream: the call is over, and it has everything."),
        },
        refuses={400: _BAD_CURSOR, 404: "There is no such call."},
    )
    async def one_call(self, request: web.Request) -> web.StreamResponse:
        """One call's events, from the first or after a cursor, up to its end."""
        if not (_is_socket(request) or "text/event-stream" in request.headers.get("Accept", "")):
            return await self._page(request)
        call_id = request.match_info["id"]
        found = await self._store.find(CallFilter(id=call_id), limit=1)
        if not found:
            return no_such_call()
        row = found[0].row
        try:
            cursor = _cursor(request)
            if cursor == row.tip and row.ended_at is not None and not _is_socket(request):
                return web.Response(status=204, headers=HEADERS)  # 204 stops an EventSource from reconnecting
            return await self._stream(request, call_id, cursor or 0, types(request))
        except BadRequest as error:
            return refusal(400, str(error))

    async def _stream(
        self, request: web.Request, call_id: str | None, cursor: int | None, wanted: tuple[str, ...]
    ) -> web.StreamResponse:
        theirs = _Theirs(self._access, request) if call_id is None and self._access.numbers(request) else None

        async def choose(items: list[Item]) -> list[Item]:
            chosen = [item for item in items if item.type in wanted] if wanted else items
            return [item for item in chosen if await theirs.has(item.call_id)] if theirs else chosen

        async with self._live.follow(call_id, cursor) as follower:
            from_now = call_id is None and (cursor is None or follower.reset)
            first = await choose(await follower.starts()) if from_now else []
            send = self._to_socket if _is_socket(request) else self._to_event_source
            return await send(request, follower, first, self._batches(follower, choose))

    async def _to_event_source(
        self, request: web.Request, follower: Follower, first: list[Item], batches: _Batches
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={**HEADERS, **_EVENT_STREAM})

        async def write(data: bytes) -> None:
            transport = request.transport
            if transport and not transport.get_write_buffer_size() and len(data) < _SMALL:
                await response.write(data)  # does not block, so it needs no timeout
                return
            async with asyncio.timeout(self._policy.stall):
                await response.write(data)

        try:
            await response.prepare(request)
            if request.method == "HEAD":  # the client would take a body for the next answer
                return response
            # `retry` is random, so that readers do not all reconnect at once after a restart. The cursor comes first,
            # for a connection that breaks before the first event.
            head = encode(retry=self._random.randint(1000, 4000)) + (_RESET if follower.reset else b"")
            await write(head + _encoded(first) + encode(id=follower.cursor))
            async for items in batches:
                await write(_encoded(items) or COMMENT)
            await write(_END if follower.ended else b"")
        except TimeoutError:
            _abort(request)
        except ConnectionError:
            pass  # the reader has gone
        return response

    async def _to_socket(
        self, request: web.Request, follower: Follower, first: list[Item], batches: _Batches
    ) -> web.StreamResponse:
        socket = web.WebSocketResponse(heartbeat=self._policy.silence, max_msg_size=_LARGEST_MESSAGE)

        async def send(items: list[Item]) -> None:
            async with asyncio.timeout(self._policy.stall):
                for item in items:
                    await socket.send_str(item.body)

        async def write() -> None:
            try:
                await send(first)
                async for items in batches:
                    await send(items)
                why = (WSCloseCode.OK, b"call ended") if follower.ended else (WSCloseCode.SERVICE_RESTART, b"")
                await socket.close(code=why[0], message=why[1])
            except TimeoutError:
                _abort(request)
            except ConnectionError:
                pass  # the reader has gone

        check_upgrade(request, socket)
        try:
            await socket.prepare(request)
        except ConnectionError:
            return socket  # the reader has gone
        async with asyncio.TaskGroup() as both:  # an error in one ends the other
            writing = both.create_task(write())
            async for _ in socket:  # reads only to notice that the reader has gone
                pass
            writing.cancel()
        return socket

    async def _batches(self, follower: Follower, choose: _Choose) -> AsyncIterator[list[Item]]:
        """The items for a reader, until nothing follows; an empty list asks for a keep-alive comment."""
        clock = asyncio.get_running_loop().time
        spoke = clock()
        while (items := await follower.receive()) is not None:
            chosen = await choose(items)
            # A follower returns at least every pulse seconds, so the keep-alive needs no timer of its own.
            if chosen or clock() - spoke >= self._policy.silence - self._live.pulse:
                yield chosen
                spoke = clock()


class _Theirs:
    """Which of all calls are those of a reader who has numbers, asked once of each."""

    def __init__(self, access: Access, request: web.Request) -> None:
        self._access = access
        self._request = request
        self._known: OrderedDict[str, bool] = OrderedDict()

    async def has(self, call_id: str) -> bool:
        if call_id not in self._known:
            self._known[call_id] = await self._access.shows(self._request, call_id)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return self._known[call_id]


def _encoded(items: list[Item]) -> bytes:
    return b"".join(item.encoded() for item in items)


def _cursor(request: web.Request) -> int | None:
    """The reader's cursor. The header is newer than the query, as an EventSource keeps its URL. Raises BadRequest."""
    last = request.headers.get("Last-Event-ID", "")
    if last:
        cursor = digits(last)
        if cursor is None:
            raise BadRequest("Last-Event-ID must be an id that this feed has sent.")
        return cursor
    return number(request, AFTER) if AFTER.name in request.query else None


def _is_socket(request: web.Request) -> bool:
    return request.headers.get("Upgrade", "").lower() == "websocket"


def _abort(request: web.Request) -> None:
    """Cut the connection of a reader that takes nothing, and drop what the kernel still holds for it."""
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        # Without this the kernel retries for minutes, and the reader does not learn of the end.
        connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
