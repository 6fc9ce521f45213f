"""What a group of writes does to the rows that it has locked: a machine, fed with rows, that tells what to write.

The works of a group are done one after the other in memory, each on what those before it have left; what changed is
written afterwards, all calls, events and lanes in one statement each. A refusal (`BridgeError`) changes nothing and is
the result of its work alone.

A batch's range is chosen in the transaction that makes it possible: the append of an event to an idle lane, or the
settling of the batch before. So it is durable before anything can be posted.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bridge.errors import BridgeError, NotOwner, StoreError
from bridge.events import CallStarted
from bridge.outbox import Batching, batch_end
from bridge.outlets import Outlets, pattern_of
from bridge.store.postgres.works import Append, Appended, Begun, Delete, Release, Resume, Settle, Work


@dataclass(slots=True)
class CallState:
    """A row of `call`."""

    id: str
    tip: int
    is_open: bool
    owner: str | None
    epoch: int
    header: str
    ended_at: float | None = None
    """What this group has made of it; so the next."""
    ended_seq: int | None = None


@dataclass(frozen=True, slots=True)
class LaneState:
    """A row of `lane`."""

    call_id: str
    endpoint: str
    cursor: int = 0
    batch_to: int = 0
    due_at: float = 0.0
    attempts: int = 0
    rejections: int = 0
    first_failure: float | None = None
    skipped: str = "[]"
    parked: str | None = None
    reason: str | None = None
    token: str | None = None
    since: float = 0.0

    @property
    def pending(self) -> bool:
        return self.batch_to > self.cursor and self.parked is None

    def row(self) -> dict[str, Any]:
        """For `statements.WRITE_LANES`."""
        return {name: getattr(self, name) for name in self.__slots__} | {"ready_at": self.due_at}


class Plan:
    """One group, and one try to write it."""

    def __init__(self, works: Sequence[Work], owner: str, batching: Batching, outlets: Outlets) -> None:
        self._works = works
        self._owner = owner
        self._batching = batching
        self._outlets = outlets
        self._calls: dict[str, CallState] = {}
        self._lanes: defaultdict[str, dict[str, LaneState]] = defaultdict(dict)
        """By call and endpoint."""
        self._sizes: dict[tuple[str, int], list[tuple[int, int]]] = {}
        self._again = False
        self._now = 0.0
        self._order = 0
        self._changed: dict[str, CallState] = {}
        self._dirty: set[tuple[str, str]] = set()
        self._new_sizes: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        """(`seq`, octets) of the events of a call that this group adds."""
        self._pending_before: Counter[str] = Counter()
        self.begun: dict[str, Begun] = {}
        """The calls that begin and are not there yet when the lanes and events are written."""
        self.named: dict[str, str] = {}
        self.events: list[dict[str, Any]] = []
        self.said: list[tuple[str, int, str]] = []
        self.deleted: list[str] = []
        self.left: set[str] = set()
        """Endpoints that have lost a lane."""

    @property
    def calls(self) -> list[str]:
        """The calls whose rows are to be locked."""
        return sorted({work.call_id for work in self._works})

    @property
    def beginning(self) -> dict[str, Begun]:
        """The calls that are to be there before the locks: what two processes begin at once, one of them begins."""
        whole = [work for work in self._works if isinstance(work, Append) and work.is_whole]
        return {work.call_id: work.begun for work in whole if work.begun}

    @property
    def asked_sizes(self) -> list[tuple[str, int]]:
        """(call, `seq`) after which the sizes of events are to be known."""
        asked = []
        for work in self._works:
            if isinstance(work, Settle) and work.to.batch_to is None:
                asked.append((work.call_id, work.to.cursor))
            elif isinstance(work, Resume) and work.after is not None:
                asked.append((work.call_id, max(work.after, 0)))
        return asked

    def load(
        self,
        calls: Iterable[CallState],
        lanes: Iterable[LaneState],
        sizes: Iterable[tuple[str, int, int, int]],
        now: float,
        *,
        again: bool = False,
    ) -> None:
        """The rows as they are, locked. `now`: the database's clock. `again`: the try before may have succeeded, and
        its answer been lost."""
        self._calls = {call.id: call for call in calls}
        for lane in lanes:
            self._lanes[lane.call_id][lane.endpoint] = lane
        for call_id, after, seq, size in sizes:
            known = self._sizes.setdefault((call_id, after), [])
            if not known or known[-1][0] < seq:  # asked for twice
                known.append((seq, size))
        self._now, self._again = now, again
        self._pending_before = self._pending()

    def run(self) -> list[Any]:
        """The result of each work, or the `BridgeError` that refuses it."""
        results: list[Any] = []
        for work in self._works:
            try:
                results.append(self._do(work))
            except BridgeError as error:
                results.append(error)
        return results

    def changed_calls(self) -> list[dict[str, Any]]:
        """For `statements.CHANGE_CALLS`."""
        return [
            {
                "id": call.id,
                "tip": call.tip,
                "owner": call.owner,
                "ended_at": call.ended_at,
                "ended_seq": call.ended_seq,
            }
            for call in self._changed.values()
        ]

    def changed_lanes(self) -> list[dict[str, Any]]:
        """For `statements.WRITE_LANES`."""
        lanes = (self._lanes[call_id].get(endpoint) for call_id, endpoint in sorted(self._dirty))
        return [lane.row() for lane in lanes if lane]

    def waiting(self) -> Counter[str]:
        """By how many lanes that have something to deliver each endpoint has more than before; may be negative."""
        change = self._pending()
        change.subtract(self._pending_before)
        return change

    def _pending(self) -> Counter[str]:
        return Counter(lane.endpoint for lanes in self._lanes.values() for lane in lanes.values() if lane.pending)

    def _do(self, work: Work) -> Any:
        match work:
            case Append():
                return self._append(work)
            case Settle():
                return self._settle(work)
            case Resume():
                return self._resume(work)
            case Release():
                return self._release(work)
            case Delete():
                return self._delete(work)

    def _append(self, new: Append) -> Appended:
        call = self._calls.get(new.call_id)
        # Before looking for what is there already: two processes may both believe that they began the call.
        others = call and (call.owner != self._owner or new.epoch not in (None, call.epoch))
        # What comes after the end may be anyone's who has never had it: an older process's, or a command's.
        if call and others and (call.is_open or new.epoch is not None):
            raise NotOwner(f"call {new.call_id} is not in the hands of this process")
        tip = call.tip if call else 0
        fresh = [(event, time) for event, time in zip(new.events, new.times, strict=True) if event.seq > tip]
        if not fresh:
            return Appended(new.events if self._again else ())
        if any(event.seq != seq for seq, (event, _) in enumerate(fresh, tip + 1)):
            raise StoreError(f"call {new.call_id} has events up to {tip}; what follows must be without a hole")
        call = call or self._begin(new)
        if tip == 0:
            self._begin_lanes(new)
        self.events += [
            {"call_id": event.call_id, "seq": event.seq, "type": event.type, "time": time, "body": event.body}
            for event, time in fresh
        ]
        self.said += [(new.call_id, seq, text) for seq, text in new.said if seq > tip]
        call.tip = fresh[-1][0].seq
        if new.ended_at is not None and call.is_open:
            call.is_open, call.ended_at, call.ended_seq = False, new.ended_at, new.ended_seq
        self._changed[call.id] = call
        sizes = [(event.seq, len(event.body.encode())) for event, _ in fresh]
        self._new_sizes[new.call_id] += sizes
        woken = self._wake(new.call_id, tip, sizes)
        return Appended(new.events if self._again else tuple(event for event, _ in fresh), woken)

    def _begin(self, new: Append) -> CallState:
        if new.begun is None or new.events[0].type != CallStarted.type:
            raise StoreError(f"call {new.call_id} must begin with {CallStarted.type}")
        self.begun[new.call_id] = new.begun
        call = self._calls[new.call_id] = CallState(new.call_id, 0, True, self._owner, 1, new.begun.header)
        return call

    def _begin_lanes(self, new: Append) -> None:
        endpoints = list(new.endpoints)
        if new.named:
            self.named[new.named.endpoint] = new.named.url
            endpoints.append(new.named.endpoint)
        for endpoint in endpoints:
            self._put(LaneState(new.call_id, endpoint))

    def _wake(self, call_id: str, tip: int, sizes: list[tuple[int, int]]) -> bool:
        """A busy or parked lane is left alone: it finds the events when its batch is settled."""
        idle = [lane for lane in self._lanes[call_id].values() if lane.batch_to == lane.cursor and lane.parked is None]
        for lane in idle:
            self._put(replace(lane, batch_to=batch_end(tip, sizes, self._batching), due_at=0.0, token=None))
        return bool(idle)

    def _settle(self, work: Settle) -> bool:
        lane, to = self._lanes[work.call_id].get(work.lane.endpoint), work.to
        if lane is None or lane.token != work.lane.token:
            return bool(self._again and lane and lane.cursor == to.cursor)
        batch_to = self._next_batch(work.call_id, to.cursor) if to.batch_to is None else to.batch_to
        self._put(
            replace(
                lane,
                cursor=to.cursor,
                batch_to=batch_to,
                due_at=to.due,
                attempts=to.attempts,
                rejections=to.rejections,
                first_failure=to.first_failure,
                skipped=json.dumps(to.skipped),
                parked=to.parked,
                reason=to.reason,
                token=None,
            )
        )
        return True

    def _resume(self, work: Resume) -> bool:
        call, lanes = self._calls.get(work.call_id), self._lanes[work.call_id]
        if work.after is not None:
            if call is None:
                raise StoreError(f"there is no call {work.call_id}")
            named = any(pattern_of(endpoint) is not None for endpoint in lanes)
            takes = work.endpoint in self._outlets.of(json.loads(call.header).get("to"), named=named)
            if work.endpoint not in lanes and not takes:
                return False
            lane = lanes.get(work.endpoint) or LaneState(work.call_id, work.endpoint)
            cursor = min(max(work.after, 0), call.tip)
            # Who holds it has lost it: its settlement would undo the new cursor.
            batch_to = self._next_batch(work.call_id, cursor)
            self._put(replace(lane, cursor=cursor, batch_to=batch_to, skipped="[]", token=None))
        found = lanes.get(work.endpoint)
        if found is None or found.batch_to <= found.cursor:
            return False
        self._put(replace(found, due_at=0.0, attempts=0, rejections=0, first_failure=None, parked=None, reason=None))
        return True

    def _release(self, work: Release) -> bool:
        call = self._calls.get(work.call_id)
        if call is None or not call.is_open or call.owner != self._owner:
            return bool(self._again and call and call.owner is None)
        call.owner = None
        self._changed[call.id] = call
        return True

    def _delete(self, work: Delete) -> bool:
        call = self._calls.get(work.call_id)
        if call is None:
            return self._again
        if call.is_open:
            raise StoreError(f"call {work.call_id} is going on")
        self.left.update(self._lanes.pop(work.call_id, ()))
        self._new_sizes.pop(work.call_id, None)
        del self._calls[work.call_id]
        self._changed.pop(work.call_id, None)
        self.begun.pop(work.call_id, None)
        self.deleted.append(work.call_id)
        self.events = [event for event in self.events if event["call_id"] != work.call_id]
        self.said = [said for said in self.said if said[0] != work.call_id]
        return True

    def _next_batch(self, call_id: str, cursor: int) -> int:
        """Where the batch after `cursor` ends; `cursor`: there is none."""
        sizes = list(self._sizes.get((call_id, cursor), ()))
        last = sizes[-1][0] if sizes else cursor
        sizes += [(seq, size) for seq, size in self._new_sizes[call_id] if seq > last]
        return batch_end(cursor, sizes, self._batching)

    def _put(self, lane: LaneState) -> None:
        # Those that are due at once, in the order in which they became so.
        self._order += 1
        lane = replace(lane, since=self._now + self._order * 1e-6)
        self._lanes[lane.call_id][lane.endpoint] = lane
        self._dirty.add((lane.call_id, lane.endpoint))
