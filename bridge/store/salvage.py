"""A damaged database, saved: what can be read of it, in a new one in its place; the old one is set aside, unchanged.

An event that cannot be read leaves an `event.lost` under its number, so that no number is ever given twice. A call
whose end is lost is open again, and ends, or goes on, with the next process. Everything here blocks.
"""

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.errors import StoreError
from bridge.events import CallEnded, CallStarted, Data, Event, EventLost, TranscriptFinal, timestamp
from bridge.outbox import Batching, call_header
from bridge.outlets import Outlets, outlets_of, pattern_of
from bridge.store import sql, sql_outbox, writes
from bridge.store.files import failure, lock, prepare
from bridge.store.legible import read_lane_keys, read_rows

FOLDER = "damaged"

_TABLES = {
    "call": ("id", "header", "started_at", "ended_at", "tip", "epoch"),
    "event": ("position", "call_id", "seq", "type", "body"),
    "lane": ("endpoint", "call_id", "cursor", "due_at", "attempts", "rejections", "first_failure", "skipped", "parked"),
    "endpoint": ("id", "disabled", "url"),
}

_NEEDED: dict[object, type[Data]] = {CallStarted.type: CallStarted, CallEnded.type: CallEnded}
"""Events that a call's row can be made of: only what they must hold is believed."""

_MOST_LOST = 1_000_000  # events of one call; a greater number is nonsense


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What became of a database."""

    copy: Path
    """The folder with the old one."""
    calls: int
    events: int
    lost: int
    """Events that an `event.lost` stands for, as far as it is known that there were any."""
    urls: int
    """Webhooks that calls have named, and something waits for, of which it is not known any more where they are."""


def salvage(path: Path, endpoints: Outlets | Sequence[str], now: float) -> Salvaged | None:
    """Repair the database at `path`; None: it is whole. `endpoints`: those that get events, in case that no lane of
    theirs can be read. `now`: seconds since 1970.

    Raises `StoreError`: there is none, a process uses it, it is of another program, or the disk has no room.
    """
    if not path.exists():
        raise StoreError(f"there is no {path}")
    held = lock(path)
    try:
        if _is_whole(path):
            return None
        copy = _set_aside(path, now)
        fresh = path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        os.close(os.open(fresh, os.O_CREAT, 0o600))  # transcripts of calls: for the owner only
        _give(fresh, path)
        with closing(_open(fresh, "rw")) as into:
            prepare(into, fresh)
            with closing(_open(copy / path.name, "ro")) as damaged:
                found = _Salvage(damaged, into, outlets_of(endpoints), now).run()
            into.execute("PRAGMA journal_mode = DELETE")  # one file, to be put in the place of the old
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)  # the copy has them
        fresh.replace(path)
    except sqlite3.Error as error:
        raise failure("repair", path, error) from None
    except OSError as error:
        raise StoreError(f"cannot repair {path}: {error.strerror}") from None
    finally:
        os.close(held)
    return Salvaged(copy, *found)


def _open(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None)


def _is_whole(path: Path) -> bool:
    try:
        with closing(_open(path, "ro")) as connection:
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            if application not in (0, sql.APPLICATION_ID):
                raise StoreError(f"{path} is a database of another program")
            return bool(connection.execute("PRAGMA integrity_check(1)").fetchone() == ("ok",))
    except sqlite3.DatabaseError:
        return False


def _give(fresh: Path, like: Path) -> None:
    """Let the owner of one file own another: the bridge must be able to open what root has repaired."""
    if os.geteuid() == 0:
        owner = like.stat()
        os.chown(fresh, owner.st_uid, owner.st_gid)


def _set_aside(path: Path, now: float) -> Path:
    """A copy of the database as it is; by a second name, where the disk can, which takes no room."""
    folder = path.parent / FOLDER / timestamp(now).replace(":", "").replace(".", "")
    folder.mkdir(mode=0o700, parents=True)
    for made in (folder.parent, folder):
        _give(made, path)
    for name in (path.name, f"{path.name}-wal"):
        source = path.with_name(name)
        if source.exists():
            try:
                os.link(source, folder / name)
            except OSError:
                shutil.copy2(source, folder / name)
                _give(folder / name, path)
    return folder


class _Salvage:
    """One run: from a damaged database into a new one."""

    def __init__(self, damaged: sqlite3.Connection, into: sqlite3.Connection, outlets: Outlets, now: float) -> None:
        self._damaged = damaged
        self._into = into
        self._outlets = outlets
        self._now = now
        self._lost = 0
        self._torn: set[str] = set()  # tables of which not all could be read, or is nonsense

    def run(self) -> tuple[int, int, int, int]:
        """How many calls and events there are now, and how many events and URLs are lost."""
        self._into.execute("BEGIN IMMEDIATE")
        for position, call_id, seq, kind, body in self._rows("event"):
            if _is_event(call_id, seq, kind, body):
                self._insert_event(position, call_id, seq, kind, body)
        calls = {row[0]: row for row in self._rows("call") if _is_call(*row)}
        read = list(self._rows("lane"))
        lanes = [row for row in read if _is_lane(*row)]
        if len(lanes) < len(read):
            self._torn.add("lane")
        tips: dict[str, int] = {}
        for _, call_id, cursor, *_ in lanes:
            tips[call_id] = max(tips.get(call_id, 0), cursor)
        for (call_id,) in self._into.execute("SELECT DISTINCT call_id FROM event").fetchall():
            if call_id not in calls and (begun := self._begun(call_id)):
                calls[call_id] = begun
        for call_id, header, started_at, ended_at, tip, epoch in calls.values():
            self._mend(call_id, header, started_at, ended_at, max(tip, tips.get(call_id, 0)), epoch)
        self._insert_lanes([lane for lane in lanes if lane[1] in calls], calls)
        for endpoint, disabled, url in self._rows("endpoint"):
            if isinstance(endpoint, str):
                self._into.execute(sql.DISABLE, (endpoint, disabled))
                self._into.execute(sql_outbox.KNOW_NAMED, (endpoint, url if isinstance(url, str) else None))
        self._into.execute("DELETE FROM event WHERE call_id NOT IN (SELECT id FROM call)")
        (events,) = self._into.execute("SELECT count(*) FROM event WHERE type != ?", (EventLost.type,)).fetchone()
        self._into.execute("COMMIT")
        (urls,) = self._into.execute(sql_outbox.LOST_NAMED).fetchone()
        return len(calls), events, self._lost, urls

    def _rows(self, table: str) -> Iterator[tuple[Any, ...]]:
        try:
            there = {name for _, name, *_ in self._damaged.execute(f"PRAGMA table_info({table})")}
        except sqlite3.DatabaseError:
            there = set()
        instead = {
            "epoch": "1",
            "position": "rowid",
            "url": "NULL",
        }  # before the last migrations there was no such column
        if not there.issuperset(set(_TABLES[table]) - instead.keys()):
            self._torn.add(table)
            return iter(())
        columns = tuple(name if name in there else instead[name] for name in _TABLES[table])
        return read_rows(self._damaged, table, columns, lambda: self._torn.add(table))

    def _insert_event(self, position: int | None, call_id: str, seq: int, kind: str, body: str) -> None:
        self._into.execute(
            "INSERT OR IGNORE INTO event (position, call_id, seq, type, body) VALUES (?, ?, ?, ?, ?)",
            (position, call_id, seq, kind, body),
        )

    def _begun(self, call_id: str) -> tuple[Any, ...] | None:
        """A call of which only events are left; None where its first is not among them."""
        found = self._event(call_id, CallStarted.type)
        if found is None:
            return None
        started = CallStarted.model_validate(json.loads(found)["data"])
        header = call_header(Event(call_id, 1, "", "", started))
        ended = self._event(call_id, CallEnded.type)
        ended_at = writes.epoch(json.loads(ended)["data"]["ended_at"]) if ended else None
        return call_id, header, writes.epoch(started.started_at), ended_at, 0, 1

    def _event(self, call_id: str, kind: str) -> str | None:
        found = self._into.execute("SELECT body FROM event WHERE call_id = ? AND type = ?", (call_id, kind)).fetchone()
        return str(found[0]) if found else None

    def _mend(self, call_id: str, header: str, started_at: float, ended_at: float | None, tip: int, epoch: int) -> None:
        """Write a call, with something under every number of its events."""
        have = dict(self._into.execute("SELECT seq, type FROM event WHERE call_id = ?", (call_id,)))
        tip = max(tip if tip < len(have) + _MOST_LOST else 0, *have, 1)
        for seq in range(1, tip + 1):
            if seq not in have:
                data = _begin_again(header, started_at) if seq == 1 else EventLost()
                event = Event(call_id, seq, f"{call_id}-{seq}", timestamp(self._now), data)
                self._insert_event(None, call_id, seq, event.type, event.to_json())
                self._lost += seq > 1
        ended_seq = next((seq for seq, kind in have.items() if kind == CallEnded.type), None)
        begun = {"id": call_id, "header": header, "started_at": started_at, "owner": None}
        begun["record_days"] = self._record_days(call_id)
        number = self._into.execute(sql.BEGIN_CALL, begun).lastrowid
        self._into.execute("UPDATE call SET epoch = ? WHERE id = ?", (epoch, call_id))
        self._into.execute(sql.RAISE_TIP, (tip, number))
        if ended_seq:
            self._into.execute(sql.END_CALL, (ended_at, ended_seq, number))
        finals = self._into.execute(
            "SELECT seq, body FROM event WHERE call_id = ? AND type = ?", (call_id, TranscriptFinal.type)
        ).fetchall()
        said = [(number, seq, text) for seq, body in finals if (text := json.loads(body)["data"].get("text"))]
        self._into.executemany(sql.INSERT_SPEECH, said)

    def _record_days(self, call_id: str) -> float | None:
        found = self._event(call_id, CallStarted.type)
        days = json.loads(found)["data"].get("record_days") if found else None
        return days if isinstance(days, float | int) else None

    def _insert_lanes(self, lanes: list[tuple[Any, ...]], calls: dict[str, tuple[Any, ...]]) -> None:
        for lane in lanes:
            self._insert_lane(*lane)
        if "lane" not in self._torn:
            return
        # How far they had got is not known: what the endpoint has had already comes with the same ids.
        keys = {(endpoint, call_id) for endpoint, call_id in read_lane_keys(self._damaged) if call_id in calls}
        for endpoint, call_id in sorted(keys):
            self._insert_lane(endpoint, call_id, 0, 0.0, 0, 0, None, "[]", None)
        keys.update((lane[0], lane[1]) for lane in lanes)
        own = {call_id for endpoint, call_id in keys if pattern_of(endpoint)}  # calls that have named an endpoint
        gone = {lane[0] for lane in lanes if not pattern_of(lane[0])}.difference(self._outlets.names)
        for call_id, (_, header, *_) in calls.items():
            for endpoint in {*self._outlets.of(json.loads(header).get("to"), named=call_id in own), *gone}:
                self._insert_lane(endpoint, call_id, 0, 0.0, 0, 0, None, "[]", None)

    def _insert_lane(self, endpoint: str, call_id: str, cursor: int, *state: Any) -> None:
        """As it was, but for its batch, which is chosen again."""
        due_at, attempts, rejections, first_failure, skipped, parked = state
        batch_to = writes.next_batch(self._into, call_id, cursor, Batching())
        self._into.execute(
            "INSERT OR IGNORE INTO lane (endpoint, call_id, cursor, batch_to, due_at, attempts, rejections,"
            " first_failure, skipped, parked) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (endpoint, call_id, cursor, batch_to, due_at, attempts, rejections, first_failure, skipped, parked),
        )


def _begin_again(header: str, started_at: float) -> CallStarted:
    """The first event of a call, from what its row says."""
    call = json.loads(header)
    return CallStarted(
        carrier=call["carrier"],
        carrier_call_id=call.get("carrier_call_id") or call["id"],
        continues=call.get("continues"),
        stream_id="",
        from_=call.get("from"),
        to=call.get("to"),
        direction=call.get("direction"),
        speakers=call["speakers"],
        tracks=[],
        media_format=None,
        parameters=call.get("parameters") or {},
        started_at=call.get("started_at") or timestamp(started_at),
    )


def _is_event(call_id: object, seq: object, kind: object, body: object) -> bool:
    """What stands in a damaged page may be read, and be nonsense."""
    if not (isinstance(call_id, str) and isinstance(seq, int) and isinstance(kind, str) and isinstance(body, str)):
        return False
    said = _parsed(body)
    if not isinstance(said, dict) or said.get("seq") != seq or said.get("type") != kind:
        return False
    data = said.get("data")
    return isinstance(data, dict) and (kind not in _NEEDED or _is_valid(_NEEDED[kind], data))


def _is_valid(kind: type[Data], data: dict[str, Any]) -> bool:
    try:
        kind.model_validate(data)
    except ValueError:
        return False
    return True


def _is_call(call_id: object, header: object, started_at: object, ended_at: object, tip: object, epoch: object) -> bool:
    sound = isinstance(call_id, str) and isinstance(started_at, float) and isinstance(ended_at, float | None)
    said = _parsed(header)
    numbers = isinstance(tip, int) and isinstance(epoch, int)
    return sound and numbers and isinstance(said, dict) and {"id", "carrier", "speakers"} <= said.keys()


def _is_lane(endpoint: object, call_id: object, cursor: object, due_at: object, *rest: object) -> bool:
    attempts, rejections, first_failure, skipped, parked = rest
    sound = isinstance(endpoint, str) and isinstance(call_id, str) and isinstance(due_at, float)
    counts = isinstance(cursor, int) and isinstance(attempts, int) and isinstance(rejections, int)
    optional = isinstance(first_failure, float | None) and isinstance(parked, str | None)
    return sound and counts and optional and isinstance(skipped, str) and isinstance(_parsed(skipped), list)


def _parsed(text: object) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else {}
    except (ValueError, RecursionError):
        return {}
