"""The judge of a run: what was said in a call against what came of it at the webhook, word by word.

Pure. It believes nothing that the record says of itself: a gap must lie where the carrier, or a kill, really took audio
away, and where audio was taken away there must be a gap. All other words must be there exactly once, on their channel,
at their time. A word that touches missing audio may be there or not, but once for each stream that carried some of it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from typing import Any

from bridge.events import TRACKS
from tests.chaos.record import Event, Record
from tests.chaos.scenario import GRACE
from tests.chaos.speech import Word
from tests.chaos.spoken import MOMENT, UNFLUSHED, Leg, Span, Spoken

TOLERANCE = 0.02
"""Seconds by which a word's time may be off, within a stream."""
CLOCK = 0.3
"""Seconds by which a stream's place in the record may be off, as the bridge has only its clock for it."""
SLACK = 0.08
"""Seconds by which the edges of a gap may be off."""
UNTOLD = 2.5
"""Seconds before a kill in which a hole may not have been told yet: holes are merged before they are told."""
EDGE = 0.001
"""Seconds that rounding may take."""
TRAILING = 0.7
"""Seconds before the end of a stream in which a hole is taken for tracks that end on different frames."""

CAUSES = frozenset(("lost", "late", "not_sent", "carrier_reconnected", "bridge_restarted"))
"""Why audio may be missing in these runs; Deepgram always comes back in time, and there is room on the disk."""

_REASONS = {
    "stopped": "stopped",
    "cut": "carrier_disconnected",
    "killed": "bridge_restarted",
    "closed": "server_stopping",
}


@dataclass(slots=True)
class Verdict:
    """What the judge found."""

    faults: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    """Words: `spoken`, delivered `live` or by `backfill`, `in gaps`, said `to nobody` as there was no stream."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A word as the webhook got it."""

    record: Record
    final: Mapping[str, Any]
    word: Mapping[str, Any]

    def __str__(self) -> str:
        return (
            f"{self.word['word']} at {self.word['start']} to {self.word['end']} s in {self.final['segment_id']} "
            f"({self.final['track']}, {self.final['source']})"
        )


def judge(spoken: Spoken, records: Mapping[str, Sequence[Event]]) -> Verdict:
    """Judge one call by its records, by id."""
    verdict = Verdict()
    judged = [Record(name, events, spoken.legs) for name, events in records.items()]
    for record in judged:
        verdict.faults += record.faults()
    verdict.faults += _streams(spoken, judged)
    _words(spoken, judged, verdict)
    for record in judged:
        verdict.faults += [f"record {record.id}: {fault}" for fault in (*_gaps(spoken, record), *_end(spoken, record))]
    return verdict


def _streams(spoken: Spoken, records: Sequence[Record]) -> Iterator[str]:
    """Every stream that can have left a trace belongs to one record; one that came back in time to the same."""
    homes = {leg.stream_id: [record for record in records if leg in record.legs] for leg in spoken.legs}
    for leg in spoken.legs:
        found = homes[leg.stream_id]
        if len(found) > 1 or (not found and _certain(spoken, leg)):
            yield f"stream {leg.stream_id} is in {len(found)} records"
    for one, other in pairwise(spoken.legs):
        before, after = homes[one.stream_id], homes[other.stream_id]
        if before and after and other.start - one.end < GRACE - 1 and before != after:
            yield f"stream {other.stream_id} came back in time and opened another record"
    for record in records:
        for one, other in pairwise(record.legs):
            off = record.shift(other) - record.shift(one)
            if abs(off) > CLOCK + one.lag + other.lag and _certain(spoken, one):
                yield f"record {record.id}: stream {other.stream_id} is {off:+.3f} s off its place"


def _certain(spoken: Spoken, leg: Leg) -> bool:
    """Whether some audio of a stream must be in the record."""
    doubtful = [span for span in spoken.doubts(0) if span.touches(leg.start, leg.end)]
    return sum(min(span.end, leg.end) - max(span.start, leg.start) for span in doubtful) < leg.end - leg.start - MOMENT


# Words.


def _words(spoken: Spoken, records: Sequence[Record], verdict: Verdict) -> None:
    heard: dict[str, list[Heard]] = defaultdict(list)
    for record in records:
        for final in record.of("transcript.final"):
            for word in final["words"]:
                heard[word["word"]].append(Heard(record, final, word))
    doubts = [spoken.doubts(channel) for channel in range(len(TRACKS))]
    for word in spoken.words:
        found = heard.pop(word.name, [])
        doubtful = any(span.touches(word.start, word.end) for span in doubts[word.channel])
        verdict.faults += _times_heard(spoken, word, found, doubtful)
        for one in found:
            verdict.faults += _place(word, one, doubtful)
        verdict.counts["spoken"] += 1
        verdict.counts[_became(word, found, spoken)] += 1
    for strangers in heard.values():
        verdict.faults += [f"nobody said {stranger} in this call" for stranger in strangers]


def _became(word: Word, found: Sequence[Heard], spoken: Spoken) -> str:
    if found:
        return str(found[0].final["source"])
    streaming = any(leg.start < word.end and word.start < leg.end for leg in spoken.legs)
    return "in gaps" if streaming else "to nobody"


def _times_heard(spoken: Spoken, word: Word, found: Sequence[Heard], doubtful: bool) -> Iterator[str]:
    most = max(1, sum(leg.start < word.end and word.start < leg.end for leg in spoken.legs))
    if not found and not doubtful:
        yield f"lost: {_said(word)}"
    if len(found) > (most if doubtful else 1):
        yield f"heard {len(found)} times: {_said(word)}: {'; '.join(map(str, found))}"


def _place(word: Word, heard: Heard, doubtful: bool) -> Iterator[str]:
    if heard.final["channel"] != word.channel:
        yield f"on the wrong channel: {_said(word)}: {heard}"
    record = heard.record
    legs = [leg for leg in record.legs if leg.start < word.end and word.start < leg.end]
    if not legs:
        yield f"in a record that has no such stream: {_said(word)}: {heard}"
        return
    start, end = heard.word["start"], heard.word["end"]
    early = min(word.start + record.shift(leg) for leg in legs) - TOLERANCE
    late = max(word.end + record.shift(leg) for leg in legs) + TOLERANCE
    exact = abs(start - TOLERANCE - early) <= TOLERANCE and abs(end + TOLERANCE - late) <= TOLERANCE
    if not (early <= start <= end <= late) or not (exact or doubtful):
        yield f"misplaced, expected at {early + TOLERANCE:.3f} to {late - TOLERANCE:.3f} s: {_said(word)}: {heard}"
    if heard.final["source"] == "backfill":
        spans = record.uncovered(word.channel)
        if not any(span.start - TOLERANCE <= start and end <= span.end + TOLERANCE for span in spans):
            yield f"backfilled where nothing was said to be uncovered: {heard}"


def _said(word: Word) -> str:
    return f"{word.name}, said at {word.start:.3f} to {word.end:.3f} s on {TRACKS[word.channel]}"


# Gaps.


def _gaps(spoken: Spoken, record: Record) -> Iterator[str]:
    for channel, track in enumerate(TRACKS):
        taken = list(_taken(spoken, record, channel))
        for gap in record.of("audio.gap"):
            if gap["track"] != track:
                continue
            if gap["why"] not in CAUSES:
                yield f"a gap because of {gap['why']} from {gap['from']} to {gap['to']} s on {track}"
            elif gap["missing"] > _overlap(Span(gap["from"], gap["to"]), taken) + SLACK:
                yield f"a gap where no audio was taken away: {dict(gap)}"
        told = record.gaps(channel)
        for span in _to_tell(spoken, record, channel):
            margin = min(SLACK, (span.end - span.start) * 0.4)
            inner = Span(span.start + margin, span.end - margin)
            if _overlap(inner, told) < inner.end - inner.start - EDGE:
                yield f"no gap was told from {span.start:.3f} to {span.end:.3f} s on {track}: {told}"


def _taken(spoken: Spoken, record: Record, channel: int) -> Iterator[Span]:
    """Where audio was taken away, generously, in the record's time."""
    for one, other in pairwise(record.legs):
        yield Span(one.end + record.shift(one) - SLACK, record.at[other.stream_id] + SLACK)
    for leg in record.legs:
        by = record.shift(leg)
        yield from (Span(span.start + by - SLACK, span.end + by + SLACK) for span in leg.lost[channel])
        for kill in spoken.kills:
            if leg.start <= kill.at:
                yield Span(max(leg.start, kill.unflushed.start) + by - SLACK, kill.at + by + SLACK)
    if channel == 1 and record.legs:
        yield Span(0.0, spoken.late + record.shift(record.legs[0]) + SLACK)


def _to_tell(spoken: Spoken, record: Record, channel: int) -> Iterator[Span]:
    """Where audio was certainly taken away from a track that had begun, and there was time to say so."""
    begun = spoken.late if channel == 1 else 0.0
    spans = []
    for one, other in pairwise(record.legs):
        spans.append((one, Span(one.end + record.shift(one), record.at[other.stream_id]), other.start))
    for leg in record.legs:
        by, end = record.shift(leg), leg.end - TRAILING
        spans += [(leg, Span(s.start + by, s.end + by), s.end) for s in leg.lost[channel] if s.end < end]
    first = record.legs[0].start if record.legs else 0.0
    for leg, span, until in spans:
        started = span.start - record.shift(leg) > max(begun, first) + MOMENT
        killed = any(until - MOMENT < kill.at < until + UNTOLD for kill in spoken.kills)
        stopped = spoken.stopped is not None and until > spoken.stopped - TRAILING
        if started and not killed and not stopped:
            yield span


def _overlap(span: Span, others: Sequence[Span]) -> float:
    """Seconds of a span that the others cover together."""
    covered, at = 0.0, span.start
    for other in sorted(others):
        begin, end = max(at, other.start), min(span.end, other.end)
        if begin < end:
            covered, at = covered + end - begin, end
    return covered


# The end.


def _end(spoken: Spoken, record: Record) -> Iterator[str]:
    ended = record.ended
    if ended is None or not record.legs:
        return
    last = record.legs[-1]
    by = record.shift(last)
    # A stream may have come back without any audio.
    silent = [leg for leg in spoken.legs if leg.start >= last.end and leg.start == leg.end]
    reasons = {_REASONS[leg.cause] for leg in (last, *silent)}
    if any(kill.at > last.end - UNFLUSHED for kill in spoken.kills):
        reasons.add("bridge_restarted")
    waits = GRACE if last.cause == "cut" else 0.0
    if spoken.stopped is not None and spoken.stopped < last.end + waits + 3 * MOMENT:
        reasons.add("server_stopping")
    if ended["reason"] not in reasons:
        yield f"it ended because of {ended['reason']}, expected {' or '.join(sorted(reasons))}"
    yield from _duration(spoken, last, by, ended["duration"])


def _duration(spoken: Spoken, last: Leg, by: float, duration: float) -> Iterator[str]:
    doubts = [kill.unflushed for kill in spoken.kills]
    if spoken.stopped is not None:
        doubts.append(Span(spoken.stopped - MOMENT, inf))
    starts = [span.start for span in doubts if span.touches(last.start, last.end + EDGE)]
    least = min([last.end, *(spoken.heard_until(last, start) for start in starts)])
    if not max(0.0, least + by - SLACK) <= duration <= last.end + by + SLACK:
        yield f"it lasted {duration} s, expected {least + by:.3f} to {last.end + by:.3f} s"
