"""Writes the audit log as readers are answered, and shows it: `GET /audit`.

    who=, action=, call_id=    only such entries
    since=, until=             a time such as 2026-11-20T10:00:00Z, or a beginning of it
    limit=, before=            how many; `next` of the page before

Every answer to a reader is written down before its first octet leaves, with its status; a feed's when it begins. What
is asked for again within a minute, as a page and a player do, stands there once. A line that cannot be written is
counted and logged, and the answer goes out: a full disk must not keep its owner from deleting calls.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NotRequired

from aiohttp import web
from typing_extensions import TypedDict

from bridge.contract.operation import documented, text, whole
from bridge.errors import StoreError
from bridge.events import timestamp
from bridge.store.auditing import AuditFilter, AuditLog, Entry
from bridge.web.access import VISITOR, Access
from bridge.web.http import BadRequest, answer, check_filters, number, refusal
from bridge.web.idle import network

log = logging.getLogger("bridge.audit")

ACTIONS: Mapping[tuple[str, str], str] = {
    ("GET", "/calls"): "list",
    ("GET", "/calls/live"): "follow",
    ("GET", "/calls/{id}"): "read",
    ("GET", "/calls/{id}/events"): "read",
    ("GET", "/calls/{id}/transcript.{form}"): "read",
    ("GET", "/calls/{id}/audio.wav"): "hear",
    ("POST", "/calls/{id}/links"): "link",
    ("POST", "/calls/{id}/control"): "control",
    ("POST", "/calls/{id}/deliveries"): "deliver",
    ("POST", "/deliveries"): "deliver",
    ("GET", "/deliveries"): "list deliveries",
    ("DELETE", "/calls/{id}"): "delete",
    ("GET", "/backup"): "back up",
    ("GET", "/audit"): "audit",
    ("POST", "/login"): "log in",
    ("POST", "/logout"): "log out",
}
"""What a reader does who is answered on a route."""

_REPEATED = frozenset(("list", "list deliveries", "follow", "read", "hear"))
"""Actions of which a repetition within `_WHILE` is not written, nor is that of a login that failed."""

_WHILE = 60.0  # seconds
_REMEMBERED = 4096  # entries

_What = tuple[str | int | None, ...]

_LIMIT = whole("limit", "Entries of a page, at most.", default=100, least=1, most=1000)
_FILTERS = (
    text("who", "The reader's name."),
    text("action", f"What was done: {', '.join(sorted(set(ACTIONS.values())))}."),
    text("call_id", "The record's id."),
    text("since", "Then or later: a time such as 2026-11-20T10:00:00Z, or a beginning of it."),
    text("until", "Before that, likewise."),
    _LIMIT,
    text("before", "`next` of the page before.", pattern=r"^[^.]*\.[0-9]{1,19}$"),
)


class AuditEntry(TypedDict):
    """What a reader did, as `bridge.store.auditing.Entry` has it."""

    time: str
    who: str
    """The name of the reader's token; empty: no one was let in."""
    via: str
    """`token`, `session` or `link`; `bridge` for what it does by itself."""
    address: str
    """The client's, or its proxy's; empty with `bridge`."""
    action: str
    status: int
    """Of the answer."""
    call_id: NotRequired[str]
    form: NotRequired[str]
    """The end of the path that was asked for, such as `transcript.srt`."""


class AuditPage(TypedDict):
    """A page of the audit log, the newest entries first."""

    entries: list[AuditEntry]
    next: str | None
    """What `before` takes for the next page; None: this is the last."""


class AuditHandlers:
    """`note` is for the application's `on_response_prepare`."""

    def __init__(self, audit: AuditLog, access: Access, wall: Callable[[], float]) -> None:
        """`wall` returns seconds since 1970."""
        self.counters = audit.counters
        self._audit = audit
        self._access = access
        self._wall = wall
        self._written: OrderedDict[tuple[object, ...], float] = OrderedDict()

    def routes(self) -> list[web.RouteDef]:
        """It requires the right `audit`, on the calls of every number."""
        return [web.get("/audit", self._access.only(self.index, "audit"))]

    async def note(self, request: web.Request, response: web.StreamResponse) -> None:
        """Write down that a reader is answered."""
        resource = request.match_info.route.resource
        method = "GET" if request.method == "HEAD" else request.method
        action = ACTIONS.get((method, resource.canonical)) if resource else None
        visitor = request.get(VISITOR)
        if action is None or (visitor is None and action != "log in"):
            return
        who, via = (visitor.reader.name, visitor.via) if visitor else ("", "token")
        call_id = request.match_info.get("id")
        form = request.path.rpartition("/")[2] if call_id and not request.path.endswith(f"/{call_id}") else None
        entry = Entry(timestamp(self._wall()), who, via, request.remote or "", action, call_id, form, response.status)
        what = None if entry.action not in _REPEATED and entry.who else _what(entry)
        if what is None or not self._is_repeated(what):
            await self._write(entry, what)

    @documented(
        "GET /audit",
        "readAudit",
        tag="access",
        takes=_FILTERS,
        answers={200: AuditPage},
        refuses={400: "A filter cannot be understood."},
    )
    async def index(self, request: web.Request) -> web.Response:
        """A page of entries, the newest first."""
        query = request.query
        try:
            check_filters(request, _FILTERS)
            wanted = AuditFilter(*(query.get(name) for name in ("who", "action", "call_id", "since", "until")))
            limit = number(request, _LIMIT)
            entries: Any
            entries, further = await self._audit.read(wanted, query.get("before"), limit)
        except BadRequest as error:
            return refusal(400, str(error))
        except ValueError:
            return refusal(400, "before must be next of the page before.")
        page: AuditPage = {"entries": entries, "next": further}
        return answer(page)

    def _is_repeated(self, what: _What) -> bool:
        now = self._wall()
        before = self._written.get(what)
        if before is not None and 0 <= now - before < _WHILE:  # a clock that was set back hides nothing
            return True
        self._written[what] = now
        self._written.move_to_end(what)
        if len(self._written) > _REMEMBERED:
            self._written.popitem(last=False)
        return False

    async def _write(self, entry: Entry, what: _What | None) -> None:
        try:
            await self._audit.write(entry)
        except StoreError as error:
            if what is not None:
                self._written.pop(what, None)  # the next one is not there already
            log.error(
                "an entry is lost", extra={"action": entry.action, "call_id": entry.call_id, "reason": str(error)}
            )


def _what(entry: Entry) -> _What:
    """What makes it the same as another one. Of a stranger their network does: it has more addresses than a disk has
    room for.
    """
    address = entry.address if entry.who else network(entry.address)
    return (entry.who, entry.via, address, entry.action, entry.call_id, entry.form, entry.status)
