"""The events of what is said: transcripts, turns, and their beginnings."""

from typing import ClassVar, Literal

from pydantic import Field

from bridge.events.data import Data
from bridge.events.parts import (
    TRACKS,
    Alternative,
    EndedBy,
    Entity,
    Overlap,
    Redacted,
    SearchHit,
    Track,
    Word,
    is_empty,
    is_none,
)


class Transcript(Data):
    """What one speaker said in one stretch of audio."""

    segment_id: str
    """Stable from the first interim to the final."""
    revision: int
    """Counts what was said of this segment, from 1."""
    final: bool
    track: Track
    channel: int
    """Of the two-channel audio: 0 inbound, 1 outbound."""
    speaker: str
    """The track's label."""
    start: float
    """Of the first word; of the audio, where there are no words."""
    end: float
    start_time: str
    end_time: str
    text: str
    """With what `smart_format` and the like have made of it; empty: nothing was said after all."""
    confidence: float
    """Deepgram's in the whole text, 0 to 1."""
    words: list[Word]
    """In order; none begins before the one before it has ended."""
    language: str | None = None
    """The one that Deepgram heard most, or else the one that was asked for; None where neither is known."""
    languages: list[str] = Field([], exclude_if=is_empty)
    """All that Deepgram heard, the most frequent first; with `language=multi`."""
    speech_final: bool = False
    """Deepgram heard the speaker pause: the turn ends here."""
    from_finalize: bool = False
    """Deepgram was asked for it before the speaker paused."""
    alternatives: list[Alternative] = Field([], exclude_if=is_empty)
    """What may have been said instead, the likeliest first; with `alternatives`."""
    search: list[SearchHit] = Field([], exclude_if=is_empty)
    """Where terms may have been said that were searched for; with `search`."""
    entities: list[Entity] = Field([], exclude_if=is_empty)
    """What the words name; with `detect_entities`."""
    redacted: list[Redacted] = Field([], exclude_if=is_empty)
    """What is not to be read, in order: its words are left out, and what stands for them is one word; with
    `BRIDGE_REDACT`.
    """
    overlaps: list[Overlap] = []
    """With what had been heard of the other speaker by then: a pair may be told by its later segment only."""
    source: Literal["live", "backfill"] = "live"
    """`live`: heard while the call went on. `backfill`: transcribed after it, from kept audio or a recording."""


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
    """Of the finals, in order."""
    track: Track
    channel: int
    """As a transcript's."""
    speaker: str
    """The track's label."""
    start: float
    end: float
    start_time: str
    end_time: str
    text: str
    voice: int | None = Field(None, exclude_if=is_none)
    """The `speaker` of all its words; None where they have none. A turn of several is told by one event for each."""
    ended_by: EndedBy | None = None
    """None in records of earlier versions."""


class Moment(Data):
    """What a speaker did at one moment."""

    durable: ClassVar[bool] = False

    track: Track
    channel: int
    """As a transcript's."""
    speaker: str
    """The track's label."""
    at: float
    """The moment; of a turn, how far Deepgram had heard the call by then."""
    at_time: str


class SpeechStarted(Moment):
    """A speaker began, by Deepgram's detector of voice activity: no word need start there. The words follow."""

    type: ClassVar[str] = "speech.started"


class TurnEagerEnd(Moment):
    """A speaker may be done: if so, the next final is the last interim. With Flux and `eager_eot_threshold`."""

    type: ClassVar[str] = "turn.eager_end"

    segment_id: str
    """The segment that would be final."""
    text: str
    """What was said in the turn."""
    confidence: float
    """Deepgram's, that the turn is over, 0 to 1."""


class TurnResumed(Moment):
    """A speaker goes on after a `turn.eager_end`."""

    type: ClassVar[str] = "turn.resumed"

    segment_id: str
    """The segment that goes on."""


SLOTS = (*TRACKS, *(f"turn {track}" for track in TRACKS))
"""Of what is told without a `seq` the newest counts, in each of these."""


def slot(data: Data) -> str | None:
    """The one of an event without a `seq`."""
    match data:
        case TranscriptInterim() | SpeechStarted():
            return data.track
        case TurnEagerEnd() | TurnResumed():
            return f"turn {data.track}"
    return None
