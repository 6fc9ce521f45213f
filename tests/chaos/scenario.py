"""What goes wrong in a run, and when: values, and the words for them.

Moments of a call are seconds since its first frame was due, moments of the run seconds since its first call. Who
decides what goes wrong is `chance`; what each fault means is for `player` and `weather` to do.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from bridge.events import TRACKS
from bridge.local.deepgram import NO_FAULTS, Faults
from bridge.local.receiver import Fault

Kind = Literal["503", "429", "401", "500", "slow", "down", "cut"]

FRAME = 0.02
"""Seconds of a media message."""

GRACE = 5.0
"""Seconds a call waits for its stream in these runs: longer than any carrier here takes to come back."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Frames of one track that the carrier drops."""

    channel: int
    first: int
    frames: int


@dataclass(frozen=True, slots=True)
class Break:
    """The carrier loses its socket."""

    at: float
    away: float | None
    """Seconds until there is another; None: there is none."""


@dataclass(frozen=True, slots=True)
class Fork:
    """A second stream of the call beside the first."""

    split: bool
    """Each of the two carries a track of its own; False: both carry both tracks."""
    begins: float
    ends: float
    """Its own end; the call's, where that comes sooner."""
    stops: bool
    """Whether its own end is said with a `stop`."""
    first_ends: float | None = None
    """When the first stream ends while this one goes on; None: with the call."""
    first_stops: bool = True


@dataclass(frozen=True, slots=True)
class CallPlan:
    """One call: who says how much, and what befalls it."""

    number: int
    call_id: str
    seed: int
    """Of what is said, and of the wobble."""
    starts: float
    """Moment of the run."""
    seconds: float
    late: float = 0.0
    """When outbound begins."""
    losses: tuple[Loss, ...] = ()
    repeated: frozenset[tuple[int, int]] = frozenset()
    """Frames that are sent twice, as (channel, number)."""
    reordered: frozenset[tuple[int, int]] = frozenset()
    wobble_ms: int = 0
    first_ms: int = 100
    garbage_every: int = 0
    two_starts: bool = False
    breaks: tuple[Break, ...] = ()
    stops: bool = True
    """Whether the end is said with a `stop`."""
    after_kill: tuple[float | None, ...] = ()
    """For each time the bridge dies under it: seconds from the bridge's return to the stream's; None: never."""
    fork: Fork | None = None
    asked: float | None = None
    """Seconds after which the carrier sends a stream that the bridge asks for, instead of one that comes back by
    itself; None: it refuses."""
    connections: tuple[Faults, ...] = ()
    """What befalls its first sockets to Deepgram, one after the other."""
    webhook: tuple[Fault, ...] = ()

    def describe(self) -> Iterator[str]:
        """Its faults, a line each."""
        if self.late:
            yield f"outbound begins at {self.late:.2f} s"
        for loss in self.losses:
            begin, end = loss.first * FRAME, (loss.first + loss.frames) * FRAME
            yield f"{TRACKS[loss.channel]} frames lost from {begin:.2f} to {end:.2f} s"
        if self.repeated or self.reordered:
            yield f"{len(self.repeated)} frames repeated, {len(self.reordered)} reordered"
        if self.wobble_ms or self.garbage_every or self.two_starts:
            often = f"garbage every {self.garbage_every} messages" if self.garbage_every else "no garbage"
            yield f"timestamps wobble by {self.wobble_ms} ms, {often}{', two starts' if self.two_starts else ''}"
        for break_ in self.breaks:
            then = "for good" if break_.away is None else f"for {break_.away:.2f} s"
            yield f"the socket drops at {break_.at:.2f} s {then}"
        if self.fork:
            yield f"two streams: {self.fork}"
        if self.asked is not None:
            yield f"a stream that is asked for comes {self.asked:.2f} s later"
        if not self.stops:
            yield "the end comes without a stop"
        if self.after_kill:
            yield f"after a kill the stream comes back: {', '.join(map(_later, self.after_kill))}"
        for place, faults in enumerate(self.connections):
            yield f"Deepgram socket {place}: {_given(faults, NO_FAULTS)}"
        for fault in self.webhook:
            yield f"webhook: {_given(fault, Fault())}"


@dataclass(frozen=True, slots=True)
class Window:
    """A server-wide fault, in moments of the run."""

    begins: float
    ends: float
    kind: Kind
    """A status is answered to everybody; `down`: nobody listens; `cut`: every connection is cut at the beginning."""

    def __str__(self) -> str:
        return f"{self.kind} from {self.begins:.1f} to {self.ends:.1f} s"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A run."""

    seed: int
    calls: tuple[CallPlan, ...]
    kills: tuple[float, ...]
    restarts: tuple[float, ...]
    """When SIGTERM comes, and a new process after it."""
    stops: float
    """When the last SIGTERM comes."""
    deepgram: tuple[Window, ...]
    webhook: tuple[Window, ...]
    settings: Mapping[str, str]
    """The bridge's environment, as far as chance decides it."""
    full: tuple[tuple[float, float], ...] = ()
    """When the disk is full, each from a moment to a moment."""
    begins: float = 0.0
    """The moment to begin at."""
    hand_overs: tuple[float, ...] = ()
    """When a second process is started, which takes the calls over from the first."""
    strangers: int = 0
    """Idle connections of strangers, who do other things too; 0: there are none."""

    def describe(self) -> Iterator[str]:
        """What befalls everybody, a line each."""
        kills = ", ".join(f"{kill:.1f}" for kill in self.kills) or "no moment"
        restarts = ", ".join(f"{restart:.1f}" for restart in (*self.restarts, self.stops))
        yield f"kill -9 at {kills}, SIGTERM at {restarts} s"
        if self.hand_overs:
            yield f"another process takes over at {', '.join(f'{moment:.1f}' for moment in self.hand_overs)} s"
        yield f"Deepgram: {', '.join(map(str, self.deepgram)) or 'fine'}"
        yield f"webhook: {', '.join(map(str, self.webhook)) or 'fine'}"
        yield f"disk full: {', '.join(f'from {begin:.1f} to {end:.1f} s' for begin, end in self.full) or 'never'}"
        yield " ".join(f"{name}={value}" for name, value in self.settings.items())


def only(scenario: Scenario, numbers: frozenset[int]) -> Scenario:
    """The same with some of its calls alone, from shortly before them to shortly after; all keeps its moments."""
    calls = tuple(call for call in scenario.calls if call.number in numbers)
    begins = max(0.0, min(call.starts for call in calls) - 1.0)
    ends = min(scenario.stops, max(call.starts + call.seconds for call in calls) + 2 * GRACE)
    return replace(
        scenario,
        calls=calls,
        begins=begins,
        stops=ends,
        kills=tuple(kill for kill in scenario.kills if begins < kill < ends),
        restarts=tuple(restart for restart in scenario.restarts if begins < restart < ends),
        hand_overs=tuple(moment for moment in scenario.hand_overs if begins < moment < ends),
        deepgram=tuple(window for window in scenario.deepgram if begins < window.begins < ends),
        webhook=tuple(window for window in scenario.webhook if begins < window.begins < ends),
        full=tuple(window for window in scenario.full if begins < window[0] and window[1] < ends),
    )


def _later(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.2f} s later"


def _given(faults: Faults | Fault, usual: Faults | Fault) -> str:
    """The fields that are not as usual."""
    names = type(faults).__dataclass_fields__
    given = [f"{name}={getattr(faults, name)}" for name in names if getattr(faults, name) != getattr(usual, name)]
    return ", ".join(given) or "fine"
