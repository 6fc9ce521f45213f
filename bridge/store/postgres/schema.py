"""The tables of the PostgreSQL store, and how they come to be.

Every key of a table that grows with the calls begins with the call's id, so that a service that spreads tables over
machines can spread them by it. Migrations only ever add, so that processes of the version before go on meanwhile.
"""

from typing import Any

from psycopg import AsyncConnection

from bridge.errors import StoreError

MIGRATING = 0x62726468
"""The advisory lock of a migration, with `ORDER_LOCK` beside it (`order`)."""

COPYING = 2**31 - 1
"""What stands in the place of `oldest` while a record is copied into the tables: no program may use them then."""

_VERSIONS = """
    CREATE SCHEMA IF NOT EXISTS bridge;
    -- One row. `oldest`: the oldest version of the tables whose programs may still use them.
    CREATE TABLE IF NOT EXISTS bridge.version (version integer NOT NULL, oldest integer NOT NULL);
"""

MIGRATIONS: tuple[tuple[str, int], ...] = (
    (
        """
    CREATE SEQUENCE bridge.call_number;
    CREATE TABLE bridge.call (
        id              text COLLATE "C" PRIMARY KEY,
        number          bigint NOT NULL DEFAULT nextval('bridge.call_number'),  -- in the order in which calls began
        header          text NOT NULL,               -- JSON of the envelope's `call` object
        caller          text,                        -- its `from`
        callee          text,                        -- its `to`
        carrier_call_id text COLLATE "C",
        continues       text COLLATE "C",            -- id of the record before
        started_at      double precision NOT NULL,   -- seconds since 1970
        ended_at        double precision,
        ended_seq       bigint,                      -- of `call.ended`
        record_days     double precision,            -- for which the record stays; NULL: as for all
        tip             bigint NOT NULL DEFAULT 0,   -- the newest seq; every lane's tip, too
        owner           text,                        -- the node that goes on with the call
        epoch           bigint NOT NULL DEFAULT 1    -- counts the owners
    ) WITH (fillfactor = 70);                        -- room in each page for rows that change with every append
    CREATE INDEX call_numbers ON bridge.call (number);
    CREATE INDEX call_open ON bridge.call (number) WHERE ended_at IS NULL;
    CREATE INDEX call_carrier ON bridge.call (carrier_call_id);
    CREATE INDEX call_continues ON bridge.call (continues) WHERE continues IS NOT NULL;
    CREATE INDEX call_kept ON bridge.call (record_days, ended_at);

    CREATE SEQUENCE bridge.event_position;
    CREATE TABLE bridge.event (
        call_id  text COLLATE "C" NOT NULL,
        seq      bigint NOT NULL,
        position bigint NOT NULL DEFAULT nextval('bridge.event_position'),      -- in the log of all calls
        type     text NOT NULL,
        time     text COLLATE "C" NOT NULL,
        body     text NOT NULL,                      -- the event's JSON
        PRIMARY KEY (call_id, seq)
    );
    CREATE INDEX event_positions ON bridge.event (position);

    CREATE TABLE bridge.speech (                     -- the words of the finals
        call_id text COLLATE "C" NOT NULL,
        seq     bigint NOT NULL,
        words   tsvector NOT NULL,
        PRIMARY KEY (call_id, seq)
    );
    CREATE INDEX speech_words ON bridge.speech USING gin (words);

    CREATE TABLE bridge.lane (
        call_id       text COLLATE "C" NOT NULL,
        endpoint      text COLLATE "C" NOT NULL,
        cursor        bigint NOT NULL DEFAULT 0,     -- the last settled seq
        batch_to      bigint NOT NULL DEFAULT 0,     -- the last seq of the batch to try; = cursor: idle
        due_at        double precision NOT NULL DEFAULT 0,   -- 0: at once
        attempts      integer NOT NULL DEFAULT 0,
        rejections    integer NOT NULL DEFAULT 0,
        first_failure double precision,
        skipped       text NOT NULL DEFAULT '[]',
        parked        text,
        reason        text,                          -- why the last try failed
        token         text,                          -- of the claim that holds the lease
        holder        text,                          -- the node that has claimed it
        ready_at      double precision NOT NULL DEFAULT 0,   -- `due_at`, or when the lease runs out
        since         double precision NOT NULL DEFAULT 0,   -- orders those that are due at once
        PRIMARY KEY (call_id, endpoint)
    ) WITH (fillfactor = 70);
    CREATE INDEX lane_due ON bridge.lane (endpoint, ready_at, since) WHERE batch_to > cursor AND parked IS NULL;
    CREATE INDEX lane_held ON bridge.lane (holder) WHERE holder IS NOT NULL;
    CREATE INDEX lane_pending ON bridge.lane (endpoint) WHERE batch_to > cursor;

    CREATE TABLE bridge.endpoint (
        id       text COLLATE "C" PRIMARY KEY,
        disabled text,                               -- the address that said it is gone
        url      text                                -- where calls have named it themselves
    );

    CREATE TABLE bridge.node (                       -- the open stores
        id         text COLLATE "C" PRIMARY KEY,
        since      timestamptz NOT NULL,             -- its lease has not run out from then on
        expires_at timestamptz NOT NULL
    );
    """,
        1,
    ),
    (
        """
    CREATE TABLE bridge.chore (                      -- what one node does for all of them, now and then
        id       text COLLATE "C" PRIMARY KEY,
        node     text COLLATE "C",                   -- that does it now
        begun_at timestamptz NOT NULL DEFAULT clock_timestamp()   -- for the last time
    );
    """,
        1,
    ),
    (
        """
    CREATE UNLOGGED TABLE bridge.request (           -- what is asked of calls at processes that do not have them
        call_id    text COLLATE "C",
        id         text COLLATE "C",
        node       text COLLATE "C",                 -- the owner of the call, which carries it out
        asker      text COLLATE "C",                 -- the node that waits for the answer
        body       text,
        expires_at timestamptz,                      -- from then on it is not begun
        taken_at   timestamptz,                      -- when its node has found it
        refused    text,                             -- why it was not carried out
        answer     text,
        PRIMARY KEY (call_id, id)
    );
    CREATE INDEX request_node ON bridge.request (node);
    CREATE INDEX request_expires ON bridge.request (expires_at);
    """,
        1,
    ),
    (
        """
    ALTER TABLE bridge.node ADD COLUMN leaving boolean NOT NULL DEFAULT false;   -- it takes no calls (any more)

    CREATE TABLE bridge.hand_over (                  -- calls that go from one node to another, while both hear them
        call_id  text COLLATE "C" PRIMARY KEY,
        heard_by text,                               -- the node that hears it, and waits for it
        epoch    bigint,                             -- under which the owner has let go of it; NULL: it has not
        note     text,                               -- JSON: what that knew of the call and no event says
        start    bigint,                             -- position of the first sample of `audio`
        audio    bytea,                              -- what it has heard last
        since    timestamptz DEFAULT clock_timestamp()
    );
    """,
        1,
    ),
    (
        """
    CREATE TABLE bridge.audit (                      -- what readers did, append-only
        call_id text COLLATE "C",                    -- '': it was about no call
        number  bigint,                              -- by chance
        time    text COLLATE "C",
        who     text COLLATE "C",
        action  text COLLATE "C",
        body    text,                                -- the entry's JSON
        PRIMARY KEY (call_id, number)
    );
    CREATE INDEX audit_times ON bridge.audit (time, number);
    """,
        1,
    ),
    (
        """
    ALTER TABLE bridge.node ADD COLUMN url text;     -- where others relay streams to; NULL: nowhere
    ALTER TABLE bridge.node ADD COLUMN key text;     -- with which they mark these

    CREATE UNLOGGED TABLE bridge.beginning (         -- records that a node is about to begin
        call_id text COLLATE "C" PRIMARY KEY,
        node    text,
        since   timestamptz DEFAULT clock_timestamp()
    );
    CREATE INDEX beginning_since ON bridge.beginning (since);
    """,
        1,
    ),
)
"""Each brings the tables to the next version, with the oldest version whose programs may use what it makes."""


async def migrate(connection: AsyncConnection[Any]) -> None:
    """Bring the tables to the newest version; of several processes one does it. Raises `StoreError`, and as psycopg.

    Where they are new enough, nothing is written: a user without the right to make tables will do.
    """
    async with connection.transaction():
        version, oldest = await locked_version(connection)
        _check(oldest)
        if version >= len(MIGRATIONS):
            return
        if not version:
            await connection.execute(_VERSIONS)
        for statements, _ in MIGRATIONS[version:]:
            await connection.execute(statements)
        needs = max(oldest for _, oldest in MIGRATIONS)
        await connection.execute("DELETE FROM bridge.version")
        await connection.execute("INSERT INTO bridge.version VALUES (%s, %s)", (len(MIGRATIONS), needs))


async def check_version(connection: AsyncConnection[Any]) -> None:
    """Raises `StoreError` where this program may not use the tables, and as psycopg."""
    _, oldest = await _version(connection)
    _check(oldest)


async def locked_version(connection: AsyncConnection[Any]) -> tuple[int, int]:
    """The version of the tables, and the oldest that may use them; 0: there are none. It stays so until the end of the
    transaction."""
    await connection.execute("SELECT pg_advisory_xact_lock(%s, 0)", (MIGRATING,))
    return await _version(connection)


def _check(oldest: int) -> None:
    if oldest == COPYING:
        raise StoreError("a record is being copied into the database: see that `bridge migrate` ends, then start again")
    if oldest > len(MIGRATIONS):
        raise StoreError("the database is used by newer versions of the bridge that this one cannot work with")


async def _version(connection: AsyncConnection[Any]) -> tuple[int, int]:
    found = await (await connection.execute("SELECT to_regclass('bridge.version') IS NOT NULL")).fetchone()
    if not found or not found[0]:
        return 0, 0
    row = await (await connection.execute("SELECT version, oldest FROM bridge.version")).fetchone()
    return (row[0], row[1]) if row else (0, 0)
