"""Whether Deepgram may be asked for another socket: a circuit breaker shared by all calls. A machine; time is given.

While the breaker is open, one call at a time is let through as a probe; all others are turned away with the words of
the last refusal, without asking Deepgram. So an outage costs one handshake now and then and not one per call, and a
project over its limit is not pressed by all of them at once. A bad key or an empty account opens the breaker at once;
failures that may pass open it after a few in a row. A call that is refused over options of its own has learned
something about them, not about Deepgram.
"""

from dataclasses import dataclass

from bridge.deepgram.messages import Blame, Refusal


@dataclass(frozen=True, slots=True)
class CircuitBreakerPolicy:
    """How soon the breaker opens, and how often it is tried."""

    failures: int = 5
    """In a row, over all calls."""
    first_probe: float = 1.0
    """Seconds from opening to the first probe; doubles after each that fails."""
    longest_probe: float = 4.0
    """The longest wait between probes, in seconds: a call may be in its last minute, and a probe costs little."""
    account_probe: float = 10.0
    """Seconds between probes while it is the account that must be mended."""
    patience: float = 15.0
    """Seconds after which a probe that never told how it went no longer counts."""


class CircuitBreaker:
    """Ask before every handshake, and tell how it went."""

    def __init__(self, policy: CircuitBreakerPolicy | None = None) -> None:
        self.turned_away = 0
        self._policy = policy or CircuitBreakerPolicy()
        self._failures = 0
        self._opened_by: Refusal | None = None
        self._pause = 0.0
        self._probe_at = 0.0

    def __repr__(self) -> str:
        state = f"opened by {self._opened_by.status}" if self._opened_by else "closed"
        return f"<CircuitBreaker {state}, {self._failures} failures, {self.turned_away} turned away>"

    @property
    def is_closed(self) -> bool:
        """Whether every call may pass."""
        return self._opened_by is None

    def passes(self, now: float) -> bool:
        """What `ask` will say."""
        return self._opened_by is None or now >= self._probe_at

    def ask(self, now: float) -> Refusal | None:
        """None: go on. Otherwise why not."""
        if self._opened_by is None:
            return None
        if not self.passes(now):
            self.turned_away += 1
            return self._opened_by
        self._probe_at = now + self._policy.patience  # this one is the probe
        return None

    def succeeded(self) -> None:
        """A handshake went well: every call may pass."""
        self._failures = 0
        self._opened_by = None
        self._pause = 0.0

    def failed(self, refusal: Refusal, now: float, *, own_options: bool = False) -> None:
        """A handshake was refused. A request that can never work says nothing about Deepgram.

        `own_options`: the call has asked for something that others do not.
        """
        if refusal.blame is Blame.REQUEST or (own_options and refusal.may_be_over_options):
            self._probe_at = min(self._probe_at, now)  # if this was the probe, the next one is to tell
            return
        self._failures += 1
        account = refusal.blame is Blame.ACCOUNT
        if self._opened_by is None and not account and self._failures < self._policy.failures:
            return
        self._opened_by = refusal
        if account:
            self._pause = self._policy.account_probe
        else:
            self._pause = min(self._policy.longest_probe, 2 * self._pause or self._policy.first_probe)
        self._probe_at = now + self._pause
