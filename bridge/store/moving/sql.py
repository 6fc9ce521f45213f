"""SQL of the SQLite record that is copied; the columns are those of `rows`."""

# The calls in the order in which they began, some at a time.
CALLS = """
    SELECT id, number, header, caller, callee, carrier_call_id, continues, started_at, ended_at, ended_seq, record_days,
        tip, owner, epoch, (SELECT position FROM event WHERE call_id = call.id AND seq = call.tip)
    FROM call WHERE number > ? ORDER BY number LIMIT ?"""

COUNT = "SELECT count(*), coalesce(max(number), 0) FROM call"

LANES = """
    SELECT call_id, endpoint, cursor, batch_to, due_at, attempts, rejections, first_failure, skipped, parked, reason,
        rowid
    FROM lane WHERE call_id IN (SELECT value FROM json_each(?)) ORDER BY call_id, endpoint"""

EVENTS = "SELECT call_id, seq, position, type, body FROM event WHERE call_id = ? AND seq > ? ORDER BY seq LIMIT ?"

ENDPOINTS = "SELECT id, disabled, url FROM endpoint WHERE id > ? ORDER BY id LIMIT ?"

PRESENT = "SELECT id FROM call WHERE id IN (SELECT value FROM json_each(?))"
