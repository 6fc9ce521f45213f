"""SQL of the PostgreSQL store, by name; the tables are `schema`'s.

Rows go to the database as one parameter of JSON each, whatever their number: that is what costs least on both sides.
Nothing depends on the state of a session, so that each transaction may be another connection's (PgBouncer).
"""

ORDER_LOCK = 0x62726467
"""The advisory locks of who is about to take positions in the log (`order`)."""

BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
"""Each statement sees what is committed by then, whatever the database's settings say."""

CALL = "id, header, started_at, ended_at, tip, owner, epoch"

# --- a group of writes ----------------------------------------------------------------------------------------------

# A process that stops in the middle of a transaction has locks: it must not keep them for long (see `FENCE`, too).
SETTINGS = """
    SELECT set_config('idle_in_transaction_session_timeout', '5s', true),
        set_config('synchronous_commit', CASE current_setting('synchronous_commit')
            WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true),
        extract(epoch FROM clock_timestamp())::float8"""

# Numbered in the order in which they began, and written in that of the ids, so that no two processes wait for each
# other.
BEGIN_CALLS = """
    INSERT INTO bridge.call
        (number, id, header, caller, callee, carrier_call_id, continues, started_at, record_days, owner)
    SELECT number, id, header, caller, callee, carrier_call_id, continues, started_at, record_days, owner
    FROM (
        SELECT nextval('bridge.call_number') AS number, new.*
        FROM json_to_recordset(%s::json) AS new (id text, header text, caller text, callee text, carrier_call_id text,
            continues text, started_at float8, record_days float8, owner text)
        OFFSET 0
    ) AS numbered
    ORDER BY id COLLATE "C"
    ON CONFLICT (id) DO NOTHING"""

# Likewise.
LOCK_CALLS = """
    SELECT id, tip, ended_at IS NULL, owner, epoch, header FROM bridge.call
    WHERE id = ANY(%s) ORDER BY id FOR UPDATE"""

LOCK_LANES = """
    SELECT call_id, endpoint, cursor, batch_to, due_at, attempts, rejections, first_failure, skipped, parked, reason,
        token
    FROM bridge.lane WHERE call_id = ANY(%s) ORDER BY call_id, endpoint FOR UPDATE"""

SIZES = """
    SELECT asked.call_id, asked.after, event.seq, event.size
    FROM json_to_recordset(%s::json) AS asked (call_id text, after int8)
    CROSS JOIN LATERAL (
        SELECT seq, octet_length(body) AS size FROM bridge.event
        WHERE call_id = asked.call_id COLLATE "C" AND seq > asked.after ORDER BY seq LIMIT %s
    ) AS event"""

FORGET = tuple(
    f"DELETE FROM bridge.{table} WHERE {column} = ANY(%s)"  # noqa: S608
    for table, column in (
        ("speech", "call_id"),
        ("event", "call_id"),
        ("lane", "call_id"),
        ("hand_over", "call_id"),
        ("call", "id"),
    )
)

# Locked first: who begins a call with such an endpoint meanwhile has it locked, and then its lane is seen below.
LOCK_ENDPOINTS = "SELECT id FROM bridge.endpoint WHERE id = ANY(%s) AND url IS NOT NULL ORDER BY id FOR UPDATE"

FORGET_ENDPOINTS = """
    DELETE FROM bridge.endpoint WHERE id = ANY(%s) AND url IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM bridge.lane WHERE lane.endpoint = endpoint.id)"""

KNOW_NAMED = """
    INSERT INTO bridge.endpoint (id, url)
    SELECT id, url FROM json_to_recordset(%s::json) AS named (id text, url text) ORDER BY id
    ON CONFLICT (id) DO UPDATE SET url = excluded.url"""

# Said before the first position is taken: those who read the log read no farther while this goes on.
ANNOUNCE = f"""
    SELECT pg_advisory_xact_lock_shared({ORDER_LOCK},
        (CASE WHEN is_called THEN last_value ELSE last_value - 1 END & 2147483647)::int4)
    FROM bridge.event_position"""

INSERT_EVENTS = """
    INSERT INTO bridge.event (call_id, seq, type, time, body)
    SELECT call_id, seq, type, time, body
    FROM json_to_recordset(%s::json) AS new (call_id text, seq int8, type text, time text, body text)"""

INSERT_SPEECH = """
    INSERT INTO bridge.speech (call_id, seq, words)
    SELECT call_id, seq, words::tsvector
    FROM json_to_recordset(%s::json) AS new (call_id text, seq int8, words text)"""

CHANGE_CALLS = """
    UPDATE bridge.call SET tip = new.tip, owner = new.owner,
        ended_at = coalesce(call.ended_at, new.ended_at), ended_seq = coalesce(call.ended_seq, new.ended_seq)
    FROM json_to_recordset(%s::json)
        AS new (id text, tip int8, owner text, ended_at float8, ended_seq int8)
    WHERE call.id = new.id COLLATE "C" """

WRITE_LANES = """
    INSERT INTO bridge.lane (call_id, endpoint, cursor, batch_to, due_at, attempts, rejections, first_failure, skipped,
        parked, reason, token, ready_at, since)
    SELECT call_id, endpoint, cursor, batch_to, due_at, attempts, rejections, first_failure, skipped,
        parked, reason, token, coalesce(ready_at, 0), since
    FROM json_to_recordset(%s::json) AS new (call_id text, endpoint text, cursor int8, batch_to int8, due_at float8,
        attempts int4, rejections int4, first_failure float8, skipped text, parked text, reason text, token text,
        ready_at float8, since float8)
    ON CONFLICT (call_id, endpoint) DO UPDATE SET cursor = excluded.cursor, batch_to = excluded.batch_to,
        due_at = excluded.due_at, attempts = excluded.attempts, rejections = excluded.rejections,
        first_failure = excluded.first_failure, skipped = excluded.skipped, parked = excluded.parked,
        reason = excluded.reason, token = excluded.token,
        holder = CASE WHEN excluded.token IS NULL THEN NULL ELSE lane.holder END,
        ready_at = CASE WHEN excluded.token IS NULL THEN excluded.ready_at ELSE lane.ready_at END,
        since = CASE WHEN excluded.token IS NULL THEN excluded.since ELSE lane.since END"""

# --- nodes and their calls ------------------------------------------------------------------------------------------

BEAT = """
    INSERT INTO bridge.node (id, since, expires_at, url, key)
    VALUES (%(node)s, clock_timestamp(), clock_timestamp() + %(lease)s * interval '1 second', %(url)s, %(key)s)
    ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at,
        since = CASE WHEN node.expires_at < clock_timestamp() THEN excluded.since ELSE node.since END
    RETURNING extract(epoch FROM clock_timestamp())::float8"""

LEAVE = "DELETE FROM bridge.node WHERE id = %s"

_FREE = "UPDATE bridge.lane SET token = NULL, holder = NULL, ready_at = due_at WHERE"

FREE_LANES = f"{_FREE} holder = %s"

# After the database was away all leases have run out, and who comes back first must not take all calls: it waits for
# the others as long as a lease.
_STEADY = """EXISTS (
    SELECT 1 FROM bridge.node WHERE id = %(node)s AND expires_at > clock_timestamp()
    AND since < clock_timestamp() - %(lease)s * interval '1 second')"""

FORGET_NODES = f"""
    DELETE FROM bridge.node WHERE expires_at < clock_timestamp() - interval '1 hour' AND {_STEADY}"""

# What a process that is gone has claimed, others may claim before the lease of the claim runs out.
FREE_LANES_OF_THE_DEAD = f"""{_FREE} holder IS NOT NULL AND {_STEADY}
    AND NOT EXISTS (SELECT 1 FROM bridge.node WHERE node.id = holder AND expires_at > clock_timestamp())"""

# A process that is stopped in the middle of a transaction keeps its locks, and the server may wait for the rest of it.
FENCE = f"""
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    JOIN bridge.node ON application_name = 'bridge ' || node.id
    WHERE datname = current_database() AND usename = current_user AND xact_start IS NOT NULL
        AND expires_at < clock_timestamp() AND {_STEADY}"""

# A process that hears a call and waits for it has it before any other that looks for abandoned ones.
IS_ABANDONED = f"""ended_at IS NULL AND (owner IS NULL
    OR NOT EXISTS (SELECT 1 FROM bridge.node WHERE node.id = owner)
    OR ({_STEADY} AND EXISTS (SELECT 1 FROM bridge.node WHERE node.id = owner AND expires_at < clock_timestamp())))
    AND NOT EXISTS (
        SELECT 1 FROM bridge.hand_over JOIN bridge.node ON node.id = heard_by
        WHERE hand_over.call_id = call.id AND heard_by <> %(node)s AND NOT leaving
        AND expires_at > clock_timestamp())"""

ABANDONED = f"""
    SELECT {CALL} FROM bridge.call WHERE {IS_ABANDONED}
    AND (%(before)s::text IS NULL OR number < (SELECT number FROM bridge.call WHERE id = %(before)s))
    ORDER BY number DESC LIMIT %(limit)s"""

# One of those who ask locks the row; the others find it locked, or find its new owner.
LOCK_TO_TAKE = f"SELECT {CALL} FROM bridge.call WHERE id = %s FOR UPDATE SKIP LOCKED"

KNOWN = "SELECT 1 FROM bridge.call WHERE id = %(call_id)s"

TAKE = f"""
    UPDATE bridge.call SET owner = %(node)s, epoch = epoch + 1 WHERE id = %(call_id)s AND {IS_ABANDONED}
    AND EXISTS (SELECT 1 FROM bridge.node WHERE id = %(node)s AND expires_at > clock_timestamp())
    RETURNING {CALL}"""

_ALIVE = "EXISTS (SELECT 1 FROM bridge.node WHERE node.id = {} AND expires_at > clock_timestamp())"

# An owner that has left in order has no row; one that has not may come back, with what its disk has.
TAKE_ENDED = f"""
    UPDATE bridge.call SET owner = %(node)s, epoch = epoch + 1
    WHERE id = %(call_id)s AND ended_at IS NOT NULL AND {_ALIVE.format("%(node)s")}
    AND (owner IS NULL OR owner = %(node)s OR NOT EXISTS (
        SELECT 1 FROM bridge.node WHERE node.id = owner
        AND (expires_at > clock_timestamp() - %(absent)s * interval '1 second' OR NOT {_STEADY})))
    RETURNING {CALL}"""

LEAVE_ENDED = "UPDATE bridge.call SET owner = NULL WHERE id = %s AND owner = %s AND ended_at IS NOT NULL"

WHOSE = f"SELECT owner, {_ALIVE.format('owner')} FROM bridge.call WHERE id = %s"

BEGIN_CHORE = f"""
    INSERT INTO bridge.chore (id, node, begun_at)
    SELECT %(chore)s, %(node)s, clock_timestamp() WHERE {_ALIVE.format("%(node)s")}
    ON CONFLICT (id) DO UPDATE SET node = excluded.node, begun_at = excluded.begun_at
    WHERE chore.node = excluded.node OR (chore.node IS NOT NULL AND NOT {_ALIVE.format("chore.node")})
        OR (chore.node IS NULL AND chore.begun_at <= clock_timestamp() - %(every)s * interval '1 second')
    RETURNING id"""

END_CHORE = "UPDATE bridge.chore SET node = NULL WHERE id = %s AND node = %s"

FORGET_BEGINNINGS = "DELETE FROM bridge.beginning WHERE since < clock_timestamp() - interval '10 minutes'"

FORGET_HAND_OVERS = "DELETE FROM bridge.hand_over WHERE since < clock_timestamp() - interval '1 hour'"

# --- read -----------------------------------------------------------------------------------------------------------

READ = """
    SELECT call_id, seq, type, body FROM bridge.event WHERE call_id = %(call_id)s AND seq > %(after)s
    ORDER BY seq LIMIT %(limit)s"""

READ_TYPES = """
    SELECT call_id, seq, type, body FROM bridge.event
    WHERE call_id = %(call_id)s AND seq > %(after)s AND type = ANY(%(types)s) ORDER BY seq LIMIT %(limit)s"""

LAST_POSITION = "SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM bridge.event_position"

ANNOUNCED = f"""
    SELECT objid::int8 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND classid = {ORDER_LOCK}
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""

LOG = """
    SELECT position, call_id, seq, type, body FROM bridge.event
    WHERE position > %s AND position <= %s ORDER BY position LIMIT %s"""

CALLS_SINCE = "SELECT DISTINCT call_id FROM bridge.event WHERE position > %s AND position <= %s"

CALLS = f"SELECT {CALL} FROM bridge.call {{where}} ORDER BY number DESC LIMIT %(limit)s"

CALLS_BEFORE = "number < (SELECT number FROM bridge.call WHERE id = %(before)s)"

FIND = """
    SELECT id, header, started_at, ended_at, tip, owner, epoch,
        (SELECT body FROM bridge.event WHERE call_id = call.id AND seq = call.ended_seq),
        (SELECT '[' || coalesce(string_agg(body, ',' ORDER BY seq), '') || ']' FROM bridge.event
         WHERE call_id = call.id AND seq > call.ended_seq AND type IN ('audio.gap', 'transcription.backfilled')),
        (SELECT id FROM bridge.call AS further WHERE further.continues = call.id ORDER BY number LIMIT 1),
        (SELECT body FROM bridge.event WHERE call.ended_at IS NULL AND call_id = call.id
         AND seq = (SELECT max(seq) FROM bridge.speech WHERE call_id = call.id)),
        {said}
    FROM bridge.call WHERE {where} ORDER BY number DESC LIMIT %(limit)s"""

SAID = """(SELECT body FROM bridge.event WHERE call_id = call.id AND seq = (
            SELECT min(seq) FROM bridge.speech WHERE call_id = call.id AND words @@ %(term0)s::tsquery))"""

WAS_SAID = "id IN (SELECT call_id FROM bridge.speech WHERE words @@ %({name})s::tsquery)"

CONDITIONS = {
    "id": "id = %(id)s",
    "begins": "id >= %(begins)s AND id < %(begins)s || '~'",  # no id has a character as high as that
    "carrier_call_id": "carrier_call_id = %(carrier_call_id)s",
    "active": "ended_at IS NULL",
    "from_": "strpos(lower(caller), lower(%(from_)s)) > 0",
    "to": "strpos(lower(callee), lower(%(to)s)) > 0",
    "parties": "caller = ANY(%(parties)s) OR callee = ANY(%(parties)s)",
    "since": "started_at >= %(since)s",
    "until": "started_at < %(until)s",
}
"""By the field of a `CallFilter`; the opposite where the field is false."""

_DELIVERED = """(ended_at < %(waited)s OR NOT EXISTS (
    SELECT 1 FROM bridge.lane WHERE call_id = call.id AND batch_to > cursor AND parked IS NULL))"""

EXPIRED = f"""
    SELECT id, ended_at FROM bridge.call WHERE record_days IS NULL AND ended_at < %(before)s AND {_DELIVERED}
    UNION ALL
    SELECT id, ended_at FROM bridge.call
    WHERE record_days IS NOT NULL AND ended_at < %(now)s - record_days * 86400 AND {_DELIVERED}
    ORDER BY ended_at LIMIT %(limit)s"""

# --- requests for calls of other processes --------------------------------------------------------------------------

OWNER_OF = """
    SELECT owner, ended_at IS NOT NULL,
        EXISTS (SELECT 1 FROM bridge.node WHERE node.id = call.owner AND expires_at > clock_timestamp()),
        (SELECT count(*) FROM bridge.request
         WHERE node = call.owner AND answer IS NULL AND refused IS NULL AND expires_at > clock_timestamp())
    FROM bridge.call WHERE id = %s"""

# Asked twice where the answer got lost; the row stands there once.
PLACE_REQUEST = """
    INSERT INTO bridge.request (call_id, id, node, asker, body, expires_at)
    VALUES (%(call_id)s, %(id)s, %(node)s, %(asker)s, %(text)s,
        clock_timestamp() + %(seconds)s::float8 * interval '1 second')
    ON CONFLICT (call_id, id) DO NOTHING"""

# Found again until it is answered, for the answer to this may get lost; who takes it knows what it has begun with.
TAKE_REQUESTS = """
    WITH left_over AS (
        DELETE FROM bridge.request WHERE (call_id, id) IN (
            SELECT call_id, id FROM bridge.request
            WHERE expires_at < clock_timestamp() - interval '1 minute' FOR UPDATE SKIP LOCKED))
    UPDATE bridge.request SET taken_at = coalesce(taken_at, clock_timestamp())
    WHERE node = %(node)s AND answer IS NULL AND refused IS NULL AND expires_at > clock_timestamp()
    RETURNING call_id, id, asker, body, extract(epoch FROM expires_at - clock_timestamp())::float8,
        EXISTS (SELECT 1 FROM bridge.call
                WHERE call.id = request.call_id AND call.owner = request.node AND call.ended_at IS NULL)"""

ANSWER_REQUEST = """
    UPDATE bridge.request SET answer = %(answer)s, refused = %(refused)s
    WHERE call_id = %(call_id)s AND id = %(id)s RETURNING id"""

READ_REQUEST = """
    SELECT taken_at IS NOT NULL, refused, answer FROM bridge.request WHERE call_id = %(call_id)s AND id = %(id)s"""

WITHDRAW_REQUEST = """
    DELETE FROM bridge.request WHERE call_id = %(call_id)s AND id = %(id)s AND taken_at IS NULL RETURNING id"""

FORGET_REQUEST = "DELETE FROM bridge.request WHERE call_id = %(call_id)s AND id = %(id)s RETURNING id"
