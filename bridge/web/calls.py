"""Handlers for the record: the list of calls, one call, its events, its transcript in every form, its deletion.

`record` makes the bodies of the answers, `transcript/` the forms of a transcript. `access` has checked every request
that comes here.
"""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Protocol, TypeVar

from aiohttp import web
from pydantic import Field
from typing_extensions import TypedDict

from bridge.contract.events import DURABLE
from bridge.contract.operation import JSON, Answer, Parameter, documented, text, whole
from bridge.contract.schemas import reference
from bridge.errors import StoreError
from bridge.events import AudioGap, Data, Figures, TranscriptFinal, TranscriptionBackfilled, timestamp
from bridge.store import CallFilter, CallIndex, EventLog, FoundCall, Outbox, Query, StoredEvent
from bridge.store.audio import Recordings
from bridge.transcript import render
from bridge.transcript.figures import Tally, figures
from bridge.transcript.gaps import PAUSED, standing
from bridge.web import audio, record
from bridge.web.access import LONGEST_LINK, Access
from bridge.web.filters import BEFORE, FILTERS, LIMIT, call_filter
from bridge.web.http import HEADERS, BadRequest, answer, json_object, no_such_call, number, refusal, types

D = TypeVar("D", bound=Data)

_MOST_EVENTS = 1000
_TALLIES = 256  # calls whose figures are remembered
_FORMS = {"json": "application/json", "txt": "text/plain", "srt": "application/x-subrip", "vtt": "text/vtt"}

_GAP_EVENTS: Mapping[str, type[AudioGap] | type[TranscriptionBackfilled]] = {
    AudioGap.type: AudioGap,
    TranscriptionBackfilled.type: TranscriptionBackfilled,
}
"""The events that say which audio has no words."""

AFTER = whole("after", "The `seq` after which to begin.", default=0)
EVENTS = whole("limit", "Events of a page, at most.", default=200, least=1, most=_MOST_EVENTS)
_FORM = Parameter("form", "What the file is.", {"type": "string", "enum": list(_FORMS)}, "path")
_ENCODING = text("format", "Mu-law, or PCM of 16 bits.", enum=["mulaw", "pcm"], default="mulaw")
_NO_CALL = "There is no such call."


class Link(TypedDict):
    """A link to one call."""

    url: str
    """For people: the page, at this call."""
    token: str
    """For programs: what `?access=` takes."""
    expires_at: str


class LinkRequest(TypedDict, total=False):
    """What a link is to be."""

    expires_in: Annotated[float, Field(ge=1, le=LONGEST_LINK)]
    """Seconds; an hour, if it is not said."""


class EventPage(TypedDict):
    """A page of a call's events, as they were posted."""

    events: Annotated[list[Any], Field(json_schema_extra={"items": reference(DURABLE)})]
    next_after: int
    """What `after` takes for the next page."""
    ended: bool
    """Whether the call is over, and this is all."""


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
        of_call = self._access.of_call
        return [
            web.get("/calls", self._access.listed(self.index)),
            web.get("/calls/{id}", of_call(self.details)),
            web.delete("/calls/{id}", of_call(self.delete, "delete")),
            web.post("/calls/{id}/links", of_call(self.link)),
            web.get("/calls/{id}/transcript.{form}", of_call(self.transcript)),
            web.get("/calls/{id}/audio.wav", of_call(self.audio)),
        ]

    @documented(
        "GET /calls",
        "listCalls",
        tag="record",
        takes=FILTERS,
        answers={200: record.CallPage},
        refuses={400: "A filter cannot be understood.", 404: "The call that `before` names is gone."},
    )
    async def index(self, request: web.Request) -> web.Response:
        """A page of calls, the newest first."""
        try:
            wanted = replace(call_filter(request), parties=self._access.numbers(request) or None)
            limit = number(request, LIMIT)
        except BadRequest as error:
            return refusal(400, str(error))
        before = request.query.get(BEFORE.name)
        if before is not None and not await self._is_there(request, before):
            return refusal(404, "The call after which to go on is gone; begin with the first page.")
        found = await self._store.find(wanted, before=before, limit=limit + 1)
        calls = [record.summary(call) for call in found[:limit]]
        page: record.CallPage = {"calls": calls, "next": calls[-1]["id"] if len(found) > limit else None}
        return answer(page)

    @documented(
        "GET /calls/{id}",
        "getCall",
        tag="record",
        guard="link",
        answers={200: record.CallDetails},
        refuses={404: _NO_CALL},
    )
    async def details(self, request: web.Request) -> web.Response:
        """Everything about one call but its events."""
        call = await self._call(request)
        if call is None:
            return no_such_call()
        figures = await self._figures(call)
        deliveries = {**dict.fromkeys(self._endpoints), **await self._store.deliveries(call.row.id)}
        ended = call.row.ended_at is not None
        may, audio = self._access.rights(request), ended and await self._recordings.has(call.row.id)
        return answer(record.details(call, figures, deliveries, audio=audio, may=may))

    async def events(self, request: web.Request) -> web.Response:
        """A page of a call's events as JSON, for a webhook's consumer to check that it has all."""
        call = await self._call(request)
        if call is None:
            return no_such_call()
        try:
            after = number(request, AFTER)
            limit = number(request, EVENTS)
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

    @documented(
        "GET /calls/{id}/transcript.{form}",
        "getTranscript",
        tag="record",
        guard="link",
        takes=[_FORM],
        answers={
            200: Answer(
                "What was said by now.",
                {
                    JSON: render.TranscriptDocument,
                    **{_FORMS[form]: {"type": "string"} for form in ("txt", "srt", "vtt")},
                },
            )
        },
        refuses={404: "There is no such call, or no such form."},
    )
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

    @documented(
        "GET /calls/{id}/audio.wav",
        "getAudio",
        tag="record",
        guard="link",
        takes=[_ENCODING, *audio.HEADERS],
        answers=audio.ANSWERS,
        refuses={
            **audio.REFUSES,
            400: "The format is not known.",
            404: "There is no such call, or no recording of it.",
        },
    )
    async def audio(self, request: web.Request) -> web.StreamResponse:
        """The recording, as WAV."""
        form = request.query.get(_ENCODING.name, "mulaw")
        if form not in ("mulaw", "pcm"):
            return refusal(400, "format must be mulaw or pcm.")
        call = await self._call(request)
        if call is None:
            return no_such_call()
        recording = await self._recordings.open(call.row.id) if call.row.ended_at is not None else None
        if recording is None:
            return refusal(404, "There is no recording of this call, or it has not ended.")
        return await audio.respond(request, recording, record.duration(call, self._wall()), pcm=form == "pcm")

    @documented(
        "DELETE /calls/{id}",
        "deleteCall",
        tag="record",
        answers={204: Answer("It is deleted.")},
        refuses={404: _NO_CALL, 409: "The call goes on."},
    )
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

    @documented(
        "POST /calls/{id}/links",
        "makeLink",
        tag="access",
        body=LinkRequest,
        answers={200: Link},
        refuses={400: "`expires_in` cannot be, or the body cannot be read.", 404: _NO_CALL},
    )
    async def link(self, request: web.Request) -> web.Response:
        """Make a link that lets a reader without a token read this one call until it expires."""
        call = await self._call(request)
        if call is None:
            return no_such_call()
        asked = await json_object(request) if request.body_exists else {}
        seconds = asked.get("expires_in", 3600.0) if asked is not None else None
        if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 1 <= seconds <= LONGEST_LINK:
            return refusal(400, f"expires_in must be seconds, 1 to {LONGEST_LINK:.0f}, in a body of application/json.")
        token, expires = self._access.link(request, call.row.id, seconds)
        url = f"{self._access.origin(request)}/?call={call.row.id}#access={token}"
        made: Link = {"url": url, "token": token, "expires_at": timestamp(int(expires))}
        return answer(made)

    async def _is_there(self, request: web.Request, call_id: str) -> bool:
        """Whether there is such a call, as far as the reader is to know."""
        if self._access.numbers(request):
            return await self._access.shows(request, call_id)
        return bool(await self._store.calls(call_id=call_id))

    async def _call(self, request: web.Request) -> FoundCall | None:
        found = await self._store.find(CallFilter(id=request.match_info["id"]), limit=1)
        return found[0] if found else None

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
