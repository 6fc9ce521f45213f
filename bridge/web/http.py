"""What the record's handlers share: reading a query, answering, refusing."""

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from bridge.events import EVENT_TYPES

HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Headers of every answer about calls: no cache stores it, and the address, which may hold a token, is not sent on."""

_LONGEST_NUMBER = 100  # digits: Python refuses to convert thousands of them


class BadRequest(Exception):
    """The request cannot be understood; the message is a sentence for the client."""


def answer(body: Mapping[str, Any]) -> web.Response:
    """An answer of JSON about calls, in UTF-8."""
    return web.json_response(body, headers=HEADERS, dumps=lambda value: json.dumps(value, ensure_ascii=False))


def refusal(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """An error with one sentence that says why."""
    return web.json_response({"error": sentence}, status=status, headers={**HEADERS, **(headers or {})})


def no_such_call() -> web.Response:
    """The 404 of a call that is not in the record."""
    return refusal(404, "There is no such call.")


def number(request: web.Request, name: str, default: int, *, least: int = 0, most: int = 2**53) -> int:
    """A whole number from the query, `least` to `most`. Raises BadRequest."""
    text = request.query.get(name)
    if text is None:
        return default
    value = digits(text)
    if value is None or not least <= value <= most:
        raise BadRequest(f"{name} must be a whole number, {least} to {most}.")
    return value


def digits(text: str) -> int | None:
    """The number that ASCII digits spell; None for other text, and for more digits than we ever write."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER else None


def types(request: web.Request) -> tuple[str, ...]:
    """The event types in the query; empty: all. Raises BadRequest."""
    names = tuple(name for name in request.query.get("types", "").split(",") if name)
    if unknown := set(names) - set(EVENT_TYPES):
        raise BadRequest(f"There is no event type {min(unknown)}; there are {', '.join(EVENT_TYPES)}.")
    return names


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
