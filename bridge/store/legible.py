"""What can be read of the tables of a damaged database."""

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

_FARTHEST = 2**62  # no row has a greater number


def read_rows(
    connection: sqlite3.Connection, table: str, columns: tuple[str, ...], on_damage: Callable[[], None]
) -> Iterator[tuple[Any, ...]]:
    """The rows of a table that can be read, in the order of their numbers; damage between them is stepped over."""
    query = f"SELECT rowid, {', '.join(columns)} FROM {table} NOT INDEXED WHERE rowid > ? ORDER BY rowid"  # noqa: S608
    after: int | None = -1
    while after is not None:
        try:
            for number, *row in connection.execute(query, (after,)):
                after = number
                yield tuple(row)
            return
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            on_damage()
            after = _step_over(after, lambda start: connection.execute(f"{query} LIMIT 1", (start,)).fetchone())


def _step_over(after: int, read: Callable[[int], object]) -> int | None:
    """From where rows can be read again after a damage; None: from nowhere."""

    def readable(start: int) -> bool:
        try:
            read(start)
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            return False
        return True

    bad, step = after, 1
    while not readable(after + step):
        bad, step = after + step, step + max(1, step // 8)  # so that little of what is whole is leapt over
        if step > _FARTHEST:
            return None
    good = after + step
    while good - bad > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if readable(middle) else (good, middle)
    return good


def read_lane_keys(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    """Endpoint and call of the lanes, from their index: it stands on other pages than the table, which may be lost."""
    found: set[tuple[str, str]] = set()
    for order in ("ASC", "DESC"):  # up to the damage, from either end
        query = f"""
            SELECT endpoint, call_id FROM lane INDEXED BY sqlite_autoindex_lane_1
            ORDER BY endpoint {order}, call_id {order}"""  # noqa: S608
        try:
            for key in connection.execute(query):
                found.add(key)
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            continue
    return {key for key in found if all(isinstance(part, str) for part in key)}
