"""One record as the webhook got it, looked at without knowing what was said: its shape, its order, its clock.

Pure. Events are the dicts of the deliveries' JSON, each once, in the order of their arrival.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import inf
from typing import Any

from bridge.events import TRACKS
from tests.chaos.spoken import MOMENT, Leg, Span, Spoken

Event = Mapping[str, Any]

_AFTER_THE_END = {"transcript.final", "utterance.completed", "audio.gap", "transcription.backfilled"}
CLOCK = 0.3
"""Seconds by which a stream's place in the record may be off, as the bridge has only its clock for it."""

_STEP = 0.0011
"""Seconds that rounding may take two neighbours over each other."""


class Record:
    """The events of a record, and which of the call's streams they speak of."""

    def __init__(self, record_id: str, events: Sequence[Event], spoken: Spoken | None = None) -> None:
        self.id = record_id
        self.events = events
        self.at: dict[str, float] = {}
        """Where a stream's first frame is in the record, by stream id."""
        for event in events:
            match event["type"]:
                case "call.started":
                    self.at[event["data"]["stream_id"]] = 0.0
                case "call.resumed" if event["data"].get("reason") != "handed_over":  # that stream was there before
                    self.at[event["data"]["stream_id"]] = event["data"]["at"]
        self.loose: dict[str, float] = {}
        """Seconds by which a stream's place is not known, by stream id."""
        self.legs: list[Leg] = []
        self._in_order = spoken is None or spoken.in_order
        if spoken is None:
            return
        known = [leg for leg in spoken.legs if leg.stream_id in self.at]
        self.legs += known
        for leg in sorted(spoken.legs, key=lambda leg: leg.start):
            if leg not in known:
                self._find_place(leg, spoken)
        self.legs.sort(key=lambda leg: leg.start)

    def _find_place(self, leg: Leg, spoken: Spoken) -> None:
        """Of a stream that came while another was there, which no event tells."""
        if spoken.refused(leg) or leg.end - leg.start < MOMENT:
            return
        if not spoken.streaming(leg):
            return
        ends = self.ended["duration"] if self.ended else inf
        hosts = [one for one in self.legs if one.start - CLOCK <= leg.start < ends - self.shift(one)]
        if not hosts:
            return
        host = min(hosts, key=lambda one: (not spoken.in_step(one, leg), self.loose.get(one.stream_id, 0.0)))
        self.at[leg.stream_id] = leg.start + self.shift(host)
        by_clock = 0.0 if spoken.in_step(host, leg) else CLOCK + leg.lag + host.lag
        self.loose[leg.stream_id] = self.loose.get(host.stream_id, 0.0) + by_clock
        self.legs.append(leg)

    def about(self, leg: Leg) -> float:
        """Seconds by which a stream's place is not known."""
        return self.loose.get(leg.stream_id, 0.0)

    def carry(self, channel: int) -> list[Leg]:
        """The streams that carry a channel."""
        return [leg for leg in self.legs if channel in leg.channels and leg.start < leg.end]

    def of(self, kind: str) -> list[Mapping[str, Any]]:
        """The data of the events of a type."""
        return [event["data"] for event in self.events if event["type"] == kind]

    @property
    def ended(self) -> Mapping[str, Any] | None:
        ends = self.of("call.ended")
        return ends[0] if ends else None

    @property
    def complete(self) -> bool:
        """Whether nothing more is to come."""
        if self.ended is None:
            return False
        return not self.ended["uncovered"] or any(
            not said["waiting"] for said in self._after("transcription.backfilled")
        )

    def shift(self, leg: Leg) -> float:
        """What to add to the moments of a stream to get those of the record."""
        return self.at[leg.stream_id] - leg.start

    def gaps(self, channel: int) -> list[Span]:
        """What the record says is missing, in its own time."""
        return [Span(gap["from"], gap["to"]) for gap in self.of("audio.gap") if gap["track"] == TRACKS[channel]]

    def uncovered(self, channel: int) -> list[Span]:
        """What was left to be backfilled; neighbours are transcribed in one piece."""
        stretches = [stretch for data in self.of("call.resumed") for stretch in data["uncovered"]]
        stretches += self.ended["uncovered"] if self.ended else []
        spans: list[Span] = []
        for span in sorted(Span(s["from"], s["to"]) for s in stretches if s["track"] == TRACKS[channel]):
            if spans and span.start <= spans[-1].end:
                spans[-1] = Span(spans[-1].start, max(spans[-1].end, span.end))
            else:
                spans.append(span)
        return spans

    def faults(self) -> Iterator[str]:
        """What is wrong whatever was said."""
        for fault in (*self._numbers(), *self._frame(), *self._tail(), *self._finals(), *self._utterances()):
            yield f"record {self.id}: {fault}"

    def _after(self, kind: str) -> list[Mapping[str, Any]]:
        """The data of the events of a type that came after the end."""
        ends = [place for place, event in enumerate(self.events) if event["type"] == "call.ended"]
        return [event["data"] for event in self.events[ends[0] :] if event["type"] == kind] if ends else []

    def _numbers(self) -> Iterator[str]:
        seqs = [event["seq"] for event in self.events]
        if seqs != list(range(1, len(seqs) + 1)):
            yield f"its numbers are {seqs}, not 1 to {len(seqs)}"
        if len({event["id"] for event in self.events}) != len(self.events):
            yield "two events have the same id"

    def _frame(self) -> Iterator[str]:
        kinds = [event["type"] for event in self.events]
        if kinds.count("call.started") != 1 or kinds[0] != "call.started":
            yield f"call.started came {kinds.count('call.started')} times, first came {kinds[0]}"
        if kinds.count("call.ended") != 1:
            yield f"call.ended came {kinds.count('call.ended')} times"
        elif strange := set(kinds[kinds.index("call.ended") + 1 :]) - _AFTER_THE_END:
            yield f"after call.ended came {', '.join(sorted(strange))}"

    def _tail(self) -> Iterator[str]:
        """`flush: complete` promises that nothing follows, anything else that the rest is settled aloud."""
        if self.ended is None:
            return
        if self.ended["flush"] == "complete":
            if self.events[-1]["type"] != "call.ended" or self.ended["uncovered"] or self.ended["missing"]:
                yield f"it ended complete, but lacks {self.ended['uncovered']}, and last came {self.events[-1]['type']}"
        elif not self.complete:
            yield f"{self.ended['uncovered']} was never backfilled to the end"
        for final in self.of("transcript.final"):
            if final["source"] == "backfill" and final not in self._after("transcript.final"):
                yield f"{final['segment_id']} is a backfill before the end"

    def _finals(self) -> Iterator[str]:
        finals = self.of("transcript.final")
        if len({final["segment_id"] for final in finals}) != len(finals):
            yield "two finals have the same segment id"
        for final in finals:
            if TRACKS[final["channel"]] != final["track"]:
                yield f"{final['segment_id']} is on channel {final['channel']}, track {final['track']}"
            if final["text"].split() != [word["text"] for word in final["words"]]:
                yield f"{final['segment_id']} has another text than its words"
            edges = [edge for word in final["words"] for edge in (word["start"], word["end"])]
            if edges != sorted(edges):
                yield f"the words of {final['segment_id']} are out of order"
        for source in ("live", "backfill") if self._in_order else ("backfill",):
            for channel in range(2):
                # One without words takes back an interim, of what may come again.
                said = [f for f in finals if (f["source"], f["channel"]) == (source, channel) and f["words"]]
                for one, other in pairwise(said):
                    if other["start"] < one["end"] - _STEP:
                        begin, end = other["start"], one["end"]
                        yield f"{other['segment_id']} from {begin} came after {one['segment_id']} up to {end}"

    def _utterances(self) -> Iterator[str]:
        """A turn is made of finals that have come, each in one turn at most."""
        texts: dict[str, str] = {}
        for event in self.events:
            data = event["data"]
            if event["type"] == "transcript.final":
                texts[data["segment_id"]] = data["text"]
            elif event["type"] == "utterance.completed":
                said = [texts.pop(segment, None) for segment in data["segment_ids"]]
                if None in said or " ".join(map(str, said)) != data["text"]:
                    yield f"{data['utterance_id']} is not made of finals that came and were in no turn yet"
