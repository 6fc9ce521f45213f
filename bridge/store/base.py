"""The store, as its users see it: small protocols, cut by meaning. A user asks for those it needs.

    EventLog   the append-only log of all calls
    CallIndex  which calls there are
    Ownership  which process goes on with a call, or adds to it after its end, and which one does a chore
    Outbox     one lane per (endpoint, call) with a cursor (the words are `bridge.outbox`'s)
    LiveBus    hints where to look, and interims
    KeptAudio  audio that is still to be transcribed: `kept`

Values and protocols only; nothing here reads a clock or touches a file. Each protocol has a contract suite of its own
(`tests/store/contract/`) that runs on every store. Nothing is shown to a reader or posted before it is durable:
what a reader has seen, no crash can take back. Interims are the exception by nature: they are state, not events, and
live in memory.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Literal, Protocol

from bridge.events import Event
from bridge.outlets import Named
from bridge.store.auditing import AuditLog
from bridge.store.handing import HandOvers
from bridge.store.load import Load
from bridge.store.outbox import Outbox
from bridge.store.passing import Passing
from bridge.store.relaying import Keepers


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it was written."""

    call_id: str
    seq: int
    type: str
    body: str
    """The event's JSON, ready to be sent."""


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event and its place in the log of all calls."""

    position: int
    """Grows from event to event of all calls, with holes; never given twice."""
    event: StoredEvent


@dataclass(frozen=True, slots=True)
class CallRow:
    """One call, as the log knows it."""

    id: str
    header: str
    """JSON of the `call` object of a webhook's envelope."""
    started_at: float
    """Seconds since 1970."""
    ended_at: float | None
    tip: int
    """The newest `seq`."""
    owner: str | None
    """The store whose process goes on with the call, or did until its end; None: it was released, or is older than
    owners."""
    epoch: int
    """Counts the owners of the call, from 1."""


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls to find; what is None does not matter."""

    id: str | None = None
    begins: str | None = None
    """What its id begins with."""
    carrier_call_id: str | None = None
    """All records of this call of the carrier's."""
    active: bool | None = None
    from_: str | None = None
    """Part of the caller's number or name."""
    to: str | None = None
    parties: tuple[str, ...] | None = None
    """The caller or the callee is one of these."""
    since: float | None = None
    """Begun then or later, seconds since 1970."""
    until: float | None = None
    """Begun before that."""
    text: str | None = None
    """Words that were said, in any order and by any speaker; `"two words"` follow each other, `begin*` begins one."""


@dataclass(frozen=True, slots=True)
class FoundCall:
    """A call, and what a list of calls shows of it."""

    row: CallRow
    end: str | None = None
    """JSON of its `call.ended` event, once there is one."""
    later: str = "[]"
    """JSON of the `audio.gap` and `transcription.backfilled` events that came after that, in an array."""
    snippet: str | None = None
    """Where a text was asked for: what was said there."""
    continued_by: str | None = None
    """The id of the record that continues this one."""
    last: str | None = None
    """JSON of the newest `transcript.final` event that says something, while the call goes on."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which events to read."""

    call_id: str
    types: tuple[str, ...] = ()
    """Empty: all."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the store cannot keep what it is given."""

    reason: str
    passes: bool
    """What is given to it meanwhile waits and is kept; False: a person must mend it first."""
    answers: bool = True
    """Questions are answered meanwhile, or will be in a moment: else nothing says whether a call has a record."""


LONGEST_DELIVERY = 4 * 86400.0
"""Seconds for which a record that is too old waits for its delivery, which is tried for three days."""

Topic = Literal["events", "interims", "deletions", "lanes", "losses"]


@dataclass(frozen=True, slots=True)
class Hint:
    """There may be something new: events or interims of a call, its deletion, lanes to claim (without a call id), or
    the loss of a call that this store had, and that another has taken.

    Hints may be lost or repeated: poll as a backstop.
    """

    topic: Topic
    call_id: str | None = None


class EventLog(Protocol):
    """The events of all calls, append-only; every reader and every delivery goes by it."""

    def append(
        self,
        events: Sequence[Event],
        interims: Sequence[Event] = (),
        *,
        deliver: bool = True,
        named: Named | None = None,
    ) -> Awaitable[None]:
        """Queue events to be kept, in the order of the calls; they are durable when the awaitable is done.

        All or none of `events` are kept. Idempotent on (call id, seq): what is there already is left alone. The
        lanes of the call learn of them in the same commit. A call that begins gets one to each endpoint that is to have
        it (`bridge.outlets`), and to the one that it has `named`; none with `deliver=False`. `interims` (any event
        without a `seq`) need no commit: each replaces the newest of its track at once, and the final of a segment takes
        its interim away.

        Raises `StoreError`: the queue is full or the store closed (at the call), or the events leave a hole in the
        call's `seq` or do not begin with `call.started` (from the awaitable). What was refused can be given again.
        `NotOwner` (from the awaitable): the call has not ended, and is not this store's. One that has ended takes what
        is transcribed afterwards from any store, but for those that have had it in `take_ended` and have lost it.
        """

    async def read(self, query: Query, after: int = 0, limit: int = 200) -> list[StoredEvent]:
        """Events of a call with a seq above `after`, in order."""

    async def log(self, after: int, limit: int = 200) -> list[LoggedEvent]:
        """Events of all calls with a position above `after`, in the order in which they became durable."""

    async def position(self) -> int:
        """The newest position there has ever been."""


class CallIndex(Protocol):
    """Which calls there are: to list, to find and to forget."""

    async def calls(
        self,
        *,
        open_only: bool = False,
        call_id: str | None = None,
        before: str | None = None,
        limit: int = 200,
    ) -> list[CallRow]:
        """Calls, the newest first; `before`: only those older than the call of this id (the next page)."""

    async def find(self, wanted: CallFilter, *, before: str | None = None, limit: int = 50) -> list[FoundCall]:
        """Calls that are like this, the newest first; `before`: as in `calls`. Interims are not searched."""

    async def expired(self, now: float, days: float | None, *, limit: int) -> list[str]:
        """Ids of calls that ended more than `days` ago, or than the days of their own (`CallStarted.record_days`),
        those that ended first before others. None: those with days of their own only. `now`: seconds since 1970.

        One that has still something to deliver is not among them for `LONGEST_DELIVERY`.
        """

    async def delete(self, call_id: str, *, more: bool = False) -> bool:
        """Forget a call that has ended, and everything about it; False: there is none of that id. What is on its way
        to a webhook arrives there. `more`: others follow at once, and until the last of them the words may be left on
        the disk, where nothing finds them. Raises `StoreError` for a call that is going on."""


class Whose(Enum):
    """Whose a call is, be it open or not."""

    OURS = auto()
    NO_ONES = auto()
    """Its owner is gone, or has released it."""
    OTHERS = auto()
    """Its owner is alive, and is another."""
    UNKNOWN = auto()
    """There is no such call: it was deleted, or is not durable yet."""


class Ownership(Protocol):
    """Which process goes on with a call, and which one does what is to be done once for all of them.

    An open call has at most one owner, an open store, and takes events from it alone. A store owns the calls that begin
    through it and those that it takes. When it closes or dies, its open calls are abandoned; how other stores learn of
    that (a lock, a lease that runs out) is each store's own business.
    """

    @property
    def owner(self) -> str:
        """This store's id among the owners; no other store, past or present, has it."""

    @property
    def lease(self) -> float | None:
        """Seconds without a sign of life after which the calls of an owner are abandoned; None: no other process can
        have the store, and what is abandoned was so before it was opened."""

    async def abandoned(self, *, before: str | None = None, limit: int = 200) -> list[CallRow]:
        """Open calls whose owner is gone or has released them, the newest first; `before`: as in `CallIndex.calls`."""

    async def take(self, call_id: str) -> CallRow | None:
        """Become the owner of an abandoned call, with the next epoch. Of several stores that ask, one gets it.

        None: the call has ended, is not there, or has an owner that is alive, be it this store.
        """

    async def release(self, call_id: str) -> bool:
        """Abandon an open call of this store: events that were appended before are kept, later ones refused.

        False: it is not this store's, or has ended.
        """

    async def take_ended(self, call_id: str, absent: float = 0.0) -> CallRow | None:
        """Become the one store that adds to a call after its end, with the next epoch. Of several that ask, one gets
        it, and what those before it still append is refused.

        None: the call has not ended, is not there, or is another's that is alive. `absent`: seconds for which an owner
        that has gone without a word is waited for.
        """

    async def leave_ended(self, call_id: str) -> None:
        """Let any other store add to a call after its end, if it is this one's."""

    async def whose(self, call_id: str) -> Whose:
        """Whose a call is now."""

    def chore(self, name: str, every: float) -> AbstractAsyncContextManager[bool]:
        """Whether this store's process is to do now what one does for all of them every so many seconds: True for the
        first that asks when it is due, or when the one that does it has died over it. `every` 0: it is due always."""


class LiveBus(Protocol):
    """What is not durable: hints that there is something new, and the newest interims."""

    def watch(
        self, *topics: Topic, call_id: str | None = None, own: bool = False
    ) -> AbstractContextManager[AsyncIterator[Hint]]:
        """Hints on these topics, of one call or of all, from the moment of this call until the context is left; those
        that pile up unread are merged. `own`: none of interims of calls that other processes go on with. The iteration
        ends when the store closes."""

    async def interims(self, call_id: str) -> list[Event]:
        """The newest event without a `seq` of every track: an interim whose final is not there yet, or the start of
        speech that has no words yet."""


class Store(EventLog, CallIndex, Ownership, Outbox, LiveBus, Protocol):
    """All of a store, for code that hands it on; a user asks for the protocols it needs."""

    @property
    def hand_overs(self) -> HandOvers | None:
        """Where other open stores have the same record: how live calls go from one to the other."""

    @property
    def trouble(self) -> Trouble | None:
        """What is wrong with it now; None: it is well, as far as it knows."""


class ManagedStore(Store, AbstractAsyncContextManager["ManagedStore"], Protocol):
    """A store as the process has it that opens it, closes it and tells its figures. Made by `open_store`."""

    counters: Counter[str]
    """What has happened since it was opened, for `/metrics`."""
    load: Load

    @property
    def audit(self) -> AuditLog:
        """Where it is written down what readers do: one log for all processes with this record."""

    @property
    def passing(self) -> Passing | None:
        """What passes requests for calls on to other processes; None: no other has the record."""

    @property
    def keepers(self) -> Keepers | None:
        """What finds the process that takes the streams of a call; likewise."""

    async def copy(self, to: Path) -> None:
        """Write all of it into the empty file `to`, as it is at one moment; calls go on meanwhile. Raises
        `StoreError`."""

    def lanes_waiting(self, endpoint: str) -> int:
        """Lanes that have something to deliver to an endpoint, dead letters aside."""

    def endpoints_waiting(self) -> list[str]:
        """The endpoints that have such lanes."""
