"""One body for one event or many, joined from what is written already."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.delivery.envelope import batch_id, envelope, interim_id, opened
from bridge.errors import RemoteProtocolError
from bridge.outbox import call_header
from tests.fakes import words


def test_an_envelope_is_the_call_and_its_events() -> None:
    events = words.conversation(finals=2)
    body = json.loads(envelope(call_header(events[0]), [event.to_json() for event in events]))
    assert list(body) == ["type", "call", "events"]
    assert body["type"] == "call.events"
    assert body["call"]["id"] == "CA1"
    assert [event["seq"] for event in body["events"]] == [1, 2, 3, 4]
    assert body["events"][1]["data"]["text"] == "words of 2"


def test_a_gap_is_visible() -> None:
    assert json.loads(envelope("{}", ["{}"], skipped=(4, 7)))["skipped"] == [4, 7]


def test_an_envelope_is_utf_8() -> None:
    assert "süd".encode() in envelope(call_header(words.started()), [])


def test_ids_are_stable() -> None:
    assert batch_id("CA1", 3, 9) == "evt_CA1_3_9"
    assert interim_id("CA1", "s-4", 2) == "int_CA1_s-4_2"


def test_what_goes_in_comes_out() -> None:
    said = words.conversation(finals=2)
    call, events, skipped, after = opened(
        envelope(call_header(said[0]), [event.to_json() for event in said], skipped=(4, 7), after=3)
    )
    assert after == 3
    assert call["id"] == "CA1"
    assert events == [json.loads(event.to_json()) for event in said]
    assert skipped == (4, 7)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"type":"call.events"}',
        b'{"type":"other","call":{"id":"CA1"},"events":[]}',
        b'{"type":"call.events","call":"CA1","events":[]}',
        b'{"type":"call.events","call":{"id":1},"events":[]}',
        b'{"type":"call.events","call":{"id":"CA1"},"events":{"a":1}}',
        b'{"type":"call.events","call":{"id":"CA1"},"events":{}}',
        b'{"type":"call.events","call":{"id":"CA1"},"events":[1]}',
        b'{"type":"call.events","call":{"id":"CA1"},"events":[{"id":"CA1-1"}]}',
        b'{"type":"call.events","call":{"id":"CA1"},"events":[{"id":"CA1-1","type":"x","seq":"1"}]}',
        b'{"type":"call.events","call":{"id":"CA1"},"events":[],"skipped":[1e999]}',
        b'{"type":"call.events","call":{"id":"CA1"},"events":[],"skipped":5}',
    ],
)
def test_what_is_no_envelope(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="no envelope"):
        opened(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.fixed_dictionaries({"type": st.just("call.events"), "call": json_values, "events": json_values}))
def test_any_json_is_an_envelope_or_none(told: object) -> None:
    try:
        call, events, *_ = opened(json.dumps(told).encode())
    except RemoteProtocolError:
        return
    assert isinstance(call["id"], str) and isinstance(events, list)
