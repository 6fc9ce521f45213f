"""The lanes that have something to deliver: who is due, who holds a lease. Memory of one process, time is an argument.

A mirror of the rows of the `lane` table, changed only by what a commit has made of a row. The leases exist nowhere
else: the lock on the database says that there is one process, so a lease that dies with it is exactly right after a
crash. Idle lanes and dead letters are not here, so the memory this takes follows the backlog, not the history.
"""

import heapq
from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import count

from bridge.outbox import Lane

Key = tuple[str, str]
"""(endpoint, call id)."""


@dataclass(frozen=True, slots=True)
class LaneRow:
    """A row of the `lane` table; the fields are those of `Lane`."""

    endpoint: str
    call_id: str
    header: str
    cursor: int
    batch_to: int
    due: float
    attempts: int
    rejections: int
    first_failure: float | None
    skipped: tuple[int, ...]
    parked: str | None

    @property
    def key(self) -> Key:
        return (self.endpoint, self.call_id)

    @property
    def pending(self) -> bool:
        return self.batch_to > self.cursor and self.parked is None


@dataclass(slots=True)
class _Lease:
    token: str
    expires: float
    settling: bool = False
    """Its holder has said how it went; the commit is on its way."""


@dataclass(slots=True)
class _Endpoint:
    ready: deque[Key] = field(default_factory=deque)
    """Due, in the order they became so."""
    waiting: list[tuple[float, Key]] = field(default_factory=list)
    """A heap of those that are due later."""


class Lanes:
    """Lanes with a batch to try."""

    def __init__(self) -> None:
        self._rows: dict[Key, LaneRow] = {}
        self._leases: dict[Key, _Lease] = {}
        self._endpoints: dict[str, _Endpoint] = {}
        self._waiting: Counter[str] = Counter()
        self._tokens = count(1)

    def __len__(self) -> int:
        return len(self._rows)

    def waiting(self, endpoint: str) -> int:
        """How many there are of one endpoint."""
        return self._waiting[endpoint]

    def endpoints(self) -> list[str]:
        """Those that something waits for."""
        return list(self._waiting)

    def put(self, row: LaneRow) -> None:
        """What a commit made of a lane: it has something to deliver, or no longer."""
        key = row.key
        self._leases.pop(key, None)
        if not row.pending:
            self._drop(key)
            return
        self._waiting[row.endpoint] += key not in self._rows
        self._rows[key] = row
        endpoint = self._endpoints.setdefault(row.endpoint, _Endpoint())
        if row.due:
            heapq.heappush(endpoint.waiting, (row.due, key))
        else:
            # Due at once needs no clock: a wall clock set back delays nothing that is fresh.
            endpoint.ready.append(key)

    def claim(
        self, endpoint: str, limit: int, lease: float, now: float, fresh_first: bool
    ) -> list[tuple[LaneRow, str]]:
        """Lease due lanes: the row and the token of each."""
        queues = self._endpoints.get(endpoint)
        if queues is None:
            return []
        self._expire(now)
        self._wake(queues, now)
        if fresh_first:
            # `sorted` is stable: among the fresh, and among the others, the order stays.
            queues.ready = deque(sorted(queues.ready, key=self._has_failed))
        claimed: list[tuple[LaneRow, str]] = []
        while queues.ready and len(claimed) < limit:
            row = self._rows.get(key := queues.ready.popleft())
            if row is None or key in self._leases:
                continue  # an entry left behind by a later state of its lane
            if row.due > now:
                # A later state of its lane, or the clock was set back: it must not be lost, and a second entry is
                # harmless.
                heapq.heappush(queues.waiting, (row.due, key))
                continue
            token = str(next(self._tokens))
            self._leases[key] = _Lease(token, now + lease)
            claimed.append((row, token))
        return claimed

    def settling(self, lane: Lane) -> bool:
        """The holder wants to settle; False: the lease is not this holder's (any more)."""
        lease = self._leases.get((lane.endpoint, lane.call_id))
        if lease is None or lease.token != lane.token or lease.settling:
            return False
        lease.settling = True
        return True

    def not_settled(self, lane: Lane) -> None:
        """The commit failed: the lease runs out in its time, and the lane is tried again."""
        lease = self._leases.get((lane.endpoint, lane.call_id))
        if lease and lease.token in (lane.token, ""):  # revoked, too, it must run out
            lease.settling = False

    def leased(self, key: Key) -> bool:
        return key in self._leases

    def revoke(self, key: Key) -> None:
        """Take a lease from its holder; the lane comes back with its next `put`, or when the lease runs out."""
        if lease := self._leases.get(key):
            lease.token = ""

    def forget(self, call_id: str) -> None:
        """The call is gone, and its lanes with it."""
        for key in [key for key in self._rows if key[1] == call_id]:
            self._drop(key)
            self._leases.pop(key, None)

    def _drop(self, key: Key) -> None:
        if self._rows.pop(key, None) is None:
            return
        self._waiting[key[0]] -= 1
        if not self._waiting[key[0]]:
            del self._waiting[key[0]]

    def _has_failed(self, key: Key) -> bool:
        row = self._rows.get(key)
        return row is None or row.attempts > 0

    def _wake(self, queues: _Endpoint, now: float) -> None:
        while queues.waiting and queues.waiting[0][0] <= now:
            queues.ready.append(heapq.heappop(queues.waiting)[1])

    def _expire(self, now: float) -> None:
        for key, lease in list(self._leases.items()):
            if now >= lease.expires and not lease.settling:  # a disk that is slow makes no one post twice
                del self._leases[key]
                if row := self._rows.get(key):
                    self._endpoints[row.endpoint].ready.append(key)
