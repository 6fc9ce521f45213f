"""Where a session stands with its sockets, what moves it, and what may come too late: a table that can be drawn.

    IDLE        there is no socket, and no audio waits for one
    CONNECTING  a socket is being opened
    OPEN        audio goes out, results come in
    CLOSING     CloseStream is sent, the last results are awaited
    WAITING     the socket was lost or refused; another try is due
    REFUSED     Deepgram will never take this request (a bad option)
    ENDED       over

The end of the call has a table of its own, in `ending`: it may begin in any of these states. What is in neither table
is our bug and raises LocalProtocolError.
"""

from enum import Enum, auto

from bridge.errors import LocalProtocolError


class State(Enum):
    """Where a session stands; what each means stands above."""

    IDLE = auto()
    CONNECTING = auto()
    OPEN = auto()
    CLOSING = auto()
    WAITING = auto()
    REFUSED = auto()
    ENDED = auto()


class Trigger(Enum):
    """What moves a session from state to state."""

    CONNECT = auto()
    """A socket is wanted: the call starts, audio comes again, another try is due."""
    CONNECTED = auto()
    """The socket is open."""
    TEXT = auto()
    """Deepgram has said something."""
    ALL_SENT = auto()
    """No more audio goes out on this socket; CloseStream does."""
    FLUSHED = auto()
    """Metadata, Deepgram's last message."""
    LOST = auto()
    """The socket is closed, deaf or could not be opened, and another one is owed."""
    DONE = auto()
    """The socket is closed, and all that it was sent is covered."""
    REFUSED = auto()
    """Deepgram will not take this request, now or later."""
    ENDED = auto()
    """Nothing more is waited for."""


TRANSITIONS: dict[State, dict[Trigger, State]] = {
    State.IDLE: {
        Trigger.CONNECT: State.CONNECTING,
        Trigger.LOST: State.IDLE,  # told twice: as an error of the socket, and as its end
        Trigger.ENDED: State.ENDED,
    },
    State.CONNECTING: {
        Trigger.CONNECTED: State.OPEN,
        Trigger.TEXT: State.CONNECTING,  # from the socket that was given up; the next one will hear it again
        Trigger.LOST: State.WAITING,
        Trigger.REFUSED: State.REFUSED,
        Trigger.ENDED: State.ENDED,
    },
    State.OPEN: {
        Trigger.TEXT: State.OPEN,
        Trigger.ALL_SENT: State.CLOSING,
        Trigger.FLUSHED: State.OPEN,  # Deepgram closes the socket by itself, and is about to
        Trigger.LOST: State.WAITING,
        Trigger.DONE: State.IDLE,
        Trigger.ENDED: State.ENDED,
    },
    State.CLOSING: {
        Trigger.TEXT: State.CLOSING,
        Trigger.FLUSHED: State.ENDED,
        Trigger.LOST: State.WAITING,
        Trigger.DONE: State.ENDED,
        Trigger.ENDED: State.ENDED,
    },
    State.WAITING: {
        Trigger.CONNECT: State.CONNECTING,
        Trigger.TEXT: State.WAITING,  # from the socket that was given up; the next one will hear it again
        Trigger.LOST: State.WAITING,  # told twice: we gave the socket up, and then it closed
        Trigger.ENDED: State.ENDED,
    },
    State.REFUSED: {Trigger.ENDED: State.ENDED},
    State.ENDED: {
        # A socket was on its way, or had something to say, when the end came. The shell was told to close it.
        Trigger.CONNECTED: State.ENDED,
        Trigger.TEXT: State.ENDED,
        Trigger.LOST: State.ENDED,
        Trigger.REFUSED: State.ENDED,
        Trigger.ENDED: State.ENDED,  # to give up what is over changes nothing
    },
}


def follow(state: State, trigger: Trigger) -> State:
    """The state after `trigger`. Raises LocalProtocolError where the table has none."""
    if trigger not in TRANSITIONS[state]:
        raise LocalProtocolError(f"a session that is {state.name} cannot be {trigger.name}")
    return TRANSITIONS[state][trigger]
