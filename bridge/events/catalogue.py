"""The words we speak: every event that a webhook, the record or a live feed can carry.

Times named `start`, `end`, `at`, `from` and `to` are seconds of the call: call time 0 is the first media frame of the
call's first stream. Times named `*_time` and `time` are the wall clock, ISO 8601 in UTC with milliseconds.

Finals append, interims replace: a consumer keyed on `segment_id` needs no other logic.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from bridge.events.parts import Figures, Overlap, Stretch, Track, Word


class Data(BaseModel):
    """What an event says; `type` is the event's name and `durable` whether it enters the log."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)

    type: ClassVar[str]
    durable: ClassVar[bool] = True


class CallStarted(Data):
    """The first stream of a call has started."""

    type: ClassVar[str] = "call.started"

    carrier: str
    stream_id: str
    from_: str | None = Field(None, alias="from")
    to: str | None = None
    direction: str | None = None
    """`inbound`: somebody called the number. `outbound`: the call was made through the carrier's API."""
    speakers: dict[str, str]
    """Track to label."""
    tracks: list[str]
    media_format: dict[str, str | int]
    parameters: dict[str, str]
    started_at: str
    """Wall clock of call time 0, as far as it is known now."""


class Transcript(Data):
    """What one speaker said in one stretch of audio."""

    segment_id: str
    """Stable from the first interim to the final."""
    revision: int
    """Counts what was said of this segment, from 1."""
    final: bool
    track: Track
    channel: int
    speaker: str
    start: float
    end: float
    start_time: str
    end_time: str
    text: str
    confidence: float
    words: list[Word]
    language: str | None = None
    speech_final: bool = False
    overlaps: list[Overlap] = []
    source: Literal["live", "backfill"] = "live"


class TranscriptInterim(Transcript):
    """What a segment looks like so far; the next revision replaces it."""

    type: ClassVar[str] = "transcript.interim"
    durable: ClassVar[bool] = False


class TranscriptFinal(Transcript):
    """A segment that will not change. Its text is empty when its interims turned out to be nothing."""

    type: ClassVar[str] = "transcript.final"


class UtteranceCompleted(Data):
    """One turn of one speaker: its finals, joined."""

    type: ClassVar[str] = "utterance.completed"

    utterance_id: str
    segment_ids: list[str]
    track: Track
    channel: int
    speaker: str
    start: float
    end: float
    start_time: str
    end_time: str
    text: str


class SpeechStarted(Data):
    """Somebody began to speak; the words follow."""

    type: ClassVar[str] = "speech.started"
    durable: ClassVar[bool] = False

    track: Track
    channel: int
    speaker: str
    at: float
    at_time: str


class DtmfReceived(Data):
    """A key was pressed."""

    type: ClassVar[str] = "dtmf.received"

    track: str
    digit: str
    at: float


class AudioGap(Data):
    """Audio that never reached the transcript, said aloud."""

    type: ClassVar[str] = "audio.gap"

    track: Track
    from_: float = Field(alias="from")
    to: float
    missing: float
    """Seconds without audio between `from` and `to`; less than their distance where several holes lie close."""
    why: str


class CallResumed(Data):
    """Another stream goes on with the call: the carrier's socket was lost, or the bridge was."""

    type: ClassVar[str] = "call.resumed"

    reason: Literal["carrier_reconnected", "bridge_restarted"]
    stream_id: str
    at: float
    """Where the audio goes on; the hole before it follows as `audio.gap`."""
    uncovered: list[Stretch] = []
    """Kept audio from before that no final covers yet; it is transcribed after the call."""


class StreamFailed(Data):
    """The carrier says that a stream of the call went wrong."""

    type: ClassVar[str] = "stream.failed"

    stream_id: str | None
    error: str
    """In the carrier's own words."""


class TranscriptionInterrupted(Data):
    """Deepgram is away; the audio is kept."""

    type: ClassVar[str] = "transcription.interrupted"

    reason: str
    """In Deepgram's own words where it gave some."""
    status: int | None = None
    """The HTTP status of a refusal, or the close code of a drop."""
    request_id: str | None = None
    attempt: int
    waiting: float
    """Seconds of audio kept for it."""
    retry: bool
    """False: it will not be tried again."""


class TranscriptionResumed(Data):
    """Deepgram is back."""

    type: ClassVar[str] = "transcription.resumed"

    attempt: int
    waiting: float
    request_id: str | None = None


class TranscriptionBackfilled(Data):
    """Kept audio has been transcribed after the call; comes with its finals, whose `source` is `backfill`."""

    type: ClassVar[str] = "transcription.backfilled"

    from_: float = Field(alias="from")
    to: float
    waiting: float
    """Seconds of kept audio still to be transcribed; 0: that was all."""
    request_id: str | None = None


class CallEnded(Data):
    """The call is over. What follows is only what was transcribed, or given up, afterwards."""

    type: ClassVar[str] = "call.ended"

    reason: str
    duration: float
    """Seconds of audio, from call time 0."""
    ended_at: str
    flush: Literal["complete", "timed_out"]
    """Whether every final came before the end."""
    missing: float
    """Seconds of audio that no final covers."""
    uncovered: list[Stretch] = []
    """Which audio that is, where it is kept: it is transcribed from there, or given up as `audio.gap`."""
    counts: dict[str, int]
    figures: Figures | None = None
    """Of what was transcribed while the call lasted; None where the bridge was restarted in mid-call."""
    transcript_url: str | None = None


EVENT_TYPES: Mapping[str, type[Data]] = {
    data.type: data
    for data in (
        CallStarted,
        TranscriptInterim,
        TranscriptFinal,
        UtteranceCompleted,
        SpeechStarted,
        DtmfReceived,
        AudioGap,
        StreamFailed,
        TranscriptionInterrupted,
        TranscriptionResumed,
        TranscriptionBackfilled,
        CallResumed,
        CallEnded,
    )
}


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened in a call."""

    call_id: str
    seq: int | None
    """Dense from 1 within the call; None for what is not durable."""
    id: str
    """Made of safe characters, stable for ever."""
    time: str
    data: Data

    @property
    def type(self) -> str:
        return self.data.type

    def to_json(self) -> str:
        """The event as the webhook, the record and the feed carry it."""
        head = f'"seq":{self.seq},' if self.seq is not None else ""
        return (
            f'{{{head}"id":"{self.id}","type":"{self.data.type}","time":"{self.time}",'
            f'"data":{self.data.model_dump_json(by_alias=True)}}}'
        )
