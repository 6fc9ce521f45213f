"""The statements find what they look for without reading everything, and the migrations reach one schema."""

import re
import sqlite3
from collections.abc import Iterator

import pytest

from bridge.store import sql


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    for migration in sql.MIGRATIONS:
        connection.executescript(migration)
    yield connection
    connection.close()


STATEMENTS = {
    name: statement
    for name, statement in vars(sql).items()
    if isinstance(statement, str)
    and re.match(r"\s*(SELECT|UPDATE|INSERT)", statement)
    and name != "CALLS"  # a page, from the newest back
}

PARTIAL = re.compile("json_each|USING INDEX (call_open|lane_pending)")
"""An index of nothing but what is looked for may be read from end to end."""


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_statement_reads_a_whole_table(connection: sqlite3.Connection, name: str) -> None:
    statement = STATEMENTS[name]
    names = dict.fromkeys(re.findall(r":(\w+)", statement))
    values = names or (None,) * statement.count("?")
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
    assert not [step for step in plan if step.startswith("SCAN") and not PARTIAL.search(step)], plan


@pytest.mark.parametrize("where", [sql.CALLS_BY_ID, sql.CALLS_OPEN, sql.CALLS_BEFORE])
def test_no_page_of_calls_reads_all_calls(connection: sqlite3.Connection, where: str) -> None:
    statement = sql.CALLS.format(where=f"WHERE {where}")
    values = {"call_id": "CA1", "before": "CA1", "limit": 10}
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
    assert "SEARCH" in plan[0] or "call_open" in plan[0], plan
