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
from typing import Literal, TypeVar

from bridge.deepgram.messages import Results, ResultWord, SpeechStart, UtteranceEnd
from bridge.events import (
    TRACKS,
    Data,
    Overlap,
    SpeechStarted,
    Track,
    Transcript,
    TranscriptFinal,
    TranscriptInterim,
    UtteranceCompleted,
    Word,
    timestamp,
)
from bridge.transcript.speech import SHORTEST_OVERLAP

T = TypeVar("T", bound=Transcript)

_EPSILON = 0.1  # seconds by which Deepgram's own times of one word may differ
_REMEMBERED = 16  # segments per channel in which talk-over is looked for


@dataclass(slots=True)
class _Channel:
    """What is open on one channel."""

    index: int
    track: Track
    speaker: str
    segments: int = 0
    utterances: int = 0
    revision: int = 0
    """Of the open segment; 0: none is open."""
    shown: Transcript | None = None
    """The open segment as it was last shown."""
    settled: float = 0.0
    """End of the last word of the last final: no later word begins before it."""
    turn: list[Transcript] = field(default_factory=list)
    """Finals of the turn that is not complete."""
    recent: deque[tuple[str, float, float]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    """Finals as (segment id, start, end)."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far others have come with the call, for who goes on with it."""

    numbers: Mapping[str, int] = field(default_factory=dict)
    """The last segment of each track and, with `u` before the track, the last turn."""
    settled: Mapping[Track, float] = field(default_factory=dict)
    """Where their words end, in seconds of the call."""
    turns: Mapping[Track, Sequence[Transcript]] = field(default_factory=dict)
    """Finals of turns that they have not completed."""


class Assembler:
    """Turns what Deepgram says of a call, in seconds of the call, into events."""

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
                settled=past.settled.get(track, 0.0),
                turn=list(past.turns.get(track, ())),
            )
            for index, track in enumerate(TRACKS)
        ]
        self._events: list[Data] = []

    def __repr__(self) -> str:
        state = ", ".join(f"{c.track}: {c.segments} segments, {c.utterances} turns" for c in self._channels)
        return f"<Assembler {self.call_id} {state}>"

    def receive(self, message: Results | UtteranceEnd | SpeechStart) -> None:
        """One message of a channel that exists."""
        channel = self._channels[message.channel]
        match message:
            case Results():
                self._receive_results(channel, message)
            case UtteranceEnd():
                # -1 says: that turn has ended already. A later word says: the speaker went on.
                if message.last_word_end >= 0 and channel.settled <= message.last_word_end + _EPSILON:
                    self._complete_turn(channel)
            case SpeechStart():
                self._events.append(
                    SpeechStarted(
                        track=channel.track,
                        channel=channel.index,
                        speaker=channel.speaker,
                        at=_seconds(message.at),
                        at_time=timestamp(self.anchor + message.at),
                    )
                )

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
                self._complete_turn(channel)

    def events_received(self) -> list[Data]:
        """What has become of it since the last call, in order."""
        events, self._events = self._events, []
        return events

    def _receive_results(self, channel: _Channel, results: Results) -> None:
        if results.is_final:
            # An empty final says something only where an interim had claimed words.
            if results.text or channel.shown:
                self._close_segment(channel, self._transcript(channel, results, TranscriptFinal))
            if results.speech_final:
                self._complete_turn(channel)
        elif results.text and not (channel.shown and channel.shown.text == results.text):
            self._show(channel, self._transcript(channel, results, TranscriptInterim))

    def _transcript(self, channel: _Channel, results: Results, kind: type[T]) -> T:
        words = _monotonic(results.words, channel.settled)
        start = words[0].start if words else max(results.start, channel.settled)
        end = max(start, words[-1].end if words else results.end)
        return kind(
            segment_id=channel.shown.segment_id if channel.shown else self._next_segment(channel),
            revision=channel.revision + 1,
            final=results.is_final,
            track=channel.track,
            channel=channel.index,
            speaker=channel.speaker,
            start=_seconds(start),
            end=_seconds(end),
            start_time=timestamp(self.anchor + start),
            end_time=timestamp(self.anchor + end),
            text=results.text,
            confidence=results.confidence,
            words=words,
            language=results.language or self.language,
            speech_final=results.speech_final,
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

    def _close_segment(self, channel: _Channel, final: TranscriptFinal) -> None:
        self._events.append(final)
        channel.revision, channel.shown = 0, None
        if final.text:
            channel.settled = max(channel.settled, final.end)
            channel.recent.append((final.segment_id, final.start, final.end))
            channel.turn.append(final)

    def _complete_turn(self, channel: _Channel) -> None:
        finals, channel.turn = channel.turn, []
        if not finals:
            return
        channel.utterances += 1
        first, last = finals[0], finals[-1]
        self._events.append(
            UtteranceCompleted(
                utterance_id=f"{self.call_id}-{channel.track}-u{self._series}{channel.utterances}",
                segment_ids=[final.segment_id for final in finals],
                track=channel.track,
                channel=channel.index,
                speaker=channel.speaker,
                start=first.start,
                end=last.end,
                start_time=first.start_time,
                end_time=last.end_time,
                text=" ".join(final.text for final in finals),
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
                if both_to - both_from >= SHORTEST_OVERLAP:
                    found.append(Overlap(segment_id=segment_id, start=_seconds(both_from), end=_seconds(both_to)))
        return found


def _monotonic(words: tuple[ResultWord, ...], floor: float) -> list[Word]:
    """The words with times that never go back, neither among themselves nor behind `floor`."""
    placed = []
    for word in words:
        start = max(word.start, floor)
        floor = max(word.end, start)
        placed.append(
            Word(
                word=word.word,
                text=word.text,
                start=_seconds(start),
                end=_seconds(floor),
                confidence=word.confidence,
            )
        )
    return placed


def _seconds(value: float) -> float:
    return round(value, 3)
