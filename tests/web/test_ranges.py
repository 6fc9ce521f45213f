import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.web.ranges import Range, parse_range

NOTHING = Range(0, 0)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", Range(0, 1)),
        ("bytes=0-99", Range(0, 100)),
        ("bytes=0-100", Range(0, 100)),
        ("bytes=99-99", Range(99, 100)),
        ("bytes=10-", Range(10, 100)),
        ("bytes=0-", Range(0, 100)),
        ("bytes=-1", Range(99, 100)),
        ("bytes=-100", Range(0, 100)),
        ("bytes=-1000", Range(0, 100)),
        ("BYTES=007-8", Range(7, 9)),
        ("bytes= 5-6\t", Range(5, 7)),
        (f"bytes=5-{'9' * 100}", Range(5, 100)),
    ],
)
def test_what_is_there(header, expected):
    assert parse_range(header, 100) == expected


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0", f"bytes={'9' * 100}-"])
def test_what_is_not_there(header):
    assert parse_range(header, 100) == NOTHING


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=5-4",
        "bytes=200-100",
        "bytes=0-1,3-4",
        "bytes=0-1,",
        "bytes=a-b",
        "bytes=0x1-2",
        "bytes=+1-2",
        "bytes=1--2",
        "bytes=1-2 3",
        "bytes = 1-2",
        "bytes=\u0661-2",
        "bytes=1-2\n",
        "samples=1-2",
        f"bytes=0-{'9' * 5000}",
    ],
)
def test_everything_else_is_as_if_nothing_had_been_asked(header):
    assert parse_range(header, 100) is None


@given(st.binary(min_size=1, max_size=50), st.integers(0, 60), st.integers(0, 60))
def test_it_is_the_slice_that_the_words_mean(whole, first, last):
    def octets(header):
        span = parse_range(header, len(whole))
        return whole[span.start : span.stop]

    assert octets(f"bytes={first}-") == whole[first:]
    assert octets(f"bytes=-{last}") == whole[max(0, len(whole) - last) :]
    if first <= last:
        assert octets(f"bytes={first}-{last}") == whole[first : last + 1]
