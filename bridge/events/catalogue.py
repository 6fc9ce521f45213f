"""The words we speak: every event that a webhook, the record or a live feed can carry.

Times named `start`, `end`, `at`, `from` and `to` are seconds of the call, counted in audio: call time 0 is the first
media frame of the call's first stream. Times named `time`, `*_time` and `*_at` are the wall clock, ISO 8601 in UTC with
milliseconds; `start_time` is `start` on that clock, and so on. A field without words is what its name says; one that is
there "with" an option of Deepgram's is left out where it would be empty.

Finals append, interims replace: a consumer keyed on `segment_id` needs no other logic.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from bridge.events.data import Data
from bridge.events.parts import (
    AskedBy,
    Direction,
    EndReason,
    Figures,
    Latency,
    MediaFormat,
    Request,
    ResumeReason,
    Stretch,
    Track,
    WholeTranscript,
    is_empty,
    is_none,
)
from bridge.events.speech import (
    SpeechStarted,
    TranscriptFinal,
    TranscriptInterim,
    TurnEagerEnd,
    TurnResumed,
    UtteranceCompleted,
)


class CallStarted(Data):
    """The first stream of a call has started."""

    type: ClassVar[str] = "call.started"

    carrier: str
    """`twilio`, `telnyx`, `jambonz`; `import`: a recording made elsewhere; `stream`: what `bridge stream` has heard;
    `test`: no call at all, of a `webhook.test`."""
    carrier_call_id: str
    """The carrier's own id of the call. The first record of a call is named by it; further ones add a number."""
    continues: str | None = None
    """The record before this one, where the carrier came back to a call whose record had ended; None for the first."""
    stream_id: str
    """The carrier's; empty where it gave none."""
    from_: str | None = Field(None, alias="from")
    """Who calls: a number, or what else the carrier calls by. None where the stream's parameters do not say."""
    to: str | None = None
    """Who is called, likewise."""
    direction: Direction | None = None
    """None where the stream's parameters do not say."""
    speakers: dict[str, str]
    """Track to label: what the stream or a setting says, else `caller` and `callee`; where the direction is not known
    either, the track's own name.
    """
    tracks: list[str]
    """Those that the carrier announced; empty where no stream came."""
    media_format: MediaFormat | None
    """None where no stream came."""
    parameters: dict[str, str]
    """The stream's own, as they were sent: all but `bridge.…` and `speaker.…`, which are ours."""
    record_days: float | None = Field(None, exclude_if=is_none)
    """For which the record stays after the call, where the stream says so with `bridge.record_days`; else it is left
    out, and `BRIDGE_RECORD_DAYS` says it."""
    stream_token: bool = False
    """The stream had a token: further streams of the call are taken only with one."""
    redact: list[str] = Field([], exclude_if=is_empty)
    """What is taken out of the transcripts: kinds of `BRIDGE_REDACT`, and labels of own patterns."""
    started_at: str
    """Wall clock of call time 0, as far as it is known now."""


class DtmfReceived(Data):
    """A key was pressed."""

    type: ClassVar[str] = "dtmf.received"

    track: Track
    digit: str
    """As the carrier writes it: `0` to `9`, `*`, `#`, or `A` to `D`; `[digits]` where digits are redacted."""
    at: float
    """How far the audio had come by then."""


class AudioGap(Data):
    """Audio that never reached the transcript."""

    type: ClassVar[str] = "audio.gap"

    track: Track
    from_: float = Field(alias="from")
    to: float
    missing: float
    """Seconds without audio between `from` and `to`; less than their distance where several gaps lie close."""
    why: str
    """A `Cause`; records of other versions may hold others."""


class CallResumed(Data):
    """Another stream goes on with the call: the carrier's socket was lost, or the bridge was."""

    type: ClassVar[str] = "call.resumed"

    reason: ResumeReason
    stream_id: str
    """The other stream's."""
    at: float
    """Where the audio goes on; the gap before it follows as `audio.gap`. With `handed_over`: from where on the call is
    heard by the other process, which has no gap."""
    uncovered: list[Stretch] = []
    """Kept audio from before that no final covers yet; it is transcribed after the call."""
    unheard: list[Stretch] = []
    """What no one has heard before it. Each is told as `audio.gap` once its track goes on, or the next process goes on
    with the call."""


class StreamFailed(Data):
    """The carrier says that a stream of the call went wrong."""

    type: ClassVar[str] = "stream.failed"

    stream_id: str | None
    """None where the carrier named none."""
    error: str
    """In the carrier's own words."""


class TranscriptionInterrupted(Data):
    """Deepgram is away; the audio is kept."""

    type: ClassVar[str] = "transcription.interrupted"

    reason: str
    """In Deepgram's own words where it gave some."""
    status: int | None = None
    """The HTTP status of a refusal, or the close code of a drop; None where no answer or no close frame came."""
    request_id: str | None = None
    """Deepgram's name of the request, for its support."""
    attempt: int
    """Failures in a row, from 1; a failure like the one before is counted and not told again."""
    waiting: float
    """Seconds of audio that are kept for it."""
    retry: bool
    """Whether it can heal by itself. False: a person must mend the account (`status` 401, 402, 403), which is looked
    for now and then, or the request (any other), which this call does not try there again.
    """
    origin: str | None = None
    """Host and port of the one of `DEEPGRAM_URL` at which that happened."""


class TranscriptionResumed(Data):
    """Deepgram is back."""

    type: ClassVar[str] = "transcription.resumed"

    attempt: int
    """Failures in a row before this success. 0: nothing was interrupted, the call has gone back to an origin that comes
    before the one it was at.
    """
    waiting: float
    """Seconds of audio that have piled up, to be sent faster than real time."""
    request_id: str | None = None
    """Of the new one."""
    origin: str | None = None
    """Host and port of the one of `DEEPGRAM_URL` that answers."""


class TranscriptionBackfilled(Data):
    """Kept audio has been transcribed after the call; comes with its finals, whose `source` is `backfill`."""

    type: ClassVar[str] = "transcription.backfilled"

    from_: float = Field(alias="from")
    to: float
    """Of the piece, on both tracks."""
    waiting: float
    """Seconds of kept audio still to be transcribed, on the track that lacks more; 0: that was all."""
    request_id: str | None = None
    """Deepgram's; None where there was no audio to send."""
    model: str | None = None
    """The one that heard it, in Deepgram's words."""


class PauseStarted(Data):
    """The transcription is paused: what is said from here on is neither transcribed nor kept, and keys are not told."""

    type: ClassVar[str] = "pause.started"

    at: float
    by: AskedBy


class PauseEnded(Data):
    """The transcription goes on. An `audio.gap` for each track follows, with `why: paused`; so it does where the call
    ends before this.
    """

    type: ClassVar[str] = "pause.ended"

    at: float
    """From here on the call is heard again."""
    by: AskedBy


class TranscriptionConfigured(Data):
    """Deepgram has changed options of the call."""

    type: ClassVar[str] = "transcription.configured"

    keyterms: list[str] | None
    """All that there are now; None: as they were."""
    numerals: bool | None
    """Whether numbers are written in digits; None: as before."""
    at: float
    """How far the audio had come by then."""
    by: AskedBy
    request_id: str | None = None
    """Deepgram's."""


class CallEnded(Data):
    """The call is over. What follows is only what was transcribed, or given up, afterwards."""

    type: ClassVar[str] = "call.ended"

    reason: EndReason
    duration: float
    """Seconds of audio, from call time 0."""
    ended_at: str
    """When this was said: after the wait for the last words."""
    flush: Literal["complete", "timed_out"]
    """`complete`: every final came before this. `timed_out`: not all did, or, after a crash, it is not known."""
    missing: float
    """Seconds of audio that no final covers, on the track that lacks more, as far as is known."""
    uncovered: list[Stretch] = []
    """Which audio that is, where it is kept: it is transcribed from there, or given up as `audio.gap`. Empty: this is
    the last event.
    """
    counts: dict[str, int]
    """How often what happened, where it did: `finals`, `words`, `utterances`, `gaps`, `deepgram_sockets`,
    `deepgram_bad_messages`, `deepgram_bad_words` (words that could not be read whole; their sentences are there); the
    carrier's `bad_messages`, `streams`, `streams_lost`, `streams_asked_for`; what there are no events of,
    `digits_dropped` (more keys than a hand can press), `digits_paused` (pressed in a pause), `stream_errors_dropped`,
    `events_dropped` (there was no room until the store would take them); and what `bridge.align`'s `Aligner` counts of
    frames that were not simply the next. The first four are of the whole call, the others of the process that ended it.
    """
    figures: Figures | None = None
    """Of what was transcribed while the call lasted; None where the bridge was restarted in mid-call, or no stream
    came.
    """
    latency: Latency | None = None
    """Of what was transcribed live, in the process that ended the call; None where there were no interims."""
    requests: list[Request] = []
    """The sockets to Deepgram, in their order, of the process that ended the call."""
    transcript_url: str | None = None
    """The record's, as JSON, for clients with a token. None without `PUBLIC_URL`, or where no stream came."""
    transcript: WholeTranscript | None = Field(None, exclude_if=is_none)
    """In posts to endpoints that ask for it (`WEBHOOK_TRANSCRIPT`), else it is left out."""


class EventLost(Data):
    """An event that stood here could not be read when the database was repaired. Its number stays taken."""

    type: ClassVar[str] = "event.lost"

    why: Literal["damaged"] = "damaged"


class WebhookTest(Data):
    """Nothing has happened: someone tries whether the webhook takes what is posted. Answer 2xx, and ignore it.

    Posted by `bridge doctor` and `bridge webhook test`; its `call` is none, and stands in no record.
    """

    type: ClassVar[str] = "webhook.test"
    durable: ClassVar[bool] = False

    by: Literal["doctor", "webhook test"]
    """The command."""


EVENT_TYPES: Mapping[str, type[Data]] = {
    data.type: data
    for data in (
        CallStarted,
        TranscriptInterim,
        TranscriptFinal,
        UtteranceCompleted,
        SpeechStarted,
        TurnEagerEnd,
        TurnResumed,
        DtmfReceived,
        AudioGap,
        StreamFailed,
        TranscriptionInterrupted,
        TranscriptionResumed,
        TranscriptionBackfilled,
        TranscriptionConfigured,
        PauseStarted,
        PauseEnded,
        CallResumed,
        CallEnded,
        EventLost,
        WebhookTest,
    )
}
