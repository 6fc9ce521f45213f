"""The origins that Deepgram is reached at, in the order in which they are preferred, and how each is doing: a machine
that all calls share. A clock is given.

Theory of operation. What one call suffers at an origin says little: its socket may be dropped for reasons of its own,
and that call alone goes elsewhere. What a second call suffers, a refused handshake or a deaf socket says that others
will fare no better. No call is sent back to an origin on trust: probes ask it now and then, and it is as good as new
when nothing has failed there for a while, which grows each time that this turns out to have been too soon.

    WELL     new sockets go there, and calls that have gone elsewhere come back
    DOUBTED  a call has lost a socket there: new sockets go there, no call comes back
    ASIDE    it fails: new sockets go elsewhere, where there is an elsewhere

What is in the table stays as it is for a single origin too, and changes nothing there: it has nowhere else to go to.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from bridge.deepgram.breaker import CircuitBreaker, CircuitBreakerPolicy
from bridge.deepgram.exchange import SessionPolicy
from bridge.deepgram.messages import TOO_LARGE, Blame, Refusal
from bridge.egress import DIRECT, Route
from bridge.pace import Pace


class State(Enum):
    """How an origin is doing; what each means stands above."""

    WELL = auto()
    DOUBTED = auto()
    ASIDE = auto()


class Trigger(Enum):
    """What changes that."""

    DROPPED = auto()
    """A socket that was open was lost."""
    DROPPED_AGAIN = auto()
    """The same, by the call that has lost the last one there: it may have two, one for each channel."""
    FAILED = auto()
    """A handshake was refused or not answered, a socket was deaf, a probe failed."""
    RECOVERED = auto()
    """Nothing has failed for a while, and a probe has gone well at the end of it."""


TRANSITIONS: dict[State, dict[Trigger, State]] = {
    State.WELL: {
        Trigger.DROPPED: State.DOUBTED,
        Trigger.DROPPED_AGAIN: State.DOUBTED,
        Trigger.FAILED: State.ASIDE,
        Trigger.RECOVERED: State.WELL,
    },
    State.DOUBTED: {
        Trigger.DROPPED: State.ASIDE,
        Trigger.DROPPED_AGAIN: State.DOUBTED,
        Trigger.FAILED: State.ASIDE,
        Trigger.RECOVERED: State.WELL,
    },
    State.ASIDE: {
        Trigger.DROPPED: State.ASIDE,
        Trigger.DROPPED_AGAIN: State.ASIDE,
        Trigger.FAILED: State.ASIDE,
        Trigger.RECOVERED: State.WELL,
    },
}


@dataclass(frozen=True, slots=True)
class Origin:
    """One of Deepgram's regions, or a server of one's own."""

    url: str
    """`wss://…`, without a path."""
    key: str = field(repr=False)
    """The API key it takes."""
    route: Route = DIRECT

    @property
    def name(self) -> str:
        """Host and port, as events and metrics name it."""
        return self.url.partition("://")[2]


@dataclass(frozen=True, slots=True)
class OriginsPolicy:
    """How soon an origin is trusted again. Seconds."""

    first_probe: float = 5.0
    """Between two probes that go well; after one that fails the pause doubles."""
    longest_probe: float = 30.0
    recovery: float = 15.0
    """For which nothing may have failed at an origin before calls come back to it."""
    longest_recovery: float = 600.0
    """The same where it has failed again soon after, which doubles it; it lasts as long until that is forgotten."""
    rest: float = 10.0
    """For which a call that has lost a socket at an origin tries the others first."""
    patience: float = 30.0
    """For which a call waits for a quiet moment to come back in."""
    moves: float = 10.0
    """Calls that come back in a second, so that an origin is not met by all of them at once."""
    handshake: float = 4.0
    """For the handshake, where another origin can be asked instead; a probe has as long for each of its two steps."""
    deaf: float = 10.0
    """Without any answer to speech, after which a socket counts as dead, where there is another origin."""


class _Health:
    """Of one origin."""

    def __init__(self, policy: OriginsPolicy, breaker: CircuitBreakerPolicy | None) -> None:
        self.breaker = CircuitBreaker(breaker)
        self.state = State.WELL
        self.dropped: str | None = None  # the call that has lost a socket there last
        self.account = False  # what failed last is for a person to mend
        self.standing: Refusal | None = None  # what everybody's request was refused with, until a person mends it
        self.failed_at = 0.0
        self.recovered_at: float | None = None
        self.recovery = policy.recovery
        self.probe_at: float | None = None  # None: no probe is due, or one is under way
        self.pause = policy.first_probe

    def refuse(self, refusal: Refusal) -> None:
        """What everybody asks for was refused."""
        self.account = refusal.blame is Blame.ACCOUNT
        if refusal.blame is not Blame.PASSING and refusal.status != TOO_LARGE:
            self.standing = refusal


class Origins:
    """Origins are named by their places in the order of preference, from 0."""

    def __init__(
        self,
        origins: Sequence[Origin],
        policy: OriginsPolicy | None = None,
        breaker: CircuitBreakerPolicy | None = None,
    ) -> None:
        """`breaker`: of each origin's circuit breaker."""
        self.policy = policy or OriginsPolicy()
        self.all = tuple(origins)
        self.sockets: Counter[str] = Counter({origin.name: 0 for origin in origins})
        """How many are open at each, by its name."""
        self.failures: Counter[str] = Counter({origin.name: 0 for origin in origins})
        """Handshakes and probes that failed, and sockets that were lost."""
        self.returns: Counter[str] = Counter({origin.name: 0 for origin in origins})
        """Sockets of calls that have come back to it from one that is less preferred; a call may have two."""
        self._health = [_Health(self.policy, breaker) for _ in origins]
        self._returning = Pace(self.policy.moves, 1.0)

    def __repr__(self) -> str:
        told = ", ".join(f"{health.state.name} {health.breaker!r}" for health in self._health)
        return f"<Origins {told}>"

    def __len__(self) -> int:
        return len(self.all)

    @property
    def is_closed(self) -> bool:
        """Whether the circuit breaker of any origin is: Deepgram can be asked."""
        return any(health.breaker.is_closed for health in self._health)

    @property
    def in_use(self) -> dict[str, int]:
        """1 for the origin that a new call is sent to, 0 for the others, by their names."""
        best = min(range(len(self)), key=lambda place: (self.is_aside(place), place))
        return {origin.name: int(place == best) for place, origin in enumerate(self.all)}

    @property
    def standing(self) -> dict[str, Refusal]:
        """What refuses every call until a person mends the account or the options, by the names of the origins."""
        told = zip(self.all, self._health, strict=True)
        return {origin.name: health.standing for origin, health in told if health.standing}

    @property
    def refusing(self) -> dict[str, int]:
        """1 for those that refuse the account, which a person has to mend, by their names."""
        return {origin.name: int(self.needs_person(place)) for place, origin in enumerate(self.all)}

    def patience(self, policy: SessionPolicy) -> SessionPolicy:
        """A session's, which has less of it with a deaf socket where there is another origin to go to."""
        return replace(policy, deaf=min(policy.deaf, self.policy.deaf)) if len(self) > 1 else policy

    # What is asked of one.

    def is_well(self, place: int) -> bool:
        """Calls may come back to it."""
        health = self._health[place]
        return health.state is State.WELL and health.breaker.is_closed

    def is_aside(self, place: int) -> bool:
        """It is left to the last."""
        return self._health[place].state is State.ASIDE

    def needs_person(self, place: int) -> bool:
        """It refuses the account, which does not heal by itself."""
        return self._health[place].account

    def is_probing(self, place: int) -> bool:
        """Its circuit breaker is open: a call that passes is the one that tries."""
        return not self._health[place].breaker.is_closed

    def passes(self, place: int, now: float) -> bool:
        """What `ask` will say."""
        return self._health[place].breaker.passes(now)

    def ask(self, place: int, now: float) -> Refusal | None:
        """None: open a socket there. Otherwise why not. Every question counts: ask once for each socket."""
        return self._health[place].breaker.ask(now)

    def may_return(self, now: float) -> bool:
        """Whether a call may come back now; it counts as one that does."""
        if not self._returning.allows(now):
            return False
        self._returning.take(1.0)
        return True

    # What became of it.

    def succeeded(self, place: int) -> None:
        """A handshake, or a request, went well."""
        health = self._health[place]
        health.breaker.succeeded()
        health.account = False
        health.standing = None

    def refused(self, place: int, refusal: Refusal, now: float, *, own_options: bool = False) -> None:
        """A handshake was refused. `own_options`: the call has asked for something that others do not, so that what
        may be over that says nothing of the origin."""
        health = self._health[place]
        health.breaker.failed(refusal, now, own_options=own_options)
        if own_options and refusal.may_be_over_options:
            return
        health.refuse(refusal)
        self._fail(place, Trigger.FAILED, now)

    def dropped(self, place: int, call_id: str, now: float, *, deaf: bool = False) -> None:
        """A call has lost an open socket. `deaf`: it was given up, because it has answered nothing."""
        health = self._health[place]
        dropped = Trigger.DROPPED_AGAIN if health.dropped == call_id else Trigger.DROPPED
        health.dropped = call_id
        self._fail(place, Trigger.FAILED if deaf else dropped, now)

    # Probes.

    def get_timer(self) -> float | None:
        """When the next probe is due; None: none is. One origin alone is never probed: its calls try it themselves."""
        if len(self) == 1:
            return None
        return min((health.probe_at for health in self._health if health.probe_at is not None), default=None)

    def to_probe(self, now: float) -> list[int]:
        """The origins to be probed now: each is under way until `probed` has told of it."""
        due = [place for place, each in enumerate(self._health) if each.probe_at is not None and each.probe_at <= now]
        for place in due:
            self._health[place].probe_at = None
        return due

    def probed(self, place: int, refusal: Refusal | None, now: float) -> None:
        """How a probe went; None: well."""
        health = self._health[place]
        if refusal:
            health.refuse(refusal)
            health.pause = min(self.policy.longest_probe, 2 * health.pause)
            health.probe_at = now + health.pause
            self._fail(place, Trigger.FAILED, now)
            return
        self.succeeded(place)
        health.pause = self.policy.first_probe
        if health.state is State.WELL:
            return
        if now - health.failed_at >= health.recovery:
            health.recovered_at = now
            self._become(place, Trigger.RECOVERED)
        else:
            health.probe_at = min(now + health.pause, health.failed_at + health.recovery)

    # Inside.

    def _fail(self, place: int, trigger: Trigger, now: float) -> None:
        health = self._health[place]
        before = health.state
        self.failures[self.all[place].name] += 1
        health.failed_at = now
        self._become(place, trigger)
        if before is State.WELL:
            health.probe_at = now + health.pause
        if before is not State.ASIDE and health.state is State.ASIDE:
            lasted = None if health.recovered_at is None else now - health.recovered_at
            soon = lasted is not None and lasted < self.policy.longest_recovery
            health.recovery = min(self.policy.longest_recovery, 2 * health.recovery) if soon else self.policy.recovery

    def _become(self, place: int, trigger: Trigger) -> None:
        health = self._health[place]
        health.state = TRANSITIONS[health.state][trigger]
