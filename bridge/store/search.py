"""Finding calls in the SQLite store: functions of a reading connection.

Every word of a search, and the rest of the filter, has a cursor of its own, which gives calls from the newest back;
where all cursors meet is a call that is like that. So the first page costs what the first page holds, and a call need
not say all words in one breath. A cursor that is far behind the others is set again instead of walked: between two
calls in which a rare word was said, a common one was said ten thousand times.
"""

import json
import re
import sqlite3
from collections.abc import Iterator
from itertools import islice
from typing import Any

from bridge.store import sql
from bridge.store.base import LONGEST_DELIVERY, CallFilter, CallRow, FoundCall
from bridge.store.index import SEPARATOR, indexed, shown
from bridge.store.index import wanted as wanted_terms

_NEWEST = 1 << 38  # above the number of any call

_STEPS = 32
"""Rows walked before a cursor is set again, which costs about as much."""


class _Numbers:
    """The numbers of calls, from the newest back, as a statement gives them; `head` is 0 at the end."""

    def __init__(self, connection: sqlite3.Connection, statement: str, values: dict[str, Any], below: int) -> None:
        self.leapt = False
        """It was set again."""
        self._connection = connection
        self._statement = statement
        self._values = values
        # What follows a beginning that has no index is collected whole each time it is asked for: once will do.
        self._steps = 1 << 62 if _is_collected(values.get("term", "")) else _STEPS
        self._set(below)

    def down_to(self, highest: int) -> int:
        """Go on to the first that is not above."""
        steps = 0
        while self.head > highest:
            if steps == self._steps:
                self.leapt = True
                self._set(highest + 1)
            else:
                self._step()
            steps += 1
        return self.head

    def _set(self, below: int) -> None:
        self._rows = self._connection.execute(self._statement, {**self._values, "below": below})
        self._step()

    def _step(self) -> None:
        self.head: int = next(self._rows, (0,))[0]


def find(connection: sqlite3.Connection, wanted: CallFilter, before: str | None, limit: int) -> list[FoundCall]:
    """Calls that are like this, the newest first."""
    values = {name: value for name in sql.CONDITIONS if (value := getattr(wanted, name)) is not None}
    values = {name: json.dumps(value) if isinstance(value, tuple) else value for name, value in values.items()}
    conditions = [("NOT " if value is False else "") + f"({sql.CONDITIONS[name]})" for name, value in values.items()]
    said = terms(wanted.text) if wanted.text is not None else []
    if wanted.text is not None and not said:
        return []
    below = _NEWEST if before is None else (connection.execute(sql.CALL_TIP, (before,)).fetchone() or (0,))[0]
    cursors = words = [_Numbers(connection, sql.SAID, {"term": term}, below) for term in said]
    if conditions or not said:
        statement = sql.NUMBERS.format(where=" AND ".join(conditions) or "true")
        cursors = [*words, _Numbers(connection, statement, values, below)]
    numbers = list(islice(_meeting(cursors), limit))
    # A cursor that was walked all the way may be walked again; the snippets of others are looked for one by one.
    walked = [term for term, cursor in zip(said, words, strict=True) if not cursor.leapt]
    together = [numbers] if walked else [[number] for number in numbers]
    snippets = _snippets(connection, [*walked, *said][0], together) if said else {}
    rows = ((number, connection.execute(sql.FIND, {"number": number}).fetchone()) for number in numbers)
    return [_found(row, snippets.get(number)) for number, row in rows if row]


def listed(
    connection: sqlite3.Connection, open_only: bool, call_id: str | None, before: str | None, limit: int
) -> list[CallRow]:
    """Calls, the newest first."""
    conditions = [
        condition
        for wanted, condition in (
            (open_only, sql.CALLS_OPEN),
            (call_id is not None, sql.CALLS_BY_ID),
            (before is not None, sql.CALLS_BEFORE),
        )
        if wanted
    ]
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    values = {"call_id": call_id, "before": before, "limit": limit}
    return [CallRow(*row) for row in connection.execute(sql.CALLS.format(where=where), values)]


def expired(connection: sqlite3.Connection, now: float, days: float | None, limit: int) -> list[str]:
    """Calls that are too old, those that ended first before others."""
    before = -1.0 if days is None else now - days * 86400
    values = {"now": now, "before": before, "waited": now - LONGEST_DELIVERY, "limit": limit}
    return [row[0] for row in connection.execute(sql.EXPIRED, values)]


def _found(row: tuple[Any, ...], snippet: str | None) -> FoundCall:
    *call, end, later, continued_by, last = row
    return FoundCall(CallRow(*call), end, later, snippet, continued_by, last)


def terms(text: str) -> list[str]:
    """What is looked for, each as FTS5 wants it: words, `"phrases"` and `beginnings*`. No text is a syntax error."""
    return [f'"{indexed(bare)}"' + "*" * begins for bare, begins in wanted_terms(text)]


def _meeting(cursors: list[_Numbers]) -> Iterator[int]:
    """What is in all of them."""
    heads = [cursor.head for cursor in cursors]
    while all(heads):
        lowest = min(heads)
        if lowest == max(heads):
            yield lowest
            lowest -= 1
        heads = [cursor.down_to(lowest) for cursor in cursors]


def _snippets(connection: sqlite3.Connection, term: str, together: list[list[int]]) -> dict[int, str]:
    """Where it was said first, by the number of the call; the numbers in groups, each from the newest back."""
    snippets: dict[int, str] = {}
    for some in filter(None, together):
        values = {"term": term, "least": some[-1], "most": some[0], "numbers": json.dumps(some)}
        for number, snippet in connection.execute(sql.SNIPPETS, values):
            snippets.setdefault(number, shown(snippet))
            if number == some[0]:
                break
    return snippets


def _is_collected(term: str) -> bool:
    """Whether this is a beginning for which there is no index."""
    return term.endswith('"*') and len(re.split(rf'["{SEPARATOR}]', term)[-2]) > sql.LONGEST_PREFIX
