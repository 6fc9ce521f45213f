"""From Deepgram's results to our transcripts: segments with stable ids, revisions, finals, and whole turns.

A machine without clock or socket, one per call. Deepgram segments each channel on its own; here every channel has at
most one open segment, which is what its interims revise and its next final closes. A turn is the finals up to a
`speech_final`, or up to an `UtteranceEnd` where no `speech_final` came (lines are noisy): whichever is first ends it,
and the other then finds nothing left to end, so no text comes twice.
Source: https://developers.deepgram.com/docs/understand-endpointing-interim-results and .../docs/utterance-end
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from pydantic import TypeAdapter

from bridge.audio import SAMPLE_RATE, samples, seconds
from bridge.events import (
    TRACKS,
    Alternative,
    Data,
    EndedBy,
    Entity,
    Overlap,
    Redacted,
    SearchHit,
    SpeechStarted,
    Track,
    Transcript,
    TranscriptFinal,
    TranscriptInterim,
    TurnEagerEnd,
    TurnResumed,
    UtteranceCompleted,
    Word,
    timestamp,
)
from bridge.recognition import EagerEnd, Recognized, Result, SpeechStart, TurnEnd, TurnGoesOn
from bridge.recognition import Word as HeardWord
from bridge.transcript.speech import SHORTEST_OVERLAP, by_voice, chained, join, runs
from bridge.writing import joined

T = TypeVar("T", bound=Transcript)

_EPSILON = SAMPLE_RATE // 10  # samples by which a recognizer's own times of one word may differ
_REMEMBERED = 16  # segments per channel in which talk-over is looked for


@dataclass(slots=True)
class _Channel:
    """What is open on one channel."""

    index: int
    track: Track
    speaker: str
    segments: int
    utterances: int
    last_word_end: int
    """Samples: end of the last word of any final; words after it do not begin before it."""
    revision: int = 0
    """Of the open segment; 0: none is open."""
    shown: Transcript | None = None
    """The open segment as it was last shown."""
    turn: list[TranscriptFinal] = field(default_factory=list)
    """Finals of the turn that is not complete."""
    recent: deque[tuple[str, float, float]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    """Finals as (segment id, start, end)."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far another process has come with the call, to go on from there."""

    numbers: Mapping[str, int] = field(default_factory=dict)
    """The last segment of each track and, with `u` before the track, the last turn."""
    last_word_ends: Mapping[Track, int] = field(default_factory=dict)
    """Where their words end, in samples of the call."""
    turns: Mapping[Track, Sequence[TranscriptFinal]] = field(default_factory=dict)
    """Finals of turns that they have not completed."""


class Assembler:
    """Turns what a recognizer says of a call into events: samples in, seconds out."""

    def __init__(
        self,
        call_id: str,
        speakers: Mapping[str, str],
        language: str | None = None,
        *,
        source: Literal["live", "backfill"] = "live",
        progress: Progress | None = None,
    ) -> None:
        """`speakers` maps tracks to labels; `language` is what was asked for, for results that do not name theirs."""
        self.call_id = call_id
        self.language = language
        self.source = source
        self._series = "b" if source == "backfill" else ""  # numbers of its own: both may be at work at once
        self.anchor = 0.0
        """Wall clock of call time 0, seconds since 1970."""
        past = progress or Progress()
        self._channels = [
            _Channel(
                index,
                track,
                speakers.get(track, track),
                segments=past.numbers.get(track, 0),
                utterances=past.numbers.get(f"u{track}", 0),
                last_word_end=past.last_word_ends.get(track, 0),
                turn=list(past.turns.get(track, ())),
            )
            for index, track in enumerate(TRACKS)
        ]
        self._events: list[Data] = []

    def __repr__(self) -> str:
        state = ", ".join(f"{c.track}: {c.segments} segments, {c.utterances} turns" for c in self._channels)
        return f"<Assembler {self.call_id} {state}>"

    def receive(self, message: Recognized) -> None:
        """One message of a channel that exists."""
        channel = self._channels[message.channel]
        match message:
            case Result():
                self._receive_result(channel, message)
            case TurnEnd(last_word_end=ended):
                # None says that the turn has been ended already; a later word, that the speaker has gone on.
                if ended is not None and channel.last_word_end <= ended + _EPSILON:
                    self._complete_turn(channel, "utterance_end")
            case SpeechStart():
                self._events.append(SpeechStarted(**self._place(channel, message.at)))
            case EagerEnd(at=at, text=text, confidence=confidence) if shown := channel.shown:
                told = TurnEagerEnd(
                    segment_id=shown.segment_id, text=text, confidence=confidence, **self._place(channel, at)
                )
                self._events.append(told)
            case TurnGoesOn(at=at) if shown := channel.shown:
                self._events.append(TurnResumed(segment_id=shown.segment_id, **self._place(channel, at)))

    def finish(self, *, retract: bool = False, turns: bool = True) -> None:
        """Nothing more comes: what is open is closed with what was last heard of it.

        `retract`: with nothing, because its audio will be transcribed once more. `turns`: those that are open are
        complete; False: another process goes on with them.
        """
        nothing = {"text": "", "words": [], "overlaps": []} if retract else {}
        for channel in self._channels:
            if shown := channel.shown:
                said = {**dict(shown), **nothing, "final": True, "revision": shown.revision + 1}
                self._close_segment(channel, TranscriptFinal(**said))
            if turns:
                self._complete_turn(channel, "call_end")

    def events_received(self) -> list[Data]:
        """What has become of it since the last call, in order."""
        events, self._events = self._events, []
        return events

    def _place(self, channel: _Channel, at: int) -> dict[str, Any]:
        """Who, and when."""
        when = {"at": seconds(at), "at_time": timestamp(self.anchor + at / SAMPLE_RATE)}
        return {"track": channel.track, "channel": channel.index, "speaker": channel.speaker, **when}

    def _receive_result(self, channel: _Channel, result: Result) -> None:
        if result.is_final:
            # A final that comes late, for a time before the open segment, is a segment of its own.
            late = channel.shown is not None and seconds(result.span.end) <= channel.shown.start
            # An empty final says something only where an interim had claimed words.
            if result.text or (channel.shown and not late):
                self._close_segment(channel, self._transcript(channel, result, TranscriptFinal, late=late), late=late)
            if result.ends_turn:
                self._complete_turn(channel, "pause")
        elif result.text and not (channel.shown and channel.shown.text == result.text):
            self._show(channel, self._transcript(channel, result, TranscriptInterim))

    def _transcript(self, channel: _Channel, result: Result, kind: type[T], *, late: bool = False) -> T:
        words = _monotonic(result.words, channel.last_word_end)
        # Without words it is where its audio is, but for what a word has had already.
        bare = result.span.start
        if bare < channel.last_word_end < result.span.end:
            bare = channel.last_word_end
        start = words[0].start if words else seconds(bare)
        end = max(start, words[-1].end if words else seconds(result.span.end))
        shown = None if late else channel.shown
        return kind(
            segment_id=shown.segment_id if shown else self._next_segment(channel),
            revision=1 if late else channel.revision + 1,
            final=result.is_final,
            track=channel.track,
            channel=channel.index,
            speaker=channel.speaker,
            start=start,
            end=end,
            start_time=timestamp(self.anchor + start),
            end_time=timestamp(self.anchor + end),
            text=result.text,
            confidence=result.confidence,
            words=words,
            language=result.language or self.language,
            languages=list(result.languages),
            speech_final=result.ends_turn,
            from_finalize=result.from_finalize,
            **_asked_for(result),
            redacted=[
                Redacted(kind=each.kind, start=seconds(each.span.start), end=seconds(each.span.end))
                for each in result.redacted
            ],
            overlaps=self._overlaps(channel, start, end),
            source=self.source,
        )

    def _next_segment(self, channel: _Channel) -> str:
        channel.segments += 1
        return f"{self.call_id}-{channel.track}-{self._series}{channel.segments}"

    def _show(self, channel: _Channel, transcript: Transcript) -> None:
        channel.revision = transcript.revision
        channel.shown = transcript
        self._events.append(transcript)

    def _close_segment(self, channel: _Channel, final: TranscriptFinal, *, late: bool = False) -> None:
        self._events.append(final)
        if not late:
            channel.revision, channel.shown = 0, None
        if final.text:
            channel.last_word_end = max(channel.last_word_end, samples(final.end))
            channel.recent.append((final.segment_id, final.start, final.end))
            channel.turn.append(final)

    def _complete_turn(self, channel: _Channel, ended_by: EndedBy) -> None:
        finals, channel.turn = channel.turn, []
        if not finals:
            return
        if all(word.speaker is None for final in finals for word in final.words):
            first, last = finals[0], finals[-1]
            self._tell_turn(channel, finals, first.start, last.end, joined(final.text for final in finals), ended_by)
            return
        voices = by_voice(run for final in finals for run in runs(final))
        for number, group in enumerate(voices, 1):
            parts = list({run.final.segment_id: run.final for run in group}.values())
            end = max(run.end for run in group)
            why: EndedBy = ended_by if number == len(voices) else "speaker"
            self._tell_turn(channel, parts, group[0].start, end, join(chained(group)), why, group[0].voice)

    def _tell_turn(
        self,
        channel: _Channel,
        finals: Sequence[Transcript],
        start: float,
        end: float,
        text: str,
        ended_by: EndedBy,
        voice: int | None = None,
    ) -> None:
        channel.utterances += 1
        self._events.append(
            UtteranceCompleted(
                utterance_id=f"{self.call_id}-{channel.track}-u{self._series}{channel.utterances}",
                segment_ids=[final.segment_id for final in finals],
                track=channel.track,
                channel=channel.index,
                speaker=channel.speaker,
                start=start,
                end=end,
                start_time=timestamp(self.anchor + start),
                end_time=timestamp(self.anchor + end),
                text=text,
                voice=voice,
                ended_by=ended_by,
            )
        )

    def _overlaps(self, channel: _Channel, start: float, end: float) -> list[Overlap]:
        """Where the others have been heard in the same stretch, as far as is known now."""
        found = []
        for other in self._channels:
            if other is channel:
                continue
            spans = list(other.recent)
            if other.shown:
                spans.append((other.shown.segment_id, other.shown.start, other.shown.end))
            for segment_id, began, ended in spans:
                both_from, both_to = max(start, began), min(end, ended)
                if round(both_to - both_from, 3) >= SHORTEST_OVERLAP:
                    found.append(Overlap(segment_id=segment_id, start=both_from, end=both_to))
        return found


_words = TypeAdapter(list[Word]).validate_python  # all of them in one step


def _monotonic(words: tuple[HeardWord, ...], last_word_end: int) -> list[Word]:
    """The words with times that never go back among themselves, nor into words that earlier finals have ended with.

    A word whose middle lies before those belongs to a final that comes late, out of order: it keeps its time.
    """
    placed: list[dict[str, Any]] = []
    floor = 0
    for word in words:
        start, end = word.span
        if floor < last_word_end <= word.span.middle:
            floor = last_word_end
        if start < floor:
            start = floor
        floor = end if end > start else start
        said = {
            "word": word.word,
            "text": word.text,
            "start": seconds(start),
            "end": seconds(floor),
            "confidence": word.confidence,
            "speaker": word.speaker,
            "language": word.language,
        }
        placed.append(said)
    return _words(placed)


def _asked_for(result: Result) -> dict[str, Any]:
    """What few calls ask for, by its field."""
    return {
        "alternatives": [Alternative(text=one.text, confidence=one.confidence) for one in result.alternatives],
        "search": [
            SearchHit(
                query=hit.query,
                start=seconds(hit.span.start),
                end=seconds(hit.span.end),
                confidence=hit.confidence,
                snippet=hit.snippet,
            )
            for hit in result.hits
        ],
        "entities": [
            Entity(
                label=entity.label,
                value=entity.value,
                raw_value=entity.raw_value,
                confidence=entity.confidence,
                start_word=entity.words.start,
                end_word=entity.words.end,
            )
            for entity in result.entities
        ],
    }
