"""What a run says of itself: a summary for everybody, and for who must find out why, all of a call on one page."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bridge.events import TRACKS
from tests.chaos.run import Judged, Outcome
from tests.chaos.scenario import Scenario

_SHOWN_CALLS = 5
_SHOWN_FAULTS = 8

_KEYS = ("reason", "why", "track", "source", "from", "to", "missing", "at", "start", "end", "duration", "flush")


def summary(outcome: Outcome, seconds: float) -> Iterator[str]:
    """The run in a few lines."""
    counts = outcome.counts
    late = f"frames at most {outcome.behind:.2f} s late, the bridge {outcome.lag:.2f} s behind when killed"
    yield f"{counts['calls']} calls in {counts['streams']} streams, {seconds:.0f} s, {late}"
    yield (
        f"{counts['spoken']} words spoken: {counts['live']} came live, {counts['backfill']} backfilled, "
        f"{counts['in gaps']} lie in gaps, {counts['to nobody']} were said while there was no stream"
    )
    yield (
        f"{counts['kills']} kills, {counts['restarts']} restarts by SIGTERM, {counts['full']} full disks, "
        f"{counts['asked']} streams asked for, {counts['drops']} dropped streams; "
        f"Deepgram: {counts['refusals']} refusals, {counts['cuts']} sockets cut; "
        f"webhook: {counts['retried']} deliveries retried, {counts['duplicates']} duplicate events"
    )


def restarts(outcome: Outcome) -> Iterator[str]:
    """What restarts cost, a line each, and all of them together."""
    yield "SIGTERM to exit, start to listening, to the last stream asked for, to its first frame; audio not heard"
    for place, one in enumerate(outcome.restarts, 1):
        times = f"{one.stopping:.2f} s, {one.starting:.2f} s, {one.asking:.2f} s, {one.first_frame:.2f} s"
        yield f"{place:2}: {times}; {_not_heard(one.not_heard)}"
    yield f"all: {_not_heard([seconds for one in outcome.restarts for seconds in one.not_heard])}"


def hand_overs(outcome: Outcome) -> Iterator[str]:
    """How long each took, and how far the times of words are off."""
    lost = outcome.counts["in gaps"] + outcome.counts["to nobody"]
    yield "SIGTERM to exit: " + ", ".join(f"{seconds:.2f} s" for seconds in outcome.handing)
    yield (
        f"{lost} of {outcome.counts['spoken']} words are missing, {outcome.counts['backfill']} came after the call; "
        f"a word's start is off by {1000 * max(outcome.off, default=0.0):.1f} ms at most; "
        f"from a final to its arrival at most {max(outcome.delays, default=0.0):.1f} s"
    )


def crowd(outcome: Outcome) -> Iterator[str]:
    """What strangers have tried, and how the calls and `/healthz` fared meanwhile."""
    yield "strangers: " + ", ".join(f"{count} {what}" for what, count in sorted(outcome.strangers.items()))
    delays = sorted(outcome.delays)
    p99 = delays[len(delays) * 99 // 100] if delays else 0.0
    middle = median(delays) if delays else 0.0
    yield (
        f"from a final to its arrival at the webhook: median {middle:.2f} s, p99 {p99:.2f} s of {len(delays)}; "
        f"/healthz answered within {outcome.slowest:.2f} s"
    )


def _not_heard(seconds: Sequence[float]) -> str:
    if not seconds:
        return "no gap was told"
    return f"{len(seconds)} gaps, median {median(seconds):.2f} s, longest {max(seconds):.2f} s"


def failures(outcome: Outcome, scenario: Scenario, folder: Path, command: str) -> Iterator[str]:
    """What went wrong, the pages of the calls written into the folder."""
    yield from scenario.describe()
    yield from outcome.faults
    failed = [call for call in outcome.calls if call.faults]
    for call in failed:
        (folder / f"{call.player.plan.call_id}.txt").write_text("\n".join(page(call)) + "\n")
    for call in failed[:_SHOWN_CALLS]:
        plan = call.player.plan
        yield f"call {plan.number}, {plan.call_id}:"
        yield from (f"    {line}" for line in (*_story(call), *_some(call.faults)))
    if len(failed) > _SHOWN_CALLS:
        yield f"and {len(failed) - _SHOWN_CALLS} more calls"
    yield f"log, record and a page of every call that failed: {folder}"
    yield f"again: {command}"
    if failed:
        yield f"these alone: {command} --only {','.join(str(call.player.plan.number) for call in failed)}"


def page(call: Judged) -> Iterator[str]:
    """Everything about one call."""
    yield from _story(call)
    yield from call.faults
    for word in call.spoken.words:
        yield f"said {word.name} at {word.start:.3f} to {word.end:.3f} s on {TRACKS[word.channel]}"
    for name, events in call.records.items():
        yield f"record {name}"
        yield from (f"{event['seq']} {event['time']} {event['type']} {brief(event['data'])}" for event in events)


def _story(call: Judged) -> Iterator[str]:
    """What befell it, as planned and as it came about."""
    yield from call.player.plan.describe()
    spoken = call.spoken
    for leg in spoken.legs:
        yield f"stream {leg.stream_id} from {leg.start:.2f} to {leg.end:.2f} s, {leg.cause}"
    killed = [f"{kill.at:.2f}" for kill in spoken.kills if -10 < kill.at < call.player.plan.seconds + 30]
    stopped = "" if spoken.stopped is None else f", SIGTERM at {spoken.stopped:.2f} s"
    yield f"of {call.player.plan.seconds:.2f} s; killed at {', '.join(killed) or 'no moment'}{stopped}"


def _some(faults: list[str]) -> Iterator[str]:
    yield from (f"! {fault}" for fault in faults[:_SHOWN_FAULTS])
    if len(faults) > _SHOWN_FAULTS:
        yield f"! and {len(faults) - _SHOWN_FAULTS} more"


def brief(data: Mapping[str, Any]) -> str:
    """What of an event helps to find out why."""
    said = [f"{key}={data[key]}" for key in _KEYS if data.get(key) is not None]
    said += [f"{word['word']}@{word['start']}-{word['end']}" for word in data.get("words", ())]
    said += [f"uncovered={data['uncovered']}"] if data.get("uncovered") else []
    said += [f"{key}={data[key]}" for key in ("segment_id", "segment_ids", "stream_id", "waiting") if key in data]
    return " ".join(said)
