"""How a call's audio ends, and how long that may take: one bound for all of it, however many sockets it takes.

Within the bound a socket has as long as sending what waits takes, and then a while for the last results. What is not
covered when the time is over is left for later. The clock is an argument.

    GOING_ON  more audio comes
    SENDING   no more comes; what waits is sent, to the last sample of the call
    CUT       no more comes here, in the middle of speech: the call goes on, and what follows is kept
    LEAVING   too much waits, and it is kept: what has not been sent by now will not be
    OVER      nothing more is waited for
"""

from enum import Enum, auto

from bridge.deepgram.exchange import SessionPolicy
from bridge.errors import LocalProtocolError
from bridge.standstill import READING, stood_still


class State(Enum):
    """How far the end has come; what each means stands above."""

    GOING_ON = auto()
    SENDING = auto()
    CUT = auto()
    LEAVING = auto()
    OVER = auto()


class Trigger(Enum):
    """What moves the end on."""

    AUDIO = auto()
    """More of the call has come."""
    FINISHED = auto()
    """The call has ended, or falls silent here."""
    CUT = auto()
    """The call goes on after this, in the middle of speech."""
    TOO_MUCH = auto()
    """To send what waits would take longer than a call is held up for."""
    OVER = auto()
    """The last results are there, or are not waited for any more."""


# A call that is being left may still end, and its last chunk may come after it: the first word stands.
_AGAIN = (Trigger.AUDIO, Trigger.FINISHED, Trigger.CUT)

TRANSITIONS: dict[State, dict[Trigger, State]] = {
    State.GOING_ON: {
        Trigger.AUDIO: State.GOING_ON,
        Trigger.FINISHED: State.SENDING,
        Trigger.CUT: State.CUT,
        Trigger.OVER: State.OVER,
    },
    State.SENDING: {**dict.fromkeys(_AGAIN, State.SENDING), Trigger.TOO_MUCH: State.LEAVING, Trigger.OVER: State.OVER},
    State.CUT: {**dict.fromkeys(_AGAIN, State.CUT), Trigger.TOO_MUCH: State.LEAVING, Trigger.OVER: State.OVER},
    State.LEAVING: {
        **dict.fromkeys(_AGAIN, State.LEAVING),
        Trigger.TOO_MUCH: State.LEAVING,  # another socket has no less to send
        Trigger.OVER: State.OVER,
    },
    State.OVER: dict.fromkeys(_AGAIN, State.OVER),
}


class Ending:
    """Of one call. Audio is measured in seconds."""

    def __init__(self, policy: SessionPolicy) -> None:
        self.state = State.GOING_ON
        self.begun = False
        """No more audio comes."""
        self.deadline: float | None = None
        """When to wait no longer."""
        self._policy = policy
        self._latest = 0.0

    @property
    def leaving(self) -> bool:
        """What has not been sent by now will not be."""
        return self.state is State.LEAVING

    @property
    def partial(self) -> bool:
        """Audio follows after what is sent: a word at the edge may be half a word."""
        return self.state in (State.CUT, State.LEAVING)

    def receive_audio(self) -> bool:
        """Whether audio that comes now is still sent."""
        if self.state is State.GOING_ON:
            return True  # as the table says; the hot path does without a look at it
        self._become(Trigger.AUDIO)
        return False

    def begin(self, now: float, unsent: float, uncovered: float, *, cut: bool = False) -> None:
        """`unsent`: what waits to be sent. `uncovered`: what would have to be sent if the socket were lost now.

        `cut`: the call goes on, in the middle of speech. Told again, it changes nothing, and puts nothing off.
        """
        if not self._become(Trigger.CUT if cut else Trigger.FINISHED):
            return
        sending = uncovered / self._policy.speed
        if self._policy.kept:
            sending = min(sending, self._policy.catch_up)
        self._latest = now + self._policy.flush + sending
        self.plan(now, unsent)

    def plan(self, now: float, unsent: float) -> None:
        """A socket has so much to send: as long as that takes, or, where that is much and kept, not so long."""
        sending = unsent / self._policy.speed
        if self._policy.kept and sending > self._policy.catch_up:
            self._become(Trigger.TOO_MUCH)
        self._wait(now + (0.0 if self.leaving else sending))

    def all_sent(self, now: float) -> None:
        """Only the last results are waited for."""
        self._wait(now)

    def is_over(self, now: float) -> bool:
        """Whether to wait no longer. Where the process stood still, what came meanwhile is read first."""
        if self.deadline is None or now < self.deadline:
            return False
        if stood_still(now, self.deadline):
            self.deadline = now + READING
            return False
        return True

    def end(self) -> None:
        """Wait for nothing more."""
        self._become(Trigger.OVER)
        self.deadline = None

    def _become(self, trigger: Trigger) -> bool:
        """Whether that changed anything. Raises LocalProtocolError where the table has no such transition."""
        state = self.state
        if trigger not in TRANSITIONS[state]:
            raise LocalProtocolError(f"an end that is {state.name} cannot be {trigger.name}")
        self.state = TRANSITIONS[state][trigger]
        self.begun = self.state is not State.GOING_ON
        return self.state is not state

    def _wait(self, sent_at: float) -> None:
        self.deadline = min(self._latest, sent_at + self._policy.flush)
