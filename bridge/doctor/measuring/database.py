"""PostgreSQL, asked about itself by the user that the bridge is: nothing is written, and every user may ask it."""

import asyncio
import statistics
import time
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.pq import PGconn, Ping

from bridge.doctor.judging.database import Away, Server, Standbys, Tables
from bridge.store.postgres.connections import Database, let_go

_TRIPS = 5

_ABOUT = """
    SELECT current_setting('server_version_num')::int4 / 10000, current_setting('server_encoding'), pg_backend_pid(),
        pg_is_in_recovery(), current_setting('default_transaction_read_only') = 'on',
        current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on',
        current_setting('synchronous_commit'), current_setting('synchronous_standby_names') <> ''"""

_NOW = "SELECT extract(epoch FROM clock_timestamp())::float8"

# The columns of others' rows are empty for a user without the right to see them.
_STANDBYS = """
    SELECT count(*)::int4, count(*) FILTER (WHERE sync_state IN ('sync', 'quorum'))::int4,
        count(*) FILTER (WHERE state IS NULL)::int4, max(extract(epoch FROM replay_lag))::float8,
        max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn))::float8
    FROM pg_stat_replication"""

# Free connections by each of the bounds; a bound of a user or a database does not hold for a superuser.
_ROOM = """
    SELECT free, bound FROM (
        SELECT current_setting('max_connections')::int4 - current_setting('superuser_reserved_connections')::int4
            - coalesce(current_setting('reserved_connections', true)::int4, 0)
            - (SELECT sum(numbackends)::int4 FROM pg_stat_database) AS free, 'max_connections' AS bound
        UNION ALL
        SELECT rolconnlimit - (SELECT count(*)::int4 FROM pg_stat_activity WHERE usename = current_user), 'user'
        FROM pg_roles WHERE rolname = current_user AND rolconnlimit >= 0 AND NOT rolsuper
        UNION ALL
        SELECT datconnlimit - numbackends, 'database'
        FROM pg_database JOIN pg_stat_database USING (datname), pg_roles
        WHERE datname = current_database() AND datconnlimit >= 0 AND rolname = current_user AND NOT rolsuper
    ) AS bounds ORDER BY free LIMIT 1"""

_SCHEMA = """
    SELECT pg_namespace.oid IS NOT NULL, coalesce(has_schema_privilege(pg_namespace.oid, 'USAGE'), false),
        coalesce(pg_has_role(nspowner, 'USAGE'), has_database_privilege(current_database(), 'CREATE'))
    FROM (SELECT) AS one LEFT JOIN pg_namespace ON nspname = 'bridge'"""

# `copy` is of `bridge migrate`, which its owner runs.
_LACKING = """
    SELECT coalesce(string_agg(wanted || ' on ' || relname, ', ' ORDER BY relname, wanted), '')
    FROM pg_class CROSS JOIN LATERAL unnest(
        CASE relkind WHEN 'S' THEN '{SELECT,USAGE}'::text[] ELSE '{SELECT,INSERT,UPDATE,DELETE}'::text[] END
    ) AS wanted
    WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'bridge')
        AND relkind IN ('r', 'p', 'S') AND relname <> 'copy'
        AND NOT CASE relkind WHEN 'S' THEN has_sequence_privilege(pg_class.oid, wanted)
            ELSE has_table_privilege(pg_class.oid, wanted) END"""

_VERSION = "SELECT version, oldest FROM bridge.version"

_NODES = "SELECT count(*)::int4 FROM bridge.node WHERE expires_at > clock_timestamp()"


async def ask(url: str, wall: Callable[[], float] = time.time) -> Server | Away:
    """What is to be known of the server. `wall`: our clock, seconds since 1970.

    Raises `StoreError` for an address that is none, and as psycopg where the connection is lost meanwhile.
    """
    connection: AsyncConnection[Any] | None = None
    try:
        connection = await Database(url, "doctor").connect()
    except psycopg.OperationalError:
        return _why(Ping(await asyncio.to_thread(PGconn.ping, url.encode())))
    try:
        return await _measured(connection, wall)
    finally:
        await let_go(connection)


def _why(ping: Ping) -> Away:
    return Away(answers=ping is Ping.OK, starts=ping is Ping.REJECT)


async def _measured(connection: AsyncConnection[Any], wall: Callable[[], float]) -> Server:
    version, encoding, pid, standby, read_only, flushes, commit, waits = await _row(connection, _ABOUT)
    trips = []
    for _ in range(_TRIPS):
        begun, before = time.perf_counter(), wall()
        (now,) = await _row(connection, _NOW)
        skew = (before + wall()) / 2 - now
        trips.append(time.perf_counter() - begun)
    free, bound = await _row(connection, _ROOM)
    return Server(
        version=version,
        encoding=encoding,
        trip=statistics.median(trips),
        skew=skew,
        pooled=pid != connection.info.backend_pid,
        standby=standby,
        read_only=read_only,
        flushes=flushes,
        synchronous_commit=commit,
        waits_for_standbys=waits,
        standbys=Standbys() if standby else await _standbys(connection),
        tables=await _tables(connection),
        free=free,
        bound=bound,
    )


async def _standbys(connection: AsyncConnection[Any]) -> Standbys:
    count, synchronous, hidden, lag, behind = await _row(connection, _STANDBYS)
    return Standbys(count, None if hidden else synchronous, lag, behind)


async def _tables(connection: AsyncConnection[Any]) -> Tables:
    are_there, may_look, may_make = await _row(connection, _SCHEMA)
    if not are_there:
        return Tables(may_make=may_make)
    if not may_look:
        return Tables(may_make=False, are_there=True, lacking="USAGE on schema bridge")
    (lacking,) = await _row(connection, _LACKING)
    if lacking:
        return Tables(may_make=may_make, are_there=True, lacking=lacking)
    version, oldest = await _row(connection, _VERSION)
    (nodes,) = await _row(connection, _NODES)
    return Tables(version, oldest, may_make, True, "", nodes)


async def _row(connection: AsyncConnection[Any], statement: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = await (await connection.execute(statement)).fetchone()
    assert row is not None, "each of them has one row"
    return row
