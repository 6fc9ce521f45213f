"""What the log says of a call, to go on with it: with another process's call, or with its audio after the end.

Fed with the call's events in order, each as the JSON that was written. It knows no store and no clock.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from bridge.audio import samples, seconds
from bridge.call.overlap import Handed
from bridge.deepgram.configuring import Configuration
from bridge.events import (
    TRACKS,
    AudioGap,
    CallEnded,
    CallResumed,
    CallStarted,
    Cause,
    PauseEnded,
    PauseStarted,
    ResumeReason,
    Stretch,
    Track,
    TranscriptFinal,
    TranscriptionBackfilled,
    TranscriptionConfigured,
    UtteranceCompleted,
)
from bridge.redaction.redactor import Past
from bridge.spans import Span, SpanSet
from bridge.transcript.assembler import Progress
from bridge.transcript.gaps import PAUSED

NOT_TRANSCRIBED: Cause = "not_transcribed"
"""Why audio is given up that was kept, but that Deepgram did not transcribe in time."""

_NUMBER = re.compile(r"-u?(b?)(\d+)$", re.ASCII)
"""How the assembler ends an id."""

BY_PROCESSES: tuple[ResumeReason, ...] = ("bridge_restarted", "handed_over")
"""Why a call goes on in the hands of another process."""

_MOMENTS = ("end", "at")
"""Names of moments of the call in any event. `to` is one in a gap, but in `call.started` it is a number."""


class Projection:
    """Empty at first; `take` every event."""

    def __init__(self) -> None:
        self.seq = 0
        """The newest."""
        self.started: dict[str, Any] = {}
        """Data of `call.started`."""
        self.ended: dict[str, Any] | None = None
        """Data of `call.ended`."""
        self.anchor: float | None = None
        """Wall clock of call time 0 in seconds since 1970; None if no final tells."""
        self.latest = 0.0
        """The latest moment of the call that any event names, in seconds."""
        self.settled: dict[Track, float] = dict.fromkeys(TRACKS, 0.0)
        """End of the last live final of each track, in seconds of the call."""
        self.missing: dict[Track, float] = dict.fromkeys(TRACKS, 0.0)
        """End of the last gap of each track, likewise."""
        self.numbers: dict[str, Counter[str]] = {"live": Counter(), "backfill": Counter()}
        """Highest number of a segment, and with `u` before it of an utterance, by source and track."""
        self.turns: dict[Track, list[dict[str, Any]]] = {track: [] for track in TRACKS}
        """Data of the live finals that are in no turn yet."""
        self.counters: Counter[str] = Counter()
        """As a writer's."""
        self.uncovered: list[Stretch] = []
        """Kept audio that is still to be transcribed, as the last event that names it says."""
        self.tracks: tuple[Track, ...] = ()
        """Those that its streams carried, as far as that is known."""
        self.silent: dict[Track, int] = {}
        """Where the audio of each track had ended that was silent when the process before left the call."""
        self.resumed = 0
        """How many times processes have gone on with it."""
        self.resumed_at = 0.0
        """Where the newest process but this went on with the call, in seconds of it."""
        self.left_in_order = False
        """The process before has told all that it knew of the call; it has not crashed."""
        self.audio_lost = False
        """None of its audio is kept: no one knows what was said after the last final."""
        self.given_up = False
        """That has been told as a gap."""
        self.unheard: list[tuple[Stretch, Cause]] = []
        """What no one has heard before the call was resumed, and why, as far as no gap has told of it."""
        self.streams: list[str] = []
        """Ids of those that the call began and went on with."""
        self.pauses: list[Span] = []
        """Those of the transcription that are over."""
        self.paused: int | None = None
        """Where one began that goes on, in samples."""
        self.configured: Configuration | None = None
        """What Deepgram has changed of the call's options."""
        self.handed: Handed | None = None
        """How to go on with it without a break, if this process has heard it, too."""
        self.redacted: list[Past] = []
        """What was taken out of finals, and where."""

    def __repr__(self) -> str:
        return f"<Projection seq {self.seq} {dict(self.counters)} uncovered {len(self.uncovered)}>"

    @property
    def speakers(self) -> dict[str, str]:
        """Labels by track."""
        return dict(self.started.get("speakers") or {})

    @property
    def parameters(self) -> dict[str, str]:
        """The stream's own, without ours."""
        return dict(self.started.get("parameters") or {})

    @property
    def redact(self) -> list[str]:
        """What the call is said to be without."""
        return list(self.started.get("redact") or ())

    @property
    def progress(self) -> Progress:
        """How far the live transcription has come."""
        turns = {track: [TranscriptFinal.model_validate(final) for final in self.turns[track]] for track in TRACKS}
        ends = {track: samples(end) for track, end in self.settled.items()}
        return Progress(self.numbers["live"], ends, turns)

    def take(self, body: str) -> None:
        """The next event."""
        event = json.loads(body)
        data: dict[str, Any] = event["data"]
        self.seq = event["seq"]
        self.latest = max(self.latest, *(float(data.get(name) or 0.0) for name in _MOMENTS))
        match event["type"]:
            case CallStarted.type:
                self.started = data
                self.streams.append(data["stream_id"])
            case TranscriptFinal.type:
                self._take_final(data)
            case UtteranceCompleted.type:
                self.counters["utterances"] += 1
                self._take_number(data, "utterance_id", "u")
                self._take_turn(data)
            case AudioGap.type:
                self.counters["gaps"] += 1
                self._take_gap(data)
            case PauseStarted.type:
                self.paused = samples(data["at"])
            case PauseEnded.type:
                self.paused = None
            case TranscriptionConfigured.type:
                self._take_change(data)
            case CallResumed.type:
                self._take_resumption(data)
            case CallEnded.type:
                self.ended = data
                self.uncovered = _stretches(data)
            case TranscriptionBackfilled.type:
                self.uncovered = list(without(self.uncovered, data["from"], data["to"]))

    def _take_resumption(self, data: dict[str, Any]) -> None:
        self.streams.append(data["stream_id"])
        self.unheard += [(stretch, data["reason"]) for stretch in _stretches(data, "unheard")]
        if data["reason"] in BY_PROCESSES:
            self.resumed += 1
            self.resumed_at = data["at"]
            self.uncovered = _stretches(data)

    def _take_gap(self, data: dict[str, Any]) -> None:
        self.latest = max(self.latest, data["to"])
        if (track := data.get("track")) in self.missing:
            self.missing[track] = max(self.missing[track], data["to"])
            told = data["from"], data["to"], track
            self.unheard = [(rest, why) for stretch, why in self.unheard for rest in without([stretch], *told)]
        if data["why"] == PAUSED:
            self.pauses.append(Span(samples(data["from"]), samples(data["to"])))
        elif data["why"] == NOT_TRANSCRIBED:
            self.given_up = self.given_up or self.ended is not None

    def _take_change(self, data: dict[str, Any]) -> None:
        keyterms = None if data["keyterms"] is None else tuple(data["keyterms"])
        self.configured = Configuration(keyterms, data["numerals"]).over(self.configured)

    def _take_final(self, data: dict[str, Any]) -> None:
        self.counters["finals"] += 1
        self.counters["words"] += len(data["words"])
        self._take_number(data, "segment_id", "")
        for each in data.get("redacted") or ():
            span = Span(samples(each["start"]), samples(each["end"]))
            self.redacted.append((data["channel"], each["kind"], span))
        if data.get("source", "live") == "live":
            self.settled[data["track"]] = max(self.settled[data["track"]], float(data["end"]))
            self.anchor = datetime.fromisoformat(data["start_time"]).timestamp() - float(data["start"])
            if data["text"]:
                self.turns[data["track"]].append(data)

    def _take_turn(self, data: dict[str, Any]) -> None:
        complete, track = frozenset(data["segment_ids"]), data["track"]
        self.turns[track] = [final for final in self.turns[track] if final["segment_id"] not in complete]

    def _take_number(self, data: dict[str, Any], name: str, kind: str) -> None:
        if match := _NUMBER.search(data[name]):
            numbers, key = self.numbers["backfill" if match[1] else "live"], kind + data["track"]
            numbers[key] = max(numbers[key], int(match[2]))


def without(stretches: Iterable[Stretch], start: float, end: float, track: Track | None = None) -> Iterable[Stretch]:
    """The stretches, but for what lies between two moments, on one `track` or on both."""
    for stretch in stretches:
        rest = SpanSet([(samples(stretch.from_), samples(stretch.to))])
        if track in (None, stretch.track):
            rest.remove(samples(start), samples(end))
        for span in rest:
            yield Stretch(track=stretch.track, from_=seconds(span.start), to=seconds(span.end))


def _stretches(data: Mapping[str, Any], name: str = "uncovered") -> list[Stretch]:
    return [Stretch.model_validate(stretch) for stretch in data.get(name) or ()]
