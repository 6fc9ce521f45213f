"""The audit log, as those see it who fill it and read it: who has read, heard, linked, controlled or deleted what.

There is no content in it: no text that was searched, no token, no link. Of several processes with one record all have
the same log.
"""

import json
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Protocol

LONGEST = 256
"""Characters that are kept of what a client has sent; an id that a call has is shorter."""


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

    def kept(self) -> dict[str, Any]:
        """What is written down of it."""
        return {name: _cut(value) for name, value in asdict(self).items() if value is not None}


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


class AuditLog(Protocol):
    """Takes entries, and has them read from the newest back."""

    counters: Counter[str]

    async def write(self, entry: Entry) -> None:
        """Keep an entry: it is durable then. Raises StoreError, and counts it."""

    async def read(
        self, wanted: AuditFilter, before: str | None = None, limit: int = 100
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Entries, the newest first, and where to go on, as `before`; None: there are no more. Raises StoreError, and
        ValueError for a `before` that this has not returned.
        """

    async def sweep(self, now: float, days: float | None) -> None:
        """Delete what is older than `days`; None: nothing. `now`: seconds since 1970. Raises StoreError."""


def loaded(line: str | bytes) -> dict[str, Any] | None:
    """What was written as JSON; None for a line that a crash has torn."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _cut(value: str | int) -> str | int:
    return value[:LONGEST] if isinstance(value, str) else value
