import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.text import clock, hide, json_line, plain


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\n\n b\t", "a b"),
        ("a\x00\x1b[31mb\x7f", "a[31mb"),
        ("a\u2028b\x85c\x1cd", "a b c d"),
        ("我\u2028想\n查 订单", "我想查 订单"),
        ("a\ud800b", "ab"),
        ("pay \u202e001\u202c now \u2066x\u2069", "pay 001 now x"),
        ("می\u200cخواهم 👩\u200d👧 א\u200f", "می\u200cخواهم 👩\u200d👧 א\u200f"),
    ],
)
def test_a_plain_text_has_one_line_and_nothing_that_steers(text, line):
    assert plain(text) == line


@given(st.text())
def test_what_is_plain_stays_as_it_is(text):
    line = plain(text)

    assert plain(line) == line
    assert len(line.splitlines()) <= 1 and line == line.strip()


@given(st.dictionaries(st.text(), st.text() | st.sampled_from(["\u2028", "\u2029", "\x85", "a\n\v\f\x1c"])))
def test_json_is_one_line_to_every_reader(value):
    line = json_line(json.dumps(value, ensure_ascii=False))

    assert len(line.splitlines()) == 1
    assert json.loads(line) == value


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "00:00.0"),
        (-0.1, "00:00.0"),
        (9.94, "00:09.9"),
        (59.96, "01:00.0"),
        (75.25, "01:15.2"),
        (3599.95, "1:00:00.0"),
        (6000, "1:40:00.0"),
    ],
)
def test_the_clock(seconds, text):
    assert clock(seconds) == text


@pytest.mark.parametrize(
    ("text", "secret", "told"),
    [
        ("no such key: sesame-open", "sesame-open", "no such key: …"),
        ("sesame-opensesame-open", "sesame-open", "……"),
        ("a local model", "local", "a local model"),
        ("nothing", "", "nothing"),
    ],
)
def test_a_secret_that_is_echoed_is_hidden(text, secret, told):
    assert hide(text, secret) == told
