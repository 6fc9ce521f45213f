"""One group of writes in one transaction: lock the rows, plan, write. Two ways to the database and back, whatever its
size."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import msgspec
from psycopg import AsyncConnection

from bridge.store.postgres import statements
from bridge.store.postgres.lexemes import vector
from bridge.store.postgres.plan import CallState, LaneState, Plan
from bridge.store.postgres.works import Begun


async def commit(
    connection: AsyncConnection[Any], plan: Plan, owner: str, max_events: int, *, again: bool
) -> list[Any]:
    """The results of a plan's works, durable. `again`: the try before may have succeeded. Raises as psycopg."""
    async with connection.pipeline() as pipeline:
        await connection.execute(statements.BEGIN)
        settings = await connection.execute(statements.SETTINGS)
        if plan.beginning:
            await connection.execute(statements.BEGIN_CALLS, (_begun(plan.beginning, owner),))
        calls = await connection.execute(statements.LOCK_CALLS, (plan.calls,))
        lanes = await connection.execute(statements.LOCK_LANES, (plan.calls,))
        asked = [{"call_id": call_id, "after": after} for call_id, after in plan.asked_sizes]
        sizes = await connection.execute(statements.SIZES, (_json(asked), max_events)) if asked else None
        # So that the server knows that it waits for us, and for how long it may.
        await pipeline.sync()
        now = (await settings.fetchone() or (0, 0, 0.0))[2]
        plan.load(
            [CallState(*row) for row in await calls.fetchall()],
            [LaneState(*row) for row in await lanes.fetchall()],
            await sizes.fetchall() if sizes else [],
            now,
            again=again,
        )
        results = plan.run()
        await _write(connection, plan, owner)
        await connection.execute("COMMIT")
    return results


async def _write(connection: AsyncConnection[Any], plan: Plan, owner: str) -> None:
    if plan.deleted:
        for statement in statements.FORGET:
            await connection.execute(statement, (plan.deleted,))
        await connection.execute(statements.LOCK_ENDPOINTS, (list(plan.left),))
        await connection.execute(statements.FORGET_ENDPOINTS, (list(plan.left),))
    if plan.begun:
        await connection.execute(statements.BEGIN_CALLS, (_begun(plan.begun, owner),))
    if plan.named:
        named = [{"id": endpoint, "url": url} for endpoint, url in plan.named.items()]
        await connection.execute(statements.KNOW_NAMED, (_json(named),))
    if plan.events:
        await connection.execute(statements.ANNOUNCE)
        await connection.execute(statements.INSERT_EVENTS, (_json(plan.events),))
    said = [
        {"call_id": call_id, "seq": seq, "words": words} for call_id, seq, text in plan.said if (words := vector(text))
    ]
    if said:
        await connection.execute(statements.INSERT_SPEECH, (_json(said),))
    if changed := plan.changed_calls():
        await connection.execute(statements.CHANGE_CALLS, (_json(changed),))
    if lanes := plan.changed_lanes():
        await connection.execute(statements.WRITE_LANES, (_json(lanes),))


def _begun(calls: Mapping[str, Begun], owner: str) -> str:
    return _json([{"id": call_id, **asdict(begun), "owner": owner} for call_id, begun in calls.items()])


def _json(rows: list[dict[str, Any]]) -> str:
    return msgspec.json.encode(rows).decode()
