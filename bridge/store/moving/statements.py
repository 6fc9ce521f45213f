"""SQL of the PostgreSQL database that a record is copied into; the columns are those of `rows`.

An event that was copied has a position above `shift`, the last one that the database had given before; an event of its
own has not. By its first event it is told whose a call is.
"""

from bridge.store.moving.rows import CALL, EVENT, LANE, WORDS

MAKE = """
    CREATE TABLE IF NOT EXISTS bridge.copy (
        source   text COLLATE "C" PRIMARY KEY,       -- the record that is copied
        shift    bigint NOT NULL,                    -- by which the positions of its events are later here
        oldest   integer NOT NULL,                   -- of `bridge.version`, meanwhile out of its place
        begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        done_at  timestamptz
    )"""

IS_THERE = "SELECT to_regclass('bridge.copy') IS NOT NULL"

IS_KNOWN = "SELECT 1 FROM bridge.copy WHERE source = %s"

UNDER_WAY = "SELECT source, shift FROM bridge.copy WHERE done_at IS NULL"

IS_DONE = "SELECT shift FROM bridge.copy WHERE source = %s AND done_at IS NOT NULL"

BEGIN = "INSERT INTO bridge.copy (source, shift, oldest) VALUES (%s, %s, %s)"

CLOSE = "UPDATE bridge.version SET oldest = %s"

OPEN = "UPDATE bridge.version SET oldest = copy.oldest FROM bridge.copy WHERE source = %s AND done_at IS NULL"

GIVE_UP = "DELETE FROM bridge.copy WHERE source = %s AND done_at IS NULL"

DONE = "UPDATE bridge.copy SET done_at = clock_timestamp() WHERE source = %s AND done_at IS NULL"

# One that stands still for longer than its lease is connected all the same, and may wake up.
NODES = """
    SELECT count(*) FROM bridge.node WHERE expires_at > clock_timestamp() OR EXISTS (
        SELECT 1 FROM pg_stat_activity
        WHERE application_name = 'bridge ' || node.id AND datname = current_database())"""

_FIRST = "(SELECT position FROM bridge.event WHERE call_id = call.id AND seq = 1)"

OWN = f"SELECT id FROM bridge.call WHERE id = ANY(%(ids)s) AND {_FIRST} <= %(shift)s ORDER BY id LIMIT %(limit)s"  # noqa: S608

COPIED = f"SELECT id FROM bridge.call WHERE id > %(after)s AND {_FIRST} > %(shift)s ORDER BY id LIMIT %(limit)s"  # noqa: S608

# Behind what was copied; a position that was given is never given again.
SET_POSITION = """
    SELECT setval('bridge.event_position', greatest(%(to)s, CASE WHEN is_called THEN last_value ELSE 0 END))
    FROM bridge.event_position WHERE %(to)s > 0"""

SET_NUMBER = """
    SELECT setval('bridge.call_number', greatest(newest, CASE WHEN is_called THEN last_value ELSE 0 END))
    FROM bridge.call_number CROSS JOIN (SELECT max(number) AS newest FROM bridge.call) AS call WHERE newest > 0"""

# Two records have become one: its calls in the order in which they began.
NUMBER = """
    UPDATE bridge.call SET number = place
    FROM (SELECT id, row_number() OVER (ORDER BY started_at, number, id) AS place FROM bridge.call) AS placed
    WHERE call.id = placed.id AND number <> place"""

# A crash of the database takes back some calls at most, and who copies finds out.
UNHURRIED = "SELECT set_config('synchronous_commit', 'off', true)"

CALLS = f"""
    SELECT {", ".join(CALL)}, (SELECT position FROM bridge.event WHERE call_id = call.id AND seq = call.tip)
    FROM bridge.call WHERE id = ANY(%s)"""  # noqa: S608

LANES = f"SELECT {', '.join(LANE)} FROM bridge.lane WHERE call_id = ANY(%s) ORDER BY call_id, endpoint"  # noqa: S608

EVENTS = """
    SELECT call_id, seq, position, type, time, sha256(convert_to(body, 'UTF8'))
    FROM bridge.event WHERE call_id = ANY(%s) ORDER BY call_id, seq"""

SAME_SPEECH = """
    SELECT call_id, count(*) FROM bridge.speech
    JOIN json_to_recordset(%s::json) AS here (call_id text, seq int8, words text) USING (call_id, seq)
    WHERE speech.words = here.words::tsvector GROUP BY call_id"""

SPEECH = "SELECT call_id, count(*) FROM bridge.speech WHERE call_id = ANY(%s) GROUP BY call_id"

TOTALS = "SELECT count(*) FILTER (WHERE seq = 1), count(*) FROM bridge.event WHERE position > %s"

ENDPOINTS = 'SELECT id, disabled, url FROM bridge.endpoint WHERE id = ANY(%s) ORDER BY id COLLATE "C"'

# What the database's own processes know of an endpoint is newer.
PUT_ENDPOINTS = """
    INSERT INTO bridge.endpoint (id, disabled, url)
    SELECT id, disabled, url FROM json_to_recordset(%(rows)s::json) AS new (id text, disabled text, url text)
    ON CONFLICT (id) DO UPDATE SET disabled = excluded.disabled, url = excluded.url WHERE %(shift)s = 0"""

COPY_CALLS, COPY_EVENTS, COPY_SPEECH, COPY_LANES = (
    f"COPY bridge.{table} ({', '.join(columns)}) FROM STDIN"
    for table, columns in (
        ("call", CALL),
        ("event", EVENT),
        ("speech", WORDS),
        ("lane", (*LANE, "since", "ready_at")),
    )
)

ANALYZE = "ANALYZE bridge.call, bridge.event, bridge.speech, bridge.lane, bridge.endpoint"
