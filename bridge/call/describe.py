"""What a call says of itself, worked out from what the carrier said of it: no state, no clock."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import inf
from typing import Any
from urllib.parse import quote

from bridge.align import Gap
from bridge.audio import samples, seconds
from bridge.carriers.messages import Started
from bridge.deepgram import journal
from bridge.deepgram.exchange import AudioLost, Interrupted, Resumed
from bridge.deepgram.latency import LatencyMeter
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
    Latency,
    MediaFormat,
    Request,
    StreamFailed,
    Stretch,
    Track,
    TranscriptFinal,
    TranscriptionInterrupted,
    TranscriptionResumed,
    timestamp,
)
from bridge.redaction.redactor import Past
from bridge.spans import Span, SpanSet
from bridge.store.base import FoundCall

_FURTHER = "--"  # stands in no id that carriers make; one dash does, before digits even


def speakers(
    direction: Direction | None, labels: Mapping[str, str], named: Mapping[Track, str] | None = None
) -> dict[str, str]:
    """Who speaks on which track; `labels` are the operator's, `named` the stream's own, which go over them.

    `inbound` is what comes from the leg the stream runs on: on an incoming call the caller's, on a call made through
    the API the callee's. Where the direction is not known the tracks keep their own names.
    """
    match direction:
        case "inbound":
            speakers: dict[str, str] = {"inbound": "caller", "outbound": "callee"}
        case "outbound":
            speakers = {"inbound": "callee", "outbound": "caller"}
        case _:
            speakers = dict(zip(TRACKS, TRACKS, strict=True))
    speakers.update(labels)
    speakers.update((named or {}).items())
    return speakers


def tracks(started: Started) -> tuple[Track, ...]:
    """Those that a stream is to carry, as far as its carrier names them."""
    return tuple(track for track in TRACKS if track in started.tracks)


def started_again(call_id: str, header: str, event: Mapping[str, Any]) -> Started:
    """What the first stream of a call was, from the `call` object of its envelope and its first event."""
    call = json.loads(header)
    media_format = event.get("media_format") or {}
    return Started(
        call_id,
        event["stream_id"],
        tuple(event["tracks"]),
        media_format.get("encoding", ""),
        media_format.get("sample_rate", 0),
        call["parameters"],
        carrier=event["carrier"],
        from_=call["from"],
        to=call["to"],
        direction=call["direction"],
        speakers=call["speakers"],
        record_days=event.get("record_days"),
        redact=tuple(event.get("redact") or ()),
    )


def call_started(
    started: Started, speakers: dict[str, str], now: float, continues: str | None, redact: Iterable[str] = ()
) -> CallStarted:
    """The first event of a record. `continues`: the record of the same call before it; `redact`: what is taken out."""
    return CallStarted(
        carrier=started.carrier,
        carrier_call_id=started.call_id,
        continues=continues,
        stream_id=started.stream_id,
        from_=started.from_,
        to=started.to,
        direction=started.direction,
        speakers=speakers,
        tracks=list(started.tracks),
        media_format=MediaFormat(encoding=started.encoding, sample_rate=started.sample_rate, channels=1),
        parameters=dict(started.parameters),
        record_days=started.record_days,
        redact=list(redact),
        stream_token=started.token is not None,
        started_at=timestamp(now),
    )


def further_record(newest: str, call_id: str) -> str:
    """The id of the record that follows the newest one of a call: a record ends once, and the carrier may come back."""
    number = newest.removeprefix(call_id + _FURTHER) if newest != call_id else "1"
    return f"{call_id}{_FURTHER}{int(number) + 1}"


def event(call_id: str, seq: int, now: float, data: Data) -> Event:
    """A durable event of a call; `now` in seconds since 1970."""
    return Event(call_id, seq, f"{call_id}-{seq}", timestamp(now), data)


def has_stopped(found: FoundCall, since: float) -> bool:
    """Whether the carrier has stopped a call in order after a moment, seconds since 1970."""
    ended_at = found.row.ended_at
    return bool(ended_at and ended_at > since and found.end and json.loads(found.end)["data"]["reason"] == "stopped")


def superseded(found: FoundCall, started: Started, came: float, *, waited: bool) -> str | None:
    """Why a stream, which came then, begins no further record of a call of which another process has or had this one;
    None: it does. `waited`: for that process to let go. A stream that was asked for is of a call that goes on: where it
    was held up, another may have taken its place. One track of a call may come here alone."""
    if (waited or started.asked) and has_stopped(found, came):
        return "the call has ended while another process heard it"
    if started.asked and found.row.ended_at is None and len(tracks(started)) != 1:
        return "another process hears the call"
    return None


def failed_call(carrier: str, call_id: str, stream_id: str | None, error: str, now: float) -> list[Event]:
    """The whole record of a call whose only stream never reached us."""
    started = CallStarted(
        carrier=carrier,
        carrier_call_id=call_id,
        stream_id=stream_id or "",
        speakers=speakers(None, {}),
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


def audio_gaps(found: Gap, parts: Callable[[Span], Iterable[Span]] = lambda span: [span]) -> Iterator[AudioGap]:
    """A gap that the aligner has found; `parts`: what of a span is to be told, as a pause tells of its own."""
    for start, end in parts(found.span):
        missing = seconds(min(found.missing, end - start))
        yield AudioGap(track=found.track, from_=seconds(start), to=seconds(end), missing=missing, why=found.why)


def gap(stretch: Stretch, why: Cause) -> AudioGap:
    """A stretch that is not transcribed, and will not be."""
    missing = _seconds(stretch.to - stretch.from_)
    return AudioGap(track=stretch.track, from_=stretch.from_, to=stretch.to, missing=missing, why=why)


def stretches(spans: Iterable[tuple[int, Span]], until: float = inf) -> list[Stretch]:
    """Spans of channels as an event names them, as far as `until`, in seconds of the call."""
    found = [
        Stretch(track=TRACKS[channel], from_=seconds(span.start), to=_seconds(min(seconds(span.end), until)))
        for channel, span in spans
    ]
    return [stretch for stretch in found if stretch.from_ < stretch.to]


def spans(stretches: Iterable[Stretch]) -> dict[Track, SpanSet]:
    """Stretches of events as samples of each track."""
    found = {track: SpanSet() for track in TRACKS}
    for stretch in stretches:
        found[stretch.track].add(samples(stretch.from_), samples(stretch.to))
    return found


def missing(uncovered: Iterable[Stretch]) -> float:
    """Seconds that the track with most to be transcribed still lacks."""
    return seconds(max(lacking.total for lacking in spans(uncovered).values()))


def session_news(event: Interrupted | Resumed | AudioLost) -> Data:
    """What became of the way to Deepgram."""
    match event:
        case Interrupted():
            return TranscriptionInterrupted(
                reason=event.reason,
                status=event.status,
                request_id=event.request_id,
                attempt=event.attempt,
                waiting=_seconds(event.waiting),
                retry=event.retry,
                origin=event.origin,
            )
        case Resumed():
            return TranscriptionResumed(
                attempt=event.attempt,
                waiting=_seconds(event.waiting),
                request_id=event.request_id,
                origin=event.origin,
            )
        case AudioLost():
            start, end = event.span
            lost = Stretch(track=TRACKS[event.channel], from_=seconds(start), to=seconds(end))
            return gap(lost, event.why)


def request(socket: journal.Request) -> Request:
    """A socket to Deepgram."""
    model = socket.model
    return Request(
        request_id=socket.request_id,
        model=model.name if model else None,
        version=model.version or None if model else None,
        start=seconds(socket.start),
        origin=socket.origin,
    )


def latency(meter: LatencyMeter) -> Latency | None:
    """What was measured; None: nothing was."""
    if not meter.measured:
        return None
    p50, p99, longest = map(seconds, (meter.within(0.5), meter.within(0.99), meter.longest))
    return Latency(p50=p50, p99=p99, max=longest, measured=meter.measured)


def language(options: Options) -> str | None:
    """What was asked for; None where each result names its own."""
    if options.is_flux:
        return "en" if options.get("model") == "flux-general-en" else None
    language = options.get("language")
    return None if language == "multi" else language


def redacted(final: TranscriptFinal) -> list[Past]:
    """What was taken out of a final, and where."""
    return [(final.channel, each.kind, Span(samples(each.start), samples(each.end))) for each in final.redacted]


def transcript_url(public_url: str | None, call_id: str) -> str | None:
    """Where the record will be read; None without a public address."""
    return f"{public_url}/calls/{quote(call_id)}/transcript.json" if public_url else None


def _seconds(value: float) -> float:
    return round(value, 3)
