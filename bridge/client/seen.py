"""What a consumer has had already: deliveries come at least once, and with this each event is handled once.

Of each call the highest `seq` is kept, and the numbers below it that the bridge has given up: they are new if they come
after all. A store is anything that keeps a short text by a call's id: a dict, a `shelve`, `SeenFile`, a thin class
around a Redis client.
"""

import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from bridge.client.deliveries import Delivery
from bridge.client.received import Event

KEPT = 100_000
"""Calls that are remembered; the oldest are forgotten."""


class SeenStore(Protocol):
    """Keeps a text for each call."""

    def get(self, key: str, /) -> str | None:
        """The text of a call; None: there is none."""

    def __setitem__(self, key: str, value: str, /) -> None:
        """Keep it in place of what was there."""


class SeenHere(OrderedDict[str, str]):
    """A store in memory: it forgets with its process."""

    def __setitem__(self, key: str, value: str, /) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        while len(self) > KEPT:
            self.popitem(last=False)


class SeenFile:
    """A store in a file of SQLite, for a consumer that is restarted: what it has handled stays handled."""

    def __init__(self, path: Path | str) -> None:
        """Raises `sqlite3.Error` where there can be no such file."""
        self._lock = threading.Lock()
        self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._file.execute("CREATE TABLE IF NOT EXISTS seen (call TEXT PRIMARY KEY, state TEXT NOT NULL)")
        self._file.execute("DELETE FROM seen WHERE rowid <= (SELECT max(rowid) FROM seen) - ?", (KEPT,))

    def get(self, key: str, /) -> str | None:
        """The text of a call; None: there is none."""
        with self._lock:
            found = self._file.execute("SELECT state FROM seen WHERE call = ?", (key,)).fetchone()
        return found[0] if found else None

    def __setitem__(self, key: str, value: str, /) -> None:
        with self._lock:
            self._file.execute(
                "INSERT INTO seen VALUES (?, ?) ON CONFLICT (call) DO UPDATE SET state = excluded.state", (key, value)
            )

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Seen:
    """Puts aside what was handled before. What has no `seq` is always new: the next one replaces it."""

    def __init__(self, store: SeenStore | None = None) -> None:
        """`store`: by default in memory."""
        self._store = SeenHere() if store is None else store

    def new(self, delivery: Delivery) -> Iterator[Event]:
        """The events that were not handled yet. Each counts as handled when the next one is asked for: if what is done
        with it fails, it is new again in the next attempt.
        """
        self.skip(delivery.call.id, delivery.skipped)
        for event in delivery.events:
            if not self.has(event):
                yield event
                self.add(event)

    def has(self, event: Event) -> bool:
        """Whether it was handled."""
        highest, holes = self._state(event.call_id)
        return event.seq is not None and event.seq <= highest and event.seq not in holes

    def add(self, event: Event) -> None:
        """It is handled."""
        if event.seq is not None and not self.has(event):
            highest, holes = self._state(event.call_id)
            self._keep(event.call_id, max(highest, event.seq), holes - {event.seq})

    def skip(self, call_id: str, seqs: Iterable[int]) -> None:
        """The bridge has given these up for now."""
        highest, holes = self._state(call_id)
        if skipped := {seq for seq in seqs if seq > highest}:
            self._keep(call_id, highest, holes | skipped)

    def rewind(self, call_id: str, after: int = 0) -> None:
        """Handle everything after this `seq` once more, when the bridge is asked to deliver it again."""
        self._keep(call_id, after, {seq for seq in self._state(call_id)[1] if seq <= after})

    def _state(self, call_id: str) -> tuple[int, set[int]]:
        highest, *holes = map(int, (self._store.get(call_id) or "0").split())
        return highest, set(holes)

    def _keep(self, call_id: str, highest: int, holes: set[int]) -> None:
        self._store[call_id] = " ".join(map(str, (highest, *sorted(holes))))
