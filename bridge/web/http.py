"""What the record's handlers share: reading a query, answering, refusing."""

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from aiohttp import web

from bridge.contract.operation import Parameter, Refusal, text
from bridge.events import EVENT_TYPES

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Headers of every answer about calls: no cache stores it, and the address, which may hold a token, is not sent on."""

LARGEST = 2**53
"""The largest whole number that JSON carries to every reader."""

_LONGEST_NUMBER = 100  # digits: Python refuses to convert thousands of them


_ANY_TYPE = "|".join(map(re.escape, EVENT_TYPES))
TYPES = text(
    "types",
    "Types of events, with commas between them; all, where none is named.",
    pattern=f"^,*(({_ANY_TYPE})(,+|$))*$",
)


class BadRequest(Exception):
    """The request cannot be understood; the message is a sentence for the client."""


def answer(body: Mapping[str, Any], status: int = 200) -> web.Response:
    """An answer of JSON about calls, in UTF-8."""
    return web.json_response(
        body, status=status, headers=HEADERS, dumps=lambda value: json.dumps(value, ensure_ascii=False)
    )


def refusal(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """An error with one sentence that says why."""
    body: Refusal = {"error": sentence}
    return web.json_response(body, status=status, headers={**HEADERS, **(headers or {})})


def no_such_call() -> web.Response:
    """The 404 of a call that is not in the record."""
    return refusal(404, "There is no such call.")


def number(request: web.Request, parameter: Parameter) -> int:
    """A whole number from the query, or its default, or 0. Raises BadRequest."""
    given = request.query.get(parameter.name)
    if given is None:
        return int(parameter.schema.get("default", 0))
    least, most = parameter.schema["minimum"], parameter.schema["maximum"]
    value = digits(given)
    if value is None or not least <= value <= most:
        raise BadRequest(f"{parameter.name} must be a whole number, {least} to {most}.")
    return value


def digits(text: str) -> int | None:
    """The number that ASCII digits spell; None for other text, and for more digits than we ever write."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER else None


def types(request: web.Request) -> tuple[str, ...]:
    """The event types in the query; empty: all. Raises BadRequest."""
    names = tuple(name for name in request.query.get(TYPES.name, "").split(",") if name)
    if unknown := set(names) - set(EVENT_TYPES):
        raise BadRequest(f"There is no event type {min(unknown)}; there are {', '.join(EVENT_TYPES)}.")
    return names


def check_upgrade(request: web.Request, socket: web.WebSocketResponse) -> None:
    """Raises HTTPBadRequest for a request that is no upgrade to this socket, in our words and not the library's."""
    if not socket.can_prepare(request):
        raise web.HTTPBadRequest(text="This is no upgrade to a WebSocket.")


@web.middleware
async def refuse_in_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give every refusal the same form: what is raised, by us or by the library, is answered as `refusal` does."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        kept = {name: error.headers[name] for name in ("Allow", "WWW-Authenticate") if name in error.headers}
        response = refusal(error.status, _sentence(request, error), kept)
        if error.keep_alive is False:
            response.force_close()
        return response


def _sentence(request: web.Request, error: web.HTTPException) -> str:
    """Why; what the library raises by itself has other words, and may quote the request."""
    match error.status:
        case 404:
            return "There is nothing here; /openapi.json says what there is."
        case 405:
            return f"This path takes {error.headers.get('Allow', 'no such method').replace(',', ', ')}."
        case 413:
            return f"A body has at most {request.client_max_size} octets."
        case 417:
            return "Expect takes 100-continue only."
    return (error.text or error.reason).strip()


def check_filters(request: web.Request, known: Iterable[Parameter]) -> None:
    """Raises BadRequest for a query that has others."""
    names = {each.name for each in known}
    if unknown := sorted(set(request.query) - names):
        raise BadRequest(f"There is no filter {unknown[0]}; there are {', '.join(sorted(names))}.")


async def json_object(request: web.Request) -> dict[str, Any] | None:
    """A JSON body, if it is an object. Other content types are not read: a form of another site can send them."""
    if request.content_type != "application/json":
        return None
    try:
        body = await request.json()
    # Not JSON, not text, a number of thousands of digits; too many open brackets; a charset that there is not.
    except (ValueError, RecursionError, LookupError):
        return None
    return body if isinstance(body, dict) else None


async def json_field(request: web.Request, name: str) -> object:
    """One field of a JSON body, or None; as `json_object`."""
    return (await json_object(request) or {}).get(name)
