"""What a call says of itself, worked out from what the carrier said of it: no state, no clock."""

from collections.abc import Mapping
from urllib.parse import quote

from bridge.align import Hole
from bridge.carriers.messages import Started
from bridge.deepgram.options import Options
from bridge.events import TRACKS, AudioGap, CallEnded, CallStarted, Data, Event, StreamFailed, timestamp
from twiml.document import DIRECTION, FROM, SPEAKER, TO, TOKEN

_OURS = frozenset({FROM, TO, DIRECTION, TOKEN, *(SPEAKER + track for track in TRACKS)})
"""Parameters that have a place of their own in the event, and the token, a secret that never enters one."""


def speakers(parameters: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, str]:
    """Who speaks on which track.

    `inbound` is what comes from the leg the stream runs on: on an incoming call the caller's, on a call made through
    the API the callee's. Where the direction is not known the tracks keep their own names.
    """
    match parameters.get(DIRECTION, "").partition("-")[0]:
        case "inbound":
            speakers: dict[str, str] = {"inbound": "caller", "outbound": "callee"}
        case "outbound":
            speakers = {"inbound": "callee", "outbound": "caller"}
        case _:
            speakers = dict(zip(TRACKS, TRACKS, strict=True))
    named: dict[str, str] = {track: parameters[SPEAKER + track] for track in TRACKS if parameters.get(SPEAKER + track)}
    return {**speakers, **labels, **named}


def call_started(started: Started, speakers: dict[str, str], now: float) -> CallStarted:
    """The first event of a record; our own parameters are taken out, the token above all."""
    parameters = started.parameters
    direction = parameters.get(DIRECTION, "").partition("-")[0]
    return CallStarted(
        carrier="twilio",
        stream_id=started.stream_id,
        from_=parameters.get(FROM),
        to=parameters.get(TO),
        direction=direction if direction in ("inbound", "outbound") else None,
        speakers=speakers,
        tracks=list(started.tracks),
        media_format={"encoding": started.encoding, "sample_rate": started.sample_rate, "channels": 1},
        parameters={name: value for name, value in parameters.items() if name not in _OURS},
        started_at=timestamp(now),
    )


def event(call_id: str, seq: int, now: float, data: Data) -> Event:
    """A durable event of a call; `now` in seconds since 1970."""
    return Event(call_id, seq, f"{call_id}-{seq}", timestamp(now), data)


def failed_call(call_id: str, stream_id: str | None, error: str, now: float) -> list[Event]:
    """The whole record of a call whose only stream never reached us."""
    started = CallStarted(
        carrier="twilio",
        stream_id=stream_id or "",
        speakers=speakers({}, {}),
        tracks=[],
        media_format={},
        parameters={},
        started_at=timestamp(now),
    )
    ended = CallEnded(
        reason="stream_failed", duration=0.0, ended_at=timestamp(now), flush="complete", missing=0.0, counts={}
    )
    said = (started, StreamFailed(stream_id=stream_id, error=error), ended)
    return [event(call_id, seq, now, data) for seq, data in enumerate(said, 1)]


def audio_gap(hole: Hole) -> AudioGap:
    """What the aligner calls a hole."""
    return AudioGap(
        track="inbound" if hole.track == "inbound" else "outbound",
        from_=round(hole.start, 3),
        to=round(hole.end, 3),
        missing=round(hole.missing, 3),
        why=hole.why,
    )


def language(options: Options) -> str | None:
    """What was asked for; None where each result names its own."""
    language = options.get("language")
    return None if language == "multi" else language


def transcript_url(public_url: str | None, call_id: str) -> str | None:
    """Where the record will be read; None without a public address."""
    return f"{public_url}/calls/{quote(call_id)}/transcript.json" if public_url else None
