"""What the record says of a call: the JSON of the query API, made from what the store returns.

Pure; `calls` handles the requests. Of every call, in a list and alone:

    id, carrier, carrier_call_id, continues, from, to, direction, speakers, started_at
                as the `call` object of a webhook's envelope has them
    name        of a recording that was imported: its file's, or Twilio's id; else null
    continued_by
                the record that continues this one; null where there is none
    ended_at    wall clock; null while the call goes on
    active      whether it goes on
    duration    seconds of its audio; null before its end
    reason      why it ended, as `call.ended` says it; null before
    seq         the newest event's
    missing     seconds of its audio that have no words by now, on the track that lacks more; null before its end
    waiting     the part of `missing` that is still being transcribed from kept audio; 0: nothing more comes by itself
    backfilled  seconds that had no words at its end, and have been transcribed since
    last        what was said last, `speaker` and `text`, while the call goes on; else null
    snippet     where `q` was asked for, some of what was said around the words that were found; else null
    figures     as `call.ended` has them (`bridge.events.Figures`). In a list: what it said, which is without what was
                `backfilled`; null before. Of a call alone: of everything that is transcribed by now, and never null

Of a call alone:

    parameters  as the envelope has them
    counts, flush, requests, latency
                as `call.ended` says them, at that moment; null before
    delivery    how the webhook stands:
      state     `none`: it does not get this call; `delivered`: it has every event; `pending`: some are on their way, or
                are tried again; `parked`: given up, what is left is kept
      cursor    the last `seq` that was delivered, or skipped; null with `none`
      attempts  failures in a row
      reason    with `parked`, why it was given up; with `pending`, why the last try failed, e.g. `status 503`,
                `connect (ECONNREFUSED)`; null if it did not
    deliveries  the same by the endpoint's name: `webhook`, and `twilio` where calls are posted in Twilio's format
    audio       `available`: whether there is a recording; `url`: where, for a client that may read the call
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from bridge.events import Figures, timestamp
from bridge.outbox import LaneState
from bridge.store import FoundCall
from bridge.transcript import gaps
from bridge.transcript.gaps import Completeness

_SUMMARY = ("carrier", "carrier_call_id", "continues", "from", "to", "direction", "speakers", "started_at")


def summary(call: FoundCall) -> dict[str, Any]:
    """One entry of the list of calls, as described above."""
    header = json.loads(call.row.header)
    end = _end(call)
    return {
        "id": call.row.id,
        **{name: header.get(name) for name in _SUMMARY},
        "name": header.get("parameters", {}).get("recording") if header.get("carrier") == "import" else None,
        "continued_by": call.continued_by,
        "ended_at": end.get("ended_at") or _time(call.row.ended_at),
        "active": call.row.ended_at is None,
        "duration": end.get("duration"),
        "reason": end.get("reason"),
        **_completeness(call),
        "seq": call.row.tip,
        "last": _last(call),
        "snippet": call.snippet,
        "figures": end.get("figures"),
    }


def details(
    call: FoundCall, figures: Figures, deliveries: Mapping[str, LaneState | None], audio: bool
) -> dict[str, Any]:
    """Everything about one call except its events. `figures`: of what is transcribed by now. `deliveries`: by endpoint,
    the webhook's first. `audio`: whether there is a recording.
    """
    end = _end(call)
    delivered = {name: _delivery(lane) for name, lane in deliveries.items()}
    return {
        **summary(call),
        "parameters": json.loads(call.row.header).get("parameters") or {},
        "figures": figures.model_dump(mode="json"),
        "counts": end.get("counts"),
        "flush": end.get("flush"),
        "requests": end.get("requests"),
        "latency": end.get("latency"),
        "delivery": next(iter(delivered.values())),
        "deliveries": delivered,
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


def _last(call: FoundCall) -> dict[str, Any] | None:
    data = json.loads(call.last)["data"] if call.last else None
    return {name: data.get(name) for name in ("speaker", "text")} if data else None


def _completeness(call: FoundCall) -> dict[str, float | None]:
    now = completeness(call)
    return asdict(now) if now else dict.fromkeys(field.name for field in fields(Completeness))


def _time(epoch: float | None) -> str | None:
    return timestamp(epoch) if epoch is not None else None


def _delivery(lane: LaneState | None) -> dict[str, Any]:
    if lane is None:
        return {"state": "none", "cursor": None, "attempts": 0, "reason": None}
    reason = lane.parked or (lane.reason if lane.cursor < lane.tip else None)
    state = "parked" if lane.parked else "delivered" if lane.cursor == lane.tip else "pending"
    return {"state": state, "cursor": lane.cursor, "attempts": lane.attempts, "reason": reason}
