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
