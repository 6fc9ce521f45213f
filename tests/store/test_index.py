import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.store.index import add_function, indexed, shown


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Where is it?", ["Where is it?"]),
        ("Où est-il ?", ["Où est-il ?"]),
        ("Ou\u0300 ?", ["Où ?"]),
        ("我想查iPhone 12", ["我", "想", "查", "iPhone 12"]),
        ("ที่นี่", ["ที่", "นี่"]),
        ("हिन्दी में", ["हिन्दी में"]),
        ("안녕 하세요", ["안녕 하세요"]),
        ("ＡＢＣ１２", ["ABC12"]),
        ("ｶﾞｲﾄﾞ", ["ガ", "イ", "ド"]),
    ],
)
def test_a_script_without_blanks_is_indexed_character_by_character(text: str, parts: list[str]) -> None:
    assert indexed(text).split("\u200b") == parts
    assert shown(indexed(text)) == "".join(parts)


@given(st.text("ab 订单ที่ｶﾞ", max_size=10))
def test_what_is_indexed_twice_is_indexed_the_same(text: str) -> None:
    assert indexed(shown(indexed(text))) == indexed(text)


def test_sql_knows_the_function() -> None:
    connection = sqlite3.connect(":memory:")
    add_function(connection)
    assert connection.execute("SELECT indexed('订单')").fetchone() == ("订\u200b单",)
    connection.close()
