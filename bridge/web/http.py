"""What the doors of the record have in common: how a query is read, how an answer looks, how a door says no."""

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
"""Of every answer about calls: nobody keeps it, and no address, which may hold a token, goes anywhere."""

_LONGEST_NUMBER = 100  # digits: of thousands Python refuses to make a number


class BadRequest(Exception):
    """What is asked for makes no sense; the message is a sentence for who asked."""


def answer(body: Mapping[str, Any]) -> web.Response:
    """JSON."""
    return web.json_response(body, headers=HEADERS, dumps=lambda value: json.dumps(value, ensure_ascii=False))


def refusal(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """No, and why."""
    return web.json_response({"error": sentence}, status=status, headers={**HEADERS, **(headers or {})})


def no_such_call() -> web.Response:
    """404."""
    return refusal(404, "There is no such call.")


def number(request: web.Request, name: str, default: int, *, least: int = 0, most: int = 2**53) -> int:
    """A whole number in the query. Raises BadRequest."""
    text = request.query.get(name)
    if text is None:
        return default
    value = digits(text)
    if value is None or not least <= value <= most:
        raise BadRequest(f"{name} must be a whole number, {least} to {most}.")
    return value


def digits(text: str) -> int | None:
    """What ASCII digits say; None for anything else, and for a number that is longer than any of ours."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER else None


def types(request: web.Request) -> tuple[str, ...]:
    """The event types that are asked for; empty: all. Raises BadRequest."""
    names = tuple(name for name in request.query.get("types", "").split(",") if name)
    if unknown := set(names) - set(EVENT_TYPES):
        raise BadRequest(f"There is no event type {min(unknown)}; there are {', '.join(EVENT_TYPES)}.")
    return names


async def json_field(request: web.Request, name: str) -> object:
    """One field of a JSON body; None where there is none. Another content type is no JSON: forms send those."""
    if request.content_type != "application/json":
        return None
    try:
        body = await request.json()
    except (ValueError, RecursionError):  # no JSON, no text, a number of thousands of digits; brackets without an end
        return None
    return body.get(name) if isinstance(body, dict) else None
