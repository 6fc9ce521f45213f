"""What a run of nodes says of itself: a summary for everybody, and a page of each call that failed."""

from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bridge.events import TRACKS
from tests.chaos.nodes.plan import NodesPlan
from tests.chaos.nodes.run import Judged, Outcome
from tests.chaos.report import brief

_LATE = 1.0  # seconds: beyond it a carrier that pauses is what the bridge sees
_SHOWN_CALLS = 5
_SHOWN_FAULTS = 8


def summary(outcome: Outcome, seconds: float) -> Iterator[str]:
    """The run in a few lines."""
    counts = outcome.counts
    yield (
        f"{counts['calls']} calls in {counts['streams']} streams, {seconds:.0f} s, "
        f"frames at most {outcome.behind:.2f} s late; "
        f"{counts['failed']} calls came to a node that could not take them, {counts['unrecorded']} to none that could"
    )
    yield (
        f"{counts['spoken']} words spoken: {counts['live']} came live, {counts['backfill']} backfilled, "
        f"{counts['in gaps']} lie in gaps, {counts['to nobody']} were said while there was no stream"
    )
    kinds = [struck.kind for struck in outcome.struck]
    struck = ", ".join(f"{kinds.count(kind)} × {kind}" for kind in dict.fromkeys(kinds))
    away = ", ".join(f"{one:.1f}" for one in outcome.away)
    yield f"strikes: {struck}; PostgreSQL away for {away} s; {counts['asked']} streams asked for"
    for kind, pauses in outcome.pauses.items():
        yield f"{kind}: to the call's first frame at another node {median(pauses):.1f} s, at most {max(pauses):.1f} s"
    if outcome.behind > _LATE:
        yield f"the machine was too busy for so many calls: frames should be at most {_LATE:g} s late"
    yield (
        f"the feed: {counts['read']} events at {counts['moves'] + 1} stops; "
        f"webhook: {counts['retried']} deliveries retried, {counts['duplicates']} duplicate events"
    )


def failures(outcome: Outcome, plan: NodesPlan, folder: Path, command: str) -> Iterator[str]:
    """What went wrong, the pages of the calls written into the folder."""
    yield from plan.describe()
    yield from outcome.faults
    failed = [call for call in outcome.calls if call.faults]
    for call in failed:
        (folder / f"{call.phone.plan.call_id}.txt").write_text("\n".join(page(call)) + "\n")
    for call in failed[:_SHOWN_CALLS]:
        yield f"call {call.phone.plan.number}, {call.phone.plan.call_id}:"
        yield from (f"    {line}" for line in _story(call))
        yield from (f"    ! {fault}" for fault in call.faults[:_SHOWN_FAULTS])
        if len(call.faults) > _SHOWN_FAULTS:
            yield f"    ! and {len(call.faults) - _SHOWN_FAULTS} more"
    if len(failed) > _SHOWN_CALLS:
        yield f"and {len(failed) - _SHOWN_CALLS} more calls"
    yield f"the nodes' logs, the database and a page of every call that failed: {folder}"
    yield f"again: {command}"


def page(call: Judged) -> Iterator[str]:
    """Everything about one call."""
    yield from _story(call)
    yield from call.faults
    for word in call.phone.talk.words:
        yield f"said {word.name} at {word.start:.3f} to {word.end:.3f} s on {TRACKS[word.channel]}"
    for name, events in call.records.items():
        yield f"record {name}"
        yield from (f"{event['seq']} {event['time']} {event['type']} {brief(event['data'])}" for event in events)


def _story(call: Judged) -> Iterator[str]:
    talk = call.phone.talk
    for line in talk.lines:
        yield f"stream {line.stream_id} at node {line.node} from {line.start:.2f} to {line.over:.2f} s, {line.cause}"
    for blow in talk.blows:
        if -20.0 < blow.at < call.phone.plan.seconds + 20.0:
            yield f"{blow.kind} node {blow.node} at {blow.at:.2f} s, well again at {blow.back:.2f} s"
    begun = call.phone.begun or 0.0
    asked = ", ".join(f"{at - begun:.2f}" for at in call.phone.asked)
    yield f"of {call.phone.plan.seconds:.2f} s; a stream was asked for at {asked or 'no moment'}"
