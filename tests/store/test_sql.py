"""The statements find what they look for without reading everything, and the migrations reach one schema."""

import json
import re
import sqlite3
from collections.abc import Iterator

import pytest

from bridge.store import CallFilter, CallRow, index, search, sql, sql_outbox, writes


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    index.add_function(connection)
    for migration in sql.MIGRATIONS:
        connection.executescript(migration)
    yield connection
    connection.close()


STATEMENTS = {
    name: statement
    for name, statement in (vars(sql) | vars(sql_outbox)).items()
    if isinstance(statement, str)
    and re.match(r"\s*(SELECT|UPDATE|INSERT)", statement)
    # Pages, from the newest back, and with conditions to come; and what a person asks for now and then.
    and name not in ("CALLS", "_FOUND", "NUMBERS", "SINCE")
}

PARTIAL = re.compile("json_each|USING INDEX (call_open|lane_pending)|VIRTUAL TABLE INDEX .*[M<>]|SCAN sqlite_sequence")
"""An index of nothing but what is looked for may be read from end to end."""


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_statement_reads_a_whole_table(connection: sqlite3.Connection, name: str) -> None:
    statement = STATEMENTS[name]
    names = dict.fromkeys(re.findall(r":(\w+)", statement))
    values = names or (None,) * statement.count("?")
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
    assert not [step for step in plan if step.startswith("SCAN") and not PARTIAL.search(step)], plan


@pytest.mark.parametrize("where", [sql.CALLS_BY_ID, sql.CALLS_OPEN, sql.CALLS_BEFORE, sql.CALLS_ABANDONED])
def test_no_page_of_calls_reads_all_calls(connection: sqlite3.Connection, where: str) -> None:
    statement = sql.CALLS.format(where=f"WHERE {where}")
    values = {"call_id": "CA1", "before": "CA1", "owner": "me", "limit": 10}
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
    assert "SEARCH" in plan[0] or "call_open" in plan[0], plan


def test_finding_reads_from_the_newest_back_without_sorting(connection: sqlite3.Connection) -> None:
    everything = " AND ".join(sql.CONDITIONS.values())
    values = dict.fromkeys([*sql.CONDITIONS, "below"])
    rows = connection.execute(f"EXPLAIN QUERY PLAN {sql.NUMBERS.format(where=everything)}", values)
    plan = [row[3] for row in rows]
    assert not [step for step in plan if "TEMP B-TREE" in step], plan


def test_calls_of_the_first_schema_are_found_in_the_newest() -> None:
    connection = sqlite3.connect(":memory:")
    index.add_function(connection)
    connection.executescript(sql.MIGRATIONS[0])
    header = '{"id":"CA1","from":"+15550001","to":"+15550002"}'
    for call_id in ("CA0", "CA1", "CA2"):
        connection.execute("INSERT INTO call (id, header, started_at) VALUES (?, ?, 1.0)", (call_id, header))
    connection.execute("DELETE FROM call WHERE id = 'CA0'")
    for seq, kind in enumerate(("call.started", "transcript.final", "call.ended"), 1):
        body = '{"data":{"text":"where is my order"}}' if seq == 2 else "{}"
        connection.execute("INSERT INTO event VALUES ('CA1', ?, ?, ?)", (seq, kind, body))
    connection.execute("UPDATE call SET ended_at = 2.0, tip = 3 WHERE id = 'CA1'")
    for migration in sql.MIGRATIONS[1:]:
        connection.executescript(migration)
    connection.execute("VACUUM")
    wanted = CallFilter(text="orders", from_="0001", active=False)
    [found] = search.find(connection, wanted, before=None, limit=10)
    assert (found.row.id, found.row.tip, found.snippet, found.end) == ("CA1", 3, "where is my order", "{}")
    assert connection.execute(sql.LOG, (1, 3, 10)).fetchall() == [
        (2, "CA1", 2, "transcript.final", '{"data":{"text":"where is my order"}}'),
        (3, "CA1", 3, "call.ended", "{}"),
    ]
    assert connection.execute(sql.POSITION).fetchone() == (3,)
    connection.close()


def test_a_call_of_the_second_schema_has_no_owner_and_can_be_taken() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    index.add_function(connection)
    for migration in sql.MIGRATIONS[:2]:
        connection.executescript(migration)
    for call_id, ended_at in (("CA1", None), ("CA2", 2.0)):
        connection.execute(
            "INSERT INTO call (id, header, started_at, ended_at, tip) VALUES (?, '{}', 1.0, ?, 1)", (call_id, ended_at)
        )
    for migration in sql.MIGRATIONS[2:]:
        connection.executescript(migration)
    rows = connection.execute(sql.CALLS.format(where=f"WHERE {sql.CALLS_ABANDONED}"), {"owner": "me", "limit": 10})
    assert [(row.id, row.owner, row.epoch) for row in (CallRow(*row) for row in rows)] == [("CA1", None, 0)]
    taken = writes.take(connection, "CA1", "me")
    assert taken is not None
    assert (taken.id, taken.tip, taken.owner, taken.epoch) == ("CA1", 1, "me", 1)
    assert writes.take(connection, "CA2", "me") is None
    connection.close()


@pytest.mark.parametrize(
    ("record", "carriers", "continues"),
    [
        ("CA1", "CA1", None),
        ("CA1--2", "CA1", "CA1"),
        ("CA1--3", "CA1", "CA1--2"),
        ("CA1--10", "CA1", "CA1--9"),
        ("v3:a-b--2", "v3:a-b", "v3:a-b"),
        ("CA-2", "CA-2", None),
        ("CA--", "CA--", None),
        ("CA--2x", "CA--2x", None),
        ("--2", "--2", None),
    ],
)
def test_a_call_of_the_second_schema_gets_the_carriers_id_from_its_own(
    record: str, carriers: str, continues: str | None
) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    index.add_function(connection)
    for migration in sql.MIGRATIONS[:2]:
        connection.executescript(migration)
    connection.execute(
        "INSERT INTO call (id, header, started_at) VALUES (?, ?, 1.0)", (record, '{"id":"x","from":"süd"}')
    )
    for migration in sql.MIGRATIONS[2:]:
        connection.executescript(migration)
    [found] = search.find(connection, CallFilter(carrier_call_id=carriers), before=None, limit=10)
    assert found.row.id == record
    assert json.loads(found.row.header) == {
        "id": "x",
        "from": "süd",
        "carrier_call_id": carriers,
        "continues": continues,
    }
    assert connection.execute("SELECT continues FROM call").fetchone() == (continues,)
    connection.close()


def test_the_records_of_a_carriers_call_are_looked_for_in_an_index(connection: sqlite3.Connection) -> None:
    statement = sql.NUMBERS.format(where=sql.CONDITIONS["carrier_call_id"])
    [step] = connection.execute(f"EXPLAIN QUERY PLAN {statement}", {"carrier_call_id": "CA1", "below": 9})
    assert "INDEX call_carrier" in step[3]


def test_parties_are_looked_for_beside_each_other(connection: sqlite3.Connection) -> None:
    where = " AND ".join(sql.CONDITIONS[name] for name in ("from_", "to", "since", "until"))
    values = dict.fromkeys(["from_", "to", "since", "until", "below"])
    [step] = connection.execute(f"EXPLAIN QUERY PLAN {sql.NUMBERS.format(where=where)}", values)
    assert "COVERING INDEX call_filter" in step[3]
