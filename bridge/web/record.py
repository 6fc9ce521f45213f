"""What the record says of a call: the JSON of the query API, made from what the store returns.

Pure; `calls` handles the requests, and the types here are what `/openapi.json` says of its answers.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from typing_extensions import TypedDict

from bridge.events import Direction, Figures, Latency, Request, timestamp
from bridge.outbox import LaneState, Parties
from bridge.rights import Right
from bridge.store import FoundCall
from bridge.transcript import gaps
from bridge.transcript.gaps import Completeness


class Said(TypedDict):
    """What a speaker said last."""

    speaker: str | None
    text: str | None


class CallSummary(Parties):
    """A call, as a list has it."""

    id: str
    """The record's."""
    carrier: str | None
    """As the `call` object of a webhook's envelope has it; so are the others up to `started_at`."""
    carrier_call_id: str | None
    continues: str | None
    direction: Direction | None
    speakers: dict[str, str] | None
    started_at: str | None
    name: str | None
    """Of a recording that was imported: its file's, or Twilio's id; else None."""
    continued_by: str | None
    """The record that continues this one; None where there is none."""
    ended_at: str | None
    """None while the call goes on."""
    active: bool
    """Whether it goes on."""
    duration: float | None
    """Seconds of its audio; None before its end."""
    reason: str | None
    """Why it ended, as `call.ended` says it; None before."""
    seq: int
    """The newest event's."""
    missing: float | None
    """Seconds of its audio that have no words by now, on the track that lacks more; None before its end."""
    waiting: float | None
    """Seconds of `missing` that are still being transcribed from kept audio; 0: nothing more comes by itself."""
    backfilled: float | None
    """Seconds that had no words at its end, and have been transcribed since."""
    last: Said | None
    """While the call goes on; else None."""
    snippet: str | None
    """Where `q` was asked for, some of what was said around the words that were found; else None."""
    figures: Figures | None
    """As `call.ended` has them. In a list: what it said, which is without what was `backfilled`; None before. Of a call
    alone: of everything that is transcribed by now, and never None.
    """


DeliveryState = Literal["none", "delivered", "pending", "parked"]
"""`none`: the endpoint does not get this call.
`delivered`: it has every event.
`pending`: some are on their way, or are tried again.
`parked`: given up; what is left is kept.
"""


class DeliveryStanding(TypedDict):
    """How the delivery of a call to an endpoint stands."""

    state: DeliveryState
    cursor: int | None
    """The last `seq` that was delivered, or skipped; None with `none`."""
    attempts: int
    """Failures in a row."""
    reason: str | None
    """With `parked`, why it was given up; with `pending`, why the last try failed, e.g. `status 503`,
    `connect (ECONNREFUSED)`; None if it did not.
    """


class Audio(TypedDict):
    """A call's recording."""

    available: bool
    """Whether there is one."""
    url: str
    """Where, for a client that may read the call."""


class CallDetails(CallSummary):
    """A call alone. `counts`, `flush`, `requests` and `latency` are as `call.ended` says them, at that moment."""

    parameters: dict[str, str]
    """As the envelope has them."""
    counts: dict[str, int] | None
    flush: str | None
    requests: list[Request] | None
    latency: Latency | None
    delivery: DeliveryStanding
    """To the webhook."""
    deliveries: dict[str, DeliveryStanding]
    """The same by the endpoint's name: `webhook`, and `twilio` where calls are posted in Twilio's format."""
    may: list[Right]
    """What the client may do with it; a link gives `read`."""
    audio: Audio


class CallPage(TypedDict):
    """A page of calls, the newest first."""

    calls: list[CallSummary]
    next: str | None
    """What `before` takes for the next page; None: this is the last."""


def summary(call: FoundCall) -> CallSummary:
    """One entry of the list of calls."""
    header: dict[str, Any] = json.loads(call.row.header)
    end, now = _end(call), completeness(call)
    return {
        "id": call.row.id,
        "carrier": header.get("carrier"),
        "carrier_call_id": header.get("carrier_call_id"),
        "continues": header.get("continues"),
        "from": header.get("from"),
        "to": header.get("to"),
        "direction": header.get("direction"),
        "speakers": header.get("speakers"),
        "started_at": header.get("started_at"),
        "name": header.get("parameters", {}).get("recording") if header.get("carrier") == "import" else None,
        "continued_by": call.continued_by,
        "ended_at": end.get("ended_at") or _time(call.row.ended_at),
        "active": call.row.ended_at is None,
        "duration": end.get("duration"),
        "reason": end.get("reason"),
        "missing": now.missing if now else None,
        "waiting": now.waiting if now else None,
        "backfilled": now.backfilled if now else None,
        "seq": call.row.tip,
        "last": _last(call),
        "snippet": call.snippet,
        "figures": end.get("figures"),
    }


def details(
    call: FoundCall,
    figures: Figures,
    deliveries: Mapping[str, LaneState | None],
    *,
    audio: bool,
    may: Sequence[Right] = ("read",),
) -> CallDetails:
    """Everything about one call except its events. `figures`: of what is transcribed by now. `deliveries`: by endpoint,
    the webhook's first. `audio`: whether there is a recording. `may`: what the client may do.
    """
    end = _end(call)
    delivered = {name: _delivery(lane) for name, lane in deliveries.items()}
    told: Any = figures.model_dump(mode="json")
    return {
        **summary(call),
        "parameters": json.loads(call.row.header).get("parameters") or {},
        "figures": told,
        "counts": end.get("counts"),
        "flush": end.get("flush"),
        "requests": end.get("requests"),
        "latency": end.get("latency"),
        "delivery": next(iter(delivered.values())),
        "deliveries": delivered,
        "may": list(may),
        "audio": {"available": audio, "url": f"/calls/{call.row.id}/audio.wav"},
    }


def completeness(call: FoundCall) -> Completeness | None:
    """How complete the transcript is by now; None before the end."""
    end = _end(call)
    return gaps.completeness(end, json.loads(call.later)) if end else None


def latency(call: FoundCall) -> dict[str, Any] | None:
    """Deepgram's, as `call.ended` says it; None before, and where nothing was measured."""
    return _end(call).get("latency")


def final_figures(call: FoundCall) -> Figures | None:
    """The figures of `call.ended`; None if the call goes on, or was transcribed further after its end."""
    end = _end(call)
    told = end.get("figures") if end.get("flush") == "complete" else None
    return Figures.model_validate(told) if told else None


def duration(call: FoundCall, now: float) -> float:
    """Seconds of the call; so far, if it goes on. `now`: seconds since 1970."""
    told = _end(call).get("duration")
    return float(told) if told is not None else max(0.0, now - call.row.started_at)


def seconds(text: str) -> float:
    """An ISO 8601 time as seconds since 1970; UTC if it names no zone. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else datetime.fromisoformat(f"{moment.isoformat()}+00:00")).timestamp()


def _end(call: FoundCall) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(call.end)["data"] if call.end else {}
    return data


def _last(call: FoundCall) -> Said | None:
    data = json.loads(call.last)["data"] if call.last else None
    return {"speaker": data.get("speaker"), "text": data.get("text")} if data else None


def _time(epoch: float | None) -> str | None:
    return timestamp(epoch) if epoch is not None else None


def _delivery(lane: LaneState | None) -> DeliveryStanding:
    if lane is None:
        return {"state": "none", "cursor": None, "attempts": 0, "reason": None}
    reason = lane.parked or (lane.reason if lane.cursor < lane.tip else None)
    state: DeliveryState = "parked" if lane.parked else "delivered" if lane.cursor == lane.tip else "pending"
    return {"state": state, "cursor": lane.cursor, "attempts": lane.attempts, "reason": reason}
