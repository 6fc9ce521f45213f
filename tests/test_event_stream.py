"""The HTML Standard's own examples, and every way to cut a stream into pieces."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import RemoteProtocolError
from bridge.event_stream import COMMENT, Parser, ServerSentEvent, encode


def read(octets: bytes) -> list[tuple[str, str]]:
    return [(message.event, message.data) for message in Parser().receive(octets)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_the_standards_first_examples(end):
    stream = b"data: YHOO\ndata: +2\ndata: 10\n\n: test stream\n\n"
    stream += b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\n"
    assert read(stream.replace(b"\n", end)) == [
        ("message", "YHOO\n+2\n10"),
        ("add", "73857293"),
        ("remove", "2153"),
    ]


def test_the_standards_example_of_ids():
    parser = Parser()
    assert parser.receive(b": test stream\n\ndata: first event\nid: 1\n\n") == [
        ServerSentEvent("message", "first event")
    ]
    assert parser.last_id == "1"
    assert parser.receive(b"data:second event\nid\n\n") == [ServerSentEvent("message", "second event")]
    assert parser.last_id == ""
    assert parser.receive(b"data:  third event\n\n") == [ServerSentEvent("message", " third event")]


def test_the_standards_examples_of_empty_data():
    assert read(b"data\n\ndata\ndata\n\ndata:") == [("message", ""), ("message", "\n")]
    assert read(b"data:test\n\ndata: test\n\n") == [("message", "test")] * 2


def test_a_message_without_an_id_keeps_the_one_before():
    parser = Parser("4")
    parser.receive(b"event: transcript.interim\ndata: {}\n\n")
    assert parser.last_id == "4"
    parser.receive(b"id: 5\ndata: {}\n\n")
    parser.receive(b"data: {}\n\n")
    assert parser.last_id == "5"


def test_what_the_stream_ends_in_the_middle_of_never_was():
    parser = Parser("4")
    assert parser.receive(b"id: 5\ndata: {}\n") == []
    assert parser.last_id == "4"


def test_an_id_with_a_null_is_none():
    parser = Parser("4")
    parser.receive(b"id: 5\0\ndata: x\n\n")
    assert parser.last_id == "4"


def test_what_is_not_known_is_let_pass():
    assert read(b"retry: 1000\nnonsense: 1\nmore nonsense\nEvent: shouting\ndata: x\n\n") == [("message", "x")]


def test_an_event_without_data_is_none_and_does_not_name_the_next():
    assert read(b"event: a\n\ndata: x\n\n") == [("message", "x")]


def test_a_byte_order_mark_is_no_part_of_a_name():
    assert read(b"\xef\xbb\xbfdata: x\n\n") == [("message", "x")]
    assert read(b"data: x\n\xef\xbb\xbfdata: y\n\n") == [("message", "x")]


def test_what_is_no_utf_8_is_replaced():
    assert read(b"data: \xff\n\n") == [("message", "\ufffd")]


def test_a_message_without_an_end_is_refused():
    parser = Parser(largest=100)
    for _ in range(20):
        parser.receive(b"data: some\n\n")
    with pytest.raises(RemoteProtocolError):
        for _ in range(20):
            parser.receive(b"data: some\n")
    with pytest.raises(RemoteProtocolError):
        Parser(largest=100).receive(b"x" * 101)


def test_a_message_is_written_with_the_fields_it_has():
    assert encode(id=7, event="e", data="{}") == b"id: 7\nevent: e\ndata: {}\n\n"
    assert encode(data="x") == b"data: x\n\n"
    assert encode(id=0) == b"id: 0\n\n"
    assert encode(retry=1000) == b"retry: 1000\n\n"


LINE = st.text(st.characters(exclude_characters="\r\n\x85\u2028\u2029", codec="utf-8"))


@given(st.none() | st.integers(0), LINE.filter(bool), LINE)
def test_what_is_written_is_read(cursor, event, data):
    parser = Parser("before")
    octets = encode(retry=1) + COMMENT + encode(id=cursor, event=event, data=data) + COMMENT

    assert parser.receive(octets) == [ServerSentEvent(event, data)]
    assert parser.last_id == ("before" if cursor is None else str(cursor))


@pytest.mark.parametrize("end", ["\x85", "\u2028", "\u2029"])
def test_an_event_is_one_line_to_readers_that_know_other_line_ends(end):
    octets = encode(event="e", data=json.dumps({"text": f"one{end}two"}, ensure_ascii=False))

    assert len(octets.decode().splitlines()) == 3
    [event] = Parser().receive(octets)
    assert json.loads(event.data) == {"text": f"one{end}two"}


FIELDS = st.sampled_from(["data", "data: süß", "data:: x", "id: 7", "id", "event: e", ": no", "retry: 1", "", "", "x"])


@given(st.lists(st.tuples(FIELDS, st.sampled_from(["\n", "\r", "\r\n"]))), st.data())
def test_it_is_the_same_however_it_is_cut(lines, data):
    # A return before a line that is empty and ends in \n would be one end of a line.
    octets = "".join(line + end for line, end in lines).encode()
    whole, pieces = Parser(), Parser()
    expected, found = whole.receive(octets), []
    while octets:
        size = data.draw(st.integers(1, len(octets)))
        found += pieces.receive(octets[:size])
        octets = octets[size:]
    assert (found, pieces.last_id) == (expected, whole.last_id)
