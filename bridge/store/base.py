"""The store, as its users see it: small protocols, cut by meaning. A user asks for those it needs.

    EventLog   the append-only log of all calls
    CallIndex  which calls there are
    Ownership  which process goes on with a call
    Outbox     one lane per (endpoint, call) with a cursor (the words are `bridge.outbox`'s)
    LiveBus    hints where to look, and interims
    KeptAudio  audio that is still to be transcribed

Values and protocols only; nothing here reads a clock or touches a file. Each protocol has a contract suite of its own
(`tests/store/contract/`) that runs on every store. Nothing is shown to a reader or posted before it is durable:
what a reader has seen, no crash can take back. Interims are the exception by nature: they are state, not events, and
live in memory.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from bridge.audio import AudioFormat
from bridge.events import Event
from bridge.outbox import Lane, LaneState, ParkedLane, Settlement


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
    carrier_call_id: str | None = None
    """All records of this call of the carrier's."""
    active: bool | None = None
    from_: str | None = None
    """Part of the caller's number or name."""
    to: str | None = None
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


Topic = Literal["events", "interims", "deletions", "lanes"]


@dataclass(frozen=True, slots=True)
class Hint:
    """There may be something new: events or interims of a call, its deletion, or lanes to claim (without a call id).

    Hints may be lost or repeated: poll as a backstop.
    """

    topic: Topic
    call_id: str | None = None


class EventLog(Protocol):
    """The events of all calls, append-only; every reader and every delivery goes by it."""

    def append(
        self, events: Sequence[Event], interims: Sequence[Event] = (), *, deliver: bool = True
    ) -> Awaitable[None]:
        """Queue events to be kept, in the order of the calls; they are durable when the awaitable is done.

        All or none of `events` are kept. Idempotent on (call id, seq): what is there already is left alone. The
        lanes of the call learn of them in the same commit; it has one to each endpoint, unless it begins with
        `deliver=False`. `interims` (any event without a `seq`) need no commit: each replaces the newest of its track at
        once, and the final of a segment takes its interim away.

        Raises `StoreError`: the queue is full or the store closed (at the call), or the events leave a hole in the
        call's `seq` or do not begin with `call.started` (from the awaitable). What was refused can be given again.
        `NotOwner` (from the awaitable): the call has not ended, and is not this store's. One that has ended takes what
        is transcribed afterwards from any store.
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

    async def delete(self, call_id: str) -> bool:
        """Forget a call that has ended, and everything about it; False: there is none of that id. What is on its way
        to a webhook arrives there. Raises `StoreError` for a call that is going on."""


class Ownership(Protocol):
    """Which process goes on with a call.

    An open call has at most one owner, an open store, and takes events from it alone. A store owns the calls that begin
    through it and those that it takes. When it closes or dies, its open calls are abandoned; how other stores learn of
    that (a lock, a lease that runs out) is each store's own business.
    """

    @property
    def owner(self) -> str:
        """This store's id among the owners; no other store, past or present, has it."""

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


class Outbox(Protocol):
    """How far each endpoint has got with each call: a lane of each pair, with a lease and a cursor."""

    async def claim(
        self, endpoint: str, limit: int, *, lease: float, now: float, fresh_first: bool = False
    ) -> list[Lane]:
        """Lease lanes that are due for `lease` seconds, those that wait longest first.

        No lane ever has two holders. `fresh_first`: lanes that have not failed before those that have.
        """

    async def settle(self, lane: Lane, settlement: Settlement) -> bool:
        """Write down how a try went and give the lease back. False: it is another's, and nothing was written."""

    async def resume(self, endpoint: str, call_id: str | None = None, *, after: int | None = None) -> int:
        """Make lanes due at once, parked ones too; the number of lanes. One call's or all that have undelivered events.

        `after` (with a call id) moves the cursor: the events above it are sent again, in order. The holder of
        such a lane loses its lease.
        """

    async def parked(self, endpoint: str) -> list[ParkedLane]:
        """The dead letters of an endpoint."""

    async def delivery(self, endpoint: str, call_id: str) -> LaneState | None:
        """How far the delivery has got; None where the endpoint does not get this call."""

    async def disabled(self, endpoint: str) -> str | None:
        """What `disable` was last told about the endpoint."""

    async def disable(self, endpoint: str, address: str | None) -> None:
        """Remember that the endpoint said it is gone, and at which address; None: it is in use again."""


class LiveBus(Protocol):
    """What is not durable: hints that there is something new, and the newest interims."""

    def watch(self, *topics: Topic, call_id: str | None = None) -> AbstractContextManager[AsyncIterator[Hint]]:
        """Hints on these topics, of one call or of all, from the moment of this call until the context is left; those
        that pile up unread are merged. The iteration ends when the store closes."""

    async def interims(self, call_id: str) -> list[Event]:
        """The newest event without a `seq` of every track: an interim whose final is not there yet, or the start of
        speech that has no words yet."""


class Store(EventLog, CallIndex, Ownership, Outbox, LiveBus, Protocol):
    """All of a store, for code that hands it on; a user asks for the protocols it needs."""

    @property
    def trouble(self) -> Trouble | None:
        """What is wrong with it now; None: it is well, as far as it knows."""


class ManagedStore(Store, AbstractAsyncContextManager["ManagedStore"], Protocol):
    """A store as the process has it that opens it, closes it and tells its figures. Made by `open_store`."""

    counters: Counter[str]
    """What has happened since it was opened, for `/metrics`."""

    async def copy(self, to: Path) -> None:
        """Write all of it into the empty file `to`, as it is at one moment; calls go on meanwhile. Raises
        `StoreError`."""

    def lanes_waiting(self, endpoint: str) -> int:
        """Lanes that have something to deliver to an endpoint, dead letters aside."""


class CallAudio(Protocol):
    """The kept audio of one call: interleaved, positions in samples per channel since call time 0."""

    @property
    def format(self) -> AudioFormat:
        """What is kept: mu-law of both tracks, unless it comes from elsewhere."""

    @property
    def settled(self) -> int:
        """Audio before this is transcribed. After `reopen` as far as it was deleted; what is missing then is lost."""

    @property
    def end(self) -> int:
        """After the newest sample: where the next `append` goes."""

    @property
    def written(self) -> int:
        """All audio before this that was appended can be read back; it stops for good where some is lost."""

    @property
    def note(self) -> Mapping[str, Any] | None:
        """What `write_note` was last given, by this process or by the one before."""

    def append(self, audio: bytes) -> None:
        """More of the call, following on `end`. Costs no wait; what cannot be written is counted, never raised."""

    def leap(self, position: int) -> None:
        """The call goes on at `position`: there was no audio between `end` and that."""

    def settle(self, position: int) -> None:
        """Audio before `position` is transcribed and need not be kept."""

    def write_note(self, note: dict[str, Any], *, at_once: bool = False) -> None:
        """Keep a note, of JSON, beside the audio, in the last one's place; `at_once`: not with the next flush."""

    async def read_on(self, start: int, samples: int) -> tuple[int, bytes]:
        """Up to `samples` from the first position at or after `start` that can be read, with that position.

        Empty where there is nothing more. Raises `StoreError` when the store is closed.
        """

    def close(self) -> None:
        """Write what is there and leave it, for `KeptAudio.reopen`."""

    async def finish(self) -> None:
        """All of it is transcribed: remove it, or make it a recording where audio is kept for good."""

    async def remove(self) -> None:
        """Delete the audio and the note."""


class KeptAudio(Protocol):
    """The audio of calls, for as long as some of it is to be transcribed."""

    def open(self, call_id: str) -> CallAudio:
        """Begin to keep a call. Raises `LocalProtocolError` if there is audio of it, or its id is no file name."""

    async def reopen(self, call_id: str) -> CallAudio:
        """Go on with one of `kept`. Raises `StoreError` if there is none, or it cannot be read."""

    def kept(self) -> list[str]:
        """The calls of which there is audio and which are not open."""

    def is_open(self, call_id: str) -> bool:
        """Whether this call's audio is in use now."""

    async def flush(self) -> None:
        """Until what was appended so far is written, or lost."""
