"""Finding calls in PostgreSQL: what a filter asks for, as SQL.

A call need not say all words in one breath: each term is a condition of its own on the call. The planner knows how
often words are said, and either goes through the calls from the newest back or takes them from the index.
"""

import json
from dataclasses import dataclass
from typing import Any

from bridge.store.base import LONGEST_DELIVERY, CallFilter, CallRow, FoundCall
from bridge.store.postgres import statements
from bridge.store.postgres.lexemes import Term, snippet, terms

Asked = tuple[str, dict[str, Any]]
"""A statement and its values."""


@dataclass(frozen=True, slots=True)
class Search:
    """One page of calls that are like this; `found` makes it of the rows."""

    statement: str
    values: dict[str, Any]
    first: Term | None
    """What was said is shown where this is."""

    def found(self, rows: list[tuple[Any, ...]]) -> list[FoundCall]:
        """The calls."""
        return [self._found(row) for row in rows]

    def _found(self, row: tuple[Any, ...]) -> FoundCall:
        *call, end, later, continued_by, last, said = row
        text = snippet(json.loads(said)["data"]["text"], self.first) if said and self.first else None
        return FoundCall(CallRow(*call), end, later, text, continued_by, last)


def search(wanted: CallFilter, before: str | None, limit: int) -> Search | None:
    """How to find calls like this, the newest first; None: there are none."""
    said = terms(wanted.text) if wanted.text is not None else []
    if wanted.text is not None and not said:
        return None
    values = {name: value for name in statements.CONDITIONS if (value := getattr(wanted, name)) is not None}
    conditions = [
        ("NOT " if value is False else "") + f"({statements.CONDITIONS[name]})" for name, value in values.items()
    ]
    for number, term in enumerate(said):
        values[f"term{number}"] = term.query()
        conditions.append(statements.WAS_SAID.format(name=f"term{number}"))
    if before is not None:
        conditions.append(statements.CALLS_BEFORE)
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    where = " AND ".join(conditions) or "true"
    statement = statements.FIND.format(said=statements.SAID if said else "NULL", where=where)
    return Search(statement, {**values, "before": before, "limit": limit}, said[0] if said else None)


def listed(open_only: bool, call_id: str | None, before: str | None, limit: int) -> Asked:
    """How to list calls, the newest first."""
    conditions = [
        condition
        for wanted, condition in (
            (open_only, "ended_at IS NULL"),
            (call_id is not None, "id = %(call_id)s"),
            (before is not None, statements.CALLS_BEFORE),
        )
        if wanted
    ]
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    return statements.CALLS.format(where=where), {"call_id": call_id, "before": before, "limit": limit}


def expired(now: float, days: float | None, limit: int) -> Asked:
    """How to find calls that are too old."""
    before = -1.0 if days is None else now - days * 86400
    return statements.EXPIRED, {"now": now, "before": before, "waited": now - LONGEST_DELIVERY, "limit": limit}
