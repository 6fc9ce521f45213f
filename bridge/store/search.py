"""Finding calls in the SQLite store: functions of a reading connection.

Every word of a search has a cursor of its own over the full-text index, which gives calls from the newest back; where
all cursors meet, the words were said in one call. So the first page costs what the first page holds, and a call need
not say all words in one breath.
"""

import re
import sqlite3
from collections.abc import Iterator
from typing import Any

from bridge.store import sql
from bridge.store.base import CallFilter, CallRow, FoundCall

_TERMS = re.compile(r'"([^"]*)"?|([^\s"]+)')


def find(connection: sqlite3.Connection, wanted: CallFilter, before: str | None, limit: int) -> list[FoundCall]:
    """Calls that are like this, the newest first."""
    values: dict[str, Any] = {name: getattr(wanted, name) for name in sql.CONDITIONS}
    conditions = [sql.CONDITIONS[name] for name, value in values.items() if value is not None]
    values |= {"before": before, "limit": limit}
    if wanted.text is not None:
        return _said(connection, wanted.text, " AND ".join(conditions) or "true", values)
    if before is not None:
        conditions.append(sql.CALLS_BEFORE)
    rows = connection.execute(sql.FIND.format(where=" AND ".join(conditions) or "true"), values)
    return [FoundCall(CallRow(*row), end) for *row, end in rows]


def terms(text: str) -> list[str]:
    """What is looked for, each as FTS5 wants it: words, `"phrases"` and `beginnings*`. No text is a syntax error."""
    found = []
    for phrase, word in _TERMS.findall(text.replace("\0", " ")):
        bare = (phrase or word).rstrip("*")
        if any(character.isalnum() for character in bare):
            found.append(f'"{bare}"' + "*" * word.endswith("*"))
    return found


def _said(connection: sqlite3.Connection, text: str, where: str, values: dict[str, Any]) -> list[FoundCall]:
    statement = sql.FIND_ONE.format(where=where)
    wanted = terms(text)
    found: list[FoundCall] = []
    for number in _meeting([_numbers(connection, term, values["before"]) for term in wanted]):
        row = connection.execute(statement, {**values, "number": number}).fetchone()
        if row:
            snippet = connection.execute(sql.SNIPPET, {"term": wanted[0], "number": number}).fetchone()
            found.append(FoundCall(CallRow(*row[:-1]), row[-1], snippet[0] if snippet else None))
        if len(found) == values["limit"]:
            break
    return found


def _numbers(connection: sqlite3.Connection, term: str, before: str | None) -> Iterator[int]:
    """The numbers of the calls in which it was said, from the newest back, each once."""
    last = None
    for (number,) in connection.execute(sql.SAID, {"term": term, "before": before}):
        if number != last:
            yield (last := number)


def _meeting(descending: list[Iterator[int]]) -> Iterator[int]:
    """What is in all of them; nothing, if there is none."""
    heads = [next(numbers, 0) for numbers in descending]
    while heads and all(heads):
        lowest = min(heads)
        if max(heads) == lowest:
            yield lowest
            lowest -= 1
        heads = [_down_to(lowest, head, numbers) for head, numbers in zip(heads, descending, strict=True)]


def _down_to(highest: int, head: int, numbers: Iterator[int]) -> int:
    while head > highest:
        head = next(numbers, 0)
    return head
