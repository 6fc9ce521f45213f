"""What is asked of PostgreSQL, of servers that are there and of one that is not."""

import time

import pytest

from bridge.doctor.judging.database import Away, Standbys, Tables
from tests.fakes import postgres

pytest.importorskip("psycopg")

from bridge.doctor.measuring import database
from bridge.store.postgres.schema import MIGRATIONS
from bridge.store.postgres.store import PostgresStore

needs_server = pytest.mark.postgres


async def test_where_no_server_is(tmp_path):
    assert await database.ask(f"postgresql://ann@/x?host={tmp_path}") == Away(answers=False)


@needs_server
async def test_a_server_that_does_not_let_us_in():
    assert await database.ask(postgres.server().url.replace("/postgres?", "/nowhere?")) == Away(answers=True)


@needs_server
async def test_what_there_is_to_know_of_a_server():
    ahead = await database.ask(postgres.server().url, lambda: time.time() + 40)
    found = await database.ask(postgres.server().url)

    assert (found.version >= 15, found.encoding, found.pooled, found.standby, found.read_only) == (
        *(True, "UTF8", False, False, False),
    )
    assert (found.synchronous_commit, found.waits_for_standbys, found.standbys) == ("on", False, Standbys())
    assert found.flushes is False, "that of the tests takes care of nothing"
    assert found.trip > 0 and 30 < ahead.skew < 50 and abs(found.skew) < 20
    assert (0 < found.free < 300, found.bound) == (True, "max_connections")


@needs_server
async def test_the_tables_and_who_has_them_open():
    postgres.execute("DROP DATABASE IF EXISTS looked_at WITH (FORCE)")
    postgres.execute("CREATE DATABASE looked_at")
    url = postgres.server().url.replace("/postgres?", "/looked_at?")
    try:
        assert (await database.ask(url)).tables == Tables()
        async with PostgresStore(url):
            oldest = max(oldest for _, oldest in MIGRATIONS)
            assert (await database.ask(url)).tables == Tables(len(MIGRATIONS), oldest, True, True, "", 1)
        assert (await database.ask(url)).tables.nodes == 0
    finally:
        postgres.execute("DROP DATABASE looked_at WITH (FORCE)")


@needs_server
async def test_a_pooler_is_seen_through():
    with postgres.pooler() as url:
        found = await database.ask(url)
    assert found.pooled
