"""What somebody types becomes what the index understands. What is found is in the contract of the stores."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.store import index, search, sql
from bridge.store.base import CallFilter


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("where order", ['"where"', '"order"']),
        ('"my order" now', ['"my order"', '"now"']),
        ('"never closed', ['"never closed"']),
        ("refund*", ['"refund"*']),
        ("taxi**", ['"taxi"*']),
        ("* - ?!", []),
        ('a"b c"d', ['"a"', '"b c"', '"d"']),
        ("订单", ['"订\u200b单"']),
        ("订单*", ['"订\u200b单"*']),
        ("NEAR(x", ['"NEAR(x"']),
        ("order?!", ['"order?!"']),
        ("", []),
    ],
)
def test_terms(text: str, terms: list[str]) -> None:
    assert search.terms(text) == terms


@pytest.fixture(scope="module")
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    index.add_function(connection)
    for migration in sql.MIGRATIONS:
        connection.executescript(migration)
    yield connection
    connection.close()


@given(text=st.text(max_size=20) | st.text(alphabet='ab"*:^-+(){}\\ \0', max_size=12))
def test_no_text_is_an_error(connection: sqlite3.Connection, text: str) -> None:
    assert search.find(connection, CallFilter(text=text), None, 10) == []


RARE = [number * 3 * search._STEPS for number in (3, 2, 1)]
"""The calls in which the rare word was said."""


@contextmanager
def calls_with(rare: list[int]) -> Iterator[sqlite3.Connection]:
    """As many calls as the first of these numbers: in each a common word was said, and in these a rare one."""
    connection = sqlite3.connect(":memory:")
    index.add_function(connection)
    for migration in sql.MIGRATIONS:
        connection.executescript(migration)
    for number in range(1, rare[0] + 1):
        call = (number, f"CA{number}", "{}", "+15550001" if number in rare else "+15550002", 1.0)
        connection.execute("INSERT INTO call (number, id, header, caller, started_at) VALUES (?, ?, ?, ?, ?)", call)
        connection.execute(sql.INSERT_SPEECH, (number, 2, "a common word"))
        if number in rare:
            connection.execute(sql.INSERT_SPEECH, (number, 3, "something rare"))
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def many() -> Iterator[sqlite3.Connection]:
    """The rare word was said in calls that are far from each other."""
    with calls_with(RARE) as connection:
        yield connection


def found(connection: sqlite3.Connection, before: str | None = None, limit: int = 10, **wanted: str) -> list[str]:
    return [call.row.id for call in search.find(connection, CallFilter(**wanted), before, limit)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["common rare", "rare common", "com* rare", "commo* rare", "rare* commo*", '"common word" rare']
)
def test_what_is_rare_is_found_among_what_is_common(many: sqlite3.Connection, text: str) -> None:
    expected = [f"CA{number}" for number in RARE]
    assert found(many, text=text) == expected
    assert found(many, text=text, before=expected[0], limit=1) == expected[1:2]
    assert found(many, text="common", from_="0001") == expected


def statements(connection: sqlite3.Connection, limit: int = 10, **wanted: str) -> tuple[int, int]:
    """How many a search runs to set a word's cursor, and to look for snippets."""
    run: list[str] = []
    connection.set_trace_callback(run.append)
    search.find(connection, CallFilter(**wanted), None, limit)  # type: ignore[arg-type]
    connection.set_trace_callback(None)
    cursors = sum(statement.startswith("SELECT rowid >> 24 FROM speech") for statement in run)
    return cursors, sum("snippet(speech" in statement for statement in run)


@pytest.mark.parametrize(
    ("text", "limit", "cursors", "snippet"),
    [
        ("common rare", 10, 4, "something rare"),  # over each of the two gaps the common word's cursor is set again
        ("com* rare", 10, 4, "something rare"),
        ("comm* rare", 10, 2, "a common word"),  # collected whole: once
        ("common com* rare", 10, 7, "something rare"),
        ("common com*", 3, 2, "a common word"),
    ],
)
def test_a_cursor_that_is_far_behind_is_set_again(
    many: sqlite3.Connection, text: str, limit: int, cursors: int, snippet: str
) -> None:
    assert [call.snippet for call in search.find(many, CallFilter(text=text), None, limit)] == [snippet] * 3
    assert statements(many, limit, text=text) == (cursors, 1), "a word whose cursor was walked gives all the snippets"


def test_snippets_are_looked_for_one_by_one_where_no_cursor_was_walked(many: sqlite3.Connection) -> None:
    found = search.find(many, CallFilter(text="common", from_="0001"), None, 10)
    assert [call.snippet for call in found] == ["a common word"] * 3
    assert statements(many, text="common", from_="0001") == (3, 3)


@pytest.mark.parametrize(("apart", "cursors"), [(search._STEPS + 1, 2), (search._STEPS + 2, 3)])
def test_a_cursor_is_walked_as_far_as_setting_it_again_costs(apart: int, cursors: int) -> None:
    with calls_with([100, 100 - apart]) as connection:
        assert found(connection, text="common rare") == ["CA100", f"CA{100 - apart}"]
        assert statements(connection, text="common rare") == (cursors, 1)
