"""The words of a text, as they are indexed and looked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.store.postgres.lexemes import snippet, terms, vector


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Where is my order?", "'where':1 'is':2 'my':3 'order':4"),
        ("ORDERS, ordered", "'order':1 'order':2"),
        ("Ich möchte é", "'ich':1 'mocht':2 'e':3"),
        ("it's o'clock\0", "'it':1 's':2 'o':3 'clock':4"),
        ("订单", "'订':1 '单':2"),
        ("हिन्दी में", "'हिन्दी':1 'में':2"),
        ("ＡＢＣ ｶﾞｲﾄﾞ", "'abc':1 'ガ':2 'イ':3 'ド':4"),
        ("주문을", "'주문을':1"),
        ("1st 2nd_3", "'1st':1 '2nd':2 '3':3"),
        ("?! ' \\ :", ""),
    ],
)
def test_words_are_without_what_does_not_matter(text: str, words: str) -> None:
    assert vector(text) == words


@pytest.mark.parametrize(
    ("text", "queries"),
    [
        ("orders", ["'order'"]),
        ('"my order" taxi*', ["'my' <-> 'order'", "'taxi':*"]),
        ("订单", ["'订' <-> '单'"]),
        ('order & !(taxi | "', ["'order'", "'taxi'"]),
        ("", []),
        ("?! *", []),
    ],
)
def test_what_is_looked_for(text: str, queries: list[str]) -> None:
    assert [term.query() for term in terms(text)] == queries


@given(st.text())
def test_no_text_breaks_out_of_its_quotes(text: str) -> None:
    for said in (vector(text), " ".join(term.query() for term in terms(text))):
        assert said.count("'") % 2 == 0
        assert "\0" not in said
        assert "\\" not in said
        said.encode()


def test_a_snippet_is_as_it_was_said() -> None:
    (term,) = terms("order")
    assert snippet("Where is my order?", term) == "Where is my order?"
    (begins,) = terms("ord*")
    long = " ".join(["well,"] * 50 + ["my Orders"] + ["then."] * 50)
    cut = snippet(long, begins)
    assert cut.startswith("…well,") and cut.endswith("then…")
    assert "my Orders" in cut
    assert len(cut.split()) == 32
    (phrase,) = terms('"もし"')
    assert snippet("もしもし、iPhoneを買いました。", phrase) == "もしもし、iPhoneを買いました。"
    assert snippet("nothing of it", term) == "nothing of it"
