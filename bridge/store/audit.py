"""The audit log of one process: a file a month in `DATA_DIR/audit`.

It lies beside the database, since it outlives what it tells of: a deleted call's lines stay, and a damaged database
takes none with it. A line is on the disk before `write` returns.
"""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bridge.errors import StoreError
from bridge.events import timestamp
from bridge.store.auditing import AuditFilter, Entry, loaded

FOLDER = "audit"

_SUFFIX = ".jsonl"

_ASIDE = ".aside"
"""Ends the name of a month that is being brought elsewhere."""

_BLOCK = 64 * 1024  # octets that are read at once


class AuditFiles:
    """An `AuditLog`."""

    def __init__(self, data_dir: Path) -> None:
        self.counters: Counter[str] = Counter()
        self._folder = data_dir / FOLDER
        self._writing = asyncio.Lock()

    async def write(self, entry: Entry) -> None:
        await self.append(entry.kept())

    async def append(self, kept: dict[str, Any]) -> None:
        """As `write`, of what is `kept` of an entry, and maybe more."""
        line = json.dumps(kept)  # in ASCII, so that no character of a client's ends a line
        try:
            async with self._writing:
                await asyncio.to_thread(self._append, self._folder / f"{kept['time'][:7]}{_SUFFIX}", line)
        except OSError as error:
            self.counters["not_written"] += 1
            raise StoreError(f"cannot write the audit log: {error.strerror}") from error

    async def read(
        self, wanted: AuditFilter, before: str | None = None, limit: int = 100
    ) -> tuple[list[dict[str, Any]], str | None]:
        try:
            return await asyncio.to_thread(self._read, wanted, _place(before), limit)
        except OSError as error:
            raise StoreError(f"cannot read the audit log: {error.strerror}") from error

    async def sweep(self, now: float, days: float | None) -> None:
        """A month goes when all of it is too old."""
        if days is None:
            return
        oldest = timestamp(now - days * 86400)[:7]

        def delete() -> None:
            for path in self._months():
                if path.stem < oldest:
                    path.unlink(missing_ok=True)

        try:
            await asyncio.to_thread(delete)
        except OSError as error:
            raise StoreError(f"cannot delete from the audit log: {error.strerror}") from error

    async def set_aside(self) -> list[Path]:
        """The files of all that was written until now, for one who brings it elsewhere, and deletes them then; also
        those for which that was broken off. What is written from now on is not in them. Raises `OSError`.
        """

        def rename() -> list[Path]:
            aside = sorted(self._folder.glob(f"*{_ASIDE}"))
            for path in self._months() if not aside else ():
                aside.append(path.rename(path.with_suffix(_ASIDE)))
            return aside

        async with self._writing:
            return await asyncio.to_thread(rename)

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
            entry = loaded(line)
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


def _place(before: str | None) -> tuple[str, int] | None:
    if before is None:
        return None
    month, _, offset = before.partition(".")
    if not (offset.isascii() and offset.isdigit() and len(offset) < 20):
        raise ValueError("not a place in the log")
    return month, int(offset)
