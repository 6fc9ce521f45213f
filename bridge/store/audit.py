"""The audit log: who has read, heard, linked, controlled or deleted what. A file a month in `DATA_DIR/audit`.

It lies beside the database, since it outlives what it tells of: a deleted call's lines stay, and a damaged database
takes none with it. A line is on the disk before `write` returns. There is no content in it: no text that was searched,
no token, no link.
"""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bridge.errors import StoreError
from bridge.events import timestamp

FOLDER = "audit"

_SUFFIX = ".jsonl"

_BLOCK = 64 * 1024  # octets that are read at once
_LONGEST = 256  # characters of what a client has sent; an id that a call has is shorter


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that a reader did."""

    time: str
    """Wall clock, as in events."""
    who: str
    """The name of the reader's token; empty: no one was let in."""
    via: str
    """`token`, `session` or `link`; `bridge` for what it does by itself."""
    address: str
    """The client's, or its proxy's; empty with `bridge`."""
    action: str
    call_id: str | None
    form: str | None
    """The end of the path that was asked for, such as `transcript.srt`."""
    status: int
    """Of the answer."""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries to read; what is None does not matter."""

    who: str | None = None
    action: str | None = None
    call_id: str | None = None
    since: str | None = None
    """As `Entry.time`, or a beginning of it."""
    until: str | None = None

    @property
    def marks(self) -> list[bytes]:
        """What stands in every line that is like this: it is looked for before a line is read as JSON."""
        exact = {"who": self.who, "action": self.action, "call_id": self.call_id}
        return [json.dumps({name: wanted})[1:-1].encode() for name, wanted in exact.items() if wanted is not None]

    def takes(self, entry: dict[str, Any]) -> bool:
        """Whether the entry is like this."""
        exact = {"who": self.who, "action": self.action, "call_id": self.call_id}
        if any(wanted is not None and entry.get(name) != wanted for name, wanted in exact.items()):
            return False
        time = str(entry.get("time", ""))
        return (self.since is None or time >= self.since) and (self.until is None or time < self.until)


class AuditLog:
    """Appends entries, and reads them from the newest back."""

    def __init__(self, data_dir: Path) -> None:
        self.counters: Counter[str] = Counter()
        self._folder = data_dir / FOLDER
        self._writing = asyncio.Lock()

    async def write(self, entry: Entry) -> None:
        """Keep an entry. Raises StoreError, and counts it."""
        kept = {name: _cut(value) for name, value in asdict(entry).items() if value is not None}
        line = json.dumps(kept)  # in ASCII, so that no character of a client's ends a line
        try:
            async with self._writing:
                await asyncio.to_thread(self._append, self._folder / f"{entry.time[:7]}{_SUFFIX}", line)
        except OSError as error:
            self.counters["not_written"] += 1
            raise StoreError(f"cannot write the audit log: {error.strerror}") from error

    async def read(
        self, wanted: AuditFilter, before: str | None = None, limit: int = 100
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Entries, the newest first, and where to go on, as `before`; None: there are no more. Raises StoreError, and
        ValueError for a `before` that this has not returned.
        """
        try:
            return await asyncio.to_thread(self._read, wanted, _place(before), limit)
        except OSError as error:
            raise StoreError(f"cannot read the audit log: {error.strerror}") from error

    async def sweep(self, now: float, days: float) -> int:
        """Delete the months that ended more than `days` ago; how many. `now`: seconds since 1970. Raises StoreError."""
        oldest = timestamp(now - days * 86400)[:7]

        def delete() -> int:
            gone = [path for path in self._months() if path.stem < oldest]
            for path in gone:
                path.unlink(missing_ok=True)
            return len(gone)

        try:
            return await asyncio.to_thread(delete)
        except OSError as error:
            raise StoreError(f"cannot delete from the audit log: {error.strerror}") from error

    def _append(self, path: Path, line: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)  # for the owner only
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            torn = size and os.pread(file.fileno(), 1, size - 1) != b"\n"  # the process died over it
            whole = ("\n" if torn else "") + line + "\n"
            if file.write(whole.encode()) != len(whole.encode()):
                raise OSError(28, os.strerror(28))
            os.fsync(file.fileno())

    def _read(
        self, wanted: AuditFilter, before: tuple[str, int] | None, limit: int
    ) -> tuple[list[dict[str, Any]], str | None]:
        found: list[dict[str, Any]] = []
        place = None
        for month, offset, line in self._backwards(wanted, before):
            entry = _entry(line)
            if entry is None or not wanted.takes(entry):
                continue
            if len(found) == limit:
                return found, place
            found.append(entry)
            place = f"{month}.{offset}"
        return found, None

    def _backwards(self, wanted: AuditFilter, before: tuple[str, int] | None) -> Iterator[tuple[str, int, bytes]]:
        """The month of each line that may be wanted, the octet at which it begins, and the line."""
        marks = wanted.marks
        for path in reversed(self._months()):
            month = path.stem
            if (before and month > before[0]) or (wanted.until is not None and month > wanted.until[:7]):
                continue
            if wanted.since is not None and month < wanted.since[:7]:
                break
            end = before[1] if before and month == before[0] else None
            for offset, line in _lines_backwards(path, end):
                if all(mark in line for mark in marks):
                    yield month, offset, line

    def _months(self) -> list[Path]:
        return sorted(self._folder.glob(f"????-??{_SUFFIX}"))


def _lines_backwards(path: Path, end: int | None) -> Iterator[tuple[int, bytes]]:
    """The lines of a file from the last back, each with where it begins; no more of the file is in memory than a block
    and a line. `end`: where to begin; None: at the end of the file.
    """
    with path.open("rb") as file:
        at = file.seek(0, os.SEEK_END)
        at = at if end is None else min(end, at)
        rest = b""
        while at:
            start = max(0, at - _BLOCK)
            file.seek(start)
            lines = (file.read(at - start) + rest).splitlines(keepends=True)
            at = start
            rest = lines.pop(0) if start else b""  # it may begin in the block before
            place = start + len(rest) + sum(map(len, lines))
            for line in reversed(lines):
                place -= len(line)
                yield place, line


def _cut(value: str | int) -> str | int:
    return value[:_LONGEST] if isinstance(value, str) else value


def _entry(line: bytes) -> dict[str, Any] | None:
    """None for a line that a crash has torn."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _place(before: str | None) -> tuple[str, int] | None:
    if before is None:
        return None
    month, _, offset = before.partition(".")
    if not (offset.isascii() and offset.isdigit() and len(offset) < 20):
        raise ValueError("not a place in the log")
    return month, int(offset)
