"""What events are made of: the names they choose from and the values they hold. Units and clocks are `catalogue`'s."""

from collections.abc import Sized
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Track = Literal["inbound", "outbound"]
"""The carrier's name of a direction, seen from the leg the stream runs on; says nothing about who called whom."""

TRACKS: tuple[Track, Track] = ("inbound", "outbound")
"""The channel of a track is its place here."""

Direction = Literal["inbound", "outbound"]
"""`inbound`: a caller rang the number. `outbound`: the call was made through the carrier's API, or by a `<Dial>`."""

EndReason = Literal[
    "stopped",
    "carrier_disconnected",
    "carrier_silent",
    "server_stopping",
    "bridge_restarted",
    "stream_failed",
    "max_duration",
    "stop_requested",
]
"""Why a call is over.

`stopped`: the carrier ended the stream in order, as it does when a party hangs up.
`carrier_disconnected`: the carrier's socket was lost, and no other stream came in time.
`carrier_silent`: the carrier's socket carried nothing for too long, and no other stream came in time.
`server_stopping`: the bridge was told to stop.
`bridge_restarted`: the bridge was lost in mid-call, and after its restart no other stream came in time.
`stream_failed`: the only stream never reached the bridge; there was no audio.
`max_duration`: it had lasted as long as a call may.
`stop_requested`: its transcription was to end; the call itself may go on.
"""

AskedBy = Literal["api", "page", "key"]
"""How something was asked for while the call went on.

`api`: by HTTP, with a token; `bridge control` too.
`page`: by a reader of the page.
`key`: by a key of a telephone on the line.
"""

EndedBy = Literal["pause", "utterance_end", "speaker", "call_end"]
"""Why a turn is over.

`pause`: Deepgram heard the speaker pause.
`utterance_end`: no word followed for long.
`speaker`: another one on this track went on.
`call_end`: nothing more was heard.
"""

ResumeReason = Literal["carrier_reconnected", "bridge_restarted", "handed_over"]
"""Why another stream goes on with a call.

`carrier_reconnected`: the one before it was lost, or the carrier replaced it.
`bridge_restarted`: the bridge was lost in mid-call.
`handed_over`: another process of the bridge has taken it over, and has heard it all the while: nothing is missing.
"""

Cause = Literal[
    "not_sent",
    "late",
    "lost",
    "carrier_reconnected",
    "bridge_restarted",
    "overflow",
    "not_transcribed",
    "paused",
]
"""Why audio is missing from the transcript.

`not_sent`: the carrier sent none.
`late`: it came after silence had taken its place.
`lost`: the numbers of the carrier's messages say that it got lost on the way.
`carrier_reconnected`: it fell between two streams of the call.
`bridge_restarted`: it fell into the time without a bridge.
`overflow`: there was no room, in memory or on the disk, to keep it until Deepgram would take it, or its words until
the store would.
`not_transcribed`: Deepgram would not transcribe it, or could not in time.
`paused`: it fell into a pause of the transcription, and is nowhere.
"""


def timestamp(epoch: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC with milliseconds."""
    second, milliseconds = divmod(round(epoch * 1000), 1000)
    return f"{_second(second)}.{milliseconds:03}Z"


@lru_cache(1024)  # calls that go on at once share their seconds
def _second(epoch: int) -> str:
    return datetime.fromtimestamp(epoch, UTC).replace(tzinfo=None).isoformat()


def is_none(value: object) -> bool:
    """What a field is left out for that not every event has."""
    return value is None


def is_empty(value: Sized) -> bool:
    """As `is_none`, for a list."""
    return not value


class Word(BaseModel):
    """One recognized word."""

    model_config = ConfigDict(frozen=True)

    word: str
    """Bare: lower case, no punctuation."""
    text: str
    """As it is written in the sentence."""
    start: float
    end: float
    confidence: float
    """Deepgram's, 0 to 1."""
    speaker: int | None = Field(None, exclude_if=is_none)
    """Who of those on this track said it, counted from 0: with `diarize`, else it is left out. The numbers are
    Deepgram's: every socket, and what is transcribed afterwards, has its own.
    """
    language: str | None = Field(None, exclude_if=is_none)
    """Of this word: with `language=multi`, else it is left out."""


class Alternative(BaseModel):
    """What may have been said instead."""

    model_config = ConfigDict(frozen=True)

    text: str
    confidence: float
    """Deepgram's, 0 to 1."""


class SearchHit(BaseModel):
    """Where a term of Deepgram's `search` may have been said."""

    model_config = ConfigDict(frozen=True)

    query: str
    """The term."""
    start: float
    end: float
    confidence: float
    """Deepgram's, 0 to 1."""
    snippet: str
    """What was heard there."""


class Entity(BaseModel):
    """Words that name something."""

    model_config = ConfigDict(frozen=True)

    label: str
    """What kind of thing, in Deepgram's names: `PERSON_NAME`, `CREDIT_CARD`."""
    value: str
    """As it is written."""
    raw_value: str
    """As it was said."""
    confidence: float
    """Deepgram's, 0 to 1."""
    start_word: int
    """The first of its words, counted from 0 in the segment's `words`."""
    end_word: int
    """After the last of them."""


class Redacted(BaseModel):
    """Where something was said that is not to be read."""

    model_config = ConfigDict(frozen=True)

    kind: str
    """What stands in brackets in its place: `card`, `cvc`, `expiry`, `phone`, `email`, `digits`, or a label of
    `BRIDGE_REDACT_PATTERNS`.
    """
    start: float
    end: float


class Request(BaseModel):
    """One socket to Deepgram."""

    model_config = ConfigDict(frozen=True)

    request_id: str | None
    """Deepgram's name of it, for its support."""
    model: str | None
    """The one that heard the call, in Deepgram's words; None where no result came."""
    version: str | None
    """The model's."""
    start: float
    """Where in the call it began."""
    origin: str | None = None
    """Host and port of the one of `DEEPGRAM_URL` that it was at."""


class Latency(BaseModel):
    """How far Deepgram's interims lagged behind the audio it had been sent, in seconds, as Deepgram measures it."""

    model_config = ConfigDict(frozen=True)

    p50: float
    """Half of the interims came within it. To a hundredth below half a second, to a twentieth of itself above."""
    p99: float
    """99 of a hundred did, likewise."""
    max: float
    measured: int
    """How many interims there were; they come without words, too."""


class Overlap(BaseModel):
    """Talk-over: a stretch of a segment in which the other speaker was speaking too."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)

    segment_id: str
    """The other speaker's segment."""
    start: float
    end: float


class MediaFormat(BaseModel):
    """What the audio of each track is, as the carrier declares it."""

    model_config = ConfigDict(frozen=True)

    encoding: str
    """`audio/x-mulaw`."""
    sample_rate: int
    """Samples a second: 8000."""
    channels: int
    """Of one track: 1."""


class Stretch(BaseModel):
    """Audio of one track, in seconds of the call."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)

    track: Track
    from_: float = Field(alias="from")
    to: float


class SpokenTurn(BaseModel):
    """A turn as it is read; times in seconds of the call."""

    model_config = ConfigDict(frozen=True)

    speaker: str
    track: Track
    voice: int | None
    """One of several people on the track; None: it is not known that there are any."""
    start: float
    end: float
    text: str
    over: list[str]
    """Speakers in whose turn this one began, or went on, and who did not stop for it."""
    segment_ids: list[str]


class WholeTranscript(BaseModel):
    """All that was said in a call, by the finals that came before its end."""

    model_config = ConfigDict(frozen=True)

    turns: list[SpokenTurn] | None
    """None: they are too large for a POST; `transcript_url` leads to them."""
    octets: int
    """Of the turns as JSON."""


class Figures(BaseModel):
    """Figures of a call, by speaker label where they belong to one speaker.

    Talk is words and the pauses between one speaker's words that are shorter than half a second.
    """

    model_config = ConfigDict(frozen=True)

    talk_time: dict[str, float]
    """Seconds in which this speaker talked, alone or not."""
    words: dict[str, int]
    """How many this speaker said."""
    words_per_minute: dict[str, float]
    """Words in a minute of talk, not of call; 0 without talk."""
    talk_over: float
    """Seconds in which both talked at once, stretches of less than 0.1 s left out."""
    longest_silence: float
    """Seconds of the longest stretch without talk, the call's start and end included, pauses of the transcription not.
    """
    response_time: dict[str, float | None]
    """Median seconds from the end of the other's turn to the start of one's own; 0 if the speaker did not wait for it.

    None: this speaker never answered the other. What is said within the other's talk ("mhm") is no turn.
    """
