"""Requests that one process passes on to another: two machines, with the time as an argument.

    Asked   at the process that was asked: which process to pass a request on to, and what has become of it
    Inbox   at the owner of the call: which requests are new, and until when they may be begun

A request is a row. The process that it names takes it, while it has not expired by the database's clock; after that
its asker withdraws it, if it was not taken: so who is told that nothing was done can rely on that. No two processes
have the same id: what a process has begun with, it knows from memory.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

from bridge.store.passing import Answered, NotPassed

TO_BEGIN = 6.0
"""Seconds after which a request is not begun any more."""

TO_ANSWER = 12.0
"""Seconds more for which an answer is waited for: Deepgram may take five, and the store as many."""

MOST = 100
"""Requests that wait for one process at once."""

_PASSED_ON_AGAIN = 1  # times, where the call has moved

_REMEMBERED = 60.0  # seconds after its end for which a request is known: the database's clock may be set back


@dataclass(frozen=True, slots=True)
class Owner:
    """Who has a call, as the record says."""

    node: str | None
    ended: bool
    alive: bool
    waiting: int
    """Requests that wait for it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Write a request down for this process."""

    node: str
    seconds: float
    """For which it may be begun."""


@dataclass(frozen=True, slots=True)
class Found:
    """A request, as its row says."""

    taken: bool
    refused: str | None
    """`moved`: the call is not that process's, or not yet; `late`: it could not be begun in time."""
    answer: str | None


class Step(Enum):
    """What to do with a request that is not answered."""

    WAIT = auto()
    WITHDRAW = auto()
    """If no one has taken it, take it back."""
    PASS_ON = auto()
    """Ask again who has the call."""


class Asked:
    """One request, until it is known what became of it."""

    def __init__(self, node: str, now: float) -> None:
        """`node`: this process."""
        self._node = node
        self._begun_by = now + TO_BEGIN
        self._answered_by = self._begun_by + TO_ANSWER
        self._moves = 0

    def __repr__(self) -> str:
        return f"<Asked moves={self._moves}>"

    def place(self, owner: Owner | None, now: float) -> Place | NotPassed:
        """Which process to ask; `owner` is None where there is no such call."""
        if owner is None:
            return NotPassed.NO_CALL
        if owner.ended:
            return NotPassed.OVER
        if owner.node == self._node:
            return NotPassed.HERE
        if owner.node is None or not owner.alive:
            return NotPassed.NO_OWNER
        if owner.waiting >= MOST:
            return NotPassed.MANY
        if now >= self._begun_by:
            return NotPassed.LATE
        return Place(owner.node, self._begun_by - now)

    def look(self, found: Found | None, now: float) -> Answered | NotPassed | Step:
        """What its row says; None: the row is gone, as after a crash of the database."""
        if found is None:
            return NotPassed.UNKNOWN
        if found.answer is not None:
            return Answered(found.answer)
        if found.refused is not None:
            return self._refused(found.refused)
        if found.taken:
            return NotPassed.UNKNOWN if now >= self._answered_by else Step.WAIT
        return Step.WITHDRAW if now >= self._begun_by else Step.WAIT

    def _refused(self, why: str) -> NotPassed | Step:
        if why != "moved":
            return NotPassed.LATE
        self._moves += 1
        return NotPassed.NO_OWNER if self._moves > _PASSED_ON_AGAIN else Step.PASS_ON


@dataclass(frozen=True, slots=True)
class Taken:
    """A request that is this process's to carry out."""

    call_id: str
    id: str
    asker: str
    text: str
    left: float
    """Seconds for which it may be begun, when the database was asked."""
    ours: bool
    """Whether this process had the call then."""


class Inbox:
    """What a process has been asked for: each request is new once, however often it is found."""

    def __init__(self) -> None:
        self._known: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<Inbox knows {len(self._known)}>"

    def new(self, found: Iterable[Taken], asked: float) -> list[Taken]:
        """Those that were not found before. `asked`: when the database was asked, or earlier."""
        self._known = {id: until for id, until in self._known.items() if until > asked}
        new = [taken for taken in found if taken.id not in self._known]
        self._known |= {taken.id: asked + taken.left + _REMEMBERED for taken in new}
        return new


def refusal(taken: Taken, asked: float, now: float) -> str | None:
    """Why a request is not to be begun `now`, as `Found.refused` says; None: it is."""
    if not taken.ours:
        return "moved"
    return "late" if now >= asked + taken.left else None
