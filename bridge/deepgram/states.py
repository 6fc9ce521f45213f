"""The states of a session and what may follow what; a transition that is not in the table is our bug.

CONNECTING  a socket is being opened
OPEN        audio goes out, results come in
CLOSING     CloseStream is sent, the last results are awaited
WAITING     the socket was lost or refused; another try is due
IDLE        the socket is gone and no audio waits for one
REFUSED     Deepgram will never take this request (a bad option)
ENDED       over
"""

from enum import Enum, auto


class State(Enum):
    """Where a session stands; what each means stands above."""

    CONNECTING = auto()
    OPEN = auto()
    CLOSING = auto()
    WAITING = auto()
    IDLE = auto()
    REFUSED = auto()
    ENDED = auto()


TRANSITIONS: dict[State, frozenset[State]] = {
    State.CONNECTING: frozenset({State.OPEN, State.WAITING, State.REFUSED, State.ENDED}),
    State.OPEN: frozenset({State.CLOSING, State.WAITING, State.IDLE, State.ENDED}),
    State.CLOSING: frozenset({State.WAITING, State.ENDED}),
    State.WAITING: frozenset({State.CONNECTING, State.ENDED}),
    State.IDLE: frozenset({State.CONNECTING, State.ENDED}),
    State.REFUSED: frozenset({State.ENDED}),
    State.ENDED: frozenset(),
}
