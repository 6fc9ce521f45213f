"""The writes of the SQLite store, each a function of a connection inside a transaction that the writer commits.

They run in the writer's thread, and again when a commit fails: so they depend on their arguments and on the database
alone. A refusal (`BridgeError`) comes before the first write.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bridge.errors import LocalProtocolError, NotOwner, StoreError
from bridge.events import CallEnded, CallStarted, Event, TranscriptFinal
from bridge.outbox import Batching, Lane, Settlement, batch_end, call_header
from bridge.outlets import Named, Outlets, pattern_of
from bridge.store import sql, sql_outbox
from bridge.store.base import CallRow, StoredEvent
from bridge.store.index import indexed
from bridge.store.lanes import LaneRow


@dataclass(frozen=True, slots=True)
class Append:
    """Events of one call, ready to be written."""

    call_id: str
    events: tuple[StoredEvent, ...]
    header: str | None
    """Set where the call begins."""
    started_at: float | None
    record_days: float | None
    ended_at: float | None
    ended_seq: int | None
    speech: tuple[tuple[int, str], ...]
    """The `seq` of every final, and its text for the index."""

    @classmethod
    def of(cls, events: Sequence[Event]) -> "Append":
        """Turn events into rows; done where the events come from, not in the writer's thread."""
        header, started_at, record_days, ended_at, ended_seq = None, None, None, None, None
        rows: list[StoredEvent] = []
        speech: list[tuple[int, str]] = []
        for event in events:
            if event.seq is None or event.call_id != events[0].call_id:
                raise LocalProtocolError("an append takes durable events of one call")
            if isinstance(event.data, CallStarted):
                header, started_at = call_header(event), epoch(event.data.started_at)
                record_days = event.data.record_days
            elif isinstance(event.data, CallEnded):
                ended_at, ended_seq = epoch(event.data.ended_at), event.seq
            elif isinstance(event.data, TranscriptFinal) and event.data.text:
                speech.append((event.seq, indexed(event.data.text)))
            rows.append(StoredEvent(event.call_id, event.seq, event.type, event.to_json()))
        return cls(events[0].call_id, tuple(rows), header, started_at, record_days, ended_at, ended_seq, tuple(speech))


@dataclass(frozen=True, slots=True)
class Appended:
    """What an append has changed."""

    events: tuple[StoredEvent, ...]
    """Those that were not there before."""
    lanes: list[LaneRow]
    """Those that were idle."""
    position: int = 0
    """Of the last event in the log of all calls."""


def append(
    connection: sqlite3.Connection,
    new: Append,
    owner: str,
    endpoints: Sequence[str],
    batching: Batching,
    named: Named | None = None,
) -> Appended:
    """Write what is not there yet, on behalf of `owner`. `endpoints`, `named`: those that get a call that begins."""
    found = connection.execute(sql.CALL_TO_APPEND, (new.call_id,)).fetchone()
    number, tip, is_open, its_owner = found or (None, 0, False, None)
    # Before looking for what is there already: two processes may both believe that they began the call.
    if is_open and its_owner != owner:
        raise NotOwner(f"call {new.call_id} is not in the hands of this process")
    events = tuple(event for event in new.events if event.seq > tip)
    if not events:
        return Appended((), [])
    if any(event.seq != seq for seq, event in enumerate(events, tip + 1)):
        raise StoreError(f"call {new.call_id} has events up to {tip}; what follows must be without a hole")
    if number is None:
        if events[0].type != CallStarted.type:
            raise StoreError(f"call {new.call_id} must begin with {CallStarted.type}")
        begun = {
            "id": new.call_id,
            "header": new.header,
            "started_at": new.started_at,
            "owner": owner,
            "record_days": new.record_days,
        }
        number = connection.execute(sql.BEGIN_CALL, begun).lastrowid
        connection.executemany(sql.BEGIN_LANE, [(endpoint, new.call_id) for endpoint in endpoints])
        if named:
            connection.execute(sql_outbox.KNOW_NAMED, (named.endpoint, named.url))
            connection.execute(sql.BEGIN_LANE, (named.endpoint, new.call_id))
    position = 0
    for event in events:
        row = event.call_id, event.seq, event.type, event.body
        position = connection.execute(sql.INSERT_EVENT, row).lastrowid or 0
    connection.executemany(sql.INSERT_SPEECH, [(number, seq, text) for seq, text in new.speech if seq > tip])
    connection.execute(sql.RAISE_TIP, (events[-1].seq, number))
    if new.ended_at is not None:
        connection.execute(sql.END_CALL, (new.ended_at, new.ended_seq, number))
    sizes = ((event.seq, len(event.body.encode())) for event in events)
    woken = connection.execute(
        sql.WAKE_IDLE_LANES, {"call_id": new.call_id, "batch_to": batch_end(tip, sizes, batching)}
    )
    return Appended(events, [lane_row(values) for values in woken], position)


def take(connection: sqlite3.Connection, call_id: str, owner: str) -> CallRow | None:
    """Give an abandoned call to `owner`; None where there is no such call, or it is not abandoned."""
    row = connection.execute(sql.TAKE, {"call_id": call_id, "owner": owner}).fetchone()
    return CallRow(*row) if row else None


def release(connection: sqlite3.Connection, call_id: str, owner: str) -> bool:
    """Abandon an open call of `owner`; False where it has none of that id."""
    return connection.execute(sql.RELEASE, {"call_id": call_id, "owner": owner}).rowcount > 0


def settle(connection: sqlite3.Connection, lane: Lane, to: Settlement, batching: Batching) -> LaneRow | None:
    """Move a lane to where its holder says it is, and choose its next batch if the holder did not.

    None: the lane has gone, with its call.
    """
    batch_to = to.batch_to
    if batch_to is None:
        batch_to = next_batch(connection, lane.call_id, to.cursor, batching)
    values = {
        "endpoint": lane.endpoint,
        "call_id": lane.call_id,
        "cursor": to.cursor,
        "batch_to": batch_to,
        "due": to.due,
        "attempts": to.attempts,
        "rejections": to.rejections,
        "first_failure": to.first_failure,
        "skipped": json.dumps(to.skipped),
        "parked": to.parked,
        "reason": to.reason,
    }
    if not connection.execute(sql.SETTLE, values).rowcount:
        return None
    failures = to.due, to.attempts, to.rejections, to.first_failure, to.skipped, to.parked
    return LaneRow(lane.endpoint, lane.call_id, lane.header, to.cursor, batch_to, *failures)


def resume(
    connection: sqlite3.Connection,
    endpoint: str,
    call_id: str | None,
    after: int | None,
    batching: Batching,
    outlets: Outlets,
) -> list[LaneRow]:
    """Make lanes due; with `after`, one lane from there, and even if its call is older than the endpoint, as long as it
    is one that the endpoint gets."""
    if call_id is not None and after is not None:
        row = connection.execute(sql.CALL_TIP, (call_id,)).fetchone()
        if row is None:
            raise StoreError(f"there is no call {call_id}")
        _, tip, header = row
        if endpoint in outlets.of(json.loads(header).get("to"), named=_names_its_own(connection, call_id)):
            connection.execute(sql.BEGIN_LANE, (endpoint, call_id))
        elif connection.execute(sql_outbox.HAS_LANE, (endpoint, call_id)).fetchone() is None:
            return []
        cursor = min(max(after, 0), tip)
        batch_to = next_batch(connection, call_id, cursor, batching)
        connection.execute(sql.REWIND, (cursor, batch_to, endpoint, call_id))
    rows = connection.execute(sql.RESUME, {"endpoint": endpoint, "call_id": call_id})
    return [lane_row(values) for values in rows]


def _names_its_own(connection: sqlite3.Connection, call_id: str) -> bool:
    """Whether a call goes to an endpoint that it has named."""
    endpoints = [endpoint for endpoint, *_ in connection.execute(sql_outbox.LANES_OF, (call_id,))]
    return any(pattern_of(endpoint) is not None for endpoint in endpoints)


def pending(connection: sqlite3.Connection, outlets: Outlets) -> Iterable[LaneRow]:
    """The lanes that have something to deliver, of the endpoints that there are."""
    named = [endpoint for (endpoint,) in connection.execute(sql_outbox.PENDING_NAMED) if outlets.knows(endpoint)]
    for endpoint in (*outlets.names, *named):
        yield from map(lane_row, connection.execute(sql.PENDING_LANES, (endpoint,)))


MERGED = 8
"""Commits after which the index is merged: each may leave a piece of it, and at 16 SQLite merges them all at once."""

WIPED = 64
"""Commits after which what was deleted is wiped, where the last deletion has said that more follow and none has."""


class Tidy:
    """What is done while nothing waits to be written: each time a little, in a transaction of its own."""

    def __init__(self) -> None:
        self._wiping = False
        self._unwiped: int | None = None
        """Commits since the last deletion whose words are left for now; None: there is no such deletion."""
        self._commits = MERGED  # since there was nothing more to merge

    def __call__(self, connection: sqlite3.Connection) -> bool:
        """Merge some of the full-text index, which would else be merged at length within some append; when that is
        done, empty the write-ahead log if it may hold what was deleted. True: there is more to do.
        """
        self._commits += 1
        if self._unwiped is not None:
            self._unwiped += 1
            if self._unwiped >= WIPED:
                self._wipe(connection)
        if self._commits < MERGED and not self._wiping:
            return False
        before = connection.total_changes
        connection.execute(sql.MERGE_SPEECH)
        if connection.total_changes - before > 1:  # SQLite's own way to tell: one change is the command's
            self._commits = MERGED
            return True
        self._commits = 0
        if self._wiping:
            self._wiping = not _emptied(connection)  # a reader is busy; it is tried again after the next commit
        return False

    def delete(self, connection: sqlite3.Connection, call_id: str, *, more: bool = False) -> bool:
        """Forget a call: at once, and on the disk as soon as its words are out of the index. False: there is none.

        `more`: other deletions follow, and the last of them takes the words of all out of it, since that costs as much
        for one as for many.
        """
        row = connection.execute(sql.CALL_STATE, (call_id,)).fetchone()
        if row is None:
            return False
        number, ended_at = row
        if ended_at is None:
            raise StoreError(f"call {call_id} is going on")
        for statement in sql.DELETE:
            connection.execute(statement, {"number": number, "call_id": call_id})
        if more:
            self._unwiped = 0
        else:
            self._wipe(connection)
        return True

    def _wipe(self, connection: sqlite3.Connection) -> None:
        connection.execute(sql.WIPE_SPEECH)
        self._wiping, self._unwiped = True, None


def _emptied(connection: sqlite3.Connection) -> bool:
    """Whether the write-ahead log could be emptied, without waiting for the readers."""
    (patience,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        (busy, *_) = connection.execute(sql.CHECKPOINT).fetchone()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {patience}")
    return not busy


def lane_row(values: tuple[Any, ...]) -> LaneRow:
    """A row of the `lane` table, its columns in the order of `sql`."""
    *columns, skipped, parked = values
    return LaneRow(*(*columns, tuple(json.loads(skipped)), parked))


def next_batch(connection: sqlite3.Connection, call_id: str, cursor: int, batching: Batching) -> int:
    """Where the batch after `cursor` ends; `cursor`: there is none."""
    sizes = connection.execute(sql.SIZES_AFTER, (call_id, cursor, batching.max_events))
    return batch_end(cursor, sizes, batching)


def epoch(timestamp: str) -> float:
    """An event's time as seconds since 1970."""
    return datetime.fromisoformat(timestamp).timestamp()
