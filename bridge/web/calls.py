"""Handlers for the record: the list of calls, one call, its events, its transcript in every form, its deletion.

`record` makes the bodies of the answers, `transcript/` the forms of a transcript. `access` has checked every request
that comes here.
"""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from aiohttp import web

from bridge.errors import StoreError
from bridge.events import AudioGap, Data, Figures, TranscriptFinal, TranscriptionBackfilled, timestamp
from bridge.store import CallFilter, CallIndex, EventLog, FoundCall, Outbox, Query, StoredEvent
from bridge.store.audio import Recording, Recordings
from bridge.transcript import render
from bridge.transcript.figures import Tally, figures
from bridge.transcript.gaps import PAUSED, standing
from bridge.web import audio, record
from bridge.web.access import LONGEST_LINK, Access
from bridge.web.http import HEADERS, BadRequest, answer, json_field, no_such_call, number, refusal, types

D = TypeVar("D", bound=Data)

_PAGE, _LONGEST_PAGE = 50, 200
_EVENTS, _MOST_EVENTS = 200, 1000
_TALLIES = 256  # calls whose figures are remembered
_FORMS = {"json": "application/json", "txt": "text/plain", "srt": "application/x-subrip", "vtt": "text/vtt"}

_GAP_EVENTS: Mapping[str, type[AudioGap] | type[TranscriptionBackfilled]] = {
    AudioGap.type: AudioGap,
    TranscriptionBackfilled.type: TranscriptionBackfilled,
}
"""The events that say which audio has no words."""

_FILTERS = frozenset(("active", "carrier_call_id", "from", "to", "since", "until", "q", "limit", "before"))

Delete = Callable[[str], Awaitable[bool]]
"""Deletes a call and everything that belongs to it; False: there is none. Raises StoreError if the call is going on, or
cannot be deleted now."""


class RecordStore(EventLog, CallIndex, Outbox, Protocol):
    """The parts of a store that these handlers read."""


class CallHandlers:
    """`/calls` and the paths below it, except the streams."""

    def __init__(
        self,
        store: RecordStore,
        access: Access,
        *,
        endpoints: Sequence[str],
        delete: Delete,
        recordings: Recordings,
        wall: Callable[[], float],
    ) -> None:
        """`endpoints`: those whose deliveries are shown, the webhook first. `wall` returns seconds since 1970."""
        self._store = store
        self._access = access
        self._endpoints = tuple(endpoints)
        self._delete = delete
        self._recordings = recordings
        self._wall = wall
        self._tallies: OrderedDict[str, tuple[int, Tally]] = OrderedDict()

    def routes(self) -> list[web.RouteDef]:
        """All require access; a share link is enough to read one call."""
        only, of_call = self._access.only, self._access.of_call
        return [
            web.get("/calls", only(self.index)),
            web.get("/calls/{id}", of_call(self.details)),
            web.delete("/calls/{id}", only(self.delete)),
            web.post("/calls/{id}/links", only(self.link)),
            web.get("/calls/{id}/transcript.{form}", of_call(self.transcript)),
            web.get("/calls/{id}/audio.wav", of_call(self.audio)),
        ]

    async def index(self, request: web.Request) -> web.Response:
        """A page of calls, the newest first."""
        try:
            wanted = _filter(request)
            limit = number(request, "limit", _PAGE, least=1, most=_LONGEST_PAGE)
        except BadRequest as error:
            return refusal(400, str(error))
        before = request.query.get("before")
        found = await self._store.find(wanted, before=before, limit=limit + 1)
        if before is not None and not found and not await self._store.calls(call_id=before):
            return refusal(404, "The call after which to go on is gone; begin with the first page.")
        calls = [record.summary(call) for call in found[:limit]]
        return answer({"calls": calls, "next": calls[-1]["id"] if len(found) > limit else None})

    async def details(self, request: web.Request) -> web.Response:
        """Everything about one call but its events."""
        call = await self._call(request)
        if call is None:
            return no_such_call()
        figures = await self._figures(call)
        deliveries = {name: await self._store.delivery(name, call.row.id) for name in self._endpoints}
        return answer(record.details(call, figures, deliveries, await self._recording(call) is not None))

    async def events(self, request: web.Request) -> web.Response:
        """A page of a call's events as JSON, for a webhook's consumer to check that it has all."""
        call = await self._call(request)
        if call is None:
            return no_such_call()
        try:
            after = number(request, "after", 0)
            limit = number(request, "limit", _EVENTS, least=1, most=_MOST_EVENTS)
            query = Query(call.row.id, types(request))
        except BadRequest as error:
            return refusal(400, str(error))
        events = await self._store.read(query, after=after, limit=limit)
        newest = events[-1].seq if events else 0
        next_after = newest if len(events) == limit else max(after, call.row.tip, newest)
        ended = "true" if call.row.ended_at is not None and next_after >= call.row.tip else "false"
        bodies = ",".join(event.body for event in events)
        text = f'{{"events":[{bodies}],"next_after":{next_after},"ended":{ended}}}'
        return web.Response(text=text, content_type="application/json", headers=HEADERS)

    async def transcript(self, request: web.Request) -> web.Response:
        """What was said, as a file."""
        form = request.match_info["form"]
        if form not in _FORMS:
            return refusal(404, f"A transcript ends in {', '.join(f'.{form}' for form in _FORMS)}.")
        call = await self._call(request)
        if call is None:
            return no_such_call()
        events = await self._read(call, (TranscriptFinal.type, AudioGap.type, TranscriptionBackfilled.type))
        text = await asyncio.to_thread(_rendered, form, call, events, self._wall())
        name = f'inline; filename="{call.row.id}.{form}"'
        headers = {**HEADERS, "Content-Disposition": name}
        return web.Response(text=text, content_type=_FORMS[form], charset="utf-8", headers=headers)

    async def audio(self, request: web.Request) -> web.StreamResponse:
        """The recording, as WAV."""
        form = request.query.get("format", "mulaw")
        if form not in ("mulaw", "pcm"):
            return refusal(400, "format must be mulaw or pcm.")
        call = await self._call(request)
        if call is None:
            return no_such_call()
        recording = await self._recording(call)
        if recording is None:
            return refusal(404, "There is no recording of this call, or it has not ended.")
        return await audio.respond(request, recording, record.duration(call, self._wall()), pcm=form == "pcm")

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a call that has ended: record, audio, search index, what is still to be delivered."""
        call_id = request.match_info["id"]
        try:
            deleted = await self._delete(call_id)
        except StoreError as error:
            call = await self._call(request)
            if call is not None and call.row.ended_at is None:
                return refusal(409, f"{error}; it can be deleted when it has ended.")
            return refusal(503, f"{error}; nothing is lost by asking again.")
        self._tallies.pop(call_id, None)
        return web.Response(status=204, headers=HEADERS) if deleted else no_such_call()

    async def link(self, request: web.Request) -> web.Response:
        """Make a link that lets a reader without a token read this one call until it expires."""
        call = await self._call(request)
        if call is None:
            return no_such_call()
        seconds = 3600.0 if not request.body_exists else await json_field(request, "expires_in")
        if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 1 <= seconds <= LONGEST_LINK:
            return refusal(400, f"expires_in must be seconds, 1 to {LONGEST_LINK:.0f}, in a body of application/json.")
        token, expires = self._access.link(call.row.id, seconds)
        url = f"{self._access.origin(request)}/?call={call.row.id}#access={token}"
        return answer({"url": url, "token": token, "expires_at": timestamp(int(expires))})

    async def _call(self, request: web.Request) -> FoundCall | None:
        found = await self._store.find(CallFilter(id=request.match_info["id"]), limit=1)
        return found[0] if found else None

    async def _recording(self, call: FoundCall) -> Recording | None:
        """The recording, once the call has ended; None while it goes on."""
        return await self._recordings.open(call.row.id) if call.row.ended_at is not None else None

    async def _figures(self, call: FoundCall) -> Figures:
        """The figures of everything that is transcribed by now; only finals since the last request are read."""
        if told := record.final_figures(call):
            return told
        known = self._tallies.pop(call.row.id) if call.row.id in self._tallies else None
        seq, tally = known or (0, Tally(json.loads(call.row.header)["speakers"]))
        events = await self._read(call, (TranscriptFinal.type, AudioGap.type), after=seq)
        await asyncio.to_thread(_add, tally, events)
        self._tallies[call.row.id] = (max([seq, *(event.seq for event in events)]), tally)
        while len(self._tallies) > _TALLIES:
            self._tallies.popitem(last=False)
        # While the call goes on, the time after the newest final is not known yet; it must not count as silence.
        live = call.row.ended_at is None
        return tally.figures(tally.heard if live else record.duration(call, self._wall()))

    async def _read(self, call: FoundCall, types: tuple[str, ...], after: int = 0) -> list[StoredEvent]:
        """All events of these types."""
        events: list[StoredEvent] = []
        query = Query(call.row.id, types)
        while page := await self._store.read(query, after=events[-1].seq if events else after, limit=_MOST_EVENTS):
            events += page
        return events


def _add(tally: Tally, events: list[StoredEvent]) -> None:
    for event in events:
        if event.type == TranscriptFinal.type:
            tally.add(_data(TranscriptFinal, event))
        elif (gap := _data(AudioGap, event)).why == PAUSED:
            tally.leave_out(gap.from_, gap.to)


def _rendered(form: str, call: FoundCall, events: list[StoredEvent], now: float) -> str:
    """Runs in a thread: rendering a call of hours takes long enough to hold up the event loop."""
    finals = [_data(TranscriptFinal, event) for event in events if event.type == TranscriptFinal.type]
    gaps = standing(_data(_GAP_EVENTS[event.type], event) for event in events if event.type in _GAP_EVENTS)
    completeness = record.completeness(call)
    header = json.loads(call.row.header)
    match form:
        case "srt":
            return render.srt(finals)
        case "vtt":
            return render.vtt(finals)
        case "txt":
            return render.text(header, finals, gaps, completeness)
        case _:
            told = figures(finals, record.duration(call, now), header["speakers"])
            document = render.document(header, finals, gaps, told, completeness, record.latency(call))
            return json.dumps(document, ensure_ascii=False)


def _data(kind: type[D], event: StoredEvent) -> D:
    return kind.model_validate(json.loads(event.body)["data"])


def _filter(request: web.Request) -> CallFilter:
    """The filter in the query. Raises BadRequest."""
    query = request.query
    if unknown := sorted(set(query) - _FILTERS):
        raise BadRequest(f"There is no filter {unknown[0]}; there are {', '.join(sorted(_FILTERS))}.")
    if query.get("active", "true") not in ("true", "false"):
        raise BadRequest("active must be true or false.")
    return CallFilter(
        carrier_call_id=query.get("carrier_call_id") or None,
        active=query["active"] == "true" if "active" in query else None,
        from_=_party(query.get("from")),
        to=_party(query.get("to")),
        since=_time(request, "since"),
        until=_time(request, "until"),
        text=query.get("q") or None,
    )


def _party(text: str | None) -> str | None:
    """Part of a number, stripped: a plus sign that the client did not encode arrives as a space."""
    return text.strip() if text else None


def _time(request: web.Request, name: str) -> float | None:
    text = request.query.get(name)
    if not text:
        return None
    try:
        # A time zone's plus sign that the client did not encode arrives as a space.
        return record.seconds(text.replace(" ", "+"))
    except ValueError:
        raise BadRequest(f"{name} must be a time such as 2026-11-20T10:00:00Z.") from None
