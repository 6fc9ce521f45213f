"""What somebody types becomes what the index understands. What is found is in the contract of the stores."""

import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.store import search, sql
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
    for migration in sql.MIGRATIONS:
        connection.executescript(migration)
    yield connection
    connection.close()


@given(text=st.text(max_size=20) | st.text(alphabet='ab"*:^-+(){}\\ \0', max_size=12))
def test_no_text_is_an_error(connection: sqlite3.Connection, text: str) -> None:
    assert search.find(connection, CallFilter(text=text), None, 10) == []


RARE = [number * 3 * search._STEPS for number in (3, 2, 1)]
"""The calls in which the rare word was said."""


@pytest.fixture(scope="module")
def many() -> Iterator[sqlite3.Connection]:
    """Calls in each of which a common word was said, and in some of them, far from each other, a rare one."""
    connection = sqlite3.connect(":memory:")
    for migration in sql.MIGRATIONS:
        connection.executescript(migration)
    for number in range(1, RARE[0] + 1):
        call = (number, f"CA{number}", "{}", "+15550001" if number in RARE else "+15550002", 1.0)
        connection.execute("INSERT INTO call (number, id, header, caller, started_at) VALUES (?, ?, ?, ?, ?)", call)
        connection.execute(sql.INSERT_SPEECH, (number, 2, "a common word"))
        if number in RARE:
            connection.execute(sql.INSERT_SPEECH, (number, 3, "something rare"))
    yield connection
    connection.close()


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


@pytest.mark.parametrize(
    ("text", "cursors", "snippets", "snippet"),
    [
        ("common rare", 4, 1, "something rare"),  # over each of the two gaps the common word's cursor is set again
        ("com* rare", 4, 1, "something rare"),
        ("comm* rare", 2, 1, "a common word"),  # collected whole: once
        ("common com* rare", 7, 1, "something rare"),
        ("common com*", 2, 1, "a common word"),
        ("common", 1, 1, "a common word"),
    ],
)
def test_a_cursor_that_is_far_behind_is_set_again_and_another_is_walked(
    many: sqlite3.Connection, text: str, cursors: int, snippets: int, snippet: str
) -> None:
    statements: list[str] = []
    many.set_trace_callback(statements.append)
    calls = search.find(many, CallFilter(text=text), None, 3)
    many.set_trace_callback(None)
    assert [call.snippet for call in calls] == [snippet] * 3
    assert sum(statement.startswith("SELECT rowid >> 24 FROM speech") for statement in statements) == cursors
    assert sum("snippet(speech" in statement for statement in statements) == snippets


def test_snippets_are_looked_for_one_by_one_where_every_cursor_was_set_again(many: sqlite3.Connection) -> None:
    statements: list[str] = []
    many.set_trace_callback(statements.append)
    calls = search.find(many, CallFilter(text="common", from_="0001"), None, 3)
    many.set_trace_callback(None)
    assert [call.snippet for call in calls] == ["a common word"] * 3
    assert sum("snippet(speech" in statement for statement in statements) == 3
