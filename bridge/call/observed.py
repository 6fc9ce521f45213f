"""What those who run the bridge see of calls beside their records: how much audio is missing, and each as a trace."""

from collections import Counter
from dataclasses import dataclass

from bridge.events import AudioGap, CallEnded
from bridge.traces import NO_TRACES, Traces

Missing = Counter[tuple[str, str]]
"""Milliseconds of audio that were told to be missing, by carrier and cause. Whole ones, so that they add up."""


@dataclass(frozen=True, slots=True)
class Observed:
    """One call, as it is seen; all calls share what it is added to."""

    carrier: str
    missing: Missing
    traces: Traces = NO_TRACES

    def lack(self, gap: AudioGap) -> None:
        """Audio is told to be missing."""
        self.missing[self.carrier, gap.why] += round(1000 * gap.missing)

    def end(self, call_id: str, start: float, ended: CallEnded) -> None:
        """The record has ended. `start`: wall clock of call time 0, in seconds since 1970."""
        attributes: dict[str, str | int | float | bool | None] = {
            "bridge.call.id": call_id,
            "bridge.carrier": self.carrier,
            "bridge.reason": ended.reason,
            "bridge.duration": ended.duration,
            "bridge.flush": ended.flush,
            "bridge.missing": ended.missing,
            "bridge.uncovered": len(ended.uncovered),
            **{f"bridge.counts.{name}": count for name, count in ended.counts.items()},
        }
        self.traces.call(call_id, start, attributes, "words are missing" if ended.missing else None)
