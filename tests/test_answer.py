"""Answers of every make, whole and octet by octet: the status counts, and only plain ones keep a connection."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.answer import MAX_BODY, MAX_HEAD, MAX_LINE, AnswerReader, State
from bridge.errors import RemoteProtocolError

PLAIN = {
    "no body": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "a body": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "no reason phrase": b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "204 with a length": b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
    "chunked": b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nX: y\r\n\r\n",
    "100 first": b"HTTP/1.1 100 Continue\r\nRetry-After: 9\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "103 first": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "a line too many before": b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "the same length twice": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "a long head": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000 + b"\r\nContent-Length: 0\r\n\r\n",
    "latin-1": "HTTP/1.1 200 OK\r\nX: Büro\r\nContent-Length: 0\r\n\r\n".encode("latin-1"),
    "a control character": b"HTTP/1.1 200 OK\r\nSet-Cookie: a=\x01b\r\nContent-Length: 0\r\n\r\n",
    "gzip that is none": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok",
    "as much body as is read": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MAX_BODY + b"x" * MAX_BODY,
}

ODD = {
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/2 in letters": b"HTTP/2 200\r\n\r\n",
    "closes": b"HTTP/1.1 200 OK\r\nConnection: foo, Close\r\nContent-Length: 0\r\n\r\n",
    "no length": b"HTTP/1.1 200 OK\r\n\r\n",
    "204 with a body": b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok",
    "304 with a coding": b"HTTP/1.1 304 X\r\nTransfer-Encoding: chunked\r\n\r\n",
    "chunked and a length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n",
    "an unknown coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "a bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a long chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "a long length": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1),
    "a length of many digits": b"HTTP/1.1 200 OK\r\nContent-Length: " + b"0" * 5000 + b"\r\n\r\n",
    "a blank before the colon": b"HTTP/1.1 200 OK\r\nX-A : b\r\nContent-Length: 0\r\n\r\n",
    "a folded line": b"HTTP/1.1 200 OK\r\nX: a\r\n b: c\r\nContent-Length: 0\r\n\r\n",
    "a line that is no header": b"HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 0\r\n\r\n",
    "a line without a name": b"HTTP/1.1 200 OK\r\n: nonsense\r\nContent-Length: 0\r\n\r\n",
    "a head without end": b"HTTP/1.1 200 OK\r\nX: " + b"a" * (MAX_HEAD + 1),
    "lines without end": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * (MAX_HEAD // 5),
    "a chunk's size without end": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * (MAX_LINE + 1),
    "trailers without end": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"X" * (MAX_LINE + 1),
    "101": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
}

NO_ANSWERS = {
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
    "HTTP/0.9": b"<html>\n",
    "no status": b"HTTP/1.1 OK\r\n",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\n",
    "a status below 100": b"HTTP/1.1 099 OK\r\n",
    "no line": b"HTTP/1.1 200 " + b"a" * (MAX_LINE + 1),
    "nothing after 100": b"HTTP/1.1 100 Continue\r\n\r\nnonsense\r\n",
}


def read(answer: bytes, size: int) -> AnswerReader:
    """Fed in pieces of so many octets."""
    reader = AnswerReader()
    for start in range(0, len(answer), size):
        reader.receive(answer[start : start + size])
    return reader


@pytest.mark.parametrize("size", [1, 7, 10**6])
@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_answer_leaves_the_connection_for_the_next(name: str, size: int) -> None:
    reader = read(PLAIN[name], size if len(PLAIN[name]) < 50_000 else max(size, 1000))
    assert reader.status in (200, 204)
    assert reader.has_head and reader.ended and not reader.hopeless


@pytest.mark.parametrize("size", [1, 7, 10**6])
@pytest.mark.parametrize("name", ODD)
def test_an_odd_answer_counts_and_costs_the_connection(name: str, size: int) -> None:
    reader = read(ODD[name], size if len(ODD[name]) < 50_000 else max(size, 1000))
    assert reader.status in (200, 204, 304, 101)
    assert reader.has_head and not reader.ended
    assert reader.state is State.CLOSE


@pytest.mark.parametrize("size", [1, 7, 10**6])
@pytest.mark.parametrize("name", NO_ANSWERS)
def test_what_begins_with_no_status_line_is_no_answer(name: str, size: int) -> None:
    with pytest.raises(RemoteProtocolError, match="no status line"):
        read(NO_ANSWERS[name], size)


@pytest.mark.parametrize("name", PLAIN)
def test_octets_behind_the_end_belong_to_no_answer(name: str) -> None:
    reader = read(PLAIN[name] + b"ok", 10**6)
    assert reader.has_head and reader.hopeless and not reader.ended


def test_the_status_is_there_before_the_head_is() -> None:
    reader = read(b"HTTP/1.1 200 OK\r\nRetry-After: 7\r\nX: ", 10**6)
    assert (reader.status, reader.has_head) == (200, False)
    reader.receive_eof()
    assert reader.has_head
    assert reader.field("retry-after") == "7"


def test_nothing_was_said_before_the_close() -> None:
    reader = read(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 20", 10**6)
    reader.receive_eof()
    assert (reader.status, reader.has_head) == (None, False)


def test_of_a_body_no_more_is_read_than_pays() -> None:
    reader = read(b"HTTP/1.1 500 Oops\r\n\r\n" + b"x" * MAX_BODY, 10**6)
    assert not reader.hopeless
    reader.receive(b"x")
    assert reader.hopeless


def test_many_small_chunks_are_a_long_body() -> None:
    reader = read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1000\r\n" + b"x" * 4096 + b"\r\n", 10**6)
    for _ in range(16):
        reader.receive(b"1000\r\n" + b"x" * 4096 + b"\r\n")
    assert reader.state is State.CLOSE


def test_a_field_is_found_whatever_its_letters_and_the_first_counts() -> None:
    reader = read(b"HTTP/1.1 302 X\r\nLOCATION:  /a \r\nlocation: /b\r\n\r\n", 10**6)
    assert reader.field("location") == "/a"
    assert reader.field("retry-after") is None
    assert repr(reader) == "<AnswerReader CLOSE status=302>"


def test_what_an_interim_answer_said_is_forgotten() -> None:
    assert read(PLAIN["100 first"], 10**6).field("retry-after") is None


@given(st.binary(max_size=400), st.integers(1, 50))
def test_rubbish_is_an_answer_or_none(rubbish: bytes, size: int) -> None:
    for beginning in (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"):
        try:
            reader = read(beginning + rubbish, size)
        except RemoteProtocolError:
            assert not beginning
        else:
            assert reader.status == 200 or not beginning
