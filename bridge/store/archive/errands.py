"""What is done next for the archive: which calls' audio is handed to the object store, and when. A machine; time is
given.

An errand is all that there is to do for one call. Only a few are done at once, in the order in which they were asked
for. When the object store fails, everything waits, longer from time to time, and then one errand is the probe; an
errand that fails by itself waits alone. Nothing is given up: what was asked for stays until it is done or dropped.
"""

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from bridge.errors import LocalProtocolError


class State(Enum):
    """How an errand stands."""

    IDLE = auto()
    """There is nothing to do."""
    WAITING = auto()
    RUNNING = auto()
    AGAIN = auto()
    """Under way, and asked for once more meanwhile."""


class Trigger(Enum):
    """What moves it."""

    ASKED = auto()
    BEGUN = auto()
    DONE = auto()
    FAILED = auto()
    DROPPED = auto()


TRANSITIONS: Mapping[State, Mapping[Trigger, State]] = {
    State.IDLE: {Trigger.ASKED: State.WAITING, Trigger.DROPPED: State.IDLE},
    State.WAITING: {Trigger.ASKED: State.WAITING, Trigger.BEGUN: State.RUNNING, Trigger.DROPPED: State.IDLE},
    State.RUNNING: {
        Trigger.ASKED: State.AGAIN,
        Trigger.DONE: State.IDLE,
        Trigger.FAILED: State.WAITING,
        Trigger.DROPPED: State.RUNNING,
    },
    State.AGAIN: {
        Trigger.ASKED: State.AGAIN,
        Trigger.DONE: State.WAITING,
        Trigger.FAILED: State.WAITING,
        Trigger.DROPPED: State.RUNNING,
    },
}


class Begin(NamedTuple):
    """Do the errand for this call, and say what came of it."""

    call_id: str


@dataclass(frozen=True, slots=True)
class ErrandPolicy:
    """How many, and how patient."""

    at_once: int = 4
    first_pause: float = 1.0
    """Seconds before the next try; doubles from try to try."""
    longest_pause: float = 60.0


@dataclass(slots=True)
class _Errand:
    state: State = State.IDLE
    due: float = 0.0
    pause: float = 0.0
    """Seconds that it waited last, since it fails by itself."""


class Errands:
    """Times are seconds of any one clock."""

    def __init__(self, policy: ErrandPolicy = ErrandPolicy()) -> None:
        self.fails = False
        """Whether the object store does not do what it is asked."""
        self._policy = policy
        self._errands: dict[str, _Errand] = {}
        self._dues: list[tuple[float, str]] = []  # a heap; an entry counts if it is what its errand says
        self._running = 0
        self._pause = 0.0
        self._resumes = 0.0
        self._begin: list[Begin] = []

    def __repr__(self) -> str:
        return f"<Errands {self.waiting} waiting, {self._running} running{', the store fails' if self.fails else ''}>"

    def __contains__(self, call_id: str) -> bool:
        return call_id in self._errands

    @property
    def waiting(self) -> int:
        """Calls of which something is to be done, or is being done."""
        return len(self._errands)

    def is_running(self, call_id: str) -> bool:
        """Whether a call's errand is under way."""
        return call_id in self._errands and self._errands[call_id].state in (State.RUNNING, State.AGAIN)

    def ask(self, call_id: str, now: float, *, after: float = 0.0) -> None:
        """There is something to do for a call, `after` so many seconds at the latest."""
        errand, due = self._errands.setdefault(call_id, _Errand()), now + after
        if errand.state in (State.WAITING, State.AGAIN) and (errand.pause or errand.due <= due):
            return
        errand.due = due
        self._follow(call_id, Trigger.ASKED)
        self.handle_timer(now)

    def drop(self, call_id: str) -> None:
        """There is nothing more to do for a call; an errand that is under way ends by itself."""
        if call_id in self._errands:
            self._follow(call_id, Trigger.DROPPED)

    def done(self, call_id: str, now: float, *, asked: bool = True) -> None:
        """An errand is done. `asked`: the object store was asked for something, so that it works."""
        if asked:
            self.fails, self._pause, self._resumes = False, 0.0, 0.0
        self._end(call_id).pause = 0.0
        self._follow(call_id, Trigger.DONE)
        self.handle_timer(now)

    def failed(self, call_id: str, now: float, *, alone: bool) -> None:
        """An errand could not be done. `alone`: because of itself; else the object store does not work."""
        errand = self._end(call_id)
        if alone:
            errand.pause = self._longer(errand.pause)
            errand.due = now + errand.pause
        else:
            errand.due = max(errand.due, now)  # another one is the next probe, should it be this one's own fault
            if now >= self._resumes:  # else it has failed of the same trouble as another one
                self.fails = True
                self._pause = self._longer(self._pause)
                self._resumes = now + self._pause
        self._follow(call_id, Trigger.FAILED)
        self.handle_timer(now)

    def get_timer(self) -> float | None:
        """When `handle_timer` is to be called, unless something happens before."""
        first = self._first()
        return None if first is None or self._running >= self._most else max(first[0], self._resumes)

    def handle_timer(self, now: float) -> None:
        """Begin what is due."""
        while now >= self._resumes and self._running < self._most and (first := self._first()) and first[0] <= now:
            heapq.heappop(self._dues)
            self._follow(first[1], Trigger.BEGUN)
            self._running += 1
            self._begin.append(Begin(first[1]))

    def data_to_send(self) -> list[Begin]:
        """What is to be begun now."""
        begin, self._begin = self._begin, []
        return begin

    @property
    def _most(self) -> int:
        return 1 if self.fails else self._policy.at_once

    def _first(self) -> tuple[float, str] | None:
        """The errand that is due before all others."""
        while self._dues:
            due, call_id = self._dues[0]
            errand = self._errands.get(call_id)
            if errand and errand.state is State.WAITING and errand.due == due:
                return self._dues[0]
            heapq.heappop(self._dues)
        return None

    def _end(self, call_id: str) -> _Errand:
        if not self.is_running(call_id):
            raise LocalProtocolError(f"the errand for {call_id} is not under way")
        self._running -= 1
        return self._errands[call_id]

    def _longer(self, pause: float) -> float:
        return min(self._policy.longest_pause, 2 * pause or self._policy.first_pause)

    def _follow(self, call_id: str, trigger: Trigger) -> None:
        errand = self._errands[call_id]
        errand.state = TRANSITIONS[errand.state][trigger]
        if errand.state is State.IDLE:
            del self._errands[call_id]
        elif errand.state is State.WAITING:
            heapq.heappush(self._dues, (errand.due, call_id))
