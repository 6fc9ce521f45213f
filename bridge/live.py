"""Live feeds: the events of one call, or of all calls, shared by their followers.

A feed reads and encodes each event once, however many follow. A follower has a cursor and no queue: a slow one costs no
memory, reads what it missed from the store, and gets only the newest interims. Every event that a follower gets is
durable, except interims. The handlers decide which clients may follow, and in which format.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Protocol

from bridge.errors import StoreError
from bridge.event_stream import encode
from bridge.events import SLOTS, CallEnded, Event, slot
from bridge.store.base import CallIndex, EventLog, Hint, LiveBus, Query, StoredEvent

log = logging.getLogger("bridge.live")

TAIL = 256
"""Events a feed keeps in memory; followers that are further behind read from the store."""

BATCH = 200
"""Events a follower gets at once, at most."""

EVERY_CALL = 100_000
"""A limit above the number of calls that go on at once."""

PULSE = 5.0
"""Seconds after which a feed polls the store, in case a hint was lost, and wakes its followers."""


class FeedStore(EventLog, CallIndex, LiveBus, Protocol):
    """The parts of a store that a feed needs."""


@dataclass(slots=True)
class Item:
    """One event, as all followers of a feed get it."""

    cursor: int | None
    """Where to resume after it: the `seq` in the feed of a call, the position in that of all. None for interims."""
    call_id: str
    type: str
    body: str
    """The event's JSON; in the feed of all calls with its `call_id`."""
    _encoded: bytes = field(default=b"", repr=False)

    def encoded(self) -> bytes:
        """The item as a server-sent event, encoded once for all followers."""
        if not self._encoded:
            self._encoded = encode(id=self.cursor, event=self.type, data=self.body)
        return self._encoded


class Feed:
    """The events of one call, or without a call id of all calls, for all their followers."""

    def __init__(self, store: FeedStore, call_id: str | None, pulse: float = PULSE) -> None:
        self.call_id = call_id
        self.tip = 0
        """The cursor of the newest event."""
        self.ended = False
        """Whether the call has ended; transcripts of kept audio may still follow."""
        self.closed = False
        self.version = 0
        """Counts the interims."""
        self.followers: set[Follower] = set()
        self.users = 0
        self._store, self._pulse = store, pulse
        self._floor = 0  # the tail has all events after this
        self._tail: deque[Item] = deque()
        self._interims: dict[tuple[str, str], tuple[int, Event, Item]] = {}  # the newest last
        self._task: asyncio.Task[None] | None = None
        self._begun = False
        self._ready = asyncio.Event()
        self._reading = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<Feed {self.call_id or 'of all calls'} at {self.tip} followers {len(self.followers)}>"

    async def start(self) -> None:
        """Start the feed, and wait until it knows its tip. Raises `StoreError` if it is closed before."""
        self._task = self._task or asyncio.create_task(self._run(), name=f"feed {self.call_id}")
        await self._ready.wait()
        if not self._begun:
            raise StoreError("the feed was closed before it began")

    async def reaches(self, cursor: int) -> bool:
        """Whether there has been such an event; reads the store, which may be ahead of the feed."""
        if cursor > self.tip:
            await self._read_new()
            self._wake()
        return cursor <= self.tip

    async def finish(self) -> None:
        """Hand on what is durable by now, then close."""
        try:
            if self._begun:
                await self._read_new()
        except StoreError as error:
            log.error("feed broken off", extra={"call_id": self.call_id, "reason": str(error)})
        finally:
            self.close()

    def close(self) -> None:
        """Tell the followers that nothing more comes."""
        if self._task:
            self._task.cancel()
        self.closed = True
        self._ready.set()
        self._wake()

    async def events(self, cursor: int) -> list[Item]:
        """The next events after a cursor, at most `BATCH`."""
        if cursor < self._floor:
            return await self._read(cursor)
        missed = 0
        for item in reversed(self._tail):
            assert item.cursor is not None
            if item.cursor <= cursor:
                break
            missed += 1
        first = len(self._tail) - missed
        return [self._tail[index] for index in range(first, min(first + BATCH, len(self._tail)))]

    def interims(self, version: int) -> list[Item]:
        """The interims that have changed since a version, the oldest first."""
        newer = takewhile(lambda known: known[0] > version, reversed(self._interims.values()))
        return [item for _, _, item in newer][::-1]

    async def starts(self, cursor: int) -> list[Item]:
        """The `call.started` of every call that goes on and began before a cursor of the feed of all calls."""
        calls = await self._store.calls(open_only=True, limit=EVERY_CALL)
        later = {entry.event.call_id for entry in await self._store.log(cursor, EVERY_CALL) if entry.event.seq == 1}
        earlier = [call.id for call in reversed(calls) if call.id not in later]
        first = [event for call_id in earlier for event in await self._store.read(Query(call_id), limit=1)]
        return [_named(None, event) for event in first]

    async def _run(self) -> None:
        try:
            with self._store.watch("events", "interims", "deletions", call_id=self.call_id) as hints:
                await self._begin()
                while hint := await _next(hints, Hint("events", self.call_id), self._pulse):
                    if hint.topic == "events" and not await self._read_new() and await self._is_deleted():
                        break
                    if hint.topic == "deletions":
                        await self._forget(hint.call_id)
                    await self._refresh(hint.call_id)
                    self._wake()
        except StoreError as error:
            log.error("feed broken off", extra={"call_id": self.call_id, "reason": str(error)})
        finally:
            self.close()

    async def _begin(self) -> None:
        if self.call_id is None:
            self.tip = await self._store.position()
            for call in await self._store.calls(open_only=True, limit=EVERY_CALL):
                await self._refresh(call.id)
        else:
            for call in await self._store.calls(call_id=self.call_id):
                self.tip, self.ended = call.tip, call.ended_at is not None
            await self._refresh(self.call_id)
        self._floor = self.tip
        self._begun = True
        self._ready.set()

    async def _is_deleted(self) -> bool:
        return self.call_id is not None and not await self._store.calls(call_id=self.call_id)

    async def _forget(self, call_id: str | None) -> None:
        """Drop a deleted call's events from memory, too."""
        async with self._reading:  # a read that is going on may still have its events
            self._tail = deque(item for item in self._tail if item.call_id != call_id)

    async def _read_new(self) -> bool:
        """Take new events from the store. Returns whether there were any."""
        async with self._reading:
            before = self.tip
            while items := await self._read(self.tip):
                # Interims first: a follower that has a final must not get an interim that it has replaced.
                for call_id in dict.fromkeys(item.call_id for item in items):
                    await self._refresh(call_id)
                for item in items:
                    self._tail.append(item)
                    self.ended |= item.type == CallEnded.type and self.call_id is not None
                self.tip = items[-1].cursor or 0
                while len(self._tail) > TAIL:
                    self._floor = self._tail.popleft().cursor or 0
                if len(items) < BATCH:
                    break
            return self.tip > before

    async def _read(self, cursor: int) -> list[Item]:
        if self.call_id is not None:
            events = await self._store.read(Query(self.call_id), after=cursor, limit=BATCH)
            return [self._item(event.seq, event) for event in events]
        return [self._item(entry.position, entry.event) for entry in await self._store.log(cursor, BATCH)]

    async def _refresh(self, call_id: str | None) -> None:
        """Take the newest interims of a call from the store."""
        if call_id is None:
            return
        newest = {slot(event.data): event for event in await self._store.interims(call_id)}
        for place in SLOTS:
            event, known = newest.get(place), self._interims.get((call_id, place))
            if known and known[1] is event:
                continue
            self._interims.pop((call_id, place), None)
            if event:
                self.version += 1
                item = self._item(None, StoredEvent(call_id, 0, event.type, event.to_json()))
                self._interims[call_id, place] = (self.version, event, item)

    def _item(self, cursor: int | None, event: StoredEvent) -> Item:
        if self.call_id is None:
            return _named(cursor, event)
        return Item(cursor, event.call_id, event.type, event.body)

    def _wake(self) -> None:
        for follower in self.followers:
            follower.dirty.set()


class Follower:
    """One reader's place in a feed. Made by `Live.follow`."""

    def __init__(self, feed: Feed, cursor: int | None) -> None:
        self.cursor = feed.tip if cursor is None else cursor
        self.reset = False
        """The reader's cursor is not of this record: the feed starts from its beginning, or for all calls from now."""
        self.dirty = asyncio.Event()
        self._feed = feed
        self._version = 0
        self._cut_off = False

    @property
    def ended(self) -> bool:
        """The call has ended, and everything was received."""
        return self._feed.ended and self.cursor >= self._feed.tip

    async def starts(self) -> list[Item]:
        """The `call.started` of the calls that go on already, without cursors, to begin a feed of all calls with."""
        return await self._feed.starts(self.cursor)

    async def receive(self) -> list[Item] | None:
        """Wait for new items: events in order, followed by interims once no event is left.

        Empty after at most `PULSE` seconds without items. None: nothing follows, because the call has `ended`, or the
        feed was closed. Cancelling loses nothing.
        """
        if not (items := await self._look()) and not self._is_over:
            await self.dirty.wait()
            items = await self._look()
        return None if not items and self._is_over else items

    @property
    def _is_over(self) -> bool:
        return self.ended or self._cut_off or self._feed.closed

    async def _look(self) -> list[Item]:
        self.dirty.clear()
        try:
            items = await self._feed.events(self.cursor)
        except StoreError as error:
            log.error("follower cut off", extra={"call_id": self._feed.call_id, "reason": str(error)})
            self._cut_off = True
            return []
        if items:
            self.cursor = items[-1].cursor or 0
        if self.cursor == self._feed.tip:  # a follower ahead of the tip has finals newer than the interims
            items = items + self._feed.interims(self._version)
            self._version = self._feed.version
        return items


class Live:
    """All feeds: each is made with its first follower, and closed with its last."""

    def __init__(self, store: FeedStore, pulse: float = PULSE) -> None:
        self.pulse, self.followers = pulse, 0
        self._store = store
        self._feeds: dict[str | None, Feed] = {}
        self._closed = False

    def __repr__(self) -> str:
        return f"<Live feeds {len(self._feeds)} followers {self.followers}>"

    @asynccontextmanager
    async def follow(self, call_id: str | None, cursor: int | None = None) -> AsyncIterator[Follower]:
        """Follow a call, or all of them, after a cursor; None: from now on."""
        feed = self._feeds.get(call_id)
        if feed is None or feed.closed:
            feed = self._feeds[call_id] = Feed(self._store, call_id, self.pulse)
        self.followers += 1
        feed.users += 1
        try:
            await feed.start()
            if self._closed:
                feed.close()
            follower = Follower(feed, cursor)
            if not await feed.reaches(follower.cursor):
                follower.cursor, follower.reset = (0 if call_id else feed.tip), True
            feed.followers.add(follower)
            try:
                yield follower
            finally:
                feed.followers.discard(follower)
        finally:
            self.followers -= 1
            feed.users -= 1
            if not feed.users:
                feed.close()
                if self._feeds.get(call_id) is feed:
                    del self._feeds[call_id]

    async def finish(self) -> None:
        """Hand all followers what is durable by now, then close as `close` does."""
        self._closed = True
        await asyncio.gather(*(feed.finish() for feed in self._feeds.values()))

    def close(self) -> None:
        """Close all feeds; refuse new followers."""
        self._closed = True
        for feed in self._feeds.values():
            feed.close()


def _named(cursor: int | None, event: StoredEvent) -> Item:
    """An item of the feed of all calls, in which each event names its call."""
    return Item(cursor, event.call_id, event.type, f'{{"call_id":"{event.call_id}",{event.body[1:]}')


async def _next(hints: AsyncIterator[Hint], otherwise: Hint, seconds: float) -> Hint | None:
    """The next hint, or `otherwise` after so many seconds without one; None when the store has closed."""
    try:
        async with asyncio.timeout(seconds):
            return await anext(hints, None)
    except TimeoutError:
        return otherwise
