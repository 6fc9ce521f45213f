"""SQL of the SQLite store about endpoints and how far they have got; what appends and settlements need is in `sql`."""

KNOW_NAMED = "INSERT INTO endpoint (id, url) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET url = excluded.url"

PENDING_NAMED = "SELECT DISTINCT endpoint FROM lane WHERE batch_to > cursor AND instr(endpoint, '@')"

LOST_NAMED = """
    SELECT count(DISTINCT endpoint) FROM lane WHERE batch_to > cursor AND instr(endpoint, '@')
    AND NOT EXISTS (SELECT 1 FROM endpoint WHERE id = lane.endpoint AND url IS NOT NULL)"""

LANES_OF = """
    SELECT endpoint, cursor, tip, attempts, parked, reason FROM lane JOIN call ON call.id = call_id
    WHERE call_id = ? ORDER BY lane.rowid"""

HAS_LANE = "SELECT 1 FROM lane WHERE endpoint = ? AND call_id = ?"

BACKLOGS = """
    SELECT endpoint, count(*) - count(parked), count(parked), min(due_at) FILTER (WHERE parked IS NULL) FROM lane
    WHERE batch_to > cursor GROUP BY endpoint ORDER BY endpoint"""

STUCK = """
    SELECT endpoint, call_id, cursor, tip, attempts, due_at, first_failure, parked, reason
    FROM lane JOIN call ON call.id = call_id
    WHERE batch_to > cursor AND coalesce(parked, reason) IS NOT NULL AND (:endpoint IS NULL OR endpoint = :endpoint)
    ORDER BY parked IS NULL, lane.rowid LIMIT :limit"""

# A call's newest event is looked at first: events are many times the calls.
SINCE = """
    SELECT id, (SELECT min(seq) FROM event WHERE call_id = call.id AND json_extract(body, '$.time') >= :since) - 1
    FROM call
    WHERE (SELECT json_extract(body, '$.time') FROM event WHERE call_id = call.id AND seq = call.tip) >= :since
    ORDER BY number"""

NAMED_URL = "SELECT url FROM endpoint WHERE id = ?"
