"""SQL of the PostgreSQL store about lanes and endpoints; what a group of writes needs of them is in `statements`."""

# In two parts, each in the order of the index: those that are due at once, and those that wait for a moment. Those that
# others hold at this moment they are about to change.
CLAIM = """
    WITH fresh AS (
        SELECT call_id, endpoint, since, attempts FROM bridge.lane
        WHERE endpoint = %(endpoint)s AND batch_to > cursor AND parked IS NULL AND ready_at = 0
        ORDER BY {first} since LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ), due AS (
        SELECT call_id, endpoint, ready_at AS since, attempts FROM bridge.lane
        WHERE endpoint = %(endpoint)s AND batch_to > cursor AND parked IS NULL
            AND ready_at > 0 AND ready_at <= %(now)s
        ORDER BY {first} ready_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ), chosen AS (
        SELECT *, row_number() OVER (ORDER BY {first} since) AS place
        FROM (SELECT * FROM fresh UNION ALL SELECT * FROM due) AS both_
        ORDER BY place LIMIT %(limit)s
    ), claimed AS (
        UPDATE bridge.lane SET token = %(token)s, holder = %(node)s, ready_at = %(now)s + %(lease)s
        FROM chosen
        WHERE lane.call_id = chosen.call_id AND lane.endpoint = chosen.endpoint
            AND EXISTS (SELECT 1 FROM bridge.node WHERE id = %(node)s AND expires_at > clock_timestamp())
        RETURNING place, lane.*
    )
    SELECT claimed.endpoint, claimed.call_id, call.header, cursor, batch_to, attempts, rejections, first_failure,
        skipped, ended_at IS NOT NULL
    FROM claimed JOIN bridge.call ON call.id = claimed.call_id ORDER BY place"""

# A lease that a crash of the database takes back is one that no one has: its commit need not wait for the disk.
UNHURRIED = "SELECT set_config('synchronous_commit', 'off', true)"

GIVE_BACK = """
    UPDATE bridge.lane SET token = NULL, holder = NULL, ready_at = due_at WHERE holder = %s AND token = ANY(%s)"""

RESUME = """
    WITH stuck AS (
        SELECT call_id, endpoint, parked IS NOT NULL AS was_parked FROM bridge.lane
        WHERE endpoint = %(endpoint)s AND batch_to > cursor ORDER BY call_id FOR UPDATE
    )
    UPDATE bridge.lane SET due_at = 0, attempts = 0, rejections = 0, first_failure = NULL, parked = NULL,
        reason = NULL, ready_at = CASE WHEN token IS NULL OR was_parked THEN 0 ELSE ready_at END,
        token = CASE WHEN was_parked THEN NULL ELSE token END, holder = CASE WHEN was_parked THEN NULL ELSE holder END
    FROM stuck WHERE lane.call_id = stuck.call_id AND lane.endpoint = stuck.endpoint
    RETURNING lane.call_id, was_parked"""

PARKED = """
    SELECT call_id, cursor, parked FROM bridge.lane
    WHERE endpoint = %s AND batch_to > cursor AND parked IS NOT NULL ORDER BY since, call_id"""

DISABLED = "SELECT disabled FROM bridge.endpoint WHERE id = %s"

DISABLE = """
    INSERT INTO bridge.endpoint (id, disabled) VALUES (%s, %s)
    ON CONFLICT (id) DO UPDATE SET disabled = excluded.disabled"""

LANE_STATE = """
    SELECT cursor, tip, attempts, parked, reason FROM bridge.lane JOIN bridge.call ON call.id = call_id
    WHERE endpoint = %s AND call_id = %s"""

LANES_OF = """
    SELECT endpoint, cursor, tip, attempts, parked, reason FROM bridge.lane JOIN bridge.call ON call.id = call_id
    WHERE call_id = %s ORDER BY since, endpoint"""

BACKLOGS = """
    SELECT endpoint, count(*) - count(parked), count(parked), min(due_at) FILTER (WHERE parked IS NULL)
    FROM bridge.lane WHERE batch_to > cursor GROUP BY endpoint ORDER BY endpoint"""

WAITING = """
    SELECT endpoint, count(*) FROM bridge.lane WHERE batch_to > cursor AND parked IS NULL GROUP BY endpoint"""

STUCK = """
    SELECT endpoint, call_id, cursor, tip, attempts, due_at, first_failure, parked, reason
    FROM bridge.lane JOIN bridge.call ON call.id = call_id
    WHERE batch_to > cursor AND coalesce(parked, reason) IS NOT NULL
        AND (%(endpoint)s::text IS NULL OR endpoint = %(endpoint)s)
    ORDER BY parked IS NULL, call.number, endpoint LIMIT %(limit)s"""

# A call's newest event is looked at first: events are many times the calls.
SINCE = """
    SELECT id, (SELECT min(seq) FROM bridge.event WHERE call_id = call.id AND time >= %(since)s) - 1
    FROM bridge.call
    WHERE (SELECT time FROM bridge.event WHERE call_id = call.id AND seq = call.tip) >= %(since)s
    ORDER BY number"""

NAMED_URL = "SELECT url FROM bridge.endpoint WHERE id = %s"
