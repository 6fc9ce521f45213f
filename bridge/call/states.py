"""The states of a call, and what may follow what.

STARTING   no audio has come to this process yet
STREAMING  at least one stream sends audio
GRACE      every stream is lost; another may come
LEAVING    this process stops: audio is still kept, the call stays open
LEFT       the next process goes on with it
ENDED      over
"""

from enum import Enum, auto

from bridge.errors import LocalProtocolError


class State(Enum):
    """Where a call stands; what each means is told above."""

    STARTING = auto()
    STREAMING = auto()
    GRACE = auto()
    LEAVING = auto()
    LEFT = auto()
    ENDED = auto()


class Trigger(Enum):
    """What moves a call from state to state."""

    ATTACHED = auto()
    """A stream is there; it has sent no audio yet."""
    PLACED = auto()
    """A stream has sent its first frame."""
    LOST = auto()
    """The last stream is gone without its end."""
    STOPPED = auto()
    """The carrier has ended the last stream in order."""
    EXPIRED = auto()
    """No other stream came within the grace."""
    ENDED = auto()
    """The bridge ends the call."""
    LEAVING = auto()
    """The process is about to stop."""
    LEFT = auto()
    """The process lets go of the call."""


_ALWAYS = {Trigger.STOPPED: State.ENDED, Trigger.ENDED: State.ENDED, Trigger.LEAVING: State.LEAVING}
"""What may come in every state in which the call is this process's own."""

TRANSITIONS: dict[State, dict[Trigger, State]] = {
    State.STARTING: {
        **_ALWAYS,
        Trigger.ATTACHED: State.STARTING,
        Trigger.PLACED: State.STREAMING,
        Trigger.LOST: State.STARTING,
        Trigger.EXPIRED: State.ENDED,
    },
    State.STREAMING: {
        **_ALWAYS,
        Trigger.ATTACHED: State.STREAMING,
        Trigger.PLACED: State.STREAMING,
        Trigger.LOST: State.GRACE,
    },
    State.GRACE: {
        **_ALWAYS,
        Trigger.ATTACHED: State.GRACE,
        Trigger.PLACED: State.STREAMING,
        Trigger.LOST: State.GRACE,
        Trigger.EXPIRED: State.ENDED,
    },
    State.LEAVING: {
        Trigger.LEAVING: State.LEAVING,
        # A stream that came just before may still send its first frame, and the caller may hang up.
        Trigger.PLACED: State.LEAVING,
        Trigger.LOST: State.LEAVING,
        Trigger.STOPPED: State.ENDED,
        Trigger.ENDED: State.ENDED,
        Trigger.LEFT: State.LEFT,
    },
    State.LEFT: {},
    State.ENDED: {},
}

OVER = frozenset({State.LEFT, State.ENDED})


def follow(state: State, trigger: Trigger) -> State:
    """Where a trigger leads. Raises LocalProtocolError where the table has no such transition."""
    if trigger not in TRANSITIONS[state]:
        raise LocalProtocolError(f"a call that is {state.name} cannot be {trigger.name}")
    return TRANSITIONS[state][trigger]
