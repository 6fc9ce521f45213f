"""Which calls a list has: what the query of `GET /calls` can ask for."""

from aiohttp import web

from bridge.contract.operation import Parameter, text, whole
from bridge.store import CallFilter
from bridge.web import record
from bridge.web.http import BadRequest, check_filters

_PAGE, _LONGEST_PAGE = 50, 200

LIMIT = whole("limit", "Calls of a page, at most.", default=_PAGE, least=1, most=_LONGEST_PAGE)
BEFORE = text("before", "`next` of the page before.")
_ACTIVE = Parameter(
    "active", "`true`: calls that go on; `false`: those that have ended.", {"type": "string", "enum": ["true", "false"]}
)
_ID = text("id", "What the call's id begins with.")
_CARRIER_CALL_ID = text("carrier_call_id", "The carrier's id of a call: all of its records.")
_FROM = text("from", "Part of the number or name that calls.")
_TO = text("to", "Part of the number or name that is called.")
_MOMENT = {"anyOf": [{"format": "date-time"}, {"maxLength": 0}]}
_SINCE = text("since", "Begun then or later: ISO 8601, in UTC where it names no zone.", **_MOMENT)
_UNTIL = text("until", "Begun before that, likewise.", **_MOMENT)
_WORDS = text("q", 'Words that were said, in any order and script; `"in this order"`, `begin*`.')

FILTERS = (_ACTIVE, _ID, _CARRIER_CALL_ID, _FROM, _TO, _SINCE, _UNTIL, _WORDS, LIMIT, BEFORE)


def call_filter(request: web.Request) -> CallFilter:
    """The filter in the query. Raises BadRequest."""
    query = request.query
    check_filters(request, FILTERS)
    if query.get(_ACTIVE.name, "true") not in ("true", "false"):
        raise BadRequest("active must be true or false.")
    return CallFilter(
        begins=query.get(_ID.name) or None,
        carrier_call_id=query.get(_CARRIER_CALL_ID.name) or None,
        active=query[_ACTIVE.name] == "true" if _ACTIVE.name in query else None,
        from_=_party(query.get(_FROM.name)),
        to=_party(query.get(_TO.name)),
        since=_time(request, _SINCE),
        until=_time(request, _UNTIL),
        text=query.get(_WORDS.name) or None,
    )


def _party(given: str | None) -> str | None:
    """Part of a number, stripped: a plus sign that the client did not encode arrives as a space."""
    return given.strip() if given else None


def _time(request: web.Request, parameter: Parameter) -> float | None:
    given = request.query.get(parameter.name)
    if not given:
        return None
    try:
        # A time zone's plus sign that the client did not encode arrives as a space.
        return record.seconds(given.replace(" ", "+"))
    except ValueError:
        raise BadRequest(f"{parameter.name} must be a time such as 2026-11-20T10:00:00Z.") from None
