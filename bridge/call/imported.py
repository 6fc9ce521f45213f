"""The record of audio that was no live call here: a recording made elsewhere, or what `bridge stream` has heard.

A recording is transcribed as kept audio is, after a call whose end says that all of it is lacking (`lacking`). What a
reader gets is made from that log when it is complete (`finished`): the finals come before the end, as in any call.
No socket, file or clock.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bridge.call import describe
from bridge.call.projection import NOT_TRANSCRIBED
from bridge.events import (
    TRACKS,
    AudioGap,
    CallEnded,
    CallStarted,
    Data,
    Direction,
    EndReason,
    Event,
    MediaFormat,
    Request,
    Stretch,
    Track,
    TranscriptFinal,
    TranscriptionBackfilled,
    TranscriptionInterrupted,
    UtteranceCompleted,
    timestamp,
)
from bridge.transcript.figures import figures

CARRIERS = ("import", "stream")
"""What stands for the carrier in such a record: a recording, and what `bridge stream` has heard."""

_COUNTED: Mapping[type[Data], str] = {
    TranscriptFinal: "finals",
    UtteranceCompleted: "utterances",
    AudioGap: "gaps",
    TranscriptionInterrupted: "interruptions",
}


@dataclass(frozen=True, slots=True)
class Parties:
    """Who speaks with whom, as far as it is known."""

    from_: str | None = None
    to: str | None = None
    direction: Direction | None = None
    names: Sequence[str] = ()
    """Who speaks on a channel, the first one first."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """The operator's, of tracks."""

    def speakers(self, channels: int) -> dict[str, str]:
        """A label for each channel, under the track that it stands for."""
        usual = {"inbound": "speaker"} if channels == 1 else {"inbound": "channel 1", "outbound": "channel 2"}
        if channels > 1 and self.direction is not None:
            usual = describe.speakers(self.direction, {})
        labels = self.labels if channels > 1 else {}
        named: dict[str, str] = dict(zip(TRACKS[:channels], self.names, strict=False))
        return {**usual, **labels, **named}


def started(
    call_id: str,
    carrier: str,
    parties: Parties,
    media_format: MediaFormat,
    at: float,
    parameters: Mapping[str, str],
    stream_id: str = "",
    redact: Iterable[str] = (),
) -> CallStarted:
    """The first event. `at`: call time 0, seconds since 1970. `parameters`: what else is known of the audio. `redact`:
    what is taken out of its words."""
    speakers = parties.speakers(min(media_format.channels, len(TRACKS)))
    return CallStarted(
        carrier=carrier,
        carrier_call_id=call_id,
        stream_id=stream_id,
        from_=parties.from_,
        to=parties.to,
        direction=parties.direction,
        speakers=speakers,
        tracks=[track for track in TRACKS if track in speakers],
        media_format=media_format,
        parameters=dict(parameters),
        redact=list(redact),
        started_at=timestamp(at),
    )


def lacking(started: CallStarted, seconds: float) -> CallEnded:
    """The end of a call of so many seconds of which nothing is transcribed yet."""
    tracks: list[Track] = [track for track in TRACKS if track in started.tracks]
    return CallEnded(
        reason="stopped",
        duration=seconds,
        ended_at=started.started_at,  # no time to try it counts from here: the recording may be of any time
        flush="timed_out",
        missing=seconds,
        uncovered=[Stretch(track=track, from_=0.0, to=seconds) for track in tracks],
        counts={},
    )


def finished(logged: Sequence[Event], now: float, public_url: str | None) -> list[Event]:
    """The record, from the log of a recording that is transcribed now. `now`: seconds since 1970."""
    first, end = logged[0], next(event.data for event in logged if isinstance(event.data, CallEnded))
    assert isinstance(first.data, CallStarted)
    # What could not be transcribed at first is told as a gap, and has been transcribed since.
    said: list[Data] = [
        event.data
        for event in logged[1:]
        if isinstance(event.data, TranscriptFinal | UtteranceCompleted)
        or (isinstance(event.data, AudioGap) and event.data.why != NOT_TRANSCRIBED)
    ]
    requests = [
        Request(request_id=data.request_id, model=data.model, version=None, start=data.from_)
        for data in (event.data for event in logged)
        if isinstance(data, TranscriptionBackfilled) and data.request_id
    ]
    ended = ending(first.data, said, end.duration, requests=requests, public_url=public_url, call_id=first.call_id)
    return numbered(first.call_id, [first.data, *said, ended], now)


def ending(
    started: CallStarted,
    said: Iterable[Data],
    seconds: float,
    *,
    call_id: str,
    reason: EndReason = "stopped",
    requests: Sequence[Request] = (),
    public_url: str | None = None,
) -> CallEnded:
    """The last event of a record of so many seconds in which `said` is everything between start and end."""
    said = list(said)
    finals = [data for data in said if isinstance(data, TranscriptFinal)]
    gaps = [data for data in said if isinstance(data, AudioGap)]
    missing = describe.missing(Stretch(track=gap.track, from_=gap.from_, to=gap.to) for gap in gaps)
    counts = Counter(name for data in said if (name := _COUNTED.get(type(data))))
    counts["words"] = sum(len(final.words) for final in finals)
    return CallEnded(
        reason=reason,
        duration=seconds,
        ended_at=_end(started, seconds),
        flush="timed_out" if missing or reason == "bridge_restarted" else "complete",
        missing=missing,
        counts=dict(+counts),
        figures=figures(finals, seconds, started.speakers),
        requests=list(requests),
        transcript_url=describe.transcript_url(public_url, call_id),
    )


def numbered(call_id: str, said: Iterable[Data], now: float) -> list[Event]:
    """The events of a whole record. `now`: seconds since 1970."""
    return [describe.event(call_id, seq, now, data) for seq, data in enumerate(said, 1)]


def _end(started: CallStarted, seconds: float) -> str:
    return timestamp(datetime.fromisoformat(started.started_at).timestamp() + seconds)
