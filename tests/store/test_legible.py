"""Rows of a damaged table, and keys of a damaged index, up to where they cannot be read and from there on."""

import sqlite3
from contextlib import closing

import pytest

from bridge.store.legible import read_lane_keys, read_rows


@pytest.mark.parametrize("apart", [1, 10])
def test_rows_that_are_no_text_are_stepped_over_and_no_others(apart: int) -> None:
    bad = [10, *range(20, 41), 50, 51, 99]
    damages: list[None] = []
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE number (n)")
        connection.executemany("INSERT INTO number (rowid, n) VALUES (?, ?)", [(apart * n, f"{n}") for n in range(100)])
        connection.executemany("UPDATE number SET n = CAST(x'ff' AS TEXT) WHERE rowid = ?", [(apart * n,) for n in bad])
        read = [int(n) for (n,) in read_rows(connection, "number", ("n",), lambda: damages.append(None))]

    assert read == [n for n in range(100) if n not in bad]
    assert damages


def test_keys_of_lanes_are_those_of_their_index_and_nonsense_is_none() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        assert read_lane_keys(connection) == set(), "there is no such table"
        connection.execute("CREATE TABLE lane (endpoint, call_id, cursor, PRIMARY KEY (endpoint, call_id))")
        keys = [("a", "CA1"), ("b", "CA1"), ("b", b"\0"), ("c", "CA2")]
        connection.executemany("INSERT INTO lane (endpoint, call_id) VALUES (?, ?)", keys)
        assert read_lane_keys(connection) == {("a", "CA1"), ("b", "CA1"), ("c", "CA2")}

        connection.execute("INSERT INTO lane (endpoint, call_id) VALUES ('b', CAST(x'ff' AS TEXT))")
        assert read_lane_keys(connection) == {("a", "CA1"), ("b", "CA1"), ("c", "CA2")}
