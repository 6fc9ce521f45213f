"""Connections to PostgreSQL that are not waited for any more."""

import asyncio

import pytest

from bridge.store.postgres.connections import Database
from tests.fakes import postgres
from tests.fakes.waiting import until

pytestmark = pytest.mark.postgres


async def test_a_connection_that_is_not_waited_for_any_more_is_closed_though_its_task_is_kept() -> None:
    database = Database(postgres.server().url, "one")
    kept = []
    for wait in range(20):  # milliseconds: each time it is somewhere else on the way
        opening = asyncio.create_task(database.connect())
        kept.append(opening)
        await asyncio.wait([opening], timeout=wait / 1000)
        if opening.done():
            await (await opening).close()
        opening.cancel()
    await database.close()
    await until(lambda: not postgres.execute("SELECT 1 FROM pg_stat_activity WHERE application_name = 'bridge one'"))
