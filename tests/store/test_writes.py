"""The transactions themselves, each able to run again after a rollback."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.errors import LocalProtocolError
from bridge.events import Event
from bridge.outbox import Batching, Lane, Settlement
from bridge.outlets import Outlets
from bridge.store import index, sql, writes
from tests.fakes import words


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    index.add_function(connection)
    for migration in sql.MIGRATIONS:
        connection.executescript(migration)
    yield connection
    connection.close()


def append(connection: sqlite3.Connection, events: list[Event]) -> writes.Appended:
    return writes.append(connection, writes.Append.of(events), "me", ["webhook"], Batching())


def test_an_append_run_again_after_a_rollback_does_the_same(connection: sqlite3.Connection) -> None:
    new = writes.Append.of(words.conversation())
    results = []
    for end in ("ROLLBACK", "COMMIT"):
        connection.execute("BEGIN")
        results.append(writes.append(connection, new, "me", ["webhook"], Batching()))
        connection.execute(end)
    assert results[0] == results[1]
    assert len(results[0].events) == 5


def test_an_append_says_what_was_new_and_who_was_idle(connection: sqlite3.Connection) -> None:
    events = words.conversation()
    first = append(connection, events[:2])
    assert [lane.batch_to for lane in first.lanes] == [2]
    second = append(connection, events)
    assert [event.seq for event in second.events] == [3, 4, 5]
    assert second.lanes == [], "it has a batch to try already"


def test_events_are_prepared_where_they_come_from() -> None:
    new = writes.Append.of([words.started(), words.ended(seq=2)])
    assert (new.started_at, new.ended_at) == (words.STARTED_AT, words.STARTED_AT + 60)
    with pytest.raises(LocalProtocolError):
        writes.Append.of([words.started(), words.final("CA2", 2)])


def test_settling_chooses_the_next_batch(connection: sqlite3.Connection) -> None:
    (row,) = append(connection, words.conversation()[:1]).lanes
    append(connection, words.conversation())
    lane = Lane(row.endpoint, row.call_id, row.header, 0, 1, 0, 0, None, (), False, "1")
    settled = writes.settle(connection, lane, Settlement(1, None, skipped=(1,)), Batching(max_events=3))
    assert (settled.cursor, settled.batch_to, settled.skipped) == (1, 4, (1,))
    settled = writes.settle(connection, lane, Settlement(1, 2, due=9.0, parked="why"), Batching())
    assert (settled.batch_to, settled.due, settled.parked) == (2, 9.0, "why")


def test_replay_stays_within_the_log(connection: sqlite3.Connection) -> None:
    append(connection, words.conversation())
    (row,) = writes.resume(connection, "webhook", "CA1", -5, Batching(), Outlets())
    assert (row.cursor, row.batch_to) == (0, 5)
    assert writes.resume(connection, "webhook", "CA1", 99, Batching(), Outlets()) == [], (
        "there is nothing after the end"
    )


def test_the_log_is_emptied_after_a_deletion_and_waits_for_no_reader(tmp_path: Path) -> None:
    connection, reader = (sqlite3.connect(tmp_path / "test.db", isolation_level=None, timeout=3600) for _ in range(2))
    connection.execute("PRAGMA journal_mode = WAL")
    index.add_function(connection)
    for migration in sql.MIGRATIONS:
        connection.executescript(migration)
    log, tidy = tmp_path / "test.db-wal", writes.Tidy()

    def octets_left() -> int:
        while tidy(connection):
            pass
        return log.stat().st_size

    append(connection, words.conversation())
    assert octets_left() > 0, "nothing was deleted"
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM event").fetchone()
    assert tidy.delete(connection, "CA1") is True
    assert tidy.delete(connection, "CA1") is False
    assert octets_left() > 0, "somebody reads"
    assert connection.execute("PRAGMA busy_timeout").fetchone() == (3_600_000,)
    reader.close()
    assert octets_left() == 0
    append(connection, words.conversation())
    assert octets_left() > 0
    connection.close()


def test_the_words_of_many_deletions_are_wiped_with_the_last_or_a_while_after(connection):
    tidy = writes.Tidy()

    def is_left(text):
        while tidy(connection):
            pass
        return any(text in block for (block,) in connection.execute("SELECT block FROM speech_data"))

    for name in ("anna", "berta", "clara"):
        append(connection, words.conversation(name)[:1] + [words.final(name, 2, text=name), words.ended(name, 3)])
    assert is_left(b"anna")
    assert tidy.delete(connection, "anna", more=True)
    assert is_left(b"anna")
    assert tidy.delete(connection, "berta")
    assert not is_left(b"anna")
    assert not is_left(b"berta")

    assert tidy.delete(connection, "clara", more=True)
    assert [is_left(b"clara") for _ in range(writes.WIPED)] == [True] * (writes.WIPED - 1) + [False]


def test_the_index_is_merged_little_by_little(connection):
    def segments():
        return connection.execute("SELECT count(DISTINCT segid) FROM speech_idx").fetchone()[0]

    for seq in range(1, 15):  # one commit a final: one segment a commit
        connection.execute(sql.INSERT_SPEECH, (1, seq, f"so it goes {seq}"))
    assert segments() == 14
    tidy = writes.Tidy()
    assert tidy(connection) is True
    while tidy(connection):
        pass
    assert segments() < 4
    assert tidy(connection) is False
    assert connection.execute("SELECT count(*) FROM speech WHERE speech MATCH 'goes'").fetchone() == (14,)


def test_the_index_is_merged_after_every_eighth_commit_and_so_never_at_length(connection):
    merged, tidy, most = [], writes.Tidy(), 0
    connection.set_trace_callback(lambda statement: "'merge'" in statement and merged.append(statement))
    for seq in range(1, 201):
        connection.execute(sql.INSERT_SPEECH, (1, seq, f"so it goes {seq}"))
        while tidy(connection):
            pass
        (segments,) = connection.execute("SELECT count(DISTINCT segid) FROM speech_idx").fetchone()
        most = max(most, segments)

    assert most < 16
    assert len(merged) < 100
