"""A stream's way to the process that has its call: a machine without a socket or a clock.

What the carrier sends goes on unchanged, in its order, and is kept until the other process says that it has read it: it
answers pings in their turn. So where that process dies, or lets go of the call, nothing is lost that it has not read:
the stream comes back with that, and finds the call where it is by then.

    DIALING   the other process is asked; what comes waits
    OPEN      what comes goes on
    ENDED     the carrier has closed; that is still to be read there
    BACK      the stream is this process's again
    OVER      the other process has closed it for good

Times are seconds on a clock that is never set.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from bridge.errors import LocalProtocolError


class State(Enum):
    """What each means is told above."""

    DIALING = auto()
    OPEN = auto()
    ENDED = auto()
    BACK = auto()
    OVER = auto()


class Said(NamedTuple):
    """A frame of the carrier's."""

    data: bytes
    binary: bool
    at: float
    """When it was read."""


@dataclass(frozen=True, slots=True)
class Begin:
    """Say first for how long the first frame has waited; None: there is none."""

    waited: float | None


@dataclass(frozen=True, slots=True)
class Send:
    """Pass a frame on."""

    said: Said


@dataclass(frozen=True, slots=True)
class Ping:
    """Ask whether all before it is read; answer with `answered`."""

    number: int


@dataclass(frozen=True, slots=True)
class Close:
    """The carrier has closed the stream, with this code; None: its socket broke. Answer with `closed`, or `broken`."""

    code: int | None


@dataclass(frozen=True, slots=True)
class CloseCarrier:
    """The other process has closed the stream."""

    code: int
    reason: str


Command = Begin | Send | Ping | Close | CloseCarrier


@dataclass(frozen=True, slots=True)
class RelayPolicy:
    """How patient it is."""

    pause: float = 1.0
    """Seconds between two pings."""
    patience: float = 10.0
    """Seconds for an answer: as long as a lease, so that a process that stands still for a while keeps its calls."""
    most: int = 6000
    """Frames that are kept: a minute of both tracks."""


FINAL = frozenset({1000, 1008, 1013})
"""Codes with which a process closes a stream that the carrier is not to have: it is over, or refused."""

_SOON = 5.0
"""Seconds after which one that breaks off may be tried once more."""

_DONE = (State.BACK, State.OVER)


class Relay:
    """Tell it what comes from either side, do what `data_to_send` asks, and wake it when `get_timer` says."""

    def __init__(self, head: Iterable[Said], waiting: Iterable[Said], policy: RelayPolicy | None = None) -> None:
        """`head`: the frames up to the one with which the stream starts; each process needs them. `waiting`: those that
        have come since."""
        self.state = State.DIALING
        self.policy = policy or RelayPolicy()
        self.failed = False
        """It came back before it was of use: the other process is not to be asked again."""
        self.reason = ""
        """Why it came back."""
        self._head = tuple(head)
        self._unread = deque(waiting)
        self._pings: deque[tuple[int, float, int]] = deque()  # number, when, how many frames had gone on by then
        self._number = 0
        self._gone = 0  # frames that have gone on, since the beginning
        self._read = 0  # of these, those that were read there
        self._opened = 0.0
        self._ping_at: float | None = None
        self._ended: Close | None = None  # what has come while it was DIALING
        self._commands: list[Command] = []

    def __repr__(self) -> str:
        return f"<Relay {self.state.name} {len(self._unread)} unread>"

    @property
    def is_done(self) -> bool:
        """Whether nothing more is asked for."""
        return self.state in _DONE

    @property
    def is_full(self) -> bool:
        """Whether no more is to be read from the carrier for now."""
        return len(self._unread) >= self.policy.most

    def left(self) -> list[Said]:
        """What begins the stream here: its head, and what the other process may not have read."""
        return [*self._head, *self._unread]

    # In.

    def receive(self, said: Said) -> None:
        """The carrier has sent a frame."""
        self._unread.append(said)
        if self.state is State.OPEN:
            self._pass_on(said)

    def end(self, code: int | None, now: float) -> None:
        """The carrier has closed its socket, with this code; None: it broke."""
        if self.state is State.DIALING:
            self._ended = Close(code)
        elif self.state is State.OPEN:
            self._close(Close(code), now)

    def opened(self, now: float) -> None:
        """The other process has let the stream in."""
        if self.state is not State.DIALING:
            raise LocalProtocolError(f"a relay that is {self.state.name} cannot be opened")
        self.state, self._opened = State.OPEN, now
        self._commands.append(Begin(now - self._unread[0].at if self._unread else None))
        for said in (*self._head, *self._unread):
            self._commands.append(Send(said))
        self._gone = len(self._unread)
        self._ping_at = now + self.policy.pause
        if self._ended:
            self._close(self._ended, now)

    def refused(self, reason: str) -> None:
        """The other process has not let it in, or cannot be reached."""
        self._come_back(reason, failed=True)

    def answered(self, number: int) -> None:
        """The other process has read all that went on before this ping."""
        while self._pings and 0 < self._pings[0][0] <= number:
            _, _, gone = self._pings.popleft()
            while self._read < gone:
                self._unread.popleft()
                self._read += 1

    def closed(self, code: int, reason: str, now: float) -> None:
        """The other process has closed the stream, or has answered the close."""
        if self.state is State.ENDED:
            self.state = State.OVER
        elif self.state is State.OPEN and code in FINAL:
            self.state = State.OVER
            self._commands.append(CloseCarrier(code, reason))
        else:
            self.broken(reason or "it has let go of the call", now)

    def broken(self, reason: str, now: float) -> None:
        """The other process is gone, or does not answer any more."""
        self._come_back(reason, failed=now - self._opened < _SOON)

    # When.

    def get_timer(self) -> float | None:
        """When to call `handle_timer`; None: not at all."""
        times = [self._pings[0][1] + self.policy.patience] if self._pings else []
        times += [] if self._ping_at is None else [self._ping_at]
        return None if self.is_done else min(times, default=None)

    def handle_timer(self, now: float) -> None:
        """What is due by `now`."""
        if self.is_done:
            return
        if self._pings and now >= self._pings[0][1] + self.policy.patience:
            self.broken("it does not answer", now)
        elif self._ping_at is not None and now >= self._ping_at:
            self._ping_at = now + self.policy.pause
            self._number += 1
            self._pings.append((self._number, now, self._gone))
            self._commands.append(Ping(self._number))

    # Out.

    def data_to_send(self) -> list[Command]:
        """What is to be done, in order."""
        commands, self._commands = self._commands, []
        return commands

    # Inside.

    def _pass_on(self, said: Said) -> None:
        self._gone += 1
        self._commands.append(Send(said))

    def _close(self, close: Close, now: float) -> None:
        self.state, self._ping_at = State.ENDED, None
        self._commands.append(close)
        self._pings.append((0, now, self._gone))  # it is answered in its turn, as they are

    def _come_back(self, reason: str, *, failed: bool) -> None:
        if not self.is_done:
            self.state, self.reason, self.failed = State.BACK, reason, failed
            self._commands.clear()
