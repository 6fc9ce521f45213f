"""What somebody types becomes what the index understands. What is found is in the contract of the stores."""

import sqlite3
from collections.abc import Iterator

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


@pytest.mark.parametrize(
    "text", ["common rare", "rare common", "com* rare", "commo* rare", "rare* commo*", '"common word" rare']
)
def test_what_is_rare_is_found_among_what_is_common(connection: sqlite3.Connection, text: str) -> None:
    began = {number: 3 * search._STEPS * number for number in range(1, 4)}
    with connection:
        for number in range(1, max(began.values()) + 1):
            call = (number, f"CA{number}", "{}", "+15550001" if number in began.values() else "+15550002", 1.0)
            connection.execute("INSERT INTO call (number, id, header, caller, started_at) VALUES (?, ?, ?, ?, ?)", call)
            connection.execute(sql.INSERT_SPEECH, (number, 2, "a common word"))
            if number in began.values():
                connection.execute(sql.INSERT_SPEECH, (number, 3, "something rare"))
    try:
        expected = [f"CA{number}" for number in sorted(began.values(), reverse=True)]
        found = search.find(connection, CallFilter(text=text), None, 10)
        page = search.find(connection, CallFilter(text=text), expected[0], 1)
        assert [call.row.id for call in found] == expected
        assert all(call.snippet in ("a common word", "something rare") for call in found)
        assert [call.row.id for call in page] == expected[1:2]
        assert [
            call.row.id for call in search.find(connection, CallFilter(text="common", from_="0001"), None, 10)
        ] == expected
    finally:
        with connection:
            connection.execute("DELETE FROM speech")
            connection.execute("DELETE FROM call")
