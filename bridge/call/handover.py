"""Records that are made outside of the process that has the store, as files on their way into it.

    DATA_DIR/imports/<call id>.jsonl   a whole record: a line of `Terms`, and an event a line
                     <call id>.part    one that is still being written; its writer holds a lock on it
                     <call id>.ulaw    its audio, mu-law of two channels, where it is to be a recording
                     <name>.ask        a question which of these calls the record has, and its answer in `<name>.known`
                     <call id>.refused what was no record

Everything here blocks. A file gets its last name when it is whole, so that a process may die at any moment.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TextIO

import msgspec

from bridge.call import describe, imported
from bridge.errors import RemoteProtocolError
from bridge.events import EVENT_TYPES, CallEnded, CallStarted, EndReason, Event, Request

FOLDER = "imports"

RECORD, PART, ASK, KNOWN, REFUSED, AUDIO = ".jsonl", ".part", ".ask", ".known", ".refused", ".ulaw"
"""How the files' names end."""


@dataclass(frozen=True, slots=True)
class Terms:
    """On which a record is handed over."""

    deliver: bool = False
    """Whether the webhook gets it."""
    public_url: str | None = None
    """For the link to its transcript, should its writer die."""


def hand_over(folder: Path, events: Sequence[Event], terms: Terms) -> None:
    """Put a whole record where the process that has the store finds it. Raises OSError."""
    call_id = events[0].call_id
    (folder / f"{call_id}{REFUSED}").unlink(missing_ok=True)  # of an earlier one
    lines = [json.dumps(asdict(terms)), *(event.to_json() for event in events)]
    put(folder / f"{call_id}{RECORD}", "".join(f"{line}\n" for line in lines))


def put(path: Path, text: str) -> None:
    """Write a file that is there whole, or not at all. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.rename(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def read(path: Path) -> tuple[Terms, list[Event]]:
    """A whole record. Raises RemoteProtocolError for what is none, and OSError."""
    terms, events = _parsed(path)
    if not events or not isinstance(events[-1].data, CallEnded):
        raise RemoteProtocolError("a record ends with call.ended")
    return terms, events


class Journal:
    """The record of what is heard now, written event by event; should the process die, another one completes it."""

    def __init__(self, folder: Path, started: CallStarted, terms: Terms, now: float) -> None:
        """Raises OSError. `now`: seconds since 1970."""
        self._path = folder / f"{started.carrier_call_id}{PART}"
        self._terms = terms
        self._events: list[Event] = []
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Locked before its name says what it is: else what watches the folder would take it for one left behind.
        new = self._path.with_name(f".{self._path.name}")
        self._file: TextIO = os.fdopen(os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._write(json.dumps(asdict(terms)))
        self.add(*imported.numbered(started.carrier_call_id, [started], now))
        new.rename(self._path)

    def add(self, *events: Event) -> None:
        """The next events. Raises OSError."""
        for event in events:
            self._write(event.to_json())
            self._events.append(event)

    def end(self, seconds: float, now: float, requests: Sequence[Request] = ()) -> None:
        """The audio was so long, and went by these sockets: the record is whole, and handed over. Raises OSError."""
        events = _ended(self._events, seconds, self._terms, now, "stopped", requests)
        hand_over(self._path.parent, events, self._terms)
        self.drop()

    def drop(self) -> None:
        """There is nothing to record. Raises OSError."""
        self._path.unlink()
        self.close()

    def close(self) -> None:
        """Leave what there is to others."""
        self._file.close()

    def _write(self, line: str) -> None:
        self._file.write(f"{line}\n")
        self._file.flush()


def complete(path: Path, now: float) -> bool:
    """End the record of a writer that is gone, and hand it over; False: it is at work. Raises OSError, and
    RemoteProtocolError for what is no record."""
    with path.open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if not os.path.samestat(path.stat(), os.fstat(file.fileno())):
            return False  # it has just been handed over, and is another's
        terms, events = _parsed(path, torn=True)
        seconds = max((float(getattr(event.data, "end", 0.0)) for event in events), default=0.0)
        try:
            ended = _ended(events, seconds, terms, now, "bridge_restarted")
        except (ValueError, OverflowError):
            raise RemoteProtocolError("a record ends in a time that there is") from None
        hand_over(path.parent, ended, terms)
        path.unlink()
    return True


def _ended(
    events: list[Event],
    seconds: float,
    terms: Terms,
    now: float,
    reason: EndReason,
    requests: Sequence[Request] = (),
) -> list[Event]:
    first = events[0]
    assert isinstance(first.data, CallStarted)
    said = [event.data for event in events[1:]]
    end = imported.ending(
        first.data,
        said,
        round(seconds, 3),
        call_id=first.call_id,
        reason=reason,
        requests=requests,
        public_url=terms.public_url,
    )
    return [*events, describe.event(first.call_id, len(events) + 1, now, end)]


def _parsed(path: Path, *, torn: bool = False) -> tuple[Terms, list[Event]]:
    """`torn`: the last line may have been cut off."""
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    if torn or not lines[-1]:
        lines = lines[:-1]
    try:
        terms = Terms(**json.loads(lines[0]))
    except (ValueError, LookupError, TypeError, RecursionError):
        raise RemoteProtocolError("a record begins with its terms") from None
    found = parsed(path.stem, lines[1:])
    _check(found)
    return terms, found


def parsed(call_id: str, lines: Iterable[str]) -> list[Event]:
    """Events, from the JSON of each. Raises RemoteProtocolError for what is none."""
    try:
        return [_written(call_id, line) for line in lines]
    except (msgspec.DecodeError, ValueError, LookupError, TypeError, RecursionError):  # pydantic's is a ValueError
        raise RemoteProtocolError("this is no record of events") from None


@dataclass(frozen=True, slots=True, eq=False)
class _Written(Event):
    """One whose JSON is at hand: to write that of hours again would hold up the calls that go on."""

    body: str

    def to_json(self) -> str:
        return self.body


def _written(call_id: str, line: str) -> Event:
    said = msgspec.json.decode(line)  # which takes no half of a character, as the store does not
    data = EVENT_TYPES[said["type"]].model_validate(said["data"])
    return _Written(call_id, said["seq"], said["id"], said["time"], data, line)


def _check(events: Sequence[Event]) -> None:
    if not events or not isinstance(started := events[0].data, CallStarted):
        raise RemoteProtocolError("a record begins with call.started")
    if started.carrier not in imported.CARRIERS or started.carrier_call_id != events[0].call_id:
        raise RemoteProtocolError("only what is imported is taken in")
    if any(event.seq != seq or not event.data.durable for seq, event in enumerate(events, 1)):
        raise RemoteProtocolError("a record's events are numbered from 1")
    for event in events:
        if isinstance(event.data, CallStarted):
            _check_time(event.data.started_at)
        elif isinstance(event.data, CallEnded):
            _check_time(event.data.ended_at)


def _check_time(said: str) -> None:
    try:
        datetime.fromisoformat(said).timestamp()
    except (ValueError, OverflowError):
        raise RemoteProtocolError("a record says when it began and ended") from None


def ask(folder: Path, name: str, call_ids: Iterable[str]) -> None:
    """Ask which of these calls the record has. Raises OSError."""
    put(folder / f"{name}{ASK}", json.dumps(list(call_ids)))


def answered(folder: Path, name: str) -> set[str] | None:
    """The answer, once; None: it has not come. Raises OSError."""
    path = folder / f"{name}{KNOWN}"
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    path.unlink()
    return set(known)
