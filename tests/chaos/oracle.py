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
from bridge.local.deepgram.messages import ODD_WORD
from tests.chaos.record import CLOCK, Event, Record
from tests.chaos.scenario import GRACE
from tests.chaos.speech import Word
from tests.chaos.spoken import MOMENT, RELEASE, UNFLUSHED, Leg, Span, Spoken, covered

TOLERANCE = 0.02
"""Seconds by which a word's time may be off, within a stream."""
SLACK = 0.08
"""Seconds by which the edges of a gap may be off."""
LAST_WORDS = 5.0
"""Seconds that may pass between the end of a call and its `call.ended`."""
UNTOLD = 2.5
"""Seconds before a kill in which a hole may not have been told yet: holes are merged before they are told."""
EDGE = 0.001
"""Seconds that rounding may take."""
TRAILING = 0.7
"""Seconds before the end of a stream in which a hole is taken for tracks that end on different frames."""

CAUSES = frozenset(("lost", "late", "not_sent", "carrier_reconnected", "bridge_restarted"))
"""Why audio may be missing in these runs, but while the disk is full; Deepgram always comes back in time."""

_REASONS = {
    "stopped": "stopped",
    "cut": "carrier_disconnected",
    "killed": "bridge_restarted",
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
    judged = [Record(name, events, spoken) for name, events in records.items()]
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
        if leg.end - leg.start < MOMENT:
            continue  # its end may lie before or after the beginning of another
        if len(found) > 1 or (not found and _certain(spoken, leg)):
            yield f"stream {leg.stream_id} is in {len(found)} records"
    for one, other in pairwise(sorted(spoken.legs, key=lambda leg: leg.start)):
        before, after = homes[one.stream_id], homes[other.stream_id]
        in_time = other.start - one.end < GRACE - 1 and not _ended(spoken, other.start)
        in_time = in_time and min(one.end - one.start, other.end - other.start) >= MOMENT
        if before and after and in_time and before != after:
            yield f"stream {other.stream_id} came back in time and opened another record"
    for record in records:
        for one, other in pairwise(record.legs):
            off = record.shift(other) - record.shift(one)
            if abs(off) > CLOCK + one.lag + other.lag and _certain(spoken, one):
                yield f"record {record.id}: stream {other.stream_id} is {off:+.3f} s off its place"


def _ended(spoken: Spoken, moment: float) -> bool:
    """Whether the call may have been over shortly before a moment, for another reason than a stream that was away."""
    if not spoken.keeps and any(moment - 2 * GRACE < span.start < moment + MOMENT for span in spoken.restarts):
        return True
    for leg in spoken.legs:
        alone = not any(other.start < leg.end + MOMENT < other.end for other in spoken.legs if other is not leg)
        if leg.cause == "stopped" and alone and leg.end < moment + CLOCK:
            return True
    return False


def _certain(spoken: Spoken, leg: Leg) -> bool:
    """Whether some audio of a stream must be in the record."""
    if spoken.refused(leg):
        return False
    doubts = spoken.doubts(leg.channels[0])
    doubtful = sum(covered(Span(leg.start, leg.end), [span]) for span in doubts)
    return doubtful < leg.end - leg.start - MOMENT


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
        if not found and doubtful:
            verdict.faults += _untold(spoken, records, word)
        for one in found:
            verdict.faults += _place(spoken, word, one, doubtful)
        verdict.counts["spoken"] += 1
        verdict.counts[_became(word, found, spoken)] += 1
    heard.pop(ODD_WORD, None)
    for strangers in heard.values():
        verdict.faults += [f"nobody said {stranger} in this call" for stranger in strangers]


def _became(word: Word, found: Sequence[Heard], spoken: Spoken) -> str:
    if found:
        return str(found[0].final["source"])
    streaming = any(leg.start < word.end and word.start < leg.end for leg in spoken.carry(word.channel))
    return "in gaps" if streaming else "to nobody"


def _times_heard(spoken: Spoken, word: Word, found: Sequence[Heard], doubtful: bool) -> Iterator[str]:
    most = max(1, sum(leg.start < word.end and word.start < leg.end for leg in spoken.carry(word.channel)))
    # And of a word with a hole in its middle one part may have come live, the other later.
    sources = {one.final["source"] for one in found}
    holes = [span for leg in spoken.carry(word.channel) for span in leg.lost[word.channel]]
    most += len(sources) > 1 and any(word.start < span.start and span.end < word.end for span in holes)
    if not found and not doubtful:
        yield f"lost: {_said(word)}"
    if len(found) > (most if doubtful else 1):
        yield f"heard {len(found)} times: {_said(word)}: {'; '.join(map(str, found))}"


def _untold(spoken: Spoken, records: Sequence[Record], word: Word) -> Iterator[str]:
    """A word of which audio was taken away, and that is missing, lies in a gap that was told."""
    lost = [span for leg in spoken.carry(word.channel) for span in leg.lost[word.channel]]
    until = max([word.end, *(span.end for span in lost if span.touches(word.start, word.end))])
    if any(word.start - MOMENT < kill.at < until + UNTOLD for kill in spoken.kills):
        return
    if any(span.touches(word.start, word.end) and _killed_in(spoken, span) for span in spoken.away(word.channel)):
        return
    for record in records:
        legs = record.carry(word.channel)
        until = max((leg.end for leg in record.legs), default=0.0) - TRAILING
        if record.ended and legs:  # `BRIDGE_STOP=end` ends it before its streams
            until = min(until, record.ended["duration"] - record.shift(legs[0]) - TRAILING)
        if not legs or word.start < legs[0].start + MOMENT or word.end > until:
            continue
        if spoken.stopped is not None and word.end > spoken.stopped - TRAILING:
            continue
        told = record.gaps(word.channel)
        places = [
            Span(word.start + record.shift(leg) - record.about(leg), word.end + record.shift(leg) + record.about(leg))
            for leg in legs
        ]
        if not any(gap.touches(*place) for gap in told for place in places):
            yield f"record {record.id}: missing, and in no gap: {_said(word)}"


def _killed_in(spoken: Spoken, span: Span) -> bool:
    """Whether a kill found a hole open: what was missing by then is told by no one."""
    return any(span.start + UNFLUSHED < kill.at < span.end + UNTOLD for kill in spoken.kills)


def _place(spoken: Spoken, word: Word, heard: Heard, doubtful: bool) -> Iterator[str]:
    if heard.final["channel"] != word.channel:
        yield f"on the wrong channel: {_said(word)}: {heard}"
    record = heard.record
    legs = [leg for leg in record.carry(word.channel) if leg.start < word.end and word.start < leg.end]
    if not legs:
        yield f"in a record that has no such stream: {_said(word)}: {heard}"
        return
    # What two streams carry is heard from one of them, the first as a rule.
    about = min(map(record.about, legs)) if not doubtful else max(map(record.about, legs))
    legs = [leg for leg in legs if record.about(leg) <= about]
    off = TOLERANCE + about
    start, end = heard.word["start"], heard.word["end"]
    early = min(word.start + record.shift(leg) for leg in legs) - off
    late = max(word.end + record.shift(leg) for leg in legs) + off
    exact = abs(start - off - early) <= off and abs(end + off - late) <= off
    if not (early <= start <= end <= late) or not (exact or doubtful):
        yield f"misplaced, expected at {early + off:.3f} to {late - off:.3f} s: {_said(word)}: {heard}"
    if heard.final["source"] == "backfill":
        spans = record.uncovered(word.channel)
        # A word with a hole in its middle may have come live up to the hole.
        whole = any(span.start - TOLERANCE <= start and end <= span.end + TOLERANCE for span in spans)
        if not whole and not (doubtful and any(span.touches(start, end) for span in spans)):
            yield f"backfilled where nothing was said to be uncovered: {heard}"


def _said(word: Word) -> str:
    return f"{word.name}, said at {word.start:.3f} to {word.end:.3f} s on {TRACKS[word.channel]}"


# Gaps.


def _gaps(spoken: Spoken, record: Record) -> Iterator[str]:
    for channel, track in enumerate(TRACKS):
        taken = list(_taken(spoken, record, channel))
        unkept = [
            Span(span.start + record.shift(leg), span.end + record.shift(leg))
            for leg in record.legs  # both channels are kept together
            for span in spoken.unkept()
        ]
        for gap in record.of("audio.gap"):
            if gap["track"] != track:
                continue
            if gap["why"] == "overflow" and covered(Span(gap["from"], gap["to"]), unkept) > gap["missing"] - SLACK:
                continue
            if gap["why"] not in CAUSES:
                yield f"a gap because of {gap['why']} from {gap['from']} to {gap['to']} s on {track}"
            elif gap["missing"] > covered(Span(gap["from"], gap["to"]), taken) + SLACK:
                yield f"a gap where no audio was taken away: {dict(gap)}"
        told = record.gaps(channel)
        for span in _to_tell(spoken, record, channel):
            margin = min(SLACK, (span.end - span.start) * 0.4)
            inner = Span(span.start + margin, span.end - margin)
            if covered(inner, told) < inner.end - inner.start - EDGE:
                yield f"no gap was told from {span.start:.3f} to {span.end:.3f} s on {track}: {told}"


def _absences(record: Record, channel: int) -> Iterator[tuple[Leg, Span, float, float]]:
    """When a channel had no stream while the record went on: the stream before, from when to when in the record's
    time, by how much that may be off, and its end in the call's time.
    """
    legs = record.carry(channel)
    if not legs:
        return
    last = max(record.legs, key=lambda leg: leg.end)
    newest = legs[0]
    for leg in legs[1:]:
        if leg.start > newest.end:
            about = max(record.about(newest), record.about(leg))
            yield newest, Span(newest.end + record.shift(newest), record.at[leg.stream_id]), about, leg.start
        newest = max(newest, leg, key=lambda one: one.end)
    if last.end > newest.end:
        span = Span(newest.end + record.shift(newest), last.end + record.shift(last))
        yield newest, span, max(record.about(newest), record.about(last)), last.end


def _taken(spoken: Spoken, record: Record, channel: int) -> Iterator[Span]:
    """Where audio was taken away, generously, in the record's time."""
    for _, span, about, _ in _absences(record, channel):
        yield Span(span.start - SLACK - about, span.end + SLACK + about)
    for leg in record.carry(channel):
        by, slack = record.shift(leg), SLACK + record.about(leg)
        yield from (Span(span.start + by - slack, span.end + by + slack) for span in leg.lost[channel])
        if leg.cause == "closed":
            released = spoken.released(leg)
            yield Span(released.start + by - slack, released.end + by + slack)
        for kill in spoken.kills:
            if leg.start <= kill.at:
                yield Span(max(leg.start, kill.unflushed.start) + by - slack, kill.at + by + slack)
    # An adopted call is told to have had both tracks.
    first = min((leg.start for leg in record.carry(channel)), default=inf)
    if channel == 1:
        first = max(first, spoken.late)
    if record.legs:
        yield Span(0.0, first + record.shift(record.legs[0]) + SLACK + CLOCK)


def _to_tell(spoken: Spoken, record: Record, channel: int) -> Iterator[Span]:
    """Where audio was certainly taken away from a track that had begun, and there was time to say so."""
    begun = spoken.late if channel == 1 else 0.0
    legs = record.carry(channel)
    ends = max((leg.end for leg in record.legs), default=0.0) - TRAILING
    spans = [
        (leg, Span(span.start + about, span.end - about), until)
        for leg, span, about, until in _absences(record, channel)
        if span.end - span.start > 2 * about + TRAILING or until < ends
    ]
    for leg in legs:
        by = record.shift(leg)
        spans += [
            (leg, Span(s.start + by + record.about(leg), s.end + by - record.about(leg)), s.end)
            for s in leg.lost[channel]
            if s.end < min(ends, leg.end - TRAILING)
        ]
    first = legs[0].start if legs else 0.0
    for leg, span, until in spans:
        if span.end <= span.start:
            continue
        started = span.start - record.shift(leg) > max(begun, first) + MOMENT
        killed = any(until - MOMENT < kill.at < until + UNTOLD for kill in spoken.kills)
        stopped = spoken.stopped is not None and until > spoken.stopped - TRAILING
        closed = any(until - RELEASE < leg.end < until + MOMENT for leg in spoken.closed)
        by = record.shift(leg)
        killed = killed or _killed_in(spoken, Span(span.start - by, span.end - by))
        if started and not killed and not stopped and not closed:
            yield span


# The end.


def _end(spoken: Spoken, record: Record) -> Iterator[str]:
    ended = record.ended
    if ended is None or not record.legs:
        return
    last = max(record.legs, key=lambda leg: leg.end)
    # A stream may have come back without any audio, and two may have ended at the same time.
    others = [leg for leg in spoken.legs if leg.start >= last.end and leg.start == leg.end]
    others += [leg for leg in record.legs if leg.end > last.end - CLOCK]
    stopping = "bridge_restarted" if spoken.keeps else "server_stopping"
    reasons = {_REASONS.get(leg.cause, stopping) for leg in (last, *others)}
    if any(kill.at > last.end - UNFLUSHED for kill in spoken.kills):
        reasons.add("bridge_restarted")
    until = last.end + (GRACE if last.cause in ("cut", "killed") else 0.0)
    for kill in sorted(spoken.kills):  # the next process waits anew
        until = kill.at + GRACE if last.end < kill.at < until + LAST_WORDS else until
    stops = [span.start for span in spoken.restarts if span.end > last.end - CLOCK - RELEASE]
    stops += [] if spoken.stopped is None else [spoken.stopped]
    if any(stop < until + 3 * MOMENT for stop in stops):
        reasons.add(stopping)
    if ended["reason"] not in reasons:
        yield f"it ended because of {ended['reason']}, expected {' or '.join(sorted(reasons))}"
    yield from _duration(spoken, record, last, ended["duration"])


def _duration(spoken: Spoken, record: Record, last: Leg, duration: float) -> Iterator[str]:
    by = record.shift(last)
    doubts = [kill.unflushed for kill in spoken.kills]
    doubts += [spoken.released(leg) for leg in spoken.closed]
    if spoken.stopped is not None:
        doubts.append(Span(spoken.stopped - MOMENT, inf))
    starts = [span.start for span in doubts if span.touches(last.start, last.end + EDGE)]
    least = min([last.end, *(spoken.heard_until(last, start) for start in starts)])
    slack = SLACK + max(map(record.about, record.legs))
    if not max(0.0, least + by - slack) <= duration <= last.end + by + slack:
        yield f"it lasted {duration} s, expected {least + by:.3f} to {last.end + by:.3f} s"
