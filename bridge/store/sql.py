"""All SQL of the SQLite store, by name. `lane.batch_to` is the point of the schema.

A batch's range is chosen in the commit that makes it possible: the append of an event to an idle lane, or the
settling of the batch before. So it is durable before anything can be posted, without a commit of its own.
"""

APPLICATION_ID = 0x62726467
"""`brdg`: marks the file as ours."""

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE call (
        id         TEXT NOT NULL PRIMARY KEY,
        header     TEXT NOT NULL,              -- JSON of the envelope's `call` object
        started_at REAL NOT NULL,              -- seconds since 1970
        ended_at   REAL,
        tip        INTEGER NOT NULL DEFAULT 0  -- the newest seq; every lane's tip, too
    );
    CREATE INDEX call_open ON call (ended_at) WHERE ended_at IS NULL;

    -- A rowid table on purpose: bodies of a kilobyte make WITHOUT ROWID half as fast.
    CREATE TABLE event (
        call_id TEXT NOT NULL,
        seq     INTEGER NOT NULL,
        type    TEXT NOT NULL,
        body    TEXT NOT NULL,
        PRIMARY KEY (call_id, seq)
    );

    CREATE TABLE lane (
        endpoint      TEXT NOT NULL,
        call_id       TEXT NOT NULL,
        cursor        INTEGER NOT NULL DEFAULT 0,  -- the last settled seq
        batch_to      INTEGER NOT NULL DEFAULT 0,  -- the last seq of the batch to try; = cursor: idle
        due_at        REAL NOT NULL DEFAULT 0,     -- 0: at once
        attempts      INTEGER NOT NULL DEFAULT 0,
        rejections    INTEGER NOT NULL DEFAULT 0,
        first_failure REAL,
        skipped       TEXT NOT NULL DEFAULT '[]',
        parked        TEXT,
        PRIMARY KEY (endpoint, call_id)
    );
    CREATE INDEX lane_call ON lane (call_id);
    CREATE INDEX lane_pending ON lane (endpoint) WHERE batch_to > cursor;

    CREATE TABLE endpoint (
        id       TEXT NOT NULL PRIMARY KEY,
        disabled TEXT                          -- the address that said it is gone
    );
    """,
    """
    -- The calls get a number that stays theirs even when the file is vacuumed, and what a list filters by.
    CREATE TABLE numbered_call (
        number     INTEGER PRIMARY KEY,        -- in the order in which the calls began
        id         TEXT NOT NULL UNIQUE,
        header     TEXT NOT NULL,              -- JSON of the envelope's `call` object
        caller     TEXT,                       -- its `from`
        callee     TEXT,                       -- its `to`
        started_at REAL NOT NULL,              -- seconds since 1970
        ended_at   REAL,
        ended_seq  INTEGER,                    -- of `call.ended`
        tip        INTEGER NOT NULL DEFAULT 0  -- the newest seq; every lane's tip, too
    );
    INSERT INTO numbered_call
        SELECT rowid, id, header, json_extract(header, '$.from'), json_extract(header, '$.to'), started_at, ended_at,
            (SELECT seq FROM event WHERE call_id = call.id AND type = 'call.ended'), tip
        FROM call;
    DROP TABLE call;
    ALTER TABLE numbered_call RENAME TO call;
    CREATE INDEX call_open ON call (ended_at) WHERE ended_at IS NULL;
    -- What calls are filtered by, beside each other: their headers are many times that.
    CREATE INDEX call_filter ON call (number, caller, callee, started_at);

    -- The events get a position in the whole log, which is never given twice, for those who follow all calls.
    CREATE TABLE placed_event (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        call_id  TEXT NOT NULL,
        seq      INTEGER NOT NULL,
        type     TEXT NOT NULL,
        body     TEXT NOT NULL,
        UNIQUE (call_id, seq)
    );
    INSERT INTO placed_event SELECT rowid, call_id, seq, type, body FROM event ORDER BY rowid;
    DROP TABLE event;
    ALTER TABLE placed_event RENAME TO event;

    -- The texts of the finals. The row is the call's number and, in the last 24 bits, the event's seq, so that the
    -- newest call comes first without sorting. Whole words, English endings aside; beginnings have an index, because
    -- SQLite collects all that any of them says before the first is shown.
    CREATE VIRTUAL TABLE speech USING fts5 (
        text, tokenize = 'porter unicode61 remove_diacritics 2', prefix = '1 2 3'
    );
    INSERT INTO speech (rowid, text)
        SELECT call.number << 24 | seq, json_extract(body, '$.data.text')
        FROM event JOIN call ON call.id = event.call_id
        WHERE type = 'transcript.final' AND json_extract(body, '$.data.text') != '';
    INSERT INTO speech (speech, rank) VALUES ('automerge', 0);  -- see `MERGE_SPEECH`
    """,
    """
    -- The process that goes on with the call. Calls from before this have none: they are abandoned, or have ended.
    ALTER TABLE call ADD COLUMN owner TEXT;
    ALTER TABLE call ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;  -- counts the owners

    -- The carrier's id of the call. Further records of a call were named after it: CA1, CA1--2, CA1--3.
    ALTER TABLE call ADD COLUMN carrier_call_id TEXT;
    ALTER TABLE call ADD COLUMN continues TEXT;  -- id of the record before
    UPDATE call SET carrier_call_id = id;
    UPDATE call SET carrier_call_id = substr(id, 1, length(rtrim(id, '0123456789')) - 2)
        WHERE id GLOB '*[0-9]' AND rtrim(id, '0123456789') GLOB '?*--';
    UPDATE call SET continues = CASE CAST(substr(id, length(carrier_call_id) + 3) AS INTEGER)
            WHEN 2 THEN carrier_call_id
            ELSE carrier_call_id || '--' || (substr(id, length(carrier_call_id) + 3) - 1) END
        WHERE carrier_call_id != id;
    UPDATE call SET header = json_set(header, '$.carrier_call_id', carrier_call_id, '$.continues', continues);
    CREATE INDEX call_carrier ON call (carrier_call_id);
    CREATE INDEX call_continues ON call (continues) WHERE continues IS NOT NULL;
    """,
    """
    ALTER TABLE lane ADD COLUMN reason TEXT;  -- why the last try failed; NULL: it did not, or there was none
    """,
    """
    -- Words of every script: marks belong to them (most vowels of Hindi and Thai are marks), and where a script has no
    -- blanks, `indexed` parts its characters.
    CREATE VIRTUAL TABLE indexed_speech USING fts5 (
        text, tokenize = "porter unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'", prefix = '1 2 3'
    );
    INSERT INTO indexed_speech (rowid, text) SELECT rowid, indexed(text) FROM speech ORDER BY rowid;
    DROP TABLE speech;
    ALTER TABLE indexed_speech RENAME TO speech;
    INSERT INTO speech (speech, rank) VALUES ('automerge', 0);  -- see `MERGE_SPEECH`
    """,
    """
    ALTER TABLE call ADD COLUMN record_days REAL;  -- for which the record stays; NULL: as for all
    CREATE INDEX call_kept ON call (record_days, ended_at);
    """,
    """
    ALTER TABLE endpoint ADD COLUMN url TEXT;  -- where calls have named it themselves; it goes with the last of them
    """,
)
"""Each brings the schema from `user_version` n to n + 1; only ever appended to. They need `index.add_function`."""

LONGEST_PREFIX = 3
"""Characters of the longest beginning of a word that is indexed."""

_LANE = """
    endpoint, call_id, (SELECT header FROM call WHERE id = call_id),
    cursor, batch_to, due_at, attempts, rejections, first_failure, skipped, parked"""

_CALL = "id, header, started_at, ended_at, tip, owner, epoch"

# The lock on the database says that there is one process, so every other owner is gone.
CALLS_ABANDONED = "ended_at IS NULL AND owner IS NOT :owner"

# --- append ---------------------------------------------------------------------------------------------------------

CALL_TIP = "SELECT number, tip, header FROM call WHERE id = ?"

CALL_TO_APPEND = "SELECT number, tip, ended_at IS NULL, owner FROM call WHERE id = ?"

BEGIN_CALL = """
    INSERT INTO call (id, header, caller, callee, carrier_call_id, continues, started_at, owner, epoch, record_days)
    VALUES (
        :id, :header, json_extract(:header, '$.from'), json_extract(:header, '$.to'),
        json_extract(:header, '$.carrier_call_id'), json_extract(:header, '$.continues'),
        :started_at, :owner, 1, :record_days
    )"""

BEGIN_LANE = "INSERT OR IGNORE INTO lane (endpoint, call_id) VALUES (?, ?)"

INSERT_EVENT = "INSERT INTO event (call_id, seq, type, body) VALUES (?, ?, ?, ?)"

INSERT_SPEECH = "INSERT INTO speech (rowid, text) VALUES (? << 24 | ?, ?)"

RAISE_TIP = "UPDATE call SET tip = ? WHERE number = ?"

# Apart from that: setting a column costs its indexes, even where it stays as it was.
END_CALL = """
    UPDATE call SET ended_at = coalesce(ended_at, ?), ended_seq = coalesce(ended_seq, ?) WHERE number = ?"""

# A busy or parked lane is left alone: it finds the events when its batch is settled.
WAKE_IDLE_LANES = f"""
    UPDATE lane SET batch_to = :batch_to, due_at = 0
    WHERE call_id = :call_id AND batch_to = cursor AND parked IS NULL
    RETURNING {_LANE}"""

# At most so many pages of the index are written, which takes some milliseconds.
MERGE_SPEECH = "INSERT INTO speech (speech, rank) VALUES ('merge', 16)"

# --- own ------------------------------------------------------------------------------------------------------------

TAKE = f"""
    UPDATE call SET owner = :owner, epoch = epoch + 1 WHERE id = :call_id AND {CALLS_ABANDONED} RETURNING {_CALL}"""

RELEASE = "UPDATE call SET owner = NULL WHERE id = :call_id AND owner = :owner AND ended_at IS NULL"

# --- settle ---------------------------------------------------------------------------------------------------------

# Octets, not characters: the cast is SQLite's way to ask for them.
SIZES_AFTER = """
    SELECT seq, length(CAST(body AS BLOB)) FROM event WHERE call_id = ? AND seq > ? ORDER BY seq LIMIT ?"""

SETTLE = """
    UPDATE lane SET cursor = :cursor, batch_to = :batch_to, due_at = :due, attempts = :attempts,
        rejections = :rejections, first_failure = :first_failure, skipped = :skipped, parked = :parked,
        reason = :reason
    WHERE endpoint = :endpoint AND call_id = :call_id"""

RESUME = f"""
    UPDATE lane SET due_at = 0, attempts = 0, rejections = 0, first_failure = NULL, parked = NULL, reason = NULL
    WHERE endpoint = :endpoint AND batch_to > cursor AND (:call_id IS NULL OR call_id = :call_id)
    RETURNING {_LANE}"""

REWIND = "UPDATE lane SET cursor = ?, batch_to = ?, skipped = '[]' WHERE endpoint = ? AND call_id = ?"

DISABLE = """
    INSERT INTO endpoint (id, disabled) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET disabled = excluded.disabled"""

_DELIVERED = """(
    ended_at < :waited OR
    NOT EXISTS (SELECT 1 FROM lane WHERE call_id = call.id AND batch_to > cursor AND parked IS NULL)
)"""

EXPIRED = f"""
    SELECT id, ended_at FROM call WHERE record_days IS NULL AND ended_at < :before AND {_DELIVERED}
    UNION ALL
    SELECT id, ended_at FROM call
    WHERE record_days IS NOT NULL AND ended_at < :now - record_days * 86400 AND {_DELIVERED}
    ORDER BY ended_at LIMIT :limit"""

# --- delete ---------------------------------------------------------------------------------------------------------

CALL_STATE = "SELECT number, ended_at FROM call WHERE id = ?"

DELETE = (
    "DELETE FROM speech WHERE rowid >= :number << 24 AND rowid < :number + 1 << 24",
    "DELETE FROM event WHERE call_id = :call_id",
    "DELETE FROM lane WHERE call_id = :call_id",
    "DELETE FROM endpoint WHERE url IS NOT NULL AND NOT EXISTS (SELECT 1 FROM lane WHERE lane.endpoint = endpoint.id)",
    "DELETE FROM call WHERE id = :call_id",
)

# A deleted row leaves its words in the index until everything is merged: this begins it, `MERGE_SPEECH` goes on.
WIPE_SPEECH = "INSERT INTO speech (speech, rank) VALUES ('merge', -16)"

COPY = "VACUUM INTO ?"

CHECKPOINT = "PRAGMA wal_checkpoint(TRUNCATE)"

# --- open -----------------------------------------------------------------------------------------------------------

PENDING_LANES = f"""
    SELECT {_LANE} FROM lane WHERE endpoint = ? AND batch_to > cursor AND parked IS NULL ORDER BY due_at, rowid"""

OPEN_CALLS = "SELECT id FROM call WHERE ended_at IS NULL"

# --- read -----------------------------------------------------------------------------------------------------------

READ = "SELECT call_id, seq, type, body FROM event WHERE call_id = ? AND seq > ? ORDER BY seq LIMIT ?"

READ_TYPES = """
    SELECT call_id, seq, type, body FROM event
    WHERE call_id = ? AND seq > ? AND type IN (SELECT value FROM json_each(?)) ORDER BY seq LIMIT ?"""

LOG = """
    SELECT position, call_id, seq, type, body FROM event
    WHERE position > ? AND position <= ? ORDER BY position LIMIT ?"""

POSITION = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'event'"

CALLS = f"SELECT {_CALL} FROM call {{where}} ORDER BY number DESC LIMIT :limit"

CALLS_BY_ID = "id = :call_id"

CALLS_OPEN = "ended_at IS NULL"

# Calls are inserted when they begin, so the order of the numbers is the order of the calls.
CALLS_BEFORE = "number < (SELECT number FROM call WHERE id = :before)"

_FOUND = f"""
    SELECT {_CALL},
        (SELECT body FROM event WHERE call_id = call.id AND seq = call.ended_seq),
        (SELECT json_group_array(json(body)) FROM event
         WHERE call_id = call.id AND seq > call.ended_seq AND type IN ('audio.gap', 'transcription.backfilled')),
        (SELECT id FROM call AS further WHERE further.continues = call.id),
        (SELECT body FROM event
         WHERE call.ended_at IS NULL AND call_id = call.id AND seq = (
             SELECT rowid & 0xffffff FROM speech
             WHERE rowid >= number << 24 AND rowid < number + 1 << 24 ORDER BY rowid DESC LIMIT 1
         ))
    FROM call"""

FIND = f"{_FOUND} WHERE number = :number"

NUMBERS = "SELECT number FROM call WHERE number < :below AND {where} ORDER BY number DESC"

CONDITIONS = {
    "id": "id = :id",
    "begins": "id >= :begins AND id < :begins || '~'",  # no id has a character as high as that
    "carrier_call_id": "carrier_call_id = :carrier_call_id",
    "active": "ended_at IS NULL",
    "from_": "instr(lower(caller), lower(:from_))",
    "to": "instr(lower(callee), lower(:to))",
    "parties": "caller IN (SELECT value FROM json_each(:parties)) OR callee IN (SELECT value FROM json_each(:parties))",
    "since": "started_at >= :since",
    "until": "started_at < :until",
}
"""By the field of a `CallFilter`; the opposite where the field is false."""

SAID = "SELECT rowid >> 24 FROM speech WHERE speech MATCH :term AND rowid < :below << 24 ORDER BY rowid DESC"

SNIPPETS = """
    SELECT rowid >> 24, snippet(speech, 0, '', '', '…', 32) FROM speech
    WHERE speech MATCH :term AND rowid >= :least << 24 AND rowid < :most + 1 << 24
        AND rowid >> 24 IN (SELECT value FROM json_each(:numbers))
    ORDER BY rowid"""

LANE_STATE = """
    SELECT cursor, tip, attempts, parked, reason FROM lane JOIN call ON call.id = call_id
    WHERE endpoint = ? AND call_id = ?"""

# What is parked is pending, too; saying so lets the partial index answer.
PARKED = """
    SELECT call_id, cursor, parked FROM lane
    WHERE endpoint = ? AND batch_to > cursor AND parked IS NOT NULL ORDER BY rowid"""

DISABLED = "SELECT disabled FROM endpoint WHERE id = ?"
