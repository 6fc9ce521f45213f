"""What a call says of itself, worked out from what the carrier said of it: no state, no clock."""

import json
from collections.abc import Iterable, Mapping
from math import inf
from urllib.parse import quote

from bridge.align import Hole
from bridge.carriers.messages import Started
from bridge.deepgram.exchange import AudioLost, Interrupted, Resumed
from bridge.deepgram.options import Options
from bridge.events import (
    TRACKS,
    AudioGap,
    CallEnded,
    CallStarted,
    Cause,
    Data,
    Direction,
    Event,
    MediaFormat,
    StreamFailed,
    Stretch,
    TranscriptionInterrupted,
    TranscriptionResumed,
    timestamp,
)
from twiml.document import DIRECTION, FROM, SPEAKER, TO, TOKEN

_OURS = frozenset({FROM, TO, DIRECTION, TOKEN, *(SPEAKER + track for track in TRACKS)})
"""Parameters that have a place of their own in the event, and the token, a secret that never enters one."""

_FURTHER = "--"  # stands in no id that carriers make; one dash does, before digits even


def speakers(parameters: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, str]:
    """Who speaks on which track.

    `inbound` is what comes from the leg the stream runs on: on an incoming call the caller's, on a call made through
    the API the callee's. Where the direction is not known the tracks keep their own names.
    """
    match direction(parameters):
        case "inbound":
            speakers: dict[str, str] = {"inbound": "caller", "outbound": "callee"}
        case "outbound":
            speakers = {"inbound": "callee", "outbound": "caller"}
        case _:
            speakers = dict(zip(TRACKS, TRACKS, strict=True))
    named: dict[str, str] = {track: parameters[SPEAKER + track] for track in TRACKS if parameters.get(SPEAKER + track)}
    return {**speakers, **labels, **named}


def direction(parameters: Mapping[str, str]) -> Direction | None:
    """Twilio's `outbound-api` and `outbound-dial` are `outbound`; None for what is neither way."""
    match parameters.get(DIRECTION, "").partition("-")[0]:
        case "inbound" | "outbound" as known:
            return known
        case _:
            return None


def stream_parameters(header: str) -> dict[str, str]:
    """What a further stream of a call is to be told, worked out from the `call` object of its envelope."""
    call = json.loads(header)
    named = {FROM: call["from"], TO: call["to"], DIRECTION: call["direction"]}
    labels = {SPEAKER + track: label for track, label in call["speakers"].items()}
    return {**call["parameters"], **{name: value for name, value in named.items() if value}, **labels}


def call_started(record: str, started: Started, speakers: dict[str, str], now: float) -> CallStarted:
    """The first event of a record of this id; our own parameters are taken out, the token above all."""
    parameters = started.parameters
    return CallStarted(
        carrier="twilio",
        carrier_call_id=started.call_id,
        continues=continued_record(record),
        stream_id=started.stream_id,
        from_=parameters.get(FROM),
        to=parameters.get(TO),
        direction=direction(parameters),
        speakers=speakers,
        tracks=list(started.tracks),
        media_format=MediaFormat(encoding=started.encoding, sample_rate=started.sample_rate, channels=1),
        parameters={name: value for name, value in parameters.items() if name not in _OURS},
        started_at=timestamp(now),
    )


def record_id(call_id: str, number: int) -> str:
    """The name of a call's further records: a record ends once, and the carrier may come back after that."""
    return call_id if number == 1 else f"{call_id}{_FURTHER}{number}"


def carriers_call_id(record_id: str) -> str:
    """Whose record it is."""
    call_id, further, number = record_id.rpartition(_FURTHER)
    return call_id if further and number.isdecimal() else record_id


def continued_record(record: str) -> str | None:
    """The id of the record that a further record continues; None for a call's first."""
    call_id = carriers_call_id(record)
    return None if record == call_id else record_id(call_id, int(record.removeprefix(call_id + _FURTHER)) - 1)


def event(call_id: str, seq: int, now: float, data: Data) -> Event:
    """A durable event of a call; `now` in seconds since 1970."""
    return Event(call_id, seq, f"{call_id}-{seq}", timestamp(now), data)


def failed_call(call_id: str, stream_id: str | None, error: str, now: float) -> list[Event]:
    """The whole record of a call whose only stream never reached us."""
    started = CallStarted(
        carrier="twilio",
        carrier_call_id=call_id,
        stream_id=stream_id or "",
        speakers=speakers({}, {}),
        tracks=[],
        media_format=None,
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
        from_=_seconds(hole.start),
        to=_seconds(hole.end),
        missing=_seconds(hole.missing),
        why=hole.why,
    )


def gap(stretch: Stretch, why: Cause) -> AudioGap:
    """A stretch that nobody will hear."""
    missing = _seconds(stretch.to - stretch.from_)
    return AudioGap(track=stretch.track, from_=stretch.from_, to=stretch.to, missing=missing, why=why)


def stretches(spans: Iterable[tuple[int, float, float]], until: float = inf) -> list[Stretch]:
    """Spans as (channel, from, to), as far as `until`, in seconds of the call."""
    found = [
        Stretch(track=TRACKS[channel], from_=_seconds(start), to=_seconds(min(end, until)))
        for channel, start, end in spans
    ]
    return [stretch for stretch in found if stretch.from_ < stretch.to]


def missing(uncovered: Iterable[Stretch]) -> float:
    """Seconds that the track with most to be transcribed still lacks."""
    seconds = dict.fromkeys(TRACKS, 0.0)
    for stretch in uncovered:
        seconds[stretch.track] += stretch.to - stretch.from_
    return _seconds(max(seconds.values()))


def session_news(happening: Interrupted | Resumed | AudioLost) -> Data:
    """What became of the way to Deepgram."""
    match happening:
        case Interrupted():
            return TranscriptionInterrupted(
                reason=happening.reason,
                status=happening.status,
                request_id=happening.request_id,
                attempt=happening.attempt,
                waiting=_seconds(happening.waiting),
                retry=happening.retry,
            )
        case Resumed():
            return TranscriptionResumed(
                attempt=happening.attempt, waiting=_seconds(happening.waiting), request_id=happening.request_id
            )
        case AudioLost():
            return gap(stretches([(happening.channel, happening.start, happening.end)])[0], happening.why)


def language(options: Options) -> str | None:
    """What was asked for; None where each result names its own."""
    language = options.get("language")
    return None if language == "multi" else language


def transcript_url(public_url: str | None, call_id: str) -> str | None:
    """Where the record will be read; None without a public address."""
    return f"{public_url}/calls/{quote(call_id)}/transcript.json" if public_url else None


def _seconds(value: float) -> float:
    return round(value, 3)
