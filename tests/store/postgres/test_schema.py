"""The tables, as they are written down."""

import asyncio
import re
from collections.abc import Callable, Iterable
from typing import Any

import psycopg
import pytest

from bridge.store.postgres import lanes, statements
from bridge.store.postgres.schema import MIGRATIONS, migrate
from tests.fakes import postgres

TABLES = dict(
    re.findall(
        r"CREATE (?:UNLOGGED )?TABLE bridge\.(\w+) \((.*?)\n    \)", "".join(sql for sql, _ in MIGRATIONS), re.DOTALL
    )
)

FEW = {"chore", "endpoint", "node"}
"""They do not grow with the calls."""


def test_the_key_of_what_grows_with_the_calls_begins_with_the_calls_id() -> None:
    assert TABLES.keys() >= {"call", "event", "speech", "lane"} | FEW
    for name, columns in TABLES.items():
        if name not in FEW:
            key = re.search(r"PRIMARY KEY \((\w+)|^\s+(\w+) [^,]*? PRIMARY KEY", columns, re.MULTILINE)
            assert key and (key[1] or key[2]) == ("id" if name == "call" else "call_id"), name


def test_what_comes_with_a_later_version_is_added() -> None:
    for sql, oldest in MIGRATIONS[1:]:
        assert not re.search(r"\b(DROP|RENAME|DELETE|NOT NULL(?! DEFAULT))\b", sql), (
            "processes of the version before go on"
        )
        assert oldest <= len(MIGRATIONS)


@pytest.mark.postgres
def test_no_table_in_the_database_needs_a_key_without_the_calls_id() -> None:
    """Read from the catalog, after all migrations: what a service that spreads tables over machines would refuse."""
    postgres.fresh()
    asyncio.run(made())
    whole = {name for (name,) in postgres.execute(_TABLES)}
    assert whole == {*postgres.TABLES, "version"} | (whole & {"copy"}), "it is in no list of tables"
    assert whole - postgres.SPREAD.keys() - {"version", "copy"} == FEW
    assert keys_without_the_call(postgres.execute) == []


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("CREATE TABLE bridge.more (id bigint PRIMARY KEY, call_id text)", "more_pkey"),
        ("CREATE TABLE bridge.more (call_id text, id text, PRIMARY KEY (id, call_id))", "more_pkey"),
        ("CREATE TABLE bridge.more (call_id text)", "more has no key"),
        ("ALTER TABLE bridge.audit ADD UNIQUE (number)", "audit_number_key"),
        ("CREATE UNIQUE INDEX once ON bridge.lane (endpoint, call_id) WHERE parked IS NULL", "once"),
        ("CREATE UNIQUE INDEX lowered ON bridge.lane (lower(call_id))", "lowered"),
        ("ALTER TABLE bridge.audit ADD EXCLUDE (number WITH =)", "audit_number_excl"),
        ("ALTER TABLE bridge.lane ADD CONSTRAINT to_endpoint FOREIGN KEY (endpoint) REFERENCES bridge.endpoint", "to_"),
    ],
)
def test_a_table_that_needs_one_is_found(statement: str, found: str) -> None:
    postgres.fresh()
    asyncio.run(made())
    if postgres.PARTITIONS:
        pytest.skip("PostgreSQL refuses most of these")
    with psycopg.connect(postgres.server().url) as connection:
        connection.execute(statement)
        assert [name[: len(found)] for name in keys_without_the_call(connection.execute)] == [found]
        connection.rollback()


@pytest.mark.postgres
def test_a_foreign_key_by_the_calls_id_is_none() -> None:
    postgres.fresh()
    asyncio.run(made())
    with psycopg.connect(postgres.server().url) as connection:
        connection.execute("ALTER TABLE bridge.event ADD FOREIGN KEY (call_id) REFERENCES bridge.call (id)")
        assert keys_without_the_call(connection.execute) == []
        connection.rollback()


async def made() -> None:
    async with await psycopg.AsyncConnection.connect(postgres.server().url, autocommit=True) as connection:
        await migrate(connection)


def keys_without_the_call(execute: Callable[[str], Iterable[tuple[Any, ...]]]) -> list[str]:
    """Unique keys, exclusions and foreign keys of tables that grow which do not begin with the call's id, and tables
    without a primary key."""
    growing = [name for (name,) in execute(_TABLES) if name not in FEW | {"version", "copy"}]
    keyed = {table for table, is_primary, *_ in execute(_KEYS) if is_primary}
    wrong = [
        index
        for table, _, index, first in execute(_KEYS)
        if table in growing and first != postgres.SPREAD.get(table, "call_id")
    ]
    foreign = [name for name, table, columns in execute(_FOREIGN) if table in growing and columns[0] != "call_id"]
    return sorted([*wrong, *foreign, *(f"{table} has no key" for table in growing if table not in keyed)])


# Partitions are their table's.
_TABLES = """
    SELECT relname::text FROM pg_class
    WHERE relnamespace = 'bridge'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition"""

_KEYS = """
    SELECT own.relname::text, indisprimary, key.relname::text, attname::text
    FROM pg_index JOIN pg_class AS key ON key.oid = indexrelid JOIN pg_class AS own ON own.oid = indrelid
    LEFT JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
    WHERE own.relnamespace = 'bridge'::regnamespace AND NOT own.relispartition AND (indisunique OR indisexclusion)"""

_FOREIGN = """
    SELECT conname::text, relname::text, (
        SELECT array_agg(attname::text ORDER BY place) FROM unnest(conkey) WITH ORDINALITY AS part (number, place)
        JOIN pg_attribute ON attrelid = conrelid AND attnum = part.number)
    FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
    WHERE connamespace = 'bridge'::regnamespace AND contype = 'f' AND NOT relispartition"""


@pytest.mark.parametrize("module", [statements, lanes])
def test_no_statement_depends_on_a_session_or_a_path_of_schemas(module: object) -> None:
    texts = [
        text
        for name, value in vars(module).items()
        if name.isupper() and not name.startswith("_")
        for text in (value if isinstance(value, tuple) else [value])
        if isinstance(text, str)
    ]
    assert len(texts) > 10
    for text in texts:
        assert not re.search(r"\bSET (?!\w+ =)|\bset_config\([^)]*false\)|\bPREPARE\b|\bLISTEN\b", text), text
        bare = re.findall(rf"\b(?:FROM|JOIN|INTO|UPDATE) ({'|'.join(TABLES)})\b", text)
        assert not bare, text
