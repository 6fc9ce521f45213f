"""What events are made of: the names they choose from and the values they hold. Units and clocks are `catalogue`'s."""

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Track = Literal["inbound", "outbound"]
"""The carrier's name of a direction, seen from the leg the stream runs on; says nothing about who called whom."""

TRACKS: tuple[Track, Track] = ("inbound", "outbound")
"""The channel of a track is its place here."""


def timestamp(epoch: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC with milliseconds."""
    moment = datetime.fromtimestamp(round(epoch, 3), UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


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


class Overlap(BaseModel):
    """Talk-over: a stretch of a segment in which the other speaker was speaking too."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)

    segment_id: str
    """The other speaker's segment."""
    start: float
    end: float


class Stretch(BaseModel):
    """Audio of one track, in seconds of the call."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)

    track: Track
    from_: float = Field(alias="from")
    to: float


class Figures(BaseModel):
    """Figures of a call, by speaker label where they are somebody's.

    Talk is words and the pauses between one speaker's words that are shorter than half a second.
    """

    model_config = ConfigDict(frozen=True)

    talk_time: dict[str, float]
    """Seconds in which this speaker talked, alone or not."""
    words: dict[str, int]
    words_per_minute: dict[str, float]
    """Words in a minute of talk, not of call; 0 without talk."""
    talk_over: float
    """Seconds in which both talked at once, stretches of less than 0.1 s left out."""
    longest_silence: float
    """Seconds of the longest stretch in which nobody talked, the call's start and end included."""
    response_time: dict[str, float | None]
    """Median seconds from the end of the other's turn to the start of one's own; 0 for whoever did not wait for it.

    None: this speaker answered nobody. What is said within the other's talk ("mhm") is no turn.
    """
