"""Telling readers where to look: hints from one event loop's commits to its watchers.

A watcher holds a set of hints, not a queue of events: a slow one costs no memory, and what piled up for it is merged.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable

from bridge.store.base import Hint, Topic


class Watch:
    """One watcher: iterate over it inside `with`. Made by `Hints.watch`."""

    def __init__(self, hub: "Hints", topics: frozenset[Topic], call_id: str | None, own: bool = False) -> None:
        self.topics = topics
        self.call_id = call_id
        self.own = own
        self._hub = hub
        self._pending: dict[Hint, None] = {}
        self._wake = asyncio.Event()
        self._closed = False

    def give(self, hint: Hint) -> None:
        """Have it read this hint, once however often it is given before it is read."""
        self._pending[hint] = None
        self._wake.set()

    def close(self) -> None:
        """Give it nothing more: the iteration ends behind what it has not read."""
        self._closed = True
        self._hub.forget(self)
        self._wake.set()

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __aiter__(self) -> "Watch":
        return self

    async def __anext__(self) -> Hint:
        while not self._pending:
            if self._closed:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        hint = next(iter(self._pending))
        del self._pending[hint]
        return hint


class Hints:
    """All watchers of a store."""

    def __init__(self) -> None:
        # By the call they watch, so that a commit of one call does not visit the watchers of all others.
        self._watches: defaultdict[str | None, set[Watch]] = defaultdict(set)

    def watch(self, topics: Iterable[Topic], call_id: str | None, own: bool = False) -> Watch:
        """A watcher of these topics, of one call or, with None, of all; hints from here on are its own. `own`: as
        `LiveBus.watch`'s."""
        watch = Watch(self, frozenset(topics), call_id, own)
        self._watches[call_id].add(watch)
        return watch

    def give(self, topic: Topic, call_id: str | None = None, *, far: bool = False) -> None:
        """Tell everybody who watches this topic, for all calls or for this one. `far`: another process has the call."""
        hint = Hint(topic, call_id)
        for key in {None, call_id}:
            for watch in self._watches.get(key, ()):
                if topic in watch.topics and not (far and watch.own):
                    watch.give(hint)

    def give_all(self, topic: Topic) -> None:
        """Tell everybody who watches this topic, of whichever call."""
        for call_id, watches in self._watches.items():
            for watch in watches:
                if topic in watch.topics:
                    watch.give(Hint(topic, call_id))

    def watched(self, topic: Topic) -> list[str | None]:
        """The calls of which others than `own` are watched for this; None: all calls."""
        wide = ((call_id, watch) for call_id, watches in self._watches.items() for watch in watches)
        return [call_id for call_id, watch in wide if topic in watch.topics and not watch.own]

    def forget(self, watch: Watch) -> None:
        """Give a watcher nothing more; closing it does this."""
        watches = self._watches.get(watch.call_id, set())
        watches.discard(watch)
        if not watches:
            self._watches.pop(watch.call_id, None)

    def close(self) -> None:
        """Close every watcher."""
        for watches in list(self._watches.values()):
            for watch in list(watches):
                watch.close()
