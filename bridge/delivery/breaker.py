"""How hard an endpoint may be pressed: a circuit breaker shared by all its lanes. A machine; time is an argument.

It counts who is in flight and says how many more may start. It knows no lane's schedule and no event; when a lane is
due is `lane`'s business.

    CLOSED     up to the cap in flight. Five failures in a row, from more than one call, open it.
    OPEN       one probe at a time, 1 s after opening, then 2, 4 … 60 s after a failed one.
    HALF_OPEN  after a success: 2 in flight, then 4, 8 … after as many successes, until the cap closes it. A row of two
               failures from two calls opens it again.
    DISABLED   the endpoint said it is gone (410): nothing until a person enables it.

A row of failures of *one* call never opens it: that lane's own schedule spares the endpoint, and a call that cannot be
delivered must not hold up the others. Any answer that speaks of the event, and not of the endpoint, ends a row.
"""

from dataclasses import dataclass
from enum import Enum, auto

from bridge.delivery.lane import Verdict
from bridge.errors import LocalProtocolError


@dataclass(frozen=True, slots=True)
class CircuitBreakerPolicy:
    """How much an endpoint is asked to take."""

    in_flight: int = 32
    """The most POSTs at a time."""
    failures: int = 5
    """In a row, from more than one call: opens a closed breaker."""
    first_probe: float = 1.0
    """Seconds from opening to the first probe; doubled after each that fails."""
    max_probe: float = 60.0
    """The longest wait between probes, in seconds."""


class State(Enum):
    """How the endpoint is treated now; what each allows stands above."""

    CLOSED = auto()
    OPEN = auto()
    HALF_OPEN = auto()
    DISABLED = auto()


TRANSITIONS: dict[State, frozenset[State]] = {
    State.CLOSED: frozenset({State.OPEN, State.DISABLED}),
    State.OPEN: frozenset({State.HALF_OPEN, State.CLOSED, State.DISABLED}),
    State.HALF_OPEN: frozenset({State.OPEN, State.CLOSED, State.DISABLED}),
    State.DISABLED: frozenset({State.CLOSED}),
}

_HALF_OPEN_START = 2
_HALF_OPEN_FAILURES = 2


class CircuitBreaker:
    """One endpoint. Feed it what starts and how it ended; ask it for `slots`."""

    def __init__(self, policy: CircuitBreakerPolicy | None = None) -> None:
        self._policy = policy or CircuitBreakerPolicy()
        self.state = State.CLOSED
        self.opened = 0
        """How often it has opened."""
        self._flying: set[str] = set()
        self._failures = 0
        self._failing: set[str] = set()
        self._probe: str | None = None
        self._probe_at = 0.0
        self._probe_delay = self._policy.first_probe
        self._limit = self._policy.in_flight
        self._successes = 0
        self._paused_until = 0.0

    @property
    def in_flight(self) -> int:
        """POSTs that are on their way, of all lanes."""
        return len(self._flying)

    @property
    def most(self) -> int:
        """How many may be, when all is well."""
        return self._policy.in_flight

    def slots(self, now: float) -> int:
        """How many POSTs may start now."""
        if self.state is State.DISABLED or now < self._paused_until:
            return 0
        if self.state is State.OPEN:
            return 1 if self._probe is None and now >= self._probe_at else 0
        return max(0, self._limit - len(self._flying))

    def wait(self, now: float) -> float:
        """Seconds until the endpoint may be asked; 0: now, or never by itself."""
        until = self._probe_at if self.state is State.OPEN else 0.0
        return max(0.0, max(until, self._paused_until) - now) if self.state is not State.DISABLED else 0.0

    def flies(self, call_id: str) -> bool:
        """Whether this call's lane has a POST in flight."""
        return call_id in self._flying

    def started(self, call_id: str) -> None:
        """A POST of this call's lane is on its way."""
        if call_id in self._flying:
            raise LocalProtocolError("a lane has one POST in flight at a time")
        self._flying.add(call_id)
        if self.state is State.OPEN:
            self._probe = call_id

    def ended(self, call_id: str, verdict: Verdict | None, now: float) -> None:
        """It ended; with no verdict when it was never answered for a reason of ours."""
        self._flying.discard(call_id)
        probe = self._probe == call_id
        if probe:
            self._probe = None
        if verdict is None or self.state is State.DISABLED:
            return
        if verdict.pause:
            self._paused_until = max(self._paused_until, now + verdict.pause)
        match verdict.endpoint:
            case "gone":
                self.disable()
            case "alive":
                self._succeeded()
            case "failing":
                self._failed(call_id, probe, now)

    def disable(self) -> None:
        """The endpoint is gone."""
        self._enter(State.DISABLED)

    def enable(self) -> None:
        """Forget everything bad about the endpoint."""
        if self.state is not State.CLOSED:
            self._enter(State.CLOSED)
        self._paused_until = 0.0

    def _succeeded(self) -> None:
        self._failures = 0
        self._failing.clear()
        if self.state is State.OPEN:
            self._enter(State.HALF_OPEN)
        elif self.state is State.HALF_OPEN:
            self._successes += 1
            if self._successes >= self._limit:
                self._successes = 0
                self._limit *= 2
            if self._limit >= self._policy.in_flight:
                self._enter(State.CLOSED)

    def _failed(self, call_id: str, probe: bool, now: float) -> None:
        if self.state is State.OPEN:
            # What was in flight before it opened says nothing new; only the probe's failure does.
            if probe:
                self._probe_delay = min(2 * self._probe_delay, self._policy.max_probe)
                self._probe_at = now + self._probe_delay
            return
        self._failures += 1
        self._failing.add(call_id)
        enough = self._policy.failures if self.state is State.CLOSED else _HALF_OPEN_FAILURES
        if self._failures >= enough and len(self._failing) > 1:
            self._probe_at = now + self._policy.first_probe
            self._enter(State.OPEN)

    def _enter(self, state: State) -> None:
        if state is not self.state and state not in TRANSITIONS[self.state]:
            raise LocalProtocolError(f"a breaker does not go from {self.state.name} to {state.name}")
        self.state = state
        self._failures, self._successes = 0, 0
        self._failing.clear()
        self._probe = None
        self._probe_delay = self._policy.first_probe
        self._limit = self._policy.in_flight
        if state is State.OPEN:
            self.opened += 1
        elif state is State.HALF_OPEN:
            self._limit = min(_HALF_OPEN_START, self._policy.in_flight)

    def __repr__(self) -> str:
        return (
            f"<CircuitBreaker {self.state.name} in_flight={self.in_flight}/{self._limit} failures={self._failures} "
            f"opened={self.opened}>"
        )
