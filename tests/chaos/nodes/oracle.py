"""The judge of a run of nodes: what was said in a call against what came of it, and what readers have against the log.

Pure. It believes nothing that the record says of itself. Every call has one record, which ends once. A word that no
strike can have taken is there exactly once, on its channel, at its time; any other word at most once, and where it is
missing the record tells so: it lies in a gap, or after the end. Gaps lie where a strike took audio away, and there must
be one wherever no node heard a call that went on. What webhook and feed have is the log, event by event.

A node that dies takes with it what it had heard and not yet written: words whose final was still to come. Those lie in
a gap, too, as does what no one heard before the node went on with the call, however soon after that it dies.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from typing import Literal

from bridge.events import TRACKS
from tests.chaos.nodes.plan import GRACE, Kind
from tests.chaos.oracle import EDGE, SLACK, TOLERANCE, TRAILING
from tests.chaos.record import Event, Record
from tests.chaos.speech import Word
from tests.chaos.spoken import MOMENT, Span, covered

UNSETTLED = 8.0
"""Seconds before a strike from which words need not be durable: five of the longest segment, the last word of it, and
what the way to the database and back takes on a busy machine."""

OPENS = 1.5
"""Seconds of audio from which on a stream at a node that nothing has befallen must be in a record."""

PATIENCE = 10.0
"""Seconds after a restart of the database in which a node may still refuse a call, or have things to write."""

CAUSES = frozenset(("bridge_restarted", "carrier_reconnected", "not_sent", "overflow"))
"""Why audio may be missing here; `overflow`: it could not be kept, as of a call that comes back to a node."""

Entry = tuple[str, int, str]
"""An event in the log, or as a reader has it: the record's id, its number, its own id."""


@dataclass(slots=True)
class Line:
    """One stream, from its first frame to its last, in seconds of the call."""

    stream_id: str
    node: int
    start: float
    end: float
    channels: tuple[int, ...] = (0, 1)
    cause: Literal["stopped", "cut", "closed"] = "stopped"
    """`cut` by the carrier, `closed` by the node, as a kill closes all of its sockets."""
    closed_at: float = 0.0
    """When that was found."""

    @property
    def over(self) -> float:
        """When it was over for the carrier."""
        return max(self.end, self.closed_at)


@dataclass(frozen=True, slots=True)
class Blow:
    """A strike, in seconds of a call."""

    node: int
    kind: Kind
    at: float
    back: float

    def meets(self, line: Line) -> bool:
        """Whether it has befallen the node of a stream while that was there, or what it said was not durable yet. A
        stream that comes after a kill comes to another process."""
        until = self.at + MOMENT if self.kind in ("kill", "drain") else self.back
        return self.node == line.node and self.at < line.over + UNSETTLED and until > line.start


@dataclass(slots=True)
class Talk:
    """A call that has been played."""

    call_id: str
    words: tuple[Word, ...]
    lines: list[Line] = field(default_factory=list)
    blows: list[Blow] = field(default_factory=list)
    away: list[Span] = field(default_factory=list)
    """When there was no database."""
    failed: list[str] = field(default_factory=list)
    """Streams of which the carrier has said that they failed, to a node that has noted it."""

    def durable(self, blow: Blow) -> float:
        """Up to when all that was said was durable when a strike came."""
        begins = [span.start for span in self.away if span.start < blow.at < span.end + PATIENCE]
        return min([blow.at, *begins]) - UNSETTLED

    def blow(self, line: Line) -> Blow | None:
        """The first strike that has befallen a stream."""
        return min((blow for blow in self.blows if blow.meets(line)), key=lambda blow: blow.at, default=None)


@dataclass(slots=True)
class Verdict:
    """What the judge found."""

    faults: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    """Words: `spoken`, that came `live` or by `backfill`, `in gaps`, said `to nobody` as there was no stream."""
    pauses: dict[Kind, list[float]] = field(default_factory=dict)
    """From each strike on a call's node to the first frame at another, in seconds."""


def judge(talk: Talk, records: Mapping[str, Sequence[Event]]) -> Verdict:
    """Judge one call by its records, by id."""
    verdict = Verdict()
    verdict.counts["spoken"] = len(talk.words)
    failed = {name for name, events in records.items() if _has_failed(events)}
    verdict.counts.update({"failed": len(failed)} if failed else {})
    if talk.failed and not records:
        verdict.faults.append(f"no record says that stream {talk.failed[0]} has failed")
    if not records.keys() - failed:
        verdict.counts["to nobody"] = len(talk.words)
        verdict.counts["unrecorded"] = 1
        verdict.faults += [f"stream {line.stream_id} is in no record" for line in talk.lines if _must_count(talk, line)]
        return verdict
    # What the record of a stream that came to no node says is only that.
    records = {name: events for name, events in records.items() if name not in failed}
    if len(records) > 1:
        verdict.faults.append(f"it has {len(records)} records: {', '.join(records)}")
    for name, events in records.items():
        verdict.faults += Record(name, events).faults()
    known = Known(talk, [Record(name, events) for name, events in records.items()][0])
    verdict.faults += known.faults()
    verdict.faults += _words(talk, records, known, verdict.counts)
    for one, other in pairwise(known.lines):
        if (blow := talk.blow(one)) and other.start > blow.at:
            verdict.pauses.setdefault(blow.kind, []).append(other.start - blow.at)
    return verdict


def compare(log: Sequence[Entry], read: Sequence[Entry], posted: Mapping[str, Sequence[Event]]) -> Iterator[str]:
    """What a reader of the feed of all calls, and the webhook, have against the log, in its order."""
    if list(read) != list(log):
        missed, more = Counter(log) - Counter(read), Counter(read) - Counter(log)
        if missed:
            yield f"the feed missed {missed.total()} of {len(log)} events: {_some(missed)}"
        if more:
            yield f"the feed had {more.total()} events too many: {_some(more)}"
        if not missed and not more:
            place = next(place for place, (one, other) in enumerate(zip(log, read, strict=True)) if one != other)
            yield f"the feed was out of order from event {place} on: {read[place]} instead of {log[place]}"
    took = Counter((name, event["seq"], event["id"]) for name, events in posted.items() for event in events)
    if lacking := Counter(log) - took:
        yield f"{len(lacking)} events of the log were not posted: {_some(lacking)}"
    if lost := took - Counter(log):
        yield f"{len(lost)} events were acknowledged and are not in the log: {_some(lost)}"


def _some(entries: Counter[Entry]) -> str:
    return ", ".join(f"{name} {seq}" for name, seq, _ in list(entries)[:5])


def _has_failed(events: Sequence[Event]) -> bool:
    """Whether a record says of a call only that its stream failed."""
    return bool(events) and events[-1]["data"].get("reason") == "stream_failed"


def _must_count(talk: Talk, line: Line) -> bool:
    """Whether a stream must be in a record: what befell its node or the database came later than its beginning takes to
    be durable, or was over before."""
    struck = any(
        blow.node == line.node and blow.back > line.start and talk.durable(blow) < line.start for blow in talk.blows
    )
    away = any(span.start < line.start + OPENS and line.start < span.end + PATIENCE for span in talk.away)
    return line.end - line.start > OPENS and not struck and not away


class Known:
    """The streams of a call that its record tells of, and where each is in it."""

    def __init__(self, talk: Talk, record: Record) -> None:
        self.record = record
        self.talk = talk
        self.shifts: dict[str, float] = {}
        """What to add to the moments of a stream to get those of the record, by stream id."""
        by_id = {line.stream_id: line for line in talk.lines}
        heard = [event["data"] for event in record.events if event["type"] in ("call.started", "call.resumed")]
        told = [data["stream_id"] for data in heard]
        self.lines = sorted({id_: by_id[id_] for id_ in told if id_ in by_id}.values(), key=lambda line: line.start)
        shift = 0.0
        for line in self.lines:
            if line.stream_id in record.at:
                shift = record.at[line.stream_id] - line.start
            self.shifts[line.stream_id] = shift  # one that was handed over goes on where the one before was

    def heard_until(self, line: Line) -> float:
        """Until when a stream may have been heard: up to the last strike before the next stream, as a node may have
        its calls still after one."""
        begins = min((other.start for other in self.lines if other.start > line.start), default=inf)
        blows = [blow for blow in self.talk.blows if blow.meets(line) and blow.at < begins]
        last = max(blows, key=lambda blow: blow.at, default=None)
        return line.end if last is None or last.kind == "drain" else max(line.start, min(line.end, last.at))

    def doubts(self, channel: int) -> list[Span]:
        """When audio of a channel may have been lost, in the call's time."""
        lines = [line for line in self.lines if channel in line.channels]
        spans = [Span(-inf, lines[0].start if lines else inf)]
        for line, until in zip(lines, [*(line.start for line in lines[1:]), inf], strict=True):
            blow = self.talk.blow(line)
            begin = line.end if blow is None else min(line.end, self.talk.durable(blow))
            spans.append(Span(begin, max(begin, until)))
        return spans

    def faults(self) -> Iterator[str]:
        """Streams that are in no record, gaps without a cause, holes without a gap, an end without a reason."""
        for line in self.talk.lines:
            if line not in self.lines and _must_count(self.talk, line):
                yield f"stream {line.stream_id} at node {line.node} is in no record"
            if line.cause == "closed" and not self.talk.blow(line) and not self._replaced(line):
                yield f"node {line.node} closed stream {line.stream_id} at {line.end:.2f} s"
        for channel in range(len(TRACKS)):
            yield from self._gaps(channel)
            yield from self._holes(channel)
        yield from self._end()

    def _replaced(self, line: Line) -> bool:
        """Whether another stream has taken its place."""
        return any(other.start < line.over < other.end for other in self.lines if other is not line)

    def _gaps(self, channel: int) -> Iterator[str]:
        # What was transcribed after the call was durable in none of its moments.
        finals = [final for final in self.record.of("transcript.final") if final["source"] == "live"]
        words = [word["end"] for final in finals if final["channel"] == channel for word in final["words"]]
        taken = []
        for line, following in zip(self.lines, [*self.lines[1:], None], strict=True):
            shift = self.shifts[line.stream_id]
            until = inf if following is None else following.start + self.shifts[following.stream_id]
            if self.talk.blow(line) or line.cause != "stopped":
                first = self.talk.blow(line)
                lost = (line.end if first is None else min(line.end, first.at)) + shift
                # Silence before it counts as unheard as well: nothing durable says that there was none.
                begin = max([0.0, *(end for end in words if end < lost)])
                taken.append(Span(min(begin, lost - UNSETTLED) - SLACK, until + SLACK))
        for gap in self.record.of("audio.gap"):
            if gap["track"] != TRACKS[channel]:
                continue
            if gap["why"] not in CAUSES:
                yield f"a gap because of {gap['why']} from {gap['from']} to {gap['to']} s on {gap['track']}"
            elif not any(span.start <= gap["from"] and gap["to"] <= span.end for span in taken):
                yield f"a gap where no audio was taken away: {dict(gap)}"

    def _holes(self, channel: int) -> Iterator[str]:
        told = [*self.record.gaps(channel), *self.record.uncovered(channel)]
        lines = [line for line in self.lines if channel in line.channels]
        for one, other in pairwise(lines):
            begin = self.heard_until(one) + self.shifts[one.stream_id] + SLACK
            end = other.start + self.shifts[other.stream_id] - SLACK
            if end > begin and covered(Span(begin, end), told) < end - begin - SLACK:
                yield f"no gap was told from {begin:.3f} to {end:.3f} s on {TRACKS[channel]}: {told}"

    def _end(self) -> Iterator[str]:
        ended = self.record.ended
        nodes, over = {line.node for line in self.talk.lines}, max([0.0, *(line.over for line in self.lines)])
        struck = any(blow.node in nodes and blow.at < over + GRACE + UNSETTLED for blow in self.talk.blows)
        if ended is None or not self.lines or struck:
            return
        expected = "stopped" if self.lines[-1].cause == "stopped" else "carrier_disconnected"
        if ended["reason"] != expected:
            yield f"it ended because of {ended['reason']}, expected {expected}"


# Words.


def _words(talk: Talk, records: Mapping[str, Sequence[Event]], known: Known, counts: Counter[str]) -> Iterator[str]:
    heard: dict[str, list[tuple[Event, Event]]] = {}
    for events in records.values():
        for event in events:
            for word in event["data"]["words"] if event["type"] == "transcript.final" else ():
                heard.setdefault(word["word"], []).append((event["data"], word))
    doubts = [known.doubts(channel) for channel in range(len(TRACKS))]
    for word in talk.words:
        found = heard.pop(word.name, [])
        doubtful = any(span.touches(word.start - MOMENT, word.end + MOMENT) for span in doubts[word.channel])
        parts = len(found) == 2 and _apart(*(one for _, one in found))
        if len(found) > 1 and not parts:
            yield f"heard {len(found)} times: {_said(word)}"
        if not found and not doubtful:
            yield f"lost: {_said(word)}"
        became = str(found[0][0]["source"]) if found else "in gaps"
        if not found and doubtful:
            told = _told(known, word)
            became = "to nobody" if told is None else became
            if told is False:
                yield f"missing, and in no gap: {_said(word)}"
        for final, one in found:
            yield from _place(known, word, final, one, doubtful or parts)
        counts[became] += 1
    yield from (f"nobody said {stranger} in this call" for stranger in heard)


def _apart(one: Event, other: Event) -> bool:
    """Whether these are two parts of a word: a final has ended in the middle of it, as at the end of a stream."""
    return bool(min(one["end"], other["end"]) <= max(one["start"], other["start"]) + EDGE)


def _told(known: Known, word: Word) -> bool | None:
    """Whether a word lies in a gap that was told; None: before the record begins or after it ends."""
    first, shifts = known.lines[0] if known.lines else None, list(known.shifts.values())
    if first is None or word.start < first.start + MOMENT:
        return None
    ended = known.record.ended
    duration = inf if ended is None else ended["duration"]
    if all(word.end + shift > duration - TRAILING for shift in shifts):
        return None
    gaps = known.record.gaps(word.channel)
    return any(gap.touches(word.start + shift - MOMENT, word.end + shift + MOMENT) for gap in gaps for shift in shifts)


def _place(known: Known, word: Word, final: Event, one: Event, doubtful: bool) -> Iterator[str]:
    if final["channel"] != word.channel:
        yield f"on the wrong channel: {_said(word)}"
    carried = [line for line in known.lines if line.start < word.end and word.start < line.end + MOMENT]
    for line in carried:
        early, late = word.start + known.shifts[line.stream_id], word.end + known.shifts[line.stream_id]
        start, end = one["start"], one["end"]
        exact = abs(start - early) <= TOLERANCE and abs(end - late) <= TOLERANCE
        if exact or (doubtful and early - TOLERANCE <= start <= end <= late + TOLERANCE):
            return
    shifts = ", ".join(f"{known.shifts[line.stream_id]:+.3f}" for line in carried) or "no stream"
    yield f"misplaced at {one['start']} to {one['end']} s ({shifts}): {_said(word)}"


def _said(word: Word) -> str:
    return f"{word.name}, said at {word.start:.3f} to {word.end:.3f} s on {TRACKS[word.channel]}"
